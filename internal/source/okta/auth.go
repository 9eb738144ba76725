package okta

import (
	"context"
	"net/http"
	"strings"

	"longshore/internal/fault"
)

const (
	// maxAPITokenBytes is far above the 42 characters of an API token.
	maxAPITokenBytes = 512
	// maxTokenBytes is above any access token: Okta's have 1 to 2 kB.
	maxTokenBytes = 16 << 10
)

// authorizer proves to Okta who is asking. It is the seam between an API token and OAuth.
type authorizer interface {
	// ready returns once there is a credential to send, asking Okta for one if it takes that. It is called before a
	// request counts in its rate-limit bucket. Errors are those of client.get.
	ready(ctx context.Context) error
	// authorize adds the credential to one sending of a request, which goes to the configured host.
	authorize(r *http.Request) error
	// met learns from the answer to a request that it authorized, and reports whether it mended the credential, so that
	// the request may fare better when it is sent again.
	met(r *http.Request, a *answer) (mended bool)
	// identity tells whose credential it is.
	identity() Identity
	// secret is what goes with requests now, which no message may repeat; "" for nothing.
	secret() string
}

// Identity tells how a Source proves who it is. It holds no secret.
type Identity struct {
	Kind     string   `json:"kind"`               // KindToken, KindServiceApp, KindRefreshToken or KindAccessToken
	ClientID string   `json:"clientId,omitempty"` // of the OAuth client, "" when there is none or it is not known
	DPoP     bool     `json:"dpop"`               // the access token is bound to a key of this process
	Wanted   []string `json:"wantedScopes,omitempty"`
	Granted  []string `json:"grantedScopes,omitempty"` // of the access token at hand; nil when not known
}

// The kinds of credential.
const (
	KindToken        = "API token"
	KindServiceApp   = "OAuth 2.0 service app"
	KindRefreshToken = "OAuth 2.0 refresh token"
	KindAccessToken  = "OAuth 2.0 access token"
)

// ServiceApp is an OAuth 2.0 service app, which signs in with a key of its own (private_key_jwt).
type ServiceApp struct {
	ClientID   string
	PrivateKey string   // PEM (PKCS #1, PKCS #8, SEC 1) or JWK, RSA or EC
	KeyID      string   // kid of the key; "" means that of the JWK, or none
	Scopes     []string // to ask for; nil means what the chosen streams need
	DPoP       bool     // bind access tokens to a key from the first request on; false means once Okta demands it
}

// RefreshToken is what an OAuth 2.0 web app got for a user.
type RefreshToken struct {
	ClientID, ClientSecret string
	Token                  string
	Rotated                func(token string) // if set, told of each refresh token that takes the place of the one before
}

// credential makes the authorizer of the settings. Exactly one way to sign in must be set.
func (config Config) credential(c *client, scopes []string) (authorizer, error) {
	ways := 0
	for _, set := range []bool{config.Token != "", config.ServiceApp != nil, config.Refresh != nil, config.AccessToken != ""} {
		if set {
			ways++
		}
	}
	switch {
	case ways > 1:
		return nil, fault.Errorf(fault.Invalid, "several ways to sign in to Okta are set").
			WithHint("Set either an API token, or a service app with its key, or a client with its refresh token.")
	case config.ServiceApp != nil:
		return newServiceApp(c, *config.ServiceApp, scopes)
	case config.Refresh != nil:
		return newRefresher(c, *config.Refresh)
	case config.AccessToken != "":
		text, err := tokenText(config.AccessToken, "Bearer", "access token")
		return bearer(text), err
	}
	text, err := tokenText(config.Token, "SSWS", "API token")
	return token(text), err
}

// tokenText takes a token as people paste it, with or without its scheme.
func tokenText(text, scheme, name string) (string, error) {
	words := strings.Fields(text)
	if len(words) > 0 && strings.EqualFold(words[0], scheme) {
		words = words[1:]
	}
	text = strings.Join(words, " ")
	if text == "" {
		return "", fault.Errorf(fault.Invalid, "the Okta %s is empty", name).
			WithHint("Make an API token under Security > API > Tokens in the admin console, or sign in with a service app and its key.")
	}
	if !isToken(text) || scheme == "SSWS" && len(text) > maxAPITokenBytes {
		return "", fault.Errorf(fault.Invalid, "the Okta %s holds spaces or other characters that none has", name).
			WithHint("Copy the token alone, without quotes or line breaks.")
	}
	return text, nil
}

// isToken reports whether a text can go into a header as a credential.
func isToken(text string) bool {
	return text != "" && len(text) <= maxTokenBytes && !strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' })
}

// token is a personal API token, in Okta's own scheme SSWS.
type token string

func (token) ready(context.Context) error { return nil }

func (t token) authorize(r *http.Request) error {
	r.Header.Set("Authorization", "SSWS "+string(t))
	return nil
}

func (token) met(*http.Request, *answer) bool { return false }

func (t token) secret() string { return string(t) }

func (token) identity() Identity { return Identity{Kind: KindToken} }

// bearer is an OAuth access token that somebody else keeps fresh.
type bearer string

func (bearer) ready(context.Context) error { return nil }

func (t bearer) authorize(r *http.Request) error {
	r.Header.Set("Authorization", "Bearer "+string(t))
	return nil
}

func (bearer) met(*http.Request, *answer) bool { return false }

func (t bearer) secret() string { return string(t) }

func (bearer) identity() Identity { return Identity{Kind: KindAccessToken} }
