package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// Limits of a leaf.
const (
	maxNames     = 1000
	maxNameBytes = 300
)

// Leaf is who may do one thing.
type Leaf struct {
	Users       []string `json:"users"`
	Roles       []string `json:"roles"`
	Teams       []string `json:"teams"`
	OwnedByTeam bool     `json:"ownedByTeam"` // whoever is in a team that the entity belongs to
}

// Permissions are who may do what with the entities of a blueprint.
type Permissions struct {
	Read, Register, Unregister, Update Leaf
	// By name; meta-properties begin with a $.
	UpdateProperties, UpdateRelations map[string]Leaf
}

// metaProperties have a leaf in every blueprint.
var metaProperties = []string{"$title", "$icon", "$team", "$identifier"}

// kept is what of the permissions was set, by the leaf's path: "read", "updateProperties.status". All other leaves are as
// they are from the start.
type kept map[string]Leaf

// keptOf reads what was set of a blueprint's permissions.
func keptOf(b catalog.Blueprint) (kept, error) {
	set := kept{}
	if len(b.Permissions) == 0 {
		return set, nil
	}
	if err := json.Unmarshal(b.Permissions, &set); err != nil {
		return nil, fmt.Errorf("read the permissions of %q: %w", b.Identifier, err)
	}
	return set, nil
}

// permissionsOf is who may do what with the entities of a blueprint.
func permissionsOf(b catalog.Blueprint) (Permissions, error) {
	set, err := keptOf(b)
	return effective(b, set), err
}

// leavesOf lists the paths of a blueprint's leaves in the order in which they are answered.
func leavesOf(b catalog.Blueprint) []string {
	all := []string{"read", "register", "unregister", "update"}
	for _, p := range b.Properties {
		all = append(all, "updateProperties."+p.Name)
	}
	for _, name := range metaProperties {
		all = append(all, "updateProperties."+name)
	}
	for _, r := range b.Relations {
		all = append(all, "updateRelations."+r.Name)
	}
	return all
}

// first is a leaf from the start: Port's, where admins and the blueprint's moderators do everything, and members read.
func first(blueprint, path string) Leaf {
	roles := []string{blueprint + "-moderator", "Admin"}
	if path == "read" {
		roles = append(roles, "Member")
	}
	return Leaf{Users: []string{}, Roles: roles, Teams: []string{}}
}

// effective is the permissions of a blueprint, a leaf for each property and relation that it has.
func effective(b catalog.Blueprint, set kept) Permissions {
	p := Permissions{UpdateProperties: map[string]Leaf{}, UpdateRelations: map[string]Leaf{}}
	for _, path := range leavesOf(b) {
		leaf, ok := set[path]
		if !ok {
			leaf = first(b.Identifier, path)
		}
		group, name, _ := strings.Cut(path, ".")
		switch group {
		case "read":
			p.Read = leaf
		case "register":
			p.Register = leaf
		case "unregister":
			p.Unregister = leaf
		case "update":
			p.Update = leaf
		case "updateProperties":
			p.UpdateProperties[name] = leaf
		case "updateRelations":
			p.UpdateRelations[name] = leaf
		}
	}
	return p
}

// render writes permissions as Port does: {"entities":{"read":{…},…,"updateProperties":{"status":{…}}}}.
func render(b catalog.Blueprint, set kept) (json.RawMessage, error) {
	type member struct {
		name string
		leaf Leaf
	}
	groups := map[string][]member{} // "" for the leaves that are in none
	for _, path := range leavesOf(b) {
		leaf, ok := set[path]
		if !ok {
			leaf = first(b.Identifier, path)
		}
		group, name, deep := strings.Cut(path, ".")
		if !deep {
			group, name = "", path
		}
		groups[group] = append(groups[group], member{name, leaf})
	}
	var out []byte
	write := func(list []member) error {
		for i, m := range list {
			name, err := encode(m.name)
			if err != nil {
				return err
			}
			leaf, err := encode(m.leaf)
			if err != nil {
				return err
			}
			if i > 0 {
				out = append(out, ',')
			}
			out = append(append(append(out, name...), ':'), leaf...)
		}
		return nil
	}
	out = append(out, `{"entities":{`...)
	err := write(groups[""])
	for _, group := range []string{"updateProperties", "updateRelations"} {
		out = append(out, `,"`+group+`":{`...)
		err = errors.Join(err, write(groups[group]))
		out = append(out, '}')
	}
	return append(out, "}}"...), err
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

func invalid(format string, args ...any) *fault.Error {
	return fault.Errorf(fault.Invalid, format, args...).WithCode("invalid_request", nil)
}

// merged is what was set with a patch laid over it: leaf by leaf, and of a leaf the members that the patch names.
func merged(b catalog.Blueprint, set kept, patch json.RawMessage) (kept, error) {
	var body struct {
		Permissions *struct {
			Entities map[string]json.RawMessage `json:"entities"`
		} `json:"permissions"`
		Entities map[string]json.RawMessage `json:"entities"`
	}
	if err := json.Unmarshal(patch, &body); err != nil {
		return nil, invalid("permissions: want an object with entities: %v", err)
	}
	if body.Permissions != nil && body.Entities == nil {
		body.Entities = body.Permissions.Entities
	}
	out := maps.Clone(set)
	if out == nil {
		out = kept{}
	}
	known := leavesOf(b)
	for _, group := range slices.Sorted(maps.Keys(body.Entities)) {
		raw := body.Entities[group]
		switch group {
		case "read", "register", "unregister", "update":
			if err := out.lay(b, group, raw); err != nil {
				return nil, err
			}
		case "updateProperties", "updateRelations":
			var leaves map[string]json.RawMessage
			if err := json.Unmarshal(raw, &leaves); err != nil {
				return nil, invalid("permissions: %s: want an object", group)
			}
			for _, name := range slices.Sorted(maps.Keys(leaves)) {
				path := group + "." + name
				if !slices.Contains(known, path) {
					return nil, invalid("permissions: %s: blueprint %q has no %q", group, b.Identifier, name)
				}
				if err := out.lay(b, path, leaves[name]); err != nil {
					return nil, err
				}
			}
		default:
			return nil, invalid("permissions: unknown member %q of entities", group).WithHint("want read, register, unregister, update, updateProperties and updateRelations")
		}
	}
	return out, nil
}

// lay lays the members that raw names over the leaf.
func (k kept) lay(b catalog.Blueprint, path string, raw json.RawMessage) error {
	var sent struct {
		Users       *[]string       `json:"users"`
		Roles       *[]string       `json:"roles"`
		Teams       *[]string       `json:"teams"`
		OwnedByTeam *bool           `json:"ownedByTeam"`
		Policy      json.RawMessage `json:"policy"`
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&sent); err != nil {
		return invalid("permissions: %s: want users, roles and teams, lists of names, and ownedByTeam: %v", path, err)
	}
	if p := string(bytes.TrimSpace(sent.Policy)); p != "" && p != "null" && p != "{}" {
		return invalid("permissions: %s: a policy is not evaluated here, and one that is passed over would let everybody in", path).
			WithHint("name users, roles or teams instead, or set ownedByTeam")
	}
	leaf, ok := k[path]
	if !ok {
		leaf = first(b.Identifier, path)
	}
	for _, m := range []struct {
		name string
		sent *[]string
		into *[]string
	}{{"users", sent.Users, &leaf.Users}, {"roles", sent.Roles, &leaf.Roles}, {"teams", sent.Teams, &leaf.Teams}} {
		if m.sent == nil {
			continue
		}
		if len(*m.sent) > maxNames {
			return invalid("permissions: %s.%s: more than %d names", path, m.name, maxNames)
		}
		for _, name := range *m.sent {
			if name == "" || len(name) > maxNameBytes {
				return invalid("permissions: %s.%s: a name has 1 to %d bytes", path, m.name, maxNameBytes)
			}
		}
		*m.into = append([]string{}, *m.sent...)
	}
	if sent.OwnedByTeam != nil {
		leaf.OwnedByTeam = *sent.OwnedByTeam
	}
	k[path] = leaf
	return nil
}
