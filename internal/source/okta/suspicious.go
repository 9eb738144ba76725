package okta

import (
	"context"
	"net/url"
	"sync"
	"time"

	"longshore/internal/fault"
)

// suspicionLife is how long it is known that the credential holds no role: people mend that while Longshore runs. That it
// holds one is known of the time before it was asked alone: a role can be taken away at any time.
const suspicionLife = 5 * time.Minute

// maxEmptyUsers is how many empty pages of users that lead on are followed.
const maxEmptyUsers = 3

// suspicion is what was found out last about lists that come empty.
type suspicion struct {
	mu     sync.Mutex
	asked  time.Time
	reason *fault.Error // nil: an empty list is empty
}

// emptyIsSuspicious returns why an empty list says nothing of the org (fault.Denied, with its cure), or nil when it is
// empty indeed. Okta answers a service app that nobody gave an admin role with 200 and empty lists, and never with
// 403. Such an app is known by its own roles, if it may read them; any credential is known by the list of users: no
// org is without one. An error is that of the list of users: then it cannot be told.
// The list is one that came at a time; the answers to what is asked go to met.
func (c *client) emptyIsSuspicious(ctx context.Context, came time.Time, met func(*answer)) (reason *fault.Error, err error) {
	c.empty.mu.Lock()
	defer c.empty.mu.Unlock()
	blind := c.empty.reason != nil && time.Since(c.empty.asked) < suspicionLife
	if blind || c.empty.asked.After(came) {
		return c.empty.reason, nil
	}
	if reason, err = c.seesNothing(ctx, met); err == nil {
		c.empty.asked, c.empty.reason = time.Now(), reason
	}
	return reason, err
}

func (c *client) seesNothing(ctx context.Context, met func(*answer)) (*fault.Error, error) {
	id := c.auth.identity()
	if id.Kind == KindServiceApp {
		roles, _, err := c.page(ctx, ownRolesPath(id), "")
		met(roles.answer)
		if err == nil && len(roles.records) == 0 {
			return noRole(id), nil
		}
		if err != nil && asAPIError(err) == nil {
			return nil, err
		}
	}
	for request, pages := everyUserPath+"?limit=1", 0; ; pages++ {
		users, next, err := c.page(ctx, request, "")
		met(users.answer)
		if pages > 0 && pages < maxEmptyUsers && cursorRefused(err) {
			request = everyUserPath + "?limit=1" // the cursor did not last: begin again
			continue
		}
		if err != nil || len(users.records) > 0 {
			return nil, err
		}
		if next != "" && pages >= maxEmptyUsers {
			return nil, loops(next)
		}
		if next == "" {
			return noUsers(id), nil
		}
		request = next // an empty page before others is legal
	}
}

// ownRolesPath is the request for a service app's own admin roles.
func ownRolesPath(id Identity) string {
	return "/oauth2/v1/clients/" + url.PathEscape(id.ClientID) + "/roles"
}

// noRole is what a service app without an admin role is told.
func noRole(id Identity) *fault.Error {
	return fault.Errorf(fault.Denied, "the service app %q holds no admin role: Okta answers it with empty lists", id.ClientID).
		WithHint("Scopes are not enough. Assign the app %s, or a custom role with okta.users.read, okta.groups.read and okta.iam.read over all users and groups, under Applications > the app > Admin roles.", roleReadOnly)
}

// noUsers is what a credential that sees no user is told: every org has one.
func noUsers(id Identity) *fault.Error {
	e := fault.Errorf(fault.Denied, "this credential sees no user at all, so its empty lists say nothing of the org")
	if id.Kind == KindServiceApp {
		return e.WithHint("Assign the app %q an admin role under Applications > the app > Admin roles; with a custom role, its resource set must hold all users and all groups.", id.ClientID)
	}
	return e.WithHint("The resource set of the custom role behind this credential must hold all users and all groups, or its owner needs the role %s.", roleReadOnly)
}
