package emulator

import (
	"slices"
	"strings"
)

// app is an application. Its id is also its client id, when it is an OAuth client.
type app struct {
	index                           int
	id, name, label                 string
	status, mode, client            string
	created, updated                int64
	kid, secret                     string // secret "" when it authenticates without one
	unlisted                        bool   // assigned to everybody without app users: the dashboard
	directory, console, provisioned bool
}

const (
	appsUsual      = 20
	appsPage       = 200
	appUsersUsual  = 50
	appUsersPage   = 500
	appGroupsUsual = 20 // also the least
	appGroupsPage  = 200
)

func (o *Org) appCount() int { return max(len(appSpecs), o.options.Users/100) }

// appAt derives the i-th application.
func (o *Org) appAt(i int) app {
	d := newDraw(o.seed, saltApp, i)
	a := app{index: i, id: o.id(kindApp, i), status: active}
	if i < len(appSpecs) {
		s := appSpecs[i]
		a.label, a.mode, a.client = s.label, s.mode, s.client
		if s.inactive {
			a.status = "INACTIVE"
		}
	} else {
		a.label, a.mode = projectName(i-len(appSpecs))+" Board", pick(&d, moreModes)
		if a.mode == modeOIDC {
			a.client = clientWeb
		}
	}
	a.name = strings.ToLower(strings.ReplaceAll(a.label, " ", ""))
	switch {
	case a.client == clientService || a.client == clientNative || i >= len(appSpecs) && a.client != "":
		a.name = "oidc_client"
	case a.mode == modeBookmark:
		a.name = "bookmark"
	case a.mode == modeBasic:
		a.name = "template_basic_auth"
	}
	a.created = o.now - orgAge + 30*day + int64(i)*(orgAge-90*day)/int64(o.appCount())
	a.updated = d.between(a.created, o.now-2*day)
	a.kid = letters(&d, 43)
	if a.client == clientWeb && i != appAdminConsole && i != appDashboard || i == appTelemetry {
		a.secret = letters(&d, 64)
	}
	a.directory, a.console, a.unlisted = i == appActiveDirectory, i == appAdminConsole, i == appDashboard || a.client == clientService
	a.provisioned = i == appServiceNow || i == appSalesforce || i == 3 || i == 4
	return a
}

// letters draws n characters of the kind that keys and secrets are made of.
func letters(d *draw, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = base62[d.below(62)]
	}
	return string(b)
}

func (o *Org) findApp(c *call) (app, bool) {
	i, ok := o.indexOf(kindApp, c.value("app"), o.appCount())
	if !ok {
		return app{}, false
	}
	return o.appAt(i), true
}

var appFilterRules = rules{operators: map[string][]string{"id": equal, "status": equal, "name": equal, "user.id": equal, "group.id": equal, "credentials.signing.kid": equal}}

// listApps reads q, filter, useOptimization, limit and after. Unlike users and groups, a search by q has pages.
func (o *Org) listApps(c *call) answer {
	filter, q, optimized := c.query.Get("filter"), c.query.Get("q"), c.query.Get("useOptimization")
	var matches expression
	var err error
	if filter != "" {
		if matches, err = parseExpression(filter, appFilterRules); err != nil {
			return o.failed(c, 400, "E0000031", "Invalid search criteria.", err.Error())
		}
	}
	word := strings.ToLower(q)
	return o.appPage(c, "/api/v1/apps", func(a app) bool {
		if word != "" && !strings.HasPrefix(strings.ToLower(a.label), word) && !strings.HasPrefix(a.name, word) {
			return false
		}
		return matches == nil || matches(func(name string) []string { return o.appAttribute(a, name) })
	}, "q", q, "filter", filter, "useOptimization", optimized)
}

// listGroupApps lists the applications that a group is assigned to.
func (o *Org) listGroupApps(c *call) answer {
	g, ok := o.findGroup(c)
	if !ok {
		return o.notFound(c, c.value("group"), "UserGroup")
	}
	of := o.appsOf(g)
	return o.appPage(c, "/api/v1/groups/"+o.groups[g].id+"/apps", func(a app) bool { return slices.Contains(of, a.index) })
}

// appPage writes a page of the applications that are wanted.
func (o *Org) appPage(c *call, path string, wanted func(app) bool, params ...string) answer {
	limit, ok := c.limit(appsUsual, appsPage)
	if !ok {
		return o.badLimit(c)
	}
	from, ok := o.after(c, kindApp, o.appCount())
	if !ok {
		return o.badCursor(c)
	}
	optimized := c.query.Get("useOptimization") == "true"
	params = append([]string{"limit", itoa(limit)}, params...)
	t, n, last, next := text{}, 0, "", ""
	for i := from; i < o.appCount(); i++ {
		a := o.appAt(i)
		if !wanted(a) {
			continue
		}
		if n == limit {
			next = c.link(path, append([]string{"after", last}, params...)...)
			break
		}
		o.writeApp(&t, a, c.base, optimized)
		n, last = n+1, a.id
	}
	return paged(t.b, c.link(path, append([]string{"after", c.query.Get("after")}, params...)...), next)
}

// appAttribute returns what a filter compares. Of users and groups these are all that are assigned to it.
func (o *Org) appAttribute(a app, name string) []string {
	switch name {
	case "id":
		return []string{a.id}
	case "status":
		return []string{a.status}
	case "name":
		return []string{a.name}
	case "credentials.signing.kid":
		return []string{a.kid}
	case "group.id":
		var ids []string
		for _, g := range o.assignedGroups(a) {
			ids = append(ids, o.groups[g].id)
		}
		return ids
	case "user.id":
		var ids []string
		for _, h := range o.appHolders(a, 0, o.people()) {
			ids = append(ids, o.id(kindUser, h.user))
		}
		return ids
	}
	return nil
}

func (o *Org) getApp(c *call) answer {
	a, ok := o.findApp(c)
	if !ok {
		return o.notFound(c, c.value("app"), "AppInstance")
	}
	t := text{}
	o.writeApp(&t, a, c.base, false)
	return object(t.b)
}
