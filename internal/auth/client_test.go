package auth_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"longshore/internal/auth"
	"longshore/internal/fault"
	"longshore/internal/store"
)

// shop is a keeper over stored clients, and one of the settings.
type shop struct {
	*clock
	keeper  *auth.Keeper
	clients *auth.Clients
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "longshore.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	key := bytes.Repeat([]byte{7}, 32)
	h := &shop{clock: start()}
	h.clients = auth.NewClients(s.Clients(h.now), key, h.now)
	h.keeper, err = auth.New(auth.Config{Credentials: []auth.Credential{{"client_set", "secret"}}, Clients: h.clients, Key: key, OrgID: "org_1", Now: h.now})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// later lets as much time pass as stored clients are taken as they were read.
func (h *shop) later() { h.at = h.at.Add(time.Second) }

func (h *shop) add(t *testing.T, n auth.NewClient) (id, secret string) {
	t.Helper()
	c, secret, err := h.clients.Add(t.Context(), n, "tester")
	if err != nil {
		t.Fatal(err)
	}
	h.later()
	return c.ID, secret
}

func (h *shop) token(t *testing.T, id, secret string) string {
	t.Helper()
	token, _, err := h.keeper.Token(id, secret)
	if err != nil {
		t.Fatal(err)
	}
	return token.Text
}

func TestTokenCarriesTheRole(t *testing.T) {
	h := newShop(t)
	for _, role := range auth.Roles() {
		id, secret := h.add(t, auth.NewClient{Role: role, User: "Jane@acme.example"})
		token := h.token(t, id, secret)
		p, err := h.keeper.Verify(token)
		if err != nil || p.Role != role || p.ID != id || !p.Machine || p.User != "jane@acme.example" {
			t.Errorf("%s: %+v, %v", role, p, err)
		}
		payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
		var said struct {
			Role auth.Role `json:"role"`
		}
		if err := json.Unmarshal(payload, &said); err != nil || said.Role != role {
			t.Errorf("the token says %q (%v), want %q", said.Role, err, role)
		}
	}
	if p, err := h.keeper.Verify(h.token(t, "client_set", "secret")); err != nil || p.Role != auth.Admin {
		t.Errorf("the credential of the settings: %+v, %v; want an admin", p, err)
	}
}

func TestTokensEndWithTheirCredential(t *testing.T) {
	h := newShop(t)
	for name, end := range map[string]func(id string) error{
		"disabled": func(id string) error { _, err := h.clients.Disable(t.Context(), id, true, ""); return err },
		"rotated":  func(id string) error { _, _, err := h.clients.Rotate(t.Context(), id, ""); return err },
		"expired":  func(string) error { h.at = h.at.Add(30 * time.Minute); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			id, secret := h.add(t, auth.NewClient{Role: auth.Editor, Expires: h.at.Add(30 * time.Minute)})
			token := h.token(t, id, secret)
			if err := end(id); err != nil {
				t.Fatal(err)
			}
			h.later()
			if _, err := h.keeper.Verify(token); !fault.Is(err, fault.Denied) {
				t.Errorf("the token still works: %v", err)
			}
			if _, _, err := h.keeper.Token(id, secret); !fault.Is(err, fault.Denied) {
				t.Errorf("the old secret still works: %v", err)
			}
		})
	}
}

func TestCredentialComesBack(t *testing.T) {
	h := newShop(t)
	id, secret := h.add(t, auth.NewClient{Role: auth.Viewer})
	for _, disabled := range []bool{true, false} {
		if _, err := h.clients.Disable(t.Context(), id, disabled, ""); err != nil {
			t.Fatal(err)
		}
		h.later()
		if _, _, err := h.keeper.Token(id, secret); (err != nil) != disabled {
			t.Errorf("disabled %t: %v", disabled, err)
		}
	}
	_, fresh, err := h.clients.Rotate(t.Context(), id, "")
	if err != nil {
		t.Fatal(err)
	}
	h.keeper.Refresh() // at once, not in a second
	h.token(t, id, fresh)
}

func TestSecretsAreNotStored(t *testing.T) {
	h := newShop(t)
	id, secret := h.add(t, auth.NewClient{Role: auth.Viewer})
	list, err := h.clients.List(t.Context())
	if err != nil || len(list) != 1 || list[0].ID != id {
		t.Fatalf("%+v, %v", list, err)
	}
	text, _ := json.Marshal(list)
	if bytes.Contains(text, []byte(secret)) || bytes.Contains(text, []byte(base64.StdEncoding.EncodeToString([]byte(secret)))) {
		t.Errorf("the secret is kept: %s", text)
	}
	again, _ := h.add(t, auth.NewClient{Role: auth.Viewer, Secret: secret})
	list, _ = h.clients.List(t.Context())
	if len(list) != 2 || bytes.Equal(list[0].Hash, list[1].Hash) {
		t.Errorf("two clients (%s, %s) with one secret have one hash", id, again)
	}
}

func TestLastUseIsKept(t *testing.T) {
	h := newShop(t)
	id, secret := h.add(t, auth.NewClient{Role: auth.Viewer})
	unused, _ := h.add(t, auth.NewClient{Role: auth.Viewer})
	h.token(t, id, secret)
	if err := h.keeper.KeepUses(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := h.clients.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		if want := c.ID == id; c.LastUsed.IsZero() == want || c.ID == unused && !c.LastUsed.IsZero() {
			t.Errorf("last use of %s is %s", c.ID, c.LastUsed)
		}
	}
}

func TestClientsAreChecked(t *testing.T) {
	h := newShop(t)
	taken, _ := h.add(t, auth.NewClient{Role: auth.Admin})
	for name, c := range map[string]struct {
		auth.NewClient
		want fault.Kind
	}{
		"no role":     {auth.NewClient{}, fault.Invalid},
		"wrong role":  {auth.NewClient{Role: "owner"}, fault.Invalid},
		"e-mail ID":   {auth.NewClient{Role: auth.Viewer, ID: "a@b.c"}, fault.Invalid},
		"browser":     {auth.NewClient{Role: auth.Viewer, ID: auth.BrowserID}, fault.Invalid},
		"taken":       {auth.NewClient{Role: auth.Viewer, ID: taken}, fault.Conflict},
		"past expiry": {auth.NewClient{Role: auth.Viewer, Expires: h.at}, fault.Invalid},
		"user":        {auth.NewClient{Role: auth.Viewer, User: "jane"}, fault.Invalid},
	} {
		if _, _, err := h.clients.Add(t.Context(), c.NewClient, ""); !fault.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := h.clients.Disable(t.Context(), "nobody", true, ""); !fault.Is(err, fault.NotFound) {
		t.Errorf("disable nobody: %v, want not found", err)
	}
}

func TestOnlyAdminsSignInToTheScreens(t *testing.T) {
	h := newShop(t)
	for _, role := range auth.Roles() {
		id, secret := h.add(t, auth.NewClient{Role: role})
		r := httptest.NewRequest(http.MethodPost, auth.LoginPath, strings.NewReader(url.Values{"client_id": {id}, "client_secret": {secret}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		h.keeper.Login().ServeHTTP(w, r)
		if got := len(w.Result().Cookies()); (got == 1) != (role == auth.Admin) {
			t.Errorf("%s: %d cookies, to %s", role, got, w.Header().Get("Location"))
		}
		if role != auth.Admin {
			continue
		}
		with := httptest.NewRequest(http.MethodGet, "/", nil)
		with.AddCookie(w.Result().Cookies()[0])
		if p, err := h.keeper.Session(with); err != nil || p.ID != id || p.Role != auth.Admin {
			t.Errorf("the session: %+v, %v", p, err)
		}
		if _, err := h.clients.Disable(t.Context(), id, true, ""); err != nil {
			t.Fatal(err)
		}
		h.later()
		if _, err := h.keeper.Session(with); !fault.Is(err, fault.Denied) {
			t.Errorf("the session outlives its credential: %v", err)
		}
	}
}

// A session ends with the credential that it was begun with, in its middle.
func TestASessionEndsWhenItsCredentialExpires(t *testing.T) {
	h := newShop(t)
	id, secret := h.add(t, auth.NewClient{Role: auth.Admin, Expires: h.at.Add(30 * time.Minute)})
	r := httptest.NewRequest(http.MethodPost, auth.LoginPath, strings.NewReader(url.Values{"client_id": {id}, "client_secret": {secret}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.keeper.Login().ServeHTTP(w, r)
	if len(w.Result().Cookies()) != 1 {
		t.Fatalf("signed in with %d cookies, want one", len(w.Result().Cookies()))
	}
	with := httptest.NewRequest(http.MethodGet, "/", nil)
	with.AddCookie(w.Result().Cookies()[0])
	if _, err := h.keeper.Session(with); err != nil {
		t.Errorf("before it expires: %v", err)
	}
	h.at = h.at.Add(30 * time.Minute)
	if _, err := h.keeper.Session(with); !fault.Is(err, fault.Denied) {
		t.Errorf("after it expired: %v, want denied", err)
	}
}

// broken is a store that cannot be read.
type broken struct{ auth.Store }

func (broken) Clients(context.Context) ([]auth.Client, error) { return nil, fmt.Errorf("gone") }

func TestNobodyComesInWhileCredentialsCannotBeRead(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	k, err := auth.New(auth.Config{Clients: auth.NewClients(broken{}, key, nil), Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := k.Token("client_a", "secret"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("%v, want unavailable: a 401 would send clients away for good", err)
	}
}
