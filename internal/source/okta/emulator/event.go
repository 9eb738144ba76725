package emulator

import (
	"fmt"
	"strings"
)

// logEvent is an event before it is written.
type logEvent struct {
	number    int
	published int64 // Unix milliseconds
	kind      *eventKind
	actor     target
	job       bool // made by Okta's own background work: no client, no request
	where     *office
	host      int // last byte of the address
	agent     int // in agents
	enrolled  bool
	result    string // "" leaves outcome null
	reason    string
	debug     [][2]string
	targets   []target // nil leaves target null
	token     string   // id of the API token that made the request
	issuer    string   // of an access token
	d         draw
}

// target is an actor or a target.
type target struct {
	id, typ, alternate, name string
	detail                   string // JSON
}

type eventKind struct {
	name, display, legacy, severity, uri string
}

var (
	sessionStart  = &eventKind{"user.session.start", "User login to Okta", "core.user_auth.login_success", "INFO", "/idp/idx/identify"}
	sessionFailed = &eventKind{"user.session.start", "User login to Okta", "core.user_auth.login_failed", "WARN", "/idp/idx/challenge/answer"}
	sessionEnd    = &eventKind{"user.session.end", "User logout from Okta", "core.user_auth.logout_success", "INFO", "/login/signout"}
	verify        = &eventKind{"user.authentication.verify", "Verify user identity", "", "INFO", "/idp/idx/challenge/answer"}
	adminAccess   = &eventKind{"user.session.access_admin_app", "User accessing Okta admin app", "app.admin.sso.login.success", "INFO", "/admin/sso/request"}
	singleSignOn  = &eventKind{"user.authentication.sso", "User single sign on to app", "app.auth.sso", "INFO", "/app/sso/saml"}
	signOnPolicy  = &eventKind{"policy.evaluate_sign_on", "Evaluation of sign-on policy", "", "INFO", "/api/v1/authn"}
	secondFactor  = &eventKind{"user.authentication.auth_via_mfa", "Authentication of user via MFA", "core.user.factor.attempt_success", "INFO", "/idp/idx/authenticators/poll"}
	tokenGrant    = &eventKind{"app.oauth2.token.grant.access_token", "OAuth2 access token is granted", "app.oauth2.token.grant.access_token_success", "INFO", "/oauth2/v1/token"}
	updateProfile = &eventKind{"user.account.update_profile", "Update user profile for Okta", "core.user.config.profile_update.success", "INFO", "/api/v1/users"}
	addMember     = &eventKind{"group.user_membership.add", "Add user to group membership", "core.user_group_member.user_add", "INFO", "/api/v1/groups"}
	removeMember  = &eventKind{"group.user_membership.remove", "Remove user from group membership", "core.user_group_member.user_remove", "INFO", "/api/v1/groups"}
	resetPassword = &eventKind{"user.account.reset_password", "Fired when the user's Okta password is reset", "core.user.config.user_account.password_reset", "INFO", "/api/internal/users/resetpassword"}
	groupGrant    = &eventKind{"group.privilege.grant", "Grant group privilege", "core.group.admin_privilege.granted", "INFO", "/api/internal/administrators/groups"}
	userGrant     = &eventKind{"user.account.privilege.grant", "Grant user privilege", "core.user.admin_privilege.granted", "INFO", "/api/internal/administrators"}
	createUser    = &eventKind{"user.lifecycle.create", "Create Okta user", "core.user.config.user_creation.success", "INFO", "/api/v1/users"}
	suspendUser   = &eventKind{"user.lifecycle.suspend", "Suspend Okta user", "core.user.config.user_status.suspend", "INFO", "/api/v1/users/lifecycle/suspend"}
	deactivate    = &eventKind{"user.lifecycle.deactivate", "Deactivate Okta user", "core.user.config.user_deactivated", "INFO", "/api/v1/users/lifecycle/deactivate"}
	lockUser      = &eventKind{"user.account.lock", "Max sign in attempts exceeded", "core.user_auth.account_locked", "DEBUG", "/idp/idx/challenge/answer"}
	keyRollover   = &eventKind{"app.oauth2.as.key.rollover", "Custom Authorization Server token signing key rolled over", "app.oauth2.as.key.rollover.legacy", "INFO", ""}
	importMember  = &eventKind{"app.user_management", "Successfully imported new member to an app group", "app.user_management.app_group_member_import.insert_success", "INFO", ""}
	updateApp     = &eventKind{"application.lifecycle.update", "Update application", "app.generic.config.app_updated", "INFO", ""}
	rateViolation = &eventKind{"system.operation.rate_limit.violation", "This API token has made too many requests", "", "WARN", "/api/v1/logs"}
)

type agent struct{ raw, os, browser, device string }

var agents = []agent{
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36", "Windows 10", "CHROME", "Computer"},
	{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1.15", "Mac OS X", "SAFARI", "Computer"},
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0", "Windows 10", "FIREFOX", "Computer"},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Mobile/15E148 Safari/604.1", "iOS (iPhone)", "SAFARI", "Mobile"},
	{"freight-sync/4.2 (batch)", "Unknown", "UNKNOWN", "Unknown"},
}

const scriptAgent = 4

// event derives the k-th event.
func (o *Org) event(k int) logEvent {
	if s, ok := o.changeEvent(k); ok {
		return *s.logEvent
	}
	e := logEvent{number: k, published: o.published(k), result: "SUCCESS", d: newDraw(o.seed, saltEvent, k)}
	if scene := o.events.story[k]; scene != nil {
		scene(&e)
		return e
	}
	switch n := e.d.below(1000); {
	case n < 60:
		o.background(&e)
	case n < 65:
		o.throttled(&e)
	case n < 95:
		o.service(&e)
	default:
		o.humane(&e, n-95)
	}
	return e
}

// background is Okta's own work, in the name of the system.
func (o *Org) background(e *logEvent) {
	e.job, e.actor = true, o.system()
	switch e.d.below(4) {
	case 0:
		e.kind = keyRollover
		e.debug = [][2]string{{"authorizationServer", o.id("aus", 0)}, {"kid", e.word(43)}, {"defaultAuthorizationServer", "true"}}
		e.targets = []target{{id: o.id("aus", 0), typ: "AuthorizationServer", name: "default"}}
	case 1:
		e.kind = updateApp
		app := e.d.below(len(applications))
		e.targets = []target{{o.id(kindApp, app), "AppInstance", applications[app], applications[app], ""}}
	default:
		e.kind = importMember
		u := o.someone(e)
		group := e.d.below(len(appGroups))
		g := &o.groups[departmentHome+len(departments)+group]
		e.targets = []target{{o.id("0ua", u.index), "AppUser", u.login, u.login, ""}, {g.id, "AppGroup", "unknown", o.firstName(departmentHome + len(departments) + group), ""}, userTarget(&u), {o.id(kindApp, g.app), "AppInstance", applications[g.app], applications[g.app], ""}}
	}
}

// throttled is the kind of event whose whole outcome is null.
func (o *Org) throttled(e *logEvent) {
	e.kind, e.result = rateViolation, ""
	u := o.drawn(o.staff.places[partWorkflows])
	e.by(&u, scriptAgent)
	e.token = o.id(kindToken, 1)
	e.debug = [][2]string{
		{"operationRateLimitSubtype", "ssws_token"},
		{"operationRateLimitTimeUnit", "MINUTES"},
		{"operationRateLimitScopeType", "token"},
		{"operationRateLimitSecondsToReset", itoa(e.d.below(60))},
		{"operationRateLimitThreshold", "60"},
		{"operationRateLimitTimeSpan", "1"},
		{"operationRateLimitType", "web_request"},
	}
	e.targets = []target{{id: uuidOf(e.d.next(), e.d.next()), typ: "Bucket UUID"}, {id: e.token, typ: "Token", alternate: "unknown", name: "workflows"}}
}

// service is a machine that gets itself a token.
func (o *Org) service(e *logEvent) {
	app := 7 + e.d.below(3)
	e.kind, e.actor = tokenGrant, target{o.id(kindApp, app), "PublicClientApp", o.id(kindApp, app), applications[app], ""}
	e.where, e.host, e.agent = &offices[0], 10+app, scriptAgent
	e.issuer = `{"id":"` + o.id("aus", 0) + `","type":"CUSTOM_AUTHORIZATION_SERVER"}`
	e.debug = [][2]string{{"grantType", "client_credentials"}, {"grantedScopes", "harbor.read, harbor.events"}, {"requestedScopes", "harbor.read,harbor.events"}, {"clientAuthType", "private_key_jwt"}, {"threatSuspected", "false"}}
	e.targets = []target{{e.word(30), "access_token", "", "Access Token", `{"expires":"3600","subject":"` + e.actor.id + `","hash":""}`}}
}

// humane is what people do: n is in [0, 905).
func (o *Org) humane(e *logEvent, n int) {
	u := o.someone(e)
	e.by(&u, e.d.below(scriptAgent))
	e.debug = [][2]string{{"threatSuspected", "false"}, {"behaviors", behaviors}, {"risk", "{level=LOW}"}}
	switch {
	case n < 190:
		e.kind = sessionStart
	case n < 215:
		e.kind, e.result, e.reason = sessionFailed, "FAILURE", "INVALID_CREDENTIALS"
	case n < 330:
		e.kind = sessionEnd
	case n < 430:
		e.kind = verify
		e.debug = append(e.debug, [2]string{"factor", "OKTA_VERIFY_PUSH"}, [2]string{"factorIntent", "AUTHENTICATION"})
	case n < 700:
		app := 1 + e.d.below(len(applications)-2)
		e.kind = singleSignOn
		e.debug = append(e.debug, [2]string{"initiationType", "IDP_INITIATED"}, [2]string{"signOnMode", "SAML 2.0"})
		e.targets = []target{{o.id(kindApp, app), "AppInstance", applications[app], applications[app], `{"signOnModeType":"SAML_2_0"}`}, {o.id("0ua", u.index*16+app), "AppUser", u.login, u.given + " " + u.family, ""}}
	case n < 810:
		o.evaluated(e)
	case n < 855:
		e.kind = secondFactor
		e.debug = append(e.debug, [2]string{"factor", "OKTA_VERIFY_PUSH"})
		e.targets = []target{userTarget(&u)}
	case n < 875:
		e.kind = tokenGrant
		e.issuer = `{"id":"` + o.id("aus", 0) + `","type":"CUSTOM_AUTHORIZATION_SERVER"}`
		e.targets = []target{{e.word(30), "access_token", "", "Access Token", `{"expires":"3600","subject":"` + u.id + `","hash":""}`}}
	default:
		o.administered(e, &u)
	}
}

const behaviors = "{New Geo-Location=NEGATIVE, New Device=NEGATIVE, New IP=NEGATIVE, New State=NEGATIVE, New Country=NEGATIVE, Velocity=NEGATIVE, New City=NEGATIVE}"

func (o *Org) evaluated(e *logEvent) {
	e.kind, e.result, e.reason = signOnPolicy, "ALLOW", "Sign-on policy evaluation resulted in ALLOW"
	if e.d.chance(150) {
		e.result, e.reason = "CHALLENGE", "Sign-on policy evaluation resulted in CHALLENGE"
	}
	policy := o.id(kindPolicy, 0)
	e.targets = []target{{policy, "PolicyEntity", "unknown", "Default Policy", `{"policyType":"OktaSignOn"}`}, {o.id(kindRule, 0), "PolicyRule", policy, "Default Rule", ""}}
}

// administered is a change that somebody who may make it made to somebody else.
func (o *Org) administered(e *logEvent, other *user) {
	by := o.drawn(o.staff.places[pick(&e.d, []part{partFirstAdmin, partIdentityEngineer, partHelpDesk})])
	e.by(&by, e.d.below(3))
	e.debug = [][2]string{{"threatSuspected", "false"}}
	e.targets = []target{userTarget(other)}
	switch e.d.below(4) {
	case 0:
		e.kind = updateProfile
		e.debug = append(e.debug, [2]string{"changedAttributes", "title,department"})
	case 1:
		e.kind = resetPassword
	case 2:
		e.kind = removeMember
		e.targets = append(e.targets, o.groupThen(o.founded-1-e.d.below(5)))
	default:
		e.kind = addMember
		g := everyone
		if in := o.groupsAtFirst(other.index); len(in) > 0 {
			g = int(in[e.d.below(len(in))])
		}
		if g >= grantedFirst && g < departmentHome {
			g = everyone // who came to power how is the story's to tell
		}
		e.targets = append(e.targets, o.groupThen(g))
	}
}

// someone draws a person who signed in at that time or later, so that nobody does more than lastLogin admits. In the
// last minutes before Now few are left, and the help desk, which is always there, stands in.
func (o *Org) someone(e *logEvent) user {
	for range 48 {
		i := e.d.below(o.staff.count)
		if o.staff.status[i] != 0 || o.staff.story[i] != nil {
			continue
		}
		if u := o.drawn(i); u.lastLogin*1000 >= e.published && u.created*1000 < e.published {
			return u
		}
	}
	return o.drawn(o.staff.places[partHelpDesk])
}

// by makes u the actor, at home.
func (e *logEvent) by(u *user, agent int) {
	e.actor = target{u.id, "User", u.login, u.given + " " + u.family, ""}
	e.where, e.host, e.agent = u.office, 1+u.index%250, agent
	e.enrolled = agent < 2 && u.index%4 == 0
	if u.story != nil && u.story.part == partContractor {
		e.where = &elsewhere
	}
}

func (o *Org) system() target {
	return target{o.id(kindSystem, 0), "SystemPrincipal", "system@okta.com", "Okta System", ""}
}

func userTarget(u *user) target {
	return target{u.id, "User", u.login, u.given + " " + u.family, ""}
}

func (o *Org) groupTarget(i int) target {
	return target{o.groups[i].id, "UserGroup", "unknown", o.groups[i].name, ""}
}

// groupThen is a group under the name that it had at New.
func (o *Org) groupThen(i int) target {
	return target{o.groups[i].id, "UserGroup", "unknown", o.firstName(i), ""}
}

func (o *Org) firstName(group int) string {
	if name, renamed := o.world.groupNames[group]; renamed {
		return name
	}
	return o.groups[group].name
}

// word draws n characters of the kind that request and session ids are made of.
func (e *logEvent) word(n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte(base62[e.d.below(62)])
	}
	return b.String()
}

func (e *logEvent) hex32() string { return fmt.Sprintf("%016x%016x", e.d.next(), e.d.next()) }
