package main

import (
	"net/http"
	"strings"
	"testing"

	"longshore/internal/source/okta"
	"longshore/internal/source/okta/emulator"
)

// matrixOf checks a stand-in org with some faults, and writes what was found.
func matrixOf(t *testing.T, streams []string, faults ...emulator.Fault) (okta.Capabilities, string) {
	t.Helper()
	org := emulator.New(emulator.Options{Users: 40, BaseURL: demoOrg, Faults: faults, RateLimits: emulator.RateLimits{Profile: "workforce"}})
	source, err := okta.Open(okta.Config{OrgURL: demoOrg, Token: emulator.DefaultToken, HTTPClient: org.Client(), Streams: streams})
	if err != nil {
		t.Fatal(err)
	}
	found, err := source.Check(t.Context(), true)
	var b strings.Builder
	writeMatrix(&b, found, err != nil)
	return found, b.String()
}

func TestMatrixTellsEachGapOnceWithCostAndCure(t *testing.T) {
	found, text := matrixOf(t, nil, emulator.Fault{Prefix: "/api/v1/iam", Status: http.StatusForbidden}, emulator.Fault{Prefix: "/api/v1/devices", Status: http.StatusUnauthorized, Code: "E0000015"})
	for line := range strings.Lines(text) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > matrixWidth || strings.Contains(line, "\x1b") {
			t.Errorf("a line of %d columns: %q", n, line)
		}
	}
	for _, want := range []string{
		"yes  /users ", "NO   /iam/roles ", "no   /devices ", "403  300/600", "scope okta.roles.read, role Super Administrator or a custom one with okta.iam.read",
		"  ! /iam/assignees/users, /iam/roles, /iam/resource-sets\n", "    costs  Role holders", "    cure   The administrator who made the API token needs", "the org's edition lacks",
		"NOT READABLE, or not in full: custom_roles, permissions, resource_sets,", "factors*", "(user_role_assignments)", "credential: API token",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the matrix lacks %q:\n%s", want, text)
		}
	}
	if found.OK() || strings.Count(text, "cure   The administrator") != 1 {
		t.Errorf("OK is %t, want the cure once:\n%s", found.OK(), text)
	}
}

func TestMatrixOfWhatIsFine(t *testing.T) {
	found, text := matrixOf(t, []string{"+devices"})
	if !found.OK() || !strings.Contains(text, "Every chosen stream can be read.") || strings.Contains(text, "devices*") || strings.Contains(text, "NO ") {
		t.Errorf("OK is %t:\n%s", found.OK(), text)
	}
	if found, text = matrixOf(t, []string{"+devices"}, emulator.Fault{Prefix: "/api/v1/devices", Status: http.StatusForbidden}); found.OK() || !strings.Contains(text, "in full: devices\n") {
		t.Errorf("a chosen optional stream that cannot be read: OK is %t:\n%s", found.OK(), text)
	}
}
