//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"longshore/internal/lake"
	"longshore/internal/pipeline"
	"longshore/internal/rawjson"
	"longshore/internal/source/okta"
	"longshore/internal/source/okta/emulator"
)

// grants is how many grants, and as many revokes, each kind of feed is measured by.
const grants = 10

// world is a stand-in org in a process of its own, and longshore beside it in another.
type world struct {
	t                       *testing.T
	f                       folder
	org, control, listening string
	client, secret          string
	token                   string
	bucket                  lake.Bucket
	seen                    map[string]bool // objects of the lake that were looked into
}

// A grant and a revoke reach the lake, and the catalog, within seconds of the change: with event hooks, and by polling
// the log alone. In the end the catalog is the org's truth.
func TestFeedIsFresh(t *testing.T) {
	for _, c := range []struct {
		name  string
		hooks bool
		p95   time.Duration
	}{{"with hooks", true, 5 * time.Second}, {"polling alone", false, 30 * time.Second}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.hooks)
			inLake, inCatalog := w.measure()
			for place, took := range map[string][]time.Duration{"lake": inLake, "catalog": inCatalog} {
				slices.Sort(took)
				p95 := took[(len(took)*95+99)/100-1]
				t.Logf("%s, %d changes into the %s: p50 %s, p95 %s, slowest %s", c.name, len(took), place,
					took[len(took)/2].Round(10*time.Millisecond), p95.Round(10*time.Millisecond), took[len(took)-1].Round(10*time.Millisecond))
				if place == "lake" && p95 >= c.p95 {
					t.Errorf("95 of 100 changes took up to %s to reach the lake, want less than %s", p95, c.p95)
				}
			}
			w.settle()
		})
	}
}

// newWorld starts both programs and waits until the feed is at work.
func newWorld(t *testing.T, hooks bool) *world {
	t.Helper()
	w := &world{t: t, f: newFolder(t), org: freePort(t), control: freePort(t), listening: freePort(t), seen: map[string]bool{}}
	w.start(exec.Command(binary, "okta-emulator", "--users", "60", "--days", "2", "--events-per-day", "40", "--listen", w.org, "--control-listen", w.control,
		"--log-lag", "1s", "--index-lag", "1s", "--hooks", "shuffled=100%"), "Control API")
	check := w.longshore("check", "--credentials")
	out, err := check.Output()
	if err != nil {
		t.Fatalf("check --credentials: %v\n%s", err, out)
	}
	w.client, w.secret = found(t, out, `client id (\S+)`), found(t, out, `client secret (\S+)`)
	up := w.longshore("up", "--listen", w.listening)
	w.start(up, "Keeps syncing")
	buckets, err := filepath.Glob(filepath.Join(w.f.data, "lake", "org-*"))
	if err != nil || len(buckets) != 1 {
		t.Fatalf("buckets %q, %v, want one", buckets, err)
	}
	if w.bucket, err = lake.OpenFolder(buckets[0]); err != nil {
		t.Fatal(err)
	}
	if hooks {
		hook := okta.Registration("longshore", "http://"+w.listening+found(t, out, `YOUR-ADDRESS(\S+)`), found(t, out, `header Authorization (\S+)`))
		made := w.ask("POST", "http://"+w.org+"/api/v1/eventHooks", "SSWS "+emulator.DefaultToken, hook)
		w.ask("POST", "http://"+w.org+"/api/v1/eventHooks/"+rawjson.GetString(made, "id")+"/lifecycle/verify", "SSWS "+emulator.DefaultToken, nil)
	}
	return w
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func found(t *testing.T, text []byte, expression string) string {
	t.Helper()
	m := regexp.MustCompile(expression).FindSubmatch(text)
	if m == nil {
		t.Fatalf("%s is not in:\n%s", expression, text)
	}
	return string(m[1])
}

func (w *world) longshore(args ...string) *exec.Cmd {
	cmd := exec.Command(binary, append(args, "--data", w.f.data, "--s3-listen", w.f.s3)...)
	cmd.Env = append(os.Environ(), "OKTA_CLIENT_ORGURL=http://"+w.org, "OKTA_CLIENT_TOKEN="+emulator.DefaultToken, "LONGSHORE_DATA=")
	return cmd
}

// start runs a program until the test ends, and returns once it has said a word.
func (w *world) start(cmd *exec.Cmd, word string) {
	w.t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	said := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		told := false
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if !told && strings.Contains(lines.Text(), word) {
				told = true
				close(said)
			}
		}
	}()
	w.t.Cleanup(func() {
		begin := time.Now()
		_ = cmd.Process.Signal(os.Interrupt)
		<-ended
		if err := cmd.Wait(); err != nil {
			w.t.Errorf("%s ended with %v", cmd.Args[1], err)
		}
		if took := time.Since(begin); took > 10*time.Second {
			w.t.Errorf("%s took %s to end", cmd.Args[1], took)
		}
	})
	select {
	case <-said:
	case <-ended:
		w.t.Fatalf("%s ended early", cmd.Args[1])
	case <-time.After(time.Minute):
		w.t.Fatalf("%s does not say %q", cmd.Args[1], word)
	}
}

// ask sends a request and returns the body of its answer.
func (w *world) ask(method, url, authorization string, body []byte) []byte {
	w.t.Helper()
	status, answer := w.askStatus(method, url, authorization, body)
	if status != http.StatusOK {
		w.t.Fatalf("%s %s: %d %s", method, url, status, answer)
	}
	return answer
}

func (w *world) askStatus(method, url, authorization string, body []byte) (int, []byte) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", authorization)
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return response.StatusCode, answer
}

func (w *world) mutate(step map[string]any) {
	w.t.Helper()
	body, err := json.Marshal(step)
	if err != nil {
		w.t.Fatal(err)
	}
	w.ask("POST", "http://"+w.control+"/_emu/mutate", "", body)
}

// truth is the org's ledger of a kind.
func (w *world) truth(kind string) (all []string) {
	w.t.Helper()
	for line := range strings.Lines(string(w.ask("GET", "http://"+w.control+"/_emu/truth/"+kind, "", nil))) {
		all = append(all, line)
	}
	return all
}

// measure grants a role to users and takes it from them, and measures each change's way.
func (w *world) measure() (inLake, inCatalog []time.Duration) {
	w.t.Helper()
	holders := strings.Join(w.truth("user_role_assignments"), "")
	var users []string
	for _, user := range w.truth("users") {
		if id := rawjson.GetString([]byte(user), "id"); rawjson.GetString([]byte(user), "status") == "ACTIVE" && !strings.Contains(holders, id) {
			users = append(users, id)
		}
	}
	w.news() // what lies there already
	var open []*change
	next := 0
	look := time.NewTicker(50 * time.Millisecond) // the lake and the catalog are another process's: they are looked at until they tell
	defer look.Stop()
	for began := time.Now(); next < 2*grants || len(open) > 0; <-look.C {
		user, what := users[next%grants], "grant"
		if next >= grants {
			what = "revoke"
		}
		turn := time.Duration(next) * 1370 * time.Millisecond // changes fall anywhere between two polls
		if next < 2*grants && time.Since(began) >= turn && !slices.ContainsFunc(open, func(c *change) bool { return c.user == user }) {
			open = append(open, &change{user: user, revoke: what == "revoke", began: time.Now()})
			w.mutate(map[string]any{"what": what, "user": user, "role": "REPORT_ADMIN"})
			next++
		}
		arrived := w.news()
		for _, c := range open {
			if c.lake == 0 && arrived[c.user+fmt.Sprint(c.revoke)] {
				c.lake = time.Since(c.began)
			}
			if c.catalog == 0 && w.has("okta_role_assignment", "user/"+c.user+"/REPORT_ADMIN") == !c.revoke {
				c.catalog = time.Since(c.began)
			}
			if time.Since(c.began) > time.Minute {
				w.t.Fatalf("after a minute a change has not arrived: %+v", *c)
			}
		}
		open = slices.DeleteFunc(open, func(c *change) bool {
			if c.lake == 0 || c.catalog == 0 {
				return false
			}
			inLake, inCatalog = append(inLake, c.lake), append(inCatalog, c.catalog)
			return true
		})
	}
	return inLake, inCatalog
}

// change is a role that was given or taken, and how long it took to arrive.
type change struct {
	user          string
	revoke        bool
	began         time.Time
	lake, catalog time.Duration
}

// news looks into the objects of role assignments that were not looked into before, and returns the users that they tell
// of, with whether the role is gone.
func (w *world) news() map[string]bool {
	w.t.Helper()
	arrived := map[string]bool{}
	for o, err := range w.bucket.List(w.t.Context(), "data/", "") {
		if err != nil {
			w.t.Fatal(err)
		}
		if w.seen[o.Key] || !strings.Contains(o.Key, "/user_role_assignments/") {
			continue
		}
		w.seen[o.Key] = true
		for line, err := range lake.Lines(w.t.Context(), w.bucket, []string{o.Key}) {
			if err != nil {
				w.t.Fatal(err)
			}
			_, gone := rawjson.Get(line.Body, pipeline.DeletedMember)
			arrived[rawjson.GetString(line.Body, "userId")+fmt.Sprint(gone)] = true
		}
	}
	return arrived
}

// has asks the catalog for an entity.
func (w *world) has(blueprint, identifier string) bool {
	w.t.Helper()
	base := "http://" + w.listening + "/v1/"
	if w.token == "" {
		got := w.ask("POST", base+"auth/access_token", "", fmt.Appendf(nil, `{"clientId":%q,"clientSecret":%q}`, w.client, w.secret))
		w.token = "Bearer " + rawjson.GetString(got, "accessToken")
	}
	status, answer := w.askStatus("GET", base+"blueprints/"+blueprint+"/entities/"+strings.ReplaceAll(identifier, "/", "%2F"), w.token, nil)
	if status != http.StatusOK && status != http.StatusNotFound {
		w.t.Fatalf("GET %s %s: %d %s", blueprint, identifier, status, answer)
	}
	return status == http.StatusOK
}

// settle lets much happen at once, and waits until the catalog says what the org's ledger says.
func (w *world) settle() {
	w.t.Helper()
	w.mutate(map[string]any{"workload": map[string]any{"seed": 4, "changes": 80}})
	look, end := time.NewTicker(500*time.Millisecond), time.After(40*time.Second)
	defer look.Stop()
	for {
		differ := w.differ()
		if differ == "" {
			return
		}
		select {
		case <-look.C:
		case <-end:
			w.t.Errorf("the catalog differs from the org: %s", differ)
			return
		}
	}
}

func (w *world) differ() string {
	w.t.Helper()
	for kind, c := range map[string]struct {
		blueprint string
		key       func(record []byte) string
	}{
		"users":         {"okta_user", func(r []byte) string { return rawjson.GetString(r, "id") + " " + rawjson.GetString(r, "status") }},
		"groups":        {"okta_group", func(r []byte) string { return rawjson.GetString(r, "id") }},
		"group_members": {"okta_group_membership", func(r []byte) string { return rawjson.GetString(r, "groupId") + "/" + rawjson.GetString(r, "id") }},
	} {
		want := map[string]bool{}
		for _, record := range w.truth(kind) {
			want[c.key([]byte(record))] = true
		}
		for _, e := range w.entities(c.blueprint) {
			key := rawjson.GetString(e, "identifier")
			if c.blueprint == "okta_user" {
				key += " " + rawjson.GetString(e, "properties", "status")
			}
			if !want[key] {
				return fmt.Sprintf("%s %s is in the catalog alone", kind, key)
			}
			delete(want, key)
		}
		for key := range want {
			return fmt.Sprintf("%s %s is in the org alone", kind, key)
		}
	}
	roles := 0
	for _, kind := range []string{"user_role_assignments", "group_role_assignments", "client_role_assignments"} {
		roles += len(w.truth(kind))
	}
	if got := len(w.entities("okta_role_assignment")); got != roles {
		return fmt.Sprintf("the catalog has %d role assignments, the org %d", got, roles)
	}
	return ""
}

func (w *world) entities(blueprint string) (all [][]byte) {
	w.t.Helper()
	answer := w.ask("GET", "http://"+w.listening+"/v1/blueprints/"+blueprint+"/entities", w.token, nil)
	list, _ := rawjson.Get(answer, "entities")
	for e, err := range rawjson.Elements(list) {
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}
