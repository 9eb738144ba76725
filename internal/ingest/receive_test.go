package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"longshore/internal/fault"
	"longshore/internal/lake"
)

// memory is a CallStore of one webhook.
type memory struct {
	hook  Webhook
	mu    sync.Mutex
	found []Object
}

func (m *memory) WebhookByKey(_ context.Context, key string) (Webhook, error) {
	if key != m.hook.Key {
		return Webhook{}, fault.Errorf(fault.NotFound, "no webhook %q", key)
	}
	return m.hook, nil
}

func (m *memory) TopGeneration(context.Context, Webhook) (int64, error) { return 4, nil }

func (m *memory) Found(_ context.Context, found []Object) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.found = append(m.found, found...)
	return len(found), nil
}

func (m *memory) List(context.Context, ObjectFilter, int) ([]Object, error) { return m.found, nil }

// gate is a bucket whose puts wait until it opens.
type gate struct {
	lake.Bucket
	open chan struct{}
}

func (g gate) Put(ctx context.Context, key string, body io.ReadSeeker, n int64, o lake.PutOptions) (lake.Object, error) {
	select {
	case <-g.open:
		return g.Bucket.Put(ctx, key, body, n, o)
	case <-ctx.Done():
		return lake.Object{}, fault.Errorf(fault.Unavailable, "put: %w", ctx.Err())
	}
}

func folder(t testing.TB) lake.Bucket {
	t.Helper()
	f, err := lake.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestReceiveBoundsTheCallsOnTheirWay(t *testing.T) {
	bucket := folder(t)
	synctest.Test(t, func(t *testing.T) {
		m := &memory{hook: Webhook{Key: "k", Identifier: "hook", Enabled: true}}
		g := gate{bucket, make(chan struct{})}
		r := NewReceiver(m, g, lake.GuideLayout(), time.Now, slog.New(slog.DiscardHandler))
		var all sync.WaitGroup
		for range maxReceiving {
			all.Go(func() {
				if _, err := r.Receive(t.Context(), "k", Call{Body: []byte(`{}`)}); err != nil {
					t.Errorf("a call within the bound: %v", err)
				}
			})
		}
		synctest.Wait()
		start := time.Now()
		_, err := r.Receive(t.Context(), "k", Call{Body: []byte(`{}`)})
		if !fault.Is(err, fault.Unavailable) || time.Since(start) != receiveWait {
			t.Errorf("one call too many: %v after %s, want unavailable after %s", err, time.Since(start), receiveWait)
		}
		close(g.open)
		all.Wait()
		if len(m.found) != maxReceiving {
			t.Errorf("%d calls queued, want %d", len(m.found), maxReceiving)
		}
	})
}

func TestABucketThatHangsIsGivenUp(t *testing.T) {
	bucket := folder(t)
	synctest.Test(t, func(t *testing.T) {
		m := &memory{hook: Webhook{Key: "k", Enabled: true}}
		r := NewReceiver(m, gate{bucket, make(chan struct{})}, lake.GuideLayout(), time.Now, nil)
		start := time.Now()
		_, err := r.Receive(t.Context(), "k", Call{Body: []byte(`{}`)})
		if !fault.Is(err, fault.Unavailable) || time.Since(start) != receiveTimeout {
			t.Errorf("%v after %s, want unavailable after %s", err, time.Since(start), receiveTimeout)
		}
		if len(m.found) != 0 {
			t.Errorf("queued %v though the lake has nothing", m.found)
		}
	})
}

func TestARequestIdentifierThatFailsLosesNoCall(t *testing.T) {
	for _, path := range []string{".body.id | error", "{{ nonsense", ".nothing", "empty", ".body.id | tonumber"} {
		m := &memory{hook: Webhook{Key: "k", Identifier: "hook", Enabled: true, Security: Security{RequestIdentifierPath: path}}}
		r := NewReceiver(m, folder(t), lake.GuideLayout(), time.Now, nil)
		for range 2 {
			taken, err := r.Receive(t.Context(), "k", Call{Body: []byte(`{"id": "x"}`)})
			if err != nil || taken.Dropped != "" {
				t.Errorf("path %q: %+v, %v; want the call kept", path, taken, err)
			}
		}
		if len(m.found) != 2 {
			t.Errorf("path %q: %d calls queued, want 2", path, len(m.found))
		}
	}
}

func TestTheSameRequestAtTwoWebhooksIsTwoEvents(t *testing.T) {
	if a, b := eventIDOf("k1", "r"), eventIDOf("k2", "r"); a == b {
		t.Errorf("both are %s", a)
	}
	if a, b := eventIDOf("k1", "r"), eventIDOf("k1", "r"); a != b {
		t.Errorf("the same request is %s and %s", a, b)
	}
}

// What lies in the lake is found again under the webhook's key, whatever the layout.
func TestCallsAreFoundByTheLocator(t *testing.T) {
	for _, layout := range []lake.Layout{lake.GuideLayout(), {}, {BucketPath: "x/y", PathFormat: "${STREAM_NAME}/${NAMESPACE}/${UUID}/"}} {
		m := &memory{hook: Webhook{Key: "aB3-_xYz01234567", Enabled: true}}
		r := NewReceiver(m, folder(t), layout, time.Now, nil)
		if _, err := r.Receive(t.Context(), m.hook.Key, Call{Body: []byte(`[1]`)}); err != nil {
			t.Fatal(err)
		}
		key := m.found[0].Key
		at, ok := layout.Parse(key)
		if _, ignored := lake.Ignore(key); !ok || ignored || at.Namespace != m.hook.Key || at.Stream != EventStream {
			t.Errorf("%s: found %+v, %t; ignored %t", key, at, ok, ignored)
		}
	}
}

// FuzzReceive gives a webhook any body: it is refused as no JSON, or lies in the lake as one line that says the same, and is
// the latest event.
func FuzzReceive(f *testing.F) {
	for _, body := range []string{`{}`, "{\"a\":\n 1.0}", `[1,"\u2028"]`, "\"\xff\"", `nul`, "", "\xef\xbb\xbf{}", `{"a":1}{"b":2}`, `"\ud800"`, "1e999", "  null\r\n"} {
		f.Add([]byte(body), "x-a", "v")
	}
	bucket := folder(f)
	f.Fuzz(func(t *testing.T, body []byte, name, value string) {
		m := &memory{hook: Webhook{Key: "k", Identifier: "hook", Enabled: true}}
		r := NewReceiver(m, bucket, lake.GuideLayout(), time.Now, nil)
		_, err := r.Receive(t.Context(), "k", Call{Body: body, Headers: map[string]string{name: value}, Query: map[string]string{name: value}})
		if err != nil {
			if !fault.Is(err, fault.Invalid) || json.Valid(body) && utf8.Valid(body) && utf8.ValidString(name+value) {
				t.Errorf("%q: %v", body, err)
			}
			return
		}
		latest, err := r.Latest(t.Context(), m.hook, "")
		if err != nil {
			t.Fatalf("%q was taken and is not the latest event: %v", body, err)
		}
		var sent, kept any
		if json.Unmarshal(body, &sent) != nil || json.Unmarshal(latest.Event.Body, &kept) != nil || !reflect.DeepEqual(sent, kept) {
			if !bytes.Contains(body, []byte("e")) { // a number beyond a double's range is kept and cannot be decoded here
				t.Errorf("%q was kept as %q", body, latest.Event.Body)
			}
		}
	})
}

func FuzzSignature(f *testing.F) {
	f.Add([]byte(`{}`), "sha256=00", "sha256=", "sha256")
	f.Add([]byte(``), "", "", "plain")
	f.Fuzz(func(t *testing.T, body []byte, sent, prefix, algorithm string) {
		s := Security{Secret: "a secret that no fuzzer finds", SignatureHeaderName: "X-Sig", SignaturePrefix: prefix, SignatureAlgorithm: algorithm}
		err := s.check(Call{Body: body, Headers: map[string]string{"x-sig": sent}})
		if (err == nil) != (algorithm == "") {
			t.Errorf("algorithm %q, header %q: %v", algorithm, sent, err)
		}
	})
}
