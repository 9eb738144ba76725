//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// running is a longshore up that has finished its first sync.
type running struct {
	endpoint, bucket, access, secret string
	lines                            int // in the lake, as its receipt says
}

var (
	keysLine = regexp.MustCompile(`S3\s+access key (\S+)\s+secret key (\S+)`)
	lakeLine = regexp.MustCompile(`Lake: bucket (\S+) at (\S+)`)
	sumLine  = regexp.MustCompile(`^\s+\d+\s+(\d+)\s+\d+\s+\d+\s+all streams`)
)

// startUp starts longshore up and reads what it prints until its receipt adds up.
func startUp(t *testing.T) running {
	t.Helper()
	f := newFolder(t)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	cmd, _, errs := f.command(ctx, "up", "--listen", "127.0.0.1:0")
	cmd.Stdout = nil
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("longshore up, interrupted, ended with %v\n%s", err, errs)
		}
		cancel()
	})
	var r running
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line := lines.Text()
		if m := keysLine.FindStringSubmatch(line); m != nil {
			r.access, r.secret = m[1], m[2]
		}
		if m := lakeLine.FindStringSubmatch(line); m != nil {
			r.bucket, r.endpoint = m[1], m[2]
		}
		if m := sumLine.FindStringSubmatch(line); m != nil {
			_, err := fmt.Sscan(m[1], &r.lines)
			must(t, err)
		}
		if strings.Contains(line, "Every number adds up") {
			if r.access == "" || r.bucket == "" || r.lines == 0 {
				t.Fatalf("longshore up printed no keys, bucket or sum: %+v", r)
			}
			return r
		}
	}
	t.Fatalf("longshore up ended before its receipt added up\n%s", errs)
	return r
}

// guideKey is the guide's path format under its bucket path, with Airbyte's file name.
var guideKey = regexp.MustCompile(`^data/okta/([a-z_]+)/year=\d{4}/month=\d{2}/\d{2}_\d{13}_\d+\.jsonl\.gz$`)

// Other people's S3 tools list and fetch the lake with the keys printed at first start.
func TestS3ToolsReadTheLake(t *testing.T) {
	tools := map[string]func(r running, dir string) s3Tool{"aws": awsTool, "s3cmd": s3cmdTool}
	var present []string
	for name := range tools {
		if _, err := exec.LookPath(name); err == nil {
			present = append(present, name)
		}
	}
	if len(present) == 0 {
		t.Skip("neither aws nor s3cmd is installed")
	}
	r := startUp(t)
	for _, name := range []string{"aws", "s3cmd"} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(name); err != nil {
				t.Skipf("%s is not installed", name)
			}
			dir := t.TempDir()
			tool := tools[name](r, dir)
			keys := tool.list(t)
			if len(keys) < 5 {
				t.Fatalf("%s lists %q, want an object of each stream", name, keys)
			}
			total := 0
			for i, key := range keys {
				if !guideKey.MatchString(key) {
					t.Errorf("object %q is not named as the guide has it", key)
					continue
				}
				file := filepath.Join(dir, fmt.Sprint(i))
				tool.get(t, key, file)
				total += countRecords(t, key, file)
			}
			if total != r.lines {
				t.Errorf("the objects fetched hold %d lines, the receipt says %d", total, r.lines)
			}
		})
	}
}

// countRecords counts the lines of the first sync in a fetched object; each line must be a record in Airbyte's envelope.
// What the feed has brought since is in later runs.
func countRecords(t *testing.T, key, file string) (n int) {
	t.Helper()
	packed, err := os.ReadFile(file)
	must(t, err)
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	d := json.NewDecoder(z)
	for i := 1; d.More(); i++ {
		var line struct {
			Raw  string          `json:"_airbyte_raw_id"`
			At   int64           `json:"_airbyte_extracted_at"`
			Data json.RawMessage `json:"_airbyte_data"`
			Meta struct {
				SyncID int `json:"sync_id"`
			} `json:"_airbyte_meta"`
		}
		must(t, d.Decode(&line))
		if line.Meta.SyncID == 1 {
			n++
		}
		if line.Raw == "" || line.At == 0 || len(line.Data) < 2 || line.Data[0] != '{' {
			t.Fatalf("%s: line %d is not in Airbyte's envelope", key, i)
		}
	}
	return n
}

// s3Tool is one program that speaks S3.
type s3Tool struct {
	list func(t *testing.T) []string
	get  func(t *testing.T, key, file string)
}

func tool(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, errs.String())
	}
	return out.String()
}

func awsTool(r running, dir string) s3Tool {
	env := []string{
		"AWS_ACCESS_KEY_ID=" + r.access, "AWS_SECRET_ACCESS_KEY=" + r.secret, "AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=" + filepath.Join(dir, "none"), "AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(dir, "none"),
	}
	return s3Tool{
		list: func(t *testing.T) (keys []string) {
			var answer struct{ Contents []struct{ Key string } }
			must(t, json.Unmarshal([]byte(tool(t, env, "aws", "--endpoint-url", r.endpoint, "--output", "json", "s3api", "list-objects-v2", "--bucket", r.bucket, "--prefix", "data/")), &answer))
			for _, o := range answer.Contents {
				keys = append(keys, o.Key)
			}
			return keys
		},
		get: func(t *testing.T, key, file string) {
			tool(t, env, "aws", "--endpoint-url", r.endpoint, "s3api", "get-object", "--bucket", r.bucket, "--key", key, file)
		},
	}
}

func s3cmdTool(r running, dir string) s3Tool {
	u, err := url.Parse(r.endpoint)
	if err != nil {
		panic(err) // the program printed it
	}
	// The secret goes by a file: a flag's value could be read in the process list.
	config := filepath.Join(dir, "s3cfg")
	text := fmt.Sprintf("[default]\naccess_key = %s\nsecret_key = %s\nhost_base = %s\nhost_bucket = %s\nuse_https = False\nbucket_location = us-east-1\n", r.access, r.secret, u.Host, u.Host)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		panic(err)
	}
	return s3Tool{
		list: func(t *testing.T) (keys []string) {
			for line := range strings.Lines(tool(t, nil, "s3cmd", "-c", config, "ls", "-r", "s3://"+r.bucket+"/data/")) {
				if _, key, ok := strings.Cut(strings.TrimSpace(line), "s3://"+r.bucket+"/"); ok {
					keys = append(keys, key)
				}
			}
			return keys
		},
		get: func(t *testing.T, key, file string) {
			tool(t, nil, "s3cmd", "-c", config, "get", "--no-progress", "s3://"+r.bucket+"/"+key, file)
		},
	}
}
