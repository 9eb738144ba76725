package portapi_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"longshore/internal/auth"
)

// as returns the header of a new client of that role.
func (h *house) as(role auth.Role, user string) string {
	h.t.Helper()
	c, secret, err := h.clients.Add(h.t.Context(), auth.NewClient{Role: role, User: user}, "tester")
	if err != nil {
		h.t.Fatal(err)
	}
	h.keeper.Refresh()
	token, _, err := h.keeper.Token(c.ID, secret)
	if err != nil {
		h.t.Fatal(err)
	}
	return "Authorization: Bearer " + token.Text
}

func TestEveryRouteDeclaresWhatItNeeds(t *testing.T) {
	for _, r := range newHouse(t).api.Routes() {
		if !r.Declared {
			t.Errorf("%s %s declares no right: say in the table what it needs of its caller", r.Method, r.Path)
		}
	}
}

// The matrix of roles and routes is a file, so that a change of who may do what is seen when it is looked through.
func TestRolesAndRoutes(t *testing.T) {
	h := newHouse(t)
	tokens := map[auth.Role]string{}
	for _, role := range auth.Roles() {
		tokens[role] = h.as(role, "")
	}
	name := regexp.MustCompile(`\{\w+\}`)
	var matrix strings.Builder
	for _, r := range h.api.Routes() {
		path := name.ReplaceAllString(r.Path, "none")
		if r.Open {
			fmt.Fprintf(&matrix, "%-7s %s: anybody\n", r.Method, r.Path)
			continue
		}
		if got := h.call(r.Method, path, "{}", "Authorization:"); got.status != http.StatusUnauthorized {
			t.Errorf("%s %s without a token: %d, want 401", r.Method, r.Path, got.status)
		}
		var may []string
		for _, role := range auth.Roles() {
			got := h.call(r.Method, path, "{}", tokens[role])
			if got.status != http.StatusForbidden {
				may = append(may, string(role))
				continue
			}
			got.want(http.StatusForbidden, "missing_permissions").is(`"`+r.Needs+`"`, "details", "missing")
		}
		fmt.Fprintf(&matrix, "%-7s %s: %s\n", r.Method, r.Path, strings.Join(may, " "))
	}
	path := filepath.Join("testdata", "rights.txt")
	if *update {
		if err := os.WriteFile(path, []byte(matrix.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := matrix.String(); got != string(want) {
		t.Errorf("who may do what has changed: look it through, then -update\n%s\nwant\n%s", got, want)
	}
}

func TestDisabledCredentialIsUnauthorized(t *testing.T) {
	h := newHouse(t)
	header := h.as(auth.Editor, "")
	h.call("GET", "/v1/blueprints", "", header).want(200, "")
	list, err := h.clients.List(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	if _, err := h.clients.Disable(t.Context(), list[0].ID, true, ""); err != nil {
		t.Fatal(err)
	}
	h.keeper.Refresh()
	h.call("GET", "/v1/blueprints", "", header).want(401, "unauthorized")
}
