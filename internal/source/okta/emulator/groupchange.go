package emulator

import (
	"slices"
	"strings"
)

// CreateGroup makes a group of Okta's own.
func (o *Org) CreateGroup(name, description string) (id string, err error) {
	return o.createGroup(name, description, "")
}

func (o *Org) createGroup(name, description, token string) (id string, err error) {
	err = o.changeAs("create_group", token, func(m *mutation) error {
		if err := m.checkGroupName(name, description, -1); err != nil {
			return err
		}
		g := len(m.groups)
		id = m.id(kindGroup, g)
		m.change.Group = id
		made := group{id: id, typ: oktaGroup, name: name, description: description, created: m.at, updated: m.at, membersUpdated: m.at, app: -1}
		if m.options.IndexLag > 0 {
			unmade := made
			unmade.gone = true
			if m.world.pastGroups == nil {
				m.world.pastGroups = make(map[int][]former[group])
			}
			m.world.pastGroups[g] = []former[group]{{m.millis, unmade}}
		}
		m.groups = append(m.groups, made)
		m.emit(createGroup, nil, m.groupTarget(g))
		return nil
	})
	return id, err
}

const maxGroupName, maxGroupDescription = 255, 1024

func (m *mutation) checkGroupName(name, description string, g int) error {
	switch {
	case strings.TrimSpace(name) == "":
		return invalid("name", "The field cannot be left blank")
	case len(name) > maxGroupName:
		return invalid("name", "The field is too long")
	case len(description) > maxGroupDescription:
		return invalid("description", "The field is too long")
	}
	if other := slices.IndexFunc(m.Org.groups, func(g group) bool { return !g.gone && g.name == name }); other >= 0 && other != g {
		return invalid("name", "An object with this field already exists in the current organization")
	}
	return nil
}

// UpdateGroup sets the name and description of a group of Okta's own.
func (o *Org) UpdateGroup(group, name, description string) error {
	return o.updateGroup(group, name, description, "")
}

func (o *Org) updateGroup(name, newName, description, token string) error {
	return o.changeAs("update_group", token, func(m *mutation) error {
		g, err := m.group(name)
		if err != nil {
			return err
		}
		if err := m.mayJoin(g); err != nil {
			return err
		}
		if err := m.checkGroupName(newName, description, g); err != nil {
			return err
		}
		m.keepGroup(g)
		m.firstNamed(g)
		m.groups[g].name, m.groups[g].description, m.groups[g].updated = newName, description, m.at
		m.emit(updateGroup, nil, m.groupTarget(g))
		return nil
	})
}

// firstNamed keeps the name that the log of before New speaks of.
func (m *mutation) firstNamed(g int) {
	if _, kept := m.world.groupNames[g]; kept {
		return
	}
	if m.world.groupNames == nil {
		m.world.groupNames = make(map[int]string)
	}
	m.world.groupNames[g] = m.groups[g].name
}

// DeleteGroup ends a group of Okta's own, its memberships and its roles.
func (o *Org) DeleteGroup(group string) error { return o.deleteGroup(group, "") }

func (o *Org) deleteGroup(name, token string) error {
	return o.changeAs("delete_group", token, func(m *mutation) error {
		g, err := m.group(name)
		if err != nil {
			return err
		}
		if m.groups[g].typ != oktaGroup {
			return m.mayJoin(g)
		}
		members, roles := m.groups[g].members, m.granted[g]
		was := m.admins(members)
		m.keepGroup(g)
		for _, i := range members {
			m.belong(int(i), slices.DeleteFunc(slices.Clone(m.groupsOf(int(i))), func(of int32) bool { return of == int32(g) }))
		}
		for _, a := range slices.Clone(roles) {
			m.drop(a)
		}
		m.emit(deleteGroup, nil, m.groupTarget(g))
		m.groups[g].members, m.groups[g].gone = nil, true
		for n, i := range members {
			m.countAdmin(int(i), was[n])
			if len(roles) > 0 && !m.options.SilentMembers {
				m.privileges(userGrant, userRevoke, m.rolesOf(int(i)), m.personTarget(int(i)), roles[0])
			}
		}
		return nil
	})
}
