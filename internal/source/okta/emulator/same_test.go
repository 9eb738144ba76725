package emulator

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

// TestAnUnchangedOrgIsAlwaysTheSame pins the bodies that demos, documents and other tests count on.
func TestAnUnchangedOrgIsAlwaysTheSame(t *testing.T) {
	for _, c := range []struct {
		options Options
		want    string
	}{
		{Options{}, "d2ffbcc2002ee8ef"},
		{Options{Users: 3000, Seed: 7, EventsPerDay: 200, Days: 5}, "ed08c78b20f30d95"},
	} {
		o := New(c.options)
		sum := sha256.New()
		for _, kind := range []string{"users", "groups", "group_members", "user_role_assignments", "group_role_assignments", "custom_roles", "permissions", "resource_sets", "logs"} {
			for object := range o.Truth(kind) {
				sum.Write(object)
			}
		}
		for _, path := range []string{
			"/api/v1/users?limit=7", "/api/v1/users?search=status+pr&limit=3", "/api/v1/users/me", "/api/v1/groups?expand=stats", "/api/v1/iam/assignees/users?limit=5",
			"/api/v1/iam/resource-sets", "/api/v1/logs?limit=20&since=2026-10-31T00:00:00Z&until=2026-11-01T00:00:00Z", "/api/v1/logs?since=2026-11-01T08:00:00Z",
		} {
			r := get(t, o, path)
			sum.Write(r.body)
			for _, line := range r.header.Values("Link") {
				sum.Write([]byte(line))
			}
		}
		if got := hex.EncodeToString(sum.Sum(nil))[:16]; got != c.want {
			t.Errorf("%+v: %s, want %s", c.options, got, c.want)
		}
	}
}
