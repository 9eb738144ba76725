package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"longshore/internal/catalog"
	"longshore/internal/store"
)

// derived reads the catalog that a run has left and holds the derived properties of the pack against a recount in plain
// sight: derived.
func derived(ts *testscript.TestScript, _ bool, _ []string) {
	ctx := context.Background()
	s, err := store.Open(ctx, filepath.Join(ts.Getenv("LONGSHORE_DATA"), "longshore.db"))
	ts.Check(err)
	defer s.Close()
	c := catalog.New(s.Catalog(), time.Now)
	r := recount{ts: ts, entities: map[string]map[string]values{}, seen: map[string]int{}}
	list, err := c.Blueprints(ctx)
	ts.Check(err)
	for _, b := range list {
		r.entities[b.Identifier] = map[string]values{}
		for req := (catalog.SearchRequest{Blueprint: b.Identifier, Limit: 1000}); ; {
			page, err := c.Search(ctx, req)
			ts.Check(err)
			for _, e := range page.Entities {
				r.entities[b.Identifier][e.Identifier] = valuesOf(ts, e)
			}
			if req.From = page.Next; req.From == "" {
				break
			}
		}
	}
	for _, b := range list {
		r.titles(b)
	}
	r.roles()
	for _, name := range []string{"okta_role_assignment.user_title", "okta_user.direct_roles", "okta_user.inherited_roles", "okta_user.role_types", "okta_group.members", "okta_role.holdings"} {
		if r.seen[name] == 0 {
			ts.Fatalf("%s has no value on any entity", name)
		}
	}
}

// values is an entity, decoded.
type values struct {
	title                 string
	properties, relations map[string]any
	derived               map[string]any
	blueprint, id         string
}

func valuesOf(ts *testscript.TestScript, e catalog.Entity) values {
	v := values{title: e.Title, blueprint: e.Blueprint, id: e.Identifier}
	if v.title == "" {
		v.title = e.Identifier
	}
	for into, text := range map[*map[string]any]json.RawMessage{&v.properties: e.Properties, &v.relations: e.Relations, &v.derived: e.Derived} {
		if len(text) > 0 {
			ts.Check(json.Unmarshal(text, into))
		}
	}
	return v
}

type recount struct {
	ts       *testscript.TestScript
	entities map[string]map[string]values
	seen     map[string]int // values other than none and zero, by property
}

func (r *recount) is(e values, name string, want any) {
	if got := e.derived[name]; !equal(got, want) {
		r.ts.Fatalf("%s of %s %q is %v, want %v", name, e.blueprint, e.id, got, want)
	}
	if want != nil && want != 0.0 {
		r.seen[e.blueprint+"."+name]++
	}
}

func equal(a, b any) bool {
	p, _ := json.Marshal(a)
	q, _ := json.Marshal(b)
	return string(p) == string(q)
}

// titles recounts every mirror of a title.
func (r *recount) titles(b catalog.Blueprint) {
	for _, p := range b.DerivedProperties() {
		var def struct{ Path string }
		_ = json.Unmarshal(p.Schema, &def)
		relation, ok := strings.CutSuffix(def.Path, ".$title")
		if !ok {
			continue
		}
		target := ""
		for _, rel := range b.Relations {
			if rel.Name == relation {
				target = rel.Target
			}
		}
		for _, e := range r.entities[b.Identifier] {
			var want any
			if id, ok := e.relations[relation].(string); ok {
				if to, there := r.entities[target][id]; there {
					want = to.title
				}
			}
			r.is(e, p.Name, want)
		}
	}
}

// roles recounts what hangs on role assignments and memberships.
func (r *recount) roles() {
	direct, inherited, holdings, members := map[any]float64{}, map[any]float64{}, map[any]float64{}, map[any]float64{}
	super := map[any]bool{}
	held := map[any]int{}
	for _, a := range r.entities["okta_role_assignment"] {
		holdings[a.relations["role"]]++
		user := a.relations["user"]
		switch a.properties["inherited"] {
		case true:
			inherited[user]++
		case false:
			direct[user]++
		}
		if a.properties["type"] != nil {
			held[user]++
		}
		super[user] = super[user] || a.properties["type"] == "SUPER_ADMIN"
	}
	for _, m := range r.entities["okta_group_membership"] {
		members[m.relations["group"]]++
	}
	for id, u := range r.entities["okta_user"] {
		r.is(u, "direct_roles", direct[id])
		r.is(u, "inherited_roles", inherited[id])
		types, _ := u.derived["role_types"].([]any)
		if len(types) != held[id] || (u.derived["admin_level"] == "super") != super[id] || (u.derived["admin_level"] == "none") != (held[id] == 0) {
			r.ts.Fatalf("user %q: role types %v, admin level %v; %d are held, super %v", id, types, u.derived["admin_level"], held[id], super[id])
		}
		r.seen["okta_user.role_types"] += len(types)
	}
	for id, g := range r.entities["okta_group"] {
		r.is(g, "members", members[id])
	}
	for id, role := range r.entities["okta_role"] {
		r.is(role, "holdings", holdings[id])
	}
}
