package mapping

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"longshore/internal/verdict"
)

// samplesDir holds recorded answers of Okta's API, which are not part of the repository.
const samplesDir = "../../../shared/okta-samples"

// The guide keeps role assignments whose id begins with "ra" only. Each of the others must say so.
func TestGuideNamesTheClauseForEachRecordedAssignment(t *testing.T) {
	document, err := os.ReadFile("testdata/mapping/guide/mapping.json")
	if err != nil {
		t.Fatal(err)
	}
	set := mustCompile(t, string(document), Options{})
	const assignments = 2 // the mapping to okta_role_assignment
	kept, dropped := 0, 0
	for _, file := range []string{"user_roles.json", "group_roles.json", "client_roles.json"} {
		for _, record := range recorded(t, file) {
			var id struct{ ID string }
			if err := json.Unmarshal(record, &id); err != nil || id.ID == "" {
				continue // an answer without a body
			}
			err := set.Apply(t.Context(), Event{Body: record}, func(o Outcome) error {
				switch {
				case o.Mapping != assignments:
				case strings.HasPrefix(id.ID, "ra"):
					if kept++; o.Change == nil || o.Change.Identifier != id.ID {
						t.Errorf("%s: %s %+v, want it kept", id.ID, o.Code, o.Detail)
					}
				default:
					dropped++
					if o.Code != verdict.Filtered || o.Detail.Clause != `.body.id | startswith("ra")` || o.Detail.Value != `"`+id.ID+`"` {
						t.Errorf("%s: %s %+v, want it filtered by the id's clause", id.ID, o.Code, o.Detail)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if kept == 0 || dropped == 0 {
		t.Errorf("%d kept and %d dropped: the samples do not show the difference", kept, dropped)
	}
	t.Logf("%d kept, %d dropped", kept, dropped)
}

// recorded returns the objects of a file of exchanges: bodies, or the elements of bodies that are lists.
func recorded(t *testing.T, file string) []json.RawMessage {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(samplesDir, file))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no recorded samples: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	var exchanges []struct{ Body json.RawMessage }
	if err := json.Unmarshal(text, &exchanges); err != nil {
		t.Fatal(err)
	}
	var records []json.RawMessage
	for _, e := range exchanges {
		var list []json.RawMessage
		if json.Unmarshal(e.Body, &list) == nil {
			records = append(records, list...)
		} else if len(e.Body) > 0 {
			records = append(records, e.Body)
		}
	}
	return records
}
