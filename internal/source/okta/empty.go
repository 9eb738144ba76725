package okta

import (
	"context"
	"net/http"

	"longshore/internal/fault"
)

// emptyHanded is asked when a listing that was just begun has nothing in it: that must not count as an org without
// such objects when the credential sees nothing (fault.Denied), and is a gap when that cannot be told.
func (r *reading) emptyHanded(ctx context.Context, request string) error {
	reason, err := r.client.emptyIsSuspicious(ctx)
	if refused := asAPIError(err); refused != nil && (refused.Status == http.StatusForbidden || refused.FeatureAbsent()) {
		r.gap("GET %s: the list is empty, and whether this credential would see what is in it cannot be told: %s", shown(request), explained(err))
		return nil
	}
	if err != nil || reason == nil {
		return err
	}
	return fault.Errorf(fault.Denied, "GET %s: the list is empty, but %w", shown(request), reason).WithHint("%s", reason.Hint)
}
