package portapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"longshore/internal/catalog"
	"longshore/internal/org"
)

// Teams keeps teams; see [org.Org] for the contracts.
type Teams interface {
	Teams(ctx context.Context) ([]org.Team, error)
	Team(ctx context.Context, name string) (org.Team, error)
	// TeamsIn lists the names of the teams that have the user, as a view of the catalog has them.
	TeamsIn(ctx context.Context, v catalog.View, email string) ([]string, error)
	CreateTeam(ctx context.Context, body json.RawMessage, actor string) (org.Team, error)
	ReplaceTeam(ctx context.Context, name string, body json.RawMessage, actor string) (org.Team, error)
	PatchTeam(ctx context.Context, name string, body json.RawMessage, actor string) (org.Team, error)
	DeleteTeam(ctx context.Context, name string) error
}

type teamUser struct {
	Email  string `json:"email"`
	Status string `json:"status"`
}

// toWireTeam shows a team: to a reader its users are objects, to a writer e-mail addresses as it sent them. Clients
// decode the two apart.
func toWireTeam(t org.Team, reader bool) members {
	wire := members{}
	wire.put("id", t.ID)
	wire.put("name", t.Name)
	wire.put("description", t.Description)
	wire.put("provider", "port")
	wire.put("createdAt", stamp(t.CreatedAt))
	wire.put("updatedAt", stamp(t.UpdatedAt))
	if !reader {
		wire.put("users", t.Users)
		return wire
	}
	list := make([]teamUser, len(t.Users))
	for i, email := range t.Users {
		list[i] = teamUser{email, "ACTIVE"}
	}
	wire.put("users", list)
	return wire
}

// only leaves the members that the parameter fields names; it may name a part of one, as users.email. Without it, all.
func (r *request) only(m members) members {
	fields := r.list("fields")
	if len(fields) == 0 {
		return m
	}
	out := members{}
	for _, x := range m {
		for _, f := range fields {
			if name, _, _ := strings.Cut(f, "."); name == x.Name {
				out.set(x.Name, x.Value)
			}
		}
	}
	return out
}

// showsTeams refuses callers who may not see the entities that teams and their users are.
func (a *API) showsTeams(r *request) error {
	if err := a.shows(r, "_team"); err != nil {
		return err
	}
	return a.showsUsers(r)
}

func (a *API) getTeams(w http.ResponseWriter, r *request) error {
	if err := a.showsTeams(r); err != nil {
		return err
	}
	list, err := a.Teams.Teams(r.Context())
	if err != nil {
		return err
	}
	all := make([]members, len(list))
	for i, t := range list {
		all[i] = r.only(toWireTeam(t, true))
	}
	return writeEnvelope(w, "teams", all)
}

func (a *API) getTeam(w http.ResponseWriter, r *request) error {
	if err := a.showsTeams(r); err != nil {
		return err
	}
	t, err := a.Teams.Team(r.Context(), r.names["team"])
	if err != nil {
		return err
	}
	return writeEnvelope(w, "team", r.only(toWireTeam(t, true)))
}

func (a *API) postTeam(w http.ResponseWriter, r *request) error {
	return a.writeTeam(w, r, func(body json.RawMessage) (org.Team, error) {
		return a.Teams.CreateTeam(r.Context(), body, r.who.ID)
	})
}

func (a *API) putTeam(w http.ResponseWriter, r *request) error {
	return a.writeTeam(w, r, func(body json.RawMessage) (org.Team, error) {
		return a.Teams.ReplaceTeam(r.Context(), r.names["team"], body, r.who.ID)
	})
}

func (a *API) patchTeam(w http.ResponseWriter, r *request) error {
	return a.writeTeam(w, r, func(body json.RawMessage) (org.Team, error) {
		return a.Teams.PatchTeam(r.Context(), r.names["team"], body, r.who.ID)
	})
}

func (a *API) writeTeam(w http.ResponseWriter, r *request, write func(json.RawMessage) (org.Team, error)) error {
	body, err := r.sent()
	if err != nil {
		return err
	}
	t, err := write(body)
	if err != nil {
		return err
	}
	return writeEnvelope(w, "team", toWireTeam(t, false))
}

func (a *API) deleteTeam(w http.ResponseWriter, r *request) error {
	if err := a.Teams.DeleteTeam(r.Context(), r.names["team"]); err != nil {
		return err
	}
	return writeOK(w)
}
