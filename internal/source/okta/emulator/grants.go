package emulator

import (
	"net/http"
	"slices"
	"strings"
)

// Grant gives a person a role, and returns the assignment's id. The role is a standard type such as SUPER_ADMIN, or the
// id or label of a custom role, which needs a resource set (its id or label); for a standard role set is "".
func (o *Org) Grant(user, role, set string) (assignment string, err error) {
	return o.grantTo("grant", user, false, role, set, "")
}

// GrantGroup gives a group a role: it reaches all members.
func (o *Org) GrantGroup(group, role, set string) (assignment string, err error) {
	return o.grantTo("grant_group", group, true, role, set, "")
}

// Revoke takes an assignment from a person: named by its id, or for a standard role by the type.
func (o *Org) Revoke(user, assignment string) error {
	return o.revokeFrom("revoke", user, false, assignment, "")
}

// RevokeGroup takes an assignment from a group.
func (o *Org) RevokeGroup(group, assignment string) error {
	return o.revokeFrom("revoke_group", group, true, assignment, "")
}

// maxPowerful is the size of the largest group that may hold roles.
const maxPowerful = 5000

func (o *Org) grantTo(what, principal string, group bool, roleName, set, token string) (id string, err error) {
	err = o.changeAs(what, token, func(m *mutation) error {
		a, err := m.principal(principal, group)
		if err != nil {
			return err
		}
		if a.role, err = m.roleNamed(roleName, set); err != nil {
			return err
		}
		switch {
		case group && a.group < grantedFirst:
			return forbidden("E0000006", "You do not have permission to perform the requested action")
		case group && m.memberCount(a.group) > maxPowerful:
			return invalid("group", "Roles can only be assigned to groups of at most "+itoa(maxPowerful)+" users")
		case !group && m.gone(a.person):
			return forbidden("E0000038", notAllowed)
		case slices.ContainsFunc(m.held(a), func(b assignment) bool { return b.role == a.role }):
			return &Refused{Status: http.StatusConflict, Code: "E0000090", Summary: "Duplicate role assignment exception.", Causes: []string{"The role specified is already assigned to the " + map[bool]string{true: "group", false: "user"}[group] + "."}}
		}
		id = m.give(a)
		m.change.Assignment = id
		return nil
	})
	return id, err
}

// principal finds who a role is for.
func (m *mutation) principal(name string, group bool) (assignment, error) {
	if group {
		g, err := m.group(name)
		return assignment{group: g, person: -1, granted: m.at}, err
	}
	i, err := m.person(name)
	return assignment{group: -1, person: i, granted: m.at}, err
}

// roleNamed reads the name of a role and of its resource set.
func (m *mutation) roleNamed(name, set string) (role, error) {
	if _, standard := roleLabels[name]; standard {
		m.change.Role = name
		return role{standard: name}, nil
	}
	i := slices.IndexFunc(m.world.roles, func(r roleRecord) bool { return !r.gone && (r.key == name || r.label == name) })
	if i < 0 {
		return role{}, missing(name, "Role")
	}
	s, ok := m.setNamed(set)
	if !ok {
		return role{}, missing(set, "ResourceSet")
	}
	m.change.Role, m.change.ResourceSet = m.world.roles[i].key, m.id(kindResourceSet, s)
	return role{custom: i, resourceSet: s}, nil
}

// held are the assignments of an assignment's principal.
func (m *mutation) held(a assignment) []assignment {
	switch {
	case a.client > 0:
		return m.clientGrants[a.client-1]
	case a.group >= 0:
		return m.granted[a.group]
	}
	return m.direct[a.person]
}

func (m *mutation) hold(a assignment, list []assignment) {
	of, key := m.direct, a.person
	switch {
	case a.client > 0:
		of, key = m.clientGrants, a.client-1
	case a.group >= 0:
		of, key = m.granted, a.group
	}
	if len(list) == 0 {
		delete(of, key)
	} else {
		of[key] = list
	}
	if a.group < 0 && a.client == 0 {
		m.listHolder(a.person)
	}
}

// listHolder keeps the list of people with direct roles in order.
func (m *mutation) listHolder(i int) {
	at, listed := slices.BinarySearch(m.holders, int32(i))
	switch holds := len(m.direct[i]) > 0; {
	case holds && !listed:
		m.holders = slices.Insert(m.holders, at, int32(i))
	case !holds && listed:
		m.holders = slices.Delete(m.holders, at, at+1)
	}
}

// give makes the assignment, with its events: those of the group first.
func (m *mutation) give(a assignment) string {
	if targetable[a.standard] != "" { // one more of these rewrites the times of all that the principal has
		list := slices.Clone(m.held(a))
		for i := range list {
			if targetable[list[i].standard] != "" {
				list[i].granted = m.at
			}
		}
		m.hold(a, list)
	}
	people := m.reached(a)
	was := m.admins(people)
	before := slices.Clone(m.held(a))
	m.grant(a)
	list := m.held(a)
	id := list[len(list)-1].id
	m.hold(a, targetsFirst(append(before, list[len(list)-1])))
	if a.standard == "" {
		m.emit(bindingsAdd, nil, m.roleTarget(a), m.principalTarget(a), m.setTarget(a.resourceSet))
	}
	m.tellPrivileges(a, people, was)
	return id
}

// reached are the people whom an assignment of a principal reaches.
func (m *mutation) reached(a assignment) []int32 {
	switch {
	case a.client > 0:
		return nil
	case a.group >= 0:
		return m.groups[a.group].members
	}
	return []int32{int32(a.person)}
}

func (o *Org) revokeFrom(what, principal string, group bool, name, token string) error {
	return o.changeAs(what, token, func(m *mutation) error {
		a, err := m.principal(principal, group)
		if err != nil {
			return err
		}
		list := m.held(a)
		i := slices.IndexFunc(list, func(b assignment) bool { return b.id == name || b.standard != "" && b.standard == name })
		if i < 0 {
			return missing(name, "RoleAssignment")
		}
		m.change.Assignment, m.change.Role = list[i].id, m.roleKey(list[i])
		if list[i].standard == "" {
			m.change.ResourceSet = m.setKey(list[i])
		}
		m.revoke(list[i])
		return nil
	})
}

// revoke ends an assignment, with its events.
func (m *mutation) revoke(a assignment) {
	people := m.reached(a)
	was := m.admins(people)
	m.drop(a)
	if a.standard == "" {
		m.emit(bindingsDelete, nil, m.roleTarget(a), m.principalTarget(a), m.setTarget(a.resourceSet))
	}
	m.tellPrivileges(a, people, was)
}

// drop ends an assignment and tells nobody. Its targets end with it.
func (m *mutation) drop(a assignment) {
	delete(m.targets, limited{a.assignee(), a.standard})
	same := func(b assignment) bool { return b.role == a.role }
	m.hold(a, slices.DeleteFunc(slices.Clone(m.held(a)), same))
	if custom(a) {
		m.bindings = slices.DeleteFunc(slices.Clone(m.bindings), func(b assignment) bool { return b.id == a.id })
	}
}

// tellPrivileges emits what Okta says of changed privileges: what the principal has now or, when nothing is left, that
// all is gone; for a group, then the same of each member.
func (m *mutation) tellPrivileges(a assignment, people []int32, was []bool) {
	if a.group < 0 && a.client == 0 {
		m.touch(a.person)
	}
	switch {
	case a.client > 0:
		m.privileges(clientGrant, clientRevoke, m.held(a), m.principalTarget(a), a)
	case a.group >= 0:
		m.privileges(groupGrant, groupRevoke, m.granted[a.group], m.groupTarget(a.group), a)
	}
	for n, i := range people {
		m.countAdmin(int(i), was[n])
		if !m.gone(int(i)) && (a.group < 0 || !m.options.SilentMembers) {
			m.privileges(userGrant, userRevoke, m.rolesOf(int(i)), m.personTarget(int(i)), a)
		}
	}
}

// touch moves somebody's lastUpdated, where the org is one that does so for roles and memberships.
func (m *mutation) touch(i int) {
	if m.options.RolesTouchUsers && !m.gone(i) {
		a := m.account(i)
		a.lastUpdated = m.at
		m.keep(i, a)
	}
}

func (m *mutation) privileges(grant, revoke *eventKind, left []assignment, of target, a assignment) {
	if len(left) == 0 {
		m.emit(revoke, nil, of)
		return
	}
	m.emit(grant, [][2]string{{"privilegeGranted", m.labels(left)}}, of, m.roleTarget(a))
}

// labels are the roles as events list them.
func (m *mutation) labels(list []assignment) string {
	var all []string
	for _, a := range list {
		if l := m.eventLabel(a); !slices.Contains(all, l) {
			all = append(all, l)
		}
	}
	return strings.Join(all, ", ")
}

func (m *mutation) eventLabel(a assignment) string {
	if a.standard == "" {
		return m.world.roles[a.custom].label
	}
	return strings.ReplaceAll(roleLabels[a.standard], "Administrator", "administrator")
}

// roleTarget names a role as events do: by its label alone, for the id is none that the API knows.
func (m *mutation) roleTarget(a assignment) target {
	d := newDraw(m.seed, saltWork, m.change.Number)
	return target{"rol" + hexWord(&d), "ROLE", "unknown", m.eventLabel(a), ""}
}

func hexWord(d *draw) string {
	var b strings.Builder
	for range idLength - 3 {
		b.WriteByte(base62[d.below(62)])
	}
	return b.String()
}

func (m *mutation) principalTarget(a assignment) target {
	switch {
	case a.client > 0:
		app := m.appAt(a.client - 1)
		return target{app.id, "PublicClientApp", app.id, app.label, ""}
	case a.group >= 0:
		return m.groupTarget(a.group)
	}
	return m.personTarget(a.person)
}

func (m *mutation) setTarget(set int) target {
	return target{m.id(kindResourceSet, set), "RESOURCE_SET", "unknown", m.world.sets[set].label, ""}
}

// admin says whether somebody holds a role, and is not gone.
func (m *mutation) admin(i int) bool { return !m.gone(i) && m.holdsAny(i) }

func (m *mutation) admins(people []int32) []bool {
	was := make([]bool, len(people))
	for n, i := range people {
		was[n] = m.admin(int(i))
	}
	return was
}

// countAdmin keeps the number of administrators, who are the members of Okta Administrators.
func (m *mutation) countAdmin(i int, was bool) {
	if is := m.admin(i); is != was {
		m.adminCount += map[bool]int{true: 1, false: -1}[is]
		m.touchMembers(administrators)
	}
}
