package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"longshore/internal/source/okta/emulator"
)

// startEmulator runs the command until the test ends, and returns the lines that it prints at its start: want of them.
func startEmulator(t *testing.T, want int, args ...string) (lines []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	var errors strings.Builder
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, append([]string{"okta-emulator"}, args...), strings.NewReader(""), in, &errors)
		in.Close()
	}()
	t.Cleanup(func() {
		cancel()
		if code := <-ended; code != exitOK {
			t.Errorf("exit %d: %s", code, &errors)
		}
	})
	s := bufio.NewScanner(out)
	for len(lines) < want && s.Scan() {
		lines = append(lines, s.Text())
	}
	if len(lines) < want {
		t.Fatalf("it printed %q", lines)
	}
	return lines
}

func addressIn(t *testing.T, line string) string {
	t.Helper()
	_, rest, ok := strings.Cut(line, "http://")
	address, _, _ := strings.Cut(rest, ",")
	if !ok {
		t.Fatalf("no address in %q", line)
	}
	return "http://" + address
}

func asked(t *testing.T, method, url, body, token string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "SSWS "+token)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestTheEmulatorTellsItsPortsAndIsSteered(t *testing.T) {
	t.Setenv("OKTA_CLIENT_TOKEN", "a-token-of-mine")
	lines := startEmulator(t, 2, "--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0", "--users", "50", "--events-per-day", "-1",
		"--fault", "/api/v1/groups=503", "--limits", "workforce", "--limit", "/iam=7", "--share", "50", "--show-share", "--changes", "50", "--noise", "/users=40%")
	if strings.Contains(lines[0], "a-token-of-mine") {
		t.Errorf("it prints the token: %s", lines[0])
	}
	org, control := addressIn(t, lines[0]), addressIn(t, lines[1])
	for path, want := range map[string]int{"/api/v1/users": 200, "/api/v1/groups": 503} {
		if status, text := asked(t, http.MethodGet, org+path, "", "a-token-of-mine"); status != want {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	if status, _ := asked(t, http.MethodGet, org+"/_emu/status", "", "a-token-of-mine"); status != http.StatusNotFound {
		t.Errorf("the control API on the org's port answers %d", status)
	}
	if status, text := asked(t, http.MethodGet, control+"workload", "", ""); status != 200 || !strings.Contains(text, "50") {
		t.Errorf("the workload: %d %s", status, text)
	}
	if status, text := asked(t, http.MethodPut, control+"faults", `{"faults":[]}`, ""); status != 200 {
		t.Errorf("faults: %d %s", status, text)
	}
	if status, _ := asked(t, http.MethodGet, org+"/api/v1/groups", "", "a-token-of-mine"); status != 200 {
		t.Errorf("groups without the fault: %d", status)
	}
	var s struct {
		Users  int
		Limits struct {
			Buckets map[string]int
			Share   int
		}
		Noise []emulator.Noise
	}
	_, text := asked(t, http.MethodGet, control+"status", "", "")
	if err := json.Unmarshal([]byte(text), &s); err != nil || s.Users != 50 || s.Limits.Share != 50 || s.Limits.Buckets["/iam"] != 7 || len(s.Noise) != 1 || s.Noise[0].PerCent != 40 {
		t.Errorf("status %s, error %v", text, err)
	}
}

func TestTheEmulatorPrintsItsAppAndKeepsTheKey(t *testing.T) {
	t.Setenv("OKTA_CLIENT_TOKEN", "")
	file := filepath.Join(t.TempDir(), "app.pem")
	settings := func(lines []string) map[string]string {
		all := make(map[string]string)
		for _, line := range lines[1:] {
			name, value, _ := strings.Cut(line, "=")
			all[name] = value
		}
		return all
	}
	args := []string{"--listen", "127.0.0.1:0", "--users", "50", "--oauth", file, "--key-type", "P-256", "--dpop", "--scopes", "okta.users.read,okta.logs.read"}
	var first map[string]string
	t.Run("once", func(t *testing.T) { first = settings(startEmulator(t, 7, args...)) })
	var again map[string]string
	t.Run("again", func(t *testing.T) { again = settings(startEmulator(t, 7, args...)) })
	if first["OKTA_CLIENT_CLIENTID"] != emulator.DefaultClientID || first["OKTA_CLIENT_SCOPES"] != "okta.users.read,okta.logs.read" || first["OKTA_CLIENT_PRIVATEKEY"] != file ||
		first["OKTA_CLIENT_AUTHORIZATIONMODE"] != "PrivateKey" || first["OKTA_CLIENT_PRIVATEKEYID"] == "" {
		t.Errorf("settings %v", first)
	}
	if again["OKTA_CLIENT_PRIVATEKEYID"] != first["OKTA_CLIENT_PRIVATEKEYID"] {
		t.Errorf("the key changed from %s to %s", first["OKTA_CLIENT_PRIVATEKEYID"], again["OKTA_CLIENT_PRIVATEKEYID"])
	}
	entry, err := os.Stat(file)
	if err != nil || entry.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", entry, err)
	}
}
