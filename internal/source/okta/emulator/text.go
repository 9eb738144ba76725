package emulator

import "time"

// text is JSON being written, in the order of the calls: bodies keep the field order of recorded ones, and a page of
// 200 users costs no reflection.
type text struct{ b []byte }

func (t *text) comma() {
	if n := len(t.b); n > 0 && t.b[n-1] != '{' && t.b[n-1] != '[' && t.b[n-1] != ':' {
		t.b = append(t.b, ',')
	}
}

func (t *text) key(k string) {
	t.comma()
	t.b = append(t.b, '"')
	t.b = append(t.b, k...)
	t.b = append(t.b, '"', ':')
}

// object and array open a value: of the key, or an item of the array around it when the key is empty.
func (t *text) object(k string) { t.open(k, '{') }
func (t *text) array(k string)  { t.open(k, '[') }
func (t *text) end()            { t.b = append(t.b, '}') }
func (t *text) endArray()       { t.b = append(t.b, ']') }

func (t *text) open(k string, bracket byte) {
	if k == "" {
		t.comma()
	} else {
		t.key(k)
	}
	t.b = append(t.b, bracket)
}

// raw writes a value that is JSON already.
func (t *text) raw(k, json string) {
	t.key(k)
	t.b = append(t.b, json...)
}

func (t *text) str(k, s string) {
	t.key(k)
	t.quote(s)
}

// strs writes a value joined from parts, which need no escaping: links and names made here.
func (t *text) strs(k string, parts ...string) {
	t.key(k)
	t.b = append(t.b, '"')
	for _, p := range parts {
		t.b = append(t.b, p...)
	}
	t.b = append(t.b, '"')
}

// strOrNull writes null for "".
func (t *text) strOrNull(k, s string) {
	if s == "" {
		t.raw(k, "null")
		return
	}
	t.str(k, s)
}

func (t *text) nulls(keys ...string) {
	for _, k := range keys {
		t.raw(k, "null")
	}
}

// href writes a link object.
func (t *text) href(k string, parts ...string) {
	t.object(k)
	t.strs("href", parts...)
	t.end()
}

const (
	secondsLayout = "2006-01-02T15:04:05.000Z" // management objects: whole seconds, written with .000
	plainLayout   = "2006-01-02T15:04:05Z"     // org and principal rate limits
)

// at writes Unix seconds as Okta does, and null for 0.
func (t *text) at(k string, unix int64) {
	if unix == 0 {
		t.raw(k, "null")
		return
	}
	t.key(k)
	t.b = append(t.b, '"')
	t.b = time.Unix(unix, 0).UTC().AppendFormat(t.b, secondsLayout)
	t.b = append(t.b, '"')
}

// millis writes Unix milliseconds.
func (t *text) millis(k string, unixMilli int64) {
	t.key(k)
	t.b = append(t.b, '"')
	t.b = time.UnixMilli(unixMilli).UTC().AppendFormat(t.b, secondsLayout)
	t.b = append(t.b, '"')
}

const hexDigits = "0123456789abcdef"

func (t *text) quote(s string) {
	t.b = append(t.b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			t.b = append(t.b, '\\', c)
		case c < 0x20:
			t.b = append(t.b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			t.b = append(t.b, c)
		}
	}
	t.b = append(t.b, '"')
}
