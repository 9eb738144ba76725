package emulator

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// receiver is what hooks are delivered to, in this process.
type receiver struct {
	mu       sync.Mutex
	secrets  []string
	bodies   []string
	statuses []int // answered in turn, then 200
	hang     bool
	wrong    bool // answers challenges wrongly
}

func (v *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		challenge := r.Header.Get("x-okta-verification-challenge")
		if v.wrong {
			challenge += "?"
		}
		_, _ = fmt.Fprintf(w, `{"verification":%q}`, challenge)
		return
	}
	body, _ := io.ReadAll(r.Body)
	v.mu.Lock()
	v.secrets, v.bodies = append(v.secrets, r.Header.Get("Authorization")), append(v.bodies, string(body))
	status := http.StatusOK
	if len(v.statuses) > 0 {
		status, v.statuses = v.statuses[0], v.statuses[1:]
	}
	hang := v.hang
	v.mu.Unlock()
	if hang {
		<-r.Context().Done()
		return
	}
	w.WriteHeader(status)
}

func (v *receiver) took() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.bodies)
}

func (v *receiver) client() *http.Client { return &http.Client{Transport: transport{v}} }

func post(t testing.TB, o *Org, method, path, body string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, DefaultBaseURL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "SSWS "+DefaultToken)
	response, err := o.Client().Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = response.Body.Close() }()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, got}
}

const registration = `{"name":"feed","events":{"type":"EVENT_TYPE","items":["user.account.privilege.grant","user.account.privilege.revoke","group.user_membership.add","user.session.start","user.lifecycle.create","user.lifecycle.delete.initiated"],"filter":null},
	"channel":{"type":"HTTP","version":"1.0.0","config":{"uri":"https://receiver.example/hooks","headers":[{"key":"X-Env","value":"test"}],"method":"POST","authScheme":{"type":"HEADER","key":"Authorization","value":"open sesame"}}}}`

// register makes a verified hook and returns its id.
func register(t testing.TB, o *Org) string {
	t.Helper()
	r := post(t, o, "POST", "/api/v1/eventHooks", registration)
	var made struct{ ID, Status, VerificationStatus string }
	r.into(t, &made)
	if r.status != 200 || made.Status != "ACTIVE" || made.VerificationStatus != "UNVERIFIED" || strings.Contains(string(r.body), "sesame") {
		t.Fatalf("registration: %d %s", r.status, r.body)
	}
	r = post(t, o, "POST", "/api/v1/eventHooks/"+made.ID+"/lifecycle/verify", "")
	if r.status != 200 || !strings.Contains(string(r.body), `"VERIFIED"`) {
		t.Fatalf("verification: %d %s", r.status, r.body)
	}
	return made.ID
}

func TestAHookIsToldOfAGrantInItsOwnShape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &receiver{}
		o := New(Options{Hooks: HookOptions{Client: v.client()}})
		defer o.Close()
		id := register(t, o)
		u := somebody(t, o, 0)
		sure[string](t)(o.Grant(u, superAdmin, ""))
		synctest.Wait()
		if n := len(v.took()); n != 1 || v.secrets[0] != "open sesame" {
			t.Fatalf("%d deliveries, secrets %q", n, v.secrets)
		}
		var e struct {
			EventType, EventID, EventTime, Source, CloudEventsVersion, ContentType string
			Data                                                                   struct{ Events []map[string]any }
		}
		if err := json.Unmarshal([]byte(v.bodies[0]), &e); err != nil {
			t.Fatal(err)
		}
		if e.EventType != "com.okta.event_hook" || len(e.EventID) != 36 || e.CloudEventsVersion != "0.1" || !strings.HasSuffix(e.Source, "/api/v1/eventHooks/"+id) || len(e.Data.Events) != 1 {
			t.Fatalf("envelope %s", v.bodies[0])
		}
		told := e.Data.Events[0]
		client, _ := told["client"].(map[string]any)
		if _, has := told["request"]; has || told["insertionTimestamp"] == nil || client["ipChain"] == nil {
			t.Errorf("event %v", told)
		}
		logged := events(t, o, "since="+o.options.Now.Add(time.Nanosecond).Format(time.RFC3339Nano))
		var last struct{ UUID string }
		if err := json.Unmarshal(logged[len(logged)-1], &last); err != nil || last.UUID != told["uuid"] {
			t.Errorf("the hook's event is %v, the log's %s", told["uuid"], last.UUID)
		}
	})
}

func TestHooksAreRetriedOnceOnFailuresOfTheirs(t *testing.T) {
	for _, c := range []struct {
		name             string
		statuses         []int
		hang             bool
		attempts, failed int
	}{
		{"answered", nil, false, 1, 0},
		{"no content", []int{204}, false, 1, 0},
		{"once 500", []int{500}, false, 2, 0},
		{"twice 500", []int{500, 503}, false, 2, 1},
		{"400", []int{400}, false, 1, 1},
		{"no answer", nil, true, 2, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := &receiver{statuses: c.statuses}
				o := New(Options{Users: minUsers, EventsPerDay: -1, Hooks: HookOptions{Client: v.client()}})
				defer o.Close()
				register(t, o)
				v.hang = c.hang
				begin := time.Now()
				ok(t, o.SignIn("me"))
				time.Sleep(10 * time.Second) // of the bubble
				if n := len(v.took()); n != c.attempts {
					t.Errorf("%d attempts, want %d", n, c.attempts)
				}
				if s := o.HookStats(); s.Failed != c.failed || s.Delivered != 1-c.failed {
					t.Errorf("counted %+v, want %d failed", s, c.failed)
				}
				failures := 0
				for _, e := range newEvents(t, o) {
					if e == "event_hook.delivery" {
						failures++
					}
				}
				if failures != c.failed {
					t.Errorf("%d failures in the log after %v, want %d", failures, time.Since(begin), c.failed)
				}
			})
		})
	}
}

func TestDeliveriesAreDroppedDoubledAndShuffled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &receiver{}
		o := New(Options{Hooks: HookOptions{Client: v.client(), Dropped: 300, Duplicated: 200, Shuffled: 500}})
		defer o.Close()
		register(t, o)
		const changes = 400
		for range changes {
			ok(t, o.SignIn("me"))
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		var ids, times []string
		for _, body := range v.took() {
			var e struct{ EventID, EventTime string }
			if err := json.Unmarshal([]byte(body), &e); err != nil {
				t.Fatal(err)
			}
			ids, times = append(ids, e.EventID), append(times, e.EventTime)
		}
		slices.Sort(ids)
		distinct := len(slices.Compact(slices.Clone(ids)))
		if distinct < changes*6/10 || distinct > changes*8/10 {
			t.Errorf("%d of %d arrived, want about 70%%", distinct, changes)
		}
		if doubled := len(ids) - distinct; doubled < changes/10 || doubled > changes*2/10 {
			t.Errorf("%d of %d arrived twice, want about 14%%", doubled, changes)
		}
		if slices.IsSorted(times) {
			t.Error("nothing was out of order")
		}
		if s := o.HookStats(); s.Dropped != changes-distinct || s.Waiting != 0 {
			t.Errorf("counted %+v", s)
		}
	})
}

func TestHooksAreChecked(t *testing.T) {
	v := &receiver{wrong: true}
	o := New(Options{Users: minUsers, Hooks: HookOptions{Client: v.client()}})
	defer o.Close()
	for _, c := range []struct{ name, from, to string }{
		{"a type that cannot be delivered", "user.session.start", "user.lifecycle.delete.completed"},
		{"no address", "https://receiver.example/hooks", "receiver"},
		{"no name", `"name":"feed"`, `"name":""`},
		{"no types", `"EVENT_TYPE"`, `"OTHER"`},
		{"no JSON", `{"name"`, `["name"`},
	} {
		if r := post(t, o, "POST", "/api/v1/eventHooks", strings.Replace(registration, c.from, c.to, 1)); r.status != 400 {
			t.Errorf("%s: %d %s", c.name, r.status, r.body)
		}
	}
	var made struct{ ID string }
	post(t, o, "POST", "/api/v1/eventHooks", registration).into(t, &made)
	path := "/api/v1/eventHooks/" + made.ID
	if r := post(t, o, "POST", path+"/lifecycle/verify", ""); r.status != 400 {
		t.Errorf("a wrong answer to the challenge: %d", r.status)
	}
	ok(t, o.SignIn("me"))
	if r := post(t, o, "DELETE", path, ""); r.status != 400 {
		t.Errorf("an ACTIVE hook was deleted: %d", r.status)
	}
	if r := post(t, o, "POST", path+"/lifecycle/deactivate", ""); r.status != 200 || !strings.Contains(string(r.body), `"INACTIVE"`) {
		t.Errorf("deactivate: %d %s", r.status, r.body)
	}
	if r := post(t, o, "DELETE", path, ""); r.status != 204 {
		t.Errorf("delete: %d %s", r.status, r.body)
	}
	if r := get(t, o, path); r.status != 404 {
		t.Errorf("the deleted hook: %d", r.status)
	}
	if len(v.took()) != 0 {
		t.Error("an unverified hook was told")
	}
	if o.hooks.wake != nil {
		t.Error("somebody still delivers though there is no hook")
	}
}
