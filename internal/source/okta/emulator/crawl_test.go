package emulator

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// reply is an answer of the org, read whole.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// get reads a path, or a link of this org, through the in-process client.
func get(t testing.TB, o *Org, path string) reply {
	t.Helper()
	return send(t, o, http.MethodGet, path, "SSWS "+DefaultToken)
}

func send(t testing.TB, o *Org, method, path, credential string) reply {
	t.Helper()
	address := path
	if strings.HasPrefix(path, "/") {
		address = DefaultBaseURL + path
	}
	r, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatalf("request %q: %v", path, err)
	}
	if credential != "" {
		r.Header.Set("Authorization", credential)
	}
	response, err := o.Client().Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("body of %s: %v", path, err)
	}
	return reply{response.StatusCode, response.Header, body}
}

func (r reply) into(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(r.body, v); err != nil {
		t.Fatalf("status %d, body %.200s: %v", r.status, r.body, err)
	}
}

var linkPattern = regexp.MustCompile(`^<([^>]*)>; rel="(self|next)"$`)

// links returns the Link header's targets by relation.
func (r reply) links(t testing.TB) map[string]string {
	t.Helper()
	links := make(map[string]string)
	for _, line := range r.header.Values("Link") {
		m := linkPattern.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("Link line %q is not one relation", line)
		}
		links[m[2]] = m[1]
	}
	return links
}

// pages reads a listing to its end, in either style of paging.
func pages(t testing.TB, o *Org, path, key string) (items []json.RawMessage) {
	t.Helper()
	for path != "" {
		r := get(t, o, path)
		if r.status != http.StatusOK {
			t.Fatalf("%s: status %d: %s", path, r.status, r.body)
		}
		var page []json.RawMessage
		if key == "" {
			r.into(t, &page)
			path = r.links(t)["next"]
		} else {
			var body map[string]json.RawMessage
			r.into(t, &body)
			var links struct{ Next struct{ Href string } }
			if body["_links"] != nil {
				_ = json.Unmarshal(body["_links"], &links)
			}
			if err := json.Unmarshal(body[key], &page); err != nil {
				t.Fatalf("%s: no list under %q: %s", path, key, r.body)
			}
			path = links.Next.Href
		}
		items = append(items, page...)
	}
	return items
}

// events polls the log until a page is empty.
func events(t testing.TB, o *Org, query string) (items []json.RawMessage) {
	t.Helper()
	for path := "/api/v1/logs?" + query; ; {
		r := get(t, o, path)
		var page []json.RawMessage
		r.into(t, &page)
		if len(page) == 0 {
			return items
		}
		items = append(items, page...)
		if path = r.links(t)["next"]; path == "" {
			t.Fatalf("a polling answer without next")
		}
	}
}

type brief struct {
	ID     string
	Label  string
	Status string
}

func briefs(t testing.TB, items []json.RawMessage) (all []brief) {
	t.Helper()
	for _, item := range items {
		var b brief
		if err := json.Unmarshal(item, &b); err != nil {
			t.Fatalf("%s: %v", item, err)
		}
		all = append(all, b)
	}
	return all
}

// with adds members to a raw object, as the ledger does.
func with(item json.RawMessage, members string) string {
	return string(item[:len(item)-1]) + "," + members + "}"
}

// crawl reads all that the API has of each kind, in the ledger's terms.
func crawl(t testing.TB, o *Org) map[string][]string {
	t.Helper()
	found := make(map[string][]string)
	add := func(kind string, items []json.RawMessage) []json.RawMessage {
		for _, item := range items {
			found[kind] = append(found[kind], string(item))
		}
		return items
	}
	for _, u := range briefs(t, add("users", pages(t, o, "/api/v1/users?search="+url.QueryEscape("status pr"), ""))) {
		for _, a := range pages(t, o, "/api/v1/users/"+u.ID+"/roles", "") {
			found["user_role_assignments"] = append(found["user_role_assignments"], with(a, principal(t, a, u.ID)))
		}
	}
	for _, g := range briefs(t, add("groups", pages(t, o, "/api/v1/groups?limit=7", ""))) {
		id := fmt.Sprintf(`"groupId":%q`, g.ID)
		if g.ID != o.groups[administrators].id {
			for _, m := range pages(t, o, "/api/v1/groups/"+g.ID+"/users?limit=100", "") {
				found["group_members"] = append(found["group_members"], with(m, id))
			}
		}
		for _, a := range pages(t, o, "/api/v1/groups/"+g.ID+"/roles", "") {
			found["group_role_assignments"] = append(found["group_role_assignments"], with(a, id))
		}
	}
	for _, r := range briefs(t, add("custom_roles", pages(t, o, "/api/v1/iam/roles?limit=4", "roles"))) {
		for _, p := range pages(t, o, "/api/v1/iam/roles/"+r.ID+"/permissions", "permissions") {
			found["permissions"] = append(found["permissions"], with(p, fmt.Sprintf(`"roleId":%q`, r.ID)))
		}
	}
	add("resource_sets", pages(t, o, "/api/v1/iam/resource-sets?limit=3", "resource-sets"))
	add("logs", events(t, o, "limit=1000&since=2026-09-01T00:00:00Z"))
	return found
}

func principal(t testing.TB, item json.RawMessage, user string) string {
	t.Helper()
	var a struct {
		AssignmentType string
		Links          struct{ Assignee struct{ Href string } } `json:"_links"`
	}
	if err := json.Unmarshal(item, &a); err != nil {
		t.Fatal(err)
	}
	href := a.Links.Assignee.Href
	return fmt.Sprintf(`"userId":%q,"principalType":%q,"principalId":%q`, user, a.AssignmentType, href[strings.LastIndex(href, "/")+1:])
}

var kinds = []string{"users", "groups", "group_members", "user_role_assignments", "group_role_assignments", "custom_roles", "permissions", "resource_sets", "logs"}

func TestTruthIsWhatACrawlFinds(t *testing.T) {
	for _, options := range []Options{{}, {Users: 1, EventsPerDay: -1}, {Users: 1234, Seed: 7, EventsPerDay: 50, Days: 3}} {
		o := New(options)
		found := crawl(t, o)
		for _, kind := range kinds {
			var truth []string
			for item := range o.Truth(kind) {
				truth = append(truth, string(item))
			}
			if !slices.Equal(truth, found[kind]) {
				t.Errorf("%+v: %s: the ledger has %d, a crawl finds %d, or they differ", options, kind, len(truth), len(found[kind]))
				for i := range min(len(truth), len(found[kind])) {
					if truth[i] != found[kind][i] {
						t.Fatalf("first difference:\n%s\n%s", truth[i], found[kind][i])
					}
				}
			}
		}
	}
}

func TestSameSeedSameBytesOtherSeedOthers(t *testing.T) {
	first, second, other := crawl(t, New(Options{EventsPerDay: 60})), crawl(t, New(Options{EventsPerDay: 60})), crawl(t, New(Options{Seed: 2, EventsPerDay: 60}))
	for _, kind := range kinds {
		if len(first[kind]) == 0 {
			t.Errorf("no %s", kind)
		}
		if !slices.Equal(first[kind], second[kind]) {
			t.Errorf("%s differ between two orgs of one seed", kind)
		}
		if first[kind][0] == other[kind][0] {
			t.Errorf("the first of %s is the same for another seed: %s", kind, other[kind][0])
		}
	}
}

func TestIdsAreUniqueAndFindTheirObjects(t *testing.T) {
	o := New(Options{Users: 30000})
	seen := make(map[string]bool)
	for i := range o.staff.count {
		u := o.user(i)
		if seen[u.id] || seen[u.login] {
			t.Fatalf("user %d: id %s or login %s is taken", i, u.id, u.login)
		}
		seen[u.id], seen[u.login] = true, true
		if at, ok := o.indexOf(kindUser, u.id, o.staff.count); !ok || at != i {
			t.Fatalf("id %s of user %d leads to %d, %v", u.id, i, at, ok)
		}
		if at, ok := o.userByLogin(u.login); !ok || at != i {
			t.Fatalf("login %s of user %d leads to %d, %v", u.login, i, at, ok)
		}
	}
}
