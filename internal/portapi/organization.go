package portapi

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"longshore/internal/fault"
	"longshore/internal/org"
)

type tokenAnswer struct {
	OK          bool   `json:"ok"`
	AccessToken string `json:"accessToken"`
	ExpiresIn   int64  `json:"expiresIn"` // seconds from now
	TokenType   string `json:"tokenType"`
}

// postAccessToken answers POST /v1/auth/access_token.
func (a *API) postAccessToken(w http.ResponseWriter, r *request) error {
	body, err := r.object()
	if err != nil {
		return err
	}
	id, err := body.text("clientId")
	if err != nil {
		return err
	}
	secret, err := body.text("clientSecret")
	if err != nil {
		return invalidRequest("clientSecret: want a string") // without an excerpt of it
	}
	has := body.names()
	body.drop("clientId", "clientSecret")
	switch {
	case id == "" || secret == "":
		return invalidRequest("clientId and clientSecret are both required, and neither is empty: the body has %s", has)
	case len(body) > 0:
		return invalidRequest("unexpected member %q: want clientId and clientSecret alone", body[0].Name)
	}
	token, left, err := a.Keeper.Token(id, secret)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, tokenAnswer{true, token.Text, int64(left / time.Second), "Bearer"})
}

// Organization keeps the organisation's settings and secrets, and knows its users; see [org.Org] for the contracts.
type Organization interface {
	Settings(ctx context.Context) (org.Object, error)
	PutSettings(ctx context.Context, body json.RawMessage, actor string) error
	PatchSettings(ctx context.Context, body json.RawMessage, actor string) error
	Secrets(ctx context.Context) ([]org.Secret, error)
	Secret(ctx context.Context, name string) (org.Secret, error)
	CreateSecret(ctx context.Context, body json.RawMessage, actor string) (org.Secret, error)
	PatchSecret(ctx context.Context, name string, body json.RawMessage, actor string) (org.Secret, error)
	DeleteSecret(ctx context.Context, name string) error
	Users(ctx context.Context, fn func([]org.User) error) error
	User(ctx context.Context, email string) (org.User, error)
}

// organizationRoutes are the routes of the organisation, its people, and what exporters ask for and never find.
func (a *API) organizationRoutes(t *router) {
	t.add("GET /v1/organization", a.getOrganization, needRead)
	t.add("PUT /v1/organization", a.putOrganization, needAdmin)
	t.add("PATCH /v1/organization", a.patchOrganization, needAdmin)
	t.add("GET /v1/organization/secrets", a.getSecrets, needAdmin)
	t.add("POST /v1/organization/secrets", a.postSecret, needAdmin)
	t.add("GET /v1/organization/secrets/{secret}", a.getSecret, needAdmin)
	t.add("PATCH /v1/organization/secrets/{secret}", a.patchSecret, needAdmin)
	t.add("DELETE /v1/organization/secrets/{secret}", a.deleteSecret, needAdmin)
	t.add("GET /v1/users", a.getUsers, needRead)
	t.add("GET /v1/users/{email}", a.getUser, needRead)
	t.add("GET /v1/teams", a.getTeams, needRead)
	t.add("POST /v1/teams", a.postTeam, needModel)
	t.add("GET /v1/teams/{team}", a.getTeam, needRead)
	t.add("PUT /v1/teams/{team}", a.putTeam, needModel)
	t.add("PATCH /v1/teams/{team}", a.patchTeam, needModel)
	t.add("DELETE /v1/teams/{team}", a.deleteTeam, needModel)
	t.add("GET /v1/apps", a.getApps, needAdmin)
	t.add("GET /v1/kafka-credentials", a.getKafkaCredentials, needRead)
	t.add("GET /v1/actions", getNone("actions"), needRead)
	t.add("GET /v1/sidebars/{sidebar}", a.getSidebar, needRead)
}

// getOrganization answers GET /v1/organization. There are no feature flags, ever: they switch clients onto paths that
// are not served.
func (a *API) getOrganization(w http.ResponseWriter, r *request) error {
	settings, err := a.Organization.Settings(r.Context())
	if err != nil {
		return err
	}
	wire := toMembers(settings)
	wire.put("id", a.Keeper.OrgID())
	if isNull(wire.get("name")) {
		wire.put("name", a.OrgName)
	}
	wire.put("featureFlags", []string{})
	return writeEnvelope(w, "organization", wire)
}

// toMembers orders an object's members by name.
func toMembers(o org.Object) members {
	m := make(members, 0, len(o)+4)
	for _, name := range slices.Sorted(maps.Keys(o)) {
		m = append(m, member{name, o[name]})
	}
	return m
}

// writeEnvelope answers {"ok":true, name: value}.
func writeEnvelope(w http.ResponseWriter, name string, value any) error {
	answer := members{{"ok", json.RawMessage("true")}}
	answer.put(name, value)
	return writeJSON(w, http.StatusOK, answer)
}

// sent returns the body, an object, as it was sent.
func (r *request) sent() (json.RawMessage, error) {
	body, err := r.object()
	if err != nil {
		return nil, err
	}
	text, err := encode(body)
	return bytes.TrimSpace(text), err
}

func (a *API) putOrganization(w http.ResponseWriter, r *request) error {
	body, err := r.sent()
	if err != nil {
		return err
	}
	if err := a.Organization.PutSettings(r.Context(), body, r.who.ID); err != nil {
		return err
	}
	return writeOK(w)
}

func (a *API) patchOrganization(w http.ResponseWriter, r *request) error {
	body, err := r.sent()
	if err != nil {
		return err
	}
	if err := a.Organization.PatchSettings(r.Context(), body, r.who.ID); err != nil {
		return err
	}
	return writeOK(w)
}

// secret is all that is ever answered of one.
type secret struct {
	SecretName  string  `json:"secretName"`
	Description *string `json:"description"`
}

func (a *API) getSecrets(w http.ResponseWriter, r *request) error {
	list, err := a.Organization.Secrets(r.Context())
	if err != nil {
		return err
	}
	all := make([]secret, len(list))
	for i, s := range list {
		all[i] = secret{s.Name, s.Description}
	}
	return writeEnvelope(w, "secrets", all)
}

func (a *API) getSecret(w http.ResponseWriter, r *request) error {
	s, err := a.Organization.Secret(r.Context(), r.names["secret"])
	return writeSecret(w, s, err)
}

func writeSecret(w http.ResponseWriter, s org.Secret, err error) error {
	if err != nil {
		return err
	}
	return writeEnvelope(w, "secret", secret{s.Name, s.Description})
}

func (a *API) postSecret(w http.ResponseWriter, r *request) error {
	body, err := r.sent()
	if err != nil {
		return err
	}
	s, err := a.Organization.CreateSecret(r.Context(), body, r.who.ID)
	return writeSecret(w, s, err)
}

func (a *API) patchSecret(w http.ResponseWriter, r *request) error {
	body, err := r.sent()
	if err != nil {
		return err
	}
	s, err := a.Organization.PatchSecret(r.Context(), r.names["secret"], body, r.who.ID)
	return writeSecret(w, s, err)
}

func (a *API) deleteSecret(w http.ResponseWriter, r *request) error {
	if err := a.Organization.DeleteSecret(r.Context(), r.names["secret"]); err != nil {
		return err
	}
	return writeOK(w)
}

type user struct {
	ID        string     `json:"id"`
	Email     string     `json:"email"`
	FirstName string     `json:"firstName"`
	LastName  string     `json:"lastName"`
	Status    string     `json:"status"`
	Roles     []userRole `json:"roles"`
	Teams     []string   `json:"teams"`
	CreatedAt stamp      `json:"createdAt"`
	UpdatedAt stamp      `json:"updatedAt"`
}

type userRole struct {
	Name string `json:"name"`
}

// toWireUser shows a user. An entity has one title where Port knows two names: what follows its first word is the last.
func toWireUser(u org.User) user {
	first, last, _ := strings.Cut(u.Title, " ")
	wire := user{u.Email, u.Email, first, last, u.Status, []userRole{}, u.Teams, stamp(u.CreatedAt), stamp(u.UpdatedAt)}
	if u.Role != "" {
		wire.Roles = append(wire.Roles, userRole{u.Role})
	}
	return wire
}

// showsUsers refuses callers who may not see the entities that users are.
func (a *API) showsUsers(r *request) error {
	if a.Permissions == nil {
		return nil
	}
	return a.Permissions.SeesBlueprint(r.Context(), org.UserBlueprint)
}

func (a *API) getUsers(w http.ResponseWriter, r *request) error {
	if err := a.showsUsers(r); err != nil {
		return err
	}
	all := []user{}
	err := a.Organization.Users(r.Context(), func(page []org.User) error {
		for _, u := range page {
			all = append(all, toWireUser(u))
		}
		if len(all) > maxUsers {
			return invalidRequest("there are more than %d users: read the entities of _user page by page", maxUsers)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return writeEnvelope(w, "users", all)
}

// maxUsers is how many users one answer holds: it is made whole.
const maxUsers = 50_000

func (a *API) getUser(w http.ResponseWriter, r *request) error {
	if err := a.showsUsers(r); err != nil {
		return err
	}
	u, err := a.Organization.User(r.Context(), r.names["email"])
	if err != nil {
		return err
	}
	return writeEnvelope(w, "user", toWireUser(u))
}

type app struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Enabled   bool   `json:"enabled"`
	CreatedAt stamp  `json:"createdAt"`
}

// getApps lists the API credentials, without their secrets.
func (a *API) getApps(w http.ResponseWriter, r *request) error {
	kept, err := a.credentials()
	if err != nil {
		return err
	}
	list, err := kept.List(r.Context())
	if err != nil {
		return err
	}
	all := make([]app, len(list))
	for i, c := range list {
		all[i] = app{c.ID, c.Title, c.Live(a.Now()), stamp(c.CreatedAt)}
	}
	return writeEnvelope(w, "apps", all)
}

// getKafkaCredentials says what is not there: clients read changes by polling or webhooks.
func (a *API) getKafkaCredentials(http.ResponseWriter, *request) error {
	return fault.Errorf(fault.NotFound, "there is no Kafka here").WithCode("not_found", map[string]any{"resource": "KafkaCredentials"}).
		WithHint("let the integration's event listener poll (POLLING)")
}

// getNone answers a list that exporters ask for and that is always empty.
func getNone(name string) handler {
	return func(w http.ResponseWriter, _ *request) error { return writeEnvelope(w, name, []string{}) }
}

func (a *API) getSidebar(w http.ResponseWriter, r *request) error {
	if r.names["sidebar"] != "catalog" {
		return fault.Errorf(fault.NotFound, "Sidebar with identifier %q was not found", r.names["sidebar"]).WithCode("not_found",
			map[string]any{"resource": "Sidebar", "relevantField": "identifier", "withValue": r.names["sidebar"]})
	}
	return writeEnvelope(w, "sidebar", map[string]any{"identifier": "catalog", "items": []string{}})
}
