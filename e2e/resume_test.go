//go:build e2e

package e2e

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"longshore/internal/source/okta/emulator"
)

// killPoints is how many seeded points of a sync the process is killed at.
const killPoints = 50

// watched is an org that counts what is asked of it, and calls hit around the n-th request that follows the checks.
type watched struct {
	org http.Handler

	mu     sync.Mutex
	asked  map[string]int // request → times
	count  int
	at     int           // 0 for never
	before bool          // hit before the answer, else wait after it
	wait   time.Duration // from the answer to hit
	hit    func()
}

func (w *watched) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	request := r.URL.RequestURI()
	listing := !strings.Contains(request, "limit=1&") && !strings.HasSuffix(request, "limit=1") && !strings.HasPrefix(request, "/.well-known")
	if listing {
		w.count++
		w.asked[request]++
	}
	hit := listing && w.count == w.at
	w.mu.Unlock()
	if hit && w.before {
		w.hit()
		return
	}
	w.org.ServeHTTP(rw, r)
	if hit {
		time.AfterFunc(w.wait, w.hit) // the moment itself is what is tested: nothing is waited for
	}
}

// shared are requests whose answers several streams use, and that a process keeps in memory for them: the process after
// it asks anew for what a stream that is still to come needs.
var shared = regexp.MustCompile(`/roles(\?|$)|/groups/[^/]+/users\?limit=1000$|expand=stats|/iam/(assignees/users|resource-sets|roles)\?|/apps\?|/users\?(limit=200|filter=.*)$`)

func (w *watched) reset(at int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked, w.count, w.at = map[string]int{}, 0, at
}

// A sync that is killed at any point and taken up again leaves the records of an undisturbed one in the lake, each once,
// and asks Okta again for at most a page of each listing that was under way, besides what streams share.
func TestKilledSyncIsTakenUpPageByPage(t *testing.T) {
	org := &watched{org: emulator.New(emulator.Options{Users: 3000, EventsPerDay: 100, Days: 30})}
	server := httptest.NewServer(org)
	t.Cleanup(server.Close)
	sync := func(f folder, kill bool) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		cmd, _, errs := f.command(ctx, "sync")
		cmd.Env = append(cmd.Env, "OKTA_CLIENT_ORGURL="+server.URL, "OKTA_CLIENT_TOKEN="+emulator.DefaultToken)
		org.hit = func() { _ = cmd.Process.Kill() }
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil && !kill {
			t.Fatalf("sync: %v\n%s", err, errs)
		}
	}
	org.reset(0)
	whole := newFolder(t)
	sync(whole, false)
	want, calls := whole.lines(1), org.count
	if calls < 60 || len(want["users"]) != 3000 {
		t.Fatalf("the undisturbed sync made %d calls and brought %d users, too few to tell anything", calls, len(want["users"]))
	}
	random := rand.New(rand.NewPCG(3, 4))
	for i := range killPoints {
		at := 1 + random.IntN(calls)
		org.before, org.wait = random.IntN(3) == 0, time.Duration(random.IntN(60))*time.Millisecond
		t.Run(fmt.Sprintf("%02d at call %d", i, at), func(t *testing.T) {
			f := newFolder(t)
			org.reset(at)
			sync(f, true)
			org.mu.Lock()
			org.at = 0
			org.mu.Unlock()
			sync(f, false)
			got := f.lines(1)
			for stream := range want {
				if !reflect.DeepEqual(got[stream], want[stream]) {
					t.Errorf("%s: %d different records, %d in all; want %d, each once", stream, len(got[stream]), total(got[stream]), len(want[stream]))
				}
			}
			if f.ran(2) {
				return // the first sync had ended before the kill, and the second was another one
			}
			again, most := 0, 25
			for request, n := range org.asked {
				if n > 1 && !shared.MatchString(request) {
					again += n - 1
				}
			}
			t.Logf("%d of %d calls were made twice", again, calls)
			// A page for each chain under way, and what each process asks before it reads.
			if again > most {
				t.Errorf("%d calls were made twice, want at most %d of %d", again, most, calls)
			}
		})
	}
}

func total(counts map[string]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}

// ran reports whether the folder's lake holds records of a sync.
func (f folder) ran(syncID int) bool { return len(f.lines(syncID)) > 0 }

// lines counts the records of a sync in the folder's lake, by stream.
func (f folder) lines(syncID int) map[string]map[string]int {
	f.t.Helper()
	all := map[string]map[string]int{}
	must(f.t, filepath.WalkDir(filepath.Join(f.data, "lake"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".jsonl.gz") {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		zip, err := gzip.NewReader(file)
		if err != nil {
			return err
		}
		_, key, _ := strings.Cut(path, "/okta/")
		stream, _, _ := strings.Cut(key, "/")
		in := bufio.NewScanner(zip)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			var line struct {
				Data json.RawMessage `json:"_airbyte_data"`
				Meta struct {
					SyncID int `json:"sync_id"`
				} `json:"_airbyte_meta"`
			}
			if err := json.Unmarshal(in.Bytes(), &line); err != nil {
				return err
			}
			if line.Meta.SyncID != syncID {
				continue
			}
			if all[stream] == nil {
				all[stream] = map[string]int{}
			}
			all[stream][string(line.Data)]++
		}
		return in.Err()
	}))
	return all
}
