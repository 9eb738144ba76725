package okta

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"longshore/internal/pipeline"
)

// testOrg answers as Okta does, with what a test puts in: the shapes and paging styles are those of the real API.
type testOrg struct {
	users     []string            // ids; one ending in "x" is deactivated
	groups    []string            // ids
	members   map[string][]string // group -> users
	roles     map[string][]string // user or group -> role assignments
	assignees []string            // users that /iam/assignees/users tells of
	custom    []string            // custom roles
	grants    map[string][]string // custom role -> permissions
	sets      []string            // resource sets
	events    []string            // uuids, in the order of storing
	noStats   bool                // groups come without stats
	clamp     int                 // objects a page at most; 0 means as many as asked for
	linkHost  string              // the host in links; "" means the request's
	extras

	// fault, if set, may answer a request instead: true means that it did.
	fault func(w http.ResponseWriter, r *http.Request) bool

	mu   sync.Mutex
	hits []string // requests, path and query
}

func (o *testOrg) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.hits = append(o.hits, r.URL.RequestURI())
	o.mu.Unlock()
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json")
	if o.fault != nil && o.fault(w, r) {
		return
	}
	if r.URL.Path == wellKnownPath {
		if r.Header.Get("Authorization") != "" {
			http.Error(w, "a credential for a public document", http.StatusTeapot)
			return
		}
		fmt.Fprintf(w, `{"id":"00o1","pipeline":"idx","_links":{"organization":{"href":"http://%s"}}}`, r.Host)
		return
	}
	if r.Header.Get("Authorization") != "SSWS secret-token" {
		refuse(w, 401, "E0000011", "Invalid token provided")
		return
	}
	o.api(w, r, strings.Split(strings.TrimPrefix(r.URL.Path, apiPrefix), "/"))
}

func (o *testOrg) api(w http.ResponseWriter, r *http.Request, path []string) {
	switch shape := path[0] + "/" + strconv.Itoa(len(path)); {
	case shape == "users/1":
		o.linkPage(w, r, o.usersOf(o.users, r.FormValue("filter") != ""))
	case shape == "users/3" && path[2] == "roles":
		fmt.Fprint(w, "["+strings.Join(assignments("users", path[1], o.roles[path[1]]), ",")+"]")
	case shape == "groups/1":
		o.linkPage(w, r, o.groupsOf(r.FormValue("expand") == "stats"))
	case shape == "groups/3" && path[2] == "users":
		o.linkPage(w, r, o.usersOf(o.members[path[1]], false))
	case shape == "groups/3" && path[2] == "roles":
		fmt.Fprint(w, "["+strings.Join(assignments("groups", path[1], o.roles[path[1]]), ",")+"]")
	case r.URL.Path == apiPrefix+"iam/assignees/users":
		o.bodyPage(w, r, "value", objects(`{"id":%q,"orn":"orn:okta:directory:00o1:users:1"}`, o.assignees))
	case r.URL.Path == apiPrefix+"iam/roles":
		o.bodyPage(w, r, "roles", objects(`{"id":%q,"label":"Help desk EU","description":""}`, o.custom))
	case shape == "iam/4" && path[1] == "roles" && path[3] == "permissions":
		fmt.Fprintf(w, `{"permissions":[%s]}`, strings.Join(objects(`{"label":%q,"conditions":null}`, o.grants[path[2]]), ","))
	case r.URL.Path == apiPrefix+"iam/resource-sets":
		o.bodyPage(w, r, "resource-sets", objects(`{"id":%q,"label":"EU"}`, o.sets))
	case shape == "logs/1":
		o.poll(w, r)
	case o.more(w, r, path):
	default:
		refuse(w, 404, "E0000022", "The endpoint does not support the provided HTTP method")
	}
}

func objects(format string, ids []string) (list []string) {
	for _, id := range ids {
		list = append(list, fmt.Sprintf(format, id))
	}
	return list
}

func (o *testOrg) usersOf(ids []string, deactivated bool) (list []string) {
	for _, id := range ids {
		status := "ACTIVE"
		if strings.HasSuffix(id, "x") {
			status = "DEPROVISIONED"
		}
		if (status == "DEPROVISIONED") == deactivated {
			list = append(list, fmt.Sprintf(`{"id":%q,"status":%q,"activated":null,"profile":{"n":1.50,"login":"%s@acme.test"}}`, id, status, id))
		}
	}
	return list
}

func (o *testOrg) groupsOf(stats bool) (list []string) {
	for _, id := range o.groups {
		extra := ""
		if stats && !o.noStats {
			extra = fmt.Sprintf(`,"_embedded":{"stats":{"usersCount":%d,"appsCount":0,"hasAdminPrivlege":%t}}`, len(o.members[id]), len(o.roles[id]) > 0)
		}
		list = append(list, fmt.Sprintf(`{"id":%q,"type":"OKTA_GROUP"%s}`, id, extra))
	}
	return list
}

func assignments(kind, holder string, roles []string) (list []string) {
	for _, role := range roles {
		given := map[string]string{"users": "USER", "groups": "GROUP", "clients": "CLIENT"}[kind]
		if kind == "users" && strings.HasPrefix(role, "gra") {
			given = "GROUP"
		}
		list = append(list, fmt.Sprintf(`{"id":%q,"type":%q,"assignmentType":%q,"_links":{"assignee":{"href":"https://acme.test/api/v1/%s/%s"}}}`, role, typeOf(role), given, kind, holder))
	}
	return list
}

func typeOf(role string) string {
	switch {
	case role == "IFIFAX2BIRGUSTQ":
		return "APP_ADMIN"
	case role == "JBCUYUC7IRCVGS27IFCE2SKO":
		return "HELP_DESK_ADMIN"
	case strings.HasPrefix(role, "irb"):
		return "CUSTOM"
	}
	return "SUPER_ADMIN"
}

// cut returns the page of list that the request asks for, and the query of the next.
func (o *testOrg) cut(r *http.Request, list []string) (page []string, next url.Values) {
	begin, _ := strconv.Atoi(strings.TrimPrefix(r.FormValue("after"), "cursor,;"))
	limit, _ := strconv.Atoi(r.FormValue("limit"))
	if o.clamp > 0 {
		limit = min(limit, o.clamp)
	}
	end := min(len(list), begin+limit)
	if end == len(list) {
		return list[begin:], nil
	}
	next = r.URL.Query()
	next.Set("after", fmt.Sprintf("cursor,;%d", end))
	return list[begin:end], next
}

func (o *testOrg) link(r *http.Request, query url.Values) string {
	host := o.linkHost
	if host == "" {
		host = r.Host
	}
	return "http://" + host + r.URL.Path + "?" + query.Encode()
}

func (o *testOrg) linkPage(w http.ResponseWriter, r *http.Request, list []string) {
	page, next := o.cut(r, list)
	w.Header().Add("Link", `<`+o.link(r, r.URL.Query())+`>; rel="self"`)
	if next != nil {
		w.Header().Add("Link", `<`+o.link(r, next)+`>; rel="next"`)
	}
	fmt.Fprint(w, "["+strings.Join(page, ",")+"]")
}

func (o *testOrg) bodyPage(w http.ResponseWriter, r *http.Request, key string, list []string) {
	page, next := o.cut(r, list)
	links := ""
	if next != nil {
		quoted, _ := json.Marshal(o.link(r, next))
		links = fmt.Sprintf(`,"_links":{"next":{"href":%s}}`, quoted)
	}
	fmt.Fprintf(w, `{%q:[%s]%s}`, key, strings.Join(page, ","), links)
}

// poll answers as the polling log does: there always is a next link, at the end one to the same place.
func (o *testOrg) poll(w http.ResponseWriter, r *http.Request) {
	begin, _ := strconv.Atoi(strings.TrimSuffix(r.FormValue("after"), "_1"))
	limit, _ := strconv.Atoi(r.FormValue("limit"))
	if o.clamp > 0 {
		limit = min(limit, o.clamp)
	}
	end := min(len(o.events), begin+limit)
	next := r.URL.Query()
	next.Del("since")
	next.Set("after", fmt.Sprintf("%d_1", end))
	w.Header().Add("Link", `<`+o.link(r, r.URL.Query())+`>; rel="self"`)
	w.Header().Add("Link", `<`+o.link(r, next)+`>; rel="next"`)
	fmt.Fprint(w, "["+strings.Join(objects(`{"uuid":%q,"published":"2026-01-05T10:00:00.123Z","target":null}`, o.events[begin:end]), ",")+"]")
}

func refuse(w http.ResponseWriter, status int, code, summary string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errorCode":%q,"errorSummary":%q,"errorLink":%q,"errorId":"oae1","errorCauses":[]}`, code, summary, code)
}

func (o *testOrg) requests() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.hits...)
}

// count returns how many requests had a path with the given end.
func (o *testOrg) count(suffix string) (n int) {
	for _, hit := range o.requests() {
		path, _, _ := strings.Cut(hit, "?")
		if strings.HasSuffix(path, suffix) {
			n++
		}
	}
	return n
}

// inProcess serves requests without a network, so that a synctest bubble's clock moves on.
type inProcess struct{ http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	served := r.Clone(r.Context())
	served.Host = r.URL.Host
	w := httptest.NewRecorder()
	p.ServeHTTP(w, served)
	response := w.Result()
	response.Request = r
	return response, nil
}

// open returns a Source that reads a handler in process.
func open(t *testing.T, handler http.Handler, change ...func(*Config)) *Source {
	t.Helper()
	config := Config{OrgURL: "http://acme.okta.com", Token: "secret-token", HTTPClient: &http.Client{Transport: inProcess{handler}}}
	for _, c := range change {
		c(&config)
	}
	s, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// readAll reads a stream to its end or its error.
func readAll(t *testing.T, s *Source, stream string, from json.RawMessage) (pages []pipeline.Page, err error) {
	t.Helper()
	for page, err := range s.Read(t.Context(), stream, from) {
		if err != nil {
			return pages, err
		}
		if len(page.State) == 0 || len(page.State) > maxStateBytes || !json.Valid(page.State) {
			t.Errorf("%s page %d has the state %q", stream, len(pages), page.State)
		}
		pages = append(pages, page)
	}
	return pages, nil
}

// lines copies the records of pages.
func lines(pages []pipeline.Page) (all []string) {
	for _, page := range pages {
		for _, record := range page.Records {
			all = append(all, string(record))
		}
	}
	return all
}

func gaps(pages []pipeline.Page) (all []string) {
	for _, page := range pages {
		all = append(all, page.Gaps...)
	}
	return all
}

// sampleOrg has a little of everything, with five pages of most.
func sampleOrg() *testOrg {
	o := &testOrg{clamp: 2, members: map[string][]string{}, roles: map[string][]string{}, grants: map[string][]string{}}
	for i := range 9 {
		id := fmt.Sprintf("00u%d", i)
		if i%4 == 3 {
			id += "x"
		}
		o.users = append(o.users, id)
		group := fmt.Sprintf("00g%d", i)
		o.groups = append(o.groups, group)
		if i%3 != 0 {
			o.members[group] = o.users[:i/2+1]
		}
		o.custom = append(o.custom, fmt.Sprintf("cr0%d", i))
		o.grants[o.custom[i]] = []string{"okta.users.read", "okta.groups.read"}[:i%3]
		o.sets = append(o.sets, fmt.Sprintf("iam%d", i))
		o.events = append(o.events, fmt.Sprintf("00000000-0000-4000-8000-%012d", i))
	}
	o.roles["00u8"], o.roles["00u4"], o.roles["00u1"] = []string{"ra11"}, []string{"IFIFAX2BIRGUSTQ", "irb1"}, []string{"gra1"}
	o.roles["00g4"], o.roles["00g7"] = []string{"gra1"}, []string{"gra2", "irb2"}
	o.roles["00g7"] = append(o.roles["00g7"], "JBCUYUC7IRCVGS27IFCE2SKO")
	o.roles["00u8"] = append(o.roles["00u8"], "JBCUYUC7IRCVGS27IFCE2SKO")
	o.assignees = []string{"00u8", "00u4", "00u0"}
	o.addExtras()
	return o
}

func mustParse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
