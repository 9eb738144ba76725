//go:build clients

package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"longshore/internal/store/storetest/pgserver"
)

// An oceanVersion is a release of the framework as PyPI has it.
type oceanVersion struct {
	version       string
	python        string // the least Python it runs on
	createMissing bool   // createMissingRelatedEntities: for a release that does not try failed entities again, or deletes them as stale when it did
	runs          int    // resyncs until everything is in place
}

var oceanVersions = []oceanVersion{
	{"0.12.9", "3.11", true, 1},   // entities one by one, in no order
	{"0.18.0", "3.12", true, 1},   // compares with what is there; takes for stale what it tried again, hence createMissing
	{"0.48.13", "3.12", false, 3}, // in bulk; what failed is tried again in order but bare, without its properties, so that it is whole only later
}

// find finds an interpreter that a release runs on.
func (v oceanVersion) find(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("PORT_CLIENTS_PYTHON"), "python3.12", "python3.11", "python3"} {
		if name == "" {
			continue
		}
		check := fmt.Sprintf("import sys, venv; sys.exit(not ((%s) <= sys.version_info[:2] < (3, 13)))", strings.ReplaceAll(v.python, ".", ","))
		if exec.Command(name, "-c", check).Run() == nil {
			return name
		}
	}
	t.Skipf("port-ocean %s needs Python %s to 3.12: set PORT_CLIENTS_PYTHON", v.version, v.python)
	return ""
}

// install makes a virtual environment with the framework, once; it is kept in the user's cache.
func (v oceanVersion) install(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	dir := filepath.Join(cache, "longshore-port-clients", "ocean-"+v.version)
	python := filepath.Join(dir, "bin", "python")
	if exec.Command(python, "-c", "import port_ocean").Run() == nil {
		return python
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	for _, step := range [][]string{{v.find(t), "-m", "venv", "--clear", dir}, {python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "port-ocean==" + v.version}} {
		if out, err := exec.CommandContext(ctx, step[0], step[1:]...).CombinedOutput(); err != nil {
			t.Skipf("port-ocean %s cannot be installed: %v: %s", v.version, err, bytes.TrimSpace(out))
		}
	}
	return python
}

// roster is what the integration reads.
type roster struct {
	Person     []map[string]any `json:"person"`
	Department []map[string]any `json:"department"`
	Site       []map[string]any `json:"site"`
}

const people = "https://roster.example/people/"

// newRoster makes 280 people with a chain of managers, one record that lacks a required relation and one that the selector leaves out.
func newRoster() (r roster) {
	for i := 1; i <= 280; i++ {
		p := map[string]any{
			"id": fmt.Sprint(people, i), "name": fmt.Sprint("Person ", i), "email": fmt.Sprintf("p%d@roster.example", i), "number": float64(i) * 1.5,
			"active": i%2 == 0, "skills": []any{"go", "jq"}[:i%3], "profile": map[string]any{"k": map[string]any{"n": float64(i)}},
			"since": "2026-01-05T10:00:00.000Z", "department": fmt.Sprint("d", i%9), "sites": []any{fmt.Sprintf("s%d/r1", i%5), fmt.Sprintf("s%d/r2", i%5)},
		}
		if i > 1 {
			p["manager"] = fmt.Sprint(people, i/2)
		}
		r.Person = append(r.Person, p)
	}
	r.Person = append(r.Person,
		map[string]any{"id": "bad", "name": "Bad", "email": "bad@roster.example"},
		map[string]any{"id": "hid", "name": "Hid", "email": "h@roster.example", "department": "d1", "hidden": true})
	for i := range 10 {
		r.Department = append(r.Department, map[string]any{"id": fmt.Sprint("d", i), "name": fmt.Sprint("Department ", i), "budget": 1000 * float64(i), "site": fmt.Sprintf("s%d/r1", i%5)})
	}
	for i := range 5 {
		r.Site = append(r.Site, map[string]any{"id": fmt.Sprint("s", i), "city": fmt.Sprint("City ", i), "rooms": []any{map[string]any{"name": "r1"}, map[string]any{"name": "r2"}}})
	}
	return r
}

// An integration is the real framework with the records of a roster.
type integration struct {
	*running
	python, dir, records string
}

func newIntegration(r *running, v oceanVersion, python string) *integration {
	r.Helper()
	i := &integration{r, python, r.TempDir(), filepath.Join(r.TempDir(), "records.json")}
	if err := os.CopyFS(i.dir, os.DirFS("testdata/ocean")); err != nil {
		r.Fatal(err)
	}
	if v.createMissing {
		file := filepath.Join(i.dir, ".port/resources/port-app-config.yml")
		text, err := os.ReadFile(file)
		if err != nil {
			r.Fatal(err)
		}
		text = bytes.Replace(text, []byte("createMissingRelatedEntities: false"), []byte("createMissingRelatedEntities: true"), 1)
		if err := os.WriteFile(file, text, 0o600); err != nil {
			r.Fatal(err)
		}
	}
	return i
}

func (i *integration) write(r roster) {
	i.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		i.Fatal(err)
	}
	if err := os.WriteFile(i.records+".new", text, 0o600); err != nil {
		i.Fatal(err)
	}
	if err := os.Rename(i.records+".new", i.records); err != nil {
		i.Fatal(err)
	}
}

// start starts the framework with an event listener.
func (i *integration) start(listener string) (*exec.Cmd, *bytes.Buffer) {
	i.Helper()
	port := freePort(i.T)
	cmd := exec.CommandContext(i.Context(), i.python, "-c", "from port_ocean import run; run(log_level='DEBUG', port="+port+")")
	cmd.Dir = i.dir
	cmd.Env = append(os.Environ(),
		"OCEAN__PORT__CLIENT_ID="+i.id, "OCEAN__PORT__CLIENT_SECRET="+i.secret, "OCEAN__PORT__BASE_URL="+i.origin, "OCEAN__EVENT_LISTENER="+listener,
		"OCEAN__INTEGRATION__IDENTIFIER=my-roster", "OCEAN__INTEGRATION__TYPE=roster", "OCEAN__INITIALIZE_PORT_RESOURCES=true", "RECORDS="+i.records)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		i.Fatal(err)
	}
	return cmd, &out
}

// once runs the framework for one resync.
func (i *integration) once() {
	i.Helper()
	cmd, out := i.start(`{"type":"ONCE"}`)
	kill := time.AfterFunc(3*time.Minute, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), "Resync finished successfully") {
		i.Fatalf("the framework ended with %v\n%s", err, worst(out.String()))
	}
}

// worst are the last lines that tell of failures.
func worst(log string) string {
	var lines []string
	for line := range strings.Lines(log) {
		if strings.Contains(line, "ERROR") || strings.Contains(line, "Error") {
			lines = append(lines, line[:min(len(line), 400)])
		}
	}
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// entity is what is compared of an entity.
type entity struct {
	Identifier, Title, UpdatedAt string
	Properties, Relations        map[string]any
}

func (i *integration) entities(blueprint string) map[string]entity {
	i.Helper()
	i.signIn()
	var got struct{ Entities []entity }
	i.call("GET", "/v1/blueprints/"+blueprint+"/entities", "", &got)
	all := map[string]entity{}
	for _, e := range got.Entities {
		all[e.Identifier] = e
	}
	return all
}

// differ compares the catalog with the records; "" means that they agree.
func (i *integration) differ(r roster) string {
	i.Helper()
	var wrong []string
	check := func(blueprint string, want map[string]entity) {
		got := i.entities(blueprint)
		if len(got) != len(want) {
			wrong = append(wrong, fmt.Sprintf("%s: %d entities, want %d", blueprint, len(got), len(want)))
		}
		for id, w := range want {
			g := got[id]
			g.UpdatedAt = ""
			for name := range g.Properties {
				if _, known := w.Properties[name]; !known && w.Properties != nil {
					delete(g.Properties, name)
				}
			}
			if !reflect.DeepEqual(g, w) {
				wrong = append(wrong, fmt.Sprintf("%s %s:\n  got  %+v\n  want %+v", blueprint, id, g, w))
			}
		}
	}
	heads := map[string]float64{}
	city := func(department string) string { return "City " + fmt.Sprint((department[1]-'0')%5) }
	persons := map[string]entity{}
	for _, p := range r.Person {
		if p["id"] == "bad" || p["id"] == "hid" {
			continue
		}
		department := p["department"].(string)
		heads[department]++
		persons[p["id"].(string)] = entity{Identifier: p["id"].(string), Title: p["name"].(string), Properties: map[string]any{
			"email": p["email"], "number": p["number"], "active": p["active"], "skills": p["skills"], "profile": p["profile"], "since": p["since"],
			"site_city": city(department), "badge": p["email"].(string) + "/" + p["name"].(string),
		}, Relations: map[string]any{"department": department, "manager": p["manager"], "sites": p["sites"]}}
	}
	check("roster_person", persons)
	departments := map[string]entity{}
	for _, d := range r.Department {
		id := d["id"].(string)
		departments[id] = entity{Identifier: id, Title: d["name"].(string), Properties: map[string]any{"budget": d["budget"], "people": heads[id]}, Relations: map[string]any{"site": d["site"]}}
	}
	check("roster_department", departments)
	sites := map[string]entity{}
	for _, s := range r.Site {
		for _, room := range s["rooms"].([]any) {
			name := room.(map[string]any)["name"].(string)
			id := s["id"].(string) + "/" + name
			sites[id] = entity{Identifier: id, Title: name, Properties: map[string]any{"city": s["city"]}, Relations: map[string]any{}}
		}
	}
	check("roster_site", sites)
	if len(wrong) > 6 {
		wrong = append(wrong[:6], fmt.Sprintf("and %d more", len(wrong)-6))
	}
	return strings.Join(wrong, "\n")
}

// agree demands that the catalog agrees with the records.
func (i *integration) agree(r roster, after string) {
	i.Helper()
	if d := i.differ(r); d != "" {
		i.Fatalf("after %s the catalog differs from the records:\n%s", after, d)
	}
}

func TestOcean(t *testing.T) {
	for _, v := range oceanVersions {
		t.Run(v.version, func(t *testing.T) {
			python := v.install(t)
			t.Run("sqlite", func(t *testing.T) { oceanRun(t, v, python) })
			t.Run("postgres", func(t *testing.T) {
				t.Setenv("LONGSHORE_DATABASE_URL", pgserver.Database(t, nil))
				oceanRun(t, v, python)
			})
		})
	}
}

// oceanRun is the life of an integration: first run, a resync without news, changes and deletions, and a run that polls.
func oceanRun(t *testing.T, v oceanVersion, python string) {
	i := newIntegration(up(t), v, python)
	r := newRoster()
	i.write(r)
	for range v.runs {
		i.once()
	}
	i.agree(r, fmt.Sprint("the first ", v.runs, " resyncs"))
	i.installed()

	before := i.entities("roster_person")
	i.once()
	if after := i.entities("roster_person"); !reflect.DeepEqual(before, after) {
		t.Errorf("a resync without news changed people")
	}

	r.Person = append(r.Person[:250:250], r.Person[280:]...)
	r.Department = r.Department[:9]
	for n := range 7 {
		r.Person[n]["name"] = fmt.Sprint("Renamed ", n)
	}
	i.write(r)
	i.once()
	i.agree(r, "changes and deletions")
	i.polling(r)
}

// installed checks the defaults that the framework makes.
func (i *integration) installed() {
	i.Helper()
	var cards struct {
		Scorecards []struct{ Identifier string }
	}
	i.call("GET", "/v1/blueprints/roster_person/scorecards", "", &cards)
	if len(cards.Scorecards) != 1 || cards.Scorecards[0].Identifier != "staffing" {
		i.Errorf("scorecards %+v", cards)
	}
	if state := i.state(); state.Status != "completed" {
		i.Errorf("resync state %+v", state)
	}
}

type resyncState struct{ Status, LastResyncEnd string }

func (i *integration) state() resyncState {
	i.Helper()
	var got struct {
		Integration struct{ ResyncState resyncState }
	}
	i.call("GET", "/v1/integration/my-roster?byField=installationId", "", &got)
	return got.Integration.ResyncState
}

// polling lets the framework wait for requests to resync: one that is waiting when it starts, and one that a user makes.
func (i *integration) polling(r roster) {
	i.Helper()
	cmd, out := i.start(`{"type":"POLLING","interval":2}`)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			_ = cmd.Process.Kill()
		}
	}()
	for _, name := range []string{"Polled", "Polled again"} {
		before := i.state()
		r.Person[3]["name"] = name
		i.write(r)
		i.call("PATCH", "/v1/integration/my-roster", `{}`, &struct{}{})
		look := time.NewTicker(250 * time.Millisecond) // the client is a process of its own: it is looked at until it tells
		for deadline := time.Now().Add(time.Minute); ; <-look.C {
			if s := i.state(); s.Status == "completed" && s.LastResyncEnd != before.LastResyncEnd {
				if i.differ(r) == "" {
					break
				}
			}
			if time.Now().After(deadline) {
				_ = cmd.Process.Kill()
				<-ended
				i.Fatalf("polling did not bring %q: %+v\n%s\n%s", name, i.state(), i.differ(r), worst(out.String()))
			}
		}
		look.Stop()
	}
}
