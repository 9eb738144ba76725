package connector

import (
	"encoding/json"
	"net"
	"net/url"
	"strings"
	"time"
	"unicode"

	"longshore/internal/fault"
	"longshore/internal/source/okta"
)

// settings is a configuration in its newest form. Unknown members are allowed, as Airbyte allows them.
type settings struct {
	Domain         string      `json:"domain"`
	StartDate      string      `json:"start_date"`
	Credentials    credentials `json:"credentials"`
	Share          float64     `json:"share"`
	PageLimit      int         `json:"page_limit"`
	LogHistoryDays int         `json:"log_history_days"`
	LimitOf        string      `json:"limit_of"`
	OverlapSeconds *int        `json:"overlap_seconds"`
	AcceptGaps     bool        `json:"accept_gaps"`
}

type credentials struct {
	AuthType     string `json:"auth_type"`
	APIToken     string `json:"api_token"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	RefreshToken string `json:"refresh_token"`
	KeyID        string `json:"key_id"`
	PrivateKey   string `json:"private_key"`
	Scope        string `json:"scope"`
	DPoP         bool   `json:"dpop"`
}

// The values of auth_type.
const (
	authToken      = "api_token"
	authRefresh    = "oauth2.0"
	authPrivateKey = "oauth2.0_private_key"
)

// parseSettings reads a configuration of any form. migrated is its newest form when it was an older one, else nil. No
// error repeats a value of the configuration but domain and start_date: the others may be secrets.
func parseSettings(config json.RawMessage) (s settings, migrated json.RawMessage, err error) {
	migrated, err = migrate(config)
	if err != nil {
		return s, nil, err
	}
	if migrated != nil {
		config = migrated
	}
	if err := json.Unmarshal(config, &s); err != nil {
		if wrong, ok := err.(*json.UnmarshalTypeError); ok { //nolint:errorlint // as encoding/json returns it
			return s, nil, fault.Errorf(fault.Invalid, "the configuration's %q is a %s: want a %s", wrong.Field, wrong.Value, kindName(wrong.Type.Kind().String()))
		}
		return s, nil, fault.Errorf(fault.Invalid, "the configuration is no JSON object")
	}
	return s, migrated, nil
}

func kindName(kind string) string {
	switch kind {
	case "float64", "int":
		return "number"
	case "bool":
		return "boolean"
	case "struct":
		return "object"
	}
	return kind
}

// migrate turns the two older forms into the newest:
//
//	{"base_url":"https://acme.okta.com","token":"…"}        up to 0.1.7
//	{"sub_domain":"acme","domain":"okta.com", …}             a development version
//
// It returns nil for a configuration that needs no change.
func migrate(config json.RawMessage) (json.RawMessage, error) {
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(config, &members); err != nil {
		return nil, fault.Errorf(fault.Invalid, "the configuration is no JSON object")
	}
	text := func(name string) string {
		var value string
		_ = json.Unmarshal(members[name], &value) // what is no text is as good as absent here
		return value
	}
	changed := false
	set := func(name string, value any, old ...string) {
		changed = true
		for _, o := range old {
			delete(members, o)
		}
		members[name], _ = json.Marshal(value) // text always marshals
	}
	if base := text("base_url"); base != "" && text("domain") == "" {
		set("domain", shortDomain(base), "base_url")
	}
	if sub := text("sub_domain"); sub != "" {
		set("domain", shortDomain(sub+"."+strings.TrimPrefix(text("domain"), ".")), "sub_domain")
	}
	if token := text("token"); token != "" && members["credentials"] == nil {
		set("credentials", map[string]string{"auth_type": authToken, "api_token": token}, "token")
	}
	if !changed {
		return nil, nil
	}
	return json.Marshal(members)
}

// withRefreshToken is the configuration with another refresh token.
func withRefreshToken(config json.RawMessage, token string) (json.RawMessage, error) {
	members, credentials := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	err := json.Unmarshal(config, &members)
	if err == nil {
		err = json.Unmarshal(members["credentials"], &credentials)
	}
	if err != nil {
		return nil, err
	}
	credentials["refresh_token"], _ = json.Marshal(token) // text always marshals
	if members["credentials"], err = json.Marshal(credentials); err != nil {
		return nil, err
	}
	return json.Marshal(members)
}

// shortDomain is the label alone of an org at okta.com, which is all that Airbyte's source understands; any other
// address stays as it is.
func shortDomain(address string) string {
	org, _, err := okta.ParseOrgURL(strings.TrimSuffix(address, "."))
	if err != nil {
		return address
	}
	if label, ok := strings.CutSuffix(org.Host, ".okta.com"); ok && org.Scheme == "https" && !strings.Contains(label, ".") {
		return label
	}
	return org.String()
}

// sourceConfig is what the Source needs to know. rotated is told of a refresh token that takes the place of the one
// configured.
func (s settings) sourceConfig(rotated func(token string)) (okta.Config, error) {
	var c okta.Config
	if s.Domain == "" {
		return c, fault.Errorf(fault.Invalid, "the configuration has no domain").WithHint("Set domain to the org's sub-domain, host or URL.")
	}
	org, _, err := okta.ParseOrgURL(s.Domain)
	if err != nil {
		return c, err
	}
	if org.Scheme == "http" && !loopback(org) {
		return c, fault.Errorf(fault.Denied, "the org %s would get the credential over the network unencrypted", org).
			WithHint("Write https://%s.", org.Host)
	}
	if s.LogHistoryDays < 0 || s.LogHistoryDays > 90 {
		return c, fault.Errorf(fault.Invalid, "log_history_days is %d: want 1 to 90", s.LogHistoryDays)
	}
	c = okta.Config{
		OrgURL: s.Domain, Share: s.Share, LimitOf: s.LimitOf, PageLimit: s.PageLimit,
		LogHistory: time.Duration(s.LogHistoryDays) * 24 * time.Hour,
	}
	if s.OverlapSeconds != nil {
		c.Overlap = max(time.Nanosecond, time.Duration(*s.OverlapSeconds)*time.Second) // 0 would be the default
		if *s.OverlapSeconds < 0 {
			return c, fault.Errorf(fault.Invalid, "overlap_seconds is %d: want 0 or more", *s.OverlapSeconds)
		}
	}
	err = s.Credentials.into(&c, rotated)
	return c, err
}

// startDate is the zero time when none is set.
func (s settings) startDate() (time.Time, error) {
	if s.StartDate == "" {
		return time.Time{}, nil
	}
	start, err := time.Parse(time.RFC3339, s.StartDate)
	if err != nil {
		return start, fault.Errorf(fault.Invalid, "start_date %q is no time: want one such as 2026-07-22T00:00:00Z", s.StartDate)
	}
	return start.UTC(), nil
}

func loopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// into puts the credential into the Source's settings.
func (c credentials) into(config *okta.Config, rotated func(string)) error {
	switch c.AuthType {
	case authToken, "":
		if c.APIToken == "" {
			return fault.Errorf(fault.Invalid, "the configuration has no credential").
				WithHint(`Set credentials to {"auth_type":"api_token","api_token":"…"}, or to one of the OAuth forms that spec tells.`)
		}
		config.Token = c.APIToken
		return nil
	case authRefresh:
		config.Refresh = &okta.RefreshToken{ClientID: c.ClientID, ClientSecret: c.ClientSecret, Token: c.RefreshToken, Rotated: rotated}
		return nil
	case authPrivateKey:
		config.ServiceApp = &okta.ServiceApp{ClientID: c.ClientID, PrivateKey: c.PrivateKey, KeyID: c.KeyID, Scopes: c.scopes(), DPoP: c.DPoP}
		return nil
	}
	return fault.Errorf(fault.Invalid, "credentials.auth_type is %q: want %s, %s or %s", c.AuthType, authToken, authRefresh, authPrivateKey)
}

// scopes are those to ask for; nil for what the streams need.
func (c credentials) scopes() []string {
	if list := strings.FieldsFunc(c.Scope, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }); len(list) > 0 {
		return list
	}
	return nil
}
