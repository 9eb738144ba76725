package okta

import (
	"context"
	_ "embed" // of the table
	"fmt"
	"time"

	"longshore/internal/rawjson"
)

// standardRolesTable tells what Okta's API does not: the standard roles and what each may do, in few words, from Okta's
// public pages. Each row names the page for its permissions (source) and the one for type, label and targets
// (typeSource), as they read at the table's date; permissions is null where a page does not tell them in words. To
// bring it up to date, compare each row with its pages and set the date.
//
//go:embed standard_roles.json
var standardRolesTable []byte

// standardRoles asks Okta for nothing: the same table for every org, so that assignments of standard roles have
// something to point at. The roles that Okta lists itself are in custom_roles under the same ids.
func (s *Source) standardRoles() streamSpec {
	return streamSpec{
		Stream: stream("standard_roles", "Okta's standard admin roles and what each may do, from a dated table of this program: Okta's API does not tell. No request is made.", "id"),
		read:   readStandardRoles,
	}
}

func readStandardRoles(_ context.Context, r *reading, _ state) error {
	date, ok := rawjson.Get(standardRolesTable, "date")
	list, listed := rawjson.Get(standardRolesTable, "roles")
	if !ok || !listed {
		panic("okta: the table of standard roles is broken")
	}
	var records [][]byte
	for role, err := range rawjson.Elements(list) {
		if err != nil {
			return fmt.Errorf("table of standard roles: %w", err)
		}
		records = append(records, rawjson.AppendMember(nil, role, "tableDate", date))
	}
	day, _ := rawjson.String(date)
	return r.page(&answer{path: "standard_roles.json?date=" + day, at: time.Now()}, records, state{Done: true})
}
