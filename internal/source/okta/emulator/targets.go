package emulator

import (
	"slices"
	"strconv"
	"strings"
)

// targetsPage is both the usual and the largest page of role targets: who asks for 200 gets 20.
const targetsPage = 20

// assignee is whom a role was given to: a person, a group or a service app.
type assignee struct {
	kind  string // USER, GROUP or CLIENT
	index int
}

func (a *assignment) assignee() assignee {
	switch {
	case a.client > 0:
		return assignee{"CLIENT", a.client - 1}
	case a.group >= 0:
		return assignee{"GROUP", a.group}
	}
	return assignee{"USER", a.person}
}

func (o *Org) principalID(p assignee) string {
	switch p.kind {
	case "CLIENT":
		return o.id(kindApp, p.index)
	case "GROUP":
		return o.groups[p.index].id
	}
	return o.id(kindUser, p.index)
}

// principalPath is where the principal's roles are listed.
func (o *Org) principalPath(p assignee) string {
	return map[string]string{"CLIENT": "/oauth2/v1/clients/", "GROUP": "/api/v1/groups/", "USER": "/api/v1/users/"}[p.kind] + o.principalID(p)
}

// limited names a role of somebody: it is limited by type, not by assignment, because assignments with targets have no id
// of their own.
type limited struct {
	assignee
	role string
}

// target of a role: a group, an application, or all applications of one kind in the catalog.
type roleTarget struct {
	group, app int    // -1: not this
	catalog    string // name of a kind
}

// limitRoles narrows about half of the assignments that can be limited; the others have no targets, which means all.
// What is given later has none either.
func (o *Org) limitRoles() {
	o.targets = make(map[limited][]roleTarget)
	for i := range o.granted {
		for _, a := range o.granted[i] {
			o.limitRole(a)
		}
	}
	for i := range o.direct {
		for _, a := range o.direct[i] {
			o.limitRole(a)
		}
	}
	for i := range o.clientGrants {
		for _, a := range o.clientGrants[i] {
			o.limitRole(a)
		}
	}
}

func (o *Org) limitRole(a assignment) {
	if targetable[a.standard] == "" {
		return
	}
	p := a.assignee()
	d := newDraw(o.seed^mix(uint64(p.kind[0])<<8|uint64(a.standard[0])), saltTarget, p.index)
	wide := p.kind == "CLIENT" || p.kind == "GROUP" && o.groups[p.index].name == "Regional Coordinators EMEA"
	if !wide && d.chance(500) {
		return
	}
	n := 1 + d.below(3)
	if wide {
		n = targetsPage + 5 // more than a page
	}
	var all []roleTarget
	for i := range 40 * n {
		if len(all) == n {
			break
		}
		target := roleTarget{group: -1, app: -1}
		switch {
		case a.standard != appAdmin:
			target.group = grantedFirst + len(grantedGroups) + d.below(len(o.groups)-grantedFirst-len(grantedGroups))
		case i%3 == 2:
			target.catalog = catalog[d.below(len(catalog))].name
		default:
			target.app = appServiceNow + d.below(appAdminConsole-appServiceNow)
		}
		if !slices.Contains(all, target) {
			all = append(all, target)
		}
	}
	slices.SortFunc(all, func(a, b roleTarget) int {
		return (a.group - b.group) + (a.app - b.app) + strings.Compare(a.catalog, b.catalog)
	})
	o.targets[limited{p, a.standard}] = all
}

// targetsOf returns the targets of an assignment that are groups, or that are applications.
func (o *Org) targetsOf(a assignment, groups bool) (list []roleTarget) {
	for _, t := range o.targets[limited{a.assignee(), a.standard}] {
		if t.group >= 0 && o.groups[t.group].gone {
			continue
		}
		if (t.group >= 0) == groups {
			list = append(list, t)
		}
	}
	return list
}

func (o *Org) listUserTargets(groups bool) handler {
	return func(c *call) answer {
		i, ok := o.findUser(c.value("user"))
		if !ok {
			return o.notFound(c, c.value("user"), "User")
		}
		return o.listTargets(c, o.rolesOf(i), groups)
	}
}

func (o *Org) listGroupTargets(groups bool) handler {
	return func(c *call) answer {
		g, ok := o.findGroup(c)
		if !ok {
			return o.notFound(c, c.value("group"), "UserGroup")
		}
		return o.listTargets(c, o.granted[g], groups)
	}
}

func (o *Org) listClientTargets(groups bool) handler {
	return func(c *call) answer {
		i, ok := o.findClient(c)
		if !ok {
			return o.notFound(c, c.value("client"), "PublicClientApp")
		}
		return o.listTargets(c, o.clientGrants[i], groups)
	}
}

// listTargets answers for the assignment with the id in the path. An id of the kind that all assignments of a type share
// names a user's own assignment; those that reach her through groups are limited where the group's roles are listed, and
// are found here only when she has none of her own.
func (o *Org) listTargets(c *call, held []assignment, groups bool) answer {
	id := c.value("assignment")
	at := slices.IndexFunc(held, func(a assignment) bool { return a.id == id && a.group < 0 })
	if at < 0 {
		at = slices.IndexFunc(held, func(a assignment) bool { return a.id == id })
	}
	if at < 0 {
		return o.notFound(c, id, "RoleAssignment")
	}
	limit, ok := c.limit(targetsPage, targetsPage)
	if !ok {
		return o.badLimit(c)
	}
	cursor := func(from int) string { return o.targetCursor(c.r.URL.Path, from) }
	from := 0
	if after := c.query.Get("after"); after != "" {
		_, place, _ := strings.Cut(after, "-")
		var err error
		if from, err = strconv.Atoi(place); err != nil || cursor(from) != after {
			return o.badCursor(c)
		}
	}
	list := o.targetsOf(held[at], groups)
	from = min(max(from, 0), len(list))
	to := min(from+limit, len(list))
	t := text{}
	for _, target := range list[from:to] {
		o.writeTarget(&t, target, c.base)
		t.end()
	}
	a := paged(t.b, c.link(c.r.URL.Path, "after", cursor(from), "limit", itoa(limit)), "")
	if to < len(list) {
		a.next = c.link(c.r.URL.Path, "after", cursor(to), "limit", itoa(limit))
	}
	return a
}

// targetCursor is opaque and named by self links too, as real orgs do.
func (o *Org) targetCursor(path string, from int) string {
	h := uint64(from)
	for _, b := range []byte(path) {
		h = mix(h*golden + uint64(b))
	}
	d := newDraw(o.seed^h, saltTarget, -1)
	return "PGE" + letters(&d, 18) + "-" + itoa(from)
}

// writeTarget leaves the object open, so that the ledger can add the assignment.
func (o *Org) writeTarget(t *text, target roleTarget, base string) {
	switch {
	case target.group >= 0:
		o.writeGroup(t, target.group, base, false)
		t.b = t.b[:len(t.b)-1]
	case target.app >= 0:
		a := o.appAt(target.app)
		t.object("")
		t.str("name", a.label)
		t.str("status", a.status)
		t.strs("id", a.id)
		t.object("_links")
		t.href("self", base, "/api/v1/apps/", a.id)
		t.end()
	default:
		k := catalog[slices.IndexFunc(catalog, func(k catalogApp) bool { return k.name == target.catalog })]
		t.object("")
		t.str("name", k.name)
		t.str("displayName", k.label)
		t.str("description", k.label)
		t.raw("status", `"ACTIVE"`)
		t.raw("lastUpdated", `"2021-03-18T17:37:56.000Z"`)
		t.str("category", k.category)
		t.raw("verificationStatus", `"OKTA_VERIFIED"`)
		t.str("website", k.website)
		t.raw("signOnModes", `["`+k.mode+`"]`)
		t.object("_links")
		t.raw("logo", `[{"name":"medium","href":"https://op1static.oktacdn.com/assets/img/logos/default.6770228fb0dab49a1695ef440a5279bb.png","type":"image/png"}]`)
		t.href("self", base, "/api/v1/catalog/apps/", k.name)
		t.end()
	}
}

// embedTargets adds what expand=targets/groups or targets/catalog/apps asks for to a role that can be limited.
func (o *Org) embedTargets(t *text, a assignment, expand, base string) {
	groups := strings.Contains(expand, "targets/groups")
	if apps := strings.Contains(expand, "targets/catalog/apps"); targetable[a.standard] == "" || !groups && !apps {
		return
	}
	t.object("_embedded")
	t.object("targets")
	if groups {
		t.array("groups")
		o.writeTargets(t, o.targetsOf(a, true), base)
		t.endArray()
	} else {
		t.object("catalog")
		t.array("apps")
		o.writeTargets(t, o.targetsOf(a, false), base)
		t.endArray()
		t.end()
	}
	t.end()
	t.end()
}

func (o *Org) writeTargets(t *text, list []roleTarget, base string) {
	for _, target := range list {
		o.writeTarget(t, target, base)
		t.end()
	}
}

// catalogApp is a kind of application that anybody can add from Okta's catalog. All made up.
type catalogApp struct{ name, label, category, website, mode string }

var catalog = []catalogApp{
	{"harborcrm", "Harbor CRM", "CRM", "https://crm.example", modeSAML2},
	{"manifestly_docs", "Manifestly Docs", "COLLABORATION", "https://docs.example", modeSAML2},
	{"tollgate_vpn", "Tollgate VPN", "SECURITY", "https://vpn.example", modePlugin},
}
