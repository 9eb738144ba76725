package emulator

import (
	"strconv"
	"strings"
)

// userView is how much of a user an answer shows.
type userView struct {
	base            string // scheme and host of links
	single          bool   // read by id: all links
	omitCredentials bool
}

func (o *Org) writeUser(t *text, u *user, v userView) {
	t.object("")
	t.strs("id", u.id)
	t.strs("status", u.status)
	t.at("created", u.created)
	t.at("activated", u.activated)
	t.at("statusChanged", u.statusChanged)
	t.at("lastLogin", u.lastLogin)
	t.at("lastUpdated", u.lastUpdated)
	t.at("passwordChanged", u.passwordChanged)
	t.strs("realmId", o.realmID)
	t.object("type")
	t.strs("id", o.userTypeID)
	t.end()
	o.writeProfile(t, u)
	if !v.omitCredentials {
		writeCredentials(t, u)
	}
	t.object("_links")
	if v.single {
		o.writeUserLinks(t, u, v.base)
	} else {
		t.href("self", v.base, "/api/v1/users/", u.id)
	}
	t.end()
	t.end()
}

func (o *Org) writeProfile(t *text, u *user) {
	if len(u.edits) > 0 {
		o.writeEdited(t, u)
		return
	}
	t.object("profile")
	defer t.end()
	if !u.rich {
		t.str("firstName", u.given)
		t.str("lastName", u.family)
		t.strOrNull("mobilePhone", u.mobile)
		t.strOrNull("secondEmail", u.second)
		t.str("login", u.login)
		t.str("email", u.email)
		return
	}
	where := u.office
	t.str("lastName", u.family)
	t.str("zipCode", where.zip)
	t.raw("preferredLanguage", `"en-us"`)
	t.str("city", where.city)
	t.str("displayName", u.given+" "+u.family)
	t.str("timezone", where.timezone)
	t.raw("locale", `"en_US"`)
	t.str("title", u.title)
	t.str("login", u.login)
	t.str("employeeNumber", strconv.Itoa(10001+u.index))
	t.str("countryCode", where.countryCode)
	t.str("state", where.state)
	if u.group != "" {
		t.str("department", u.group)
	}
	t.str("email", u.email)
	boss, managed := o.managerOf(u.index)
	if managed {
		t.str("manager", o.fullName(boss))
	}
	if u.userType == "Employee" && u.group != "Executive" {
		t.str("costCenter", departments[o.staff.department[u.index]].cost)
	}
	t.strOrNull("secondEmail", u.second)
	if managed {
		t.strs("managerId", o.id(kindUser, boss))
	}
	t.str("firstName", u.given)
	t.strOrNull("mobilePhone", u.mobile)
	if where.street != "" {
		t.str("streetAddress", where.street)
	}
	t.str("organization", organization(u))
	t.str("userType", u.userType)
	for _, c := range u.custom {
		t.str(c[0], c[1])
	}
}

func organization(u *user) string {
	if u.userType == "Contractor" {
		return "Brightquay Consulting"
	}
	return companyName
}

func (o *Org) fullName(i int) string {
	if p := o.staff.story[i]; p != nil {
		return p.given + " " + p.family
	}
	given, family, _ := o.nameOf(i)
	return given + " " + family
}

func writeCredentials(t *text, u *user) {
	t.object("credentials")
	if u.passwordChanged != 0 {
		t.raw("password", "{}")
		if u.status != staged && u.index%3 == 0 {
			t.array("emails")
			t.object("")
			t.str("value", u.email)
			t.raw("status", `"VERIFIED"`)
			t.raw("type", `"PRIMARY"`)
			t.end()
			t.endArray()
		}
	}
	if u.question != "" {
		t.object("recovery_question")
		t.str("question", u.question)
		t.end()
	}
	t.object("provider")
	t.str("type", u.provider)
	t.str("name", u.providerName)
	t.end()
	t.end()
}

// userLinks are the links of a user read by id, in the order of real orgs: those whose name is in the status's list.
var userLinks = []struct{ name, path, method string }{
	{"suspend", "/lifecycle/suspend", "POST"},
	{"unsuspend", "/lifecycle/unsuspend", "POST"},
	{"schema", "", ""},
	{"activate", "/lifecycle/activate", "POST"},
	{"resetPassword", "/lifecycle/reset_password", "POST"},
	{"reactivate", "/lifecycle/reactivate", "POST"},
	{"unlock", "/lifecycle/unlock", "POST"},
	{"forgotPassword", "/credentials/forgot_password", "POST"},
	{"expirePassword", "/lifecycle/expire_password", "POST"},
	{"changeRecoveryQuestion", "/credentials/change_recovery_question", "POST"},
	{"self", "", ""},
	{"resetFactors", "/lifecycle/reset_factors", "POST"},
	{"type", "", ""},
	{"changePassword", "/credentials/change_password", "POST"},
	{"deactivate", "/lifecycle/deactivate", "POST"},
	{"delete", "", "DELETE"},
}

const withPassword = " resetPassword forgotPassword expirePassword changeRecoveryQuestion changePassword resetFactors deactivate "

var linksOfStatus = map[string]string{
	active:          " suspend" + withPassword,
	provisioned:     " suspend resetPassword reactivate resetFactors deactivate ",
	staged:          " activate resetFactors ",
	deprovisioned:   " activate resetFactors delete ",
	suspended:       " unsuspend resetFactors deactivate ",
	recovery:        " suspend" + withPassword,
	passwordExpired: " suspend" + withPassword,
	lockedOut:       " unlock" + withPassword,
}

func (o *Org) writeUserLinks(t *text, u *user, base string) {
	for _, l := range userLinks {
		switch {
		case l.name == "schema":
			t.href("schema", base, "/api/v1/meta/schemas/user/", o.schemaID)
		case l.name == "type":
			t.href("type", base, "/api/v1/meta/types/user/", o.userTypeID)
		case l.name == "self":
			t.href("self", base, "/api/v1/users/", u.id)
		case strings.Contains(linksOfStatus[u.status], " "+l.name+" "):
			t.object(l.name)
			t.strs("href", base, "/api/v1/users/", u.id, l.path)
			t.strs("method", l.method)
			t.end()
		}
	}
}
