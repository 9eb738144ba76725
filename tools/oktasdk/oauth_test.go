package oktasdk

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	okta "github.com/okta/okta-sdk-golang/v5/okta"
)

// service is the SDK set up as a service app of an org of its own, which is started with these arguments.
func service(t *testing.T, arguments ...string) *okta.APIClient {
	t.Helper()
	settings := org(t, append([]string{"--oauth", filepath.Join(t.TempDir(), "app.pem")}, arguments...)...)
	return client(t, settings["OKTA_CLIENT_ORGURL"], "",
		okta.WithAuthorizationMode(settings["OKTA_CLIENT_AUTHORIZATIONMODE"]), okta.WithClientId(settings["OKTA_CLIENT_CLIENTID"]),
		okta.WithScopes(strings.Split(settings["OKTA_CLIENT_SCOPES"], ",")), okta.WithPrivateKey(settings["OKTA_CLIENT_PRIVATEKEY"]),
		okta.WithPrivateKeyId(settings["OKTA_CLIENT_PRIVATEKEYID"]))
}

func TestAServiceAppSignsIn(t *testing.T) {
	for name, arguments := range map[string][]string{
		"bearer": nil, "elliptic curve": {"--key-type", "P-256"}, "DPoP": {"--dpop"}, "DPoP with nonces at every call": {"--dpop", "--dpop-nonce"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := service(t, arguments...)
			for range 2 { // the second time with the token of the first
				users, response, err := c.UserAPI.ListUsers(t.Context()).Execute()
				if users = all(t, users, response, err); len(users) < 400 {
					t.Fatalf("%d users, %v, %s", len(users), err, said(response))
				}
			}
			if _, response, err := c.RoleAPI.ListRoles(t.Context()).Execute(); err != nil {
				t.Errorf("custom roles: %v, %s", err, said(response))
			}
		})
	}
}

func TestAServiceAppLacksAScopeOrARole(t *testing.T) {
	c := service(t, "--scopes", "okta.users.read")
	if _, response, err := c.GroupAPI.ListGroups(t.Context()).Execute(); err == nil || response == nil || response.StatusCode != http.StatusForbidden {
		t.Errorf("groups without their scope: %v", err)
	}
	c = service(t, "--no-role")
	if users, response, err := c.UserAPI.ListUsers(t.Context()).Execute(); err != nil || len(users) != 0 {
		t.Errorf("users without an admin role: %d, %v, %s", len(users), err, said(response))
	}
}
