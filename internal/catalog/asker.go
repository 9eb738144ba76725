package catalog

// The blueprints of people and of their teams.
const (
	userBlueprint = "_user"
	teamBlueprint = "_team"
)

// maxAskerTeams bounds how many teams of one person a query looks at.
const maxAskerTeams = 200

// context returns what {"context": "user"} and {"context": "userTeams"} stand for when this person asks.
func (s *searching) context(asker string) func(of, property string) ([]Value, error) {
	if asker == "" {
		return nil
	}
	return func(of, property string) ([]Value, error) {
		if s.model.rules[userBlueprint] == nil {
			return nil, nil
		}
		user, _, err := s.view.Search(s.ctx, named(userBlueprint, []string{asker}))
		if err != nil || len(user) == 0 {
			return nil, err
		}
		if of == "user" {
			return s.valuesOf(user, property)
		}
		if s.model.rules[teamBlueprint] == nil {
			return nil, nil
		}
		teams := teamsOf(s.model.rules[userBlueprint], &user[0])
		if len(teams) == 0 {
			return nil, nil
		}
		list, _, err := s.view.Search(s.ctx, named(teamBlueprint, teams))
		if err != nil {
			return nil, err
		}
		return s.valuesOf(list, property)
	}
}

// named finds the entities of a blueprint that have one of the identifiers.
func named(blueprint string, ids []string) Find {
	r := Rule{Subject: Subject{Kind: MetaProperty, Name: "$identifier"}, Operator: OpIn}
	for _, id := range ids[:min(len(ids), maxAskerTeams)] {
		r.Values = append(r.Values, Value{Kind: TextValue, Text: id})
	}
	return Find{Blueprint: blueprint, Rule: r, Limit: maxAskerTeams}
}

// teamsOf lists the teams of a person: $team, and every relation of _user to _team.
func teamsOf(r *rules, user *Entity) []string {
	teams, _ := texts(user.Team)
	for _, rel := range r.Relations {
		if rel.Target == teamBlueprint && rel.InverseOf == "" {
			more, _ := texts(memberValue(user.Relations, rel.Name))
			teams = append(teams, more...)
		}
	}
	return teams
}

// valuesOf reads a property of entities; lists stand for their elements.
func (s *searching) valuesOf(list []Entity, property string) (out []Value, err error) {
	if err := s.addInverses(s.ctx, s.view, s.model, list); err != nil {
		return nil, err
	}
	if err := s.derive(s.ctx, s.view, s.model, list); err != nil {
		return nil, err
	}
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
		switch v := m.subject(subject, &list[i]).json; {
		case len(v) == 0:
		case v[0] == '[':
			elements(v, add)
		default:
			add(v)
		}
	}
	return out, nil
}
