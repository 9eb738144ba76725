package emulator

import (
	"net/http"
	"slices"
	"strings"
)

// group is a group of people. Everyone's members are not kept: they are all who are not gone.
type group struct {
	id, typ, name, description       string
	created, updated, membersUpdated int64
	members                          []int32 // places of people, in order; replaced, never changed
	app                              int     // of an APP_GROUP, in applications; -1 for others
	gone                             bool    // deleted
}

const (
	builtIn   = "BUILT_IN"
	oktaGroup = "OKTA_GROUP"
	appGroup  = "APP_GROUP"

	everyone       = 0 // positions in groups
	administrators = 1
	grantedFirst   = 2 // grantedGroups follow
	departmentHome = 2 + 8

	groupPage  = 200
	memberPage = 1000

	usualGroups = 40
)

func (o *Org) formGroups() {
	n := o.staff.count
	add := func(typ, name, description string, app int) *group {
		i := len(o.groups)
		d := newDraw(o.seed, saltGroup, i)
		g := group{id: o.id(kindGroup, i), typ: typ, name: name, description: description, app: app}
		g.created = o.now - orgAge + int64(i)*orgAge/int64(max(usualGroups, n/50+2)+8)*9/10
		g.updated = d.between(g.created, o.now-30*day)
		g.membersUpdated = d.between(g.updated, o.now-day)
		o.groups = append(o.groups, g)
		return &o.groups[i]
	}
	add(builtIn, "Everyone", "All users in your organization", -1)
	add(builtIn, "Okta Administrators", "Okta manages this group, which contains all administrators in your organization.", -1)
	for _, spec := range grantedGroups {
		g := add(oktaGroup, spec.name, spec.description, -1)
		o.enlist(g, spec)
	}
	for i, dept := range departments {
		g := add(oktaGroup, dept.name, "Everybody in "+dept.name, -1)
		for u := range n {
			if !o.gone(u) && int(o.staff.department[u]) == i && o.departmental(u) {
				g.members = append(g.members, int32(u))
			}
		}
	}
	for i, name := range appGroups {
		app := appActiveDirectory
		if i >= len(appGroups)-2 {
			app = appServiceNow + i - (len(appGroups) - 2)
		}
		o.fill(add(appGroup, name, map[bool]string{true: "", false: "Imported group " + name}[i%3 == 0], app), i)
	}
	total := max(usualGroups, n/50+2)
	for i := 0; len(o.groups) < total; i++ {
		name, description := projectName(i-len(plainGroups)), "Project team"
		if i < len(plainGroups) {
			name, description = plainGroups[i], ""
		}
		g := add(oktaGroup, name, description, -1)
		if name == "All Contractors" {
			g.members = o.contractors()
			continue
		}
		o.fill(g, i)
	}
	o.indexMembers()
}

func projectName(i int) string {
	name := "Project " + projectWords[((i%len(projectWords))+len(projectWords))%len(projectWords)]
	if i >= len(projectWords) {
		name += " " + itoa(i/len(projectWords)+1)
	}
	return name
}

// departmental says whether a person belongs to a department: service accounts and outside consultants do not.
func (o *Org) departmental(i int) bool {
	p := o.staff.story[i]
	return p == nil || p.department >= 0
}

func (o *Org) contractors() (members []int32) {
	for i := range o.staff.count {
		if !o.gone(i) && o.contracts(i) {
			members = append(members, int32(i))
		}
	}
	return members
}

// enlist fills a group that holds roles: the story's people who are in it, and active ones of its department.
func (o *Org) enlist(g *group, spec grantedGroup) {
	for i, p := range o.staff.story {
		if slices.Contains(p.groups, spec.name) {
			g.members = append(g.members, int32(i))
		}
	}
	d := newDraw(o.seed, saltMember, len(o.groups))
	want := spec.size + o.staff.count/4000
	for range 50 * want {
		i := d.below(o.staff.count)
		if len(g.members) < want && o.statusOf(i) == active && o.staff.story[i] == nil && !o.contracts(i) &&
			int(o.staff.department[i]) == spec.department && !slices.Contains(g.members, int32(i)) {
			g.members = append(g.members, int32(i))
		}
	}
	slices.Sort(g.members)
	if spec.name == storyGroup {
		g.created, g.updated = o.now-400*day, o.now-400*day
		g.membersUpdated = o.heard(joinAgo)
	}
}

// storyGroup is the group with the harmless name that makes its members all-powerful.
const storyGroup = "Harbor Tools Beta"

// fill gives a group members from anywhere: the further down the list, the fewer (Zipf).
func (o *Org) fill(g *group, rank int) {
	d := newDraw(o.seed, saltMember, len(o.groups)+1<<20)
	want := max(2, o.staff.count*2/5/(rank+1))
	step := max(1, o.staff.count/want)
	for i := d.below(step); i < o.staff.count; i += 1 + d.below(2*step-1) {
		if !o.gone(i) && o.staff.story[i] == nil {
			g.members = append(g.members, int32(i))
		}
	}
}

// indexMembers notes which groups each person is in: one flat list, and where everybody's part of it begins.
func (o *Org) indexMembers() {
	o.founded = len(o.groups)
	o.memberStart = make([]uint32, o.staff.count+1)
	for i := range o.groups {
		for _, u := range o.groups[i].members {
			o.memberStart[u+1]++
		}
	}
	for i := range o.staff.count {
		o.memberStart[i+1] += o.memberStart[i]
	}
	o.memberships = make([]int32, o.memberStart[o.staff.count])
	next := slices.Clone(o.memberStart)
	for i := range o.groups {
		for _, u := range o.groups[i].members {
			o.memberships[next[u]] = int32(i)
			next[u]++
		}
	}
}

// groupsAtFirst are the groups that somebody was in at New, groupsOf those that they are in; Everyone aside.
func (o *Org) groupsAtFirst(i int) []int32 {
	if i >= o.staff.count {
		return nil
	}
	return o.memberships[o.memberStart[i]:o.memberStart[i+1]]
}

func (o *Org) groupsOf(i int) []int32 {
	if list, changed := o.world.belongs[i]; changed {
		return list
	}
	return o.groupsAtFirst(i)
}

// memberCount is how many people are in a group.
func (o *Org) memberCount(i int) int {
	switch i {
	case everyone:
		return o.userCount() - o.goneCount
	case administrators:
		return o.adminCount
	}
	return len(o.groups[i].members)
}

func (g *group) attribute(name string) []string {
	v := ""
	switch name {
	case "id":
		v = g.id
	case "type":
		v = g.typ
	case "created":
		v = stamp(g.created)
	case "lastUpdated":
		v = stamp(g.updated)
	case "lastMembershipUpdated":
		v = stamp(g.membersUpdated)
	case "profile.name":
		v = g.name
	case "profile.description":
		v = g.description
	}
	if v == "" {
		return nil
	}
	return []string{v}
}

func (o *Org) listGroups(c *call) answer {
	limit, ok := c.limit(groupPage, groupPage)
	if !ok {
		return o.badLimit(c)
	}
	filter, search, q := c.query.Get("filter"), c.query.Get("search"), strings.ToLower(c.query.Get("q"))
	var matches expression
	var err error
	if filter != "" {
		if matches, err = parseExpression(filter, groupFilterRules); err != nil {
			return o.failed(c, http.StatusBadRequest, "E0000053", "Invalid filter '"+filter+"': "+err.Error())
		}
	} else if search != "" {
		if matches, err = parseExpression(search, groupSearchRules); err != nil {
			return o.failed(c, http.StatusBadRequest, "E0000031", "Invalid search criteria.", err.Error())
		}
	}
	from, ok := o.after(c, kindGroup, len(o.groups))
	if !ok {
		return o.badCursor(c)
	}
	stats := strings.Contains(c.query.Get("expand"), "stats")
	params := []string{"limit", itoa(limit), "filter", filter, "search", search, "expand", c.query.Get("expand")}
	t, last, more := text{}, -1, false
	n, at := 0, int64(presently)
	if matches != nil {
		at = o.indexed()
	}
	for i := from; i < len(o.groups); i++ {
		g, ok := o.groupAsOf(i, at)
		if !ok || q != "" && !strings.HasPrefix(strings.ToLower(g.name), q) || matches != nil && !matches(g.attribute) {
			continue
		}
		if more = n == limit; more {
			break
		}
		o.writeGroupAs(&t, i, &g, c.base, stats)
		last = i
		n++
	}
	a := paged(t.b, c.link("/api/v1/groups", append([]string{"after", c.query.Get("after")}, params...)...), "")
	if more {
		a.next = c.link("/api/v1/groups", append([]string{"after", o.groups[last].id}, params...)...)
	}
	if q != "" {
		a.self, a.next = "", ""
	}
	return a
}

// after reads a cursor that is the id of the last object seen, and returns the position to go on from.
func (o *Org) after(c *call, k kind, count int) (int, bool) {
	id := c.query.Get("after")
	if id == "" {
		return 0, true
	}
	i, ok := o.indexOf(k, id, count)
	return i + 1, ok
}

func (o *Org) findGroup(c *call) (int, bool) {
	return o.groupNamed(c.value("group"))
}

// groupNamed returns the position of the group with an id.
func (o *Org) groupNamed(id string) (int, bool) {
	i, ok := o.indexOf(kindGroup, id, len(o.groups))
	return i, ok && !o.groups[i].gone
}

func (o *Org) getGroup(c *call) answer {
	i, ok := o.findGroup(c)
	if !ok {
		return o.notFound(c, c.value("group"), "UserGroup")
	}
	t := text{}
	o.writeGroup(&t, i, c.base, strings.Contains(c.query.Get("expand"), "stats"))
	return object(t.b)
}

func (o *Org) listMembers(c *call) answer {
	g, ok := o.findGroup(c)
	if !ok {
		return o.notFound(c, c.value("group"), "UserGroup")
	}
	if g == administrators { // real orgs do not let anyone list this one
		return o.failed(c, http.StatusForbidden, "E0000006", "You do not have permission to perform the requested action")
	}
	limit, ok := c.limit(memberPage, memberPage)
	if !ok {
		return o.badLimit(c)
	}
	from, ok := o.after(c, kindUser, o.userCount())
	if !ok {
		return o.badCursor(c)
	}
	var found []int
	if g == everyone {
		found = o.scanUsers(from, limit+1, nil, anything)
	} else {
		members := o.groups[g].members
		start, _ := slices.BinarySearch(members, int32(from))
		for _, u := range members[start:min(len(members), start+limit+1)] {
			found = append(found, int(u))
		}
	}
	return o.userPage(c, "/api/v1/groups/"+o.groups[g].id+"/users", found, limit, c.query.Get("after"), []string{"limit", itoa(limit)})
}

func (o *Org) listUserGroups(c *call) answer {
	i, ok := o.findUser(c.value("user"))
	if !ok {
		return o.notFound(c, c.value("user"), "User")
	}
	t := text{}
	if !o.gone(i) {
		o.writeGroup(&t, everyone, c.base, false)
		for _, g := range o.groupsOf(i) {
			o.writeGroup(&t, int(g), c.base, false)
		}
	}
	return paged(t.b, c.link("/api/v1/users/"+o.id(kindUser, i)+"/groups", "limit", itoa(groupPage)), "")
}

const logos = `[{"name":"medium","href":"https://op1static.oktacdn.com/assets/img/logos/groups/odyssey/okta-medium.30ce6d4085dff29412984e4c191bc874.png","type":"image/png"},` +
	`{"name":"large","href":"https://op1static.oktacdn.com/assets/img/logos/groups/odyssey/okta-large.c3cb8cda8ae0add1b4fe928f5844dbe3.png","type":"image/png"}]`

func (o *Org) writeGroup(t *text, i int, base string, stats bool) {
	o.writeGroupAs(t, i, &o.groups[i], base, stats)
}

// writeGroupAs writes the i-th group in the state g.
func (o *Org) writeGroupAs(t *text, i int, g *group, base string, stats bool) {
	t.object("")
	t.strs("id", g.id)
	t.at("created", g.created)
	t.at("lastUpdated", g.updated)
	t.at("lastMembershipUpdated", g.membersUpdated)
	directory := g.app == appActiveDirectory
	if directory {
		t.raw("objectClass", `["okta:windows_security_principal"]`)
	} else {
		t.raw("objectClass", `["okta:user_group"]`)
	}
	t.str("type", g.typ)
	t.object("profile")
	t.str("name", g.name)
	if g.description == "" && i%2 == 0 {
		t.raw("description", "null")
	} else {
		t.str("description", g.description)
	}
	if directory {
		t.str("samAccountName", g.name)
		t.str("dn", "CN="+g.name+",OU=Groups,DC=harborline,DC=example")
		t.str("windowsDomainQualifiedName", `HARBORLINE\`+g.name)
		t.strs("objectSid", "S-1-5-21-1004336348-1177238915-682003330-", itoa(1100+i))
		t.str("groupType", "Security")
		t.str("groupScope", "Global")
	}
	t.end()
	if stats {
		t.object("_embedded")
		t.object("stats")
		t.raw("usersCount", itoa(o.memberCount(i)))
		t.raw("appsCount", itoa(i%4))
		t.raw("groupPushMappingsCount", "0")
		t.raw("hasAdminPrivlege", map[bool]string{true: "true", false: "false"}[len(o.granted[i]) > 0])
		t.end()
		t.end()
	}
	t.object("_links")
	t.raw("logo", logos)
	if g.app >= 0 {
		t.href("source", base, "/api/v1/apps/", o.id(kindApp, g.app))
	}
	t.href("users", base, "/api/v1/groups/", g.id, "/users")
	t.href("apps", base, "/api/v1/groups/", g.id, "/apps")
	t.end()
	t.end()
}
