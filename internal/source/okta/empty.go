package okta

import (
	"context"
	"net/http"
	"strings"
	"time"

	"longshore/internal/fault"
)

// contradicted is asked when nothing is below a parent although there should be: because other lists say so (known), or
// because a page before named another one. When the credential has lost its sight, that is the reason and the end. Else
// it is a gap if other lists say so; a last page that is empty is legal.
func (r *reading) contradicted(ctx context.Context, page listPage, known bool) error {
	if err := r.emptyHanded(ctx, page.answer); err != nil || !known {
		return err
	}
	r.gap("GET %s: the list is empty, although the org's other lists say that it is not", shown(page.answer.path))
	return nil
}

// lookBack is asked before a stream ends. An app without users, say, is nothing odd; but had the credential lost its role
// on the way, all the answers from then on would be empty, and the stream would end as if that were right.
// What was empty before an interruption is not known any more, so that a resumed stream is looked into in any case.
func (r *reading) lookBack(ctx context.Context) error {
	empty, resumed := r.emptied, r.resumed
	r.emptied, r.resumed = nil, false
	switch {
	case empty != nil:
		return r.emptyHanded(ctx, empty)
	case resumed:
		reason, err := r.client.emptyIsSuspicious(ctx, time.Now(), r.met)
		if refused := asAPIError(err); refused != nil && (refused.Status == http.StatusForbidden || refused.FeatureAbsent()) {
			return nil // nothing is known to have been empty
		}
		if err != nil || reason == nil {
			return err
		}
		return fault.Errorf(fault.Denied, "what was read before the interruption may lack records: %w", reason).WithHint("%s", reason.Hint)
	}
	return nil
}

// nothingChanged is asked when a read of changes brings nothing, or ends in an empty page: an org may stand still, but a
// credential that sees nothing is answered the same. It does see something when the whole listing has any object.
func (r *reading) nothingChanged(ctx context.Context, empty *answer) error {
	path, _, _ := strings.Cut(empty.path, "?")
	page, next, err := r.client.fetchAnew(ctx, path+"?limit=1", "")
	r.met(page.answer)
	if err != nil || len(page.records) > 0 || next != "" {
		return err
	}
	return r.emptyHanded(ctx, empty)
}

// emptyHanded is asked when a listing that was just begun has nothing in it: that must not count as an org without
// such objects when the credential sees nothing (fault.Denied), and is a gap when that cannot be told.
func (r *reading) emptyHanded(ctx context.Context, empty *answer) error {
	request := empty.path
	reason, err := r.client.emptyIsSuspicious(ctx, empty.at, r.met)
	if refused := asAPIError(err); refused != nil && (refused.Status == http.StatusForbidden || refused.FeatureAbsent()) {
		r.gap("GET %s: the list is empty, and whether this credential would see what is in it cannot be told: %s", shown(request), explained(err))
		return nil
	}
	if err == nil && reason == nil && (state{Link: request}).belongsTo(apiPrefix+"groups") && !strings.Contains(request, "filter=") {
		r.gap("GET %s: the list is empty, although every org has the group Everyone: this credential sees no group, or the list was cut short", shown(request))
	}
	if err != nil || reason == nil {
		return err
	}
	return fault.Errorf(fault.Denied, "GET %s: the list is empty, but %w", shown(request), reason).WithHint("%s", reason.Hint)
}

// blindEnd looks into an empty last page that nothing contradicts. Only a service app is answered so when it has lost
// its role on the way; that it cannot be told changes nothing here.
func (r *reading) blindEnd(ctx context.Context, empty *answer) error {
	if r.client.auth.identity().Kind != KindServiceApp {
		return nil
	}
	if reason, err := r.client.emptyIsSuspicious(ctx, empty.at, r.met); err == nil && reason != nil {
		return fault.Errorf(fault.Denied, "GET %s: the list is empty, but %w", shown(empty.path), reason).WithHint("%s", reason.Hint)
	}
	return nil
}
