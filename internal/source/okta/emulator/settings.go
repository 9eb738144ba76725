package emulator

import "time"

func (o *Org) wellKnown(c *call) answer {
	t := text{}
	t.object("")
	t.strs("id", o.orgID)
	t.raw("cell", `"op1"`)
	t.object("_links")
	t.href("organization", c.base)
	t.end()
	t.raw("pipeline", `"idx"`)
	t.raw("settings", `{"analyticsCollectionEnabled":false,"bugReportingEnabled":true,"omEnabled":false,"pssoEnabled":true,"desktopMFAEnabled":false,"itpEnabled":true}`)
	t.end()
	return object(t.b)
}

// plain writes an instant without a fraction.
func (t *text) plain(k string, unix int64) {
	t.strs(k, time.Unix(unix, 0).UTC().Format(plainLayout))
}

func (o *Org) orgSettings(c *call) answer {
	t := text{}
	t.object("")
	t.str("address1", offices[0].street)
	t.nulls("address2")
	t.str("city", offices[0].city)
	t.str("companyName", companyName)
	t.str("country", offices[0].country)
	t.nulls("endUserSupportHelpURL", "phoneNumber")
	t.str("postalCode", offices[0].zip)
	t.str("state", offices[0].state)
	t.nulls("supportPhoneNumber")
	t.str("website", "https://www."+companyDomain)
	t.strs("id", o.orgID)
	t.plain("created", o.now-orgAge)
	t.plain("lastUpdated", o.now-90*day)
	t.nulls("expiresAt")
	t.raw("status", `"ACTIVE"`)
	t.str("subdomain", "harborline")
	t.object("_links")
	t.href("preferences", c.base, "/v1/org/preferences")
	t.href("contacts", c.base, "/api/v1/org/contacts")
	t.nulls("logo")
	t.end()
	t.end()
	return object(t.b)
}

// principalRateLimits tells the share of the client that asks, whatever the filter.
func (o *Org) principalRateLimits(c *call) answer {
	limits := o.Limits()
	admin := o.id(kindUser, o.staff.places[partFirstAdmin])
	principal, kind := o.id(kindToken, 0), `"SSWS_TOKEN"`
	if c.who != nil && c.who.app != nil {
		principal, kind = c.who.app.ClientID, `"OAUTH_CLIENT"`
	}
	t := text{}
	t.object("")
	t.strs("id", o.id(kindShare, 0))
	t.strs("orgId", o.orgID)
	t.str("principalId", principal)
	t.raw("principalType", kind)
	t.raw("defaultPercentage", itoa(limits.Share))
	t.raw("defaultConcurrencyPercentage", itoa(limits.ConcurrencyShare))
	t.plain("lastUpdate", o.now-200*day)
	t.strs("lastUpdatedBy", admin)
	t.plain("createdDate", o.now-200*day)
	t.strs("createdBy", admin)
	t.end()
	return answer{status: 200, list: true, items: t.b}
}
