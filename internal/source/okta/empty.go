package okta

import (
	"context"
	"net/http"

	"longshore/internal/fault"
)

// emptyHanded is asked when a listing that was just begun has nothing in it. Okta answers a service app that nobody
// gave an admin role with 200 and an empty list, which must not count as an org without such objects. No org is
// without users, so they tell the two apart: with some the list is empty indeed, without any the credential sees
// nothing (fault.Denied), and when users may not be read it stays unknown, which is a gap.
func (r *reading) emptyHanded(ctx context.Context, request string) error {
	if !(state{Link: request}).belongsTo(everyUserPath) {
		page, _, err := r.client.page(ctx, everyUserPath+"?limit=1", "")
		r.met(page.answer)
		if refused := asAPIError(err); refused != nil && (refused.Status == http.StatusForbidden || refused.FeatureAbsent()) {
			r.gap("GET %s: the list is empty, and whether this credential would see what is in it cannot be told: %s", shown(request), explained(err))
			return nil
		}
		if err != nil || len(page.records) > 0 {
			return err
		}
	}
	return fault.Errorf(fault.Denied, "GET %s: the list is empty, and so is the org's list of users: the credential is accepted but sees nothing", shown(request)).
		WithHint("An OAuth service app needs an admin role beside its scopes: give it %s under Admin roles of the app.", accessOf(everyUserPath).role)
}
