package portapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"longshore/internal/fault"
)

const (
	// maxBodyBytes is how large a request's body may be (Port's limit).
	maxBodyBytes = 1 << 20
	// maxBodyDepth is how deep its lists and objects may nest. The databases read JSON to a depth of about 1000.
	maxBodyDepth = 256
)

// read returns the request's body. Errors: 413 when it is larger than limit.
func (r *request) read(limit int64) ([]byte, error) {
	tooLarge := &statusError{
		status: http.StatusRequestEntityTooLarge, code: "bad_request",
		message: "the body is larger than " + strconv.FormatInt(limit>>10, 10) + " KiB",
	}
	if r.ContentLength > limit {
		return nil, tooLarge
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	var cut *http.MaxBytesError
	switch {
	case errors.As(err, &cut) || int64(len(body)) > limit:
		return nil, tooLarge
	case err != nil:
		return nil, fault.Errorf(fault.Invalid, "the body broke off: %w", err).WithCode("bad_request", nil)
	}
	return body, nil
}

// object returns the body, which must be a JSON object. Errors: 413, 400 when it is not JSON, 422 when it is no object or
// nested too deep.
func (r *request) object() (members, error) {
	body, err := r.value()
	if err != nil {
		return nil, err
	}
	return parseMembers("the body", body)
}

// value returns the body, which must be JSON of any kind. Errors: those of object.
func (r *request) value() (json.RawMessage, error) {
	body, err := r.read(maxBodyBytes)
	switch {
	case err != nil:
		return nil, err
	case nestsDeeper(body, maxBodyDepth):
		return nil, invalidRequest("the body is nested deeper than %d", maxBodyDepth)
	case !json.Valid(body):
		return nil, notJSON(body)
	}
	return body, nil
}

// notJSON says where a body stops being JSON.
func notJSON(body []byte) error {
	const hint = `curl --json '{"identifier": "a"}' sends JSON, and --json @FILE a file of it`
	if len(bytes.TrimSpace(body)) == 0 {
		return fault.Errorf(fault.Invalid, "the body is not JSON: it is empty").WithCode("bad_request", nil).WithHint(hint)
	}
	var v json.RawMessage
	err := json.Unmarshal(body, &v)
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return fault.Errorf(fault.Invalid, "the body is not JSON: %w", err).WithCode("bad_request", nil)
	}
	before := body[:max(0, min(syntax.Offset-1, int64(len(body))))]
	line, column := 1+bytes.Count(before, []byte("\n")), len(before)-bytes.LastIndexByte(before, '\n')
	return fault.Errorf(fault.Invalid, "the body is not JSON: line %d, column %d: %s", line, column, syntax.Error()).WithCode("bad_request", nil).WithHint(hint)
}

// nestsDeeper reports whether lists and objects nest deeper than that, in JSON or in what is none.
func nestsDeeper(text []byte, most int) bool {
	depth, inText := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '[' || c == '{':
			if depth++; depth > most {
				return true
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return false
}

func invalidRequest(format string, args ...any) error {
	return fault.Errorf(fault.Invalid, format, args...).WithCode("invalid_request", nil)
}

// member is a member of a JSON object, its value as it was written.
type member struct {
	Name  string
	Value json.RawMessage
}

// members is a JSON object in its order. Of equal names the last value stands.
type members []member

// parseMembers reads valid JSON that must be an object; null is an empty one.
func parseMembers(what string, text []byte) (members, error) {
	if isNull(text) {
		return members{}, nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, invalidRequest("%s: want an object, got %s", what, excerpt(text))
	}
	list, at := members{}, map[string]int{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, invalidRequest("%s: %w", what, err)
		}
		name, _ := t.(string)
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, invalidRequest("%s: member %q: %w", what, name, err)
		}
		if i, twice := at[name]; twice {
			list[i].Value = value
			continue
		}
		at[name] = len(list)
		list = append(list, member{name, value})
	}
	return list, nil
}

func (m members) get(name string) json.RawMessage {
	for i := range m {
		if m[i].Name == name {
			return m[i].Value
		}
	}
	return nil
}

// names are the first members' names, quoted, or "no members".
func (m members) names() string {
	const most = 10
	if len(m) == 0 {
		return "no members"
	}
	var names []string
	for _, x := range m[:min(len(m), most)] {
		names = append(names, strconv.Quote(excerpt([]byte(x.Name))))
	}
	return strings.Join(names, ", ")
}

func (m *members) set(name string, value json.RawMessage) {
	for i := range *m {
		if (*m)[i].Name == name {
			(*m)[i].Value = value
			return
		}
	}
	*m = append(*m, member{name, value})
}

func (m *members) drop(names ...string) {
	*m = slices.DeleteFunc(*m, func(x member) bool { return slices.Contains(names, x.Name) })
}

// put sets a member to what v encodes to; v must be encodable.
func (m *members) put(name string, v any) {
	text, err := encode(v)
	if err != nil {
		panic("portapi: " + name + " cannot be encoded: " + err.Error())
	}
	m.set(name, bytes.TrimSpace(text))
}

// MarshalJSON writes the object in its order.
func (m members) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, x := range m {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := encode(x.Name)
		if err != nil {
			return nil, err
		}
		b.Write(bytes.TrimSpace(name))
		b.WriteByte(':')
		b.Write(x.Value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// text returns a member that must be a string; absent and null are "".
func (m members) text(name string) (string, error) {
	value := m.get(name)
	var s string
	if !isNull(value) && json.Unmarshal(value, &s) != nil {
		return "", invalidRequest("%s: want a string, got %s", name, excerpt(value))
	}
	return s, nil
}

func isNull(value []byte) bool {
	value = bytes.TrimSpace(value)
	return len(value) == 0 || string(value) == "null"
}

// excerpt is the beginning of a value, for messages.
func excerpt(value []byte) string {
	const most = 120
	text := strings.ToValidUTF8(string(bytes.TrimSpace(value)), "?")
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// flag reads a boolean parameter. What is neither true nor false is the default: some clients send other text.
func (r *request) flag(name string, fallback bool) bool {
	switch r.URL.Query().Get(name) {
	case "true":
		return true
	case "false":
		return false
	}
	return fallback
}

// list reads a parameter that may be repeated, comma-joined, or both.
func (r *request) list(name string) []string {
	var all []string
	for _, value := range r.URL.Query()[name] {
		for _, one := range strings.Split(value, ",") {
			if one = strings.TrimSpace(one); one != "" {
				all = append(all, one)
			}
		}
	}
	return all
}

// number reads a whole number; absent and empty are the default. Errors: 422 when it is not within the bounds.
func (r *request) number(name string, fallback, least, most int64) (int64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		return 0, invalidRequest("parameter %s: want a whole number from %d to %d, got %q", name, least, most, text)
	}
	return n, nil
}
