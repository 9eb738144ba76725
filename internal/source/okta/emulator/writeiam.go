package emulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

func (o *Org) postRole(w *asked) (answer, error) {
	var body roleBody
	if err := w.into(&body); err != nil {
		return answer{}, err
	}
	id, err := o.createRole(body.Label, body.Description, body.Permissions, w.token)
	if err != nil {
		return answer{}, err
	}
	return o.show(w, o.getRole, "role", id), nil
}

func (o *Org) putRole(w *asked) (answer, error) {
	var body roleBody
	if err := w.into(&body); err != nil {
		return answer{}, err
	}
	id, found := "", false
	o.reading(func(*call) answer { // by its id, for the label may change
		r, ok := o.findRole(w.value("role"))
		id, found = r.key, ok
		return answer{}
	})(w.call)
	if !found {
		return answer{}, missing(w.value("role"), "Role")
	}
	if err := o.updateRole(id, body.Label, body.Description, w.token); err != nil {
		return answer{}, err
	}
	return o.show(w, o.getRole, "role", id), nil
}

func (o *Org) eraseRole(w *asked) (answer, error) {
	return done(o.deleteRole(w.value("role"), w.token))
}

func (o *Org) putPermission(w *asked) (answer, error) {
	var body struct {
		Conditions json.RawMessage `json:"conditions"`
	}
	if err := w.into(&body); err != nil {
		return answer{}, err
	}
	conditions := string(body.Conditions)
	if conditions == jsonNull {
		conditions = ""
	}
	return done(o.addPermission(w.value("role"), w.value("permission"), conditions, w.token))
}

func (o *Org) erasePermission(w *asked) (answer, error) {
	return done(o.removePermission(w.value("role"), w.value("permission"), w.token))
}

type setBody struct {
	Label       string   `json:"label"`
	Description string   `json:"description"`
	Resources   []string `json:"resources"`
	Additions   []string `json:"additions"`
	Role        string   `json:"role"`
	Members     []string `json:"members"`
}

func (o *Org) postSet(w *asked) (answer, error) {
	var body setBody
	if err := w.into(&body); err != nil {
		return answer{}, err
	}
	id, err := o.createSet(body.Label, body.Description, body.Resources, w.token)
	if err != nil {
		return answer{}, err
	}
	return o.show(w, o.getResourceSet, "set", id), nil
}

func (o *Org) putSet(w *asked) (answer, error) {
	var body setBody
	if err := w.into(&body); err != nil {
		return answer{}, err
	}
	set, found := 0, false
	o.reading(func(*call) answer { // by its id, for the label may change
		set, found = o.findSet(w.call)
		return answer{}
	})(w.call)
	if !found {
		return answer{}, missing(w.value("set"), "ResourceSet")
	}
	id := o.id(kindResourceSet, set)
	if err := o.updateSet(id, body.Label, body.Description, w.token); err != nil {
		return answer{}, err
	}
	return o.show(w, o.getResourceSet, "set", id), nil
}

func (o *Org) eraseSet(w *asked) (answer, error) {
	return done(o.deleteSet(w.value("set"), w.token))
}

func (o *Org) patchResources(w *asked) (answer, error) {
	var body setBody
	if err := w.into(&body); err != nil {
		return answer{}, err
	}
	if err := o.addResources(w.value("set"), body.Additions, w.token, nil); err != nil {
		return answer{}, err
	}
	return o.show(w, o.getResourceSet, "", ""), nil
}

func (o *Org) eraseResource(w *asked) (answer, error) {
	return done(o.removeResource(w.value("set"), w.value("id"), w.token))
}

// bind gives a role under a set to members, who are named by their URLs.
func (o *Org) bind(w *asked, role string, members []string) (answer, error) {
	if len(members) > maxSetResources {
		return answer{}, invalid("members", "at most "+itoa(maxSetResources)+" at once")
	}
	for _, m := range members {
		group := strings.Contains(m, "/groups/")
		what := map[bool]string{true: "grant_group", false: "grant"}[group]
		if _, err := o.grantTo(what, lastPart(m), group, role, w.value("set"), w.token); err != nil {
			return answer{}, err
		}
	}
	admin := adminBase(w.base)
	t := text{}
	t.object("")
	t.str("id", role)
	t.object("_links")
	t.href("self", admin, "/api/v1/iam/resource-sets/", w.value("set"), "/bindings/", role)
	t.href("bindings", admin, "/api/v1/iam/resource-sets/", w.value("set"), "/bindings")
	t.end()
	t.end()
	return object(t.b), nil
}

func (o *Org) postBinding(w *asked) (answer, error) {
	var body setBody
	if err := w.into(&body); err != nil {
		return answer{}, err
	}
	return o.bind(w, lastPart(body.Role), body.Members)
}

func (o *Org) patchMembers(w *asked) (answer, error) {
	var body setBody
	if err := w.into(&body); err != nil {
		return answer{}, err
	}
	return o.bind(w, w.value("role"), body.Additions)
}

func (o *Org) eraseBinding(w *asked) (answer, error) { return done(o.unbind(w, "")) }

func (o *Org) eraseBindingMember(w *asked) (answer, error) { return done(o.unbind(w, w.value("id"))) }

// unbind revokes the role from the member of a binding with that id, or from all when it is "".
func (o *Org) unbind(w *asked, member string) error {
	return o.changeAs("unbind", w.token, func(m *mutation) error {
		s, err := m.set(w.value("set"))
		if err != nil {
			return err
		}
		list := slices.DeleteFunc(m.bound(s, w.value("role")), func(a assignment) bool { return member != "" && a.id != member })
		if len(list) == 0 {
			return &Refused{Status: http.StatusNotFound, Code: "E0000007", Summary: "Not found: Resource not found: " + w.value("role") + " (ResourceSetBinding)"}
		}
		m.change.Role = m.roleKey(list[0])
		for _, a := range list {
			m.revoke(a)
		}
		return nil
	})
}
