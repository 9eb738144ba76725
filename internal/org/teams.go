package org

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"longshore/internal/catalog"
)

// maxTeamUsers is how many users a team may have.
const maxTeamUsers = 10_000

// Team is a group of users, named by their e-mail addresses.
type Team struct {
	ID                   string
	Name                 string
	Description          *string
	Users                []string // never nil
	CreatedAt, UpdatedAt time.Time
}

func teamKey(name string) catalog.DocumentKey {
	return catalog.DocumentKey{Kind: kindTeam, Identifier: name}
}

// teamDoc is a team as it is kept.
type teamDoc struct {
	ID          string   `json:"id"`
	Description *string  `json:"description"`
	Users       []string `json:"users"`
}

func toTeam(d catalog.Document) (Team, error) {
	var doc teamDoc
	err := json.Unmarshal(d.Doc, &doc)
	return Team{doc.ID, d.Identifier, doc.Description, append([]string{}, doc.Users...), d.CreatedAt, d.UpdatedAt}, err
}

// Teams lists the teams by name.
func (o *Org) Teams(ctx context.Context) ([]Team, error) {
	docs, err := o.docs.List(ctx, kindTeam)
	if err != nil {
		return nil, err
	}
	all := make([]Team, len(docs))
	for i, d := range docs {
		if all[i], err = toTeam(d); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// TeamsOf lists the names of the teams that a user is in.
func (o *Org) TeamsOf(ctx context.Context, email string) ([]string, error) {
	docs, err := o.docs.List(ctx, kindTeam)
	if err != nil {
		return nil, err
	}
	return teamsWith(docs, email)
}

// TeamsIn is TeamsOf as a view of the catalog has it.
func (o *Org) TeamsIn(ctx context.Context, v catalog.View, email string) ([]string, error) {
	docs, err := v.Documents(ctx, kindTeam, "")
	if err != nil {
		return nil, err
	}
	return teamsWith(docs, email)
}

func teamsWith(docs []catalog.Document, email string) (names []string, err error) {
	for _, d := range docs {
		t, err := toTeam(d)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(t.Users, func(u string) bool { return strings.EqualFold(u, email) }) {
			names = append(names, t.Name)
		}
	}
	return names, nil
}

// Team returns one team, or fault.NotFound.
func (o *Org) Team(ctx context.Context, name string) (Team, error) {
	d, err := o.docs.Get(ctx, teamKey(name))
	if err != nil {
		return Team{}, err
	}
	return toTeam(d)
}

// sentTeam is a team as a client writes it: which members it named, too.
type sentTeam struct {
	Name        *string         `json:"name"`
	Description *string         `json:"description"`
	Users       json.RawMessage `json:"users"`
	users       []string
	described   bool
}

func readTeam(body json.RawMessage) (sentTeam, error) {
	o, err := parseObject("team", body)
	if err != nil {
		return sentTeam{}, err
	}
	var s sentTeam
	for name, into := range map[string]**string{"name": &s.Name, "description": &s.Description} {
		if err := o.want("team", name, "a string", into); err != nil {
			return s, err
		}
	}
	if s.Name != nil {
		if err := checkName("team name", *s.Name); err != nil {
			return s, err
		}
	}
	if err := o.want("team", "users", "a list of e-mail addresses", &s.users); err != nil {
		return s, err
	}
	if len(s.users) > maxTeamUsers {
		return s, invalid("team users: more than %d", maxTeamUsers)
	}
	s.Users = o["users"]
	_, s.described = o["description"]
	return s, nil
}

// CreateTeam makes a team of {name, description?, users?}. Errors: fault.Conflict when the name is taken.
func (o *Org) CreateTeam(ctx context.Context, body json.RawMessage, actor string) (Team, error) {
	sent, err := readTeam(body)
	if err != nil {
		return Team{}, err
	}
	if sent.Name == nil {
		return Team{}, invalid("team name: required")
	}
	doc := teamDoc{newID("team_"), sent.Description, sent.users}
	d, err := o.docs.Create(ctx, catalog.Document{DocumentKey: teamKey(*sent.Name), Doc: encode(doc), UpdatedBy: actor})
	if err != nil {
		return Team{}, err
	}
	return toTeam(d)
}

// ReplaceTeam makes body the team; another name renames it.
func (o *Org) ReplaceTeam(ctx context.Context, name string, body json.RawMessage, actor string) (Team, error) {
	return o.changeTeam(ctx, name, body, actor, true)
}

// PatchTeam changes the members that body names; another name renames it.
func (o *Org) PatchTeam(ctx context.Context, name string, body json.RawMessage, actor string) (Team, error) {
	return o.changeTeam(ctx, name, body, actor, false)
}

func (o *Org) changeTeam(ctx context.Context, name string, body json.RawMessage, actor string, replace bool) (Team, error) {
	sent, err := readTeam(body)
	if err != nil {
		return Team{}, err
	}
	d, err := o.docs.Update(ctx, teamKey(name), func(d *catalog.Document) error {
		var doc teamDoc
		if err := json.Unmarshal(d.Doc, &doc); err != nil {
			return err
		}
		if replace || sent.described {
			doc.Description = sent.Description
		}
		if replace || sent.Users != nil {
			doc.Users = sent.users
		}
		if sent.Name != nil {
			d.Identifier = *sent.Name
		}
		d.Doc, d.UpdatedBy = encode(doc), actor
		return nil
	})
	if err != nil {
		return Team{}, err
	}
	return toTeam(d)
}

// DeleteTeam removes a team, or answers fault.NotFound. Entities keep its name.
func (o *Org) DeleteTeam(ctx context.Context, name string) error {
	return o.docs.Delete(ctx, teamKey(name))
}
