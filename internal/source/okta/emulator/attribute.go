package emulator

import (
	"strconv"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

// stamp is a time as bodies write it; "" for null.
func stamp(unix int64) string {
	if unix == 0 {
		return ""
	}
	return time.Unix(unix, 0).UTC().Format(secondsLayout)
}

// attribute returns the values of what expressions name; none for null.
func (u *user) attribute(name string) []string {
	if e, ok := u.edited(name); ok {
		return e.values()
	}
	v := ""
	switch name {
	case "id":
		v = u.id
	case "status":
		v = u.status
	case "created":
		v = stamp(u.created)
	case "activated":
		v = stamp(u.activated)
	case "statusChanged":
		v = stamp(u.statusChanged)
	case "lastLogin":
		v = stamp(u.lastLogin)
	case "lastUpdated":
		v = stamp(u.lastUpdated)
	case "passwordChanged":
		v = stamp(u.passwordChanged)
	default:
		v = u.profile(name)
	}
	if v == "" {
		return nil
	}
	return []string{v}
}

func (u *user) profile(name string) string {
	switch name {
	case "profile.firstName":
		return u.given
	case "profile.lastName":
		return u.family
	case "profile.login":
		return u.login
	case "profile.email":
		return u.email
	case "profile.mobilePhone":
		return u.mobile
	case "profile.secondEmail":
		return u.second
	}
	if !u.rich {
		return ""
	}
	switch name {
	case "profile.title":
		return u.title
	case "profile.department":
		return u.group
	case "profile.userType":
		return u.userType
	case "profile.city":
		return u.office.city
	case "profile.countryCode":
		return u.office.countryCode
	case "profile.organization":
		return organization(u)
	case "profile.employeeNumber":
		return itoa(10001 + u.index)
	case "profile.displayName":
		return u.given + " " + u.family
	}
	for _, c := range u.custom {
		if name == "profile."+c[0] {
			return c[1]
		}
	}
	return ""
}
