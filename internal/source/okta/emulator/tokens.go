package emulator

import (
	"net/http"
	"strings"
)

// apiToken is a token that somebody made; the secret itself is nowhere to be read.
type apiToken struct {
	index         int
	name          string
	owner         part
	daysAgo, idle int64  // made, and last used, in days before Now
	network       string // JSON, % for the network zone
}

const anywhere = `{"connection":"ANYWHERE"}`

// apiTokens: the first is the one that reads the org, the second is named by the log.
var apiTokens = []apiToken{
	{0, "Catalog reader", partFirstAdmin, 200, 0, anywhere},
	{1, "workflows", partWorkflows, 390, 0, anywhere},
	{2, "freight sync", partService, 1100, 0, anywhere},
	{3, "build agent (temporary)", partLeaver, 700, 3, anywhere},
	{4, "laptop", partIdentityEngineer, 60, 12, `{"connection":"ZONE","include":["%"]}`},
}

// apiTokensNow leaves out those whose owner is gone: a token dies with her.
func (o *Org) apiTokensNow() (live []apiToken) {
	for _, k := range apiTokens {
		if !o.gone(o.staff.places[k.owner]) {
			live = append(live, k)
		}
	}
	return live
}

func (o *Org) listAPITokens(c *call) answer {
	t := text{}
	for _, k := range o.apiTokensNow() {
		o.writeAPIToken(&t, k, c.base)
	}
	return answer{status: http.StatusOK, list: true, items: t.b}
}

func (o *Org) getAPIToken(c *call) answer {
	for _, k := range o.apiTokensNow() {
		if o.id(kindToken, k.index) == c.value("token") {
			t := text{}
			o.writeAPIToken(&t, k, c.base)
			return object(t.b)
		}
	}
	return o.notFound(c, c.value("token"), "ApiToken")
}

func (o *Org) writeAPIToken(t *text, k apiToken, base string) {
	id, owner := o.id(kindToken, k.index), o.id(kindUser, o.staff.places[k.owner])
	created := o.now - k.daysAgo*day
	t.object("")
	t.strs("id", id)
	t.str("name", k.name)
	t.strs("userId", owner)
	t.raw("clientName", `"Okta API"`)
	t.raw("tokenWindow", `"P30D"`)
	t.raw("network", strings.Replace(k.network, "%", o.id("nzo", 0), 1))
	t.at("expiresAt", o.now+(30-k.idle)*day)
	t.at("created", created)
	t.at("lastUpdated", o.now-k.idle*day)
	t.object("_links")
	t.raw("self", `{"href":"`+base+`/api/v1/api-tokens/`+id+`","hints":{"allow":["GET","DELETE"]}}`)
	t.raw("user", `{"href":"`+base+`/api/v1/users/`+owner+`","hints":{"allow":["GET"]}}`)
	t.end()
	t.end()
}
