package catalog

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
)

// Limits of inherited teams.
const (
	maxHeirs  = 8   // owners that inherit from owners
	maxOwners = 500 // entities that one entity inherits from
)

// ownership says where the team of a blueprint's entities is read from: the end of a path of relations. The zero value
// is an entity's own team.
type ownership struct {
	path []string
	code string // Port's code of writing a team all the same
}

// readOwnership reads Port's two spellings.
func readOwnership(doc []byte) ownership {
	var d struct {
		TeamInheritance *struct{ Path string }       `json:"teamInheritance"`
		Ownership       *struct{ Type, Path string } `json:"ownership"`
	}
	if json.Unmarshal(doc, &d) != nil {
		return ownership{}
	}
	switch {
	case d.Ownership != nil && d.Ownership.Type == "Inherited":
		return ownership{strings.Split(d.Ownership.Path, "."), "inherited_ownership_enabled"}
	case d.TeamInheritance != nil && d.TeamInheritance.Path != "":
		return ownership{strings.Split(d.TeamInheritance.Path, "."), "team_inheritance_enabled"}
	}
	return ownership{}
}

// addTeams fills in the teams that are read from other entities. Nothing of it is stored: it is so at once when an
// entity on the way changes.
func addTeams(ctx context.Context, v View, m *model, entities []Entity, depth int) error {
	groups := map[string][]int{}
	for i, e := range entities {
		if r := m.rules[e.Blueprint]; r != nil && r.owned.path != nil {
			groups[e.Blueprint] = append(groups[e.Blueprint], i)
		}
	}
	for blueprint, places := range groups {
		owners, err := follow(ctx, v, m, blueprint, entities, places)
		if err != nil {
			return err
		}
		if depth < maxHeirs {
			var all []Entity
			for _, list := range owners {
				all = append(all, list...)
			}
			if err := addTeams(ctx, v, m, all, depth+1); err != nil {
				return err
			}
			for at, n := 0, 0; at < len(owners); at++ {
				owners[at] = all[n : n+len(owners[at])]
				n += len(owners[at])
			}
		}
		for at, i := range places {
			entities[i].Team = inheritedTeam(owners[at])
		}
	}
	return nil
}

// inheritedTeam returns the teams of several entities, each once, nil for none.
func inheritedTeam(owners []Entity) json.RawMessage {
	var names []string
	for _, o := range owners {
		list, _ := texts(o.Team)
		for _, name := range list {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if names == nil {
		return nil
	}
	return textList(names)
}

// follow returns, for each of the entities at places, those at the end of its blueprint's path.
func follow(ctx context.Context, v View, m *model, blueprint string, entities []Entity, places []int) ([][]Entity, error) {
	at := make([][]Entity, len(places))
	for i, place := range places {
		at[i] = []Entity{entities[place]}
	}
	for _, step := range m.rules[blueprint].owned.path {
		rel := m.relationOf(blueprint, step)
		if rel == nil || rel.InverseOf != "" || m.rules[rel.Target] == nil {
			return make([][]Entity, len(places)), nil
		}
		named := make([][]string, len(places))
		var ids []string
		for i, list := range at {
			for _, e := range list {
				targets, _ := texts(memberOf(e.Relations, step))
				for _, id := range targets {
					if len(named[i]) < maxOwners && !slices.Contains(named[i], id) {
						named[i] = append(named[i], id)
					}
				}
			}
			ids = append(ids, named[i]...)
		}
		found, err := byIdentifier(ctx, v, rel.Target, ids)
		if err != nil {
			return nil, err
		}
		for i := range at {
			at[i] = nil
			for _, id := range named[i] {
				if e, there := found[id]; there {
					at[i] = append(at[i], e)
				}
			}
		}
		blueprint = rel.Target
	}
	return at, nil
}

func (m *model) relationOf(blueprint, relation string) *Relation {
	if r := m.rules[blueprint]; r != nil {
		return r.relations[relation]
	}
	return nil
}

// byIdentifier returns the entities of a blueprint with these identifiers.
func byIdentifier(ctx context.Context, v View, blueprint string, ids []string) (map[string]Entity, error) {
	const chunk = 500
	found := make(map[string]Entity, len(ids))
	slices.Sort(ids)
	for part := range slices.Chunk(slices.Compact(ids), chunk) {
		rule := Rule{Subject: Subject{Kind: MetaProperty, Name: "$identifier"}, Operator: OpIn}
		for _, id := range part {
			rule.Values = append(rule.Values, Value{Kind: TextValue, Text: id})
		}
		list, _, err := v.Search(ctx, Find{Blueprint: blueprint, Rule: rule, Limit: chunk})
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			found[e.Identifier] = e
		}
	}
	return found, nil
}
