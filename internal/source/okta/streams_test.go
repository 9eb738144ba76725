package okta

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"longshore/internal/fault"
	"longshore/internal/rawjson"
)

// column is one member of each record.
func column(t *testing.T, org http.Handler, stream string, members ...string) (values []string) {
	t.Helper()
	pages, err := readAll(t, open(t, org), stream, nil)
	if err != nil || len(gaps(pages)) > 0 {
		t.Fatalf("%s: %v, gaps %q", stream, err, gaps(pages))
	}
	for _, line := range lines(pages) {
		var parts []string
		for _, member := range members {
			value, _ := rawjson.Get([]byte(line), member)
			parts = append(parts, strings.Trim(string(value), `"`))
		}
		values = append(values, strings.Join(parts, " "))
	}
	return values
}

func TestStreamsBelowOthersHaveTheirParents(t *testing.T) {
	for stream, c := range map[string]struct {
		members, want []string
	}{
		"resource_set_resources": {[]string{"resourceSetId", "id"}, []string{"iam0 ire1", "iam0 ire2", "iam0 ire3", "iam7 ire4"}},
		"resource_set_bindings": {[]string{"resourceSetId", "roleId", "memberType", "memberId"}, []string{
			"iam1 cr00 USER 00u1", "iam1 cr00 GROUP 00g1", "iam1 cr00 CLIENT 0oa1s", "iam1 cr01 USER 00u2",
			"iam1 cr02 USER 00u1", "iam1 cr02 USER 00u2", "iam1 cr02 USER 00u4", "iam1 cr02 USER 00u5", "iam1 cr02 USER 00u6",
			"iam2 cr00 USER 00u1", "iam8 cr03 USER 00u4", "iam8 cr04 GROUP 00g2",
		}},
		"client_role_assignments": {[]string{"clientId", "type"}, []string{"0oa1s HELP_DESK_ADMIN", "0oa1s SUPER_ADMIN", "0oa3s SUPER_ADMIN"}},
		"apps":                    {[]string{"id"}, []string{"0oa0", "0oa1s", "0oa2", "0oa3s", "0oa4"}},
		"app_users":               {[]string{"appId", "id"}, []string{"0oa0 00u0", "0oa0 00u1", "0oa0 00u2", "0oa4 00u0", "0oa4 00u1", "0oa4 00u2", "0oa4 00u3x", "0oa4 00u4"}},
		"app_groups":              {[]string{"appId", "id"}, []string{"0oa1s 00g0", "0oa1s 00g1", "0oa1s 00g2"}},
		"group_rules":             {[]string{"id"}, []string{"0pr1", "0pr2", "0pr3"}},
		"devices":                 {[]string{"id"}, []string{"guo1", "guo2", "guo3"}},
		"factors":                 {[]string{"userId", "id"}, []string{"00u1 ufs1", "00u1 ufs2", "00u8 ufs3"}},
		"user_types":              {[]string{"id"}, []string{"oty1", "oty2"}},
		"api_tokens":              {[]string{"id"}, []string{"00T1"}},
	} {
		if got := column(t, sampleOrg(), stream, c.members...); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", stream, got, c.want)
		}
	}
}

// In the sample org every value that must not be told is "S".
func TestNoStreamTellsASecret(t *testing.T) {
	s := open(t, sampleOrg())
	for _, stream := range s.Streams() {
		pages, err := readAll(t, s, stream.Name, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines(pages) {
			if strings.Contains(line, `"S"`) || !json.Valid([]byte(line)) {
				t.Errorf("%s tells a secret, or no JSON: %s", stream.Name, line)
			}
		}
	}
}

func TestTargetsTellUnrestrictedFromNotRead(t *testing.T) {
	org := sampleOrg()
	want := []string{
		`USER 00u4 IFIFAX2BIRGUSTQ false [{"id":"0oa1","label":"target"},{"id":"0oa2","label":"target"},{"id":"0oa3","label":"target"}]`,
		`USER 00u8 JBCUYUC7IRCVGS27IFCE2SKO true []`,
		`GROUP 00g7 JBCUYUC7IRCVGS27IFCE2SKO false [{"id":"00g1","label":"target"}]`,
		`CLIENT 0oa1s JBCUYUC7IRCVGS27IFCE2SKO false [{"id":"00g5","label":"target"}]`,
	}
	if got := column(t, org, "role_targets", "principalType", "principalId", "id", "unrestricted", "targets"); !reflect.DeepEqual(got, want) {
		t.Errorf("targets\n got %q\nwant %q", got, want)
	}
	if got := org.count("/users/00u4/roles/IFIFAX2BIRGUSTQ/targets/catalog/apps"); got != 2 {
		t.Errorf("the app targets were asked for in %d pages, want 2 of two", got)
	}
	org.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "00u8/roles/JBC") {
			return false
		}
		refuse(w, 403, "E0000006", "no permission")
		return true
	}
	pages, err := readAll(t, open(t, org), "role_targets", nil)
	if err != nil || len(lines(pages)) != 3 || len(gaps(pages)) != 1 || !strings.Contains(gaps(pages)[0], "00u8") {
		t.Errorf("targets that may not be read: %d records, gaps %q, %v; want no record and one gap", len(lines(pages)), gaps(pages), err)
	}
}

func TestStandardRolesAreToldWithoutAskingOkta(t *testing.T) {
	org := sampleOrg()
	pages, err := readAll(t, open(t, org), "standard_roles", nil)
	if err != nil || len(org.requests()) != 0 {
		t.Fatalf("%d requests, %v, want none", len(org.requests()), err)
	}
	var types []string
	for _, line := range lines(pages) {
		var role struct {
			ID, Type, Label, TableDate, Source, TypeSource string
			Targets, Permissions, Restrictions             []string
			Note                                           string
		}
		if err := json.Unmarshal([]byte(line), &role); err != nil {
			t.Fatal(err)
		}
		types = append(types, role.ID)
		for _, source := range []string{role.Source, role.TypeSource} {
			if !strings.HasPrefix(source, "https://help.okta.com/") && !strings.HasPrefix(source, "https://developer.okta.com/") {
				t.Errorf("%s has the source %q, want a page of Okta's", role.ID, source)
			}
		}
		if role.ID != role.Type || role.Label == "" || len(role.TableDate) != len("2006-01-02") || (len(role.Permissions) == 0) == (role.Note == "") {
			t.Errorf("row %s: want type, label, date, and permissions or else a note", line)
		}
		if below := targetsOf[role.ID]; below == "" && len(role.Targets) > 0 || below != "" && (len(role.Targets) != 1 || !strings.HasSuffix(below, role.Targets[0])) {
			t.Errorf("%s takes the targets %q in the table, and %q when they are read", role.ID, role.Targets, below)
		}
	}
	if len(types) != 13 || !slices.Contains(types, "SUPER_ADMIN") || !slices.Contains(types, "WORKFLOWS_ADMIN") {
		t.Errorf("roles %q, want the 10 that Okta does not list and the 3 that it does", types)
	}
}

func TestOptionalStreamsAreReadWhenNamed(t *testing.T) {
	names := func(s *Source, chosen ...string) (list []string) {
		streams, err := s.Choose(chosen)
		if err != nil {
			t.Fatal(err)
		}
		for _, stream := range streams {
			list = append(list, stream.Name)
		}
		return list
	}
	s := open(t, sampleOrg())
	defaults := names(s)
	if slices.Contains(defaults, "apps") || !slices.Contains(defaults, "role_targets") || len(defaults) != 14 {
		t.Errorf("by default %q are read", defaults)
	}
	if got := names(s, "factors", "users"); !slices.Equal(got, []string{"users", "factors"}) {
		t.Errorf("factors and users chosen: %q", got)
	}
	if got := names(s, "+apps", "users"); len(got) != 15 || !slices.Contains(got, "apps") || slices.Contains(got, "devices") {
		t.Errorf("+apps gives %q, want the defaults and apps", got)
	}
	s = open(t, sampleOrg(), func(c *Config) { c.Streams = []string{"+app_users"} })
	if got := names(s); len(got) != 15 || !slices.Contains(got, "app_users") {
		t.Errorf("a source of +app_users offers %q by default", got)
	}
	_, err := s.Choose([]string{"apps"})
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "not among the chosen") {
		t.Errorf("a stream that the settings leave out: %v", err)
	}
	if _, err = s.Choose([]string{"+devics"}); !strings.Contains(fault.HintOf(err), `"devices"`) {
		t.Errorf("a mistyped stream that is not offered: %v, hint %q", err, fault.HintOf(err))
	}
}

func TestACredentialThatSeesNothingIsDenied(t *testing.T) {
	blind := &testOrg{}
	for _, stream := range open(t, blind).Streams() {
		if stream.Name == "standard_roles" || stream.Name == "logs" {
			continue
		}
		_, err := readAll(t, open(t, blind), stream.Name, nil)
		if !fault.Is(err, fault.Denied) || !strings.Contains(fault.HintOf(err), "role") {
			t.Errorf("%s of an org that shows nothing: %v, hint %q", stream.Name, err, fault.HintOf(err))
		}
	}
	bare := &testOrg{users: []string{"00u1"}, groups: []string{"00g1"}}
	for _, stream := range []string{"users", "custom_roles", "resource_set_bindings", "user_role_assignments", "role_targets", "factors", "devices"} {
		if pages, err := readAll(t, open(t, bare), stream, nil); err != nil || len(gaps(pages)) > 0 {
			t.Errorf("%s of an org without any: %v, gaps %q", stream, err, gaps(pages))
		}
	}
	bare.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != everyUserPath {
			return false
		}
		refuse(w, 403, "E0000006", "no permission")
		return true
	}
	pages, err := readAll(t, open(t, bare), "resource_sets", nil)
	if err != nil || len(gaps(pages)) != 1 {
		t.Errorf("an empty list without users to compare with: %v, gaps %q, want one", err, gaps(pages))
	}
}

func TestStreamsThatAreRefusedSayWhatIsMissing(t *testing.T) {
	for name, refusal := range map[string]struct {
		answer func(http.ResponseWriter)
		say    string
	}{
		"role missing": {func(w http.ResponseWriter) { refuse(w, 403, "E0000006", "no permission") }, "may not read"},
		"scope missing": {func(w http.ResponseWriter) {
			w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope"`)
			w.WriteHeader(403)
		}, "insufficient_scope"},
		"feature absent": {func(w http.ResponseWriter) {
			refuse(w, 401, "E0000015", "You do not have permission to access the feature")
		}, "does not have the feature"},
	} {
		org := sampleOrg()
		org.fault = func(w http.ResponseWriter, _ *http.Request) bool { refusal.answer(w); return true }
		s := open(t, org)
		for _, stream := range s.Streams() {
			if stream.Name == "standard_roles" {
				continue
			}
			pages, err := readAll(t, s, stream.Name, nil)
			if !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), refusal.say) || len(lines(pages)) > 0 {
				t.Errorf("%s, %s: %d records, %v, want fault.Denied with %q", name, stream.Name, len(lines(pages)), err, refusal.say)
			}
		}
	}
}

func TestABindingThatIsGoneMidwayIsAGap(t *testing.T) {
	org := sampleOrg()
	org.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "iam1/bindings/cr01/members") {
			return false
		}
		refuse(w, 404, "E0000007", "Not found: Resource not found: cr01 (ResourceSetBinding)")
		return true
	}
	pages, err := readAll(t, open(t, org), "resource_set_bindings", nil)
	if err != nil || len(lines(pages)) != 11 || len(gaps(pages)) != 1 || !strings.Contains(gaps(pages)[0], "cr01") {
		t.Errorf("%d records, gaps %q, %v, want 11 and one gap", len(lines(pages)), gaps(pages), err)
	}
}

// hidden holds a role that is in no list: neither among the assignees nor through a group.
func TestAMissedHolderMakesEveryoneBeAsked(t *testing.T) {
	org := &testOrg{roles: map[string][]string{}}
	for i := range 9 {
		org.users = append(org.users, fmt.Sprintf("00u%d", i))
	}
	org.assignees = org.users[:8]
	for _, user := range org.users {
		org.roles[user] = []string{"ra1" + user}
	}
	s := open(t, org)
	if _, err := readAll(t, s, "users", nil); err != nil { // from these the sample is taken
		t.Fatal(err)
	}
	pages, err := readAll(t, s, "user_role_assignments", nil)
	if err != nil || len(lines(pages)) != 9 || len(gaps(pages)) > 0 {
		t.Errorf("%d records, gaps %q, %v, want the roles of all 9", len(lines(pages)), gaps(pages), err)
	}
	for i := range pages {
		rest, err := readAll(t, open(t, org), "user_role_assignments", pages[i].State)
		if got := len(lines(pages[:i+1])) + len(lines(rest)); err != nil || got != 9 {
			t.Errorf("resumed at %s: %d records, %v", pages[i].State, got, err)
		}
	}
}

func TestTheSampleIsAHandfulOfActiveUsers(t *testing.T) {
	s := &userSample{seed: 1}
	for i := range 2000 {
		status := "ACTIVE"
		if i%2 > 0 {
			status = "DEPROVISIONED"
		}
		for range 2 { // a repeat changes nothing
			s.add(fmt.Appendf(nil, `{"id":"00u%04d","status":%q}`, i, status))
		}
	}
	got := s.pick(maxSample, func(id string) bool { return id < "00u1000" })
	if len(s.users) != sampleKept || len(got) != maxSample {
		t.Errorf("%d kept, %d picked, want %d and %d", len(s.users), len(got), sampleKept, maxSample)
	}
	seen := map[string]bool{}
	for _, id := range got {
		if seen[id] || id < "00u1000" || (id[len(id)-1]-'0')%2 > 0 {
			t.Errorf("%s was picked: twice %t, or known, or deactivated", id, seen[id])
		}
		seen[id] = true
	}
}

func TestAListingOfEmptyPagesEnds(t *testing.T) {
	org := &testOrg{users: []string{"00u1"}}
	page := 0
	org.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != apiPrefix+"groups" {
			return false
		}
		page++
		w.Header().Set("Link", fmt.Sprintf(`<http://%s/api/v1/groups?after=%d&limit=200>; rel="next"`, r.Host, page))
		fmt.Fprint(w, "[]")
		return true
	}
	_, err := readAll(t, open(t, org), "groups", nil)
	if !fault.Is(err, fault.Unavailable) || page > maxEmptyPages+2 {
		t.Errorf("after %d empty pages: %v", page, err)
	}
}
