package access

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"longshore/internal/auth"
	"longshore/internal/fault"
)

// caller is who calls, with what is looked up about them at most once.
type caller struct {
	auth.Principal
	guard *Guard
	known bool
	teams []string // of the person
}

// caller returns who calls. A call of nobody is refused: whoever forgets to say who calls must not open everything.
func (g *Guard) caller(ctx context.Context) (*caller, error) {
	p, ok := auth.From(ctx)
	if !ok || p.Role == "" {
		return nil, fault.Errorf(fault.Denied, "it is not known who calls").WithCode("missing_permissions", nil)
	}
	return &caller{Principal: p, guard: g}, nil
}

func (c *caller) admin() bool { return c.Role == auth.Admin }

// load looks up the caller's teams.
func (c *caller) load(ctx context.Context) error {
	if c.known {
		return nil
	}
	var err error
	if c.User != "" && c.guard.Teams != nil {
		if c.teams, err = c.guard.Teams(ctx, c.User); err != nil {
			return err
		}
	}
	c.known = true
	return nil
}

// holds reports whether the caller's role is one that a leaf's role names.
func holds(role auth.Role, name string) bool {
	switch {
	case strings.EqualFold(name, "Member"):
		return role == auth.Editor || role == auth.Ingest || role == auth.Viewer
	case strings.HasSuffix(strings.ToLower(name), "moderator"):
		return role == auth.Editor || role == auth.Ingest
	}
	return strings.EqualFold(name, string(role))
}

// may reports whether the leaf lets the caller do it with any entity.
func (c *caller) may(leaf Leaf) bool {
	if c.admin() || slices.ContainsFunc(leaf.Roles, func(name string) bool { return holds(c.Role, name) }) {
		return true
	}
	if c.User == "" {
		return false
	}
	return slices.ContainsFunc(leaf.Users, func(name string) bool { return strings.EqualFold(name, c.User) }) ||
		slices.ContainsFunc(leaf.Teams, func(name string) bool { return slices.Contains(c.teams, name) })
}

// mayIfOwned reports whether the leaf lets the caller do it with entities of the caller's teams.
func (c *caller) mayIfOwned(leaf Leaf) bool { return leaf.OwnedByTeam && len(c.teams) > 0 }

// mayWith reports whether the leaf lets the caller do it with an entity of these teams.
func (c *caller) mayWith(leaf Leaf, team json.RawMessage) bool {
	return c.may(leaf) || c.mayIfOwned(leaf) && c.owns(team)
}

// owns reports whether one of the teams is the caller's. team is JSON: a name or a list of them.
func (c *caller) owns(team json.RawMessage) bool {
	var list []string
	var one string
	if json.Unmarshal(team, &list) != nil && json.Unmarshal(team, &one) == nil {
		list = []string{one}
	}
	return slices.ContainsFunc(list, func(name string) bool { return slices.Contains(c.teams, name) })
}

// refused is the answer to what the caller may not do.
func (c *caller) refused(blueprint, permission string) error {
	return fault.Errorf(fault.Denied, "%q may not do this with entities of blueprint %q: the permission %q does not name its role %q, nor its user or a team of it", c.ID, blueprint, permission, c.Role).
		WithCode("missing_permissions", map[string]any{"blueprint": blueprint, "missing": "entities." + permission, "role": c.Role})
}
