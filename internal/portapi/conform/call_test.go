package conform_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
)

// answer is what a call gave.
type answer struct {
	h      *house
	call   string
	status int
	header http.Header
	body   string
}

// call sends a request with the machine's token and checks what holds for every answer. Each header is "name: value";
// one without a value is not sent.
func (h *house) call(method, path, body string, headers ...string) answer {
	h.Helper()
	u, err := url.ParseRequestURI(path)
	if err != nil {
		h.Fatalf("path %q: %v", path, err)
	}
	r := httptest.NewRequest(method, origin+"/", strings.NewReader(body))
	r.URL = u
	r.Header.Set("Authorization", "Bearer "+h.token)
	r.Header.Set("User-Agent", "conform/1.0")
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ":")
		if value = strings.TrimSpace(value); value == "" {
			r.Header.Del(name)
			continue
		}
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	a := answer{h, method + " " + excerpt(path), w.Code, w.Header(), w.Body.String()}
	if w.Header().Get("Content-Encoding") == "" {
		a.sound()
		a.asDescribed(method, u)
	}
	return a
}

// sound fails the test unless the answer has what every answer has.
func (a answer) sound() {
	a.h.Helper()
	var body struct {
		OK      *bool   `json:"ok"`
		Error   *string `json:"error"`
		Message *string `json:"message"`
	}
	if err := json.Unmarshal([]byte(a.body), &body); err != nil || body.OK == nil {
		a.h.Fatalf("%s: status %d, want a JSON object with ok, got %s", a.call, a.status, excerpt(a.body))
	}
	if success := a.status < 300; *body.OK != success {
		a.h.Errorf("%s: status %d with ok %t", a.call, a.status, *body.OK)
	} else if !success && (body.Error == nil || *body.Error == "" || body.Message == nil || *body.Message == "") {
		a.h.Errorf("%s: status %d without error or message: %s", a.call, a.status, excerpt(a.body))
	}
	if got := a.header.Get("Content-Type"); got != "application/json" {
		a.h.Errorf("%s: content type %q, want application/json", a.call, got)
	}
	if a.header.Get("X-Trace-Id") == "" {
		a.h.Errorf("%s: no X-Trace-Id", a.call)
	}
	for name := range a.header {
		if strings.HasPrefix(strings.ToLower(name), "x-ratelimit") {
			a.h.Errorf("%s: header %s, though there are no limits", a.call, name)
		}
	}
	if a.status >= 500 {
		a.h.Errorf("%s: status %d: %s", a.call, a.status, excerpt(a.body))
	}
}

// want fails the test unless status and error code ("" for success) are these.
func (a answer) want(status int, code string) answer {
	a.h.Helper()
	if got := a.text("error"); a.status != status || got != code {
		a.h.Fatalf("%s: %d %q, want %d %q: %s", a.call, a.status, got, status, code, excerpt(a.body))
	}
	return a
}

// at returns the JSON text at a path of member names and list indexes, or "" when nothing is there.
func (a answer) at(path ...string) string {
	text := json.RawMessage(a.body)
	for _, name := range path {
		var list []json.RawMessage
		if json.Unmarshal(text, &list) == nil && list != nil {
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(list) {
				return ""
			}
			text = list[i]
			continue
		}
		var object map[string]json.RawMessage
		if json.Unmarshal(text, &object) != nil {
			return ""
		}
		text = object[name]
	}
	return string(text)
}

// text returns the string at a path, or "" when none is there.
func (a answer) text(path ...string) string {
	var s string
	_ = json.Unmarshal([]byte(a.at(path...)), &s) // "" is what was asked for
	return s
}

// is fails the test unless the JSON at a path means this; "" means that nothing is there.
func (a answer) is(want string, path ...string) answer {
	a.h.Helper()
	if got := a.at(path...); !same(got, want) {
		a.h.Errorf("%s: %s is %s, want %s", a.call, strings.Join(path, "."), excerpt(got), want)
	}
	return a
}

// says fails the test unless the message has all these words.
func (a answer) says(words ...string) answer {
	a.h.Helper()
	for _, word := range words {
		if !strings.Contains(a.text("message"), word) {
			a.h.Errorf("%s: the message does not name %q: %s", a.call, word, excerpt(a.body))
		}
	}
	return a
}

// same reports whether two JSON texts differ in spaces and the order of members alone; numbers are compared as text.
func same(a, b string) bool {
	if a == "" || b == "" {
		return a == b
	}
	return sorted(a) == sorted(b)
}

func sorted(text string) string {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return text
	}
	out, err := json.Marshal(v)
	if err != nil {
		return text
	}
	return string(out)
}

// excerpt is the beginning of a text, for messages.
func excerpt(s string) string {
	const most = 600
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// quoted is a text as JSON.
func quoted(s string) string {
	out, err := json.Marshal(s)
	if err != nil {
		panic("conform: a text cannot be encoded: " + err.Error())
	}
	return string(out)
}

// list is the strings of one member of each element of the list at a path.
func (a answer) list(member string, path ...string) []string {
	a.h.Helper()
	var list []map[string]json.RawMessage
	if err := json.Unmarshal([]byte(a.at(path...)), &list); err != nil {
		a.h.Fatalf("%s: %s is no list of objects: %s", a.call, strings.Join(path, "."), excerpt(a.body))
	}
	out := make([]string, len(list))
	for i := range list {
		if json.Unmarshal(list[i][member], &out[i]) != nil {
			out[i] = string(list[i][member])
		}
	}
	return out
}
