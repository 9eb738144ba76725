package emulator

import (
	"net/http"
	"slices"
	"strings"
)

const (
	iamPage    = 100
	iamCreated = 500 * day // how long ago the first custom role was made
)

// roleRecord is a role as /iam lists it: the custom ones, then the standard ones built on them.
type roleRecord struct {
	key, label, description string
	permissions             []permission
	created, updated        int64
	gone                    bool // deleted
}

type permission struct {
	label, conditions string // conditions are JSON; "" is null
	created, updated  int64
}

// setRecord is a resource set as it is now.
type setRecord struct {
	label, description string
	created, updated   int64
	resources          []resourceRecord
	gone               bool // deleted
}

type resourceRecord struct {
	resource
	id               string
	group            int // position in groups; -1 when it is no group
	created, updated int64
}

// foundIAM makes the roles and resource sets that there are at New.
func (o *Org) foundIAM() {
	for i, r := range customRoles {
		d := newDraw(o.seed, saltIAM, i)
		created := o.now - iamCreated + int64(i)*30*day + d.between(0, 20*day)
		record := roleRecord{key: o.id(kindRole, i), label: r.label, description: r.description, created: created, updated: d.between(created, o.now-10*day)}
		for _, p := range r.permissions {
			record.permissions = append(record.permissions, permission{p, r.conditions[p], created, created})
		}
		o.world.roles = append(o.world.roles, record)
	}
	for i, s := range resourceSets {
		created := o.now - iamCreated + int64(i)*13*day + 7*3600
		record := setRecord{label: s.label, description: s.description, created: created, updated: created + int64(i)*day}
		for j, r := range s.resources {
			group := slices.IndexFunc(o.groups, func(g group) bool { return r.group != "" && g.name == r.group })
			record.resources = append(record.resources, resourceRecord{resource: r, id: o.id(kindResource, i*100+j), group: group, created: created, updated: created})
		}
		o.world.sets = append(o.world.sets, record)
	}
	o.world.newResources = len(resourceSets) * 100
}

func (o *Org) roleRecords() []roleRecord {
	records := make([]roleRecord, 0, len(o.world.roles)+len(builtOn))
	for _, r := range o.world.roles {
		if !r.gone {
			records = append(records, r)
		}
	}
	for _, r := range builtOn {
		record := roleRecord{key: r.role, label: roleLabels[r.role], description: r.description, created: o.now - orgAge, updated: o.now - orgAge}
		for _, p := range r.permissions {
			record.permissions = append(record.permissions, permission{label: p, created: record.created, updated: record.created})
		}
		records = append(records, record)
	}
	return records
}

func (o *Org) findRole(key string) (roleRecord, bool) {
	for _, r := range o.roleRecords() {
		if r.key == key || r.label == key {
			return r, true
		}
	}
	return roleRecord{}, false
}

// bodyPage cuts a page out of n objects that a cursor names by key, and writes it.
func (o *Org) bodyPage(c *call, list, path string, n int, key func(int) string, write func(*text, int), extra string) answer {
	limit, ok := c.limit(iamPage, iamPage)
	if !ok {
		return o.badLimit(c)
	}
	from := 0
	if after := c.query.Get("after"); after != "" {
		for from < n && key(from) != after {
			from++
		}
		if from++; from > n { // it is gone since: ids sort by age
			from = 0
			for from < n && (len(after) != idLength || key(from)[:3] != after[:3] || key(from) < after) {
				from++
			}
			if from == n && len(after) != idLength {
				return o.badCursor(c)
			}
		}
	}
	t, next := text{}, ""
	to := min(n, from+limit)
	for i := from; i < to; i++ {
		write(&t, i)
	}
	if to < n {
		next = c.link(path, "after", key(to-1), "limit", itoa(limit))
	}
	return bodyPaged(list, t.b, next, extra)
}

func (o *Org) listAssignees(c *call) answer {
	people := o.assignees()
	return o.bodyPage(c, "value", "/api/v1/iam/assignees/users", len(people),
		func(i int) string { return o.id(kindUser, people[i]) },
		func(t *text, i int) {
			id := o.id(kindUser, people[i])
			t.object("")
			t.strs("id", id)
			t.strs("orn", "orn:okta:directory:", o.orgID, ":users:", id)
			t.object("_links")
			t.href("roles", c.base, "/api/v1/users/", id, "/roles")
			t.href("self", c.base, "/api/v1/users/", id)
			t.end()
			t.end()
		}, "")
}

func (o *Org) assignees() []int {
	var people []int
	for _, p := range o.holders {
		people = append(people, int(p))
	}
	if !o.options.InheritedAssignees {
		return people
	}
	for g := range o.granted {
		for _, p := range o.groups[g].members {
			people = append(people, int(p))
		}
	}
	slices.Sort(people)
	return slices.Compact(people)
}

func (o *Org) listRoles(c *call) answer {
	records := o.roleRecords()
	return o.bodyPage(c, "roles", "/api/v1/iam/roles", len(records),
		func(i int) string { return records[i].key },
		func(t *text, i int) { writeRole(t, records[i], c.base) }, "")
}

func (o *Org) getRole(c *call) answer {
	r, ok := o.findRole(c.value("role"))
	if !ok {
		return o.notFound(c, c.value("role"), "Role")
	}
	t := text{}
	writeRole(&t, r, c.base)
	a := object(t.b)
	a.self = adminBase(c.base) + "/api/v1/iam/roles/" + r.key
	return a
}

func writeRole(t *text, r roleRecord, base string) {
	admin := adminBase(base)
	t.object("")
	t.strs("id", r.key)
	t.str("label", r.label)
	t.raw("isCloneable", "false")
	t.str("description", r.description)
	t.at("created", r.created)
	t.at("lastUpdated", r.updated)
	t.object("_links")
	t.href("permissions", admin, "/api/v1/iam/roles/", r.key, "/permissions")
	t.href("self", admin, "/api/v1/iam/roles/", r.key)
	t.end()
	t.end()
}

func (o *Org) listPermissions(c *call) answer {
	r, ok := o.findRole(c.value("role"))
	if !ok {
		return o.notFound(c, c.value("role"), "Role")
	}
	t := text{}
	for _, p := range r.permissions {
		writePermission(&t, r, p, c.base)
		t.end()
	}
	return bodyPaged("permissions", t.b, "", "")
}

// writePermission leaves the object open, so that the ledger can add the role.
func writePermission(t *text, r roleRecord, p permission, base string) {
	admin := adminBase(base)
	t.object("")
	t.str("label", p.label)
	t.at("created", p.created)
	t.at("lastUpdated", p.updated)
	if p.conditions != "" {
		t.raw("conditions", p.conditions)
	} else {
		t.raw("conditions", "null")
	}
	t.object("_links")
	t.href("role", admin, "/api/v1/iam/roles/", r.key)
	t.href("self", admin, "/api/v1/iam/roles/", r.key, "/permissions/", p.label)
	t.end()
}

func (o *Org) listResourceSets(c *call) answer {
	sets := o.liveSets()
	return o.bodyPage(c, "resource-sets", "/api/v1/iam/resource-sets", len(sets),
		func(i int) string { return o.id(kindResourceSet, sets[i]) },
		func(t *text, i int) { o.writeResourceSet(t, sets[i], c.base) }, "")
}

// liveSets are the positions of the resource sets that were not deleted.
func (o *Org) liveSets() (live []int) {
	for i := range o.world.sets {
		if !o.world.sets[i].gone {
			live = append(live, i)
		}
	}
	return live
}

func (o *Org) findSet(c *call) (int, bool) { return o.setNamed(c.value("set")) }

// setNamed returns the position of a resource set named by id or label.
func (o *Org) setNamed(name string) (int, bool) {
	if i, ok := o.indexOf(kindResourceSet, name, len(o.world.sets)); ok {
		return i, !o.world.sets[i].gone
	}
	i := slices.IndexFunc(o.world.sets, func(s setRecord) bool { return !s.gone && s.label == name })
	return i, i >= 0
}

func (o *Org) getResourceSet(c *call) answer {
	i, ok := o.findSet(c)
	if !ok {
		return o.notFound(c, c.value("set"), "ResourceSet")
	}
	t := text{}
	o.writeResourceSet(&t, i, c.base)
	a := object(t.b)
	a.self = adminBase(c.base) + "/api/v1/iam/resource-sets/" + o.id(kindResourceSet, i)
	return a
}

func (o *Org) writeResourceSet(t *text, i int, base string) {
	s, admin, id := o.world.sets[i], adminBase(base), o.id(kindResourceSet, i)
	t.object("")
	t.strs("id", id)
	t.str("label", s.label)
	t.str("description", s.description)
	t.at("created", s.created)
	t.at("lastUpdated", s.updated)
	t.object("_links")
	t.href("self", admin, "/api/v1/iam/resource-sets/", id)
	t.href("resources", admin, "/api/v1/iam/resource-sets/", id, "/resources")
	t.href("bindings", admin, "/api/v1/iam/resource-sets/", id, "/bindings")
	t.end()
	t.end()
}

func (o *Org) listResources(c *call) answer {
	set, ok := o.findSet(c)
	if !ok {
		return o.notFound(c, c.value("set"), "ResourceSet")
	}
	path := "/api/v1/iam/resource-sets/" + o.id(kindResourceSet, set)
	resources := o.world.sets[set].resources
	return o.bodyPage(c, "resources", path+"/resources", len(resources), func(i int) string { return resources[i].id }, func(t *text, i int) {
		o.writeResource(t, resources[i], path, c.base)
	}, `"resource-set":{"href":"`+adminBase(c.base)+path+`"}`)
}

func (o *Org) writeResource(t *text, r resourceRecord, path, base string) {
	id, orn := r.id, "orn:okta:directory:"+o.orgID+":"
	self, second := "", path+"/resources/"+id
	link := "resource"
	switch {
	case r.all != "":
		link, self, second = r.all, "/api/v1/"+r.all, "/api/v1/"+r.all
		if r.all == "apps" {
			orn = "orn:okta:idp:" + o.orgID + ":"
		}
		orn += r.all
	case r.app > 0:
		app := o.id(kindApp, r.app-1)
		orn, self = "orn:okta:idp:"+o.orgID+":apps:"+strings.ToLower(strings.ReplaceAll(applications[r.app-1], " ", ""))+":"+app, "/api/v1/apps/"+app
	default:
		orn, self = orn+"groups:"+o.groups[r.group].id, "/api/v1/groups/"+o.groups[r.group].id
		if r.members {
			orn, self = orn+":contained_resources", self+"/users"
		}
	}
	t.object("")
	t.strs("id", id)
	t.strs("orn", orn)
	t.at("created", r.created)
	t.at("lastUpdated", r.updated)
	t.object("_links")
	t.href("self", base, self)
	if link == "resource" {
		base = adminBase(base)
	}
	t.href(link, base, second)
	t.end()
	t.end()
}

// bound returns the assignments under a resource set; of one role when key is not "".
func (o *Org) bound(set int, key string) (list []assignment) {
	for _, a := range o.bindings {
		if a.standard == "" && a.resourceSet == set && (key == "" || key == o.roleKey(a) || key == o.world.roles[a.custom].label) {
			list = append(list, a)
		}
	}
	return list
}

// boundRoles returns the roles that are bound under a resource set, each once.
func (o *Org) boundRoles(set int) (keys []string) {
	for _, a := range o.bound(set, "") {
		if !slices.Contains(keys, o.roleKey(a)) {
			keys = append(keys, o.roleKey(a))
		}
	}
	return keys
}

func (o *Org) listBindings(c *call) answer {
	set, ok := o.findSet(c)
	if !ok {
		return o.notFound(c, c.value("set"), "ResourceSet")
	}
	keys := o.boundRoles(set)
	admin, path := adminBase(c.base), "/api/v1/iam/resource-sets/"+o.id(kindResourceSet, set)
	return o.bodyPage(c, "roles", path+"/bindings", len(keys), func(i int) string { return keys[i] }, func(t *text, i int) {
		t.object("")
		t.strs("id", keys[i])
		t.object("_links")
		t.href("self", admin, "/api/v1/iam/roles/", keys[i])
		t.href("members", admin, path, "/bindings/", keys[i], "/members")
		t.end()
		t.end()
	}, `"self":{"href":"`+admin+path+`/bindings"},"resource-set":{"href":"`+admin+path+`"}`)
}

func (o *Org) listBindingMembers(c *call) answer {
	set, ok := o.findSet(c)
	if !ok {
		return o.notFound(c, c.value("set"), "ResourceSet")
	}
	members := o.bound(set, c.value("role"))
	if len(members) == 0 {
		return o.failed(c, http.StatusNotFound, "E0000007", "Not found: Resource not found: "+c.value("role")+" (ResourceSetBinding)")
	}
	admin := adminBase(c.base)
	path := "/api/v1/iam/resource-sets/" + o.id(kindResourceSet, set) + "/bindings/" + o.roleKey(members[0])
	return o.bodyPage(c, "members", path+"/members", len(members), func(i int) string { return members[i].id }, func(t *text, i int) {
		o.writeBindingMember(t, members[i], c.base)
		t.end()
	}, `"self":{"href":"`+admin+path+`/members"},"binding":{"href":"`+admin+path+`"}`)
}

// writeBindingMember leaves the object open, so that the ledger can add the resource set and the role.
func (o *Org) writeBindingMember(t *text, a assignment, base string) {
	t.object("")
	t.strs("id", a.id)
	t.at("created", a.granted)
	t.at("lastUpdated", a.granted)
	t.object("_links")
	t.href("self", base, o.principalPath(a.assignee()))
	t.end()
}
