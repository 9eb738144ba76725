package okta

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"longshore/internal/rawjson"
)

// groups lists the groups with their sizes, when a stream needs that listing anyway, else just the built-in ones.
func (e *estimating) groups(ctx context.Context) error {
	e.everyone = -1
	sharing := e.first("group_members", "user_role_assignments", "group_role_assignments", "role_targets")
	request := e.r.source.groupsWithStats()
	if sharing == "" {
		if !e.fresh("users", "groups", "factors") {
			return nil
		}
		request += "&filter=type+eq+%22BUILT_IN%22"
	}
	var pages int
	var err error
	if e.listed, pages, e.allGroups, err = e.list(ctx, "", request); err != nil {
		return fmt.Errorf("the size of groups: %w", err)
	}
	for _, group := range e.listed {
		if rawjson.GetString(group, "type") == "BUILT_IN" && rawjson.GetString(group, "profile", "name") == "Everyone" {
			if n, ok := usersCount(group); ok {
				e.everyone = n
			}
		}
	}
	count := len(e.listed)
	if sharing == "" || !e.allGroups {
		count = max(count, int(e.plan["groups"].Records))
		e.allGroups = false
		if e.plan["groups"].Records == 0 {
			e.unsure("there are more groups than were counted")
		}
	}
	e.add("groups", bucketGroups, e.pagesFor(count, listLimit))
	e.add(sharing, bucketGroups, max(pages, e.pagesFor(count, listLimit)))
	members, ruling := 0, 0
	for _, group := range e.listed {
		if n, ok := usersCount(group); hasMembers(group) {
			members += e.pagesFor(n, memberLimit)
			if !ok {
				members = max(members, 1)
			}
		}
		if mayHoldRoles(group) {
			ruling++
		}
	}
	if !e.allGroups && len(e.listed) > 0 {
		members, ruling = members*count/len(e.listed), ruling*count/len(e.listed)
	}
	e.wide["group_members"], e.wide["group_role_assignments"] = true, true
	e.add("group_members", bucketGroups, members)
	e.add(e.first("group_role_assignments", "role_targets"), bucketGroups, ruling)
	return nil
}

func usersCount(group []byte) (int, bool) {
	text, ok := rawjson.Get(group, "_embedded", "stats", "usersCount")
	n, err := strconv.Atoi(string(text))
	return n, ok && err == nil
}

// users counts the users: Everyone has those that are not deactivated.
func (e *estimating) users(ctx context.Context) error {
	records := int(e.plan["users"].Records)
	e.wide["factors"] = true
	switch {
	case e.everyone < 0 && records == 0:
		e.unsure("how many users there are is not told")
		e.everyone = 0
		e.add("users", bucketUsers, 2)
		return nil
	case e.everyone < 0:
		e.everyone = records
	}
	e.add("factors", bucketUsers, e.pagesFor(e.everyone, listLimit)+e.everyone)
	if !e.fresh("users") {
		return nil
	}
	gone := max(0, records-e.everyone)
	if records == 0 {
		var err error
		if gone, err = e.deactivated(ctx); err != nil {
			return fmt.Errorf("the number of deactivated users: %w", err)
		}
	}
	e.add("users", bucketUsers, e.pagesFor(e.everyone, listLimit)+e.pagesFor(gone, listLimit))
	return nil
}

// deactivated finds out how many users are deactivated: few are counted, of many the part is measured in pages of
// users that joined at different times.
func (e *estimating) deactivated(ctx context.Context) (int, error) {
	// The read asks for this page again: who is deactivated until then must be in it, because the listing that it reads
	// first does not have them any more.
	page, next, err := e.r.client.page(ctx, e.r.source.deactivatedUsers(), "")
	e.r.met(page.answer)
	e.extra("users", bucketUsers)
	if err != nil {
		return 0, err
	}
	if next == "" {
		return len(page.records), nil
	}
	began, ended := createdOf(page.records), e.r.client.serverTime(ctx)
	if began.IsZero() {
		return len(page.records), nil
	}
	gone, all := 0, 0
	for i := range maxUserSamples {
		from := began.Add(ended.Sub(began) * time.Duration(2*i+1) / (2*maxUserSamples + 1))
		page, _, err := e.r.client.page(ctx, e.r.source.listRequest(listLimit, "users", "search="+created(from)), "")
		e.r.met(page.answer)
		e.extra("users", bucketUsers)
		if err != nil {
			return 0, err
		}
		for _, user := range page.records {
			all++
			if rawjson.GetString(user, "status") == "DEPROVISIONED" {
				gone++
			}
		}
	}
	if all == gone {
		return e.everyone, nil
	}
	return e.everyone * gone / (all - gone), nil
}

// extra counts a call that only the estimate needed.
func (e *estimating) extra(stream, bucket string) { e.add(stream, bucket, 1) }

func created(from time.Time) string {
	return "created+ge+%22" + from.UTC().Format("2006-01-02T15:04:05.000Z") + "%22"
}

// createdOf is when the first of some objects was created.
func createdOf(records [][]byte) (first time.Time) {
	for _, record := range records {
		if t, err := time.Parse(time.RFC3339, rawjson.GetString(record, "created")); err == nil && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// roles counts the users that hold a role, and for what takes targets asks some of them.
func (e *estimating) roles(ctx context.Context) error {
	sharing := e.first("user_role_assignments", "role_targets")
	if sharing == "" {
		return nil
	}
	e.wide["user_role_assignments"] = true
	before := e.r.source.Usage()
	ids, _, err := e.r.holders(ctx)
	if errors.Is(err, errNoHolders) {
		e.unsure("role holders cannot be listed, so every user is asked")
		e.add(sharing, bucketUsers, e.everyone+e.pagesFor(e.everyone, listLimit))
		return nil
	}
	if err != nil {
		return err
	}
	used := e.r.source.Usage()
	used.subtract(before)
	for _, use := range used.Uses {
		calls := int(use.Calls)
		if use.Bucket == bucketGroups && e.fresh("group_members") {
			continue // members of groups, which that stream takes over
		}
		e.add(sharing, use.Bucket, calls)
	}
	e.holders = len(ids)
	e.add(sharing, bucketUsers, len(ids)+min(maxSample, 1+int(float64(len(ids))*sampleShare)))
	return e.targets(ctx, ids)
}

// targets foresees the calls for the targets of roles, one for each role that takes some.
func (e *estimating) targets(ctx context.Context, ids []string) error {
	if !e.fresh("role_targets") {
		return nil
	}
	scoped, asked := 0, 0
	step := max(1, len(ids)/maxRoleSamples)
	for i := step / 2; i < len(ids); i += step {
		page, _, err := e.r.client.page(ctx, principalPath(principalUser, ids[i])+"/roles", "")
		e.r.met(page.answer)
		if err != nil {
			return fmt.Errorf("the number of roles with targets: %w", err)
		}
		asked++
		scoped += len(e.r.scopedRoles(page.records, principalUser, ids[i]))
	}
	if asked > 0 {
		e.add("role_targets", bucketUsers, (scoped*len(ids)+asked/2)/asked)
	}
	scoped = 0
	for _, group := range e.listed {
		if held, known := holdsRoles(group); !held || !known {
			continue
		}
		id := rawjson.GetString(group, "id")
		page, _, err := e.r.client.page(ctx, principalPath(principalGroup, id)+"/roles", "")
		e.r.met(page.answer)
		if err != nil {
			return fmt.Errorf("the number of groups' roles with targets: %w", err)
		}
		scoped += len(e.r.scopedRoles(page.records, principalGroup, id))
	}
	e.add("role_targets", bucketGroups, scoped)
	return nil
}

// iam counts custom roles, resource sets and what is bound to them.
func (e *estimating) iam(ctx context.Context) error {
	if sharing := e.first("custom_roles", "permissions"); sharing != "" {
		roles, pages, _, err := e.list(ctx, "roles", e.r.source.customRolesRequest())
		if err != nil {
			return fmt.Errorf("the number of custom roles: %w", err)
		}
		e.add(sharing, bucketIAM, pages)
		e.wide["permissions"] = true
		e.add("permissions", bucketIAM, len(roles))
	}
	sharing := e.first("resource_sets", "resource_set_resources", "resource_set_bindings")
	if sharing == "" {
		return nil
	}
	sets, pages, _, err := e.list(ctx, "resource-sets", e.r.source.resourceSetsRequest())
	if err != nil {
		return fmt.Errorf("the number of resource sets: %w", err)
	}
	e.add(sharing, bucketIAM, pages)
	e.wide["resource_set_resources"] = true
	e.add("resource_set_resources", bucketIAM, len(sets))
	if !e.fresh("resource_set_bindings") {
		return nil
	}
	for i, set := range sets {
		if i == maxEstimatePages {
			e.add("resource_set_bindings", bucketIAM, 2*(len(sets)-i))
			break
		}
		roles, pages, _, err := e.list(ctx, "roles", e.r.source.resourceSetRequest(rawjson.GetString(set, "id"), "/bindings"))
		if err != nil {
			return fmt.Errorf("the number of bindings: %w", err)
		}
		e.add("resource_set_bindings", bucketIAM, pages+len(roles))
	}
	return nil
}

// apps counts applications.
func (e *estimating) apps(ctx context.Context) error {
	sharing := e.first("client_role_assignments", "apps", "app_users", "app_groups")
	if sharing == "" {
		return nil
	}
	apps, pages, whole, err := e.list(ctx, "", e.r.source.appsRequest())
	if err != nil {
		return fmt.Errorf("the number of applications: %w", err)
	}
	count := len(apps)
	if !whole {
		count = max(count, int(e.plan["apps"].Records))
	}
	e.add(sharing, "apps", max(pages, e.pagesFor(count, listLimit)))
	services := 0
	for _, app := range apps {
		if isServiceApp(app) {
			services++
		}
	}
	e.wide["client_role_assignments"], e.wide["app_users"], e.wide["app_groups"] = true, true, true
	e.add("client_role_assignments", bucketClients, services)
	for stream, limit := range map[string]int{"app_users": appUserLimit, "app_groups": listLimit} {
		e.add(stream, "apps", count+int(e.plan[stream].Records)/limit)
		if e.fresh(stream) && e.plan[stream].Records == 0 {
			e.unsure("how many assignments applications have is not known")
		}
	}
	return nil
}

// rest counts what is listed without anything to foresee it by but the run before.
func (e *estimating) rest(context.Context) error {
	for stream, bucket := range map[string]string{"group_rules": bucketGroups, "devices": "devices", "user_types": bucketRest, "api_tokens": bucketRest} {
		e.add(stream, bucket, e.pagesFor(int(e.plan[stream].Records), listLimit))
	}
	for name, p := range e.plan {
		if st, err := parseState(p.State); e.fresh(name) || err == nil && st.Done && name != "users" && name != "groups" {
			continue
		}
		limit := map[string]int{"logs": logLimit}[name]
		if e.calls[name] == nil {
			e.calls[name] = map[string]int{}
		}
		e.calls[name][bucketOf(apiPrefix+bucketOfStream(name))] += e.pagesFor(int(p.Records), cmp.Or(limit, listLimit)) + 1
	}
	return nil
}

// bucketOfStream is the path whose bucket an incremental read of a stream spends.
func bucketOfStream(name string) string {
	switch name {
	case "users", "user_role_assignments", "factors":
		return "users"
	case "logs":
		return "logs"
	}
	return "groups"
}

// logs counts events in some stretches of the log's history.
func (e *estimating) logs(ctx context.Context) error {
	if !e.fresh("logs") {
		return nil
	}
	log := &logReading{reading: e.r}
	now := e.r.client.serverTime(ctx)
	events, err := e.events(ctx, log.since(now.Add(-e.r.source.logHistory)))
	if err != nil {
		return err
	}
	size := logLimit / e.pagesFor(logLimit, logLimit)
	if len(events) < size {
		e.add("logs", bucketLogs, 2) // the page, and the empty one behind it
		return nil
	}
	first, last := publishedAt(events[0]), publishedAt(events[len(events)-1])
	span := now.Sub(first)
	density := float64(len(events)) / max(1, last.Sub(first).Seconds())
	if pages := int(density*span.Seconds()) / size; pages > minLogPages {
		stretch := min(time.Duration(float64(size)/density/3*float64(time.Second)), span/16)
		n := min(max(minLogSamples, pages/8), maxLogSamples) | 1
		if n%7 == 0 {
			n += 2 // else all are at the same hour of the day
		}
		count, seconds := 0, 0.0
		for i := range n {
			from := first.Add(spreadOver(span-stretch, i, n))
			events, err := e.events(ctx, log.since(from)+"&until="+from.Add(stretch).UTC().Format(logTime))
			if err != nil {
				return err
			}
			passed := stretch
			if len(events) >= size { // it is denser here than could be known
				passed = publishedAt(events[len(events)-1]).Sub(from)
			}
			count, seconds = count+len(events), seconds+passed.Seconds()
		}
		density = float64(count) / max(1, seconds)
	}
	e.add("logs", bucketLogs, e.pagesFor(int(density*span.Seconds()), logLimit)+1)
	return nil
}

// logTime is how the log's since and until are written.
const logTime = "2006-01-02T15:04:05.000Z"

// spreadOver places the i-th of n stretches in a span so that they meet all times of the week evenly: what people do
// depends on the hour and the day.
func spreadOver(span time.Duration, i, n int) time.Duration {
	const week = 7 * 24 * time.Hour
	weeks := int(span / week)
	if weeks == 0 {
		return span * time.Duration(2*i+1) / time.Duration(2*n)
	}
	inWeek := week * time.Duration(2*i+1) / time.Duration(2*n)
	return time.Duration(i*weeks/n*3%weeks)*week + inWeek
}

// events asks for a page of the log that only the estimate needs.
func (e *estimating) events(ctx context.Context, request string) ([][]byte, error) {
	e.extra("logs", bucketLogs)
	page, _, err := e.r.client.page(ctx, request, "")
	e.r.met(page.answer)
	if err != nil {
		return nil, fmt.Errorf("the size of the log: %w", err)
	}
	return page.records, nil
}

func publishedAt(event []byte) time.Time {
	t, _ := time.Parse(time.RFC3339, rawjson.GetString(event, "published"))
	return t
}
