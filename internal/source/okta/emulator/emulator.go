package emulator

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Defaults of Options.
const (
	DefaultToken   = "demo-token"
	DefaultBaseURL = "https://harborline.okta.example" // where the links of Truth point when Options.BaseURL is empty

	defaultUsers        = 500
	minUsers            = 40 // the story's people, the heads of departments and one of each status
	defaultEventsPerDay = 400
	defaultDays         = 30
	maxDays             = 90 // Okta keeps the log for 90 days
)

// defaultNow is the instant at which the demo org stands when it is opened: fixed, so that its data is always the same.
var defaultNow = time.Date(2026, time.November, 1, 9, 0, 0, 0, time.UTC)

// Options say what org to make. The zero value is the demo company.
type Options struct {
	Users        int       // people, DEPROVISIONED ones included; 0 means 500; fewer than 40 become 40
	Seed         uint64    // what all data follows from; 0 means 1
	EventsPerDay int       // log events of the whole org; 0 means 400, negative none
	Admins       int       // people who hold a role, directly or through a group; 0 means 1 of 200 and those of the story
	Days         int       // of log history before Now; 0 means 30, at most 90
	Now          time.Time // the org's clock when New returns; zero means 2026-11-01T09:00:00Z
	BaseURL      string    // scheme and host that links name; "" means those of the request
	Token        string    // the SSWS token that is let in; "" means DefaultToken

	// InheritedAssignees lists in /iam/assignees/users also those who hold roles through groups alone. Whether real
	// orgs do is not documented; without it a reader must find them through the groups.
	InheritedAssignees bool

	// RolesTouchUsers moves a user's lastUpdated with each role given to her and each membership; real orgs probably do
	// not. SilentMembers leaves out the events of members when the roles of a group change: only those of the group are
	// told. Readers must bear both.
	RolesTouchUsers bool
	SilentMembers   bool

	IndexLag time.Duration // how long filter and search of users and groups still show what was; 0 is not at all (real orgs: a second or so)
	LogLag   time.Duration // median time between a change and its events being in the log; 0 is none (real orgs: 1 s, a few late by minutes)
	Hooks    HookOptions

	OAuth      OAuth
	RateLimits RateLimits // SetLimits changes them
	Noise      []Noise    // SetNoise
	Faults     Faults     // SetFaults

	Withdrawals []Withdrawal // Withdraw adds to them
}

func (p Options) withDefaults() Options {
	if p.Users == 0 {
		p.Users = defaultUsers
	}
	p.Users = min(max(p.Users, minUsers), maxObjects)
	if p.Seed == 0 {
		p.Seed = 1
	}
	if p.EventsPerDay == 0 {
		p.EventsPerDay = defaultEventsPerDay
	}
	p.EventsPerDay = max(p.EventsPerDay, 0)
	if p.Days <= 0 {
		p.Days = defaultDays
	}
	p.Days = min(p.Days, maxDays)
	if p.Now.IsZero() {
		p.Now = defaultNow
	}
	p.Now = p.Now.UTC().Truncate(time.Second)
	p.BaseURL = strings.TrimRight(p.BaseURL, "/")
	if p.Token == "" {
		p.Token = DefaultToken
	}
	return p
}

// Org is a stand-in Okta org. It is an http.Handler, safe for concurrent use.
type Org struct {
	options Options
	seed    uint64
	now     int64 // Options.Now in Unix seconds: no data is later
	cell    string
	opened  time.Time // when New was called, on the real clock
	mux     *http.ServeMux

	staff       staff
	memberStart []uint32 // where in memberships those of each person begin
	memberships []int32  // the groups that people were in at New, Everyone aside
	founded     int      // groups that there were at New
	updated     updates
	advanced    atomic.Int64

	// Current, and guarded by world.mu once New has returned.
	world        world
	groups       []group // deleted ones stay in their place
	goneCount    int     // people who are DEPROVISIONED or deleted
	adminCount   int     // people who hold a role
	direct       map[int][]assignment
	holders      []int32 // people with direct roles, in order
	granted      map[int][]assignment
	clientGrants map[int][]assignment     // of service apps, by their position
	targets      map[limited][]roleTarget // of roles that are limited
	grants       int                      // numbers standard roles without targets
	boundCount   int                      // numbers assignments of custom roles and of those built on them
	bindings     []assignment             // of custom roles and of those built on them, in the order of their numbers

	hooks  hooks
	living living

	orgID      string
	realmID    string
	userTypeID string
	schemaID   string
	events     timeline

	mu       sync.Mutex
	buckets  map[string]*window
	stats    Stats
	flying   int
	requests int // numbers requests
	clients  map[string]*ClientStats
	limits   RateLimits
	noise    []*noisy
	spent    time.Time // when a client last took from a window

	faults    Faults
	faultsSet time.Time
	firing    []firing        // of each fault
	foreign   map[string]bool // hosts that only faults name
	keptItems map[int][]byte
	keptCount int

	doors       doors
	withdrawals []withdrawal
}

// New makes an org. It costs a few bytes a user; objects are derived when they are asked for.
func New(options Options) *Org {
	o := &Org{options: options.withDefaults(), opened: time.Now()}
	o.buckets = make(map[string]*window)
	o.stats = Stats{Requests: make(map[string]int), Statuses: make(map[int]int)}
	o.clients, o.foreign, o.keptItems = make(map[string]*ClientStats), make(map[string]bool), make(map[int][]byte)
	o.limits = o.options.RateLimits.withDefaults()
	o.setNoise(o.options.Noise, o.options.Now)
	o.setFaults(o.options.Faults, o.options.Now)
	o.found()
	o.stage()
	for _, w := range o.options.Withdrawals {
		o.Withdraw(w)
	}
	o.mux = o.routes()
	return o
}

// found makes all that the options and the seed say.
func (o *Org) found() {
	o.seed, o.now = o.options.Seed, o.options.Now.Unix()
	d := newDraw(o.seed, saltID, 0)
	o.cell = string([]byte{base62[1+d.below(9)], 'd', '7'})
	o.orgID, o.realmID = o.id(kindOrg, 0), o.id(kindRealm, 0)
	o.userTypeID, o.schemaID = o.id(kindUserType, 0), o.id(kindSchema, 0)
	o.planEvents()
	o.hire()
	o.formGroups()
	o.assignRoles()
	o.foundIAM()
}

func (o *Org) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, h := range o.writes() {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { o.serve(w, r, h) })
	}
	for pattern, h := range map[string]handler{
		"/.well-known/okta-organization":                                o.wellKnown,
		"/api/v1/org":                                                   o.orgSettings,
		"/api/v1/principal-rate-limits":                                 o.principalRateLimits,
		"/api/v1/users":                                                 o.listUsers,
		"/api/v1/users/{user}":                                          o.getUser,
		"/api/v1/users/{user}/roles":                                    o.listUserRoles,
		"/api/v1/users/{user}/groups":                                   o.listUserGroups,
		"/api/v1/users/{user}/factors":                                  o.listFactors,
		"/api/v1/users/{user}/factors/{factor}":                         o.getFactor,
		"/api/v1/users/{user}/devices":                                  o.listUserDevices,
		"/api/v1/devices":                                               o.listDevices,
		"/api/v1/devices/{device}":                                      o.getDevice,
		"/api/v1/devices/{device}/users":                                o.listDeviceUsers,
		"/api/v1/meta/types/user":                                       o.listUserTypes,
		"/api/v1/meta/types/user/{type}":                                o.getUserType,
		"/api/v1/meta/schemas/user/{schema}":                            o.getUserSchema,
		"/api/v1/api-tokens":                                            o.listAPITokens,
		"/api/v1/api-tokens/{token}":                                    o.getAPIToken,
		"/api/v1/groups":                                                o.listGroups,
		"/api/v1/groups/{group}":                                        o.groupOrRules,
		"/api/v1/groups/{group}/users":                                  o.listMembers,
		"/api/v1/groups/{group}/roles":                                  o.listGroupRoles,
		"/api/v1/groups/{group}/apps":                                   o.listGroupApps,
		"/api/v1/groups/{group}/{rule}":                                 o.getGroupRule,
		"/api/v1/apps":                                                  o.listApps,
		"/api/v1/apps/{app}":                                            o.getApp,
		"/api/v1/apps/{app}/users":                                      o.listAppUsers,
		"/api/v1/apps/{app}/users/{user}":                               o.getAppUser,
		"/api/v1/apps/{app}/groups":                                     o.listAppGroups,
		"/api/v1/apps/{app}/groups/{group}":                             o.getAppGroup,
		"/api/v1/iam/assignees/users":                                   o.listAssignees,
		"/api/v1/iam/roles":                                             o.listRoles,
		"/api/v1/iam/roles/{role}":                                      o.getRole,
		"/api/v1/iam/roles/{role}/permissions":                          o.listPermissions,
		"/api/v1/iam/resource-sets":                                     o.listResourceSets,
		"/api/v1/iam/resource-sets/{set}":                               o.getResourceSet,
		"/api/v1/iam/resource-sets/{set}/resources":                     o.listResources,
		"/api/v1/iam/resource-sets/{set}/bindings":                      o.listBindings,
		"/api/v1/iam/resource-sets/{set}/bindings/{role}/members":       o.listBindingMembers,
		"/api/v1/eventHooks":                                            o.listHooks,
		"/api/v1/eventHooks/{hook}":                                     o.getHook,
		"/api/v1/logs":                                                  o.listLogs,
		"/oauth2/v1/clients/{client}/roles":                             o.listClientRoles,
		"/oauth2/v1/clients/{client}/roles/{assignment}/targets/groups": o.listClientTargets(true),
		"/oauth2/v1/clients/{client}/roles/{assignment}/targets/catalog/apps": o.listClientTargets(false),
		"/api/v1/users/{user}/roles/{assignment}/targets/groups":              o.listUserTargets(true),
		"/api/v1/users/{user}/roles/{assignment}/targets/catalog/apps":        o.listUserTargets(false),
		"/api/v1/groups/{group}/roles/{assignment}/targets/groups":            o.listGroupTargets(true),
		"/api/v1/groups/{group}/roles/{assignment}/targets/catalog/apps":      o.listGroupTargets(false),
		"POST " + tokenPath: o.tokenEndpoint,
		"/":                 o.pathUnknown,
	} {
		if !strings.Contains(pattern, " ") { // those with a verb may change the org, and take the lock themselves
			h = o.reading(h)
		}
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { o.serve(w, r, h) })
	}
	return mux
}

// ServeHTTP answers as Okta's API does.
func (o *Org) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if o.abroad(r) {
		_, _ = w.Write([]byte("[]"))
		return
	}
	o.mux.ServeHTTP(w, r)
}

// abroad counts requests to a host that is not the org's, and which only a fault's link can have named.
func (o *Org) abroad(r *http.Request) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.foreign[r.Host] {
		return false
	}
	o.stats.Foreign++
	for _, name := range []string{"Authorization", "Dpop", "Cookie", "Proxy-Authorization"} {
		if r.Header.Get(name) != "" {
			o.stats.Leaked++
			break
		}
	}
	return true
}

// base is the scheme and host that links in the answer name.
func (o *Org) base(r *http.Request) string {
	switch {
	case o.options.BaseURL != "":
		return o.options.BaseURL
	case r == nil:
		return DefaultBaseURL
	default:
		return hostOf(r)
	}
}

// hostOf is the scheme and host that a request was sent to.
func hostOf(r *http.Request) string {
	switch {
	case r.URL.Scheme != "":
		return r.URL.Scheme + "://" + r.Host
	case r.TLS != nil:
		return "https://" + r.Host
	default:
		return "http://" + r.Host
	}
}

// adminBase is the admin console's host, which objects under /iam link to: "acme.okta.com" becomes
// "acme-admin.okta.com". An address or a bare name has none.
func adminBase(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return base
	}
	first, rest, named := strings.Cut(u.Hostname(), ".")
	if !named || strings.Contains(u.Hostname(), ":") || strings.Trim(rest, "0123456789.") == "" {
		return base
	}
	host := first + "-admin." + rest
	if u.Port() != "" {
		host += ":" + u.Port()
	}
	return u.Scheme + "://" + host
}
