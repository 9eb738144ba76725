package packs_test

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"longshore/internal/pipeline"
	"longshore/internal/rawjson"
)

// kase is one record and what our pack makes of it. Names begin with the defects of the guide that it answers.
type kase struct {
	Name   string          `json:"name"`
	Stream string          `json:"stream"`
	Record json.RawMessage `json:"record"`
	Want   []struct {
		Blueprint  string         `json:"blueprint"`
		Identifier string         `json:"identifier"`
		Title      any            `json:"title"`      // not compared when null
		Properties map[string]any `json:"properties"` // those that matter here
		Relations  map[string]any `json:"relations"`  // all
		Flags      []string       `json:"flags"`
		Failed     []string       `json:"failed"` // places of expressions that fail
	} `json:"want"`
}

func cases(t *testing.T) []kase {
	t.Helper()
	text, err := os.ReadFile("testdata/okta-cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []kase
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func passed(all []outcome) []outcome {
	return slices.DeleteFunc(all, func(o outcome) bool { return o.Clause != "" })
}

func TestOktaCases(t *testing.T) {
	m := open(t, "okta")
	for _, c := range cases(t) {
		t.Run(c.Name, func(t *testing.T) {
			got := passed(m.apply(t, c.Stream, c.Record))
			if len(got) != len(c.Want) {
				t.Fatalf("%d mappings take it, want %d: %+v", len(got), len(c.Want), got)
			}
			for i, want := range c.Want {
				g := got[i]
				if g.Blueprint != want.Blueprint || g.Identifier != want.Identifier {
					t.Errorf("got %s %q, want %s %q", g.Blueprint, g.Identifier, want.Blueprint, want.Identifier)
				}
				if want.Title != nil && g.Title != want.Title {
					t.Errorf("%s: title %v, want %v", want.Blueprint, g.Title, want.Title)
				}
				for name, value := range want.Properties {
					if !reflect.DeepEqual(g.Properties[name], value) {
						t.Errorf("%s.%s: got %v, want %v", want.Blueprint, name, g.Properties[name], value)
					}
				}
				if !reflect.DeepEqual(g.Relations, want.Relations) {
					t.Errorf("%s: relations %v, want %v", want.Blueprint, g.Relations, want.Relations)
				}
				if !slices.Equal(g.Flags, want.Flags) {
					t.Errorf("%s: flags %q, want %q", want.Blueprint, g.Flags, want.Flags)
				}
				places := make([]string, 0, len(g.Failed))
				for _, f := range g.Failed {
					place, _, _ := strings.Cut(f, ":")
					places = append(places, place)
				}
				if !slices.Equal(places, want.Failed) {
					t.Errorf("%s: expressions failed: %q, want %q", want.Blueprint, g.Failed, want.Failed)
				}
			}
		})
	}
}

// Two records give one identifier only where they speak of one thing: a standard role seen in many assignments.
// Such records agree in everything, so that their order does not matter.
func TestOktaIdentifiersAreUnique(t *testing.T) {
	m := open(t, "okta")
	type seen struct {
		name string
		outcome
	}
	first := map[string]seen{}
	for _, c := range cases(t) {
		for _, o := range passed(m.apply(t, c.Stream, c.Record)) {
			key := o.Blueprint + " " + o.Identifier
			before, ok := first[key]
			if !ok || o.Identifier == "" {
				first[key] = seen{c.Name, o}
				continue
			}
			if o.Blueprint != "okta_role" {
				t.Errorf("%q and %q share %s", before.name, c.Name, key)
			}
			if before.Title != o.Title || !reflect.DeepEqual(before.Properties, o.Properties) {
				t.Errorf("%q and %q disagree on %s: %v %v, %v %v", before.name, c.Name, key, before.Title, before.Properties, o.Title, o.Properties)
			}
		}
	}
}

// A role that stands in the list and in assignments has one label and kind, whichever record comes last.
func TestOktaStandardRolesAgreeAcrossStreams(t *testing.T) {
	m := open(t, "okta")
	for _, id := range []string{
		"SUPER_ADMIN", "ORG_ADMIN", "APP_ADMIN", "USER_ADMIN", "GROUP_MEMBERSHIP_ADMIN", "HELP_DESK_ADMIN", "API_ACCESS_MANAGEMENT_ADMIN",
		"READ_ONLY_ADMIN", "REPORT_ADMIN", "MOBILE_ADMIN", "ACCESS_CERTIFICATIONS_ADMIN", "ACCESS_REQUESTS_ADMIN", "WORKFLOWS_ADMIN", "NEW_KIND_ADMIN",
	} {
		listed := passed(m.apply(t, "custom_roles", []byte(`{"id":"`+id+`","label":"one spelling"}`)))[0]
		held := passed(m.apply(t, "group_role_assignments", []byte(`{"id":"gra1","type":"`+id+`","label":"another spelling","assignmentType":"GROUP","groupId":"00g1"}`)))[0]
		if listed.Identifier != id || held.Identifier != id || listed.Title != held.Title || held.Title == nil {
			t.Errorf("%s: the list gives %q %v, an assignment %q %v", id, listed.Identifier, listed.Title, held.Identifier, held.Title)
		}
		for name, value := range held.Properties {
			if listed.Properties[name] != value {
				t.Errorf("%s.%s: the list gives %v, an assignment %v", id, name, listed.Properties[name], value)
			}
		}
	}
}

// What is calculated when an entity is read: the names that no record has, and how strong an administrator is.
func TestOktaCalculations(t *testing.T) {
	all := blueprints(t, open(t, "okta").pack)
	tests := []struct{ blueprint, property, entity, want string }{
		{"okta_role_assignment", "summary", `{"properties":{"user_title":"Ada Lovelace","role_title":"Super Administrator","inherited":false}}`, `"Ada Lovelace — Super Administrator (direct)"`},
		{"okta_role_assignment", "summary", `{"properties":{"user_title":"Ada Lovelace","role_title":"Super Administrator","inherited":true,"via_group_title":"Admins"}}`, `"Ada Lovelace — Super Administrator (through Admins)"`},
		{"okta_role_assignment", "summary", `{"properties":{"group_title":"Admins","role_title":null,"label":"Help desk EU","type":"CUSTOM","inherited":false}}`, `"Admins — Help desk EU (direct)"`},
		{"okta_role_assignment", "summary", `{"properties":{"principalId":"00u1","type":"APP_ADMIN","inherited":true},"relations":{"viaGroup":"00g1"}}`, `"00u1 — APP_ADMIN (through 00g1)"`},
		{"okta_user", "admin_level", `{"properties":{"role_types":["APP_ADMIN","SUPER_ADMIN"]}}`, `"super"`},
		{"okta_user", "admin_level", `{"properties":{"role_types":["ORG_ADMIN","APP_ADMIN"]}}`, `"org"`},
		{"okta_user", "admin_level", `{"properties":{"role_types":["CUSTOM"]}}`, `"admin"`},
		{"okta_user", "admin_level", `{"properties":{"role_types":[]}}`, `"none"`},
		{"okta_user", "admin_level", `{"properties":{}}`, `"none"`},
		{"okta_user", "days_since_login", `{"properties":{"lastLogin":null}}`, `null`},
		{"okta_user", "days_since_login", `{"properties":{"lastLogin":"2999-01-05T10:00:00.123Z"}}`, `negative`},
		{"okta_user", "days_since_login", `{"properties":{"lastLogin":"1999-01-05T10:00:00Z"}}`, `positive`},
	}
	for _, test := range tests {
		var entity any
		if err := json.Unmarshal([]byte(test.entity), &entity); err != nil {
			t.Fatal(err)
		}
		code, err := compile(all[test.blueprint].Calculation[test.property].Calculation)
		if err != nil {
			t.Fatal(err)
		}
		value, _, err := first(code, entity)
		got, _ := json.Marshal(value)
		switch n, _ := value.(float64); {
		case n > 0:
			got = []byte("positive")
		case n < 0:
			got = []byte("negative")
		}
		if err != nil || string(got) != test.want {
			t.Errorf("%s.%s of %s: got %s, %v, want %s", test.blueprint, test.property, test.entity, got, err, test.want)
		}
	}
}

// Odd records must not be mistaken for others, nor stop anything: each gives an entity with a legal identifier or none.
func FuzzOktaRecord(f *testing.F) {
	text, err := os.ReadFile("testdata/okta-cases.json")
	if err != nil {
		f.Fatal(err)
	}
	var all []kase
	if err := json.Unmarshal(text, &all); err != nil {
		f.Fatal(err)
	}
	for _, c := range all {
		f.Add(c.Stream, []byte(c.Record))
	}
	var m *model
	f.Fuzz(func(t *testing.T, stream string, record []byte) {
		var body map[string]any
		if json.Unmarshal(record, &body) != nil || body == nil {
			return
		}
		if m == nil {
			m = open(t, "okta")
		}
		for _, o := range passed(m.apply(t, stream, record)) {
			if strings.Contains(o.Identifier, "null") && !strings.Contains(string(record), "null") {
				t.Errorf("%s: identifier %q was made of nothing", o.Blueprint, o.Identifier)
			}
		}
	})
}

// A record of what is gone reaches one mapping alone: the one that deletes the entity that the record made when it was
// there. Roles and resource sets that only an assignment told of stay, others may have them.
func TestRecordsOfWhatIsGoneDeleteTheirEntity(t *testing.T) {
	m := open(t, "okta")
	streams := map[string]bool{}
	for _, c := range cases(t) {
		made := passed(m.apply(t, c.Stream, c.Record))
		if c.Stream == "logs" || c.Stream == "standard_roles" || len(made) == 0 || made[len(made)-1].Identifier == "" {
			continue
		}
		streams[c.Stream] = true
		was := made[len(made)-1] // the mapping of the assignment itself comes last
		gone := rawjson.AppendMember(nil, c.Record, pipeline.DeletedMember, []byte(`"2026-11-01T09:00:00Z"`))
		got := passed(m.apply(t, c.Stream, gone))
		if len(got) != 1 || got[0].Blueprint != was.Blueprint || got[0].Identifier != was.Identifier || m.mappings[got[0].Mapping].Operation != "delete" {
			t.Errorf("%s, gone: %+v, want %s %q deleted and nothing else", c.Name, got, was.Blueprint, was.Identifier)
		}
	}
	if len(streams) < 7 {
		t.Errorf("cases of %d streams, want all 7 that can tell of what is gone: %v", len(streams), streams)
	}
}
