package emulator

import (
	"net/http"
	"slices"
	"strings"
)

// factor is what somebody proves herself with beside the password.
type factor struct {
	id, typ, provider, vendor, status string
	profile, secret                   string // JSON; secret is of an activation that was never finished
	created                           int64
}

// factorsOf derives a person's factors. Who is not active yet, is gone or is no person has none, and so have some who
// should; those whose account was made later have enrolled nothing.
func (o *Org) factorsOf(u *user) (all []factor) {
	if slices.Contains([]string{staged, provisioned, deprovisioned}, u.status) || u.userType == "Service Account" || u.index >= o.options.Users || o.erased(u.index) {
		return nil
	}
	d := newDraw(o.seed, saltFactor, u.index)
	none := d.chance(70)
	add := func(prefix kind, typ, provider, vendor, profile string) *factor {
		from := min(u.created+3600, o.now-day)
		all = append(all, factor{id: o.id(prefix, u.index), typ: typ, provider: provider, vendor: vendor, status: active, profile: profile, created: d.between(from, min(from+40*day, o.now-3600))})
		return &all[len(all)-1]
	}
	credential := text{}
	credential.quote(u.login)
	if u.question != "" {
		t := text{}
		t.object("")
		t.raw("question", `"favorite_security_question"`)
		t.str("questionText", u.question)
		t.end()
		add("ufs", "question", "OKTA", "OKTA", string(t.b))
	}
	if none {
		return all
	}
	if d.chance(750) {
		add("opf", "push", "OKTA", "OKTA", `{"credentialId":`+string(credential.b)+`,"deviceType":"SmartPhone_IPhone","keys":[{"kty":"PKIX","use":"sig","kid":"default","x5c":["`+letters(&d, 64)+`"]}],"name":"iPhone","platform":"IOS","version":"18.4"}`)
	}
	if d.chance(400) {
		f := add("ost", "token:software:totp", "OKTA", "OKTA", `{"credentialId":`+string(credential.b)+`}`)
		if d.chance(60) { // the seed that the authenticator app should have read is still there to read
			f.status = "PENDING_ACTIVATION"
			f.secret = `{"activation":{"timeStep":30,"sharedSecret":"` + strings.ToUpper(letters(&d, 16)) + `","encoding":"base32","keyLength":6}}`
		}
	}
	if u.mobile != "" && d.chance(500) {
		add("sms", "sms", "OKTA", "OKTA", `{"phoneNumber":"`+u.mobile+`"}`)
	}
	if d.chance(200) {
		add("fwf", "webauthn", "FIDO", "FIDO", `{"credentialId":"`+letters(&d, 40)+`","authenticatorName":"Security Key"}`)
	}
	if len(all) == 0 || d.chance(300) {
		t := text{}
		t.quote(u.email)
		add("emf", "email", "OKTA", "OKTA", `{"email":`+string(t.b)+`}`)
	}
	return all
}

func (o *Org) listFactors(c *call) answer {
	i, ok := o.findUser(c.value("user"))
	if !ok {
		return o.notFound(c, c.value("user"), "User")
	}
	t, u := text{}, o.user(i)
	for _, f := range o.factorsOf(&u) {
		f.write(&t, u.id, c.base)
		t.end()
	}
	return answer{status: http.StatusOK, list: true, items: t.b}
}

func (o *Org) getFactor(c *call) answer {
	i, ok := o.findUser(c.value("user"))
	if !ok {
		return o.notFound(c, c.value("user"), "User")
	}
	u := o.user(i)
	for _, f := range o.factorsOf(&u) {
		if f.id == c.value("factor") {
			t := text{}
			f.write(&t, u.id, c.base)
			t.end()
			return object(t.b)
		}
	}
	return o.notFound(c, c.value("factor"), "UserFactor")
}

// write leaves the object open, so that the ledger can add the user.
func (f factor) write(t *text, user, base string) {
	self := base + "/api/v1/users/" + user
	t.object("")
	t.strs("id", f.id)
	t.strs("factorType", f.typ)
	t.strs("provider", f.provider)
	t.strs("vendorName", f.vendor)
	t.strs("status", f.status)
	t.at("created", f.created)
	t.at("lastUpdated", f.created)
	t.raw("profile", f.profile)
	t.object("_links")
	switch {
	case f.status != active:
		t.raw("next", `{"name":"activate","href":"`+self+`/factors/`+f.id+`/lifecycle/activate","hints":`+allowPost+`}`)
	case f.typ == "question":
		t.raw("questions", `{"href":"`+self+`/factors/questions","hints":{"allow":["GET"]}}`)
	default:
		t.raw("verify", `{"href":"`+self+`/factors/`+f.id+`/verify","hints":`+allowPost+`}`)
	}
	t.raw("self", `{"href":"`+self+`/factors/`+f.id+`","hints":{"allow":["GET","DELETE"]}}`)
	t.raw("user", `{"href":"`+self+`","hints":{"allow":["GET"]}}`)
	t.end()
	if f.secret != "" {
		t.raw("_embedded", f.secret)
	}
}
