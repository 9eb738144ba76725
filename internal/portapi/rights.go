package portapi

import (
	"slices"

	"longshore/internal/auth"
	"longshore/internal/fault"
)

// right is what a route needs of its caller. Every route declares one; a route that does not is an admin's.
type right uint8

// The rights.
const (
	undeclared  right = iota
	anybody           // no credentials: the route has its own, a key or a secret
	needRead          // sees the model and the entities
	needRecords       // sees records as they came, of whatever blueprint
	needUpsert        // creates and changes entities
	needWrite         // the same, and everything else that can be done to entities
	needModel         // changes what entities are: blueprints, scorecards, teams, integrations
	needAdmin         // changes who may do what, and sees keys
)

// holders are the roles that hold each right.
var holders = map[right][]auth.Role{
	undeclared: {auth.Admin}, needRead: {auth.Admin, auth.Editor, auth.Viewer}, needRecords: {auth.Admin, auth.Editor, auth.Viewer},
	needUpsert: {auth.Admin, auth.Editor, auth.Ingest}, needWrite: {auth.Admin, auth.Editor}, needModel: {auth.Admin}, needAdmin: {auth.Admin},
}

func (n right) String() string {
	return [...]string{"undeclared", "anybody", "read", "read records", "upsert entities", "write entities", "change the model", "administer"}[n]
}

// set implements option.
func (n right) set(t *route) { t.needs = n }

// option says something about a route beyond its handler.
type option interface{ set(*route) }

// demand refuses a caller whose role does not hold what the route needs.
func (t *route) demand(who auth.Principal) error {
	roles := holders[t.needs]
	if t.needs == anybody || slices.Contains(roles, who.Role) {
		return nil
	}
	return fault.Errorf(fault.Denied, "%q has the role %q, which may not %s", who.ID, who.Role, t.needs).
		WithCode("missing_permissions", map[string]any{"role": who.Role, "missing": t.needs.String(), "roles": roles})
}
