package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"longshore/internal/airbyte"
	"longshore/internal/fault"
	"longshore/internal/lake"
)

// pretendS3 is as much of an S3 endpoint as a destination asks for, over a folder: one bucket, called b, in the path. The
// held-th request is carried out and never answered.
type pretendS3 struct {
	t      *testing.T
	bucket lake.Bucket

	mu   sync.Mutex
	seen int
	hold int
	held chan string // told what the held request was
	free chan struct{}
}

func newPretendS3(t *testing.T) (*pretendS3, string) {
	bucket, err := lake.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &pretendS3{t: t, bucket: bucket, held: make(chan string, 1), free: make(chan struct{})}
	server := httptest.NewServer(s)
	t.Cleanup(func() { close(s.free); server.Close() })
	return s, server.URL
}

func (s *pretendS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := httptest.NewRecorder()
	s.serve(answer, r)
	s.mu.Lock()
	s.seen++
	hold := s.seen == s.hold
	s.mu.Unlock()
	if hold {
		s.held <- r.Method + " " + r.URL.Path
		<-s.free
		return
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

func (s *pretendS3) serve(w http.ResponseWriter, r *http.Request) {
	key := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/b"), "/")
	metadata := map[string]string{}
	for name, values := range r.Header {
		if name, ours := strings.CutPrefix(strings.ToLower(name), "x-amz-meta-"); ours {
			metadata[name] = values[0]
		}
	}
	var o lake.Object
	var err error
	switch {
	case r.URL.Query().Has("list-type"):
		s.list(w, r)
		return
	case r.Method == http.MethodPut:
		body, _ := io.ReadAll(r.Body)
		o, err = s.bucket.Put(r.Context(), key, bytes.NewReader(body), int64(len(body)), lake.PutOptions{IfAbsent: r.Header.Get("If-None-Match") == "*", Metadata: metadata})
	case r.Method == http.MethodDelete:
		err = s.bucket.Delete(r.Context(), key)
	case r.Method == http.MethodGet:
		var body io.ReadCloser
		if body, o, err = s.bucket.Get(r.Context(), key); err == nil {
			defer func() { _, _ = io.Copy(w, body); body.Close() }()
		}
	default:
		o, err = s.bucket.Head(r.Context(), key)
	}
	for name, value := range o.Metadata {
		w.Header().Set("x-amz-meta-"+name, value)
	}
	w.Header().Set("ETag", strconv.Quote(o.ETag))
	switch {
	case fault.Is(err, fault.NotFound):
		w.WriteHeader(http.StatusNotFound)
	case fault.Is(err, fault.Conflict):
		w.WriteHeader(http.StatusPreconditionFailed)
	case err != nil:
		s.t.Errorf("%s %s: %v", r.Method, r.URL, err)
		w.WriteHeader(http.StatusInternalServerError)
	}
}

func (s *pretendS3) list(w http.ResponseWriter, r *http.Request) {
	type entry struct {
		Key, LastModified, ETag string
		Size                    int64
	}
	var answer struct {
		XMLName  xml.Name `xml:"ListBucketResult"`
		Contents []entry
	}
	for o, err := range s.bucket.List(r.Context(), r.URL.Query().Get("prefix"), r.URL.Query().Get("start-after")) {
		if err != nil {
			s.t.Error(err)
		}
		answer.Contents = append(answer.Contents, entry{o.Key, o.Modified.UTC().Format("2006-01-02T15:04:05.000Z"), o.ETag, o.Bytes})
	}
	_ = xml.NewEncoder(w).Encode(answer)
}

// records are the records of each stream in the bucket.
func (s *pretendS3) records() map[string]map[string]bool {
	s.t.Helper()
	all := map[string]map[string]bool{}
	for o, err := range s.bucket.List(s.t.Context(), "", "") {
		if err != nil {
			s.t.Fatal(err)
		}
		at, ok := lake.GuideLayout().Parse(o.Key)
		if !ok {
			s.t.Fatalf("the key %s is none of the layout", o.Key)
		}
		body, _, err := s.bucket.Get(s.t.Context(), o.Key)
		if err != nil {
			s.t.Fatal(err)
		}
		text, err := io.ReadAll(body)
		body.Close()
		if err != nil {
			s.t.Fatal(err)
		}
		if all[at.Stream] == nil {
			all[at.Stream] = map[string]bool{}
		}
		for line := range strings.Lines(string(text)) {
			all[at.Stream][line[strings.Index(line, `"_airbyte_data":`):]] = true
		}
	}
	return all
}

// destinationFiles are the configuration and the catalog of two streams.
func destinationFiles(t *testing.T, url string) (config, catalog string) {
	dir := t.TempDir()
	config, catalog = filepath.Join(dir, "config.json"), filepath.Join(dir, "catalog.json")
	for path, text := range map[string]string{
		config: fmt.Sprintf(`{"access_key_id":"a","secret_access_key":"s3cr3t","s3_bucket_name":"b","s3_bucket_path":"data/","s3_bucket_region":"","s3_endpoint":%q,
"s3_path_format":%q,"format":{"format_type":"JSONL","compression":{"compression_type":"No Compression"}}}`, url, lake.GuideFormat),
		catalog: `{"streams":[{"stream":{"name":"users","namespace":"okta"},"destination_sync_mode":"overwrite","generation_id":7,"minimum_generation_id":7,"sync_id":4},
{"stream":{"name":"logs","namespace":"okta"},"destination_sync_mode":"append","generation_id":0,"minimum_generation_id":0,"sync_id":4}]}`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return config, catalog
}

const destinationRecords = 50 // of each stream

// destinationInput is a run of both streams but for those that are done.
func destinationInput(done map[string]bool) string {
	var b strings.Builder
	for _, stream := range []string{"users", "logs"} {
		if !done[stream] {
			for i := range destinationRecords {
				fmt.Fprintf(&b, `{"type":"RECORD","record":{"stream":%q,"namespace":"okta","data":{"n":%d},"emitted_at":1741338302034}}`+"\n", stream, i)
			}
			fmt.Fprintf(&b, `{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":%q,"namespace":"okta"},"stream_state":{"done":true}}}}`+"\n", stream)
		}
	}
	for _, stream := range []string{"users", "logs"} {
		fmt.Fprintf(&b, `{"type":"TRACE","trace":{"type":"STREAM_STATUS","emitted_at":1.0,"stream_status":{"stream_descriptor":{"name":%q,"namespace":"okta"},"status":"COMPLETE"}}}`+"\n", stream)
	}
	return b.String()
}

// statesOf are the streams whose state came back.
func statesOf(t *testing.T, output []byte) map[string]bool {
	t.Helper()
	states := map[string]bool{}
	for line := range bytes.Lines(output) {
		m, ok := airbyte.ParseMessage(line)
		if !ok && bytes.HasSuffix(line, []byte("\n")) {
			t.Fatalf("the output has the line %q", line)
		}
		if s, err := m.State(); ok && m.Type == "STATE" && err == nil {
			states[s.Stream.Name] = true
		}
	}
	return states
}

// A process that is killed at any of its requests, each carried out and not answered, has told no state whose records are
// not in the bucket; a run of what has no state makes the bucket whole, and only a whole run deletes older generations.
func TestDestinationS3KilledAnywhereLosesNothing(t *testing.T) {
	puts := 0
	for at := 1; ; at++ {
		s, url := newPretendS3(t)
		const old = "data/okta/users/year=2024/month=01/01_1704067200000_0.jsonl"
		if _, err := s.bucket.Put(t.Context(), old, strings.NewReader(`{"_airbyte_data":{"old":1}}`+"\n"), 28, lake.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		config, catalog := destinationFiles(t, url)
		s.hold = at
		var out, errs bytes.Buffer
		cmd := exec.CommandContext(t.Context(), "longshore", "destination-s3", "write", "--config", config, "--catalog", catalog)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(destinationInput(nil)), &out, &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case what := <-s.held:
			if strings.HasPrefix(what, "PUT") {
				puts++
			}
			_ = cmd.Process.Kill()
			<-ended
			told, there := statesOf(t, out.Bytes()), s.records()
			for stream := range told {
				if len(there[stream]) < destinationRecords {
					t.Errorf("killed at request %d, %s: the state of %s was told, and %d records are there", at, what, stream, len(there[stream]))
				}
			}
			if strings.HasPrefix(what, "PUT") && len(told) > 0 {
				t.Errorf("killed at request %d, %s: states %v were told before the store had answered", at, what, told)
			}
			s.mu.Lock()
			s.hold = 0
			s.mu.Unlock()
			out.Reset()
			if code := run(t.Context(), []string{"destination-s3", "write", "--config", config, "--catalog", catalog}, strings.NewReader(destinationInput(told)), &out, &errs); code != 0 {
				t.Fatalf("killed at request %d, then run again: exit %d: %s%s", at, code, out.String(), errs.String())
			}
			for stream := range statesOf(t, out.Bytes()) {
				told[stream] = true
			}
			there = s.records()
			if len(told) != 2 || len(there["users"]) != destinationRecords || len(there["logs"]) != destinationRecords {
				t.Errorf("killed at request %d, %s, then run again: states %v, %d users, %d logs; want %d of each", at, what, told, len(there["users"]), len(there["logs"]), destinationRecords)
			}
			if _, err := s.bucket.Head(t.Context(), old); !fault.Is(err, fault.NotFound) {
				t.Errorf("killed at request %d, then run again: the older generation is there: %v", at, err)
			}
		case err := <-ended:
			if err != nil || len(statesOf(t, out.Bytes())) != 2 || puts < 2 || at < 8 {
				t.Errorf("undisturbed, after %d requests with %d puts: %v, %s%s", at-1, puts, err, out.String(), errs.String())
			}
			return
		}
	}
}

func TestDestinationS3TellsItsMistakes(t *testing.T) {
	_, url := newPretendS3(t)
	config, catalog := destinationFiles(t, url)
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"spec", exitOK, `"supported_destination_sync_modes":["overwrite","append"]`},
		{"check --config=" + config, exitOK, `"status":"SUCCEEDED"`},
		{"check --config " + catalog, exitOK, `"FAILED","message":"the configuration has no s3_bucket_name"`},
		{"check --config missing.json", exitFailed, `"failure_type":"config_error"`},
		{"write --config " + catalog + " --catalog " + catalog, exitFailed, `the configuration has no s3_bucket_name`},
		{"write --config " + config + " --catalog " + config, exitFailed, `no configured catalog`},
		{"write --config " + config + " --catalog " + catalog, exitFailed, `did not receive a terminal status: \"okta.users\", \"okta.logs\"`},
		{"write --config " + config, exitUsage, "destination-s3 write needs --catalog FILE"},
		{"read", exitUsage, `destination-s3 has no command "read": there are spec, check and write`},
	} {
		var out bytes.Buffer
		code := run(t.Context(), append([]string{"destination-s3"}, strings.Fields(c.args)...), strings.NewReader(""), &out, &out)
		if code != c.code || !strings.Contains(out.String(), c.says) || strings.Contains(out.String(), "s3cr3t") {
			t.Errorf("destination-s3 %s: exit %d, want %d and %q: %s", c.args, code, c.code, c.says, out.String())
		}
	}
}

// What our source reads of an org lies in the bucket behind our destination: the same records, byte for byte and in their
// order, and every state comes back.
func TestSourceOktaIntoDestinationS3(t *testing.T) {
	org := pagedOrg(t)
	streams := []string{"users", "groups", "group_members", "logs"}
	_, read := org.run(0, "read", "--config", org.config, "--catalog", org.catalog(airbyte.FullRefresh, streams...))
	var input, ends strings.Builder
	var catalog []string
	for _, stream := range streams {
		catalog = append(catalog, fmt.Sprintf(`{"stream":{"name":%q},"destination_sync_mode":"overwrite","generation_id":1,"minimum_generation_id":1,"sync_id":1}`, stream))
		fmt.Fprintf(&ends, `{"type":"TRACE","trace":{"type":"STREAM_STATUS","emitted_at":1.0,"stream_status":{"stream_descriptor":{"name":%q},"status":"COMPLETE"}}}`+"\n", stream)
	}
	want, states := map[string][]string{}, 0
	for text := range strings.Lines(read) {
		m, _ := airbyte.ParseMessage([]byte(text))
		switch m.Type {
		case "RECORD":
			r, err := m.Record()
			if err != nil {
				t.Fatal(err)
			}
			want[r.Stream.Name] = append(want[r.Stream.Name], string(r.Data))
			input.WriteString(text)
		case "STATE":
			states++
			input.WriteString(text)
		}
	}
	s, url := newPretendS3(t)
	config, _ := destinationFiles(t, url)
	var out bytes.Buffer
	args := []string{"destination-s3", "write", "--config", config, "--catalog", org.file("destination.json", `{"streams":[`+strings.Join(catalog, ",")+`]}`)}
	if code := run(t.Context(), args, strings.NewReader(input.String()+ends.String()), &out, &out); code != 0 {
		t.Fatalf("exit %d: %s", code, out.String())
	}
	if n := strings.Count(out.String(), `"destinationStats"`); n != states {
		t.Errorf("%d states came back, want %d", n, states)
	}
	for _, stream := range streams {
		var got []string
		for o, err := range s.bucket.List(t.Context(), "data/"+stream+"/", "") {
			if err != nil {
				t.Fatal(err)
			}
			body, _, err := s.bucket.Get(t.Context(), o.Key)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(body)
			body.Close()
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(text)) {
				_, data, _ := strings.Cut(line, `"_airbyte_data":`)
				got = append(got, strings.TrimSuffix(data, "}\n"))
			}
		}
		if len(got) == 0 || strings.Join(got, "\n") != strings.Join(want[stream], "\n") {
			t.Errorf("%s: %d records are in the bucket, %d were read; the first difference: %s", stream, len(got), len(want[stream]), firstDifference(got, want[stream]))
		}
	}
}
