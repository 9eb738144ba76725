package okta

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"longshore/internal/rawjson"
)

// maxTargets bounds the targets of one assignment, which are one record. Okta's own console gives up long before.
const maxTargets = 10_000

// targetsOf says below which path Okta lists the targets of an assignment, by the type of its role. Roles of other
// types take none.
var targetsOf = map[string]string{ // read only
	"APP_ADMIN":              "catalog/apps",
	"USER_ADMIN":             "groups",
	"HELP_DESK_ADMIN":        "groups",
	"GROUP_MEMBERSHIP_ADMIN": "groups",
}

// The phases of role_targets.
const (
	phaseTargetsOfHolders = iota
	phaseTargetsOfEveryUser
	phaseTargetsOfGroups
	phaseTargetsOfClients
)

// roleTargets has one record for every assignment of a standard role that takes targets: the assignment, whose it is,
// and its targets in one list. That way an assignment that reaches everything (no targets, unrestricted true) is a
// record as well, and cannot be taken for one that was not read, which is none and a gap. A role that reaches a user
// through a group is told under the group, where Okta keeps its targets.
func (s *Source) roleTargets() streamSpec {
	return streamSpec{
		Stream: stream("role_targets", "What each scoped standard role of a user, group or service app is limited to: the assignment with principalType, principalId and targets; unrestricted is true where it has none.",
			"principalType", "principalId", "id"),
		read: readRoleTargets,
	}
}

func readRoleTargets(ctx context.Context, r *reading, from state) error {
	if from.Phase > phaseTargetsOfClients || from.Phase < 0 {
		return foreignState()
	}
	users := childSpec{
		parents: r.source.listRequest(listLimit, "users"), next: phaseTargetsOfGroups, below: readTargets(principalUser),
		path: func(id string) string { return principalPath(principalUser, id) + "/roles" },
	}
	if from.Phase == phaseTargetsOfHolders {
		next := state{Phase: phaseTargetsOfGroups}
		err := r.visitHolders(ctx, users, from, next)
		if errors.Is(err, errNoHolders) {
			next, err = state{Phase: phaseTargetsOfEveryUser}, nil
		}
		if err != nil {
			return err
		}
		from = next
	}
	if from.Phase == phaseTargetsOfEveryUser {
		if err := r.children(ctx, users, from); err != nil {
			return err
		}
		from = state{Phase: phaseTargetsOfGroups}
	}
	if from.Phase == phaseTargetsOfGroups {
		groups := childSpec{
			parents: r.source.groupsWithStats(), wanted: mayHoldRoles, filled: surelyHoldsRoles, next: phaseTargetsOfClients, below: readTargets(principalGroup),
			path: func(id string) string { return principalPath(principalGroup, id) + "/roles" },
		}
		if err := r.children(ctx, groups, from); err != nil {
			return err
		}
		from = state{Phase: phaseTargetsOfClients}
	}
	return r.children(ctx, childSpec{
		parents: r.source.appsRequest(), wanted: isServiceApp, below: readTargets(principalClient),
		path: func(id string) string { return principalPath(principalClient, id) + "/roles" },
	}, from)
}

// scopedRole is an assignment that takes targets.
type scopedRole struct {
	record  []byte
	id      string
	request string // for its targets
}

// readTargets reads the targets of each of a principal's assignments that takes some.
func readTargets(kind string) func(context.Context, *reading, string, *pager, state, state) error {
	return func(ctx context.Context, r *reading, id string, pages *pager, at, done state) error {
		var roles []scopedRole
		var last *answer
		for pages.more() {
			page, passed, err := r.fetchChild(ctx, pages)
			if err != nil {
				return err
			}
			if last = page.answer; passed {
				return r.page(last, nil, done)
			}
			roles = append(roles, r.scopedRoles(page.records, kind, id)...)
		}
		slices.SortFunc(roles, func(a, b scopedRole) int { return strings.Compare(a.id, b.id) })
		begin := 0
		if at.Child != "" { // if that assignment is gone, the principal's are read again
			begin = max(0, slices.IndexFunc(roles, func(a scopedRole) bool { return (state{Link: at.Child}).belongsTo(a.request) }))
		}
		if begin >= len(roles) {
			return r.page(last, nil, done)
		}
		for i := begin; i < len(roles); i++ {
			next := done
			if i+1 < len(roles) {
				next = at
				next.Child = roles[i+1].request
			}
			if err := r.targets(ctx, roles[i], kind, id, next); err != nil {
				return err
			}
		}
		return nil
	}
}

// scopedRoles picks the assignments that take targets of their own.
func (r *reading) scopedRoles(records [][]byte, kind, principal string) (roles []scopedRole) {
	for _, record := range records {
		below, scoped := targetsOf[rawjson.GetString(record, "type")]
		if given := rawjson.GetString(record, "assignmentType"); !scoped || given != "" && given != kind {
			continue
		}
		id := rawjson.GetString(record, "id")
		roles = append(roles, scopedRole{
			record: record, id: id,
			request: r.source.listURL(listLimit, principalPath(kind, principal)+"/roles/"+url.PathEscape(id)+"/targets/"+below),
		})
	}
	return roles
}

// targets reads one assignment's targets and yields it with them.
func (r *reading) targets(ctx context.Context, role scopedRole, kind, principal string, next state) error {
	list, count := []byte{'['}, 0
	var last *answer
	for pages := newPager(r.client, "", role.request, ""); pages.more(); {
		page, passed, err := r.fetchChild(ctx, pages)
		if err != nil {
			return err
		}
		if last = page.answer; passed {
			return r.page(last, nil, next)
		}
		for _, target := range page.records {
			if count++; count > maxTargets {
				continue
			}
			if count > 1 {
				list = append(list, ',')
			}
			list = append(list, rawjson.OneLine(target)...)
		}
	}
	if count > maxTargets {
		r.gap("GET %s: only the first %d of %d targets are kept", shown(role.request), maxTargets, count)
	}
	unrestricted := "false"
	if count == 0 {
		unrestricted = "true"
	}
	record := rawjson.AppendMember(make([]byte, 0, len(role.record)+len(list)+200), role.record, "principalType", rawjson.AppendString(nil, kind))
	record = rawjson.AppendMember(nil, record, "principalId", rawjson.AppendString(nil, principal))
	record = rawjson.AppendMember(nil, record, "unrestricted", []byte(unrestricted))
	record = rawjson.AppendMember(nil, record, "targets", append(list, ']'))
	return r.page(last, [][]byte{record}, next)
}
