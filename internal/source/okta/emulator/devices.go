package emulator

import (
	"net/http"
	"strings"
)

const (
	devicesPage = 200

	// Ids of devices share their prefix with realms, of which the org has one, and the log names some of them.
	firstLogged  = 2       // of the people below loggedPeople
	loggedPeople = 500     // two people of one host are this far apart
	firstOther   = 1 << 20 // computers of the others
	firstPhone   = 1 << 24
	hosts        = 250
)

// device is a computer or a phone that somebody registered.
type device struct {
	owner            int
	phone            bool
	id, name, status string
	created, updated int64
}

// deviceIndex numbers the devices so that computers of the first people have the ids that the log knows them by.
func deviceIndex(owner int, phone bool) int {
	switch {
	case phone:
		return firstPhone + owner
	case owner < loggedPeople:
		return firstLogged + owner%hosts
	}
	return firstOther + owner
}

// deviceOf returns somebody's computer or phone, if she has one: a fourth of the people have the first, a sixth the second.
func (o *Org) deviceOf(owner int, phone bool) (device, bool) {
	if has := !phone && owner%4 == 0 || phone && owner%6 == 1; !has || owner >= o.options.Users {
		return device{}, false
	}
	u := o.user(owner)
	if o.erased(owner) || u.status == staged || u.status == provisioned || u.userType == "Service Account" {
		return device{}, false
	}
	v := device{owner: owner, phone: phone, id: o.id(kindRealm, deviceIndex(owner, phone)), status: active}
	d := newDraw(o.seed, saltDevice, deviceIndex(owner, phone))
	v.created = d.between(u.created, max(u.created, o.now-4*day))
	v.updated = d.between(v.created, o.now-3600)
	v.name = "HL-" + itoa(1001+owner%hosts)
	if owner >= loggedPeople {
		v.name = "HL-" + itoa(1001+owner)
	}
	if phone {
		v.name = u.given + "'s phone"
	}
	switch {
	case u.status == deprovisioned:
		v.status = "DEACTIVATED"
		v.updated = max(v.updated, u.statusChanged)
	case u.status == suspended || d.chance(20):
		v.status = "SUSPENDED"
	}
	return v, true
}

// usersOf are the people of a device: its owner, and at shared desks the next one too. A deactivated one has none.
func (o *Org) usersOf(v device) []int {
	switch next := v.owner + 1; {
	case v.status == "DEACTIVATED":
		return nil
	case v.owner%40 == 0 && !v.phone && next < o.options.Users && o.user(next).status == active && !o.erased(next):
		return []int{v.owner, next}
	}
	return []int{v.owner}
}

func (o *Org) findDevice(id string) (device, bool) {
	i, ok := o.indexOf(kindRealm, id, firstPhone+maxObjects/2)
	switch {
	case !ok || i < firstLogged:
		return device{}, false
	case i >= firstPhone:
		return o.deviceOf(i-firstPhone, true)
	case i >= firstOther:
		return o.deviceOf(i-firstOther, false)
	}
	if i -= firstLogged; i%4 != 0 {
		i += hosts
	}
	if i >= loggedPeople {
		return device{}, false
	}
	return o.deviceOf(i, false)
}

var deviceSearchRules = rules{anyCase: true, prefixes: []string{"profile."}, operators: map[string][]string{"": finding, "id": searching, "status": searching, "lastUpdated": searching}}

func (v device) attribute(name string) []string {
	value := map[string]string{
		"id": v.id, "status": v.status, "lastUpdated": stamp(v.updated),
		"profile.displayName": v.name, "profile.platform": map[bool]string{true: "IOS", false: "WINDOWS"}[v.phone],
	}[name]
	if value == "" {
		return nil
	}
	return []string{value}
}

// listDevices reads limit, after, search and expand=user or userSummary.
func (o *Org) listDevices(c *call) answer {
	limit, ok := c.limit(devicesPage, devicesPage)
	if !ok {
		return o.badLimit(c)
	}
	search, expand, after := c.query.Get("search"), c.query.Get("expand"), c.query.Get("after")
	var matches expression
	var err error
	if search != "" {
		if matches, err = parseExpression(search, deviceSearchRules); err != nil {
			return o.failed(c, http.StatusBadRequest, "E0000031", "Invalid search criteria.", err.Error())
		}
	}
	place := 0 // two for each person
	if after != "" {
		last, ok := o.findDevice(after)
		if !ok {
			return o.badCursor(c)
		}
		place = 2*last.owner + 1
		if last.phone {
			place++
		}
	}
	params := []string{"limit", itoa(limit), "search", search, "expand", expand}
	t, n, last, next := text{}, 0, "", ""
	for ; place < 2*o.people(); place++ {
		v, ok := o.deviceOf(place/2, place%2 == 1)
		if !ok || matches != nil && !matches(v.attribute) {
			continue
		}
		if n == limit {
			next = c.link("/api/v1/devices", append([]string{"after", last}, params...)...)
			break
		}
		v.write(&t, c.base)
		o.embedUsers(&t, v, expand, c.base)
		t.end()
		n, last = n+1, v.id
	}
	return paged(t.b, c.link("/api/v1/devices", append([]string{"after", after}, params...)...), next)
}

func (o *Org) getDevice(c *call) answer {
	v, ok := o.findDevice(c.value("device"))
	if !ok {
		return o.notFound(c, c.value("device"), "Device")
	}
	t := text{}
	v.write(&t, c.base)
	t.raw("_embedded", `{"originatedFrom":[{"id":"`+o.id("aut", 0)+`","name":"Okta Verify","key":"okta_verify"}]}`)
	t.end()
	return object(t.b)
}

func (o *Org) listDeviceUsers(c *call) answer {
	v, ok := o.findDevice(c.value("device"))
	if !ok {
		return o.notFound(c, c.value("device"), "Device")
	}
	t := text{}
	for _, i := range o.usersOf(v) {
		o.writeDeviceUser(&t, v, i, false, c.base)
	}
	return answer{status: http.StatusOK, list: true, items: t.b}
}

func (o *Org) listUserDevices(c *call) answer {
	i, ok := o.findUser(c.value("user"))
	if !ok {
		return o.notFound(c, c.value("user"), "User")
	}
	t := text{}
	write := func(owner int, phone bool) {
		v, ok := o.deviceOf(owner, phone)
		if !ok {
			return
		}
		for _, user := range o.usersOf(v) {
			if user == i {
				t.object("")
				t.at("created", v.created)
				t.strs("deviceUserId", o.id("dur", deviceIndex(owner, phone)), "-", itoa(i))
				t.key("device")
				v.write(&t, c.base)
				t.end()
				t.end()
			}
		}
	}
	if i > 0 {
		write(i-1, false) // a shared desk
	}
	write(i, false)
	write(i, true)
	return answer{status: http.StatusOK, list: true, items: t.b}
}

// write leaves the object open, for what is embedded.
func (v device) write(t *text, base string) {
	d := newDraw(uint64(v.owner), saltDevice, deviceIndex(v.owner, v.phone))
	self := base + "/api/v1/devices/" + v.id
	link := func(name, path string, allow string) {
		t.raw(name, `{"href":"`+self+path+`","hints":{"allow":[`+allow+`]}}`)
	}
	t.object("")
	t.strs("id", v.id)
	t.strs("status", v.status)
	t.at("created", v.created)
	t.at("lastUpdated", v.updated)
	t.object("profile")
	t.str("displayName", v.name)
	if v.phone {
		t.raw("platform", `"IOS"`)
		t.raw("manufacturer", `"APPLE"`)
		t.raw("model", `"iPhone16,1"`)
		t.raw("osVersion", `"18.4.1"`)
	} else {
		t.raw("platform", `"WINDOWS"`)
		t.raw("manufacturer", `"Dockside Computing"`)
		t.raw("model", `"Quay 14"`)
		t.raw("osVersion", `"10.0.26100"`)
		t.strs("serialNumber", "DC", strings.ToUpper(letters(&d, 9)))
	}
	t.raw("registered", "true")
	t.raw("secureHardwarePresent", "true")
	t.raw("diskEncryptionType", map[bool]string{true: `"USER"`, false: `"ALL_INTERNAL_VOLUMES"`}[v.phone])
	t.end()
	t.raw("resourceType", `"UDDevice"`)
	t.object("resourceDisplayName")
	t.str("value", v.name)
	t.raw("sensitive", "false")
	t.end()
	t.strs("resourceId", v.id)
	t.nulls("resourceAlternateId")
	t.object("_links")
	switch v.status {
	case active:
		link("suspend", "/lifecycle/suspend", `"POST"`)
	case "SUSPENDED":
		link("unsuspend", "/lifecycle/unsuspend", `"POST"`)
	default:
		link("activate", "/lifecycle/activate", `"POST"`)
		link("self", "", `"GET","DELETE"`)
		t.end()
		return
	}
	link("self", "", `"GET","PATCH","PUT"`)
	link("users", "/users", `"GET"`)
	link("deactivate", "/lifecycle/deactivate", `"POST"`)
	t.end()
}

func (o *Org) embedUsers(t *text, v device, expand, base string) {
	if expand != "user" && expand != "userSummary" {
		return
	}
	t.object("_embedded")
	t.array("users")
	for _, i := range o.usersOf(v) {
		o.writeDeviceUser(t, v, i, expand == "userSummary", base)
	}
	t.endArray()
	t.end()
}

func (o *Org) writeDeviceUser(t *text, v device, i int, summary bool, base string) {
	u := o.user(i)
	t.object("")
	t.strs("managementStatus", map[bool]string{true: "NOT_MANAGED", false: "MANAGED"}[v.phone])
	t.at("created", v.created)
	t.raw("screenLockType", `"BIOMETRIC"`)
	t.key("user")
	if summary {
		t.object("")
		t.strs("id", u.id)
		t.strs("realmId", o.realmID)
		t.object("profile")
		t.str("firstName", u.given)
		t.str("lastName", u.family)
		t.str("login", u.login)
		t.str("email", u.email)
		t.end()
		t.object("_links")
		t.href("self", base, "/api/v1/users/", u.id)
		t.end()
		t.end()
	} else {
		o.writeUser(t, &u, userView{base: base})
	}
	t.end()
}
