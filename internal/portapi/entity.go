package portapi

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// shape is what of a blueprint decides how its entities are answered.
type shape struct {
	properties []string // stored ones, in document order
	derived    []string // mirrors, calculations and aggregations
	relations  []catalog.Relation
}

func newShape(b catalog.Blueprint) (shape, error) {
	s := shape{relations: b.Relations}
	for _, p := range b.Properties {
		s.properties = append(s.properties, p.Name)
	}
	doc, err := parseMembers("blueprint", b.Doc)
	if err != nil {
		return s, err
	}
	for _, name := range derivedMaps {
		list, err := parseMembers(name, doc.get(name))
		if err != nil {
			return s, err
		}
		for _, m := range list {
			s.derived = append(s.derived, m.Name)
		}
	}
	return s, nil
}

// shapes returns the shapes of the entities' blueprints. A blueprint that was deleted meanwhile leaves its entities bare.
func (a *API) shapes(ctx context.Context, list []catalog.Entity) (map[string]shape, error) {
	all := map[string]shape{}
	for _, e := range list {
		if _, known := all[e.Blueprint]; known {
			continue
		}
		b, err := a.Catalog.Blueprint(ctx, e.Blueprint)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return nil, err
		}
		if all[e.Blueprint], err = newShape(b); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// view is how a request wants entities shown.
type view struct {
	include, exclude []string
	noDerived        bool
	attachTitles     bool
	titleMirrors     bool // a mirror of $title comes with the identifier
}

func (r *request) view() view {
	return view{
		include: r.list("include"), exclude: r.list("exclude"), noDerived: r.flag("exclude_calculated_properties", false),
		attachTitles: r.flag("attach_title_to_relation", false), titleMirrors: r.flag("attach_identifier_to_title_mirror_properties", false),
	}
}

// reading is what of the entities must be derived to be shown so.
func (v view) reading() catalog.Reading {
	how := catalog.Reading{Stored: v.noDerived, TitleIdentifiers: v.titleMirrors, Unscored: !v.shows("scorecards")}
	if len(v.include) == 0 || slices.Contains(v.include, "properties") {
		return how
	}
	how.Only = []string{}
	for _, x := range v.include {
		if name, ok := strings.CutPrefix(x, "properties."); ok {
			how.Only = append(how.Only, name)
		} else if !slices.Contains(topFields, x) {
			how.Only = append(how.Only, x)
		}
	}
	how.Stored = how.Stored || len(how.Only) == 0
	return how
}

// topFields are the members that include and exclude may name; any other bare word is a property or a relation.
var topFields = []string{"identifier", "title", "icon", "blueprint", "team", "properties", "relations", "createdAt", "createdBy", "updatedAt", "updatedBy", "scorecards"}

// shows reports whether a member is answered. Identifier and blueprint always are: without them an entity is nothing.
func (v view) shows(field string) bool {
	if field == "identifier" || field == "blueprint" {
		return true
	}
	if slices.ContainsFunc(v.exclude, func(x string) bool { return strings.TrimPrefix(x, "$") == field }) {
		return false
	}
	if len(v.include) == 0 {
		return true
	}
	return slices.ContainsFunc(v.include, func(x string) bool {
		x = strings.TrimPrefix(x, "$")
		return x == field || strings.HasPrefix(x, field+".") || (field == "properties" || field == "relations") && !slices.Contains(topFields, x) && !strings.Contains(x, ".")
	})
}

// showsWithin reports whether a property or relation is answered.
func (v view) showsWithin(field, name string) bool {
	named := func(x string) bool { return x == field+"."+name || x == name && !slices.Contains(topFields, x) }
	if slices.ContainsFunc(v.exclude, named) {
		return false
	}
	return len(v.include) == 0 || slices.Contains(v.include, field) || slices.ContainsFunc(v.include, named)
}

// toWireEntity shows an entity: every property and relation of its blueprint is there, what is not set as null (or []).
func toWireEntity(e catalog.Entity, s shape, v view, titles map[catalog.Key]string) (members, error) {
	out := make(members, 0, 12)
	add := func(name string, value any) {
		if v.shows(name) {
			out.put(name, value)
		}
	}
	add("identifier", e.Identifier)
	title := e.Title
	if title == "" {
		title = e.Identifier
	}
	add("title", title)
	if e.Icon != "" {
		add("icon", e.Icon)
	}
	add("blueprint", e.Blueprint)
	add("team", orValue(e.Team, "[]"))
	properties, err := s.wireProperties(e, v)
	if err != nil {
		return nil, err
	}
	add("properties", properties)
	relations, err := s.wireRelations(e, v, titles)
	if err != nil {
		return nil, err
	}
	add("relations", relations)
	if !isNull(e.Scorecards) { // the blueprint has some
		add("scorecards", e.Scorecards)
	}
	add("createdAt", stamp(e.CreatedAt))
	add("createdBy", e.CreatedBy)
	add("updatedAt", stamp(e.UpdatedAt))
	add("updatedBy", e.UpdatedBy)
	return out, nil
}

func (s shape) wireProperties(e catalog.Entity, v view) (members, error) {
	stored, err := fields(e.Properties)
	if err != nil {
		return nil, err
	}
	out := make(members, 0, len(s.properties)+len(s.derived))
	for _, name := range s.properties {
		if v.showsWithin("properties", name) {
			out = append(out, member{name, orValue(stored[name], "null")})
		}
	}
	derived, err := fields(e.Derived)
	if err != nil {
		return nil, err
	}
	for _, name := range s.derived {
		if !v.noDerived && v.showsWithin("properties", name) {
			out = append(out, member{name, orValue(derived[name], "null")})
		}
	}
	return out, nil
}

func (s shape) wireRelations(e catalog.Entity, v view, titles map[catalog.Key]string) (members, error) {
	stored, err := fields(e.Relations)
	if err != nil {
		return nil, err
	}
	out := make(members, 0, len(s.relations))
	for _, r := range s.relations {
		if !v.showsWithin("relations", r.Name) {
			continue
		}
		unset := "null"
		if r.Many {
			unset = "[]"
		}
		value := orValue(stored[r.Name], unset)
		if v.attachTitles {
			if value, err = withTitles(value, r.Target, titles); err != nil {
				return nil, err
			}
		}
		out = append(out, member{r.Name, value})
	}
	return out, nil
}

// fields reads a stored object.
func fields(object json.RawMessage) (map[string]json.RawMessage, error) {
	var m map[string]json.RawMessage
	if len(object) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(object, &m); err != nil {
		return nil, fault.Errorf(fault.Internal, "read a stored entity: %w", err)
	}
	return m, nil
}

func orValue(value json.RawMessage, fallback string) json.RawMessage {
	if isNull(value) {
		return json.RawMessage(fallback)
	}
	return value
}

// titled is a relation's value when its title was asked for.
type titled struct {
	Identifier string `json:"identifier"`
	Title      string `json:"title"`
}

// withTitles turns a relation's value into identifiers with titles.
func withTitles(value json.RawMessage, target string, titles map[catalog.Key]string) (json.RawMessage, error) {
	one := func(id string) titled {
		if title := titles[catalog.Key{Blueprint: target, Identifier: id}]; title != "" {
			return titled{id, title}
		}
		return titled{id, id}
	}
	ids, many := targets(value)
	if !many {
		if len(ids) == 0 {
			return value, nil
		}
		return encode(one(ids[0]))
	}
	list := make([]titled, len(ids))
	for i, id := range ids {
		list[i] = one(id)
	}
	return encode(list)
}

// targets reads a stored relation value: a string, a list of strings, or null.
func targets(value json.RawMessage) (ids []string, many bool) {
	if json.Unmarshal(value, &ids) == nil && len(value) > 0 && value[0] == '[' {
		return ids, true
	}
	var one string
	if json.Unmarshal(value, &one) == nil && one != "" {
		return []string{one}, false
	}
	return nil, false
}

// titles looks up the titles of all that the entities' relations point at.
func (a *API) titles(ctx context.Context, list []catalog.Entity, shapes map[string]shape) (map[catalog.Key]string, error) {
	const batch = 1000 // the most that one search answers
	wanted := map[string]map[string]bool{}
	for _, e := range list {
		stored, err := fields(e.Relations)
		if err != nil {
			return nil, err
		}
		for _, r := range shapes[e.Blueprint].relations {
			ids, _ := targets(stored[r.Name])
			for _, id := range ids {
				if wanted[r.Target] == nil {
					wanted[r.Target] = map[string]bool{}
				}
				wanted[r.Target][id] = true
			}
		}
	}
	found := map[catalog.Key]string{}
	for blueprint, set := range wanted {
		ids := make([]string, 0, len(set))
		for id := range set {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		for part := range slices.Chunk(ids, batch) {
			query, err := encode(map[string]any{"combinator": "and", "rules": []any{map[string]any{"property": "$identifier", "operator": "in", "value": part}}})
			if err != nil {
				return nil, err
			}
			page, err := a.Catalog.Search(ctx, catalog.SearchRequest{Blueprint: blueprint, Query: query, Limit: batch, Reading: catalog.Reading{Stored: true}})
			if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Denied) {
				break // nothing is there, or nothing that the caller may see, that has a title
			}
			if err != nil {
				return nil, err
			}
			for _, e := range page.Entities {
				found[catalog.Key{Blueprint: e.Blueprint, Identifier: e.Identifier}] = e.Title
			}
		}
	}
	return found, nil
}
