package oktasdk

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const token = "demo-token"

// binary is the product, built once for all tests.
var binary string

// demo is the org that the tests read which need no trouble of their own.
var demo string

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	folder, err := os.MkdirTemp("", "oktasdk")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(folder)
	binary = filepath.Join(folder, "longshore")
	build := exec.Command("go", "build", "-o", binary, "./cmd/longshore")
	build.Dir, build.Stdout, build.Stderr = filepath.Join("..", ".."), os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return 0, fmt.Errorf("build the product: %w", err)
	}
	settings, stop, err := serve("--users", "900")
	if err != nil {
		return 0, err
	}
	defer stop()
	demo = settings["base"]
	return m.Run(), nil
}

var addressPattern = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// serve starts a stand-in org on a port of its own choice. It returns its address as "base", and what it tells of a service
// app, by the names of the SDK's variables.
func serve(arguments ...string) (settings map[string]string, stop func(), err error) {
	cmd := exec.Command(binary, append([]string{"okta-emulator", "--listen", "127.0.0.1:0"}, arguments...)...)
	cmd.Env = []string{"OKTA_CLIENT_TOKEN=" + token, "PATH=" + os.Getenv("PATH"), "HOME=" + os.TempDir()}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	settings = make(map[string]string)
	last := "base"
	if slices.Contains(arguments, "--oauth") {
		last = "OKTA_CLIENT_PRIVATEKEYID"
	}
	lines := bufio.NewScanner(out)
	for settings[last] == "" && lines.Scan() {
		if base := addressPattern.FindString(lines.Text()); base != "" && settings["base"] == "" {
			settings["base"] = base
		}
		if name, value, ok := strings.Cut(lines.Text(), "="); ok {
			settings[strings.TrimSpace(name)] = value
		}
	}
	if settings[last] == "" {
		stop()
		return nil, nil, fmt.Errorf("the stand-in org %q told no %s: %q", arguments, last, settings)
	}
	return settings, stop, nil
}

// org starts one for a test alone.
func org(t *testing.T, arguments ...string) map[string]string {
	t.Helper()
	settings, stop, err := serve(arguments...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return settings
}

func host(t *testing.T, base string) string {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// raw reads a path without the SDK.
func raw(t *testing.T, base, path string) []byte {
	t.Helper()
	body, _ := rawPage(t, base+path)
	return body
}

func rawPage(t *testing.T, address string) ([]byte, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "SSWS "+token)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v: %s", address, response.StatusCode, err, body)
	}
	next := ""
	for _, line := range response.Header.Values("Link") {
		if target, ok := strings.CutSuffix(line, `>; rel="next"`); ok {
			next = strings.TrimPrefix(target, "<")
		}
	}
	return body, next
}

// rawAll reads a listing to its end without the SDK.
func rawAll(t *testing.T, base, path string) (items []json.RawMessage) {
	t.Helper()
	for address := base + path; address != ""; {
		body, next := rawPage(t, address)
		var page []json.RawMessage
		if err := json.Unmarshal(body, &page); err != nil {
			t.Fatal(err)
		}
		items, address = append(items, page...), next
	}
	return items
}

func idOf(t *testing.T, item []byte) string {
	t.Helper()
	var o struct{ ID string }
	if err := json.Unmarshal(item, &o); err != nil {
		t.Fatal(err)
	}
	return o.ID
}

// same fails when what the SDK decoded, written again, lacks anything that the org served or says otherwise. Nulls may be
// left out, and times may be written another way; paths with one of the parts in except are the SDK's own losses.
func same(t *testing.T, what string, served []byte, decoded any, except ...string) {
	t.Helper()
	again, err := json.Marshal(decoded)
	if err != nil {
		t.Errorf("%s: what the SDK decoded cannot be written: %v", what, err)
		return
	}
	var want, got any
	if err := json.Unmarshal(served, &want); err != nil {
		t.Fatalf("%s: served %.200s: %v", what, served, err)
	}
	if err := json.Unmarshal(again, &got); err != nil {
		t.Fatal(err)
	}
	var lost []string
	compare("", want, got, &lost)
	told := 0
	for _, l := range lost {
		if !containsAny(l, except) {
			if told++; told <= 5 {
				t.Errorf("%s: %s", what, l)
			}
		}
	}
}

func containsAny(s string, parts []string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

func compare(path string, want, got any, lost *[]string) {
	switch w := want.(type) {
	case nil:
		return
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			if len(w) > 0 {
				*lost = append(*lost, fmt.Sprintf("%s is lost or no object: %v", path, got))
			}
			return
		}
		for k, v := range w {
			compare(path+"/"+k, v, g[k], lost)
		}
	case []any:
		g, _ := got.([]any)
		if len(g) != len(w) {
			*lost = append(*lost, fmt.Sprintf("%s has %d items, want %d", path, len(g), len(w)))
			return
		}
		for i := range w {
			compare(path+"/"+fmt.Sprint(i), w[i], g[i], lost)
		}
	case string:
		g, _ := got.(string)
		at, err := time.Parse(time.RFC3339, w)
		if again, e := time.Parse(time.RFC3339, g); w == g || err == nil && e == nil && at.Equal(again) {
			return
		}
		*lost = append(*lost, fmt.Sprintf("%s is %v, want %q", path, got, w))
	default:
		if !reflect.DeepEqual(want, got) {
			*lost = append(*lost, fmt.Sprintf("%s is %v, want %v", path, got, want))
		}
	}
}
