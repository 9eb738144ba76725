package portapi

import (
	"net/http"
	"time"
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
	body.drop("clientId", "clientSecret")
	switch {
	case id == "" || secret == "":
		return invalidRequest("clientId and clientSecret are both required")
	case len(body) > 0:
		return invalidRequest("unexpected member %q: want clientId and clientSecret alone", body[0].Name)
	}
	token, left, err := a.Keeper.Token(id, secret)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, tokenAnswer{true, token.Text, int64(left / time.Second), "Bearer"})
}

type organizationAnswer struct {
	OK           bool         `json:"ok"`
	Organization organization `json:"organization"`
}

// organization has no feature flags, ever: they switch clients onto paths that are not served.
type organization struct {
	ID           string   `json:"id"`
	Name         string   `json:"name"`
	FeatureFlags []string `json:"featureFlags"`
}

// getOrganization answers GET /v1/organization.
func (a *API) getOrganization(w http.ResponseWriter, _ *request) error {
	return writeJSON(w, http.StatusOK, organizationAnswer{true, organization{a.Keeper.OrgID(), a.OrgName, []string{}}})
}
