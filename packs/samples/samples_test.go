package samples

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"longshore/internal/fault"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestLoadRoutesByRequest(t *testing.T) {
	tests := []struct {
		request, body, stream, want string
	}{
		{"GET /api/v1/users?limit=2", `[{"id":"00u1"}]`, "users", `{"id":"00u1"}`},
		{"GET /api/v1/users/00u1", `{"id": "00u1"}`, "users", `{"id":"00u1"}`},
		{"GET /api/v1/groups/00g1/users?limit=200", `[{"id":"00u1"}]`, "group_members", `{"id":"00u1","groupId":"00g1"}`},
		{"GET /api/v1/users/00u1/groups", `[{"id":"00g1"}]`, "groups", `{"id":"00g1"}`},
		{"POST /api/v1/users/00u1/roles?x=1", `{"id":"ra1"}`, "user_role_assignments", `{"id":"ra1","userId":"00u1"}`},
		{"GET /api/v1/groups/00g1/roles", `[{"id":"gra1"}]`, "group_role_assignments", `{"id":"gra1","groupId":"00g1"}`},
		{"GET /oauth2/v1/clients/0oa1/roles", `[{"id":"ra1"}]`, "client_role_assignments", `{"id":"ra1","clientId":"0oa1"}`},
		{"GET /api/v1/iam/roles", `{"roles":[{"id":"cr01"}]}`, "custom_roles", `{"id":"cr01"}`},
		{"PUT /api/v1/iam/roles/cr01", `{"id":"cr01"}`, "custom_roles", `{"id":"cr01"}`},
		{"GET /api/v1/iam/roles/cr01/permissions", `{"permissions":[{"label":"a"}]}`, "permissions", `{"label":"a","roleId":"cr01"}`},
		{"GET /api/v1/iam/resource-sets", `{"resource-sets":[{"id":"iam1"}]}`, "resource_sets", `{"id":"iam1"}`},
		{"GET /api/v1/groups/rules", `[{"id":"0pr1"}]`, "", ""},
		{"GET /api/v1/groups/rules/0pr1", `{"id":"0pr1"}`, "", ""},
		{"GET /api/v1/users/00u1/roles/ra1/targets/groups", `[{"id":"00g1"}]`, "", ""},
		{"GET /api/v1/apps/0oa1/users", `[{"id":"00u1"}]`, "", ""},
		{"GET /api/v1/iam/assignees/users", `{"value":[{"id":"00u1"}]}`, "", ""},
	}
	for _, test := range tests {
		dir := write(t, "recording.json", `[{"request":"`+test.request+`","status":200,"body":`+test.body+`},
			{"request":"`+test.request+`","status":200,"body":`+test.body+`},
			{"request":"`+test.request+`","status":404,"body":{"errorCode":"E0000007"}}]`)
		records, err := Load(dir)
		if err != nil {
			t.Errorf("%s: %v", test.request, err)
			continue
		}
		if test.stream == "" {
			if len(records) != 0 {
				t.Errorf("%s: got %q, want nothing", test.request, records)
			}
			continue
		}
		if got := records[test.stream]; len(records) != 1 || len(got) != 1 || string(got[0]) != test.want {
			t.Errorf("%s: got %q, want one record of %s: %s", test.request, records, test.stream, test.want)
		}
	}
}

func TestLoadTakesTheFirstEventOfAUUID(t *testing.T) {
	records, err := Load(write(t, "logs.json", `[{"uuid":"1","a":1},{"source":"x","event":{"uuid":"2"}},{"uuid":"1","a":2}]`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(bytes.Join(records["logs"], []byte("\n"))), "{\"uuid\":\"1\",\"a\":1}\n{\"uuid\":\"2\"}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestLoadNamesWhatIsWrong(t *testing.T) {
	if _, err := Load(t.TempDir()); !fault.Is(err, fault.NotFound) {
		t.Errorf("empty folder: got %v, want not found", err)
	}
	for _, body := range []string{`7`, `[7]`, `{}`, `null`} {
		if _, err := Load(write(t, "a.json", `[{"request":"GET /api/v1/users","status":200,"body":`+body+`}]`)); err == nil {
			t.Errorf("body %s: want an error", body)
		}
	}
}

func FuzzFile(f *testing.F) {
	f.Add("logs.json", []byte(`[{"uuid":"1"},{"event":{"uuid":"2"}}]`))
	f.Add("users.json", []byte(`[{"request":"GET /api/v1/users/1/roles","status":200,"body":[{"id":"ra1"}]}]`))
	f.Fuzz(func(t *testing.T, name string, text []byte) {
		s := set{records: map[string][][]byte{}, seen: map[string]bool{}}
		if s.file(name, text) != nil {
			return
		}
		for stream, records := range s.records {
			for _, record := range records {
				if !json.Valid(record) || stream == "" {
					t.Errorf("stream %q: record %q is not JSON", stream, record)
				}
			}
		}
	})
}
