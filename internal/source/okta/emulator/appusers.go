package emulator

import (
	"slices"
	"strings"
)

// appHolder is a person with an application: given to her alone, or through a group.
type appHolder struct {
	user, group int // group -1: directly
}

// appsOf returns the applications that a group is assigned to: as many as its appsCount says.
func (o *Org) appsOf(g int) (apps []int) {
	if g == administrators {
		return []int{appAdminConsole}
	}
	d := newDraw(o.seed, saltAppGroup, g)
	const first, named = appServiceNow, appAdminConsole - appServiceNow
	for range 64 {
		if len(apps) == g%4 {
			break
		}
		i := first + d.below(named)
		if rest := o.appCount() - (appTelemetry + 1); d.chance(500) {
			i = appTelemetry + 1 + d.below(rest)
		}
		if !slices.Contains(apps, i) {
			apps = append(apps, i)
		}
	}
	return apps
}

// assignedGroups returns the groups that an application is assigned to.
func (o *Org) assignedGroups(a app) (groups []int) {
	for g := range o.groups {
		if !o.groups[g].gone && slices.Contains(o.appsOf(g), a.index) {
			groups = append(groups, g)
		}
	}
	return groups
}

// nextDirect is the next person, from a place on, who was given the application herself; the org's count when there is
// none. Of each stretch of people one has it, shorter ones for the first applications: that needs no table.
func (o *Org) nextDirect(a app, from int) int {
	first := o.options.Users // those who came later were given nothing
	step := max(1, first/max(2, first*2/5/(a.index+1)))
	for j := from / step; j*step < first; j++ {
		d := newDraw(o.seed^mix(uint64(a.index)+1), saltAppUser, j)
		if i := j*step + d.below(step); i >= from && i < first {
			return i
		}
	}
	return o.people()
}

// nextMember is the next member of a group, from a place on; the org's count when there is none.
func (o *Org) nextMember(g, from int) int {
	members := o.groups[g].members
	if at, _ := slices.BinarySearch(members, int32(from)); at < len(members) {
		return int(members[at])
	}
	return o.people()
}

// appHolders returns the next people with an application, at most n of them, in the order of their ids.
func (o *Org) appHolders(a app, from, n int) (found []appHolder) {
	if a.unlisted {
		return nil
	}
	if a.directory || a.console {
		for i := from; i < o.people() && len(found) < n; i++ {
			switch {
			case o.gone(i):
			case a.console && o.holdsAny(i):
				found = append(found, appHolder{i, administrators})
			case a.directory && o.imported(i):
				found = append(found, appHolder{i, -1})
			}
		}
		return found
	}
	groups := o.assignedGroups(a)
	for from < o.people() && len(found) < n {
		h := appHolder{o.nextDirect(a, from), -1}
		for _, g := range groups {
			if i := o.nextMember(g, from); i < h.user {
				h = appHolder{i, g}
			}
		}
		if h.user >= o.people() {
			break
		}
		if !o.gone(h.user) {
			found = append(found, h)
		}
		from = h.user + 1
	}
	return found
}

// imported says whether a person's account comes from the directory.
func (o *Org) imported(i int) bool {
	u := o.user(i)
	return u.provider == "ACTIVE_DIRECTORY"
}

// listAppUsers reads limit, after, q and expand=user.
func (o *Org) listAppUsers(c *call) answer {
	a, ok := o.findApp(c)
	if !ok {
		return o.notFound(c, c.value("app"), "AppInstance")
	}
	limit, ok := c.limit(appUsersUsual, appUsersPage)
	if !ok {
		return o.badLimit(c)
	}
	from, ok := o.after(c, kindUser, o.people())
	if !ok {
		return o.badCursor(c)
	}
	q, expand := c.query.Get("q"), c.query.Get("expand")
	path, params := "/api/v1/apps/"+a.id+"/users", []string{"limit", itoa(limit), "q", q, "expand", expand}
	t, n, last, next := text{}, 0, "", ""
	for n <= limit && next == "" {
		batch := o.appHolders(a, from, limit+1)
		for _, h := range batch {
			u := o.user(h.user)
			if q != "" && !startsWith(q, u.given, u.family, u.email, u.login) {
				continue
			}
			if n == limit {
				next = c.link(path, append([]string{"after", last}, params...)...)
				break
			}
			o.writeAppUser(&t, a, h, &u, c.base, expand == "user")
			t.end()
			n, last = n+1, u.id
		}
		if len(batch) <= limit {
			break
		}
		from = batch[limit].user + 1
	}
	return paged(t.b, c.link(path, append([]string{"after", c.query.Get("after")}, params...)...), next)
}

func startsWith(prefix string, names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(strings.ToLower(n), strings.ToLower(prefix)) })
}

func (o *Org) getAppUser(c *call) answer {
	a, ok := o.findApp(c)
	if !ok {
		return o.notFound(c, c.value("app"), "AppInstance")
	}
	i, ok := o.findUser(c.value("user"))
	if ok {
		if found := o.appHolders(a, i, 1); len(found) == 1 && found[0].user == i {
			t, u := text{}, o.user(i)
			o.writeAppUser(&t, a, found[0], &u, c.base, c.query.Get("expand") == "user")
			t.end()
			return object(t.b)
		}
	}
	return o.notFound(c, c.value("user"), "AppUser")
}

// writeAppUser leaves the object open, so that the ledger can add the application. Its id is the user's.
func (o *Org) writeAppUser(t *text, a app, h appHolder, u *user, base string, embed bool) {
	d := newDraw(o.seed^mix(uint64(a.index)+1), saltAppUser, -1-u.index)
	assigned := max(u.created, a.created)
	if assigned < o.now {
		assigned = d.between(assigned, min(o.now-60, assigned+30*day))
	}
	t.object("")
	t.strs("id", u.id)
	if a.provisioned {
		t.strs("externalId", "ext", letters(&d, 15))
	} else {
		t.nulls("externalId")
	}
	t.at("created", assigned)
	t.at("lastUpdated", assigned)
	if h.group >= 0 {
		t.raw("scope", `"GROUP"`)
	} else {
		t.raw("scope", `"USER"`)
	}
	switch {
	case u.status == suspended:
		t.raw("status", `"SUSPENDED"`)
	case u.status == staged || u.status == provisioned:
		t.raw("status", `"STAGED"`)
	case a.provisioned:
		t.raw("status", `"PROVISIONED"`)
	default:
		t.raw("status", `"ACTIVE"`)
	}
	t.at("statusChanged", assigned)
	t.nulls("passwordChanged")
	if a.provisioned {
		t.raw("syncState", `"SYNCHRONIZED"`)
	} else {
		t.raw("syncState", `"DISABLED"`)
	}
	t.object("credentials")
	t.str("userName", u.login)
	t.end()
	o.writeAppProfile(t, a, u)
	if embed {
		t.object("_embedded")
		t.key("user")
		o.writeUser(t, u, userView{base: base})
		t.end()
	}
	t.object("_links")
	t.href("app", base, "/api/v1/apps/", a.id)
	if h.group >= 0 {
		t.href("group", base, "/api/v1/groups/", o.groups[h.group].id)
	}
	t.href("user", base, "/api/v1/users/", u.id)
	t.end()
}

func (o *Org) writeAppProfile(t *text, a app, u *user) {
	t.object("profile")
	defer t.end()
	if a.mode != modeOIDC {
		t.str("firstName", u.given)
		t.str("lastName", u.family)
		t.str("email", u.email)
		t.strOrNull("mobilePhone", u.mobile)
		t.strOrNull("title", u.title)
		return
	}
	t.nulls("street_address", "country", "website")
	t.str("zoneinfo", u.office.timezone)
	t.nulls("birthdate", "gender", "formatted", "profile", "locality")
	t.str("given_name", u.given)
	t.nulls("middle_name")
	t.raw("locale", `"en_US"`)
	t.nulls("picture")
	t.str("name", u.given+" "+u.family)
	t.nulls("nickname", "phone_number", "region", "postal_code")
	t.str("family_name", u.family)
	t.str("email", u.email)
}

// listAppGroups gives at least 20 a page, whatever the limit.
func (o *Org) listAppGroups(c *call) answer {
	a, ok := o.findApp(c)
	if !ok {
		return o.notFound(c, c.value("app"), "AppInstance")
	}
	limit, ok := c.limit(appGroupsUsual, appGroupsPage)
	if !ok {
		return o.badLimit(c)
	}
	limit = max(limit, appGroupsUsual)
	from, ok := o.after(c, kindGroup, len(o.groups))
	if !ok {
		return o.badCursor(c)
	}
	path, params := "/api/v1/apps/"+a.id+"/groups", []string{"limit", itoa(limit)}
	t, n, last, next := text{}, 0, "", ""
	for priority, g := range o.assignedGroups(a) {
		if g < from {
			continue
		}
		if n == limit {
			next = c.link(path, append([]string{"after", last}, params...)...)
			break
		}
		o.writeAppGroup(&t, a, g, priority, c.base)
		t.end()
		n, last = n+1, o.groups[g].id
	}
	return paged(t.b, c.link(path, append([]string{"after", c.query.Get("after")}, params...)...), next)
}

func (o *Org) getAppGroup(c *call) answer {
	a, ok := o.findApp(c)
	if !ok {
		return o.notFound(c, c.value("app"), "AppInstance")
	}
	if g, ok := o.findGroup(c); ok {
		if priority := slices.Index(o.assignedGroups(a), g); priority >= 0 {
			t := text{}
			o.writeAppGroup(&t, a, g, priority, c.base)
			t.end()
			return object(t.b)
		}
	}
	return o.notFound(c, c.value("group"), "ApplicationGroupAssignment")
}

// writeAppGroup leaves the object open, so that the ledger can add the application. Its id is the group's.
func (o *Org) writeAppGroup(t *text, a app, g, priority int, base string) {
	d := newDraw(o.seed^mix(uint64(a.index)+1), saltAppGroup, -1-g)
	from := max(a.created, o.groups[g].created)
	t.object("")
	t.strs("id", o.groups[g].id)
	t.at("lastUpdated", d.between(from, max(from, o.now-day)))
	t.raw("priority", itoa(priority))
	t.raw("profile", "{}")
	t.object("_links")
	t.href("app", base, "/api/v1/apps/", a.id)
	t.href("self", base, "/api/v1/apps/", a.id, "/groups/", o.groups[g].id)
	t.href("group", base, "/api/v1/groups/", o.groups[g].id)
	t.end()
}
