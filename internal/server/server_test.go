package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"longshore/internal/fault"
	"longshore/internal/server"
)

// echo answers the escaped path that reached it.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.EscapedPath()) })

func open(t *testing.T, cfg server.Config) *server.Server {
	t.Helper()
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	s, err := server.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func get(t *testing.T, h http.Handler, r *http.Request) (*httptest.ResponseRecorder, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w, w.Body.String()
}

func TestPathsAreNotCleaned(t *testing.T) {
	h := open(t, server.Config{Doors: []server.Door{{Prefix: "/v1/", Handler: echo}}}).Handler()
	for sent, want := range map[string]string{
		"/v1/a%2Fb":                           "/v1/a%2Fb",
		"/v1/a//b/../c":                       "/v1/a//b/../c",
		"//v1/a%2Fb":                          "/v1/a%2Fb",
		"//v1/x":                              "/v1/x",
		"/v1/https:%2F%2Facme.okta.com%2Fapi": "/v1/https:%2F%2Facme.okta.com%2Fapi",
	} {
		r := httptest.NewRequest(http.MethodGet, "http://h/", nil)
		u, err := url.ParseRequestURI(sent)
		if err != nil {
			t.Fatal(err)
		}
		r.URL = u
		if answer, got := get(t, h, r); answer.Code != 200 || got != want {
			t.Errorf("%s: %d %q, want 200 %q", sent, answer.Code, got, want)
		}
	}
}

func TestLongestPrefixWinsAndTheRestIsNotFound(t *testing.T) {
	say := func(s string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s) })
	}
	h := open(t, server.Config{Doors: []server.Door{{Prefix: "/v1/", Handler: say("v1")}, {Prefix: "/v1/longshore/", Handler: say("own")}}}).Handler()
	for path, want := range map[string]string{"/v1/blueprints": "v1", "/v1/longshore/syncs": "own", "/healthz": "alive\n", "/readyz": "ready\n"} {
		if _, got := get(t, h, httptest.NewRequest(http.MethodGet, path, nil)); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	answer, body := get(t, h, httptest.NewRequest(http.MethodGet, "/elsewhere", nil))
	if answer.Code != 404 || !strings.Contains(body, `"ok":false`) || answer.Header().Get("Content-Type") != "application/json" {
		t.Errorf("/elsewhere: %d %s", answer.Code, body)
	}
}

func TestEveryAnswerHasATraceID(t *testing.T) {
	h := open(t, server.Config{Doors: []server.Door{{Prefix: "/v1/", Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("broken") })}}}).Handler()
	seen := map[string]bool{}
	for _, path := range []string{"/v1/x", "/healthz", "/nothing"} {
		answer, _ := get(t, h, httptest.NewRequest(http.MethodGet, path, nil))
		id := answer.Header().Get(server.TraceHeader)
		if id == "" || seen[id] {
			t.Errorf("%s: trace id %q is missing or not new", path, id)
		}
		seen[id] = true
	}
}

func TestAPanicIsAnInternalErrorThatTellsNothing(t *testing.T) {
	h := open(t, server.Config{Doors: []server.Door{{Prefix: "/", Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("the secret is 42") })}}}).Handler()
	answer, body := get(t, h, httptest.NewRequest(http.MethodGet, "/x", nil))
	if answer.Code != 500 || strings.Contains(body, "42") || !strings.Contains(body, "internal_error") {
		t.Errorf("%d %s", answer.Code, body)
	}
}

func TestCrossOriginWritesAreRefusedWhereCookiesCount(t *testing.T) {
	h := open(t, server.Config{Doors: []server.Door{{Prefix: "/", Handler: echo}, {Prefix: "/ingest/", Handler: echo, AnyOrigin: true}}}).Handler()
	for _, c := range []struct {
		method, path, site string
		want               int
	}{
		{"POST", "/x", "cross-site", 403},
		{"POST", "/x", "same-origin", 200},
		{"POST", "/x", "", 200},
		{"GET", "/x", "cross-site", 200},
		{"POST", "/ingest/k", "cross-site", 200},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		if c.site != "" {
			r.Header.Set("Sec-Fetch-Site", c.site)
		}
		if answer, _ := get(t, h, r); answer.Code != c.want {
			t.Errorf("%s %s from %q: %d, want %d", c.method, c.path, c.site, answer.Code, c.want)
		}
	}
}

func TestBodiesAreBounded(t *testing.T) {
	var failed error
	h := open(t, server.Config{Doors: []server.Door{{Prefix: "/", Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, failed = io.Copy(io.Discard, r.Body)
	})}}}).Handler()
	get(t, h, httptest.NewRequest(http.MethodPost, "/x", io.LimitReader(zeros{}, 9<<20)))
	var tooLarge *http.MaxBytesError
	if !errors.As(failed, &tooLarge) {
		t.Errorf("reading 9 MiB: %v, want a MaxBytesError", failed)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestReadinessSaysWhetherTheDatabaseAnswers(t *testing.T) {
	var down error
	h := open(t, server.Config{Ready: func(context.Context) error { return down }}).Handler()
	if answer, _ := get(t, h, httptest.NewRequest(http.MethodGet, "/readyz", nil)); answer.Code != 200 {
		t.Errorf("up: %d, want 200", answer.Code)
	}
	down = errors.New("disk gone")
	answer, body := get(t, h, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	if answer.Code != 503 || strings.Contains(body, "disk") {
		t.Errorf("down: %d %q, want 503 without the cause", answer.Code, body)
	}
	if answer, _ := get(t, h, httptest.NewRequest(http.MethodGet, "/healthz", nil)); answer.Code != 200 {
		t.Errorf("alive with the database down: %d, want 200", answer.Code)
	}
}

func TestMetricsShowTheFigures(t *testing.T) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(server.NewCollector(server.Figures{
		ObjectsWaiting:      func(context.Context) (int64, error) { return 3, nil },
		RecordsByVerdict:    func(context.Context) (map[string]int64, error) { return map[string]int64{"upserted": 120}, nil },
		EntitiesByBlueprint: func(context.Context) (map[string]int64, error) { return nil, errors.New("no answer") },
		LastSyncs: func(context.Context) ([]server.LastSync, error) {
			return []server.LastSync{{Connection: "okta", Status: "succeeded", Started: time.Unix(100, 0), Finished: time.Unix(160, 0)}}, nil
		},
		Source: func() server.SourceUse {
			return server.SourceUse{
				Width:   4,
				Buckets: []server.SourceBucket{{Bucket: "users", Limit: 600, Remaining: 420, Share: 300, Used: 150, Waited: 90 * time.Second}},
				Calls:   []server.SourceCalls{{Bucket: "users", Stream: "users", Calls: 501, Throttled: 1, Retried: 2, Failed: 1, Bytes: 1 << 20}},
			}
		},
	}))
	h := open(t, server.Config{Registry: reg, Doors: []server.Door{{Prefix: "/v1/", Handler: echo}}}).Handler()
	get(t, h, httptest.NewRequest(http.MethodGet, "/v1/x", nil))
	answer, body := get(t, h, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if answer.Code != 200 {
		t.Fatalf("status %d: %s", answer.Code, body)
	}
	for _, line := range []string{
		"longshore_lake_objects_waiting 3", `longshore_records{verdict="upserted"} 120`,
		`longshore_last_sync_status{connection="okta",status="succeeded"} 1`, `longshore_last_sync_finished_seconds{connection="okta"} 160`,
		`longshore_http_answers_total{door="/v1/",status="200"} 1`,
		`longshore_source_limit{bucket="users"} 600`, `longshore_source_remaining{bucket="users"} 420`, `longshore_source_share{bucket="users"} 300`,
		`longshore_source_used{bucket="users"} 150`, `longshore_source_wait_seconds_total{bucket="users"} 90`, `longshore_source_parallel 4`,
		`longshore_source_calls_total{bucket="users",stream="users"} 501`, `longshore_source_throttled_total{bucket="users",stream="users"} 1`,
	} {
		if !strings.Contains(body, line+"\n") {
			t.Errorf("missing %s in\n%s", line, body)
		}
	}
}

func TestPortInUseSaysWhatToDo(t *testing.T) {
	first := open(t, server.Config{})
	_, err := server.Open(server.Config{Listen: first.Addr().String()})
	if !fault.Is(err, fault.Conflict) || !strings.Contains(fault.HintOf(err), "--listen") {
		t.Errorf("error %v (hint %q), want a conflict with a hint", err, fault.HintOf(err))
	}
	if _, err := server.Open(server.Config{Listen: "nonsense"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("address %q: %v, want invalid", "nonsense", err)
	}
}

func TestRunLetsAnswersEnd(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	s := open(t, server.Config{Doors: []server.Door{{Prefix: "/", Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-finish
		_, _ = io.WriteString(w, "whole")
	})}}})
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	got := make(chan string, 1)
	go func() {
		answer, err := http.Get(s.URL() + "/x")
		if err != nil {
			got <- err.Error()
			return
		}
		defer answer.Body.Close()
		body, _ := io.ReadAll(answer.Body)
		got <- string(body)
	}()
	<-begun
	stop()
	close(finish)
	if body := <-got; body != "whole" {
		t.Errorf("the answer under way: %q, want it whole", body)
	}
	if err := <-ran; err != nil {
		t.Errorf("Run: %v", err)
	}
	if c, err := net.Dial("tcp", s.Addr().String()); err == nil {
		c.Close()
		t.Error("still listening after Run returned")
	}
}

func TestLeadingSlashOnTheWire(t *testing.T) {
	s := open(t, server.Config{Doors: []server.Door{{Prefix: "/v1/", Handler: echo}}})
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	defer func() { stop(); <-ran }()
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET //v1/a%%2Fb//c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(answer); !strings.HasPrefix(text, "HTTP/1.1 200") || !strings.Contains(text, "/v1/a%2Fb//c") {
		t.Errorf("answer: %s", text)
	}
}
