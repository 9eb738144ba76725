package portapi

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"longshore/internal/auth"
	"longshore/internal/fault"
)

// Credentials makes and changes credentials; see [auth.Clients].
type Credentials interface {
	List(ctx context.Context) ([]auth.Client, error)
	Add(ctx context.Context, n auth.NewClient, actor string) (auth.Client, string, error)
	Disable(ctx context.Context, id string, disabled bool, actor string) (auth.Client, error)
	Rotate(ctx context.Context, id, actor string) (auth.Client, string, error)
}

type credentialAnswer struct {
	OK         bool       `json:"ok"`
	Credential credential `json:"credential"`
}

type credentialsAnswer struct {
	OK          bool         `json:"ok"`
	Credentials []credential `json:"credentials"`
}

// credential is a credential without its secret, which is answered once, when it is made.
type credential struct {
	ID           string    `json:"id"`
	Role         auth.Role `json:"role"`
	Title        string    `json:"title"`
	User         string    `json:"user,omitempty"`
	Disabled     bool      `json:"disabled"`
	Expires      stamp     `json:"expires"`
	LastUsed     stamp     `json:"lastUsed"`
	RotatedAt    stamp     `json:"rotatedAt"`
	CreatedAt    stamp     `json:"createdAt"`
	CreatedBy    string    `json:"createdBy"`
	ClientSecret string    `json:"clientSecret,omitempty"`
}

func toWireCredential(c auth.Client, secret string) credential {
	return credential{
		c.ID, c.Role, c.Title, c.User, c.Disabled, stamp(c.Expires), stamp(c.LastUsed), stamp(c.RotatedAt), stamp(c.CreatedAt), c.CreatedBy, secret,
	}
}

func (a *API) credentials() (Credentials, error) {
	if a.Credentials == nil {
		return nil, fault.Errorf(fault.NotFound, "credentials are not kept here").WithCode("not_found", map[string]any{"resource": "Credential"})
	}
	return a.Credentials, nil
}

func (a *API) getCredentials(w http.ResponseWriter, r *request) error {
	kept, err := a.credentials()
	if err != nil {
		return err
	}
	list, err := kept.List(r.Context())
	if err != nil {
		return err
	}
	answer := credentialsAnswer{true, make([]credential, len(list))}
	for i, c := range list {
		answer.Credentials[i] = toWireCredential(c, "")
	}
	return writeJSON(w, http.StatusOK, answer)
}

func (a *API) postCredential(w http.ResponseWriter, r *request) error {
	kept, err := a.credentials()
	if err != nil {
		return err
	}
	body, err := r.object()
	if err != nil {
		return err
	}
	var n auth.NewClient
	var role, expires string
	for _, m := range []struct {
		name string
		into *string
	}{{"id", &n.ID}, {"role", &role}, {"title", &n.Title}, {"user", &n.User}, {"expires", &expires}} {
		if *m.into, err = body.text(m.name); err != nil {
			return err
		}
		body.drop(m.name)
	}
	if len(body) > 0 {
		return invalidRequest("unexpected member %q: want role, and perhaps id, title, user and expires", body[0].Name)
	}
	if n.Role, err = auth.ParseRole(role); err != nil {
		return err
	}
	if expires != "" {
		if n.Expires, err = time.Parse(time.RFC3339, expires); err != nil {
			return invalidRequest("expires: want a date-time, got %q", expires)
		}
	}
	c, secret, err := kept.Add(r.Context(), n, r.who.ID)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, credentialAnswer{true, toWireCredential(c, secret)})
}

// patchCredential ends a credential, or lets it in again: {"disabled": true}.
func (a *API) patchCredential(w http.ResponseWriter, r *request) error {
	kept, err := a.credentials()
	if err != nil {
		return err
	}
	body, err := r.object()
	if err != nil {
		return err
	}
	var disabled *bool
	if len(body) != 1 || json.Unmarshal(body.get("disabled"), &disabled) != nil || disabled == nil {
		return invalidRequest("disabled: want true or false; nothing else of a credential can be changed")
	}
	c, err := kept.Disable(r.Context(), r.names["credential"], *disabled, r.who.ID)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, credentialAnswer{true, toWireCredential(c, "")})
}

func (a *API) rotateCredential(w http.ResponseWriter, r *request) error {
	kept, err := a.credentials()
	if err != nil {
		return err
	}
	c, secret, err := kept.Rotate(r.Context(), r.names["credential"], r.who.ID)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, credentialAnswer{true, toWireCredential(c, secret)})
}
