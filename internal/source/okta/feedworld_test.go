package okta_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"longshore/internal/fault"
	"longshore/internal/lake"
	"longshore/internal/pipeline"
	"longshore/internal/rawjson"
	"longshore/internal/source/okta"
	"longshore/internal/source/okta/emulator"
)

const hookSecret = "open sesame"

// handlerTransport asks a handler in this process.
type handlerTransport struct{ handler http.Handler }

func (h handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	return w.Result(), nil
}

// lateHandler answers by what is put in later.
type lateHandler struct{ http.Handler }

// hooked is options with hooks that reach what the returned handler becomes.
func hooked(options emulator.Options) (emulator.Options, *lateHandler) {
	late := &lateHandler{}
	options.Hooks.Client = &http.Client{Transport: handlerTransport{late}}
	return options, late
}

// register makes the org deliver its events to the bench.
func (b *feedBench) register(late *lateHandler) {
	b.t.Helper()
	late.Handler = okta.NewHook(b.syncs, hookSecret, slog.New(slog.DiscardHandler))
	made := b.post("/api/v1/eventHooks", okta.Registration("longshore", fmt.Sprintf("https://longshore.example%s%d", okta.HookPath, b.conn.ID), hookSecret))
	verified := b.post("/api/v1/eventHooks/"+rawjson.GetString(made, "id")+"/lifecycle/verify", nil)
	if rawjson.GetString(verified, "verificationStatus") != "VERIFIED" {
		b.t.Fatalf("the hook is not verified: %s", verified)
	}
}

func (b *feedBench) post(path string, body []byte) []byte {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, emulator.DefaultBaseURL+path, bytes.NewReader(body))
	b.must(err)
	r.Header.Set("Authorization", "SSWS "+emulator.DefaultToken)
	response, err := b.org.Client().Do(r)
	b.must(err)
	defer func() { _ = response.Body.Close() }()
	got, err := io.ReadAll(response.Body)
	b.must(err)
	if response.StatusCode != http.StatusOK {
		b.t.Fatalf("POST %s: %d %s", path, response.StatusCode, got)
	}
	return got
}

// meanwhile lets the feed work in a goroutine while do runs.
func (b *feedBench) meanwhile(do func()) {
	b.t.Helper()
	ctx, stop := context.WithCancel(b.t.Context())
	ended := make(chan error, 1)
	go func() {
		for {
			wait, err := b.feed.Work(ctx, b.conn.ID, time.Now().Add(time.Minute))
			if err != nil {
				ended <- err
				return
			}
			time.Sleep(wait)
		}
	}()
	defer func() {
		working := ctx.Err() == nil
		stop()
		if err := <-ended; working && !errors.Is(err, context.Canceled) {
			b.t.Errorf("the feed ended with %v", err)
		}
	}()
	do()
}

// inLake waits until an object of the stream holds the text, and returns how long that took.
func (b *feedBench) inLake(stream, text string, most time.Duration) time.Duration {
	b.t.Helper()
	began, seen := time.Now(), ""
	for time.Since(began) < most {
		for o, err := range b.bucket.List(b.t.Context(), "data/okta/"+stream+"/", seen) {
			b.must(err)
			for line, err := range lake.Lines(b.t.Context(), b.bucket, []string{o.Key}) {
				b.must(err)
				if strings.Contains(string(line.Body), text) {
					return time.Since(began)
				}
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	b.t.Fatalf("%q did not reach %s within %s", text, stream, most)
	return 0
}

// latencies grants roles one after the other and measures each one's way to the lake.
func (b *feedBench) latencies(n int) []time.Duration {
	b.t.Helper()
	var took []time.Duration
	b.meanwhile(func() {
		time.Sleep(30 * time.Second)
		d := rand.New(rand.NewPCG(1, 2))
		for i, user := range b.someUsers(n) {
			time.Sleep(time.Duration(d.IntN(7000)) * time.Millisecond)
			assignment, err := b.org.Grant(user, []string{"READ_ONLY_ADMIN", "SUPER_ADMIN", "REPORT_ADMIN"}[i%3], "")
			if err != nil {
				continue // somebody who has the role
			}
			took = append(took, b.inLake("user_role_assignments", assignment, 3*time.Minute))
		}
	})
	slices.Sort(took)
	return took
}

func TestGrantIsFreshWithinSeconds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hooks bool
		p95   time.Duration
	}{"polling alone": {false, 30 * time.Second}, "with hooks": {true, 5 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				options, late := hooked(emulator.Options{LogLag: time.Second, IndexLag: time.Second, Users: 100})
				b := newFeedBench(t, options)
				defer b.close()
				if c.hooks {
					b.register(late)
				}
				took := b.latencies(fewer(25))
				if len(took) < fewer(15) {
					t.Fatalf("only %d grants were measured", len(took))
				}
				p95 := took[len(took)*95/100]
				t.Logf("%s: median %s, p95 %s, slowest %s", name, took[len(took)/2], p95, took[len(took)-1])
				if p95 >= c.p95 {
					t.Errorf("95 of 100 grants took up to %s to reach the lake, want less than %s", p95, c.p95)
				}
			})
		})
	}
}

// A lake behind hooks that drop, double and shuffle equals the org in the end: the log tells what they do not.
func TestFeedWithBadHooksKeepsTheLakeTrue(t *testing.T) {
	for seed := range uint64(1) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				options, late := hooked(emulator.Options{LogLag: time.Second, IndexLag: time.Second, Seed: seed + 1})
				options.Hooks.Dropped, options.Hooks.Duplicated, options.Hooks.Shuffled, options.Hooks.Late = 300, 200, 1000, 5*time.Second
				b := newFeedBench(t, options)
				defer b.close()
				b.register(late)
				b.follow(10 * time.Second)
				b.meanwhile(func() { b.change(b.org.Workload(seed), fewer(150), 250*time.Millisecond) })
				b.settle()
				b.compare()
				if s := b.org.HookStats(); s.Dropped < fewer(10) || s.Duplicated < fewer(5) || s.Delivered < fewer(20) || s.Failed > 0 {
					t.Errorf("hooks: %+v, want many dropped, many doubled, none refused", s)
				}
			})
		})
	}
}

// change lets the org change n times, with a pause behind each change.
func (b *feedBench) change(work *emulator.Workload, n int, pause time.Duration) {
	b.t.Helper()
	for range n {
		_, err := work.Step()
		b.must(err)
		time.Sleep(pause)
	}
}

// settle follows until even the latest event is in the log.
func (b *feedBench) settle() {
	b.t.Helper()
	for range 4 {
		b.follow(30 * time.Second)
	}
	b.org.Advance(2 * time.Hour) // one event in 100,000 comes an hour late
	b.follow(time.Minute)
}

// A worker that is stopped at any point, again and again, leaves nothing out.
func TestFeedStoppedAnywhereKeepsTheLakeTrue(t *testing.T) {
	for seed := range uint64(1) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newFeedBench(t, emulator.Options{LogLag: time.Second})
				defer b.close()
				b.follow(10 * time.Second)
				d, work, stopped := rand.New(rand.NewPCG(seed, 3)), b.org.Workload(seed), 0
				for range fewer(25) {
					s := &stops{at: 1 + d.IntN(12), bucket: b.bucket, store: b.syncs}
					b.newFeed()
					b.feed.Store = stoppingStore{b.syncs, s}
					b.dest.Bucket = stoppingBucket{b.bucket, s}
					b.change(work, 4, 0)
					_, err := b.feed.Work(t.Context(), b.conn.ID, time.Now().Add(time.Duration(5+d.IntN(30))*time.Second))
					if err != nil && s.hit == "" {
						t.Fatal(err)
					}
					if err != nil {
						stopped++
					}
				}
				b.dest.Bucket = b.bucket
				b.newFeed()
				b.settle()
				b.compare()
				b.eventsOnce()
				if stopped < fewer(10) {
					t.Errorf("stopped %d times, want often", stopped)
				}
			})
		})
	}
}

// eventsOnce holds the lake's events against the ledger: each is there, and once.
func (b *feedBench) eventsOnce() {
	b.t.Helper()
	counts := map[string]int{}
	for o, err := range b.bucket.List(b.t.Context(), "data/okta/logs/", "") {
		b.must(err)
		for line, err := range lake.Lines(b.t.Context(), b.bucket, []string{o.Key}) {
			b.must(err)
			counts[rawjson.GetString(line.Body, "uuid")]++
		}
	}
	missing, doubled := 0, 0
	for event := range b.org.Truth("logs") {
		switch counts[rawjson.GetString(event, "uuid")] {
		case 0:
			missing++
		case 1:
		default:
			doubled++
		}
	}
	if missing > 0 || doubled > 0 {
		b.t.Errorf("%d events are missing in the lake, %d are there more than once", missing, doubled)
	}
}

// A full run beside the feed: what it reads late never hides what the feed brought, and the feed goes on in its
// generation.
func TestFullRunBesideTheFeedKeepsTheLakeTrue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newFeedBench(t, emulator.Options{LogLag: time.Second, IndexLag: 20 * time.Second})
		defer b.close()
		b.follow(10 * time.Second)
		work := b.org.Workload(7)
		runs := fewer(3)
		for range runs {
			b.change(work, 20, 0)
			run := b.startRun()
			if r, err := b.syncs.Run(t.Context(), run); err != nil || slices.ContainsFunc(r.Streams, func(st pipeline.StreamRun) bool { return st.Stream == "logs" }) {
				t.Errorf("a run beside the feed reads the log too: %+v, %v", r.Streams, err)
			}
			b.follow(5 * time.Second)
			b.change(work, 20, 0)
			b.finishRun(run) // search and filter still show what was
			b.change(work, 10, 0)
			b.settle()
			b.compare()
		}
		st, err := b.syncs.Feed(t.Context(), b.conn.ID)
		b.must(err)
		if st.CaughtUp != st.LastRun.ID || st.Stale {
			t.Errorf("the feed has caught up with run %d, stale %t; want %d and not", st.CaughtUp, st.Stale, st.LastRun.ID)
		}
		for _, s := range st.Run.Streams {
			if s.Stream == "users" && s.Generation != int64(1+runs) {
				t.Errorf("the feed writes generation %d of users, want %d", s.Generation, 1+runs)
			}
		}
	})
}

func TestForgedHooksChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFeedBench(t, emulator.Options{})
		defer b.close()
		door := okta.NewHook(b.syncs, hookSecret, slog.New(slog.DiscardHandler))
		event := func(uuid string) string {
			return fmt.Sprintf(`{"uuid":%q,"eventType":"user.account.privilege.grant","client":{"ipChain":[]},"outcome":{"result":"SUCCESS"},"target":[{"id":"00u1","type":"User"}]}`, uuid)
		}
		delivery := func(id string, events ...string) string {
			return fmt.Sprintf(`{"eventType":"com.okta.event_hook","eventId":%q,"data":{"events":[%s]}}`, id, strings.Join(events, ","))
		}
		path := fmt.Sprint(okta.HookPath, b.conn.ID)
		waiting := func() int {
			list, err := b.syncs.Nudges(t.Context(), b.conn.ID, 0, 1000)
			b.must(err)
			return len(list)
		}
		for _, c := range []struct {
			name, method, path, secret, body string
			status, nudges                   int
		}{
			{"without a secret", "POST", path, "", delivery("d1", event("e1")), 401, 0},
			{"a wrong secret", "POST", path, "open sesam", delivery("d1", event("e1")), 401, 0},
			{"the secret and more", "POST", path, hookSecret + " ", delivery("d1", event("e1")), 401, 0},
			{"another connection", "POST", okta.HookPath + "99", hookSecret, delivery("d1", event("e1")), 404, 0},
			{"no connection", "POST", okta.HookPath + "x/../1", hookSecret, delivery("d1", event("e1")), 404, 0},
			{"no JSON", "POST", path, hookSecret, "hello", 400, 0},
			{"no events", "POST", path, hookSecret, `{"data":{}}`, 400, 0},
			{"events that are none", "POST", path, hookSecret, `{"data":{"events":[1]}}`, 400, 0},
			{"too large", "POST", path, hookSecret, delivery("d1", `{"uuid":"`+strings.Repeat("x", 1<<20)+`"}`), 400, 0},
			{"another method", "DELETE", path, hookSecret, "", 405, 0},
			{"as it should be", "POST", path, hookSecret, delivery("d1", event("e1"), event("e2")), 204, 2},
			{"the same delivery", "POST", path, hookSecret, delivery("d1", event("e3")), 204, 2},
			{"an event again in another delivery", "POST", path, hookSecret, delivery("d2", event("e2"), event("e4")), 204, 3},
			{"in the log's shape, without ids", "POST", path, hookSecret, `{"data":{"events":[{"eventType":"user.account.lock","request":{"ipChain":[]},"target":null}]}}`, 204, 4},
		} {
			r := httptest.NewRequestWithContext(t.Context(), c.method, "https://longshore.example/", strings.NewReader(c.body))
			r.URL.Path = c.path
			if c.secret != "" {
				r.Header.Set("Authorization", c.secret)
			}
			w := httptest.NewRecorder()
			door.ServeHTTP(w, r)
			if got := waiting(); w.Code != c.status || got != c.nudges {
				t.Errorf("%s: status %d and %d nudges, want %d and %d", c.name, w.Code, got, c.status, c.nudges)
			}
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://longshore.example"+path, nil)
		r.Header.Set("X-Okta-Verification-Challenge", `a"b`)
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		var answer struct{ Verification string }
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Verification != `a"b` {
			t.Errorf("the challenge is answered with %s, %v", w.Body, err)
		}
	})
}

// stops fails at the n-th step of bucket and store, before it or after it: the process was killed there.
type stops struct {
	at, n  int
	hit    string
	bucket lake.Bucket
	store  pipeline.FeedStore
}

func (s *stops) step(name string) error {
	if s.n++; s.n == s.at {
		s.hit = name
		return fault.Errorf(fault.Internal, "stopped here by the test: %s", name)
	}
	return nil
}

type stoppingBucket struct {
	lake.Bucket
	*stops
}

func (b stoppingBucket) Put(ctx context.Context, key string, body io.ReadSeeker, n int64, opts lake.PutOptions) (lake.Object, error) {
	if err := b.step("before the put"); err != nil {
		return lake.Object{}, err
	}
	o, err := b.Bucket.Put(ctx, key, body, n, opts)
	if err == nil {
		err = b.step("after the put")
	}
	return o, err
}

type stoppingStore struct {
	pipeline.FeedStore
	*stops
}

func (s stoppingStore) SaveCommit(ctx context.Context, part pipeline.Part, c pipeline.Commit) error {
	if err := s.step("before the commit"); err != nil {
		return err
	}
	if err := s.FeedStore.SaveCommit(ctx, part, c); err != nil {
		return err
	}
	return s.step("after the commit")
}

func (s stoppingStore) SaveFeed(ctx context.Context, id int64, m pipeline.FeedMark) error {
	if err := s.step("before the mark"); err != nil {
		return err
	}
	return s.FeedStore.SaveFeed(ctx, id, m)
}
