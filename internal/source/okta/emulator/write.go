package emulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
)

const maxRequestBytes = 1 << 20 // of a body that is sent to the org

// writes are the endpoints that change the org. Each answers as Okta's does; what they change is told in the log with
// the token that asked for it.
func (o *Org) writes() map[string]handler {
	return map[string]handler{
		"POST /api/v1/eventHooks":                                             o.writing(o.postHook),
		"PUT /api/v1/eventHooks/{hook}":                                       o.writing(o.putHook),
		"DELETE /api/v1/eventHooks/{hook}":                                    o.writing(o.eraseHook),
		"POST /api/v1/eventHooks/{hook}/lifecycle/{step}":                     o.writing(o.stepHook),
		"POST /api/v1/users":                                                  o.writing(o.postUser),
		"POST /api/v1/users/{user}":                                           o.writing(o.editUser),
		"PUT /api/v1/users/{user}":                                            o.writing(o.editUser),
		"DELETE /api/v1/users/{user}":                                         o.writing(o.eraseUser),
		"POST /api/v1/users/{user}/lifecycle/{step}":                          o.writing(o.stepUser),
		"POST /api/v1/users/{user}/roles":                                     o.writing(o.postUserRole),
		"DELETE /api/v1/users/{user}/roles/{assignment}":                      o.writing(o.eraseUserRole),
		"POST /api/v1/groups":                                                 o.writing(o.postGroup),
		"PUT /api/v1/groups/{group}":                                          o.writing(o.putGroup),
		"DELETE /api/v1/groups/{group}":                                       o.writing(o.eraseGroup),
		"PUT /api/v1/groups/{group}/users/{user}":                             o.writing(o.putMember),
		"DELETE /api/v1/groups/{group}/users/{user}":                          o.writing(o.eraseMember),
		"POST /api/v1/groups/{group}/roles":                                   o.writing(o.postGroupRole),
		"DELETE /api/v1/groups/{group}/roles/{assignment}":                    o.writing(o.eraseGroupRole),
		"POST /api/v1/iam/roles":                                              o.writing(o.postRole),
		"PUT /api/v1/iam/roles/{role}":                                        o.writing(o.putRole),
		"DELETE /api/v1/iam/roles/{role}":                                     o.writing(o.eraseRole),
		"POST /api/v1/iam/roles/{role}/permissions/{permission}":              o.writing(o.putPermission),
		"PUT /api/v1/iam/roles/{role}/permissions/{permission}":               o.writing(o.putPermission),
		"DELETE /api/v1/iam/roles/{role}/permissions/{permission}":            o.writing(o.erasePermission),
		"POST /api/v1/iam/resource-sets":                                      o.writing(o.postSet),
		"PUT /api/v1/iam/resource-sets/{set}":                                 o.writing(o.putSet),
		"DELETE /api/v1/iam/resource-sets/{set}":                              o.writing(o.eraseSet),
		"PATCH /api/v1/iam/resource-sets/{set}/resources":                     o.writing(o.patchResources),
		"DELETE /api/v1/iam/resource-sets/{set}/resources/{id}":               o.writing(o.eraseResource),
		"POST /api/v1/iam/resource-sets/{set}/bindings":                       o.writing(o.postBinding),
		"DELETE /api/v1/iam/resource-sets/{set}/bindings/{role}":              o.writing(o.eraseBinding),
		"PATCH /api/v1/iam/resource-sets/{set}/bindings/{role}/members":       o.writing(o.patchMembers),
		"DELETE /api/v1/iam/resource-sets/{set}/bindings/{role}/members/{id}": o.writing(o.eraseBindingMember),
	}
}

// asked is a request to change the org.
type asked struct {
	*call
	body  []byte
	token string // id of the API token that asks
}

// writing reads the body before the change is made, and words a refusal as Okta does.
func (o *Org) writing(do func(*asked) (answer, error)) handler {
	return func(c *call) answer {
		body, err := io.ReadAll(io.LimitReader(c.r.Body, maxRequestBytes+1))
		if err != nil || len(body) > maxRequestBytes {
			return o.failed(c, http.StatusBadRequest, "E0000003", "The request body was not well-formed.")
		}
		w := &asked{call: c, body: body}
		if scheme, _, _ := strings.Cut(c.r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "SSWS") {
			w.token = o.id(kindToken, 0)
		}
		a, err := do(w)
		var no *Refused
		switch {
		case err == nil:
			return a
		case errors.As(err, &no):
			return o.failed(c, no.Status, no.Code, no.Summary, no.Causes...)
		default:
			return o.failed(c, http.StatusInternalServerError, "E0000009", "Internal Server Error")
		}
	}
}

// into reads the body; an empty one is an empty object.
func (w *asked) into(v any) error {
	if len(bytes.TrimSpace(w.body)) == 0 {
		return nil
	}
	if err := json.Unmarshal(w.body, v); err != nil {
		return &Refused{Status: http.StatusBadRequest, Code: "E0000003", Summary: "The request body was not well-formed."}
	}
	return nil
}

// done is the answer of a change that has nothing to show: empty when it was refused.
func done(err error) (answer, error) {
	return answer{status: http.StatusNoContent}, err
}

// show answers with an object that a reading endpoint shows, under a name that its path does not have yet.
func (o *Org) show(w *asked, h handler, name, id string) answer {
	if name != "" {
		w.r.SetPathValue(name, id)
	}
	a := o.reading(h)(w.call)
	a.self, a.etag = "", ""
	return a
}

type userBody struct {
	Profile     map[string]json.RawMessage `json:"profile"`
	Credentials struct {
		Password *struct{} `json:"password"`
	} `json:"credentials"`
	GroupIDs []string `json:"groupIds"`
}

// edits are the properties of the body's profile, in order of their names.
func (b *userBody) edits() ([]edit, error) {
	var all []edit
	for name, raw := range b.Profile {
		var value bytes.Buffer
		if err := json.Compact(&value, raw); err != nil {
			return nil, invalid(name, "is no JSON value")
		}
		all = append(all, edit{name, value.String()})
	}
	slices.SortFunc(all, func(a, b edit) int { return strings.Compare(a.name, b.name) })
	return all, checkEdits(all)
}

func (o *Org) postUser(w *asked) (answer, error) {
	var body userBody
	if err := w.into(&body); err != nil {
		return answer{}, err
	}
	edits, err := body.edits()
	if err != nil {
		return answer{}, err
	}
	id, err := o.createUser(newcomer{edits, w.query.Get("activate") != "false", body.Credentials.Password != nil, body.GroupIDs}, w.token)
	if err != nil {
		return answer{}, err
	}
	return o.show(w, o.getUser, "user", id), nil
}

func (o *Org) editUser(w *asked) (answer, error) {
	var body userBody
	if err := w.into(&body); err != nil {
		return answer{}, err
	}
	edits, err := body.edits()
	if err == nil {
		err = o.updateProfile("update_profile", w.value("user"), edits, w.r.Method == http.MethodPut, w.token)
	}
	if err != nil {
		return answer{}, err
	}
	return o.show(w, o.getUser, "", ""), nil
}

func (o *Org) eraseUser(w *asked) (answer, error) {
	return done(o.deleteUser(w.value("user"), w.token))
}

func (o *Org) stepUser(w *asked) (answer, error) {
	step := w.value("step")
	if _, known := steps[step]; !known || step == "lock" { // nobody is locked by request
		return o.pathUnknown(w.call), nil
	}
	if err := o.live(w.value("user"), step, w.token); err != nil {
		return answer{}, err
	}
	if step == "expire_password" {
		return o.show(w, o.getUser, "", ""), nil
	}
	return object([]byte("{}")), nil
}

type roleBody struct {
	Type        string   `json:"type"`
	Role        string   `json:"role"`
	ResourceSet string   `json:"resource-set"`
	Label       string   `json:"label"`
	Description string   `json:"description"`
	Permissions []string `json:"permissions"`
}

// assign reads which role is meant and gives it.
func (o *Org) assign(w *asked, what, principal string, group bool) (answer, error) {
	var body roleBody
	if err := w.into(&body); err != nil {
		return answer{}, err
	}
	name, set := body.Type, ""
	if body.Type == customType {
		name, set = lastPart(body.Role), lastPart(body.ResourceSet)
	} else if _, known := roleLabels[body.Type]; !known {
		return answer{}, invalid("type", "The type is invalid")
	}
	id, err := o.grantTo(what, principal, group, name, set, w.token)
	if err != nil {
		return answer{}, err
	}
	a := o.reading(func(*call) answer { return o.oneAssignment(w.call, principal, group, id) })(w.call)
	return a, nil
}

// oneAssignment writes the assignment that a principal was just given.
func (o *Org) oneAssignment(c *call, principal string, group bool, id string) answer {
	list := []assignment(nil)
	if g, ok := o.groupNamed(principal); group && ok {
		list = o.granted[g]
	} else if i, ok := o.findUser(principal); !group && ok {
		list = o.direct[i]
	}
	for _, a := range list {
		if a.id == id {
			t := text{}
			o.writeAssignment(&t, a, c.base)
			t.end()
			return answer{status: http.StatusCreated, body: t.b}
		}
	}
	return o.notFound(c, id, "RoleAssignment") // somebody revoked it meanwhile
}

// lastPart is the id in a name that may be a URL.
func lastPart(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

func (o *Org) postUserRole(w *asked) (answer, error) {
	return o.assign(w, "grant", w.value("user"), false)
}

func (o *Org) eraseUserRole(w *asked) (answer, error) {
	return done(o.revokeFrom("revoke", w.value("user"), false, w.value("assignment"), w.token))
}

func (o *Org) postGroupRole(w *asked) (answer, error) {
	return o.assign(w, "grant_group", w.value("group"), true)
}

func (o *Org) eraseGroupRole(w *asked) (answer, error) {
	return done(o.revokeFrom("revoke_group", w.value("group"), true, w.value("assignment"), w.token))
}

type groupBody struct {
	Profile struct {
		Name        string  `json:"name"`
		Description *string `json:"description"`
	} `json:"profile"`
}

func (o *Org) postGroup(w *asked) (answer, error) {
	var body groupBody
	if err := w.into(&body); err != nil {
		return answer{}, err
	}
	id, err := o.createGroup(body.Profile.Name, valueOr(body.Profile.Description, ""), w.token)
	if err != nil {
		return answer{}, err
	}
	return o.show(w, o.getGroup, "group", id), nil
}

func valueOr(s *string, missing string) string {
	if s == nil {
		return missing
	}
	return *s
}

func (o *Org) putGroup(w *asked) (answer, error) {
	var body groupBody
	if err := w.into(&body); err != nil {
		return answer{}, err
	}
	if err := o.updateGroup(w.value("group"), body.Profile.Name, valueOr(body.Profile.Description, ""), w.token); err != nil {
		return answer{}, err
	}
	return o.show(w, o.getGroup, "", ""), nil
}

func (o *Org) eraseGroup(w *asked) (answer, error) {
	return done(o.deleteGroup(w.value("group"), w.token))
}

func (o *Org) putMember(w *asked) (answer, error) {
	return done(o.member("join", w.value("user"), w.value("group"), w.token))
}

func (o *Org) eraseMember(w *asked) (answer, error) {
	return done(o.member("leave", w.value("user"), w.value("group"), w.token))
}
