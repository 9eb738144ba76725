package emulator

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
)

const (
	usersPage  = 200
	queryUsual = 10 // of q
)

func (o *Org) listUsers(c *call) answer {
	if c.query.Get("q") != "" {
		return o.findUsers(c)
	}
	limit, ok := c.limit(usersPage, usersPage)
	if !ok {
		return o.badLimit(c)
	}
	filter, search := c.query.Get("filter"), c.query.Get("search")
	if filter != "" && search != "" {
		return o.failed(c, http.StatusBadRequest, "E0000033", "Can't specify a search query and filter in the same request.")
	}
	var matches expression
	within := anything
	var err error
	switch {
	case filter != "":
		if matches, within, err = parseBounded(filter, userFilterRules); err != nil {
			return o.failed(c, http.StatusBadRequest, "E0000053", "Invalid filter '"+filter+"': "+err.Error())
		}
	case search != "":
		if matches, within, err = parseBounded(search, userSearchRules); err != nil {
			return o.failed(c, http.StatusBadRequest, "E0000031", "Invalid search criteria.", err.Error())
		}
	}
	from, ok := 0, false
	after := c.query.Get("after")
	if after != "" {
		if from, ok = o.indexOf(kindUser, after, o.userCount()); !ok {
			return o.badCursor(c)
		}
		from++
	}
	params := []string{"limit", itoa(limit), "filter", filter, "search", search, "fields", c.query.Get("fields")}
	var found []int
	if sortBy := c.query.Get("sortBy"); sortBy != "" && search != "" {
		params = append(params, "sortBy", sortBy, "sortOrder", c.query.Get("sortOrder"))
		if found, ok = o.sortedUsers(matches, within, sortBy, c.query.Get("sortOrder"), after, limit+1); !ok {
			return o.failed(c, http.StatusBadRequest, "E0000031", "Invalid search criteria.", "cannot sort by "+sortBy)
		}
	} else {
		found = o.scanUsers(from, limit+1, matches, within)
	}
	return o.userPage(c, "/api/v1/users", found, limit, after, params)
}

// scanUsers returns the places of the next users, at most n of them. Without an expression it is the default listing,
// which hides the DEPROVISIONED. within is what all that match are in, and spares deriving the others.
func (o *Org) scanUsers(from, n int, matches expression, within bounds) []int {
	found := make([]int, 0, min(n, o.userCount()))
	at := o.indexed()
	for i := from; i < o.userCount() && len(found) < n; i++ {
		if matches == nil {
			if !o.gone(i) {
				found = append(found, i)
			}
			continue
		}
		if !o.maybe(i, within) {
			continue
		}
		u, ok := o.userAsOf(i, at)
		if ok && matches(u.attribute) {
			found = append(found, i)
		}
	}
	return found
}

// sortedUsers returns the page after the user named by after, of all that match, in the order asked for.
func (o *Org) sortedUsers(matches expression, within bounds, by, order, after string, n int) ([]int, bool) {
	if !userSearchRules.knows(by) {
		return nil, false
	}
	type keyed struct {
		key string
		i   int
	}
	var all []keyed
	at := o.indexed()
	for i := range o.userCount() {
		if !o.maybe(i, within) {
			continue
		}
		u, ok := o.userAsOf(i, at)
		if ok && matches(u.attribute) {
			key := ""
			if v := u.attribute(by); len(v) > 0 {
				key = strings.ToLower(v[0])
			}
			all = append(all, keyed{key, i})
		}
	}
	slices.SortStableFunc(all, func(a, b keyed) int {
		if strings.EqualFold(order, "desc") {
			a, b = b, a
		}
		return strings.Compare(a.key, b.key)
	})
	start := 0
	if after != "" {
		i, _ := o.indexOf(kindUser, after, o.userCount())
		start = slices.IndexFunc(all, func(k keyed) bool { return k.i == i }) + 1
	}
	var found []int
	for _, k := range all[start:min(len(all), start+n)] {
		found = append(found, k.i)
	}
	return found, true
}

// userPage writes a page of the users found: one more than the limit means that there is a next page.
func (o *Org) userPage(c *call, path string, found []int, limit int, after string, params []string) answer {
	next := ""
	if len(found) > limit {
		found = found[:limit]
		next = c.link(path, append([]string{"after", o.id(kindUser, found[limit-1])}, params...)...)
	}
	v := userView{base: c.base, omitCredentials: omitsCredentials(c.r.Header.Get("Content-Type"))}
	t := text{b: make([]byte, 0, 1200*len(found))}
	at := int64(presently)
	if c.query.Get("search") != "" || c.query.Get("filter") != "" {
		at = o.indexed()
	}
	for _, i := range found {
		u, ok := o.userAsOf(i, at)
		if !ok { // deleted, and the index learnt it since the user was found
			u = o.user(i)
		}
		o.writeUser(&t, &u, v)
	}
	if want := parseFields(c.query.Get("fields")); want != nil && path == "/api/v1/users" {
		t.b = want.projectAll(t.b)
	}
	return paged(t.b, c.link(path, append([]string{"after", after}, params...)...), next)
}

// omitsCredentials reads the option that clients send in the Content-Type of a GET:
// application/json; okta-response="omitCredentials,omitCredentialsLinks".
func omitsCredentials(contentType string) bool {
	options := strings.FieldsFunc(contentType, func(r rune) bool { return strings.ContainsRune(`;,=" `, r) })
	return slices.Contains(options, "omitCredentials")
}

// findUsers answers q: a prefix of a name or the email, one page, no Link, and the DEPROVISIONED hidden.
func (o *Org) findUsers(c *call) answer {
	limit, ok := c.limit(queryUsual, usersPage)
	if !ok {
		return o.badLimit(c)
	}
	q := strings.ToLower(c.query.Get("q"))
	matches := func(get func(string) []string) bool {
		for _, name := range []string{"profile.firstName", "profile.lastName", "profile.email"} {
			if v := get(name); len(v) > 0 && strings.HasPrefix(strings.ToLower(v[0]), q) {
				return get("status")[0] != deprovisioned
			}
		}
		return false
	}
	a := o.userPage(c, "/api/v1/users", o.scanUsers(0, limit, matches, anything), limit, "", nil)
	a.self = ""
	return a
}

// findUser returns the place of a user named by id or login; "me" is the first admin, who made the token.
func (o *Org) findUser(name string) (int, bool) {
	if name == "me" {
		return o.staff.places[partFirstAdmin], true
	}
	if i, ok := o.indexOf(kindUser, name, o.userCount()); ok {
		return i, !o.erased(i)
	}
	return o.userByLogin(name)
}

func (o *Org) getUser(c *call) answer {
	i, ok := o.findUser(c.value("user"))
	if !ok {
		return o.notFound(c, c.value("user"), "User")
	}
	u := o.user(i)
	t := text{}
	o.writeUser(&t, &u, userView{base: c.base, single: true})
	a := object(t.b)
	sum := sha256.Sum256(t.b)
	a.etag = `W/"` + hex.EncodeToString(sum[:]) + `"`
	return a
}
