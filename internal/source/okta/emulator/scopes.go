package emulator

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// scopeArea is what a path's scopes are called, such as "okta.users": reading needs .read or .manage of it, any other verb
// .manage. "" when no scope is needed.
func scopeArea(path string) string {
	if rest, ok := strings.CutPrefix(path, "/oauth2/v1/clients/"); ok {
		if strings.Contains(rest, "/roles") {
			return "okta.roles"
		}
		return "okta.apps"
	}
	rest, ok := strings.CutPrefix(path, "/api/v1/")
	if !ok {
		return ""
	}
	parts := strings.Split(rest, "/")
	under := ""
	if len(parts) > 2 {
		under = parts[2]
	}
	switch parts[0] {
	case "users", "groups":
		if under == "roles" {
			return "okta.roles"
		}
		return "okta." + parts[0]
	case "meta":
		if len(parts) > 1 && parts[1] == "schemas" {
			return "okta.schemas"
		}
		return "okta.userTypes"
	}
	return scopeAreas[parts[0]]
}

var scopeAreas = map[string]string{
	"iam": "okta.roles", "apps": "okta.apps", "logs": "okta.logs", "eventHooks": "okta.eventHooks", "org": "okta.orgs",
	"devices": "okta.devices", "api-tokens": "okta.apiTokens", "principal-rate-limits": "okta.principalRateLimits",
}

// neededScope is the least scope that a request needs; "" for none.
func neededScope(method, path string) string {
	area := scopeArea(path)
	switch {
	case area == "":
		return ""
	case method == http.MethodGet || method == http.MethodHead:
		return area + ".read"
	}
	return area + ".manage"
}

// permit decides whether the caller may do what the request asks: scope, then role.
func (o *Org) permit(c *call) (answer, bool) {
	needed := neededScope(c.r.Method, c.r.URL.Path)
	if needed == "" || c.who == nil {
		return answer{}, true
	}
	manage := strings.TrimSuffix(needed, ".read")
	manage = strings.TrimSuffix(manage, ".manage") + ".manage"
	has := func(scope string) bool {
		return (c.who.app == nil || slices.Contains(c.who.scopes, scope)) && !o.scopeWithdrawn(c.who.name, scope)
	}
	if c.who.app == nil {
		// An API token has no scopes: what it loses, it loses because its owner's role does.
		if !has(needed) || o.roleWithdrawn(c.who.name) {
			usual := usualErrors[http.StatusForbidden]
			return o.failed(c, http.StatusForbidden, usual[0], usual[1]), false
		}
		return answer{}, true
	}
	reads := c.r.Method == http.MethodGet || c.r.Method == http.MethodHead
	if !reads && o.powerless(c) {
		usual := usualErrors[http.StatusForbidden]
		return o.failed(c, http.StatusForbidden, usual[0], usual[1]), false
	}
	if !has(needed) && !has(manage) {
		return o.challenge(c, refuse(http.StatusForbidden, "insufficient_scope", "The access token provided does not contain the required scopes."), needed), false
	}
	return answer{}, true
}

// powerless reports whether the caller's app holds no admin role.
func (o *Org) powerless(c *call) bool {
	return c.who != nil && c.who.app != nil && c.r.URL.Path != tokenPath && (c.who.app.NoRole || o.roleWithdrawn(c.who.name))
}

// listAppRoles answers with the admin role that lets an app of Options.OAuth read: [] for one without.
func (o *Org) listAppRoles(c *call, app *App) answer {
	if app.NoRole || o.roleWithdrawn(app.ClientID) {
		return answer{status: http.StatusOK, list: true}
	}
	t := text{}
	t.object("")
	t.strs("id", o.id(kindDirect, maxObjects-1))
	t.str("label", roleLabels[superAdmin])
	t.str("type", superAdmin)
	t.raw("status", `"ACTIVE"`)
	t.at("created", o.now-200*day)
	t.at("lastUpdated", o.now-200*day)
	t.raw("assignmentType", `"CLIENT"`)
	t.object("_links")
	t.href("assignee", c.base, "/oauth2/v1/clients/", app.ClientID)
	t.end()
	t.end()
	return answer{status: http.StatusOK, list: true, items: t.b}
}

// hollow is what an app without an admin role gets instead of the answer: an empty list, or 403 for a single object.
func (o *Org) hollow(c *call, a answer) answer {
	switch {
	case a.list:
		a.items, a.next = nil, ""
	case a.status < http.StatusBadRequest:
		usual := usualErrors[http.StatusForbidden]
		a = o.failed(c, http.StatusForbidden, usual[0], usual[1])
	}
	return a
}

// ParseWithdrawal reads WHAT,WORD,...: WHAT is token, app, role or a scope, and the words are after:N, at:90s and
// client:ID, such as "okta.logs.read,after:40" or "token,client:SSWS,at:2m".
func ParseWithdrawal(line string) (w Withdrawal, err error) {
	what, words, _ := strings.Cut(line, ",")
	switch {
	case what == "app":
		w.Refuse = true
	case what == "role":
		w.Role = true
	case strings.HasPrefix(what, "okta."):
		w.Scope = what
	case what != "token":
		return w, fmt.Errorf("withdrawal %q: want token, app, role or a scope such as okta.users.read first", line)
	}
	for word := range strings.SplitSeq(words, ",") {
		name, value, _ := strings.Cut(word, ":")
		err = nil
		switch {
		case word == "" && words == "":
		case name == "client" && value != "":
			w.Client = value
		case name == "after":
			if w.After, err = strconv.Atoi(value); w.After < 1 {
				err = strconv.ErrRange
			}
		case name == "at":
			if w.At, err = time.ParseDuration(value); w.At < 0 {
				err = strconv.ErrRange
			}
		default:
			err = strconv.ErrSyntax
		}
		if err != nil {
			return Withdrawal{}, fmt.Errorf("withdrawal %q: %q is none of after:N, at:90s, client:ID", line, word)
		}
	}
	return w, nil
}

// Withdrawal takes something away from a client while the org runs: its token, or a scope, or its admin role.
type Withdrawal struct {
	Client string        // a client id, or APIToken; "" is everyone
	Scope  string        // the scope, such as "okta.logs.read": from then on 403
	Role   bool          // the admin role: from then on lists are 200 with [] (403 for the API token)
	Refuse bool          // the app itself: no new token is given either. With neither of the three only its tokens end
	After  int           // not before the client has sent this many API requests since
	At     time.Duration // and not before so much time has passed since
}

type withdrawal struct {
	Withdrawal
	given time.Time
	sent  int
	done  bool
}

func (r *withdrawal) concerns(client string) bool { return r.Client == "" || r.Client == client }

// Withdraw takes something away, now or once the withdrawal's conditions hold.
func (o *Org) Withdraw(r Withdrawal) {
	now := o.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.withdrawals = append(o.withdrawals, withdrawal{Withdrawal: r, given: now})
	o.withdrawDue(now, "")
}

// Restore takes all withdrawals back. Access tokens that ended stay so; the API token is good again.
func (o *Org) Restore() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.withdrawals = nil
}

// withdrawDue carries out what is due, after a request of the client ("" for none). Org.mu is held.
func (o *Org) withdrawDue(now time.Time, client string) {
	for i := range o.withdrawals {
		r := &o.withdrawals[i]
		if r.done || now.Sub(r.given) < r.At {
			continue
		}
		if r.After > 0 && (r.sent < r.After || client == "" || !r.concerns(client)) {
			continue
		}
		r.done = true
		if r.Scope != "" || r.Role {
			continue
		}
		for _, g := range o.doors.tokens {
			g.ended = g.ended || r.concerns(g.app.ClientID)
		}
	}
}

// arrives counts an API request of a client, having carried out the withdrawals that come before it.
func (o *Org) arrives(client string) {
	now := o.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.withdrawDue(now, client)
	for i := range o.withdrawals {
		if r := &o.withdrawals[i]; r.concerns(client) {
			r.sent++
		}
	}
}

// tokenEnded reports whether the API token is revoked.
func (o *Org) tokenEnded() bool {
	return o.withdrawn(APIToken, func(r *withdrawal) bool { return r.Scope == "" && !r.Role })
}

// barred reports whether a client gets no token any more.
func (o *Org) barred(client string) bool {
	return o.withdrawn(client, func(r *withdrawal) bool { return r.Refuse })
}

func (o *Org) scopeWithdrawn(client, scope string) bool {
	return o.withdrawn(client, func(r *withdrawal) bool { return r.Scope == scope })
}

func (o *Org) roleWithdrawn(client string) bool {
	return o.withdrawn(client, func(r *withdrawal) bool { return r.Role })
}

func (o *Org) withdrawn(client string, what func(*withdrawal) bool) bool {
	now := o.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.withdrawDue(now, "")
	return slices.ContainsFunc(o.withdrawals, func(r withdrawal) bool { return r.done && r.concerns(client) && what(&r) })
}

// ReadScopes are the scopes that reading the whole org takes.
func ReadScopes() []string {
	areas := []string{"okta.users", "okta.groups", "okta.userTypes", "okta.schemas"}
	for _, area := range scopeAreas {
		areas = append(areas, area)
	}
	for i := range areas {
		areas[i] += ".read"
	}
	slices.Sort(areas)
	return areas
}
