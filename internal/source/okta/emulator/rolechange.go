package emulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

const (
	maxCustomRoles      = 100 // of an org, as in Okta
	maxRolePermissions  = 100
	maxResourceSets     = 10_000
	maxSetResources     = 1000
	maxLabel            = 255
	maxIAMDescription   = 1024
	maxPermissionLabel  = 100
	maxConditionsLength = 4096
)

// CreateRole makes a custom role.
func (o *Org) CreateRole(label, description string, permissions ...string) (id string, err error) {
	return o.createRole(label, description, permissions, "")
}

func (o *Org) createRole(label, description string, permissions []string, token string) (id string, err error) {
	err = o.changeAs("create_role", token, func(m *mutation) error {
		if err := m.checkRole(label, description, -1); err != nil {
			return err
		}
		live := 0
		for _, r := range m.world.roles {
			if !r.gone {
				live++
			}
		}
		if live >= maxCustomRoles {
			return invalid("role", "an org has at most "+itoa(maxCustomRoles)+" custom roles")
		}
		if len(permissions) > maxRolePermissions {
			return invalid("permissions", "a role has at most "+itoa(maxRolePermissions)+" permissions")
		}
		r := roleRecord{key: m.id(kindRole, len(m.world.roles)), label: label, description: description, created: m.at, updated: m.at}
		for _, p := range permissions {
			if err := checkPermission(p, ""); err != nil {
				return err
			}
			r.permissions = append(r.permissions, permission{label: p, created: m.at, updated: m.at})
		}
		id = r.key
		m.change.Role = id
		m.world.roles = append(m.world.roles, r)
		m.emit(roleCreate, nil, customTarget(r))
		return nil
	})
	return id, err
}

func customTarget(r roleRecord) target { return target{r.key, "CUSTOM_ROLE", "unknown", r.label, ""} }

func (m *mutation) checkRole(label, description string, own int) error {
	same := func(r roleRecord) bool { return !r.gone && r.label == label }
	switch at := slices.IndexFunc(m.world.roles, same); {
	case strings.TrimSpace(label) == "" || len(label) > maxLabel:
		return invalid("label", "must have 1 to "+itoa(maxLabel)+" characters")
	case len(description) > maxIAMDescription:
		return invalid("description", "The field is too long")
	case at >= 0 && at != own:
		return &Refused{Status: http.StatusBadRequest, Code: "E0000150", Summary: "Label already exists.", Causes: []string{"label: another role has it"}}
	}
	return nil
}

func checkPermission(label, conditions string) error {
	switch {
	case !strings.HasPrefix(label, "okta.") || len(label) > maxPermissionLabel || strings.Trim(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.") != "":
		return invalid("permission", "The permission is unknown")
	case len(conditions) > maxConditionsLength || conditions != "" && !json.Valid([]byte(conditions)):
		return invalid("conditions", "The conditions are not valid")
	}
	return nil
}

// customRole finds a custom role by id or label, and notes it in the ledger.
func (m *mutation) customRole(name string) (*roleRecord, error) {
	for i := range m.world.roles {
		if r := &m.world.roles[i]; !r.gone && (r.key == name || r.label == name) {
			m.change.Role = r.key
			return r, nil
		}
	}
	if iamPolicies[name] != "" {
		return nil, forbidden("E0000006", "You do not have permission to perform the requested action")
	}
	return nil, missing(name, "Role")
}

// UpdateRole sets the label and description of a custom role.
func (o *Org) UpdateRole(role, label, description string) error {
	return o.updateRole(role, label, description, "")
}

func (o *Org) updateRole(name, label, description, token string) error {
	return o.changeAs("update_role", token, func(m *mutation) error {
		r, err := m.customRole(name)
		if err != nil {
			return err
		}
		own := slices.IndexFunc(m.world.roles, func(have roleRecord) bool { return have.key == r.key })
		if err := m.checkRole(label, description, own); err != nil {
			return err
		}
		r.label, r.description, r.updated = label, description, m.at
		m.emit(roleUpdate, nil, customTarget(*r))
		return nil
	})
}

// DeleteRole ends a custom role and all its assignments.
func (o *Org) DeleteRole(role string) error { return o.deleteRole(role, "") }

func (o *Org) deleteRole(name, token string) error {
	return o.changeAs("delete_role", token, func(m *mutation) error {
		r, err := m.customRole(name)
		if err != nil {
			return err
		}
		for _, a := range slices.Clone(m.bindings) {
			if a.standard == "" && m.roleKey(a) == r.key {
				m.revoke(a)
			}
		}
		r.gone = true
		m.emit(roleDelete, nil, customTarget(*r))
		return nil
	})
}

// AddPermission gives a custom role a permission; conditions are JSON or "".
func (o *Org) AddPermission(role, label, conditions string) error {
	return o.addPermission(role, label, conditions, "")
}

func (o *Org) addPermission(name, label, conditions, token string) error {
	return o.changeAs("add_permission", token, func(m *mutation) error {
		r, err := m.customRole(name)
		if err != nil {
			return err
		}
		if err := checkPermission(label, conditions); err != nil {
			return err
		}
		at := slices.IndexFunc(r.permissions, func(p permission) bool { return p.label == label })
		if at < 0 && len(r.permissions) >= maxRolePermissions {
			return invalid("permissions", "a role has at most "+itoa(maxRolePermissions)+" permissions")
		}
		list := slices.Clone(r.permissions)
		if at < 0 {
			list = append(list, permission{label, conditions, m.at, m.at})
		} else {
			list[at].conditions, list[at].updated = conditions, m.at
		}
		r.permissions, r.updated = list, m.at
		m.emit(permissionsAdd, nil, customTarget(*r), target{label, "PERMISSION", "unknown", label, ""})
		return nil
	})
}

// RemovePermission takes a permission from a custom role.
func (o *Org) RemovePermission(role, label string) error { return o.removePermission(role, label, "") }

func (o *Org) removePermission(name, label, token string) error {
	return o.changeAs("remove_permission", token, func(m *mutation) error {
		r, err := m.customRole(name)
		if err != nil {
			return err
		}
		left := slices.DeleteFunc(slices.Clone(r.permissions), func(p permission) bool { return p.label == label })
		if len(left) == len(r.permissions) {
			return missing(label, "Permission")
		}
		r.permissions, r.updated = left, m.at
		m.emit(permissionsCut, nil, customTarget(*r), target{label, "PERMISSION", "unknown", label, ""})
		return nil
	})
}
