package oktasdk

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	okta "github.com/okta/okta-sdk-golang/v5/okta"
)

// serviceApp starts an org that lets a service app in, and returns the settings that it prints for the app's client.
func serviceApp(t *testing.T, arguments ...string) map[string]string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "app.pem")
	cmd := exec.Command(binary, append([]string{"okta-emulator", "--listen", "127.0.0.1:0", "--oauth", file}, arguments...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.TempDir()}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	settings := make(map[string]string)
	for lines := bufio.NewScanner(out); settings["OKTA_CLIENT_PRIVATEKEYID"] == "" && lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok {
			settings[name] = value
		}
	}
	return settings
}

func appClient(t *testing.T, settings map[string]string) *okta.APIClient {
	t.Helper()
	return client(t, settings["OKTA_CLIENT_ORGURL"], "",
		okta.WithAuthorizationMode(settings["OKTA_CLIENT_AUTHORIZATIONMODE"]), okta.WithClientId(settings["OKTA_CLIENT_CLIENTID"]),
		okta.WithScopes(strings.Split(settings["OKTA_CLIENT_SCOPES"], ",")), okta.WithPrivateKey(settings["OKTA_CLIENT_PRIVATEKEY"]),
		okta.WithPrivateKeyId(settings["OKTA_CLIENT_PRIVATEKEYID"]))
}

func TestAServiceAppSignsIn(t *testing.T) {
	for name, arguments := range map[string][]string{"bearer": nil, "DPoP": {"--dpop"}} {
		t.Run(name, func(t *testing.T) {
			c := appClient(t, serviceApp(t, arguments...))
			for range 2 { // the second time with the token of the first
				users, response, err := c.UserAPI.ListUsers(t.Context()).Limit(3).Execute()
				if err != nil || len(users) != 3 {
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
	c := appClient(t, serviceApp(t, "--scopes", "okta.users.read"))
	if _, response, err := c.GroupAPI.ListGroups(t.Context()).Execute(); err == nil || response == nil || response.StatusCode != 403 {
		t.Errorf("groups without their scope: %v", err)
	}
	c = appClient(t, serviceApp(t, "--no-role"))
	if users, response, err := c.UserAPI.ListUsers(t.Context()).Execute(); err != nil || len(users) != 0 {
		t.Errorf("users without an admin role: %d, %v, %s", len(users), err, said(response))
	}
}
