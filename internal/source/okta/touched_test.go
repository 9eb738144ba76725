package okta

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"longshore/internal/pipeline"
)

func TestEventsTouchByTheTypesOfTheirTargets(t *testing.T) {
	target := func(pairs ...string) string {
		var list []string
		for i := 0; i < len(pairs); i += 2 {
			list = append(list, fmt.Sprintf(`{"type":%q,"id":%q,"detailEntry":null}`, pairs[i], pairs[i+1]))
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	index := newEffectIndex()
	for _, c := range []struct{ eventType, targets, want string }{
		{"user.account.update_profile", target("User", "00u1"), "[{0 00u1 }]"},
		{"user.account.update_user_type", target("User", "00u1"), "[{0 00u1 }]"},
		{"user.lifecycle.suspend", target("User", "00u1"), "[{0 00u1 }]"},
		{"user.lifecycle.create", target("User", "00u1"), "[{0 00u1 } {1 00u1 } {4 00u1 }]"},
		{"user.lifecycle.delete.completed", target("User", "00u1"), "[{0 00u1 } {1 00u1 } {3 00u1 } {11  }]"},
		{"user.account.privilege.grant", target("ROLE", "x", "User", "00u1"), "[{1 00u1 } {11  }]"},
		{"group.user_membership.add", target("UserGroup", "00g1", "User", "00u1"), "[{5 00g1 } {2 00u1 00g1}]"},
		{"group.user_membership.remove", target("User", "00u1", "UserGroup", "00g1"), "[{5 00g1 } {2 00u1 00g1}]"},
		{"group.user_membership.rule.update", target("UserGroup", "00g1"), "[{7 00g1 }]"},
		{"group.privilege.revoke", target("UserGroup", "00g1"), "[{6 00g1 } {11  }]"},
		{"iam.role.permissions.add", target("PERMISSION", "p", "CUSTOM_ROLE", "cr01"), "[{9 cr01 }]"},
		{"iam.role.update", target("SOMETHING_NEW", "cr01"), "[{10  }]"},
		{"iam.resourceset.bindings.add", target("RESOURCE_SET", "iam1", "ROLE", "cr01", "UserGroup", "00g1"), "[{12 iam1 } {6 00g1 }]"},
		{"app.oauth2.client.privilege.grant", target("PublicClientApp", "0oa1"), "[{8 0oa1 }]"},
		{"app.user_management", "null", "[{14  }]"},
		{"user.session.start", target("User", "00u1"), "[]"},
		{"policy.evaluate_sign_on", "null", "[]"},
		{"user.account.lock", target("User", "unknown"), "[]"},
		{"user.account.lock", target("User", "../../groups"), "[]"},
		{"user.account.lock", "null", "[]"},
		{"", "null", "[]"},
	} {
		event := fmt.Sprintf(`{"eventType":%q,"outcome":{"result":"FAILURE"},"target":%s}`, c.eventType, c.targets)
		if got := fmt.Sprint(index.touches([]byte(event))); got != c.want {
			t.Errorf("%s of %s touches %s, want %s", c.eventType, c.targets, got, c.want)
		}
	}
}

// Every type that a hook is registered for touches something: anything else would be calls for nothing.
func TestHookTypesTouchSomething(t *testing.T) {
	index := newEffectIndex()
	for _, name := range HookTypes() {
		if index.of(name) == nil {
			t.Errorf("a hook for %s touches nothing", name)
		}
	}
}

func TestRememberedForgetsTheOldest(t *testing.T) {
	r := newRemembered(3)
	for i := range 10 {
		if !r.add(fmt.Sprint("e", i)) || r.add(fmt.Sprint("e", i)) {
			t.Errorf("e%d: want it new once", i)
		}
	}
	for i := range 10 {
		if got := r.has(fmt.Sprint("e", i)); got != (i >= 7) {
			t.Errorf("e%d is remembered: %t, want the newest 3", i, got)
		}
	}
	if len(r.have) != 3 || !r.add("") || !r.add("") {
		t.Errorf("%d are remembered, want 3, and nothing of events without a uuid", len(r.have))
	}
}

// What is known does not depend on the order in which the lake is read, and is bounded.
func TestMemoryKnowsTheNewest(t *testing.T) {
	primary := map[string][][]string{userRolesStream: {{"userId"}, {"id"}}}
	records := []pipeline.Recalled{
		{Record: []byte(`{"userId":"u","id":"a","type":"X"}`), Generation: 1, ExtractedAt: 10},
		{Record: []byte(`{"userId":"u","id":"a","_ab_cdc_deleted_at":"x"}`), Generation: 1, ExtractedAt: 20},
		{Record: []byte(`{"userId":"u","id":"b"}`), Generation: 1, ExtractedAt: 30},
		{Record: []byte(`{"userId":"u","id":"b","_ab_cdc_deleted_at":"x"}`), Generation: 1, ExtractedAt: 20},
		{Record: []byte(`{"userId":"u","id":"c","_ab_cdc_deleted_at":"x"}`), Generation: 1, ExtractedAt: 99},
		{Record: []byte(`{"userId":"u","id":"c"}`), Generation: 2, ExtractedAt: 1},
	}
	for range 2 {
		m := newMemory(primary)
		for _, r := range records {
			m.learn(userRoles, r)
		}
		m.settle()
		gone := m.replace(userRoles, "u", [][]byte{[]byte(`{"userId":"u","id":"c"}`), []byte(`{"userId":"u","id":"d"}`)})
		if len(gone) != 1 || string(gone[0]) != `{"id":"b","userId":"u"}` || m.count != 2 {
			t.Errorf("gone %q, %d known; want b gone, c and d known", gone, m.count)
		}
		slices.Reverse(records)
	}
	m := newMemory(primary)
	m.limit = 1
	m.learn(userRoles, records[0])
	m.learn(userRoles, pipeline.Recalled{Record: []byte(`{"userId":"v","id":"z"}`)})
	if m.count != 1 || !m.full[userRolesStream] {
		t.Errorf("%d known, full %v; want the limit kept, and known to be", m.count, m.full)
	}
}

func FuzzParseDelivery(f *testing.F) {
	f.Add([]byte(`{"eventId":"1","data":{"events":[{"uuid":"u","eventType":"user.account.lock","target":[{"id":"00u1","type":"User"}]}]}}`))
	f.Add([]byte(`{"data":{"events":[{"target":null},{}]}}`))
	f.Add([]byte(`{"data":{"events":{}}}`))
	index := newEffectIndex()
	f.Fuzz(func(t *testing.T, body []byte) {
		delivery, events, err := parseDelivery(body)
		if err != nil {
			return
		}
		if delivery == "" {
			t.Error("a delivery without an id")
		}
		for _, e := range events {
			if e.UUID == "" || len(e.Event) > maxEventTargets*8*maxIDBytes {
				t.Errorf("event %q of %d bytes", e.UUID, len(e.Event))
			}
			index.touches(e.Event)
		}
	})
}
