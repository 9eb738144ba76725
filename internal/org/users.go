package org

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// UserBlueprint is the blueprint whose entities are the organisation's users, identified by e-mail address.
const UserBlueprint = "_user"

// User is a person, read from its entity.
type User struct {
	Email                string
	Title                string // its name, or "" when the entity has none
	Status               string
	Role                 string
	Teams                []string // the entity's own and those that name the user; never nil
	CreatedAt, UpdatedAt time.Time
}

// Users calls fn with every user in order of e-mail address, page by page. There are none without the blueprint _user.
func (o *Org) Users(ctx context.Context, fn func([]User) error) error {
	teams, err := o.Teams(ctx)
	if err != nil {
		return err
	}
	for from := ""; ; {
		page, err := o.catalog.Search(ctx, catalog.SearchRequest{Blueprint: UserBlueprint, From: from, Reading: catalog.Reading{Stored: true, Unscored: true}})
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		list := make([]User, len(page.Entities))
		for i, e := range page.Entities {
			if list[i], err = toUser(e, teams); err != nil {
				return err
			}
		}
		if err := fn(list); err != nil {
			return err
		}
		if from = page.Next; from == "" {
			return nil
		}
	}
}

// User returns one user, or fault.NotFound.
func (o *Org) User(ctx context.Context, email string) (User, error) {
	e, err := o.catalog.Entity(ctx, UserBlueprint, email)
	if fault.Is(err, fault.NotFound) {
		return User{}, missing("User", email)
	}
	if err != nil {
		return User{}, err
	}
	teams, err := o.Teams(ctx)
	if err != nil {
		return User{}, err
	}
	return toUser(e, teams)
}

func toUser(e catalog.Entity, teams []Team) (User, error) {
	var properties struct {
		Status any `json:"status"`
		Role   any `json:"port_role"`
	}
	u := User{Email: e.Identifier, Title: e.Title, Teams: []string{}, CreatedAt: e.CreatedAt, UpdatedAt: e.UpdatedAt}
	if len(e.Properties) > 0 {
		if err := json.Unmarshal(e.Properties, &properties); err != nil {
			return u, err
		}
	}
	u.Status, _ = properties.Status.(string)
	u.Role, _ = properties.Role.(string)
	if !isNull(e.Team) {
		if err := json.Unmarshal(e.Team, &u.Teams); err != nil {
			return u, err
		}
	}
	for _, t := range teams {
		if slices.Contains(t.Users, u.Email) && !slices.Contains(u.Teams, t.Name) {
			u.Teams = append(u.Teams, t.Name)
		}
	}
	return u, nil
}
