package cron

import (
	"strings"
	"testing"
	"time"
)

func TestNext(t *testing.T) {
	for _, c := range []struct{ expression, after, want string }{
		{"0 0 * * * ?", "2025-03-07T09:05:02Z", "2025-03-07T10:00:00Z"},
		{"0 0 * * * ? UTC", "2025-03-07T09:05:02Z", "2025-03-07T10:00:00Z"},
		{"0 0 * * * ?", "2025-03-07T10:00:00Z", "2025-03-07T11:00:00Z"},
		{"30 */15 * * * ?", "2025-03-07T10:01:00Z", "2025-03-07T10:15:30Z"},
		{"0 0/20 * ? * *", "2025-03-07T10:01:00Z", "2025-03-07T10:20:00Z"},
		{"0 5/20 * ? * *", "2025-03-07T10:01:00Z", "2025-03-07T10:05:00Z"},
		{"0 0 12 ? * 2", "2025-03-07T09:00:00Z", "2025-03-10T12:00:00Z"},       // Quartz's 2 is Monday
		{"0 0 12 ? * MON-FRI", "2025-03-07T13:00:00Z", "2025-03-10T12:00:00Z"}, // Friday is over
		{"0 0 12 ? * FRI-MON", "2025-03-10T13:00:00Z", "2025-03-14T12:00:00Z"},
		{"0 0 12 ? * 1", "2025-03-07T13:00:00Z", "2025-03-09T12:00:00Z"}, // Sunday
		{"0 0 12 ? * 7", "2025-03-07T13:00:00Z", "2025-03-08T12:00:00Z"}, // Saturday
		{"0 0 12 ? * L", "2025-03-07T13:00:00Z", "2025-03-08T12:00:00Z"}, // Saturday
		{"0 0 12 ? * 6L", "2025-03-07T13:00:00Z", "2025-03-28T12:00:00Z"},
		{"0 0 12 ? * 6#3", "2025-03-07T13:00:00Z", "2025-03-21T12:00:00Z"},
		{"0 0 0 L * ?", "2025-02-03T00:00:00Z", "2025-02-28T00:00:00Z"},
		{"0 0 0 15W * ?", "2025-03-01T00:00:00Z", "2025-03-14T00:00:00Z"}, // the 15th is a Saturday
		{"0 0 0 29 FEB ?", "2025-03-01T00:00:00Z", "2028-02-29T00:00:00Z"},
		{"0 0 0 31 * ?", "2025-03-31T00:00:00Z", "2025-05-31T00:00:00Z"},
		{"0 30 22-2 * * ?", "2025-03-07T01:00:00Z", "2025-03-07T01:30:00Z"},
		{"0 0 0 1 1 ? 2027", "2025-03-07T00:00:00Z", "2027-01-01T00:00:00Z"},
		{"0 0 0 1 1 ? 2020", "2025-03-07T00:00:00Z", ""},
		{"0 0 0 31 2 ?", "2025-03-07T00:00:00Z", ""},
	} {
		s, err := Parse(c.expression)
		if err != nil {
			t.Errorf("%s: %v", c.expression, err)
			continue
		}
		after, err := time.Parse(time.RFC3339, c.after)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if next := s.Next(after); !next.IsZero() {
			got = next.Format(time.RFC3339)
		}
		if got != c.want {
			t.Errorf("%s after %s is %q, want %q", c.expression, c.after, got, c.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for expression, want := range map[string]string{
		"* * * * *":                     "5 fields; 6 or 7 are needed",
		"":                              "0 fields",
		"* 0 * * * ?":                   "the seconds must be one number",
		"0/5 0 * * * ?":                 "the seconds must be one number",
		"0 */5 * * * ? 2027":            "the minutes must be one number",
		"0 0 * * * *":                   `must be "?"`,
		"0 0 * ? * ?":                   `must be "?"`,
		"0 0 24 * * ?":                  `"24" is no hour`,
		"60 0 1 * * ?":                  `"60" is no second`,
		"0 0 0 ? * 8":                   `"8" is no day of week`,
		"0 0 0 ? * 0":                   `"0" is no day of week`,
		"0 0 0 L-3 * ?":                 "is not supported",
		"0 0 0 LW * ?":                  "is not supported",
		"0 0 0 ? * 2#6":                 "1st to the 5th",
		"0 0 0 1/0 * ?":                 "no step",
		"0 0 0 1 FOO ?":                 `"FOO" is no month`,
		"0 0 * * * ? Europe/Berlin":     "no step of the field year",
		"0 0 ? * * ?":                   `"?" is no hour`,
		"@hourly":                       "1 fields",
		strings.Repeat("0 ", 200) + "?": "at most",
	} {
		if _, err := Parse(expression); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q in it", expression, err, want)
		}
	}
}

// FuzzParse holds the next time against the fields: what is read has no time that is none of its own, and nothing panics.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"0 0 * * * ?", "0 5/20 1-3 ? * MON#2 2026-2030", "1 2 3 L 2 ?", "0 0 0 15W * ? UTC"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		after := time.Date(2025, 3, 7, 9, 5, 2, 0, time.UTC)
		next := s.Next(after)
		if !next.IsZero() && !next.After(after) {
			t.Errorf("%q after %s is %s", text, after, next)
		}
	})
}
