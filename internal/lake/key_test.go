package lake

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

var keyStart = time.Date(2025, 3, 7, 9, 5, 2, 34_000_000, time.UTC)

const dollarFormat = "${NAMESPACE}/${STREAM_NAME}/year=${YEAR}/month=${MONTH}/${DAY}_$${EPOCH}_"

func TestKeyIsAirbytes(t *testing.T) {
	const okta = "okta"
	for _, c := range []struct {
		path, format, namespace, stream string
		part                            int
		want                            string
	}{
		{"data/", GuideFormat, okta, "users", 0, "data/okta/users/year=2025/month=03/07_1741338302034_0.jsonl.gz"},
		{"data", GuideFormat, okta, "users", 0, "data/okta/users/year=2025/month=03/07_1741338302034_0.jsonl.gz"},
		{"data//", GuideFormat, okta, "users", 0, "data/okta/users/year=2025/month=03/07_1741338302034_0.jsonl.gz"},
		{"/data", GuideFormat, okta, "users", 1, "/data/okta/users/year=2025/month=03/07_1741338302034_1.jsonl.gz"},
		{"/data", dollarFormat, okta, "users", 0, "/data/okta/users/year=2025/month=03/07_$1741338302034_0.jsonl.gz"},
		{"", GuideFormat, okta, "users", 0, "okta/users/year=2025/month=03/07_1741338302034_0.jsonl.gz"},
		{"/", GuideFormat, okta, "users", 0, "okta/users/year=2025/month=03/07_1741338302034_0.jsonl.gz"},
		{"data/", GuideFormat, "", "users", 0, "data/users/year=2025/month=03/07_1741338302034_0.jsonl.gz"},
		{"data/", "", okta, "users", 0, "data/okta/users/2025_03_07_1741338302034_0.jsonl.gz"},
		{"data/", "  ", okta, "users", 0, "data/okta/users/2025_03_07_1741338302034_0.jsonl.gz"},
		{"data/", "${STREAM_NAME}/", okta, "users", 0, "data/users/0.jsonl.gz"},
		{"data/", "${STREAM_NAME}", okta, "users", 0, "data/users0.jsonl.gz"},
		{"data/", GuideFormat, "team é/x", "user role#1", 0, "data/team_e/x/user_role_1/year=2025/month=03/07_1741338302034_0.jsonl.gz"},
		{"data/", "${STREAM_NAME}/${HOUR}:${MINUTE}:${SECOND}.${MILLISECOND}_", "", "users", 3, "data/users/09:05:02.0034_3.jsonl.gz"},
		{"data/${YEAR}", GuideFormat, okta, "users", 0, "data/2025/okta/users/year=2025/month=03/07_1741338302034_0.jsonl.gz"},
		{"data/", "${FOO}/${STREAM_NAME}/", "", "users", 0, "data/${FOO}/users/0.jsonl.gz"},
	} {
		got := Layout{BucketPath: c.path, PathFormat: c.format}.Key(KeyInput{
			Namespace: c.namespace, Stream: c.stream, Start: keyStart, Part: c.part, Extension: Extension,
		})
		if got != c.want {
			t.Errorf("path %q, format %q, %q/%q part %d:\n got %s\nwant %s", c.path, c.format, c.namespace, c.stream, c.part, got, c.want)
		}
	}
}

func TestKeyFilePatterns(t *testing.T) {
	for _, c := range []struct{ pattern, want string }{
		{"{date}_{timestamp}_{part_number}{format_extension}", "data/okta/users/2025_03_07_1741338303268_0.jsonl.gz"},
		{"{sync_id}/{part_number}{format_extension}", "data/okta/users/42/0.jsonl.gz"},
		{"part-{part_number}", "data/okta/users/part-0"},
		{"{date:yyyy_MM}{format_extension}", "data/okta/users/2025_03.jsonl.gz"},
		{"{timestamp:millis}-{part_number}", "data/okta/users/{timestamp:millis}-0"}, // documented, but literal since 1.5
		{"", "data/okta/users/0.jsonl.gz"},
	} {
		got := Layout{BucketPath: "data/", PathFormat: "${NAMESPACE}/${STREAM_NAME}/", FilePattern: c.pattern}.Key(KeyInput{
			Namespace: "okta", Stream: "users", Start: keyStart, Extension: Extension, SyncID: 42, Now: time.UnixMilli(1741338303268),
		})
		if got != c.want {
			t.Errorf("pattern %q: got %s, want %s", c.pattern, got, c.want)
		}
	}
}

func TestKeyUUID(t *testing.T) {
	l := Layout{BucketPath: "data", PathFormat: "${STREAM_NAME}/${UUID}_"}
	in := KeyInput{Stream: "users", Start: keyStart, Extension: Extension}
	a, b := l.Key(in), l.Key(in)
	if a == b {
		t.Errorf("two keys have the same random id: %s", a)
	}
	if want := `^data/users/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}_0\.jsonl\.gz$`; !regexp.MustCompile(want).MatchString(a) {
		t.Errorf("key %s does not match %s", a, want)
	}
	in.UUID = "given"
	if got := l.Key(in); got != "data/users/given_0.jsonl.gz" {
		t.Errorf("got %s, want the id that was given", got)
	}
}

func TestParseKeys(t *testing.T) {
	guide, unset := GuideLayout(), Layout{BucketPath: "data/"}
	for _, c := range []struct {
		name              string
		layout            Layout
		key               string
		namespace, stream string // both "" when the key is not of the layout
	}{
		{"the guide's", guide, "data/okta/users/year=2025/month=03/07_1741338302034_0.jsonl.gz", "okta", "users"},
		{"a leading slash", guide, "/data/okta/users/year=2025/month=03/07_1741338302034_0.jsonl.gz", "okta", "users"},
		{"the form's dollar", guide, "/data/okta/users/year=2025/month=03/07_$1741338302034_0.jsonl.gz", "okta", "users"},
		{"a suffix after a clash", guide, "data/okta/users/year=2025/month=03/07_1741338302034_0.jsonl.gz-1", "okta", "users"},
		{"no namespace", guide, "data/users/year=2025/month=03/07_1741338302034_0.jsonl.gz", "", "users"},
		{"a bucket path with a leading slash", Layout{BucketPath: "/data", PathFormat: dollarFormat}, "data/okta/users/year=2025/month=03/07_1741338302034_0.jsonl.gz", "okta", "users"},
		{"a folder in the namespace", Layout{BucketPath: "data/", PathFormat: "x/${NAMESPACE}/${STREAM_NAME}/"}, "data/x/team_e/x/user_role_1/0.jsonl.gz", "team_e", "x"},
		{"Fivetran's", guide, "data/wSLvwtI1LFwQzXXX/schema/table/part.jsonl", "wSLvwtI1LFwQzXXX", "schema"},
		{"a hand-made name", guide, "data/okta/users/mine.jsonl", "okta", "users"},
		{"another bucket path", guide, "other/okta/users/0.jsonl.gz", "", ""},
		{"too few parts", guide, "data/okta/users.jsonl", "", ""},
		{"no format set, the guide's key", unset, "data/okta/users/year=2025/month=03/07_1741338302034_0.jsonl.gz", "okta", "users"},
		{"no format set, Airbyte's key", unset, "data/okta/users/2025_03_07_1741338302034_0.jsonl.gz", "okta", "users"},
		{"no format set, no namespace", unset, "data/users/2025_03_07_1741338302034_0.jsonl.gz", "", "users"},
		{"no bucket path", Layout{PathFormat: GuideFormat}, "okta/users/year=2025/month=03/07_1741338302034_0.jsonl.gz", "okta", "users"},
		{"stream first", Layout{BucketPath: "data", PathFormat: "${STREAM_NAME}/${NAMESPACE}/${EPOCH}_"}, "data/users/okta/1741338302034_0.jsonl.gz", "okta", "users"},
		{"stream glued to the file name", Layout{BucketPath: "data", PathFormat: "${YEAR}/${STREAM_NAME}-"}, "data/2025/users-0.jsonl.gz", "", "users"},
		{"not of the configured format", Layout{BucketPath: "data", PathFormat: "x/${STREAM_NAME}/${EPOCH}_"}, "data/okta/users/1_0.jsonl", "", ""},
		{"a variable in the bucket path", Layout{BucketPath: "data/${YEAR}", PathFormat: GuideFormat}, "data/2025/okta/users/year=2025/month=03/07_1741338302034_0.jsonl.gz", "okta", "users"},
		{"a variable twice", Layout{BucketPath: "d", PathFormat: "${NAMESPACE}/${STREAM_NAME}/${NAMESPACE}_${STREAM_NAME}_"}, "d/okta/users/okta_users_0.jsonl.gz", "okta", "users"},
		{"an unknown variable", Layout{BucketPath: "data/", PathFormat: "${FOO}/${STREAM_NAME}/"}, "data/${FOO}/users/0.jsonl.gz", "", "users"},
	} {
		at, ok := c.layout.Parse(c.key)
		if want := c.stream != ""; ok != want {
			t.Errorf("%s: %s is %+v, %v; want %v", c.name, c.key, at, ok, want)
			continue
		}
		if at.Namespace != c.namespace || at.Stream != c.stream {
			t.Errorf("%s: %s is of %q / %q, want %q / %q", c.name, c.key, at.Namespace, at.Stream, c.namespace, c.stream)
		}
		if ok && at.Key != strings.TrimLeft(c.key, "/") {
			t.Errorf("%s: the key became %q", c.name, at.Key)
		}
	}
}

func TestIgnore(t *testing.T) {
	for key, want := range map[string]bool{
		"data/okta/users/0.jsonl.gz":          false,
		"data/okta/users/0.jsonl":             false,
		"data/okta/users/0.jsonl.gz-1":        false,
		"data/okta/users/0.jsonl-12":          false,
		"data/okta/users/part-0":              false,
		"data/okta/users/09:05:02.0034_3":     false,
		"data/okta/users/0.csv":               true,
		"data/okta/users/0.csv.gz":            true,
		"data/okta/users/0.parquet":           true,
		"data/okta/users/0.avro-1":            true,
		"data/testing/test/x_/_EXAMPLE":       true,
		"data/test_1741338302034":             true,
		"data/test_users":                     false,
		"__airbyte_tmp/a.jsonl":               true,
		"data/__airbyte_tmp/a/b.jsonl":        true,
		"data/okta/users/":                    true,
		"_longshore/manifests/okta/users/1":   true,
		"/_longshore/probe":                   true,
		"data/_longshore/users/0.jsonl":       false,
		"data/okta/users/_EXAMPLE/0.jsonl.gz": false,
	} {
		if reason, got := Ignore(key); got != want || got && reason == "" {
			t.Errorf("Ignore(%q) = %q, %v; want %v", key, reason, got, want)
		}
	}
	if _, got := IgnoreObject(Object{Key: "data/okta/users/0.jsonl"}); !got {
		t.Error("an object of no bytes is not ignored")
	}
}

func TestCompareKeysCountsNumbers(t *testing.T) {
	ordered := []string{
		"data/1_$5_0.jsonl", "data/1_5_9.jsonl", "data/1_5_9.jsonl-1", "data/1_5_9.jsonl-2", "data/1_5_9.jsonl-10",
		"data/1_5_010.jsonl", "data/1_5_10.jsonl", "data/1_5_11.jsonl", "data/2_1_0.jsonl", "data/a", "data/a1", "data/ab",
	}
	for i, a := range ordered {
		for j, b := range ordered {
			if got := CompareKeys(a, b); got < 0 != (i < j) || got == 0 != (i == j) {
				t.Errorf("CompareKeys(%q, %q) = %d, want the sign of %d", a, b, got, i-j)
			}
		}
	}
}

// A key that a layout makes is found again, with the names as they stand in the key.
func FuzzKeyRoundTrip(f *testing.F) {
	f.Add("data/", GuideFormat, "okta", "users", 3)
	f.Add("/data", dollarFormat, "team é/x", "user role#1", 0)
	f.Add("", "", "", "users", 10)
	f.Add("a/${YEAR}", "x${STREAM_NAME}/${NAMESPACE}", "n", "s", 1)
	f.Fuzz(func(t *testing.T, path, format, namespace, stream string, part int) {
		l := Layout{BucketPath: path, PathFormat: format}
		key := l.Key(KeyInput{Namespace: namespace, Stream: stream, Start: keyStart, Part: part, Extension: Extension})
		if strings.Contains(l.template(), "//") || strings.Contains(key[:len(key)-len(Extension)], "//") {
			t.Errorf("key %q has a double slash", key)
		}
		at, ok := l.Parse(key)
		CompareKeys(key, at.Key)
		Ignore(key)
		plain := !strings.Contains(Sanitise(namespace), "/") && !strings.Contains(Sanitise(stream), "/") && Sanitise(stream) != ""
		if strings.TrimSpace(format) != "" && format != GuideFormat || strings.Contains(path, "{") || !plain || strings.Contains(namespace+stream, "$") {
			return // other formats can be ambiguous; that they do no harm is all that is asked
		}
		if !ok || at.Stream != Sanitise(stream) || at.Namespace != Sanitise(namespace) {
			t.Errorf("layout %+v: key %q of %q/%q is found as %+v, %v", l, key, namespace, stream, at, ok)
		}
	})
}

func FuzzParseKey(f *testing.F) {
	f.Add("data/", "", "data/okta/users/0.jsonl")
	f.Add("", "${EPOCH}${UUID}${STREAM_NAME}", "///$")
	f.Fuzz(func(t *testing.T, path, format, key string) {
		at, ok := Layout{BucketPath: path, PathFormat: format}.Parse(key)
		if ok && (at.Stream == "" || strings.HasPrefix(at.Key, "/")) {
			t.Errorf("parsed %q as %+v", key, at)
		}
		Ignore(key)
	})
}
