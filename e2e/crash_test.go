//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	lakes3 "longshore/internal/lake/s3"
	"longshore/internal/receipt"
	"longshore/internal/source/okta/emulator"
	"longshore/internal/store/storetest/pgserver"
)

const (
	// crashesShort is how many disturbed runs each cell of the matrix has where LONGSHORE_CRASHES does not say.
	crashesShort = 3
	// crashTime bounds a disturbed run with all that it takes up again.
	crashTime = 2 * time.Minute
)

// crashes reads how many disturbed runs each cell has, and from which seed on: LONGSHORE_CRASHES=50 or 50@100.
func crashes(t *testing.T) (n, from int) {
	t.Helper()
	text := os.Getenv("LONGSHORE_CRASHES")
	if text == "" {
		return crashesShort, 0
	}
	count, first, seeded := strings.Cut(text, "@")
	n, err := strconv.Atoi(count)
	must(t, err)
	if seeded {
		from, err = strconv.Atoi(first)
		must(t, err)
	}
	return n, from
}

// Whatever is killed, wherever, however often: once it has been started again, the catalog, the verdicts and the receipt
// are those of an undisturbed run. Workers are processes; on SQLite one of them works, and the others wait for its place.
func TestCrashMatrix(t *testing.T) {
	n, from := crashes(t)
	org := &tripwire{next: emulator.New(emulator.Options{Users: 60, EventsPerDay: 40, Days: 5})}
	lake := &tripwire{}
	world := newCrashWorld(t, org, lake)
	want := world.reference(t)
	for _, database := range []string{"sqlite", "postgres"} {
		for _, workers := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s, %d workers", database, workers), func(t *testing.T) {
				for seed := from; seed < from+n; seed++ {
					t.Run(strconv.Itoa(seed), func(t *testing.T) {
						world.disturbed(t, database, workers, seed, want)
					})
				}
			})
		}
	}
}

// tripwire counts the requests that pass, and calls hit around the n-th one.
type tripwire struct {
	next http.Handler

	mu     sync.Mutex
	count  int
	at     int  // 0 for never
	before bool // hit before the request is answered, and leave it so; else after
	hit    func()
}

func (w *tripwire) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.count++
	tripped := w.count == w.at
	before, hit := w.before, w.hit
	w.mu.Unlock()
	if tripped && before {
		hit()
		panic(http.ErrAbortHandler)
	}
	w.next.ServeHTTP(rw, r)
	if tripped {
		hit()
	}
}

func (w *tripwire) arm(at int, before bool, hit func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count, w.at, w.before, w.hit = 0, at, before, hit
}

func (w *tripwire) passed() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}

// crashWorld is the org and the way to the lake that all runs share.
type crashWorld struct {
	org, lake *tripwire
	env       []string // of the org
	endpoint  string   // of the lake
	buckets   int
	keys      []byte
	length    time.Duration // of an undisturbed run
	calls     [2]int        // of it: to the org, to the lake
}

func newCrashWorld(t *testing.T, org, lake *tripwire) *crashWorld {
	t.Helper()
	server := httptest.NewServer(org)
	t.Cleanup(server.Close)
	outside := outsideLake(t)
	address, err := url.Parse(strings.TrimPrefix(outside[0], "LONGSHORE_S3_ENDPOINT="))
	must(t, err)
	lake.next = &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(address); r.Out.Host = r.In.Host }, // the host is signed
		ErrorLog: log.New(io.Discard, "", 0),                                                   // who is killed hangs up
	}
	gate := httptest.NewServer(lake)
	t.Cleanup(gate.Close)
	return &crashWorld{org: org, lake: lake, endpoint: gate.URL, env: []string{"OKTA_CLIENT_ORGURL=" + server.URL, "OKTA_CLIENT_TOKEN=" + emulator.DefaultToken}}
}

// bucket is a new bucket behind the tripwire of the lake.
func (w *crashWorld) bucket(t *testing.T) (env []string) {
	t.Helper()
	w.buckets++
	name := fmt.Sprintf("lake-%d", w.buckets)
	b, err := lakes3.Open(t.Context(), lakes3.Config{Endpoint: w.endpoint, Region: "us-east-1", Bucket: name, AccessKey: "outside", SecretKey: "outside-secret", PathStyle: true})
	must(t, err)
	must(t, b.EnsureBucket(t.Context()))
	return []string{
		"LONGSHORE_S3_ENDPOINT=" + w.endpoint, "LONGSHORE_S3_BUCKET=" + name, "LONGSHORE_S3_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=outside", "AWS_SECRET_ACCESS_KEY=outside-secret",
	}
}

// outcome is what has to be the same.
type outcome struct{ export, receipt string }

// reference is the outcome of an undisturbed run; it also finds out how long one takes.
func (w *crashWorld) reference(t *testing.T) outcome {
	t.Helper()
	f := newFolder(t)
	env := append(w.bucket(t), w.env...)
	w.org.arm(0, false, nil)
	w.lake.arm(0, false, nil)
	began := time.Now()
	p := f.begin(env, "up", "--once")
	p.await("Every number adds up", crashTime)
	<-p.ended
	w.length, w.calls = time.Since(began), [2]int{w.org.passed(), w.lake.passed()}
	var err error
	w.keys, err = os.ReadFile(filepath.Join(f.data, "keys.json"))
	must(t, err)
	t.Logf("undisturbed: %s, %d calls to the org, %d to the lake", w.length.Round(time.Millisecond), w.calls[0], w.calls[1])
	return f.outcome(env)
}

// outcome is what the folder's catalog has come to. The receipt must be signed, and be true of the bucket.
func (f folder) outcome(env []string) outcome {
	f.t.Helper()
	o := outcome{export: f.exported(env)}
	cmd, out, errs := f.command(f.t.Context(), "receipt", "1", "--json")
	cmd.Env = append(cmd.Env, env...)
	if err := cmd.Run(); err != nil {
		f.t.Fatalf("receipt 1: %v\n%s\n%s", err, out, errs)
	}
	var r receipt.Receipt
	must(f.t, json.Unmarshal(out.Bytes(), &r))
	o.receipt = comparable(r)
	cmd, out, errs = f.command(f.t.Context(), "verify", "1")
	cmd.Env = append(cmd.Env, env...)
	if err := cmd.Run(); err != nil {
		f.t.Errorf("verify 1: %v\n%s\n%s", err, out, errs)
	}
	return o
}

// disturbed lets so many workers make the catalog, kills them at seeded points, and compares.
func (w *crashWorld) disturbed(t *testing.T, database string, workers, seed int, want outcome) {
	random := rand.New(rand.NewPCG(uint64(seed), uint64(workers)))
	env := append(w.bucket(t), w.env...)
	if database == "postgres" {
		env = append(env, "LONGSHORE_DATABASE_URL="+pgserver.Database(t, nil))
	}
	c := &crew{t: t, ended: make(chan int, workers)}
	shared := newFolder(t)
	for i := range workers {
		f := shared
		if i > 0 && database == "postgres" { // each has a data folder of its own, with the same keys
			f = newFolder(t)
		}
		must(t, os.MkdirAll(f.data, 0o700))
		must(t, os.WriteFile(filepath.Join(f.data, "keys.json"), w.keys, 0o600))
		c.workers = append(c.workers, &crewman{folder: f, env: env})
	}
	plan := w.trap(random, c)
	c.run()
	w.org.arm(0, false, nil)
	w.lake.arm(0, false, nil)
	got := shared.outcome(env)
	if got.export != want.export {
		t.Errorf("%s: the catalog has digest %s (%d bytes), the undisturbed one %s (%d bytes)", plan, digest(got.export), len(got.export), digest(want.export), len(want.export))
	}
	if got.receipt != want.receipt {
		t.Errorf("%s: the receipt is\n%s\nwant that of the undisturbed run:\n%s", plan, got.receipt, want.receipt)
	}
	if c.kills == 0 {
		t.Logf("%s: nothing was killed, the run was over before", plan)
	}
}

// trap sets the seeded points of a run, and says in words what they are.
func (w *crashWorld) trap(random *rand.Rand, c *crew) (plan string) {
	victim := func() func() {
		who := random.IntN(len(c.workers)+1) - 1 // -1: all of them
		return func() { c.kill(who) }
	}
	org, lake := 1+random.IntN(w.calls[0]), 1+random.IntN(w.calls[1])
	orgBefore, lakeBefore := random.IntN(2) == 0, random.IntN(2) == 0
	moment := time.Duration(random.Int64N(int64(w.length)))
	use := 1 + random.IntN(7) // which of the three
	w.org.arm(0, false, nil)
	w.lake.arm(0, false, nil)
	if use&1 != 0 {
		plan += fmt.Sprintf("org call %d (before: %t) ", org, orgBefore)
		w.org.arm(org, orgBefore, victim())
	}
	if use&2 != 0 {
		plan += fmt.Sprintf("lake call %d (before: %t) ", lake, lakeBefore)
		w.lake.arm(lake, lakeBefore, victim())
	}
	if use&4 != 0 {
		plan += fmt.Sprintf("after %s", moment.Round(time.Millisecond))
		kill := victim()
		timer := time.AfterFunc(moment, kill) // the moment itself is what is tested
		c.t.Cleanup(func() { timer.Stop() })
	}
	return strings.TrimSpace(plan)
}

// crew are the workers of a run: each is started again when it was killed, until one has ended well.
type crew struct {
	t       *testing.T
	workers []*crewman
	ended   chan int

	mu    sync.Mutex
	kills int
	done  bool
}

type crewman struct {
	folder folder
	env    []string

	cmd    *exec.Cmd // nil while none runs
	killed bool
}

// run returns once every worker has ended well, or stands aside because another one has.
func (c *crew) run() {
	c.t.Helper()
	late := time.Now().Add(crashTime)
	var wait sync.WaitGroup
	for _, m := range c.workers {
		wait.Go(func() {
			for c.again(m) && time.Now().Before(late) {
			}
		})
	}
	wait.Wait()
	if !c.done {
		c.t.Fatalf("no worker has ended well within %s", crashTime)
	}
}

// again runs a worker once; more tells that it must be started again.
func (c *crew) again(m *crewman) (more bool) {
	cmd, out, errs := m.folder.command(c.t.Context(), "up", "--once")
	cmd.Env = append(cmd.Env, m.env...)
	c.mu.Lock()
	if c.done {
		c.mu.Unlock()
		return false
	}
	err := cmd.Start()
	m.cmd, m.killed = cmd, false
	c.mu.Unlock()
	if err != nil {
		c.t.Error(err)
		return false
	}
	_ = cmd.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	m.cmd = nil
	code := cmd.ProcessState.ExitCode()
	switch {
	case m.killed:
		return true
	case code == 0:
		c.done = true
		return false
	case strings.Contains(errs.String(), "is in use by another longshore"):
		return !c.done
	}
	c.t.Errorf("a worker that nobody killed ended with exit %d\n%s\n%s", code, out, errs)
	return false
}

// kill ends a worker as kill -9 does; -1 all of them.
func (c *crew) kill(who int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, m := range c.workers {
		if m.cmd == nil || m.killed || who >= 0 && who != i {
			continue
		}
		m.killed = true
		c.kills++
		_ = m.cmd.Process.Kill()
	}
}
