package okta

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"longshore/internal/fault"
	"longshore/internal/rawjson"
)

// maxHolders bounds the ids of role holders kept in memory: some 20 MB. An org with more reads all users instead.
const maxHolders = 1 << 18

// holdersLife is how long a list of holders that was read to explain an empty answer explains others.
const holdersLife = time.Minute

// The phases of user_role_assignments.
const (
	phaseHolders      = iota // visiting the users known to hold a role
	phaseEveryUser           // visiting all users, because role holders cannot be listed
	phaseEveryoneGone        // visiting all deactivated users, for the same reason
)

const everyUserPath = apiPrefix + "users"

func userRolesPath(id string) string { return everyUserPath + "/" + url.PathEscape(id) + "/roles" }

// errNoHolders means that role holders cannot be listed, so that every user must be asked.
var errNoHolders = errors.New("role holders cannot be listed")

// readUserRoles visits only the users that hold a role, which are few, instead of every user. They are the union of
// what Okta lists as assignees and of the members of groups that hold roles, since Okta does not say whether the
// first includes the second. The union is made first and visited in the order of ids: that way nobody is visited
// twice, and a state is one id. A resumed read makes the union again, which costs a call for every 100 holders.
//
// The union rests on two lists that nothing proves to be whole, so a few other users are asked as well. Should one of
// them hold a role, or should there be no such lists, every user is asked: the deactivated ones too, because nobody
// has said that Okta takes a user's roles away with the deactivation.
func readUserRoles(ctx context.Context, r *reading, from state) error {
	spec := childSpec{
		parents: r.source.listRequest(listLimit, "users"), member: "userId", next: phaseEveryoneGone,
		path: userRolesPath,
	}
	if from.Phase == phaseHolders {
		err := r.visitHolders(ctx, spec, from, state{Done: true})
		if !errors.Is(err, errNoHolders) {
			return err
		}
		from = state{Phase: phaseEveryUser}
	}
	if from.Phase == phaseEveryUser {
		if err := r.children(ctx, spec, from); err != nil {
			return err
		}
		from = state{Phase: phaseEveryoneGone}
	}
	if from.Phase != phaseEveryoneGone {
		return foreignState()
	}
	spec.parents, spec.next = r.source.deactivatedUsers(), 0
	return r.children(ctx, spec, from)
}

// visitHolders visits the users that hold a role; behind the last one the state is done. errNoHolders means that
// nobody was visited, because that would miss some.
func (r *reading) visitHolders(ctx context.Context, spec childSpec, from, done state) error {
	if from.Link != "" {
		return foreignState()
	}
	hole := r.hole
	ids, last, err := r.holders(ctx)
	switch {
	case err != nil || from.Parent != "":
	case len(ids) == 0: // somebody administers every org
		err = fmt.Errorf("%w: the lists of them are empty", errNoHolders)
	default:
		err = r.holdersAreAll(ctx, ids)
	}
	if errors.Is(err, errNoHolders) {
		r.client.log.Warn("okta role holders cannot be listed, every user will be asked for roles", "error", explained(err))
		r.gaps, r.hole = nil, hole // of the union: asking everyone closes them
		return err
	}
	if err != nil {
		return err
	}
	begin, found := slices.BinarySearch(ids, from.Parent)
	child := ""
	if found && from.Child == "" {
		begin++
	} else if found {
		child = from.Child
	}
	spec.sure, spec.mayBeEmpty = func(string) bool { return true }, holdsNoMore()
	if err := r.visit(ctx, spec, ids[begin:], child, state{Phase: from.Phase}, done); err != nil {
		return err
	}
	if begin >= len(ids) {
		return r.page(last, nil, done)
	}
	return nil
}

// holdersAreAll asks a few users that are not among the known holders for their roles: errNoHolders when one of them
// has some. They are chosen at random from the users that this source listed, else from the first page of users.
func (r *reading) holdersAreAll(ctx context.Context, ids []string) error {
	if r.source.sample.empty() {
		page, _, err := r.client.page(ctx, r.source.listRequest(listLimit, "users"), "")
		r.met(page.answer)
		if err != nil {
			r.client.log.Warn("okta role holders cannot be compared with a sample of other users", "error", explained(err))
			return nil
		}
		for _, user := range page.records {
			r.source.sample.add(user)
		}
	}
	n := min(maxSample, 1+int(float64(len(ids))*sampleShare))
	for _, id := range r.source.sample.pick(n, func(id string) bool { _, known := slices.BinarySearch(ids, id); return known }) {
		page, _, err := r.client.page(ctx, principalPath(principalUser, id)+"/roles", "")
		r.met(page.answer)
		if refused := asAPIError(err); refused != nil && refused.Status < http.StatusInternalServerError {
			continue // gone since, or nobody's roles may be read, which the holders will tell
		}
		if err != nil {
			return fmt.Errorf("compare role holders with other users: %w", err)
		}
		if len(page.records) > 0 {
			return fmt.Errorf("%w: user %s holds a role, and is neither listed as an assignee nor in a group that holds one", errNoHolders, id)
		}
	}
	return nil
}

// isNobody reports whether a user is gone or deactivated, which explains why one that is listed as a role holder shows no
// role.
func isNobody(ctx context.Context, r *reading, id string) bool {
	a, err := r.client.get(ctx, principalPath(principalUser, id))
	r.met(a)
	return fault.Is(err, fault.NotFound) || err == nil && rawjson.GetString(a.body, "status") == "DEPROVISIONED"
}

// holdsNoMore is isNobody, and also explains who is not on the lists of holders any more. They are read anew for that, at
// most once a minute.
func holdsNoMore() func(ctx context.Context, r *reading, id string) bool {
	var ids []string
	var read time.Time
	return func(ctx context.Context, r *reading, id string) bool {
		if isNobody(ctx, r, id) {
			return true
		}
		if read.IsZero() || time.Since(read) > holdersLife {
			gaps, hole := len(r.gaps), r.hole
			now, _, err := r.holders(anew(ctx))
			whole := len(r.gaps) == gaps
			if r.gaps, r.hole = r.gaps[:gaps], hole; err != nil || !whole {
				return false
			}
			ids, read = now, time.Now()
		}
		_, held := slices.BinarySearch(ids, id)
		return !held
	}
}

// holders returns the ids of all users that hold a role, sorted, and the last answer that told of one.
func (r *reading) holders(ctx context.Context) (ids []string, last *answer, err error) {
	seen := map[string]struct{}{}
	add := func(page listPage) error {
		found, err := idsOf(page, nil)
		if err != nil {
			return err
		}
		for _, id := range found {
			seen[id] = struct{}{}
		}
		if len(seen) > maxHolders {
			return fmt.Errorf("%w: there are more than %d", errNoHolders, maxHolders)
		}
		last = page.answer
		return nil
	}
	assignees := newPager(r.client, "value", r.source.listRequest(iamLimit, "iam/assignees/users"), "").shared()
	assignees.filled = true // somebody administers every org
	for assignees.more() {
		page, err := assignees.fetch(ctx)
		r.met(page.answer)
		if refused := asAPIError(err); refused != nil && (refused.Status == http.StatusForbidden || refused.Status == http.StatusNotFound || refused.FeatureAbsent()) {
			return nil, nil, fmt.Errorf("%w: %w", errNoHolders, err)
		}
		if assignees.denies {
			return nil, nil, fmt.Errorf("%w: the list of them is empty", errNoHolders)
		}
		if err == nil && assignees.hollow {
			err = r.emptyHanded(ctx, page.answer)
		}
		if err == nil {
			err = add(page)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("list role holders: %w", err)
		}
	}
	if err := r.groupHolders(ctx, add); err != nil {
		return nil, nil, err
	}
	for id := range seen {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, last, nil
}

// groupHolders adds the members of each group that holds a role. What may not be read is a gap: members whom the
// list of assignees lacks would be missed.
func (r *reading) groupHolders(ctx context.Context, add func(listPage) error) error {
	groups := newPager(r.client, "", r.source.listRequest(listLimit, "groups", "expand=stats"), "").shared()
	groups.filled = true
	for groups.more() {
		page, err := groups.fetch(ctx)
		r.met(page.answer)
		if err == nil && groups.hollow {
			err = r.emptyHanded(ctx, page.answer)
		}
		if refused := asAPIError(err); refused != nil && refused.Status == http.StatusForbidden {
			r.gap("users that hold roles through a group alone may be missing: %s", explained(err))
			return nil
		}
		if err != nil {
			return fmt.Errorf("list groups that hold roles: %w", err)
		}
		for _, group := range page.records {
			ids, err := idsOf(listPage{answer: page.answer, records: [][]byte{group}}, hasMembers)
			if err != nil {
				return err
			}
			held, known := holdsRoles(group)
			for _, id := range ids {
				if err := r.groupMembersOf(ctx, id, held, known, countsMembers(group), add); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// groupMembers adds the members of a group, if it holds a role.
func (r *reading) groupMembers(ctx context.Context, id string, held, known bool, add func(listPage) error) error {
	return r.groupMembersOf(ctx, id, held, known, false, add)
}

// groupMembersOf is groupMembers of a group that may be known to have members (filled).
func (r *reading) groupMembersOf(ctx context.Context, id string, held, known, filled bool, add func(listPage) error) error {
	escaped := url.PathEscape(id)
	if !known {
		page, _, err := r.client.page(ctx, apiPrefix+"groups/"+escaped+"/roles", "")
		r.met(page.answer)
		if err != nil {
			return r.gapOrFail(id, err)
		}
		held = len(page.records) > 0
	}
	if !held {
		return nil
	}
	members := newPager(r.client, "", r.source.listRequest(memberLimit, "groups/"+escaped+"/users"), "").shared()
	members.filled = filled
	for members.more() {
		page, err := members.fetch(ctx)
		r.met(page.answer)
		if err != nil {
			return r.gapOrFail(id, err)
		}
		if members.hollow {
			if err := r.contradicted(ctx, page, members.denies && !hasEmptied(ctx, r, id)); err != nil {
				return err
			}
		}
		if err := add(page); err != nil {
			return err
		}
	}
	return nil
}

// gapOrFail passes over a group that is gone or may not be read.
func (r *reading) gapOrFail(id string, err error) error {
	if refused := asAPIError(err); refused != nil && (refused.Status == http.StatusForbidden || refused.Status == http.StatusNotFound) {
		r.gap("users that hold roles through group %s alone may be missing: %s", id, explained(err))
		return nil
	}
	return fmt.Errorf("list members of groups that hold roles: %w", err)
}
