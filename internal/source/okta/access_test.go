package okta

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of docs/okta-access.md anew")

const accessDoc = "../../../docs/okta-access.md"

// TestAccessIsDocumented keeps the tables of docs/okta-access.md those of the code.
func TestAccessIsDocumented(t *testing.T) {
	text, err := os.ReadFile(accessDoc)
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)
	for name, table := range map[string]string{"permissions": permissionList(), "scopes": scopeTable(), "endpoints": endpointTable(t)} {
		begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->"
		before, rest, found := strings.Cut(doc, begin)
		was, after, closed := strings.Cut(rest, end)
		if !found || !closed {
			t.Fatalf("%s has no place for %s", accessDoc, name)
		}
		if was != table && !*update {
			t.Errorf("the %s of %s are not those of the code: go test ./internal/source/okta -run AccessIsDocumented -update\nhave:\n%s\nwant:\n%s", name, accessDoc, was, table)
		}
		doc = before + begin + table + end + after
	}
	if *update {
		if err := os.WriteFile(accessDoc, []byte(doc), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func defaults(t *testing.T) *Source { return open(t, sampleOrg()) }

// permissionList are the permissions of a custom role that reads the default streams.
func permissionList() string {
	s, seen, b := Source{}, map[string][]string{}, strings.Builder{}
	s.offered = s.specs()
	var order []string
	for _, a := range accesses {
		if a.grant == "" || !slices.ContainsFunc(a.streams, s.isChosen) && !slices.ContainsFunc(a.helps, s.isChosen) {
			continue
		}
		if seen[a.grant] == nil {
			order = append(order, a.grant)
		}
		if !slices.Contains(seen[a.grant], a.what) {
			seen[a.grant] = append(seen[a.grant], a.what)
		}
	}
	for _, grant := range order {
		fmt.Fprintf(&b, "   - `%s` (%s)\n", grant, strings.Join(seen[grant], ", "))
	}
	return b.String()
}

// scopeTable are the scopes of the default streams, then those of optional ones.
func scopeTable() string {
	s, b := Source{}, strings.Builder{}
	s.offered = s.specs()
	needed := s.neededScopes()
	b.WriteString("   | scope | default | needed by |\n   |---|---|---|\n")
	for _, isDefault := range []bool{true, false} {
		var done []string
		for _, a := range accesses {
			if slices.Contains(done, a.scope) || slices.Contains(needed, a.scope) != isDefault {
				continue
			}
			done = append(done, a.scope)
			var streams []string
			for _, other := range accesses {
				if other.scope == a.scope {
					streams = append(streams, marked(&s, other)...)
				}
			}
			streams = slices.DeleteFunc(streams, func(name string) bool { return slices.Contains(streams, strings.Trim(name, "[]")) && name[0] == '[' })
			slices.SortFunc(streams, func(a, b string) int { return strings.Compare(rank(a), rank(b)) })
			if streams = slices.Compact(streams); len(streams) == 0 {
				streams = []string{a.what}
			}
			fmt.Fprintf(&b, "   | `%s` | %s | %s |\n", a.scope, map[bool]string{true: "yes", false: "no"}[isDefault], strings.Join(streams, ", "))
		}
	}
	return b.String()
}

// rank sorts default streams first, then those that an endpoint merely helps, then optional ones.
func rank(name string) string {
	switch {
	case strings.HasSuffix(name, "*"):
		return "2" + name
	case name[0] == '[':
		return "1" + name
	}
	return "0" + name
}

// marked are the streams of an endpoint as the document marks them.
func marked(s *Source, a access) (streams []string) {
	for _, name := range a.streams {
		if !s.isChosen(name) {
			name += "\\*"
		}
		streams = append(streams, name)
	}
	for _, name := range a.helps {
		streams = append(streams, "["+name+"]")
	}
	return streams
}

func endpointTable(t *testing.T) string {
	s, b := defaults(t), strings.Builder{}
	b.WriteString("| endpoint | scope | permission | role | streams | without it |\n|---|---|---|---|---|---|\n")
	for _, a := range accesses {
		grant := "–"
		if a.grant != "" {
			grant = "`" + a.grant + "`"
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s | %s | %s |\n", endpointName(a), a.scope, grant, a.role, strings.Join(marked(s, a), ", "), a.cost)
	}
	return b.String()
}

func endpointName(a access) string { return strings.TrimPrefix(a.shown(), "/api/v1") }

// TestAccessesNameStreamsThatExist: a stream of the table is one of the source's, and each that asks Okta is in it.
func TestAccessesNameStreamsThatExist(t *testing.T) {
	s := defaults(t)
	named := map[string]bool{"standard_roles": true} // asks Okta for nothing
	for _, a := range accesses {
		for _, name := range append(slices.Clone(a.streams), a.helps...) {
			named[name] = true
			if !slices.ContainsFunc(s.offered, func(spec streamSpec) bool { return spec.Name == name }) {
				t.Errorf("%s is for the stream %q, which there is not", a.path, name)
			}
		}
		if a.what == "" || a.scope == "" || a.role == "" || a.cost == "" {
			t.Errorf("%s says not all: %+v", a.path, a)
		}
		for _, name := range a.names() {
			if nouns[name] == "" {
				t.Errorf("%s needs the id of a %q, which has no noun", a.path, name)
			}
		}
	}
	for _, spec := range s.offered {
		if !named[spec.Name] {
			t.Errorf("the stream %q is in no line of the table", spec.Name)
		}
	}
}

// TestEveryRequestOfAReadIsInTheTable reads every stream of a stand-in org: what is asked for must be an endpoint of the
// table, and one of that stream.
func TestEveryRequestOfAReadIsInTheTable(t *testing.T) {
	s, recorded := recording(t)
	for _, spec := range s.offered {
		recorded.paths = nil
		if pages, err := readSome(t, s, spec.Name); err != nil {
			t.Errorf("%s: %v after %d pages", spec.Name, err, pages)
		}
		for _, path := range recorded.paths {
			a := accessOf(path)
			targets := strings.Contains(path, "/targets/") // one line, of users, stands for those of groups and apps
			if a.cost == "" || !targets && len(strings.Split(a.path, "/")) != len(strings.Split(path, "/")) {
				t.Errorf("%s asks for %s, which is in no line of the table", spec.Name, path)
				continue
			}
			anybody := a.path == "/api/v1/principal-rate-limits" || a.path == "/api/v1/users" // any stream may look whether it sees anybody at all
			if !slices.Contains(a.streams, spec.Name) && !slices.Contains(a.helps, spec.Name) && !anybody {
				t.Errorf("%s asks for %s, a line that does not name it", spec.Name, path)
			}
		}
	}
}

func TestAccessOfAPath(t *testing.T) {
	for path, want := range map[string]string{
		"/api/v1/users?limit=1":                                     "okta.users.read",
		"/api/v1/users/00u1":                                        "okta.users.read",
		"/api/v1/users/00u1/roles?expand=targets/groups":            "okta.roles.read",
		"/api/v1/users/00u1/roles/ra1/targets/catalog/apps":         "okta.roles.read",
		"/api/v1/groups/00g1/roles":                                 "okta.roles.read",
		"/api/v1/groups/00g1/roles/gra1/targets/groups":             "okta.roles.read",
		"/api/v1/groups/00g1/users":                                 "okta.groups.read",
		"/api/v1/groups/rules":                                      "okta.groups.read",
		"/oauth2/v1/clients/0oa1/roles":                             "okta.roles.read",
		"/api/v1/iam/resource-sets/iam1/bindings/cr01/members":      "okta.roles.read",
		"/api/v1/iam/roles/cr01":                                    "okta.roles.read",
		"/api/v1/logs?since=x":                                      "okta.logs.read",
		"/api/v1/meta/types/user":                                   "okta.userTypes.read",
		"/api/v1/devices":                                           "okta.devices.read",
		"/api/v1/apps/0oa1/users":                                   "okta.apps.read",
		"/api/v1/nothing/known":                                     "the endpoint's okta.*.read scope",
		"/api/v1/principal-rate-limits?filter=principalType+eq+%22": "okta.principalRateLimits.read",
	} {
		if got := accessOf(path).scope; got != want {
			t.Errorf("%s needs %q, want %q", path, got, want)
		}
	}
}
