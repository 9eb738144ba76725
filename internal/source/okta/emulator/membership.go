package emulator

import (
	"net/http"
	"slices"
)

// Join makes somebody a member of a group: again is no change. Roles of the group reach them at once.
func (o *Org) Join(user, group string) error { return o.member("join", user, group, "") }

// Leave ends a membership.
func (o *Org) Leave(user, group string) error { return o.member("leave", user, group, "") }

func (o *Org) member(what, user, group, token string) error {
	return o.changeAs(what, token, func(m *mutation) error {
		g, err := m.group(group)
		if err != nil {
			return err
		}
		i, err := m.person(user)
		if err != nil {
			return err
		}
		if err := m.mayJoin(g); err != nil {
			return err
		}
		_, in := slices.BinarySearch(m.groups[g].members, int32(i))
		switch {
		case what == "leave" && in:
			m.expel(i, g)
		case what == "join" && m.gone(i):
			return forbidden("E0000038", notAllowed)
		case what == "join" && !in && len(m.granted[g]) > 0 && m.memberCount(g) >= maxPowerful:
			return invalid("group", "A group with roles has at most "+itoa(maxPowerful)+" users")
		case what == "join" && !in:
			m.admit(i, g)
		default:
			return errNoChange
		}
		return nil
	})
}

// ImportMembership is what the import of a directory does: somebody enters or leaves a group, imported ones among them,
// and the log says nothing of it.
func (o *Org) ImportMembership(user, group string, in bool) error {
	return o.change("import_membership", func(m *mutation) error {
		g, err := m.group(group)
		if err != nil {
			return err
		}
		i, err := m.person(user)
		if err != nil {
			return err
		}
		if m.groups[g].typ == builtIn || m.gone(i) {
			return forbidden("E0000038", notAllowed)
		}
		_, is := slices.BinarySearch(m.groups[g].members, int32(i))
		if is == in {
			return errNoChange
		}
		was := m.admin(i)
		if in {
			m.enter(i, g)
		} else {
			m.leave(i, g)
		}
		m.countAdmin(i, was)
		return nil
	})
}

// group returns the position of a group named by its id or its name, and notes it in the ledger.
func (m *mutation) group(name string) (int, error) {
	g, ok := m.groupNamed(name)
	if !ok {
		g = slices.IndexFunc(m.groups, func(g group) bool { return !g.gone && g.name == name })
	}
	if g < 0 {
		return 0, missing(name, "UserGroup")
	}
	m.change.Group = m.groups[g].id
	return g, nil
}

// mayJoin says whether members of a group are for its administrators to choose.
func (m *mutation) mayJoin(g int) error {
	switch m.groups[g].typ {
	case builtIn:
		return forbidden("E0000006", "You do not have permission to perform the requested action")
	case appGroup:
		return &Refused{Status: http.StatusForbidden, Code: "E0000101", Summary: "Cannot modify app group because it is managed by an application."}
	}
	return nil
}

// admit puts somebody into a group, with the events: the group's first, then what its roles give.
func (m *mutation) admit(i, g int) {
	was := m.admin(i)
	m.enter(i, g)
	m.emit(addMember, nil, m.personTarget(i), m.groupTarget(g))
	m.countAdmin(i, was)
	m.touch(i)
	m.reach(i, g)
}

// expel takes somebody out of a group, with the events.
func (m *mutation) expel(i, g int) {
	was := m.admin(i)
	m.leave(i, g)
	m.emit(removeMember, nil, m.personTarget(i), m.groupTarget(g))
	m.countAdmin(i, was)
	m.touch(i)
	m.reach(i, g)
}

// reach tells what somebody holds now that their membership of g changed, when g holds roles.
func (m *mutation) reach(i, g int) {
	if list := m.granted[g]; len(list) > 0 && !m.options.SilentMembers {
		m.privileges(userGrant, userRevoke, m.rolesOf(i), m.personTarget(i), list[0])
	}
}

func (m *mutation) enter(i, g int) {
	change := func(list []int32, v int32) []int32 {
		at, _ := slices.BinarySearch(list, v)
		grown := make([]int32, 0, len(list)+1)
		return append(append(append(grown, list[:at]...), v), list[at:]...)
	}
	m.groups[g].members = change(m.groups[g].members, int32(i))
	m.belong(i, change(m.groupsOf(i), int32(g)))
	m.touchMembers(g)
}

func (m *mutation) leave(i, g int) {
	without := func(list []int32, v int32) []int32 {
		return slices.DeleteFunc(slices.Clone(list), func(have int32) bool { return have == v })
	}
	m.groups[g].members = without(m.groups[g].members, int32(i))
	m.belong(i, without(m.groupsOf(i), int32(g)))
	m.touchMembers(g)
}

func (m *mutation) belong(i int, list []int32) {
	if m.world.belongs == nil {
		m.world.belongs = make(map[int][]int32)
	}
	m.world.belongs[i] = list
}

// touchMembers moves the time by which readers know that a group's members changed.
func (m *mutation) touchMembers(g int) {
	m.keepGroup(g)
	m.groups[g].membersUpdated = m.at
}

// keepGroup remembers how a group was, for as long as filter and search show it.
func (m *mutation) keepGroup(g int) {
	if m.options.IndexLag <= 0 {
		return
	}
	w := &m.world
	if w.pastGroups == nil {
		w.pastGroups = make(map[int][]former[group])
	}
	if past := w.pastGroups[g]; len(past) > 0 && past[len(past)-1].until == m.millis {
		return // the state before this change is there
	}
	was := m.groups[g]
	was.members = nil // neither filter nor search shows them
	w.pastGroups[g] = remember(m, w.pastGroups[g], was)
}
