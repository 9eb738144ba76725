package emulator

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// like fails when an object that is served has other keys than a recorded one, or their common keys in another order.
func like(t *testing.T, what string, served, record json.RawMessage, optional ...string) {
	t.Helper()
	drop := func(k string) bool { return slices.Contains(optional, k) }
	got, want := slices.DeleteFunc(keysOf(t, served), drop), slices.DeleteFunc(keysOf(t, record), drop)
	if !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
		t.Errorf("%s: served keys %v, recorded %v", what, got, want)
	}
	if !sameOrder(got, want) {
		t.Errorf("%s: keys served in the order %v, recorded %v", what, got, want)
	}
}

func TestServedApplicationsLookLikeRecordedOnes(t *testing.T) {
	o := New(Options{EventsPerDay: -1})
	modes := make(map[string]json.RawMessage)
	for _, item := range pages(t, o, "/api/v1/apps", "") {
		mode := strings.Trim(string(member(t, item, "signOnMode")), `"`)
		if modes[mode] == nil && !bytes.Contains(item, []byte(`"Active Directory"`)) || bytes.Contains(item, []byte(`"application_type":"service"`)) {
			modes[mode] = item
		}
	}
	for _, s := range recorded(t, "apps.json") {
		mode := strings.Trim(string(member(t, s.Body, "signOnMode")), `"`)
		mine := modes[mode]
		if mine == nil {
			t.Errorf("no application is %s", mode)
			continue
		}
		like(t, mode, mine, s.Body, "universalLogout") // not in older orgs
		for _, part := range []string{"accessibility", "visibility"} {
			like(t, mode+" "+part, member(t, mine, part), member(t, s.Body, part))
		}
		like(t, mode+" credentials", member(t, mine, "credentials"), member(t, s.Body, "credentials"), "userName", "password")
		like(t, mode+" settings", member(t, mine, "settings"), member(t, s.Body, "settings"), "emOptInStatus")
		if on := member(t, s.Body, "settings"); member(t, on, "signOn") != nil {
			like(t, mode+" signOn", member(t, member(t, mine, "settings"), "signOn"), member(t, on, "signOn"))
		}
		if client := member(t, member(t, s.Body, "credentials"), "oauthClient"); client != nil {
			like(t, mode+" oauthClient", member(t, member(t, mine, "credentials"), "oauthClient"), client, "client_secret")
			like(t, mode+" client settings", member(t, member(t, mine, "settings"), "oauthClient"), member(t, member(t, s.Body, "settings"), "oauthClient"))
		}
		if a, b := keysOf(t, member(t, mine, "_links")), keysOf(t, member(t, s.Body, "_links")); !sameOrder(a, b) {
			t.Errorf("%s: links served %v, recorded %v", mode, a, b)
		}
	}
}

func TestServedSmallObjectsLookLikeRecordedOnes(t *testing.T) {
	o := New(Options{EventsPerDay: -1})
	one := func(path string) json.RawMessage { return pages(t, o, path, "")[0] }
	pick := func(items []json.RawMessage, has string) json.RawMessage {
		at := slices.IndexFunc(items, func(i json.RawMessage) bool { return bytes.Contains(i, []byte(has)) })
		if at < 0 {
			t.Fatalf("nothing has %s", has)
		}
		return items[at]
	}
	var factors []json.RawMessage
	for item := range o.Truth("factors") {
		cut, _, _ := bytes.Cut(item, []byte(`,"userId"`))
		factors = append(factors, append(bytes.Clone(cut), '}'))
	}
	devices := pages(t, o, "/api/v1/devices", "")
	byID := func(status string) json.RawMessage {
		return get(t, o, "/api/v1/devices/"+strings.Trim(string(member(t, pick(devices, `"status":"`+status), "id")), `"`)).body
	}
	vessel := o.id(kindApp, 8)
	clients := pages(t, o, "/oauth2/v1/clients/"+o.id(kindApp, appBadgeOffice)+"/roles", "")
	for _, c := range []struct {
		file string
		mine func(record json.RawMessage) json.RawMessage
		deep []string
	}{
		{"app_users.json", func(json.RawMessage) json.RawMessage {
			return pick(pages(t, o, "/api/v1/apps/"+vessel+"/users", ""), `"scope":"USER"`)
		}, []string{"credentials", "profile", "_links"}},
		{"app_groups.json", func(json.RawMessage) json.RawMessage { return one("/api/v1/apps/" + vessel + "/groups") }, []string{"_links"}},
		{"group_rules.json", func(json.RawMessage) json.RawMessage { return one("/api/v1/groups/rules") }, []string{"conditions", "actions"}},
		{"user_types.json", func(json.RawMessage) json.RawMessage { return one("/api/v1/meta/types/user") }, []string{"_links"}},
		{"user_schema_default.json", func(json.RawMessage) json.RawMessage {
			return get(t, o, "/api/v1/meta/schemas/user/default").body
		}, []string{"definitions", "properties", "_links"}},
		{"api_tokens.json", func(json.RawMessage) json.RawMessage { return one("/api/v1/api-tokens") }, []string{"_links"}},
		{"devices.json", func(record json.RawMessage) json.RawMessage {
			return byID(strings.Trim(string(member(t, record, "status")), `"`))
		}, []string{"resourceDisplayName", "_links", "_embedded"}},
		{"client_roles.json", func(json.RawMessage) json.RawMessage { return clients[0] }, []string{"_links"}},
		{"role_targets.json", func(record json.RawMessage) json.RawMessage {
			var items []json.RawMessage
			for item := range o.Truth("role_targets") {
				cut, _, _ := bytes.Cut(item, []byte(`,"principalType"`))
				items = append(items, append(bytes.Clone(cut), '}'))
			}
			switch {
			case member(t, record, "profile") != nil:
				return pick(items, `"objectClass":["okta:user_group"]`)
			case member(t, record, "id") != nil:
				return pick(items, `"id":"0oa`)
			}
			return pick(items, `"displayName"`)
		}, []string{"_links"}},
		{"factors.json", func(record json.RawMessage) json.RawMessage {
			if member(t, record, "factorType") == nil {
				return nil
			}
			return pick(factors, `"factorType":`+string(member(t, record, "factorType")))
		}, []string{"profile", "_links"}},
	} {
		compared := 0
		for _, s := range recorded(t, c.file) {
			for _, record := range objects(t, s.Body, "") {
				mine := c.mine(record)
				if mine == nil {
					continue
				}
				like(t, c.file, mine, record, "features", "resourceAlternateId") // stands elsewhere in other orgs
				for _, part := range c.deep {
					like(t, c.file+" "+part, member(t, mine, part), member(t, record, part), "source")
				}
				compared++
			}
		}
		if compared == 0 {
			t.Errorf("%s: nothing compared", c.file)
		}
	}
	base := func(body []byte) json.RawMessage {
		return member(t, member(t, member(t, body, "definitions"), "base"), "properties")
	}
	schema := recorded(t, "user_schema_default.json")[0]
	mine := get(t, o, "/api/v1/meta/schemas/user/default").body
	if got, want := string(base(mine)), base(schema.Body); !slices.Equal(keysOf(t, []byte(got)), keysOf(t, want)) {
		t.Errorf("base properties served %v, recorded %v", keysOf(t, []byte(got)), keysOf(t, want))
	}
	for _, name := range keysOf(t, base(schema.Body)) {
		like(t, name, member(t, base(mine), name), member(t, base(schema.Body), name))
	}
}
