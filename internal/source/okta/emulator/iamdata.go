package emulator

// Role types. The first four can be limited to targets; their assignments share one id in all the world.
const (
	appAdmin             = "APP_ADMIN"
	userAdmin            = "USER_ADMIN"
	helpDeskAdmin        = "HELP_DESK_ADMIN"
	groupMembershipAdmin = "GROUP_MEMBERSHIP_ADMIN"
	superAdmin           = "SUPER_ADMIN"
	orgAdmin             = "ORG_ADMIN"
	readOnlyAdmin        = "READ_ONLY_ADMIN"
	reportAdmin          = "REPORT_ADMIN"
	apiAdmin             = "API_ACCESS_MANAGEMENT_ADMIN"
	certificationsAdmin  = "ACCESS_CERTIFICATIONS_ADMIN"
	accessRequestsAdmin  = "ACCESS_REQUESTS_ADMIN"
	workflowsAdmin       = "WORKFLOWS_ADMIN"
	customType           = "CUSTOM"
)

var roleLabels = map[string]string{
	appAdmin: "Application Administrator", userAdmin: "Group Administrator", helpDeskAdmin: "Help Desk Administrator",
	groupMembershipAdmin: "Group Membership Administrator", superAdmin: "Super Administrator", orgAdmin: "Organization Administrator",
	readOnlyAdmin: "Read-only Administrator", reportAdmin: "Report Administrator", apiAdmin: "API Access Management Administrator",
	certificationsAdmin: "Access Certifications Administrator", accessRequestsAdmin: "Access Requests Administrator", workflowsAdmin: "Workflows Administrator",
}

// targetable types have the base32 of their name as the id of every assignment.
var targetable = map[string]string{
	appAdmin: "IFIFAX2BIRGUSTQ", userAdmin: "KVJUKUS7IFCE2SKO", helpDeskAdmin: "JBCUYUC7IRCVGS27IFCE2SKO",
	groupMembershipAdmin: "I5JE6VKQL5GUKTKCIVJFGSCJKBPUCRCNJFHA",
}

// iamPolicies are the resource sets of the standard roles that are built on custom ones.
var iamPolicies = map[string]string{
	certificationsAdmin: "ACCESS_CERTIFICATIONS_IAM_POLICY", accessRequestsAdmin: "ACCESS_REQUESTS_IAM_POLICY", workflowsAdmin: "WORKFLOWS_IAM_POLICY",
}

type customRole struct {
	label, description string
	permissions        []string
	conditions         map[string]string // by permission: JSON
}

// Positions in customRoles that assignments name.
const (
	customPasswordResetter = iota
	customProfileEditor
	customGroupKeeper
	customAppAssigner
	customWorkflowRunner
	customContractorSponsor
	customDeviceDesk
	customAuditor
)

var customRoles = []customRole{
	{"Password resetter", "Resets passwords and factors, nothing else", []string{"okta.users.read", "okta.users.credentials.resetPassword", "okta.users.credentials.resetFactors", "okta.users.credentials.manageTemporaryAccessCode"}, nil},
	{
		"Terminal profile editor", "Edits the address of yard staff",
		[]string{"okta.users.read", "okta.users.userprofile.manage", "okta.groups.read"},
		map[string]string{"okta.users.userprofile.manage": `{"include":{"okta:ResourceAttribute/User/Profile":["city","state","streetAddress","zipCode"]}}`},
	},
	{"Group keeper", "Keeps member lists", []string{"okta.groups.read", "okta.groups.members.manage"}, nil},
	{"App assigner", "Assigns business applications", []string{"okta.apps.read", "okta.apps.assignment.manage", "okta.users.appAssignment.manage", "okta.groups.appAssignment.manage"}, nil},
	{"Workflow runner", "", []string{"okta.workflows.read", "okta.workflows.invoke"}, nil},
	{
		"Contractor sponsor", "Creates and ends the accounts of contractors",
		[]string{"okta.users.create", "okta.users.read", "okta.users.lifecycle.deactivate", "okta.users.lifecycle.suspend", "okta.users.groupMembership.manage"},
		map[string]string{"okta.users.read": `{"exclude":{"okta:ResourceAttribute/User/Profile":["mobilePhone","streetAddress","secondEmail"]}}`},
	},
	{"Device desk", "Devices of the yards", []string{"okta.devices.read", "okta.devices.lifecycle.manage", "okta.users.read"}, nil},
	{"Access reviewer", "Sees who can do what", []string{"okta.iam.read", "okta.users.read", "okta.groups.read", "okta.apps.read", "okta.governance.accessCertifications.manage"}, nil},
	{"Brand editor", "Sign-in page and messages", []string{"okta.customizations.read", "okta.customizations.manage"}, nil},
	{"Directory importer", "Runs imports from the directories", []string{"okta.profilesources.import.run"}, nil},
	{"API steward", "Authorization servers and what they protect", []string{"okta.authzServers.read", "okta.authzServers.manage", "okta.apps.read", "okta.apps.clientCredentials.read", "okta.identityProviders.read"}, nil},
	{"Identity operations", "The daily work of the identity team", []string{
		"okta.users.manage", "okta.users.create", "okta.users.read", "okta.users.credentials.manage", "okta.users.userprofile.manage", "okta.users.lifecycle.manage",
		"okta.users.groupMembership.manage", "okta.users.appAssignment.manage", "okta.groups.manage", "okta.groups.create", "okta.groups.read", "okta.groups.members.manage", "okta.apps.read", "okta.identityProviders.manage", "okta.support.cases.manage",
	}, nil},
}

// builtOn are the standard roles that Okta lists among the custom ones, under their type name.
var builtOn = []struct {
	role        string
	description string
	permissions []string
}{
	{accessRequestsAdmin, "Manages access requests", []string{"okta.governance.accessRequests.manage", "okta.users.read"}},
	{certificationsAdmin, "Manages access certification campaigns", []string{"okta.governance.accessCertifications.manage", "okta.users.read", "okta.groups.read"}},
	{workflowsAdmin, "Full access to workflows", []string{"okta.workflows.read", "okta.workflows.invoke"}},
}

type resourceSet struct {
	label, description string
	resources          []resource
}

// resource is one line of a resource set: a group with or without its members, an application, or all of a kind.
type resource struct {
	group   string // name of the group
	members bool   // the people in the group rather than the group
	app     int    // index in applications plus one
	all     string // users, groups or apps
}

// Positions in resourceSets that assignments name.
const (
	setTerminals = iota
	setEMEA
	setBusinessApps
	setEveryoneButAdmins
	setAutomation
	setContractors
	setEverything
)

var resourceSets = []resourceSet{
	{"Terminals", "Yard staff and their groups", []resource{{group: "Terminal Operations", members: true}, {group: "Terminal Operations"}, {group: "Yard Radio Users"}, {group: "Terminal Wi-Fi"}}},
	{"EMEA member lists", "What regional coordinators keep", []resource{{group: "Terminal Operations"}, {group: "Customs Portal Users"}, {group: "Remote Workers"}}},
	{"Business applications", "", []resource{{app: appServiceNow + 1}, {app: appSalesforce + 1}, {app: 4}, {app: 5}, {app: 6}}},
	{"Staff", "Everybody the service desk serves", []resource{{all: "users"}}},
	{"Automation", "What pipelines may touch", []resource{{app: 8}, {group: "Platform Automation"}}},
	{"Contractors", "People from outside", []resource{{group: "All Contractors", members: true}, {group: "All Contractors"}}},
	{"Everything", "All users, groups and applications", []resource{{all: "users"}, {all: "groups"}, {all: "apps"}}},
}
