package catalog

import (
	"context"
	"slices"
	"strings"
	"time"
)

// The blueprints of people and of their teams.
const (
	userBlueprint = "_user"
	teamBlueprint = "_team"
)

// maxAskerTeams bounds how many teams of one person a query looks at.
const maxAskerTeams = 200

// Asker is who asks: what {"context": "user"} and {"context": "userTeams"} in a query stand for.
type Asker struct {
	User string // e-mail address; "" for a machine
	// Teams lists the person's teams that are kept elsewhere than with the entity of _user, as the view has them; nil means
	// none are.
	Teams func(ctx context.Context, v View, user string) ([]string, error)
}

type askerKey struct{}

// WithAsker returns a context whose searches and aggregations are asked by a. Without one a machine asks.
func WithAsker(ctx context.Context, a Asker) context.Context {
	return context.WithValue(ctx, askerKey{}, a)
}

// context returns what {"context": …} stands for, nil when a machine asks.
func (s *searching) context() func(of, property string) ([]Value, error) {
	a, _ := s.ctx.Value(askerKey{}).(Asker)
	if a.User == "" {
		return nil
	}
	p := &asking{Asker: a, searching: s}
	return func(of, property string) ([]Value, error) {
		if err := p.look(); err != nil {
			return nil, err
		}
		if of == "user" {
			return p.user(property)
		}
		return p.ofTeams(property)
	}
}

// asking is what one query knows of who asks.
type asking struct {
	Asker
	*searching
	looked bool
	entity []Entity // of _user; none when there is none
	teams  []string // each once
}

// look reads the person's entity and teams, once a query.
func (p *asking) look() (err error) {
	if p.looked {
		return nil
	}
	p.looked = true
	if r := p.model.rules[userBlueprint]; r != nil {
		if p.entity, err = p.person(); err != nil {
			return err
		}
		if err := p.fill(p.entity); err != nil {
			return err
		}
		for i := range p.entity {
			p.teams = teamsOf(r, &p.entity[i])
		}
		if p.model.hidden[userBlueprint] { // what it holds would be told by comparing
			p.entity = nil
		}
	}
	if p.Teams != nil {
		more, err := p.Teams(p.ctx, p.view, p.User)
		if err != nil {
			return err
		}
		p.teams = append(p.teams, more...)
	}
	slices.Sort(p.teams)
	p.teams = slices.Compact(p.teams)
	p.teams = p.teams[:min(len(p.teams), maxAskerTeams)]
	return nil
}

// person finds the entity of _user: by the address as it is, else by the same in other letters.
func (p *asking) person() ([]Entity, error) {
	list, _, err := p.view.Search(p.ctx, named(userBlueprint, []string{p.User}))
	if err != nil || len(list) > 0 {
		return list, err
	}
	list, _, err = p.view.Search(p.ctx, Find{Blueprint: userBlueprint, Rule: Everything(), Text: p.User, Limit: maxPage})
	list = slices.DeleteFunc(list, func(e Entity) bool { return !strings.EqualFold(e.Identifier, p.User) })
	return list[:min(len(list), 1)], err
}

// fill reads what is not stored of entities.
func (p *asking) fill(list []Entity) error {
	if err := p.addInverses(p.ctx, p.view, p.model, list); err != nil {
		return err
	}
	return p.derive(p.ctx, p.view, p.model, list)
}

// user reads a property of the person. Who has no entity still has an address and teams.
func (p *asking) user(property string) ([]Value, error) {
	switch {
	case property == "$team":
		return textValues(p.teams), nil
	case len(p.entity) == 0 && (property == "$identifier" || property == "$title"):
		return textValues([]string{p.User}), nil
	}
	return p.valuesOf(p.entity, property), nil
}

// ofTeams reads a property of the person's teams. One without an entity of _team still has its name.
func (p *asking) ofTeams(property string) ([]Value, error) {
	if property == "$identifier" {
		return textValues(p.teams), nil
	}
	var list []Entity
	if p.model.rules[teamBlueprint] != nil && !p.model.hidden[teamBlueprint] && len(p.teams) > 0 {
		var err error
		if list, _, err = p.view.Search(p.ctx, named(teamBlueprint, p.teams)); err != nil {
			return nil, err
		}
		if err := p.fill(list); err != nil {
			return nil, err
		}
	}
	values := p.valuesOf(list, property)
	if property == "$title" {
		bare := slices.DeleteFunc(slices.Clone(p.teams), func(name string) bool {
			return slices.ContainsFunc(list, func(e Entity) bool { return e.Identifier == name })
		})
		values = append(values, textValues(bare)...)
	}
	return values, nil
}

func textValues(list []string) []Value {
	values := make([]Value, len(list))
	for i, text := range list {
		values[i] = constant(appendText(nil, text))
	}
	return values
}

// named finds the entities of a blueprint that have one of the identifiers.
func named(blueprint string, ids []string) Find {
	r := Rule{Subject: Subject{Kind: MetaProperty, Name: "$identifier"}, Operator: OpIn}
	for _, id := range ids {
		r.Values = append(r.Values, Value{Kind: TextValue, Text: id})
	}
	return Find{Blueprint: blueprint, Rule: r, Limit: maxAskerTeams}
}

// teamsOf lists the teams of a person: $team, and every relation of _user to _team.
func teamsOf(r *rules, user *Entity) []string {
	teams, _ := texts(user.Team)
	for _, rel := range r.Relations {
		if rel.Target == teamBlueprint {
			more, _ := texts(memberValue(user.Relations, rel.Name))
			teams = append(teams, more...)
		}
	}
	return teams
}

// valuesOf reads a property of entities that are filled in; lists stand for their elements.
func (s *searching) valuesOf(list []Entity, property string) (out []Value) {
	subject := Subject{Kind: ValueProperty, Name: property}
	if property[0] == '$' {
		subject.Kind = MetaProperty
	}
	m := matcher{graph: s.model}
	add := func(v []byte) {
		if c := constant(v); c.Kind != NullValue && c.Kind != JSONValue {
			out = append(out, c)
		}
	}
	for i := range list {
		switch v := m.subject(subject, &list[i]); {
		case v.instant:
			add(appendText(nil, time.UnixMilli(v.at).UTC().Format(stampFormat)))
		case len(v.json) == 0:
		case v.json[0] == '[':
			elements(v.json, add)
		default:
			add(v.json)
		}
	}
	return out
}
