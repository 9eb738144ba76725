package emulator

import (
	"net/http"
	"slices"
)

// Step is one change by name: what /_emu/mutate reads, and a Workload makes. What needs which members:
//
//	create_user          profile, activate               update_profile                       user, profile
//	activate, deactivate, reactivate, suspend, unsuspend, lock, unlock, expire_password, reset_password, sign_in, delete    user
//	grant, revoke        user, role, resourceSet for a custom role; to revoke, an assignment's id may stand for the role
//	grant_group, revoke_group    the same with group
//	join, leave          user, group
//	import_profile, import_join, import_leave            as without import_, but the log says nothing of it
//	create_group         name, description               update_group, delete_group           group, name, description
//	create_role          name, description, permissions  update_role, delete_role             role, name, description
//	add_permission, remove_permission                    role, permission, conditions
//	create_resource_set  name, description, resources    update_resource_set, delete_resource_set   resourceSet, name, description
//	add_resource         resourceSet, resource           remove_resource                      resourceSet, resource (its id in the set)
//
// Users are named by id, login or "me", groups by id or name, roles by standard type, id or label, sets by id or label.
type Step struct {
	What        string         `json:"what"`
	User        string         `json:"user,omitempty"`
	Group       string         `json:"group,omitempty"`
	Role        string         `json:"role,omitempty"`
	ResourceSet string         `json:"resourceSet,omitempty"`
	Assignment  string         `json:"assignment,omitempty"`
	Resource    string         `json:"resource,omitempty"`
	Resources   []string       `json:"resources,omitempty"`
	Permission  string         `json:"permission,omitempty"`
	Permissions []string       `json:"permissions,omitempty"`
	Conditions  string         `json:"conditions,omitempty"`
	Name        string         `json:"name,omitempty"`
	Description string         `json:"description,omitempty"`
	Profile     map[string]any `json:"profile,omitempty"`
	Activate    bool           `json:"activate,omitempty"`
}

// Do makes the change that a step names, and returns the id of what it made, if it made something.
func (o *Org) Do(s Step) (id string, err error) {
	if _, lifecycle := steps[s.What]; lifecycle {
		return "", o.live(s.User, s.What, "")
	}
	do, known := doing[s.What]
	if !known {
		return "", &Refused{Status: http.StatusBadRequest, Code: "E0000001", Summary: "Api validation failed: what", Causes: []string{"what: there is no change named " + s.What}}
	}
	return do(o, s)
}

func nothing(err error) (string, error) { return "", err }

// assigned is how a step names an assignment.
func (s Step) assigned() string {
	if s.Assignment != "" {
		return s.Assignment
	}
	return s.Role
}

var doing = map[string]func(*Org, Step) (string, error){
	"create_user":    func(o *Org, s Step) (string, error) { return o.CreateUser(s.Profile, s.Activate) },
	"update_profile": func(o *Org, s Step) (string, error) { return nothing(o.UpdateProfile(s.User, s.Profile)) },
	"sign_in":        func(o *Org, s Step) (string, error) { return nothing(o.SignIn(s.User)) },
	"delete":         func(o *Org, s Step) (string, error) { return nothing(o.Delete(s.User)) },
	"grant":          func(o *Org, s Step) (string, error) { return o.Grant(s.User, s.Role, s.ResourceSet) },
	"revoke":         func(o *Org, s Step) (string, error) { return nothing(o.Revoke(s.User, s.assigned())) },
	"grant_group":    func(o *Org, s Step) (string, error) { return o.GrantGroup(s.Group, s.Role, s.ResourceSet) },
	"revoke_group":   func(o *Org, s Step) (string, error) { return nothing(o.RevokeGroup(s.Group, s.assigned())) },
	"join":           func(o *Org, s Step) (string, error) { return nothing(o.Join(s.User, s.Group)) },
	"leave":          func(o *Org, s Step) (string, error) { return nothing(o.Leave(s.User, s.Group)) },
	"import_profile": func(o *Org, s Step) (string, error) { return nothing(o.ImportProfile(s.User, s.Profile)) },
	"import_join":    func(o *Org, s Step) (string, error) { return nothing(o.ImportMembership(s.User, s.Group, true)) },
	"import_leave":   func(o *Org, s Step) (string, error) { return nothing(o.ImportMembership(s.User, s.Group, false)) },
	"create_group":   func(o *Org, s Step) (string, error) { return o.CreateGroup(s.Name, s.Description) },
	"update_group":   func(o *Org, s Step) (string, error) { return nothing(o.UpdateGroup(s.Group, s.Name, s.Description)) },
	"delete_group":   func(o *Org, s Step) (string, error) { return nothing(o.DeleteGroup(s.Group)) },
	"create_role":    func(o *Org, s Step) (string, error) { return o.CreateRole(s.Name, s.Description, s.Permissions...) },
	"update_role":    func(o *Org, s Step) (string, error) { return nothing(o.UpdateRole(s.Role, s.Name, s.Description)) },
	"delete_role":    func(o *Org, s Step) (string, error) { return nothing(o.DeleteRole(s.Role)) },
	"add_permission": func(o *Org, s Step) (string, error) {
		return nothing(o.AddPermission(s.Role, s.Permission, s.Conditions))
	},
	"remove_permission": func(o *Org, s Step) (string, error) { return nothing(o.RemovePermission(s.Role, s.Permission)) },
	"create_resource_set": func(o *Org, s Step) (string, error) {
		return o.CreateResourceSet(s.Name, s.Description, s.Resources...)
	},
	"update_resource_set": func(o *Org, s Step) (string, error) {
		return nothing(o.UpdateResourceSet(s.ResourceSet, s.Name, s.Description))
	},
	"delete_resource_set": func(o *Org, s Step) (string, error) { return nothing(o.DeleteResourceSet(s.ResourceSet)) },
	"add_resource":        func(o *Org, s Step) (string, error) { return o.AddResource(s.ResourceSet, s.Resource) },
	"remove_resource":     func(o *Org, s Step) (string, error) { return nothing(o.RemoveResource(s.ResourceSet, s.Resource)) },
}

// Steps names all that Do can do, in order.
func Steps() []string {
	var all []string
	for name := range steps {
		all = append(all, name)
	}
	for name := range doing {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}
