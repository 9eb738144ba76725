package okta

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"longshore/internal/fault"
)

func TestOpenRefusesBadSettings(t *testing.T) {
	for name, config := range map[string]Config{
		"no org":        {Token: "t"},
		"no token":      {OrgURL: "acme"},
		"scheme alone":  {OrgURL: "acme", Token: "SSWS "},
		"two tokens":    {OrgURL: "acme", Token: "abc def"},
		"line break":    {OrgURL: "acme", Token: "abc\r\nX-Evil: 1"},
		"long token":    {OrgURL: "acme", Token: strings.Repeat("a", 1000)},
		"share over 1":  {OrgURL: "acme", Token: "t", Share: 50},
		"share below 0": {OrgURL: "acme", Token: "t", Share: -0.1},
		"page limit":    {OrgURL: "acme", Token: "t", PageLimit: -1},
		"log history":   {OrgURL: "acme", Token: "t", LogHistory: 200 * 24 * time.Hour},
	} {
		_, err := Open(config)
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want fault.Invalid", name, err)
		}
		if err != nil && config.Token != "t" && config.Token != "" && strings.Contains(err.Error(), config.Token) {
			t.Errorf("%s: the error holds the token: %v", name, err)
		}
	}
}

func TestOpenTellsOfAMendedURL(t *testing.T) {
	s, err := Open(Config{OrgURL: "https://acme-admin.okta.com/admin/users", Token: "t"})
	if err != nil || s.OrgURL().String() != "https://acme.okta.com" || !strings.Contains(s.Notice(), "acme.okta.com") {
		t.Errorf("%v, %v, notice %q", s.OrgURL(), err, s.Notice())
	}
}

func TestRequestsSayWhoAsksAndForWhat(t *testing.T) {
	seen := false
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = true
		for name, want := range map[string]string{"Authorization": "SSWS secret-token", "Accept": "application/json"} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if got := r.UserAgent(); !strings.HasPrefix(got, "longshore/1.2.3 (") {
			t.Errorf("User-Agent is %q", got)
		}
		if r.Method != http.MethodGet || r.URL.String() != "http://acme.okta.com/api/v1/groups?limit=7" {
			t.Errorf("request %s %s", r.Method, r.URL)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`[{"id":"00g1"}]`))
	})
	s := open(t, handler, func(c *Config) { c.Version, c.PageLimit = "1.2.3", 7 })
	if pages, err := readAll(t, s, "groups", nil); err != nil || len(pages) != 1 || !seen {
		t.Errorf("%d pages, %v", len(pages), err)
	}
}
