package okta

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// extras are what a testOrg has beside users, groups and roles.
type extras struct {
	apps      []string            // ids; one ending in "s" is a service app
	appUsers  map[string][]string // app -> users
	appGroups map[string][]string // app -> groups
	bindings  map[string][]string // resource set -> roles
	members   map[string][]string // "set/role" -> kind/id of each member
	resources map[string][]string // resource set -> ids
	targets   map[string][]string // "users/00u1/IFI…" -> ids
	rules     []string
	devices   []string
	factors   map[string][]string // user -> ids
	userTypes []string
	tokens    []string
}

// more answers for the extras; false means that there is no such endpoint.
func (o *testOrg) more(w http.ResponseWriter, r *http.Request, path []string) bool {
	if client, ok := strings.CutPrefix(r.URL.Path, "/oauth2/v1/clients/"); ok {
		if principal, _, ok := strings.Cut(client, "/targets/"); ok {
			client, role, _ := strings.Cut(principal, "/roles/")
			o.linkPage(w, r, objects(`{"id":%q,"label":"target"}`, o.targets["clients/"+client+"/"+role]))
			return true
		}
		client = strings.TrimSuffix(client, "/roles")
		fmt.Fprint(w, "["+strings.Join(assignments("clients", client, o.roles[client]), ",")+"]")
		return true
	}
	switch shape := path[0] + "/" + strconv.Itoa(len(path)); {
	case shape == "apps/1":
		o.linkPage(w, r, o.appsOf())
	case shape == "apps/3" && path[2] == "users":
		o.linkPage(w, r, objects(`{"id":%q,"scope":"USER","credentials":{"userName":"a","password":{"value":"S"}}}`, o.appUsers[path[1]]))
	case shape == "apps/3" && path[2] == "groups":
		o.linkPage(w, r, objects(`{"id":%q,"priority":1}`, o.appGroups[path[1]]))
	case r.URL.Path == apiPrefix+"groups/rules":
		o.linkPage(w, r, objects(`{"id":%q,"type":"group_rule"}`, o.rules))
	case shape == "devices/1":
		o.linkPage(w, r, objects(`{"id":%q,"status":"ACTIVE"}`, o.devices))
	case shape == "users/3" && path[2] == "factors":
		fmt.Fprint(w, "["+strings.Join(objects(`{"id":%q,"factorType":"question","profile":{"question":"S","questionText":"S"}}`, o.factors[path[1]]), ",")+"]")
	case r.URL.Path == apiPrefix+"meta/types/user":
		fmt.Fprint(w, "["+strings.Join(objects(`{"id":%q,"name":"user"}`, o.userTypes), ",")+"]")
	case shape == "api-tokens/1":
		fmt.Fprint(w, "["+strings.Join(objects(`{"id":%q,"name":"t","token":"S"}`, o.tokens), ",")+"]")
	case shape == "iam/4" && path[3] == "resources":
		o.bodyPage(w, r, "resources", objects(`{"id":%q,"orn":"orn:okta:directory:00o1:users"}`, o.extras.resources[path[2]]))
	case shape == "iam/4" && path[3] == "bindings":
		o.bodyPage(w, r, "roles", objects(`{"id":%q,"_links":{}}`, o.bindings[path[2]]))
	case shape == "iam/6" && path[5] == "members":
		o.bodyPage(w, r, "members", o.membersOf(path[2]+"/"+path[4]))
	case strings.HasPrefix(shape, "users/") && len(path) > 5, strings.HasPrefix(shape, "groups/") && len(path) > 5:
		ids := o.targets[path[0]+"/"+path[1]+"/"+path[3]]
		o.linkPage(w, r, objects(`{"id":%q,"label":"target"}`, ids))
	default:
		return false
	}
	return true
}

func (o *testOrg) appsOf() (list []string) {
	for _, id := range o.apps {
		settings := `{"app":{"apiKey":"S"},"signOn":{}}`
		if strings.HasSuffix(id, "s") {
			settings = fmt.Sprintf(`{"oauthClient":{"application_type":"service","client_secret":"S","client_id":%q}}`, id)
		}
		list = append(list, fmt.Sprintf(`{"id":%q,"label":"an app","signOnMode":"X","credentials":{"signing":{"kid":"k"},"oauthClient":{"client_secret":"S"}},"settings":%s}`, id, settings))
	}
	return list
}

func (o *testOrg) membersOf(binding string) (list []string) {
	for i, principal := range o.extras.members[binding] {
		href := "https://acme-admin.okta.com/api/v1/" + principal
		if strings.HasPrefix(principal, "clients/") {
			href = "https://acme.okta.com/oauth2/v1/" + principal
		}
		list = append(list, fmt.Sprintf(`{"id":"irb%s%d","created":"2026-01-05T10:00:00.000Z","_links":{"self":{"href":%q}}}`, strings.ReplaceAll(binding, "/", ""), i, href))
	}
	return list
}

// addExtras gives the sample org some of everything.
func (o *testOrg) addExtras() {
	o.extras = extras{
		apps:     []string{"0oa0", "0oa1s", "0oa2", "0oa3s", "0oa4"},
		appUsers: map[string][]string{"0oa0": o.users[:3], "0oa4": o.users[:5]}, appGroups: map[string][]string{"0oa1s": o.groups[:3]},
		bindings: map[string][]string{"iam1": {"cr02", "cr00", "cr01"}, "iam2": {"cr00"}, "iam8": {"cr03", "cr04"}},
		members: map[string][]string{
			"iam1/cr00": {"users/00u1", "groups/00g1", "clients/0oa1s"}, "iam1/cr01": {"users/00u2"}, "iam1/cr02": {"users/00u1", "users/00u2", "users/00u4", "users/00u5", "users/00u6"},
			"iam2/cr00": {"users/00u1"}, "iam8/cr03": {"users/00u4"}, "iam8/cr04": {"groups/00g2"},
		},
		resources: map[string][]string{"iam0": {"ire1", "ire2", "ire3"}, "iam7": {"ire4"}},
		targets:   map[string][]string{"users/00u4/IFIFAX2BIRGUSTQ": {"0oa1", "0oa2", "0oa3"}, "groups/00g7/JBCUYUC7IRCVGS27IFCE2SKO": {"00g1"}, "clients/0oa1s/JBCUYUC7IRCVGS27IFCE2SKO": {"00g5"}},
		rules:     []string{"0pr1", "0pr2", "0pr3"}, devices: []string{"guo1", "guo2", "guo3"},
		factors:   map[string][]string{"00u1": {"ufs1", "ufs2"}, "00u8": {"ufs3"}},
		userTypes: []string{"oty1", "oty2"}, tokens: []string{"00T1"},
	}
	o.roles["0oa1s"], o.roles["0oa3s"] = []string{"JBCUYUC7IRCVGS27IFCE2SKO", "ra15"}, []string{"ra16"}
}
