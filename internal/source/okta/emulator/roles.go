package emulator

import (
	"net/http"
	"slices"
)

// assignment is a role in somebody's hands: a person's or a group's.
type assignment struct {
	role
	id      string
	group   int // position in groups; -1 for a person
	person  int // place; -1 for a group
	client  int // position of a service app plus one; 0 for people and groups
	number  int // position in bindings, of custom roles and those built on them
	granted int64
}

// roleMix is who holds what among those who are in no story, in percent.
var roleMix = []struct {
	percent int
	role    string
}{
	{10, superAdmin},
	{5, orgAdmin},
	{15, readOnlyAdmin},
	{5, reportAdmin},
	{3, apiAdmin},
	{17, appAdmin},
	{10, userAdmin},
	{20, helpDeskAdmin},
	{5, groupMembershipAdmin},
	{10, customType},
}

const leastHolders = 12 // people with direct roles outside the story, whatever the size of the org

func (o *Org) assignRoles() {
	o.direct, o.granted = make(map[int][]assignment), make(map[int][]assignment)
	for i, g := range grantedGroups {
		for j, r := range g.roles {
			d := newDraw(o.seed, saltHolder, 1<<20+i*16+j)
			at := d.between(o.groups[grantedFirst+i].created, o.now-60*day)
			if g.name == storyGroup {
				at = o.heard(grantAgo)
			}
			o.grant(assignment{role: r, group: grantedFirst + i, person: -1, granted: at})
		}
	}
	places := make([]int, 0, len(cast))
	for place := range o.staff.story {
		places = append(places, place)
	}
	slices.Sort(places) // maps have no order, and assignments are numbered
	for _, place := range places {
		for j, r := range o.staff.story[place].roles {
			d := newDraw(o.seed, saltHolder, 2<<20+place*16+j)
			o.grant(assignment{role: r, group: -1, person: place, granted: d.between(o.joined(place)+2*day, o.now-45*day)})
		}
	}
	o.grantOutside()
	o.letClientsIn()
	o.settle()
	o.limitRoles()
}

// grantAnyone gives a role to somebody active who has none, if it finds one.
func (o *Org) grantAnyone(i int) (place int, ok bool) {
	d := newDraw(o.seed, saltHolder, i)
	for range 200 {
		place := d.below(o.staff.count)
		if o.statusOf(place) != active || o.staff.story[place] != nil || len(o.direct[place]) > 0 || o.contracts(place) {
			continue
		}
		percent := d.below(100)
		r := role{standard: superAdmin}
		for _, m := range roleMix {
			if percent -= m.percent; percent < 0 {
				r.standard = m.role
				break
			}
		}
		if r.standard == customType {
			r = role{custom: d.below(len(customRoles)), resourceSet: d.below(len(resourceSets))}
		}
		o.grant(assignment{role: r, group: -1, person: place, granted: d.between(o.joined(place), o.now-day)})
		return place, true
	}
	return 0, false
}

func (o *Org) grant(a assignment) {
	_, onPolicy := iamPolicies[a.standard]
	shared, isTargetable := targetable[a.standard]
	switch {
	case isTargetable:
		a.id = shared
	case a.standard == "" || onPolicy:
		a.number = o.boundCount
		o.boundCount++
		a.id = o.id(kindBinding, a.number)
		o.bindings = append(o.bindings, a)
	case a.group >= 0:
		o.grants++
		a.id = o.id(kindGroupRole, o.grants)
	default:
		o.grants++
		a.id = o.id(kindDirect, o.grants)
	}
	switch {
	case a.client > 0:
		o.clientGrants[a.client-1] = append(o.clientGrants[a.client-1], a)
	case a.group >= 0:
		o.granted[a.group] = append(o.granted[a.group], a)
	default:
		o.direct[a.person] = append(o.direct[a.person], a)
	}
}

// settle puts assignments in the order of listings (those with targets first) and gives the ones with targets of one
// principal one time: Okta rewrites it with every further one.
func (o *Org) settle() {
	for _, of := range []map[int][]assignment{o.direct, o.granted} {
		for principal, list := range of {
			latest := int64(0)
			for _, a := range list {
				if targetable[a.standard] != "" {
					latest = max(latest, a.granted)
				}
			}
			for i := range list {
				if targetable[list[i].standard] != "" {
					list[i].granted = latest
				}
			}
			of[principal] = targetsFirst(list)
		}
	}
	for place := range o.direct {
		o.holders = append(o.holders, int32(place))
	}
	slices.Sort(o.holders)
	for i := range o.staff.count {
		if o.gone(i) {
			o.goneCount++
		} else if o.holdsAny(i) {
			o.adminCount++
		}
	}
}

func targetsFirst(list []assignment) []assignment {
	slices.SortStableFunc(list, func(a, b assignment) int { return rank(a) - rank(b) })
	return list
}

func rank(a assignment) int {
	if targetable[a.standard] != "" {
		return 0
	}
	return 1
}

func (o *Org) holdsAny(i int) bool {
	return len(o.direct[i]) > 0 || slices.ContainsFunc(o.groupsOf(i), func(g int32) bool { return len(o.granted[int(g)]) > 0 })
}

// rolesOf returns all assignments that reach a person, directly or through groups. Who is gone has none.
func (o *Org) rolesOf(i int) []assignment {
	if o.gone(i) {
		return nil
	}
	all := slices.Clone(o.direct[i])
	for _, g := range o.groupsOf(i) {
		all = append(all, o.granted[int(g)]...)
	}
	return targetsFirst(all)
}

func (o *Org) listUserRoles(c *call) answer {
	i, ok := o.findUser(c.value("user"))
	if !ok {
		return o.notFound(c, c.value("user"), "User")
	}
	return o.assignments(c, o.rolesOf(i))
}

func (o *Org) listGroupRoles(c *call) answer {
	g, ok := o.findGroup(c)
	if !ok {
		return o.notFound(c, c.value("group"), "UserGroup")
	}
	return o.assignments(c, o.granted[g])
}

func (o *Org) assignments(c *call, list []assignment) answer {
	t := text{}
	for _, a := range list {
		o.writeAssignment(&t, a, c.base)
		o.embedTargets(&t, a, c.query.Get("expand"), c.base)
		t.end()
	}
	return answer{status: http.StatusOK, list: true, items: t.b}
}

// roleKey names the role of a custom assignment, setKey its resource set.
func (o *Org) roleKey(a assignment) string {
	if a.standard != "" {
		return a.standard
	}
	return o.id(kindRole, a.custom)
}

func (o *Org) setKey(a assignment) string {
	if a.standard != "" {
		return iamPolicies[a.standard]
	}
	return o.id(kindResourceSet, a.resourceSet)
}

// custom says whether an assignment is of a custom role, or of a standard one built on them.
func custom(a assignment) bool { return a.standard == "" || iamPolicies[a.standard] != "" }

// writeAssignment leaves the object open, so that the ledger can add the principal.
func (o *Org) writeAssignment(t *text, a assignment, base string) {
	label, typ := roleLabels[a.standard], a.standard
	if a.standard == "" {
		label, typ = o.world.roles[a.custom].label, customType
	}
	t.object("")
	t.strs("id", a.id)
	t.str("label", label)
	t.str("type", typ)
	t.raw("status", `"ACTIVE"`)
	t.at("created", a.granted)
	t.at("lastUpdated", a.granted)
	t.strs("assignmentType", a.assignee().kind)
	holder := []string{base, o.principalPath(a.assignee())}
	if !custom(a) {
		t.object("_links")
		t.href("assignee", holder...)
		t.end()
		return
	}
	admin, set, key := adminBase(base), o.setKey(a), o.roleKey(a)
	t.strs("resource-set", set)
	t.strs("role", key)
	t.object("_links")
	t.href("assignee", holder...)
	t.href("resource-set", admin, "/api/v1/iam/resource-sets/", set)
	t.href("member", admin, "/api/v1/iam/resource-sets/", set, "/bindings/", key, "/members/", a.id)
	t.href("role", admin, "/api/v1/iam/roles/", key)
	t.href("permissions", admin, "/api/v1/iam/roles/", key, "/permissions")
	t.end()
}
