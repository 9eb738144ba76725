package auth_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"longshore/internal/auth"
	"longshore/internal/fault"
)

type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func keeper(t *testing.T, c *clock) *auth.Keeper {
	t.Helper()
	k, err := auth.New(auth.Config{
		Credentials: []auth.Credential{{"client_a", "secret-a"}, {"client_b", "secret-b"}}, Key: bytes.Repeat([]byte{7}, 32),
		OrgID: "org_1", Now: c.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func start() *clock { return &clock{time.Date(2026, 1, 5, 10, 0, 0, 500e6, time.UTC)} }

func TestTokenIsAJWTThatSaysItIsAMachines(t *testing.T) {
	c := start()
	token, left, err := keeper(t, c).Token("client_a", "secret-a")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(token.Text, ".")
	if len(parts) != 3 {
		t.Fatalf("token has %d parts, want 3: %s", len(parts), token.Text)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		IsMachine bool   `json:"isMachine"`
		OrgID     string `json:"orgId"`
		IssuedAt  int64  `json:"iat"`
		Expires   int64  `json:"exp"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	if !claims.IsMachine || claims.OrgID != "org_1" || claims.IssuedAt != c.at.Unix() || claims.Expires != c.at.Add(3*time.Hour).Unix() {
		t.Errorf("claims = %+v", claims)
	}
	if left > 3*time.Hour || left < 3*time.Hour-time.Second {
		t.Errorf("time left = %s, want three hours", left)
	}
}

func TestActiveTokenIsHandedOutAgainWithTheTimeLeft(t *testing.T) {
	c := start()
	k := keeper(t, c)
	first, _, _ := k.Token("client_a", "secret-a")
	c.at = c.at.Add(2 * time.Hour)
	again, left, _ := k.Token("client_a", "secret-a")
	if again.Text != first.Text || left > time.Hour || left < time.Hour-time.Second {
		t.Errorf("after two hours: same token %t, left %s; want the same with an hour left", again.Text == first.Text, left)
	}
	other, _, _ := k.Token("client_b", "secret-b")
	if other.Text == first.Text {
		t.Error("two clients got the same token")
	}
	c.at = c.at.Add(59*time.Minute + 30*time.Second)
	fresh, left, _ := k.Token("client_a", "secret-a")
	if fresh.Text == first.Text || left < 2*time.Hour {
		t.Errorf("in its last minute the token is handed out again, left %s", left)
	}
	if p, err := k.Verify(first.Text); err != nil || p.ID != "client_a" || !p.Machine {
		t.Errorf("the older token before its end: %+v, %v", p, err)
	}
	c.at = c.at.Add(time.Minute)
	if _, err := k.Verify(first.Text); !fault.Is(err, fault.Denied) {
		t.Errorf("an expired token: %v, want denied", err)
	}
}

func TestTokenOutlivesARestart(t *testing.T) {
	c := start()
	token, _, _ := keeper(t, c).Token("client_a", "secret-a")
	if p, err := keeper(t, c).Verify(token.Text); err != nil || p.ID != "client_a" {
		t.Errorf("another keeper with the same key: %+v, %v", p, err)
	}
}

func TestWrongCredentialsAndTokens(t *testing.T) {
	c := start()
	k := keeper(t, c)
	for _, pair := range [][2]string{{"client_a", "secret-b"}, {"client_a", ""}, {"", ""}, {"nobody", "secret-a"}} {
		if _, _, err := k.Token(pair[0], pair[1]); !fault.Is(err, fault.Denied) {
			t.Errorf("credentials %q: %v, want denied", pair, err)
		}
	}
	token, _, _ := k.Token("client_a", "secret-a")
	head, rest, _ := strings.Cut(token.Text, ".")
	body, _, _ := strings.Cut(rest, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
	for name, text := range map[string]string{
		"no signature": head + "." + body + ".", "alg none": none + "." + body + ".", "cut": token.Text[:len(token.Text)-2],
		"empty": "", "long": strings.Repeat("a", 1<<20),
	} {
		if _, err := k.Verify(text); !fault.Is(err, fault.Denied) {
			t.Errorf("%s: %v, want denied", name, err)
		}
	}
}

func TestNewRefusesWhatCannotBeSafe(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	for name, cfg := range map[string]auth.Config{
		"short key": {Key: key[:31]},
		"no secret": {Key: key, Credentials: []auth.Credential{{"a", ""}}},
		"e-mail ID": {Key: key, Credentials: []auth.Credential{{"a@b.c", "s"}}},
	} {
		if _, err := auth.New(cfg); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
}

func open(k *auth.Keeper, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	k.Login().ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

func TestSignInLinkWorksOnce(t *testing.T) {
	c := start()
	k := keeper(t, c)
	link := k.SignInPath()
	if got := open(k, http.MethodHead, link).Code; got != http.StatusMethodNotAllowed {
		t.Errorf("HEAD: %d, want 405", got)
	}
	answer := open(k, http.MethodGet, link)
	if answer.Code != http.StatusSeeOther || answer.Header().Get("Location") != "/" {
		t.Fatalf("first use: %d to %q, want 303 to /", answer.Code, answer.Header().Get("Location"))
	}
	cookie := answer.Result().Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.MaxAge != 12*3600 {
		t.Errorf("cookie = %+v, want HttpOnly, Strict, 12 hours", cookie)
	}
	again := open(k, http.MethodGet, link)
	if again.Code != http.StatusSeeOther || len(again.Result().Cookies()) != 0 {
		t.Errorf("second use: %d with %d cookies, want 303 to the start page without", again.Code, len(again.Result().Cookies()))
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(cookie)
	if p, err := k.Authenticate(r); err != nil || p.ID != auth.BrowserID || p.Machine {
		t.Errorf("with the cookie: %+v, %v", p, err)
	}
	c.at = c.at.Add(12*time.Hour + time.Second)
	if _, err := k.Authenticate(r); !fault.Is(err, fault.Denied) {
		t.Errorf("after twelve hours: %v, want denied", err)
	}
}

func TestSignInLinkExpires(t *testing.T) {
	c := start()
	k := keeper(t, c)
	link := k.SignInPath()
	c.at = c.at.Add(time.Hour + time.Second)
	if got := open(k, http.MethodGet, link); len(got.Result().Cookies()) != 0 {
		t.Errorf("an hour later: %d with %d cookies, want none", got.Code, len(got.Result().Cookies()))
	}
}

func TestSignInByCredential(t *testing.T) {
	k, err := auth.New(auth.Config{Credentials: []auth.Credential{{ClientID: "client-1", ClientSecret: "secret"}}, Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	for secret, want := range map[string]int{"secret": 1, "wrong": 0, "": 0} {
		r := httptest.NewRequest(http.MethodPost, auth.LoginPath, strings.NewReader(url.Values{"client_id": {"client-1"}, "client_secret": {secret}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		k.Login().ServeHTTP(w, r)
		if got := len(w.Result().Cookies()); got != want || w.Code != http.StatusSeeOther {
			t.Errorf("secret %q: %d with %d cookies, want 303 with %d", secret, w.Code, got, want)
		}
	}
}

func TestNeitherTokenNorSessionPassesForTheOther(t *testing.T) {
	c := start()
	k := keeper(t, c)
	token, _, _ := k.Token("client_a", "secret-a")
	cookie := open(k, http.MethodGet, k.SignInPath()).Result().Cookies()[0]
	if _, err := k.Verify(cookie.Value); err == nil {
		t.Error("a session was taken for an access token")
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(&http.Cookie{Name: auth.SessionCookie, Value: token.Text})
	if _, err := k.Authenticate(r); err == nil {
		t.Error("an access token was taken for a session")
	}
	r = httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(cookie)
	r.Header.Set("Authorization", "Basic abc")
	if _, err := k.Authenticate(r); err == nil {
		t.Error("a wrong Authorization header fell back to the cookie")
	}
}

func FuzzVerify(f *testing.F) {
	// Every process of the fuzzer has a key of its own: what another one signed is a forgery here.
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	k, err := auth.New(auth.Config{Credentials: []auth.Credential{{"client_a", "secret-a"}}, Key: key})
	if err != nil {
		f.Fatal(err)
	}
	token, _, _ := k.Token("client_a", "secret-a")
	f.Add(token.Text)
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, text string) {
		signed := token.Text[:strings.LastIndexByte(token.Text, '.')]
		if _, err := k.Verify(text); err == nil && !strings.HasPrefix(text, signed+".") {
			t.Errorf("accepted %q", text)
		}
	})
}
