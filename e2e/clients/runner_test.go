//go:build clients

package clients

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"longshore/internal/airbyte"
	"longshore/internal/airbyte/runner"
	"longshore/internal/lake"
	"longshore/internal/lake/s3"
	"longshore/internal/lake/s3server"
)

// keeper keeps what a run gives to be kept.
type keeper struct {
	sync.Mutex
	t      *testing.T
	states runner.States
}

func (k *keeper) State(_ context.Context, s runner.State) error {
	k.Lock()
	defer k.Unlock()
	k.states = k.states.With(s)
	return nil
}

func (k *keeper) Reconfigured(context.Context, runner.Role, json.RawMessage) error { return nil }
func (k *keeper) Log(l runner.Line)                                                { k.t.Logf("%s: %.300s", l.Role, l.Text) }
func (k *keeper) Progress([]runner.Count)                                          {}

// TestAirbytesFakerUnderTheRunner moves the records of a connector that is not ours to the lake: what it counts, the lake
// holds, and from its states the next run reads nothing twice.
func TestAirbytesFakerUnderTheRunner(t *testing.T) {
	faker := airbyteFaker.install(t)
	dir := t.TempDir()
	stdout := os.Stdout
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	os.Stdout = null // the server greets
	server, err := s3server.Start(t.Context(), s3server.Config{Dir: filepath.Join(dir, "lake"), Listen: "127.0.0.1:0", AccessKey: "outside", SecretKey: "outside-secret", Bucket: "lake"})
	os.Stdout = stdout
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop(context.Background()) })
	bucket, err := s3.Open(t.Context(), s3.Config{Endpoint: server.URL(), Region: "us-east-1", Bucket: "lake", AccessKey: "outside", SecretKey: "outside-secret", PathStyle: true})
	if err != nil {
		t.Fatal(err)
	}
	r := &runner.Runner{Folder: filepath.Join(dir, "runs"), Path: os.Getenv("PATH")}
	source := runner.Side{Command: runner.Command{Args: []string{faker}}, Config: json.RawMessage(`{"count":1200,"seed":7,"parallelism":2,"always_updated":false}`)}
	destination := runner.Side{Command: runner.Command{Args: []string{binary, "destination-s3"}}, Config: json.RawMessage(fmt.Sprintf(`{"s3_bucket_name":"lake","s3_bucket_path":"data/",
		"s3_bucket_region":"us-east-1","s3_endpoint":%q,"access_key_id":"outside","secret_access_key":"outside-secret","format":{"format_type":"JSONL"}}`, server.URL()))}
	if _, err := r.Specification(t.Context(), source.Command); err != nil {
		t.Fatal(err)
	}
	if answer, err := r.Check(t.Context(), source); err != nil || !answer.OK {
		t.Fatalf("check: %v: %s", err, answer.Message)
	}
	offered, _, err := r.Discover(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	var streams []runner.Stream
	for _, definition := range offered {
		streams = append(streams, runner.Stream{Definition: definition, Mode: airbyte.Incremental, DestinationMode: runner.Append, CursorField: []string{"updated_at"}, Generation: 1})
	}
	sink := &keeper{t: t}
	job := runner.Job{
		ID: 1, ConnectionID: "11111111-1111-4111-8111-111111111111", Source: &source, Destination: destination, Streams: streams,
		Namespace: func(string) string { return "faker" }, Prefix: "f_",
	}
	first, err := r.Run(t.Context(), job, sink)
	if err != nil {
		t.Fatal(err)
	}
	lines := linesBelow(t, bucket)
	for _, c := range first.Streams {
		if c.Records == 0 || c.Committed != c.Records || lines["f_"+c.Stream.Name] != c.Records {
			t.Errorf("%s: %d records, %d committed, %d lines in the lake", c.Stream.Name, c.Records, c.Committed, lines["f_"+c.Stream.Name])
		}
	}
	job.ID, job.States = 2, sink.states
	second, err := r.Run(t.Context(), job, sink)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range second.Streams {
		if c.Records != 0 {
			t.Errorf("%s: %d records again, from the states %s", c.Stream.Name, c.Records, sink.states)
		}
	}
}

// linesBelow counts the records of the lake by stream.
func linesBelow(t *testing.T, bucket lake.Bucket) map[string]int64 {
	t.Helper()
	locator := lake.Layout{BucketPath: "data/"}.Locator()
	n := map[string]int64{}
	for o, err := range bucket.List(t.Context(), "data/", "") {
		if err != nil {
			t.Fatal(err)
		}
		at, ok := locator.Locate(o.Key)
		if !ok || at.Namespace != "faker" {
			t.Errorf("the object %s has no place", o.Key)
		}
		for line, err := range lake.Lines(t.Context(), bucket, []string{o.Key}) {
			if err != nil || line.Err != nil {
				t.Fatal(err, line.Err)
			}
			n[at.Stream]++
		}
	}
	return n
}
