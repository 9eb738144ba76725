package okta

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"longshore/internal/rawjson"
)

// The events of the log after which assignments of roles may differ from what was read.
const (
	userPrivilege   = "user.account.privilege."
	groupPrivilege  = "group.privilege."
	bindingsChanged = "iam.resourceset.bindings."
	groupMembership = "group.user_membership."
)

// visitMargin is how long after an event a visit must have been for it to have seen the event's effect.
const visitMargin = time.Minute

// errUntold means that the log does not say whose roles changed, so that all must be read.
var errUntold = errors.New("the log does not tell whose roles changed")

// changedUserRoles reads the roles of the users that the log says may hold others than when the stream was read last:
// who was given a role or lost one, the members of such groups, and who joined or left a group that holds a role. The
// roles of each are read as a whole; a role taken away is absent then, which only a full read proves.
func changedUserRoles(ctx context.Context, r *reading, from state) error {
	spec := childSpec{member: "userId", path: userRolesPath}
	f := &privileges{reading: r, spec: spec, full: readUserRoles, kinds: []string{userPrivilege, groupPrivilege, bindingsChanged, groupMembership}}
	f.touched = f.touchedUsers
	return f.read(ctx, from)
}

// changedGroupRoles is the same for the groups that roles were given to.
func changedGroupRoles(ctx context.Context, r *reading, from state) error {
	spec := childSpec{member: "groupId", path: groupRolesPath}
	f := &privileges{reading: r, spec: spec, full: children(r.source.groupRoleSpec()), kinds: []string{groupPrivilege, bindingsChanged}}
	f.touched = f.touchedGroups
	return f.read(ctx, from)
}

// privileges follows the log's events about roles.
type privileges struct {
	*reading
	spec  childSpec
	full  func(ctx context.Context, r *reading, from state) error
	kinds []string // begin the types of the events that matter
	// touched calls add with the id of each object whose roles an event may have changed.
	touched func(ctx context.Context, event []byte, add func(id string) error) error

	started time.Time
	bears   map[string]bool      // groups that were asked whether they hold roles
	visited map[string]time.Time // when an object's roles were read, by the org's clock
}

// read follows the log page by page, and visits what each page touched. A state names the page, and the object visited
// last: the order of a page's objects is that of its events, which stays. At the end it holds the request to poll for
// what comes later, so that an event that Okta stores late is not missed.
func (f *privileges) read(ctx context.Context, from state) error {
	f.started = f.client.serverTime(ctx)
	f.bears, f.visited = map[string]bool{}, map[string]time.Time{}
	err := f.follow(ctx, from)
	var why error
	switch refused := asAPIError(err); {
	case errors.Is(err, errUntold), errors.Is(err, errNoHolders):
		why = err
	case refused != nil && strings.HasPrefix(refused.Path, logsPath) && (refused.Status == http.StatusForbidden || refused.FeatureAbsent()):
		why = err
	default:
		return err
	}
	f.client.log.Warn("okta roles are read in full, because the log does not tell which changed", "stream", f.reading.spec.Name, "error", explained(why))
	f.bound = ""
	return f.full(ctx, f.reading, state{})
}

func (f *privileges) follow(ctx context.Context, from state) error {
	oldest := f.started.Add(-logRetention)
	if f.from().Before(oldest) {
		return fmt.Errorf("%w: it goes back to %s, the last read was before", errUntold, oldest.Format(time.RFC3339))
	}
	next, stored := f.begin(from)
	if from.Link != "" && !from.belongsTo(logsPath) {
		return foreignState()
	}
	p := &poller{client: f.client, started: f.started, next: next, resumed: stored, restart: f.restart}
	for {
		page, next, ended, err := p.fetch(ctx)
		f.met(page.answer)
		if err != nil {
			return err
		}
		last := state{Phase: phaseChanged, Link: next}
		if ended {
			last = state{Done: true, Follow: next}
		}
		if err := f.page(ctx, page, from, last); err != nil || ended {
			return err
		}
		from = state{}
	}
}

// begin is the request to begin with, and whether it is a stored one.
func (f *privileges) begin(from state) (request string, stored bool) {
	switch {
	case from.Link != "":
		return from.Link, true
	case from.Follow != "":
		return from.Follow, true
	}
	return f.restart(), false
}

// restart polls from the bound on: everything before is known.
func (f *privileges) restart() string {
	filter := make([]string, len(f.kinds))
	for i, kind := range f.kinds {
		filter[i] = `eventType sw "` + kind + `"`
	}
	bound := f.from().Add(f.source.overlap - logOverlap)
	return f.source.logRequest(laterOf(bound, f.started.Add(-logRetention)), "filter="+url.QueryEscape(strings.Join(filter, " or ")))
}

// page visits the objects that the events of a page touched, from the state on.
func (f *privileges) page(ctx context.Context, page listPage, from, last state) error {
	ids, err := f.objects(ctx, page)
	if err != nil {
		return err
	}
	begin, child := resumeAt(ids, from)
	if begin >= len(ids) {
		if last.Done {
			if err := f.lookBack(ctx); err != nil {
				return err
			}
		}
		return f.reading.page(page.answer, nil, last)
	}
	now := time.Now().Add(time.Duration(f.client.skew.Load()))
	for _, id := range ids {
		if len(f.visited) >= maxSeen {
			clear(f.visited)
		}
		f.visited[id] = now
	}
	return f.visit(ctx, f.spec, ids[begin:], child, state{Phase: phaseChanged, Link: page.answer.path}, last)
}

// objects are the ids that a page's events touched, in the order of the events, each once.
func (f *privileges) objects(ctx context.Context, page listPage) ([]string, error) {
	var ids []string
	listed := map[string]bool{}
	for _, event := range page.records {
		kind := rawjson.GetString(event, "eventType")
		if !slices.ContainsFunc(f.kinds, func(begin string) bool { return strings.HasPrefix(kind, begin) }) {
			continue
		}
		published, err := time.Parse(time.RFC3339, rawjson.GetString(event, "published"))
		known := err == nil
		err = f.touched(ctx, event, func(id string) error {
			seen, visited := f.visited[id]
			if listed[id] || visited && known && seen.After(published.Add(visitMargin)) {
				return nil
			}
			listed[id] = true
			if ids = append(ids, id); len(ids) > maxHolders {
				return fmt.Errorf("%w: there are more than %d", errNoHolders, maxHolders)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return ids, nil
}

func (f *privileges) touchedUsers(ctx context.Context, event []byte, add func(string) error) error {
	users, groups, err := targets(event)
	if err != nil {
		return err
	}
	kind := rawjson.GetString(event, "eventType")
	member := strings.HasPrefix(kind, groupMembership)
	if member && len(users) > 0 {
		if held, err := f.anyBears(ctx, groups); err != nil || !held {
			return err
		}
		groups = nil
	}
	for _, id := range users {
		if err := add(id); err != nil {
			return err
		}
	}
	for _, id := range groups {
		members := func(page listPage) error {
			ids, err := idsOf(page, nil)
			for i := 0; err == nil && i < len(ids); i++ {
				err = add(ids[i])
			}
			return err
		}
		if err := f.groupMembers(ctx, id, true, true, members); err != nil {
			return err
		}
	}
	if len(users) == 0 && len(groups) == 0 {
		return fmt.Errorf("%w: an event %s names neither user nor group", errUntold, kind)
	}
	return nil
}

// anyBears reports whether one of the groups holds a role. A group that is gone, or may not be asked, is taken for one
// that does: then its members are asked themselves.
func (f *privileges) anyBears(ctx context.Context, groups []string) (bool, error) {
	for _, id := range groups {
		held, known := f.bears[id]
		if !known {
			page, _, err := f.client.page(ctx, groupRolesPath(id), "")
			f.met(page.answer)
			if refused := asAPIError(err); err != nil && (refused == nil || refused.Status != http.StatusForbidden && refused.Status != http.StatusNotFound) {
				return false, fmt.Errorf("ask a group for its roles: %w", err)
			}
			held = err != nil || len(page.records) > 0
			if len(f.bears) >= maxSeen {
				clear(f.bears)
			}
			f.bears[id] = held
		}
		if held {
			return true, nil
		}
	}
	return false, nil
}

func (f *privileges) touchedGroups(_ context.Context, event []byte, add func(string) error) error {
	users, groups, err := targets(event)
	if err != nil {
		return err
	}
	for _, id := range groups {
		if err := add(id); err != nil {
			return err
		}
	}
	if kind := rawjson.GetString(event, "eventType"); len(groups) == 0 && (len(users) == 0 || strings.HasPrefix(kind, groupPrivilege)) {
		return fmt.Errorf("%w: an event %s names no group", errUntold, kind)
	}
	return nil
}

// targets are the ids of the users and groups that an event is about, by their type, never by position.
func targets(event []byte) (users, groups []string, err error) {
	list, ok := rawjson.Get(event, "target")
	if !ok || rawjson.IsNull(list) {
		return nil, nil, nil
	}
	for target, err := range rawjson.Elements(list) {
		if err != nil {
			return nil, nil, fmt.Errorf("targets of the event %q: %w", rawjson.GetString(event, "uuid"), err)
		}
		id := rawjson.GetString(target, "id")
		if id == "" {
			continue
		}
		switch rawjson.GetString(target, "type") {
		case "User":
			users = append(users, id)
		case "UserGroup":
			groups = append(groups, id)
		}
	}
	return users, groups, nil
}
