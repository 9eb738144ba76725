package emulator

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
)

func TestTheClientAnswersAsASocketDoes(t *testing.T) {
	o := New(Options{BaseURL: DefaultBaseURL})
	server := httptest.NewServer(o)
	defer server.Close()
	for _, path := range []string{"/api/v1/users?limit=200", "/api/v1/logs?limit=1000", "/api/v1/none", "/api/v1/iam/roles?limit=2"} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		r.Header.Set("Authorization", "SSWS "+DefaultToken)
		response, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		near := get(t, o, path)
		if near.status != response.StatusCode || string(near.body) != string(body) || near.header.Get("Link") != response.Header.Get("Link") {
			t.Errorf("%s: %d and %d bytes in process, %d and %d over a socket", path, near.status, len(near.body), response.StatusCode, len(body))
		}
	}
}

func TestLinksNameTheHostOfTheRequest(t *testing.T) {
	o := New(Options{})
	server := httptest.NewServer(o)
	defer server.Close()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/v1/users?limit=1", nil)
	r.Header.Set("Authorization", "SSWS "+DefaultToken)
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if got, want := response.Header.Values("Link")[0], "<"+server.URL+`/api/v1/users?limit=1>; rel="self"`; got != want {
		t.Errorf("Link %s, want %s", got, want)
	}
}

func TestABodyEndsWithItsContextOrItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Options{})
		ctx, cancel := context.WithCancel(t.Context())
		for _, stop := range []func(io.Closer){func(io.Closer) { cancel() }, func(c io.Closer) { _ = c.Close() }} {
			if ctx.Err() != nil {
				ctx = t.Context()
			}
			r, _ := http.NewRequestWithContext(ctx, http.MethodGet, DefaultBaseURL+"/api/v1/users", nil)
			r.Header.Set("Authorization", "SSWS "+DefaultToken)
			response, err := o.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(response.Body, make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
			stop(response.Body)
			synctest.Wait()
			if o.flying != 0 {
				t.Error("the handler did not end")
			}
			if _, err := response.Body.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) && !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("read goes on with %v", err)
			}
			_ = response.Body.Close()
		}
	})
}
