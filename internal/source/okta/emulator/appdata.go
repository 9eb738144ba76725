package emulator

// Sign-on modes: what an application's credentials and settings hold depends on it.
const (
	modeOIDC      = "OPENID_CONNECT"
	modeSAML2     = "SAML_2_0"
	modeSAML1     = "SAML_1_1"
	modeWSFed     = "WS_FEDERATION"
	modePlugin    = "BROWSER_PLUGIN"
	modeStore     = "SECURE_PASSWORD_STORE"
	modeAutoLogin = "AUTO_LOGIN"
	modeBasic     = "BASIC_AUTH"
	modeBookmark  = "BOOKMARK"
)

// Kinds of OAuth client.
const (
	clientWeb     = "web"
	clientNative  = "native"
	clientService = "service"
)

type appSpec struct {
	label, mode string
	client      string // kind of OAuth client, "" when it is none
	inactive    bool
}

// appSpecs are the applications, in the order of their ids: those that other files name by their position in
// applications, then the rest of the demo company's.
var appSpecs = []appSpec{
	{applications[appActiveDirectory], modeAutoLogin, "", false},
	{applications[appServiceNow], modeSAML2, "", false},
	{applications[appSalesforce], modeSAML2, "", false},
	{applications[3], modeSAML2, "", false},
	{applications[4], modeSAML2, "", false},
	{applications[5], modePlugin, "", false},
	{applications[6], modeStore, "", false},
	{applications[7], modeOIDC, clientWeb, false},
	{applications[8], modeOIDC, clientWeb, false},
	{applications[9], modeOIDC, clientWeb, false},
	{applications[appAdminConsole], modeOIDC, clientWeb, false},
	{applications[appDashboard], modeOIDC, clientWeb, false},
	{"Access Catalog", modeOIDC, clientService, false},
	{"Infrastructure Pipelines", modeOIDC, clientService, false},
	{"Badge Office Sync", modeOIDC, clientService, false},
	{"Yard Telemetry", modeOIDC, clientService, false},
	{"Berth Planner Mobile", modeOIDC, clientNative, false},
	{"Port Authority Rates", modeBookmark, "", false},
	{"Tide Tables", modeBasic, "", false},
	{"Ship Chandler Orders", modeAutoLogin, "", true},
	{"Works Council Intranet", modeWSFed, "", false},
	{"Old Payroll", modeSAML1, "", true},
}

// Positions in appSpecs that other files name.
const (
	appAccessCatalog = 12
	appPipelines     = 13
	appBadgeOffice   = 14
	appTelemetry     = 15
)

// moreModes are those of the applications beyond appSpecs, each as often as it stands here.
var moreModes = []string{modeSAML2, modeSAML2, modeSAML2, modeOIDC, modeOIDC, modePlugin, modeBookmark, modeStore}

// clientRoles are the admin roles of service apps. Yard Telemetry has none: its token reads empty lists, or nothing.
var clientRoles = []struct {
	app   int
	roles []role
}{
	{appAccessCatalog, []role{{standard: readOnlyAdmin}}},
	{appPipelines, []role{{standard: superAdmin}}},
	{appBadgeOffice, []role{{standard: groupMembershipAdmin}, {custom: customGroupKeeper, resourceSet: setTerminals}}},
}

// Salts of what this and the following files draw, out of the way of those in random.go and of ids and faults.
const (
	saltApp salt = 1<<48 + iota
	saltAppUser
	saltAppGroup
	saltTarget
	saltClient
	saltGroupRule
	saltDevice
	saltFactor
	saltToken
)
