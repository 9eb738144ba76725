package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"longshore/internal/fault"
	"longshore/internal/job"
	"longshore/internal/pipeline"
	"longshore/internal/source/okta/emulator"
	"longshore/internal/store"
)

// shelf is configured actors, by their id.
type shelf map[string]configuredActor

func (s shelf) actor(_ context.Context, id string) (configuredActor, error) {
	if a, ok := s[id]; ok {
		return a, nil
	}
	return configuredActor{}, fault.Errorf(fault.NotFound, "there is no actor %s", id)
}

func (s shelf) reconfigure(context.Context, string, json.RawMessage) error { return nil }

// Two connections with sources and path formats of their own run in one process, beside one whose source is of another
// connector: that one has failed, and says why.
func TestConnectionsWithSourcesOfTheirOwn(t *testing.T) {
	ctx := t.Context()
	a, err := openApp(ctx, config{data: t.TempDir(), s3Listen: "127.0.0.1:0"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := a.openSource(); err != nil {
		t.Fatal(err)
	}
	configured := shelf{"foreign": {id: "foreign", name: "foreign", definition: "other"}}
	for i, users := range []int{40, 60} {
		server := httptest.NewUnstartedServer(nil)
		org := emulator.New(emulator.Options{BaseURL: "http://" + server.Listener.Addr().String(), Users: users})
		server.Config.Handler = org
		server.Start()
		t.Cleanup(func() { server.Close(); org.Close() })
		id := fmt.Sprint("org", i)
		configured[id] = configuredActor{id: id, name: id, definition: oktaDefinition, config: fmt.Appendf(nil,
			`{"domain":%q,"credentials":{"auth_type":"api_token","api_token":%q}}`, server.URL, emulator.DefaultToken)}
		to := fmt.Sprint("to", i)
		configured[to] = configuredActor{id: to, name: to, definition: s3Definition, config: fmt.Appendf(nil,
			`{"s3_bucket_name":%q,"s3_bucket_path":"deep%d","s3_bucket_region":"us-east-1","format":{"format_type":"JSONL"},"s3_path_format":"${NAMESPACE}/${STREAM_NAME}/${EPOCH}_"}`,
			a.bucket.Name(), i)}
	}
	w := &worker{app: a, say: &sayer{w: io.Discard, pages: map[string][2]int64{}, ended: map[string]bool{}}, actors: configured}
	var ids []int64
	for i, source := range []string{"org0", "org1", "foreign"} {
		conn, err := a.syncs.PutConnection(ctx, pipeline.Connection{
			Name: source, SourceID: source, DestinationID: fmt.Sprint("to", min(i, 1)), NamespaceFormat: source,
			Streams: []pipeline.StreamChoice{{Name: "users", SyncMode: pipeline.FullRefreshOverwrite}, {Name: "long_gone"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		id, err := w.start(ctx, store.Start{Connection: conn, Cause: causeAPI})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	limit, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	if err := w.with(limit, job.Handlers{Sync: w.sync}, func(ctx context.Context) error {
		for _, id := range ids {
			if err := w.awaitRun(ctx, id); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"succeeded 40 ", "succeeded 60 ", "failed 0 the source \"foreign\" is of the connector other"} {
		run, err := a.syncs.Run(ctx, ids[i])
		if err != nil {
			t.Fatal(err)
		}
		rows, _ := run.Rows()
		if got := fmt.Sprintf("%s %d %s", run.Status, rows, run.Error); len(got) < len(want) || got[:len(want)] != want {
			t.Errorf("run of %s: %s, want %s", run.Connection.Name, got, want)
		}
	}
	for i, source := range []string{"org0", "org1"} {
		found := 0
		for o, err := range a.bucket.List(ctx, fmt.Sprintf("deep%d/%s/users/", i, source), "") {
			if err != nil {
				t.Fatal(err)
			}
			if o.Bytes > 0 {
				found++
			}
		}
		if found == 0 {
			t.Errorf("nothing lies under the path of %s", source)
		}
	}
}
