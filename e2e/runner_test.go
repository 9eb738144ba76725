//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"longshore/internal/airbyte"
	"longshore/internal/airbyte/runner"
	"longshore/internal/lake"
	"longshore/internal/lake/s3"
	"longshore/internal/source/okta/emulator"
)

// kept is what a run gives to be kept.
type kept struct {
	sync.Mutex
	states runner.States
	log    []string
}

func (k *kept) State(_ context.Context, s runner.State) error {
	k.Lock()
	defer k.Unlock()
	k.states = k.states.With(s)
	return nil
}

func (k *kept) Reconfigured(_ context.Context, role runner.Role, _ json.RawMessage) error {
	return fmt.Errorf("the %s wants another configuration", role)
}

func (k *kept) Log(l runner.Line) {
	k.Lock()
	defer k.Unlock()
	k.log = append(k.log, string(l.Role)+": "+l.Text)
}

func (k *kept) Progress([]runner.Count) {}

// TestProcessesWriteTheSameLake reads one org twice: by the way built in, and by our two connectors as processes of their
// own under the runner. Apart from ids and times the lake is the same, byte for byte.
func TestProcessesWriteTheSameLake(t *testing.T) {
	org := emulator.New(emulator.Options{Users: 300, Days: 5})
	t.Cleanup(org.Close)
	site := httptest.NewServer(org)
	t.Cleanup(site.Close)
	env := outsideLake(t)
	f := newFolder(t)
	cmd, out, errs := f.command(t.Context(), "up", "--once")
	cmd.Env = append(append(cmd.Env, env...), "OKTA_CLIENT_ORGURL="+site.URL, "OKTA_CLIENT_TOKEN="+emulator.DefaultToken)
	if err := cmd.Run(); err != nil {
		t.Fatalf("up --once: %v\n%s%s", err, out, errs)
	}

	at := map[string]string{}
	for _, variable := range env {
		name, value, _ := strings.Cut(variable, "=")
		at[name] = value
	}
	bucket, err := s3.Open(t.Context(), s3.Config{
		Endpoint: at["LONGSHORE_S3_ENDPOINT"], Region: "us-east-1", Bucket: at["LONGSHORE_S3_BUCKET"],
		AccessKey: at["AWS_ACCESS_KEY_ID"], SecretKey: at["AWS_SECRET_ACCESS_KEY"], PathStyle: true,
	})
	must(t, err)
	want := lakeText(t, bucket, "data/")
	if len(want) < 9 || want["data/okta/users/year=Y/month=M/T_0.jsonl.gz"] == "" {
		t.Fatalf("up --once left %d objects: %v", len(want), keysOf(want))
	}

	r := &runner.Runner{Folder: filepath.Join(t.TempDir(), "runs"), Path: os.Getenv("PATH")}
	config, err := json.Marshal(map[string]any{
		"domain": site.URL, "credentials": map[string]string{"auth_type": "api_token", "api_token": emulator.DefaultToken},
	})
	must(t, err)
	source := runner.Side{Command: runner.Command{Args: []string{binary, "source-okta"}}, Config: config}
	into, err := json.Marshal(map[string]any{
		"s3_bucket_name": at["LONGSHORE_S3_BUCKET"], "s3_bucket_path": "processes/", "s3_bucket_region": "us-east-1", "s3_endpoint": at["LONGSHORE_S3_ENDPOINT"],
		"access_key_id": at["AWS_ACCESS_KEY_ID"], "secret_access_key": at["AWS_SECRET_ACCESS_KEY"], "s3_path_format": lake.GuideFormat,
		"format": map[string]any{"format_type": "JSONL", "compression": map[string]string{"compression_type": "GZIP"}},
	})
	must(t, err)
	destination := runner.Side{Command: runner.Command{Args: []string{binary, "destination-s3"}}, Config: into}
	for _, side := range []runner.Side{source, destination} {
		answer, err := r.Check(t.Context(), side)
		if err != nil || !answer.OK {
			t.Fatalf("check of %s: %v: %s", side.Command, err, answer.Message)
		}
	}
	offered, _, err := r.Discover(t.Context(), source)
	must(t, err)
	var streams []runner.Stream
	for _, definition := range offered {
		st := runner.Stream{Definition: definition, Mode: airbyte.FullRefresh, DestinationMode: runner.Append, Generation: 1}
		if name := st.Descriptor().Name; slices.ContainsFunc(keysOf(want), func(key string) bool { return strings.HasPrefix(key, "data/okta/"+name+"/") }) {
			if name == "logs" {
				st.Mode = airbyte.Incremental
			}
			streams = append(streams, st)
		}
	}
	sink := &kept{}
	outcome, err := r.Run(t.Context(), runner.Job{
		ID: 1, ConnectionID: "11111111-1111-4111-8111-111111111111", Source: &source, Destination: destination, Streams: streams,
		Namespace: func(string) string { return "okta" },
	}, sink)
	if err != nil {
		t.Fatalf("the run failed: %v\n%s", err, strings.Join(sink.log, "\n"))
	}
	got := lakeText(t, bucket, "processes/")
	for key, text := range want {
		ours := strings.Replace(key, "data/", "processes/", 1)
		if got[ours] != text {
			t.Errorf("%s: %s", ours, firstDifference(got[ours], text))
		}
		delete(got, ours)
	}
	for key := range got {
		t.Errorf("%s is there besides", key)
	}
	if len(sink.states) != len(streams) {
		t.Errorf("%d states were kept for %d streams", len(sink.states), len(streams))
	}
	if outcome.Committed() == 0 {
		t.Error("no record counts as committed")
	}
}

var (
	keyTimes  = regexp.MustCompile(`year=\d+/month=\d+/\d+_\d+_`)
	lineTimes = regexp.MustCompile(`^\{"_airbyte_raw_id":"[^"]*","_airbyte_extracted_at":\d+,"_airbyte_meta":\{"sync_id":\d+,"changes":\[\]\},"_airbyte_generation_id":\d+,`)
)

// lakeText is what lies below a prefix, unpacked, with ids and times left out of keys and lines.
func lakeText(t *testing.T, bucket lake.Bucket, prefix string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for o, err := range bucket.List(t.Context(), prefix, "") {
		must(t, err)
		body, _, err := bucket.Get(t.Context(), o.Key)
		must(t, err)
		lines, err := lake.OpenReader(body, lake.ReaderOptions{})
		must(t, err)
		var text bytes.Buffer
		for {
			line, err := lines.Next()
			if err != nil {
				break
			}
			head := lineTimes.Find(line.Text)
			if head == nil {
				t.Fatalf("%s, line %d is not in the writer's form: %.300s", o.Key, line.Number, line.Text)
			}
			text.Write(append(line.Text[len(head):], '\n'))
		}
		must(t, body.Close())
		all[keyTimes.ReplaceAllString(o.Key, "year=Y/month=M/T_")] = text.String()
	}
	return all
}

func keysOf(texts map[string]string) (keys []string) {
	for key := range texts {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// firstDifference tells where two texts part.
func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d of %d is\n%.400s\nwant\n%.400s", i+1, len(a), a[i], b[i])
		}
	}
	return fmt.Sprintf("it has %d lines, want %d", len(a), len(b))
}
