package okta

import (
	"strings"
	"testing"

	"longshore/internal/fault"
)

func TestParseOrgURL(t *testing.T) {
	for text, want := range map[string]string{
		"acme":                               "https://acme.okta.com",
		"ACME":                               "https://acme.okta.com",
		" dev-12345\n":                       "https://dev-12345.okta.com",
		"acme/":                              "https://acme.okta.com",
		"acme.okta.com":                      "https://acme.okta.com",
		"acme.okta.com.":                     "https://acme.okta.com",
		"//acme.okta.com/":                   "https://acme.okta.com",
		"https://acme.okta.com":              "https://acme.okta.com",
		"HTTPS://Acme.Okta.com/":             "https://acme.okta.com",
		"https://acme.okta.com:443/":         "https://acme.okta.com",
		"https://acme.okta.com/app/UserHome": "https://acme.okta.com",
		"https://acme.okta.com?x=a@b#c":      "https://acme.okta.com",
		"acme.oktapreview.com/":              "https://acme.oktapreview.com",
		"https://acme.okta-emea.com":         "https://acme.okta-emea.com",
		"acme.okta-gov.com":                  "https://acme.okta-gov.com",
		"acme.okta.mil":                      "https://acme.okta.mil",
		"id.acme.com":                        "https://id.acme.com",
		"https://id.acme.com/oauth2/default": "https://id.acme.com",
		"sso-admin.acme.com":                 "https://sso-admin.acme.com", // a custom domain may end so
		"id.acme.com:8443":                   "https://id.acme.com:8443",
		"http://id.acme.com":                 "http://id.acme.com",
		"http://okta.test:80/":               "http://okta.test",
		"localhost:8080":                     "http://localhost:8080",
		"acme.localhost:8080":                "http://acme.localhost:8080",
		"127.0.0.1:45123/":                   "http://127.0.0.1:45123",
		"https://127.0.0.1:45123":            "https://127.0.0.1:45123",
		"[::1]:8080":                         "http://[::1]:8080",
		"http://[::1]":                       "http://[::1]",
		"emulator:8080":                      "https://emulator:8080", // a port makes it a host
		"http://okta-emulator:8080":          "http://okta-emulator:8080",
	} {
		got, notice, err := ParseOrgURL(text)
		if err != nil || got.String() != want || notice != "" {
			t.Errorf("ParseOrgURL(%q) = %v, %q, %v, want %s", text, got, notice, err, want)
		}
	}
}

func TestParseOrgURLMendsAdminHosts(t *testing.T) {
	for text, want := range map[string]string{
		"https://acme-admin.okta.com/": "https://acme.okta.com",
		"acme-admin":                   "https://acme.okta.com",
		"https://acme-admin.oktapreview.com/admin/dashboard": "https://acme.oktapreview.com",
		"acme-admin.okta-gov.com":                            "https://acme.okta-gov.com",
	} {
		got, notice, err := ParseOrgURL(text)
		if err != nil || got.String() != want || !strings.Contains(notice, "admin console") {
			t.Errorf("ParseOrgURL(%q) = %v, %q, %v, want %s and a notice", text, got, notice, err, want)
		}
	}
}

func TestParseOrgURLRefuses(t *testing.T) {
	for _, text := range []string{
		"", "  ", "https://", "ftp://acme.okta.com", "ada@acme.com", "https://u:p@acme.okta.com", "okta.com",
		"https://www.okta.com", "login.okta.com", "developer.okta.com", "acme okta", "acme..okta.com", "-acme", "acme.okta.com:0", "acme.okta.com:99999", "acme.okta.com:x",
		"::1:80:", "{yourOktaDomain}", "https://{yourOktaDomain}/", strings.Repeat("a", 64), strings.Repeat("a", 3000),
	} {
		got, _, err := ParseOrgURL(text)
		if !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
			t.Errorf("ParseOrgURL(%.60q) = %v, %v, want fault.Invalid with a hint", text, got, err)
		}
	}
}

func TestRefusedOrgURLKeepsItsPassword(t *testing.T) {
	for _, text := range []string{
		"https://ada:hunter2@acme.okta.com", "ada:hunter2@acme.okta.com", "//ada:hunter2@acme.okta.com", "https://hunter2@acme.okta.com",
		"https://ada:hunter2/x@acme.okta.com", "https://ada:hunter2?x@acme.okta.com",
	} {
		if _, _, err := ParseOrgURL(text); err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "@acme.okta.com") {
			t.Errorf("ParseOrgURL(%q): %v, want an error without the password", text, err)
		}
	}
	if _, _, err := ParseOrgURL("ada@acme.com"); err == nil || !strings.Contains(err.Error(), "ada@acme.com") {
		t.Errorf("a mail address: %v, want it named", err)
	}
}
