//go:build bench

package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	// memoryUsers is the org's size; LONGSHORE_BENCH_USERS sets another.
	memoryUsers = 1_000_000
	// maxPeakMiB is what a sync may hold at most, whatever the size of the org.
	maxPeakMiB = 256
)

// memoryBuckets are the rate limits that are lifted: memory is measured here, not patience.
var memoryBuckets = []string{"/users", "/users/{id}", "/groups", "/groups/{id}", "/iam", "/apps", "/logs", "/api/v1", "/oauth2/v1/clients"}

var (
	orgLine  = regexp.MustCompile(`Stand-in org on (http://\S+), token (\S+)\.`)
	doneLine = regexp.MustCompile(`Sync \d+: (\w+); (\d+) rows, (\d+) bytes`)
)

// TestAFullSyncOfAMillionUsersIsSmall reads an org of a million users, in a process of its own, into a lake on disk, and
// prints the most memory that the syncing process ever held (VmHWM).
func TestAFullSyncOfAMillionUsersIsSmall(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the peak is read from /proc, which Linux alone has")
	}
	users := memoryUsers
	if text := os.Getenv("LONGSHORE_BENCH_USERS"); text != "" {
		var err error
		if users, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(t.TempDir(), "longshore")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../cmd/longshore").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	org, token := startOrg(t, program, users)
	began := time.Now()
	cmd := exec.CommandContext(t.Context(), program, "sync", "--data", filepath.Join(t.TempDir(), "data"), "--s3-listen", "127.0.0.1:0", "--okta-share", "100")
	cmd.Env = append(os.Environ(), "OKTA_CLIENT_ORGURL="+org, "OKTA_CLIENT_TOKEN="+token)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	peak := 0
	for look := time.NewTicker(100 * time.Millisecond); ; {
		select {
		case err := <-ended:
			m := doneLine.FindStringSubmatch(out.String())
			if err != nil || m == nil || m[1] != "succeeded" {
				t.Fatalf("sync: %v\n%s", err, out.String())
			}
			fmt.Printf("%-28s %12s %12s %10s %10s\n", "full sync, lake on disk", "rows", "bytes", "time", "peak MiB")
			fmt.Printf("%-28s %12s %12s %10s %10d\n", fmt.Sprintf("%d users", users), m[2], m[3], time.Since(began).Round(time.Second), peak)
			if peak == 0 || peak > maxPeakMiB {
				t.Errorf("the sync held %d MiB at its peak, want at most %d\n%s", peak, maxPeakMiB, out.String())
			}
			return
		case <-look.C:
			peak = max(peak, peakMiB(cmd.Process.Pid))
		}
	}
}

// peakMiB is the most memory that a process has held, as far as it still lives.
func peakMiB(pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	fields := strings.Fields(after)
	if len(fields) == 0 {
		return 0
	}
	kib, err := strconv.Atoi(fields[0])
	if err != nil {
		return 0
	}
	return (kib + 1023) / 1024
}

// startOrg starts a stand-in org without rate limits in a process of its own.
func startOrg(t *testing.T, program string, users int) (url, token string) {
	t.Helper()
	args := []string{"okta-emulator", "--users", strconv.Itoa(users), "--listen", "127.0.0.1:0"}
	for _, bucket := range memoryBuckets {
		args = append(args, "--limit", bucket+"=1000000000")
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // the test's context has ended it
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if m := orgLine.FindStringSubmatch(lines.Text()); m != nil {
			return m[1], m[2]
		}
	}
	t.Fatal("the stand-in org did not start")
	return "", ""
}
