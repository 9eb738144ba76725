package emulator

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// recorded reads a file of recorded exchanges, which are not part of the project.
func recorded(t *testing.T, name string) []struct {
	Request string
	Body    json.RawMessage
	Event   json.RawMessage
	Source  string
} {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "..", "shared", "okta-samples", name))
	if err != nil {
		t.Skipf("no recorded samples beside the repository: %v", err)
	}
	var all []struct {
		Request string
		Body    json.RawMessage
		Event   json.RawMessage
		Source  string
	}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// keysOf returns the keys of a JSON object in their order.
func keysOf(t *testing.T, object []byte) (keys []string) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(object))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		t.Fatalf("no object: %.80s", object)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key.(string))
		var skip json.RawMessage
		if err := d.Decode(&skip); err != nil {
			t.Fatal(err)
		}
	}
	return keys
}

// sameOrder says whether the keys that two objects share come in one order.
func sameOrder(a, b []string) bool {
	shared := func(of, in []string) (kept []string) {
		for _, k := range of {
			if slices.Contains(in, k) {
				kept = append(kept, k)
			}
		}
		return kept
	}
	return slices.Equal(shared(a, b), shared(b, a))
}

func member(t *testing.T, object []byte, name string) json.RawMessage {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(object, &m); err != nil {
		t.Fatal(err)
	}
	return m[name]
}

func objects(t *testing.T, body json.RawMessage, key string) []json.RawMessage {
	t.Helper()
	if key != "" && member(t, body, key) != nil {
		body = member(t, body, key)
	}
	if bytes.HasPrefix(body, []byte("[")) {
		var all []json.RawMessage
		if err := json.Unmarshal(body, &all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	return []json.RawMessage{body}
}

func TestServedUsersLookLikeRecordedOnes(t *testing.T) {
	o := New(Options{})
	served := make(map[string]json.RawMessage) // by status, read by id
	for _, u := range briefs(t, pages(t, o, "/api/v1/users?search=status+pr", "")) {
		if served[u.Status] == nil {
			served[u.Status] = get(t, o, "/api/v1/users/"+u.ID).body
		}
	}
	compared := 0
	for _, s := range recorded(t, "users.json") {
		for _, user := range objects(t, s.Body, "") {
			status := strings.Trim(string(member(t, user, "status")), `"`)
			mine := served[status]
			want := slices.DeleteFunc(keysOf(t, user), func(k string) bool { return k == "realmId" || k == "transitioningToStatus" })
			got := slices.DeleteFunc(keysOf(t, mine), func(k string) bool { return k == "realmId" })
			if !slices.Equal(want, got) {
				t.Errorf("%s: served keys %v, recorded %v", status, got, want)
			}
			if a, b := keysOf(t, member(t, mine, "profile")), keysOf(t, member(t, user, "profile")); len(b) > 6 && !sameOrder(a, b) {
				t.Errorf("profile keys served %v, recorded %v", a, b)
			}
			if a, b := keysOf(t, member(t, mine, "_links")), keysOf(t, member(t, user, "_links")); len(b) > 1 {
				for _, link := range a {
					if !slices.Contains(b, link) && link != "resetFactors" {
						t.Errorf("%s has link %s, recorded are %v", status, link, b)
					}
				}
				if !sameOrder(a, b) {
					t.Errorf("%s: links served %v, recorded %v", status, a, b)
				}
			}
			compared++
		}
	}
	if compared < 10 {
		t.Errorf("compared %d users", compared)
	}
}

func TestServedRolesGroupsPermissionsLookLikeRecordedOnes(t *testing.T) {
	o := New(Options{})
	standard := func(kind string) []byte {
		for item := range o.Truth(kind) {
			if !bytes.Contains(item, []byte(`"resource-set"`)) {
				for _, added := range []string{`,"userId"`, `,"groupId"`} {
					item, _, _ = bytes.Cut(item, []byte(added))
				}
				return append(bytes.Clone(item), '}')
			}
		}
		t.Fatalf("no %s", kind)
		return nil
	}
	for _, c := range []struct {
		file, key string
		mine      []byte
		optional  []string
	}{
		{"user_roles.json", "", standard("user_role_assignments"), nil},
		{"group_roles.json", "", standard("group_role_assignments"), nil},
		{"groups.json", "", first(o, "groups"), nil},
		{"iam_roles.json", "roles", first(o, "custom_roles"), []string{"isCloneable"}},
		{"permissions.json", "permissions", pages(t, o, "/api/v1/iam/roles/"+o.id(kindRole, 0)+"/permissions", "permissions")[0], nil},
		{"iam_assignees_users.json", "value", pages(t, o, "/api/v1/iam/assignees/users", "value")[0], nil},
		{"well_known_okta_organization.json", "", get(t, o, "/.well-known/okta-organization").body, nil},
	} {
		for _, s := range recorded(t, c.file) {
			for _, theirs := range objects(t, s.Body, c.key) {
				want, got := keysOf(t, theirs), keysOf(t, c.mine)
				drop := func(k string) bool { return slices.Contains(c.optional, k) }
				if !slices.Equal(slices.DeleteFunc(want, drop), slices.DeleteFunc(got, drop)) {
					t.Errorf("%s: served keys %v, recorded %v", c.file, got, want)
				}
				if a, b := keysOf(t, member(t, c.mine, "_links")), keysOf(t, member(t, theirs, "_links")); !sameOrder(a, b) {
					t.Errorf("%s: links served %v, recorded %v", c.file, a, b)
				}
			}
		}
	}
}

func first(o *Org, kind string) []byte {
	for item := range o.Truth(kind) {
		return bytes.Clone(item)
	}
	return nil
}

func TestServedEventsLookLikeRecordedOnes(t *testing.T) {
	o := New(Options{})
	var mine []json.RawMessage
	for item := range o.Truth("logs") {
		mine = append(mine, bytes.Clone(item))
		if len(mine) == 2000 {
			break
		}
	}
	for _, s := range recorded(t, "logs_with_source.json") {
		if !strings.Contains(s.Source, "recorded") || strings.Contains(s.Source, "not recorded") {
			continue
		}
		sorted := func(keys []string) []string { slices.Sort(keys); return keys }
		want, served := keysOf(t, s.Event), keysOf(t, mine[0])
		inOrder := strings.Contains(s.Source, "airbytehq") // the others were put into alphabetical order
		if inOrder && !slices.Equal(want, served) {
			t.Errorf("served keys %v, recorded %v", served, want)
		}
		if want = slices.DeleteFunc(want, func(k string) bool { return k == "device" }); !slices.Equal(sorted(want), slices.DeleteFunc(sorted(served), func(k string) bool { return k == "device" })) {
			t.Errorf("served key set %v, recorded %v", served, want)
		}
		for _, part := range []string{"actor", "client", "authenticationContext", "securityContext", "transaction", "request"} {
			want := sorted(keysOf(t, member(t, s.Event, part)))
			if i := slices.IndexFunc(mine, func(e json.RawMessage) bool {
				got := sorted(keysOf(t, member(t, e, part)))
				return slices.Equal(got, want) || part == "authenticationContext" && slices.Equal(slices.DeleteFunc(got, func(k string) bool { return k == "rootSessionId" }), want)
			}); i < 0 {
				t.Errorf("no served event has %s with the keys %v", part, want)
			}
		}
	}
}
