package emulator

import (
	"net/http"
	"slices"
	"strings"
)

// CreateResourceSet makes a resource set. A resource is named as Okta does, by ORN or by URL: a group, its users, an
// application, or all users, groups or applications.
func (o *Org) CreateResourceSet(label, description string, resources ...string) (id string, err error) {
	return o.createSet(label, description, resources, "")
}

func (o *Org) createSet(label, description string, resources []string, token string) (id string, err error) {
	err = o.changeAs("create_resource_set", token, func(m *mutation) error {
		if err := m.checkSet(label, description, -1); err != nil {
			return err
		}
		if len(m.world.sets) >= maxResourceSets {
			return invalid("resourceSet", "an org has at most "+itoa(maxResourceSets)+" resource sets")
		}
		made, err := m.resources(resources)
		if err != nil {
			return err
		}
		set := len(m.world.sets)
		id = m.id(kindResourceSet, set)
		m.change.ResourceSet = id
		m.world.sets = append(m.world.sets, setRecord{label: label, description: description, created: m.at, updated: m.at, resources: made})
		m.emit(setCreate, nil, m.setTarget(set))
		return nil
	})
	return id, err
}

func (m *mutation) checkSet(label, description string, own int) error {
	at := slices.IndexFunc(m.world.sets, func(s setRecord) bool { return !s.gone && s.label == label })
	switch {
	case strings.TrimSpace(label) == "" || len(label) > maxLabel:
		return invalid("label", "must have 1 to "+itoa(maxLabel)+" characters")
	case len(description) > maxIAMDescription:
		return invalid("description", "The field is too long")
	case at >= 0 && at != own:
		return &Refused{Status: http.StatusBadRequest, Code: "E0000150", Summary: "Label already exists.", Causes: []string{"label: another resource set has it"}}
	}
	return nil
}

// set finds a resource set by id or label, and notes it in the ledger.
func (m *mutation) set(name string) (int, error) {
	s, ok := m.setNamed(name)
	if !ok {
		return 0, missing(name, "ResourceSet")
	}
	m.change.ResourceSet = m.id(kindResourceSet, s)
	return s, nil
}

// UpdateResourceSet sets the label and description of a resource set.
func (o *Org) UpdateResourceSet(set, label, description string) error {
	return o.updateSet(set, label, description, "")
}

func (o *Org) updateSet(name, label, description, token string) error {
	return o.changeAs("update_resource_set", token, func(m *mutation) error {
		s, err := m.set(name)
		if err != nil {
			return err
		}
		if err := m.checkSet(label, description, s); err != nil {
			return err
		}
		r := &m.world.sets[s]
		r.label, r.description, r.updated = label, description, m.at
		m.emit(setUpdate, nil, m.setTarget(s))
		return nil
	})
}

// DeleteResourceSet ends a resource set and the assignments under it.
func (o *Org) DeleteResourceSet(set string) error { return o.deleteSet(set, "") }

func (o *Org) deleteSet(name, token string) error {
	return o.changeAs("delete_resource_set", token, func(m *mutation) error {
		s, err := m.set(name)
		if err != nil {
			return err
		}
		for _, a := range m.bound(s, "") {
			m.revoke(a)
		}
		m.emit(setDelete, nil, m.setTarget(s))
		m.world.sets[s].gone, m.world.sets[s].resources = true, nil
		return nil
	})
}

// AddResource puts a resource, named by ORN or URL, into a resource set.
func (o *Org) AddResource(set, resource string) (id string, err error) {
	err = o.addResources(set, []string{resource}, "", &id)
	return id, err
}

func (o *Org) addResources(name string, resources []string, token string, last *string) error {
	return o.changeAs("add_resource", token, func(m *mutation) error {
		s, err := m.set(name)
		if err != nil {
			return err
		}
		added, err := m.resources(resources)
		if err != nil {
			return err
		}
		r := &m.world.sets[s]
		if len(r.resources)+len(added) > maxSetResources {
			return invalid("resources", "a resource set has at most "+itoa(maxSetResources)+" resources")
		}
		for _, a := range added {
			if slices.ContainsFunc(r.resources, a.same) {
				return &Refused{Status: http.StatusConflict, Code: "E0000001", Summary: "Api validation failed: resources", Causes: []string{"resources: is in the set already"}}
			}
		}
		r.resources, r.updated = append(slices.Clone(r.resources), added...), m.at
		for _, a := range added {
			m.change.Resource = a.id
			if last != nil {
				*last = a.id
			}
		}
		m.emit(resourcesAdd, nil, m.setTarget(s))
		return nil
	})
}

func (a resourceRecord) same(b resourceRecord) bool {
	return a.group == b.group && a.members == b.members && a.app == b.app && a.all == b.all
}

// RemoveResource takes a resource out of a set, by the id that it has there.
func (o *Org) RemoveResource(set, id string) error { return o.removeResource(set, id, "") }

func (o *Org) removeResource(name, id, token string) error {
	return o.changeAs("remove_resource", token, func(m *mutation) error {
		s, err := m.set(name)
		if err != nil {
			return err
		}
		r := &m.world.sets[s]
		left := slices.DeleteFunc(slices.Clone(r.resources), func(have resourceRecord) bool { return have.id == id })
		if len(left) == len(r.resources) {
			return missing(id, "ResourceSetResource")
		}
		m.change.Resource = id
		r.resources, r.updated = left, m.at
		m.emit(resourcesCut, nil, m.setTarget(s))
		return nil
	})
}

// resources reads names of resources, and numbers them.
func (m *mutation) resources(names []string) ([]resourceRecord, error) {
	if len(names) > maxSetResources {
		return nil, invalid("resources", "a resource set has at most "+itoa(maxSetResources)+" resources")
	}
	var all []resourceRecord
	for n, name := range names {
		r, group, ok := m.resourceNamed(name)
		if !ok {
			return nil, invalid("resources", "there is no resource "+name)
		}
		all = append(all, resourceRecord{resource: r, group: group, id: m.id(kindResource, m.world.newResources+n), created: m.at, updated: m.at})
	}
	m.world.newResources += len(all)
	return all, nil
}

// resourceNamed reads orn:okta:directory:{org}:groups:{id}:contained_resources, .../api/v1/groups/{id}/users and the like.
func (m *mutation) resourceNamed(name string) (r resource, group int, ok bool) {
	var parts []string
	if rest, isORN := strings.CutPrefix(name, "orn:okta:"); isORN {
		if parts = strings.Split(rest, ":"); len(parts) < 3 {
			return r, -1, false
		}
		parts = parts[2:]
	} else {
		_, path, found := strings.Cut(name, "/api/v1/")
		if !found {
			return r, -1, false
		}
		parts = strings.Split(path, "/")
	}
	switch {
	case len(parts) == 1 && slices.Contains([]string{"users", "groups", "apps"}, parts[0]):
		return resource{all: parts[0]}, -1, true
	case parts[0] == "groups" && len(parts) <= 3:
		group, ok = m.groupNamed(parts[1])
		return resource{members: len(parts) == 3}, group, ok
	case parts[0] == "apps" && len(parts) > 1:
		app, known := m.indexOf(kindApp, parts[len(parts)-1], len(applications))
		return resource{app: app + 1}, -1, known
	}
	return r, -1, false
}
