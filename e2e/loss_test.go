//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"longshore/internal/receipt"
	"longshore/internal/source/okta/emulator"
	"longshore/internal/store"
)

// One record removed, doubled or altered in the ledger or in the catalog, after it was taken: the receipt of its run is
// red and names the hop.
func TestLossInTheDatabaseNamesItsHop(t *testing.T) {
	server := httptest.NewServer(emulator.New(emulator.Options{Users: 40, Days: 3, EventsPerDay: 30}))
	t.Cleanup(server.Close)
	for _, c := range []struct {
		name, statement, hop, stream string
	}{
		{"nothing", `SELECT 1`, "", ""},
		{"a verdict removed from the sums", `UPDATE verdict_counts SET n = n - 1 WHERE mapping = -1 AND object_id = (SELECT min(id) FROM objects WHERE stream = 'users')`, receipt.HopVerdict, "users"},
		{"a verdict doubled in the sums", `UPDATE verdict_counts SET n = n + 1 WHERE mapping = -1 AND object_id = (SELECT min(id) FROM objects WHERE stream = 'users')`, receipt.HopVerdict, "users"},
		{"a verdict altered in the sums", `UPDATE verdict_counts SET code = 3 WHERE mapping = -1 AND object_id = (SELECT min(id) FROM objects WHERE stream = 'users')`, receipt.HopVerdict, "users"},
		{"verdicts removed from the ledger", `DELETE FROM verdict_chunks WHERE object_id = (SELECT min(id) FROM objects WHERE stream = 'users')`, receipt.HopVerdict, "users"},
		{"an entity removed", `DELETE FROM entities WHERE id = (SELECT min(id) FROM entities)`, receipt.HopCatalog, ""},
		{"an entity doubled", `INSERT INTO entities (blueprint_id, identifier, properties, relations, created_at, updated_at)
			SELECT blueprint_id, identifier || '-twin', properties, relations, created_at, updated_at FROM entities WHERE id = (SELECT min(id) FROM entities)`, receipt.HopCatalog, ""},
		{"an entity altered", `UPDATE entities SET properties = replace(properties, 'ACTIVE', 'ACTIVF') WHERE id = (SELECT min(id) FROM entities WHERE properties LIKE '%"status":"ACTIVE"%')`, receipt.HopCatalog, "users"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFolder(t)
			command := func(args ...string) (string, int) {
				cmd, out, errs := f.command(t.Context(), args...)
				cmd.Env = append(cmd.Env, "OKTA_CLIENT_ORGURL="+server.URL, "OKTA_CLIENT_TOKEN="+emulator.DefaultToken)
				_ = cmd.Run() // its exit code is looked at
				t.Logf("longshore %s: exit %d %s", strings.Join(args, " "), cmd.ProcessState.ExitCode(), errs)
				return out.String(), cmd.ProcessState.ExitCode()
			}
			for _, args := range [][]string{{"sync"}, {"ingest"}} {
				if _, code := command(args...); code != 0 {
					t.FailNow()
				}
			}
			db, err := store.Open(t.Context(), filepath.Join(f.data, "longshore.db"))
			must(t, err)
			_, err = db.Writer().ExecContext(t.Context(), c.statement)
			must(t, err)
			must(t, db.Close())
			command("up", "--once")
			text, code := command("receipt", "1", "--json")
			var r receipt.Receipt
			must(t, json.Unmarshal([]byte(text), &r))
			if c.hop == "" {
				if code != 0 || !r.OK {
					t.Errorf("exit %d, differences %v; want none", code, r.Differences)
				}
				return
			}
			found := false
			for _, d := range r.Differences {
				found = found || d.Hop == c.hop && (c.stream == "" || d.Stream == c.stream)
			}
			if code != 1 || r.OK || !found {
				t.Errorf("exit %d, OK %t, differences %v; want one at %q of %q", code, r.OK, r.Differences, c.hop, c.stream)
			}
		})
	}
}
