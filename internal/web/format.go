package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// grouped writes a whole number with its thousands apart.
func grouped(n any) string {
	text := fmt.Sprint(n)
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "−", text[1:]
	}
	var b strings.Builder
	for i, c := range text {
		if i > 0 && (len(text)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return sign + b.String()
}

func humanBytes(n int64) string {
	const unit = 1000
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, names := float64(n), []string{"kB", "MB", "GB", "TB", "PB"}
	for _, name := range names {
		if value /= unit; value < unit {
			return strings.TrimSuffix(fmt.Sprintf("%.1f", value), ".0") + " " + name
		}
	}
	return fmt.Sprintf("%.0f PB", value)
}

func plural(n any, one, many string) string {
	if fmt.Sprint(n) == "1" {
		return one
	}
	return many
}

// trimmedFloat writes a coordinate with at most one decimal.
func trimmedFloat(v float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
}

// shorten cuts a text to n characters, the last of them an ellipsis.
func shorten(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	runes := []rune(text)
	return strings.TrimRight(string(runes[:n-1]), " ") + "…"
}

// moment is an instant as people read it, with its exact spelling beside it.
type moment struct {
	Text  string // "3 min ago"
	Exact string // "2026-03-04 10:11:12 UTC"
	ISO   string
}

// momentOf takes a time.Time or the text of a date-time. A zero time gives a zero moment.
func momentOf(v any, now time.Time) (moment, error) {
	t, ok := v.(time.Time)
	if !ok {
		parsed, err := time.Parse(time.RFC3339Nano, fmt.Sprint(v))
		if err != nil {
			return moment{}, err
		}
		t = parsed
	}
	if t.IsZero() {
		return moment{}, nil
	}
	t = t.UTC()
	return moment{Text: relative(now.Sub(t), t, now), Exact: t.Format("2006-01-02 15:04:05 UTC"), ISO: t.Format(time.RFC3339)}, nil
}

func relative(d time.Duration, t, now time.Time) string {
	day := 24 * time.Hour
	switch {
	case d < -time.Minute:
		if d > -48*time.Hour {
			return "in " + spell(-d)
		}
	case d < 5*time.Second:
		return "just now"
	case d < 14*day:
		return spell(d) + " ago"
	}
	if t.Year() == now.UTC().Year() {
		return t.Format("2 Jan")
	}
	return t.Format("2 Jan 2006")
}

// spell writes a duration in its largest unit.
func spell(d time.Duration) string {
	day := 24 * time.Hour
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 2*day:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d/day))
}

// token is a piece of a JSON text: Kind is the style class that colours it, "" for none.
type token struct{ Kind, Text string }

// maxShownJSON is how much of a JSON text a page shows.
const maxShownJSON = 256 << 10

// highlight lays a JSON text out over lines and cuts it into coloured pieces. What is not JSON comes back as it is.
func highlight(v any) []token {
	var raw []byte
	switch t := v.(type) {
	case []byte:
		raw = t
	case json.RawMessage:
		raw = t
	case string:
		raw = []byte(t)
	default:
		raw, _ = json.Marshal(t)
	}
	var laid bytes.Buffer
	if err := json.Indent(&laid, raw, "", "  "); err != nil {
		return []token{{"", shownText(raw)}}
	}
	if laid.Len() > maxShownJSON {
		return []token{{"", shownText(laid.Bytes())}}
	}
	return colour(laid.Bytes())
}

func shownText(text []byte) string {
	if len(text) <= maxShownJSON {
		return strings.ToValidUTF8(string(text), "\uFFFD")
	}
	return strings.ToValidUTF8(string(text[:maxShownJSON]), "") + fmt.Sprintf("\n… %s more", humanBytes(int64(len(text)-maxShownJSON)))
}

func colour(text []byte) []token {
	var out []token
	put := func(kind string, part []byte) {
		if n := len(out); n > 0 && out[n-1].Kind == kind {
			out[n-1].Text += string(part)
			return
		}
		out = append(out, token{kind, string(part)})
	}
	for i := 0; i < len(text); {
		start := i
		switch c := text[i]; {
		case c == '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			i = min(i+1, len(text))
			if i < len(text) && text[i] == ':' {
				put("j-key", text[start:i])
			} else {
				put("j-str", text[start:i])
			}
		case c == '-' || c >= '0' && c <= '9':
			for i < len(text) && bytes.IndexByte([]byte("+-.eE0123456789"), text[i]) >= 0 {
				i++
			}
			put("j-num", text[start:i])
		case c >= 'a' && c <= 'z':
			for i < len(text) && text[i] >= 'a' && text[i] <= 'z' {
				i++
			}
			put("j-lit", text[start:i])
		default:
			i++
			put("", text[start:i])
		}
	}
	return out
}
