//go:build e2e

package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers "pgx"

	"longshore/internal/lake/s3server"
	"longshore/internal/source/okta/emulator"
	"longshore/internal/store/storetest/pgserver"
)

// process is a longshore whose words are gathered while it runs.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	name string

	mu    sync.Mutex
	said  strings.Builder
	ended chan struct{} // closed once it has
}

// begin starts a command in the folder, killed when the test ends.
func (f folder) begin(env []string, args ...string) *process {
	f.t.Helper()
	cmd, _, _ := f.command(context.Background(), args...)
	p := &process{t: f.t, cmd: cmd, name: args[0], ended: make(chan struct{})}
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdout, cmd.Stderr = p, p
	must(f.t, cmd.Start())
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // its words and exit code are looked at
	}()
	f.t.Cleanup(p.kill)
	return p
}

// Write gathers words.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.Write(b)
}

func (p *process) words() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

// kill ends it as kill -9 does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

// await waits until it has said a word.
func (p *process) await(word string, longest time.Duration) {
	p.t.Helper()
	until(p.t, "longshore "+p.name+" says "+word, longest, func() bool {
		if strings.Contains(p.words(), word) {
			return true
		}
		select {
		case <-p.ended:
			if !strings.Contains(p.words(), word) {
				p.t.Fatalf("longshore %s ended with %s before it said %q:\n%s", p.name, p.cmd.ProcessState, word, p.words())
			}
		default:
		}
		return false
	}, func() string { return p.words() })
}

// until waits for something that another process does.
func until(t *testing.T, what string, longest time.Duration, done func() bool, words func() string) {
	t.Helper()
	turn, late := time.NewTicker(20*time.Millisecond), time.After(longest)
	defer turn.Stop()
	for !done() {
		select {
		case <-turn.C:
		case <-late:
			t.Fatalf("not within %s: %s\n%s", longest, what, words())
		}
	}
}

// midway waits until a run is being worked on and some of its objects are in the catalog.
func midway(t *testing.T, database string, p *process) {
	t.Helper()
	db, err := sql.Open("pgx", database)
	must(t, err)
	defer db.Close()
	until(t, "a run is under way", time.Minute, func() bool {
		var taken, under int
		err := db.QueryRow(`SELECT count(*) FILTER (WHERE kind = 'ingest_object' AND state = 'completed'), count(*) FILTER (WHERE kind = 'sync' AND state = 'running') FROM river_job`).Scan(&taken, &under)
		return err == nil && taken > 0 && under > 0 // before the first start there is no such table
	}, p.words)
}

// slowOrg is an org whose sync takes some seconds.
func slowOrg(t *testing.T) (env []string) {
	t.Helper()
	slowly, err := emulator.ParseFault("/api/v1=100ms")
	must(t, err)
	org := emulator.New(emulator.Options{Users: 400, EventsPerDay: 100, Days: 20, Faults: emulator.Faults{slowly}})
	server := httptest.NewServer(org)
	t.Cleanup(server.Close)
	return []string{"OKTA_CLIENT_ORGURL=" + server.URL, "OKTA_CLIENT_TOKEN=" + emulator.DefaultToken}
}

// exported is the catalog of the folder, read with more environment.
func (f folder) exported(env []string) string {
	f.t.Helper()
	cmd, out, errs := f.command(f.t.Context(), "export")
	cmd.Env = append(cmd.Env, env...)
	if err := cmd.Run(); err != nil {
		f.t.Fatalf("export: %v\n%s", err, errs)
	}
	return out.String()
}

// undisturbed is the catalog that one process makes of an org.
func undisturbed(t *testing.T, org []string) string {
	t.Helper()
	f := newFolder(t)
	p := f.begin(org, "up", "--once")
	p.await("Every number adds up", 3*time.Minute)
	<-p.ended
	return f.exported(org)
}

// A server that is away for longer than a job's failure is borne, in the middle of a first sync, is waited for; then
// everything is there.
func TestADatabaseThatIsAwayIsWaitedFor(t *testing.T) {
	org := slowOrg(t)
	want := undisturbed(t, org)
	database := pgserver.Database(t, nil)
	link := pgserver.LinkTo(t, database)
	env := append(org, "LONGSHORE_DATABASE_URL="+link.URL)
	f := newFolder(t)
	p := f.begin(env, "up", "--listen", "127.0.0.1:0")
	midway(t, database, p)
	link.Cut()
	// The time itself is what is tested: the queue gives up telling a job's end after seconds, a command on a failing job after 45.
	select {
	case <-p.ended:
		t.Fatalf("up ended while the database was away:\n%s", p.words())
	case <-time.After(70 * time.Second):
	}
	if n := strings.Count(p.words(), "level="); n > 20 {
		t.Errorf("%d warnings of one outage, want a few:\n%s", n, p.words())
	}
	link.Mend()
	p.await("the database answers again", time.Minute)
	p.await("Every number adds up", 3*time.Minute)
	if got := f.exported(env); got != want {
		t.Errorf("the catalog has digest %s (%d bytes), that of an undisturbed run %s (%d bytes)", digest(got), len(got), digest(want), len(want))
	}
}

// Two processes on one database and one bucket, with the same keys: what the one leaves when it is killed, the other does.
func TestTwoProcessesShareADatabaseAndABucket(t *testing.T) {
	org := slowOrg(t)
	want := undisturbed(t, org)
	database := pgserver.Database(t, nil)
	lake := outsideLake(t)
	env := append(append(org, "LONGSHORE_DATABASE_URL="+database), lake...)
	first, second := newFolder(t), newFolder(t)
	one := first.begin(env, "up", "--listen", "127.0.0.1:0")
	midway(t, database, one)

	stranger := newFolder(t) // it has keys of its own
	foreign := stranger.begin(env, "up", "--once")
	<-foreign.ended
	if text := foreign.words(); foreign.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(text, "keys.json") {
		t.Errorf("with other keys: exit %d\n%s\nwant a refusal that names keys.json", foreign.cmd.ProcessState.ExitCode(), text)
	}

	keys, err := os.ReadFile(filepath.Join(first.data, "keys.json"))
	must(t, err)
	must(t, os.MkdirAll(second.data, 0o700))
	must(t, os.WriteFile(filepath.Join(second.data, "keys.json"), keys, 0o600))
	embedded := second.begin(env[:3:3], "up", "--once") // with a lake of its own
	<-embedded.ended
	if text := embedded.words(); embedded.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(text, "outside bucket") {
		t.Errorf("with an embedded lake: exit %d\n%s\nwant a refusal that names the outside bucket", embedded.cmd.ProcessState.ExitCode(), text)
	}
	two := second.begin(env, "up", "--listen", "127.0.0.1:0")
	two.await("UI and APIs", time.Minute)
	one.kill()
	two.await("Every number adds up", 3*time.Minute)
	if got := second.exported(env); got != want {
		t.Errorf("the catalog has digest %s (%d bytes), that of one undisturbed process %s (%d bytes)", digest(got), len(got), digest(want), len(want))
	}
	again := first.begin(env, "up", "--once") // beside the other
	again.await("Every number adds up", 3*time.Minute)
	if got := second.exported(env); got != want {
		t.Errorf("after a second run the catalog has digest %s, want %s still", digest(got), digest(want))
	}
	audit := first.begin(env, "audit", "verify")
	<-audit.ended
	if code := audit.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("audit verify: exit %d\n%s", code, audit.words())
	}
}

// outsideLake is a bucket that neither process serves.
func outsideLake(t *testing.T) (env []string) {
	t.Helper()
	stdout := os.Stdout
	null, err := os.Open(os.DevNull)
	must(t, err)
	os.Stdout = null // the server greets
	s, err := s3server.Start(t.Context(), s3server.Config{
		Dir: filepath.Join(t.TempDir(), "lake"), Listen: "127.0.0.1:0", AccessKey: "outside", SecretKey: "outside-secret", Bucket: "shared-lake",
	})
	os.Stdout = stdout
	must(t, err)
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	return []string{
		"LONGSHORE_S3_ENDPOINT=" + s.URL(), "LONGSHORE_S3_BUCKET=shared-lake", "LONGSHORE_S3_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=outside", "AWS_SECRET_ACCESS_KEY=outside-secret",
	}
}

// smallDisk mounts a disk of so many MB that ends with the test, and returns a folder on it; it takes a user who may mount.
func smallDisk(t *testing.T, mb int) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "longshore-disk-") //nolint:usetesting // a test's own folder lets no server's user through
	must(t, err)
	t.Cleanup(func() { _ = os.Remove(dir) })
	must(t, os.Chmod(dir, 0o755))
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm,mode=755", mb), "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("no small disk can be mounted: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

// A disk that is full ends a run with what to do; with room made, the next goes on and comes to the catalog of an
// undisturbed one.
func TestAFullDiskLosesNothing(t *testing.T) {
	org := slowOrg(t)
	want := undisturbed(t, org)
	for _, mb := range []int{1, 3, 6, 9, 12} { // before the schema is there, in the lake, in the catalog
		t.Run(fmt.Sprintf("%d MB", mb), func(t *testing.T) {
			f := newFolder(t)
			disk := smallDisk(t, mb)
			f.data = filepath.Join(disk, "data")
			p := f.begin(org, "up", "--once")
			select {
			case <-p.ended:
			case <-time.After(3 * time.Minute):
				t.Fatalf("up on a full disk does not end:\n%s", p.words())
			}
			text := p.words()
			if p.cmd.ProcessState.ExitCode() == 0 {
				t.Skipf("%d MB are enough:\n%s", mb, text)
			}
			if !strings.Contains(text, "what to do:") || !strings.Contains(text, "room") && !strings.Contains(text, "space") {
				t.Errorf("a full disk is told without what to do:\n%s", text)
			}
			if out, err := exec.Command("mount", "-o", "remount,size=500m", disk).CombinedOutput(); err != nil {
				t.Fatalf("make room: %v: %s", err, out)
			}
			again := f.begin(org, "up", "--once")
			again.await("Every number adds up", 3*time.Minute)
			<-again.ended
			if got := f.exported(org); got != want {
				t.Errorf("the catalog has digest %s (%d bytes), that of an undisturbed run %s (%d bytes)", digest(got), len(got), digest(want), len(want))
			}
		})
	}
}

// The disk of a database server that is full is told with what to do, and loses nothing either.
func TestAFullDiskOfTheServerLosesNothing(t *testing.T) {
	org := slowOrg(t)
	want := undisturbed(t, org)
	database := pgserver.Database(t, nil)
	disk := smallDisk(t, 20) // an empty database has 8 MB
	onSmallDisk(t, database, filepath.Join(disk, "tables"))
	env := append(org, "LONGSHORE_DATABASE_URL="+database)
	f := newFolder(t)
	p := f.begin(env, "up", "--once")
	<-p.ended
	if text := p.words(); p.cmd.ProcessState.ExitCode() == 0 || !strings.Contains(text, "the database server's disk is full") || !strings.Contains(text, "make room") {
		t.Fatalf("exit %d, and a full disk is not told of with what to do:\n%s", p.cmd.ProcessState.ExitCode(), text)
	}
	if out, err := exec.Command("mount", "-o", "remount,size=500m", disk).CombinedOutput(); err != nil {
		t.Fatalf("make room: %v: %s", err, out)
	}
	again := f.begin(env, "up", "--once")
	again.await("Every number adds up", 3*time.Minute)
	<-again.ended
	if got := f.exported(env); got != want {
		t.Errorf("the catalog has digest %s (%d bytes), that of an undisturbed run %s (%d bytes)", digest(got), len(got), digest(want), len(want))
	}
}

// onSmallDisk moves a database to a folder of the machine, where the server is one of this machine's.
func onSmallDisk(t *testing.T, database, dir string) {
	t.Helper()
	must(t, os.Mkdir(dir, 0o700))
	u, err := url.Parse(database)
	must(t, err)
	name := strings.TrimPrefix(u.Path, "/")
	u.Path = "/postgres"
	db, err := sql.Open("pgx", u.String())
	must(t, err)
	defer db.Close()
	if out, err := exec.Command("chown", "postgres", dir).CombinedOutput(); err != nil {
		t.Skipf("the folder cannot be given to the server: %v: %s", err, out)
	}
	if _, err := db.Exec(`CREATE TABLESPACE ` + name + ` LOCATION '` + dir + `'`); err != nil {
		t.Skipf("the server cannot use the small disk: %v", err)
	}
	_, err = db.Exec(`ALTER DATABASE ` + name + ` SET TABLESPACE ` + name)
	must(t, err)
}
