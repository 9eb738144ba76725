package main

import (
	"errors"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/knadh/koanf/v2"

	"longshore/internal/fault"
	"longshore/internal/source/okta"
	"longshore/internal/source/okta/emulator"
)

// maxKeyFileBytes is far above a JWK set of some keys.
const maxKeyFileBytes = 64 << 10

// The modes of OKTA_CLIENT_AUTHORIZATIONMODE, as Okta's own libraries name them. A refresh token has none.
const (
	modeToken      = "ssws"
	modeKey        = "privatekey"
	modeBearer     = "bearer"
	modeAssertion  = "jwt"
	modeRefresh    = "refresh"
	modeUnset      = ""
	settingDPoP    = "okta-dpop"
	settingShare   = "okta-share"
	settingLimitOf = "okta-limit-of"
	settingStreams = "streams"
)

// oktaConfig reads what the Okta source needs to know, and refuses gaps and mixtures. Without any credential it is the
// demo org's.
func oktaConfig(k *koanf.Koanf) (okta.Config, error) {
	c := okta.Config{OrgURL: strings.TrimSpace(k.String("okta-url")), LimitOf: k.String(settingLimitOf)}
	var err error
	if c.Share, err = parseShare(k.String(settingShare)); err != nil {
		return c, err
	}
	if c.LimitOf != "" && c.LimitOf != okta.LimitOfOrg && c.LimitOf != okta.LimitOfClient {
		return c, fault.Errorf(fault.Invalid, "limit setting (--okta-limit-of, LONGSHORE_OKTA_LIMIT_OF) %q: want org or client, or nothing to find out", c.LimitOf)
	}
	if names := listOf(k, settingStreams); len(names) > 0 {
		c.Streams = names
	}
	if err := addCredential(k, &c); err != nil {
		return c, err
	}
	validated := c
	if c.OrgURL == "" {
		validated.OrgURL, validated.Token = demoOrg, emulator.DefaultToken
	}
	_, err = okta.Open(validated) // tells now what is wrong, before anything is made
	return c, err
}

// addCredential puts the one way to sign in that the settings mean into the source's settings.
func addCredential(k *koanf.Koanf, c *okta.Config) error {
	dpop, err := parseDPoP(k.String(settingDPoP))
	if err != nil {
		return err
	}
	token, id := k.String("okta-token"), k.String("okta-client-id")
	key, secret, refresh := k.String("okta-private-key"), k.String("okta-client-secret"), k.String("okta-refresh-token")
	mode, err := modeOf(k.String("okta-authorization-mode"), token, id, key, refresh)
	if err != nil {
		return err
	}
	missing := func(what, variable string) error {
		return fault.Errorf(fault.Invalid, "%s is missing to sign in to Okta", what).WithHint("Set %s.", variable)
	}
	switch {
	case mode == modeUnset && c.OrgURL == "":
		return nil
	case mode == modeUnset:
		return fault.Errorf(fault.Invalid, "the org %q is set, but no credential", c.OrgURL).
			WithHint("set OKTA_CLIENT_TOKEN, or OKTA_CLIENT_CLIENTID and OKTA_CLIENT_PRIVATEKEY, in the environment; or unset OKTA_CLIENT_ORGURL to use the demo org")
	case c.OrgURL == "":
		return fault.Errorf(fault.Invalid, "an Okta %s is set, but no org", map[bool]string{true: "token", false: "client"}[mode == modeToken || mode == modeBearer]).
			WithHint("set OKTA_CLIENT_ORGURL (for example acme.okta.com), or unset the credential to use the demo org")
	case (mode == modeToken || mode == modeBearer) && token == "":
		return missing("the token", "OKTA_CLIENT_TOKEN")
	case mode == modeToken:
		c.Token = token
		return nil
	case mode == modeBearer:
		c.AccessToken = token
		return nil
	case id == "":
		return missing("the client id", "OKTA_CLIENT_CLIENTID to the id of the service app, 0oa…")
	case mode == modeRefresh && secret == "":
		return missing("the client secret", "OKTA_CLIENT_CLIENTSECRET")
	case mode == modeRefresh:
		c.Refresh = &okta.RefreshToken{ClientID: id, ClientSecret: secret, Token: refresh}
		return nil
	case key == "":
		return missing("the private key of the service app", "OKTA_CLIENT_PRIVATEKEY to the key (PEM or JWK), or to the path of its file")
	}
	text, err := readKey(key)
	if err != nil {
		return err
	}
	c.ServiceApp = &okta.ServiceApp{ClientID: id, PrivateKey: text, KeyID: k.String("okta-private-key-id")}
	if scopes := listOf(k, "okta-scopes"); len(scopes) > 0 {
		c.ServiceApp.Scopes = scopes
	}
	c.ServiceApp.DPoP = dpop
	return nil
}

// parseDPoP tells whether DPoP is offered before Okta demands it.
func parseDPoP(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "auto", "false":
		return false, nil
	case "always", "true":
		return true, nil
	}
	return false, fault.Errorf(fault.Invalid, "DPoP setting (--okta-dpop, LONGSHORE_OKTA_DPOP) %q: want auto or always", text)
}

// modeOf says how to sign in: as set, or as the credentials given have it.
func modeOf(set, token, id, key, refresh string) (string, error) {
	switch mode := strings.ToLower(strings.TrimSpace(set)); mode {
	case modeToken, modeKey, modeBearer:
		return mode, nil
	case modeAssertion:
		return "", fault.Errorf(fault.Invalid, "OKTA_CLIENT_AUTHORIZATIONMODE JWT is not supported: an assertion made elsewhere ends within the hour").
			WithHint("Set it to PrivateKey, with OKTA_CLIENT_CLIENTID and OKTA_CLIENT_PRIVATEKEY.")
	case modeUnset:
	default:
		return "", fault.Errorf(fault.Invalid, "OKTA_CLIENT_AUTHORIZATIONMODE %q is none", set).WithHint("Want SSWS, PrivateKey or Bearer.")
	}
	switch {
	case token != "" && (id != "" || key != "" || refresh != ""):
		return "", fault.Errorf(fault.Invalid, "an Okta token and an OAuth client are both set").
			WithHint("Unset OKTA_CLIENT_TOKEN or OKTA_CLIENT_CLIENTID, or say which is meant: OKTA_CLIENT_AUTHORIZATIONMODE=SSWS or PrivateKey.")
	case key != "" && refresh != "":
		return "", fault.Errorf(fault.Invalid, "a private key and a refresh token are both set").
			WithHint("Unset OKTA_CLIENT_PRIVATEKEY or OKTA_CLIENT_REFRESHTOKEN.")
	case token != "":
		return modeToken, nil
	case refresh != "":
		return modeRefresh, nil
	case id != "" || key != "":
		return modeKey, nil
	}
	return modeUnset, nil
}

// readKey returns a private key given as text or as the path of a file. No message repeats the text.
func readKey(text string) (string, error) {
	if strings.Contains(text, "-----BEGIN") || strings.HasPrefix(strings.Trim(strings.TrimSpace(text), `"'`), "{") {
		return text, nil
	}
	file, err := os.Open(strings.TrimSpace(text))
	if err != nil {
		why := err
		if at := (*os.PathError)(nil); errors.As(err, &at) {
			why = at.Err // without the path, which may be a key that was cut
		}
		return "", fault.Errorf(fault.Invalid, "OKTA_CLIENT_PRIVATEKEY is neither a PEM or JWK key nor the path of a file that can be read: %v", why).
			WithHint("A PEM key begins with -----BEGIN PRIVATE KEY-----, a JWK with {.")
	}
	defer file.Close()
	key, err := io.ReadAll(io.LimitReader(file, maxKeyFileBytes))
	if err != nil {
		return "", fault.Errorf(fault.Invalid, "read the file of OKTA_CLIENT_PRIVATEKEY: %w", err)
	}
	return string(key), nil
}

// parseShare reads per cent, with or without the sign.
func parseShare(text string) (float64, error) {
	n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "%")), 64)
	if err != nil || math.IsNaN(n) || n < 1 || n > 100 {
		return 0, fault.Errorf(fault.Invalid, "share of Okta's rate limits %q: want per cent, from 1 to 100", text).
			WithHint("Write 50 for half of each limit.")
	}
	return n / 100, nil
}

// listOf reads a list: in the file also as one of YAML, elsewhere with commas or spaces between.
func listOf(k *koanf.Koanf, name string) []string {
	if _, ok := k.Get(name).([]any); ok {
		return k.Strings(name)
	}
	return strings.FieldsFunc(k.String(name), func(c rune) bool { return c == ',' || c == ' ' || c == '\n' || c == '\t' })
}
