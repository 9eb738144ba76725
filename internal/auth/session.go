package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"longshore/internal/fault"
)

const (
	sessionLife = 12 * time.Hour
	linkLife    = time.Hour
	// maxLinks bounds the sign-in links that wait to be used.
	maxLinks = 64
	// SessionCookie is the name of the browser's cookie.
	SessionCookie = "longshore_session"
	// LoginPath starts the path of a sign-in link; the link's secret follows.
	LoginPath = "/login/"
)

// SignInPath makes a one-time sign-in link, good for an hour, and returns its path. Whoever opens it first is signed in.
func (k *Keeper) SignInPath() string {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	text := base64.RawURLEncoding.EncodeToString(secret)
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	var oldest [32]byte
	for hash, expires := range k.links {
		if now.After(expires) {
			delete(k.links, hash)
		} else if at, ok := k.links[oldest]; !ok || expires.Before(at) {
			oldest = hash
		}
	}
	if len(k.links) >= maxLinks {
		delete(k.links, oldest)
	}
	k.links[sha256.Sum256([]byte(text))] = now.Add(linkLife)
	return LoginPath + text
}

// SignIn uses up a sign-in link's secret and returns the session cookie. Errors: fault.Denied when the link was used
// before, has expired or never was.
func (k *Keeper) SignIn(secret string) (*http.Cookie, error) {
	hash := sha256.Sum256([]byte(secret))
	k.mu.Lock()
	expires, ok := k.links[hash]
	delete(k.links, hash)
	k.mu.Unlock()
	now := k.now()
	if !ok || now.After(expires) {
		return nil, unauthorized("this sign-in link has been used or has expired")
	}
	return k.session(BrowserID, "")
}

// session makes the cookie of a signed-in browser.
func (k *Keeper) session(id, seal string) (*http.Cookie, error) {
	now := k.now()
	text, err := k.sign(k.sessionKey, claims{OrgID: k.orgID, Role: Admin, Seal: seal}, id, now, now.Add(sessionLife))
	if err != nil {
		return nil, err
	}
	return &http.Cookie{Name: SessionCookie, Value: text, Path: "/", MaxAge: int(sessionLife / time.Second), HttpOnly: true, SameSite: http.SameSiteStrictMode}, nil
}

// Session names whom the request's session cookie belongs to. Errors: fault.Denied with the code "unauthorized".
func (k *Keeper) Session(r *http.Request) (Principal, error) {
	cookie, err := r.Cookie(SessionCookie)
	if err != nil {
		return Principal{}, unauthorized("an access token is needed: send it as \"Authorization: Bearer …\"")
	}
	ended := unauthorized("the session has ended: sign in again")
	said, err := k.read(k.sessionKey, cookie.Value)
	switch {
	case err != nil || said.IsMachine:
		return Principal{}, ended
	case said.Subject == BrowserID:
		return Principal{ID: BrowserID, Role: Admin}, nil
	}
	c, err := k.current(said.Subject, said.Seal)
	if fault.Is(err, fault.Denied) || err == nil && c.Role != Admin {
		return Principal{}, ended
	}
	return Principal{ID: c.ID, Role: c.Role, User: c.User}, err
}

// maxFormBytes is far above a client id and secret.
const maxFormBytes = 4 << 10

// Login is the door of sign-in: GET /login/{secret} of a one-time link, or POST /login/ with client_id and client_secret
// of an admin, sets the session cookie and goes to the start page. The screens show everything and start syncs, so that
// no lesser role gets a session. A HEAD, as link checkers send, uses nothing up.
func (k *Keeper) Login() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer")
		var cookie *http.Cookie
		var err error
		switch r.Method {
		case http.MethodGet:
			cookie, err = k.SignIn(strings.TrimPrefix(r.URL.Path, LoginPath))
		case http.MethodPost:
			r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
			c, ok, unread := k.known(r.PostFormValue("client_id"), r.PostFormValue("client_secret"))
			switch {
			case unread != nil:
				http.Error(w, "the credentials cannot be read now: try again in a moment", http.StatusServiceUnavailable)
				return
			case ok && c.Role != Admin:
				http.Redirect(w, r, "/?signin=role", http.StatusSeeOther)
				return
			case !ok:
				http.Redirect(w, r, "/?signin=wrong", http.StatusSeeOther)
				return
			}
			cookie, err = k.session(c.ID, c.seal())
		default:
			h.Set("Allow", "GET, POST")
			http.Error(w, "only GET and POST are answered here", http.StatusMethodNotAllowed)
			return
		}
		if err != nil { // used or expired: the start page says how else to sign in
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return
		}
		cookie.Secure = r.TLS != nil
		http.SetCookie(w, cookie)
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
}
