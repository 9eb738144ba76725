package portapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"testing"
)

// Any identifier that is escaped into one segment comes out of the route as it went in.
func FuzzRouteKeepsIdentifiers(f *testing.F) {
	for _, id := range []string{"00u1", "https://acme.okta.com/api/v1/iam", "a%2Fb", "..", "//", "a b+c", "\xff", "größe"} {
		f.Add(id)
	}
	a := New(Config{})
	f.Fuzz(func(t *testing.T, id string) {
		if id == "" {
			return
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		u, err := url.ParseRequestURI("/v1/blueprints/b/entities/" + url.PathEscape(id))
		if err != nil {
			t.Fatal(err)
		}
		r.URL = u
		_, names, err := a.routes.find(r)
		if err != nil || names["entity"] != id {
			t.Errorf("%q came out as %q, %v", id, names["entity"], err)
		}
	})
}

// No path makes the router fail.
func FuzzRoute(f *testing.F) {
	f.Add("/v1/blueprints/%2F/entities/%00")
	f.Add("//v1//")
	a := New(Config{})
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			return
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL = u
		route, names, err := a.routes.find(r)
		if (route == nil) == (err == nil) {
			t.Errorf("%q: route %v, names %v, error %v", path, route, names, err)
		}
	})
}

// What is read of an object and written again means the same.
func FuzzMembers(f *testing.F) {
	for _, text := range []string{`{}`, `{"a":1,"a":2}`, `{"a":{"b":[1e400,"\u0000"]}}`, ` null`, `[1]`, `{"<":"&"}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !json.Valid(text) {
			return
		}
		m, err := parseMembers("it", text)
		if err != nil {
			return
		}
		again, err := encode(m)
		if err != nil {
			t.Fatalf("%s cannot be written: %v", text, err)
		}
		if a, b := decoded(t, text), decoded(t, again); a != nil && !reflect.DeepEqual(a, b) {
			t.Errorf("%s became %s", text, again)
		}
	})
}

func decoded(t *testing.T, text []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}
