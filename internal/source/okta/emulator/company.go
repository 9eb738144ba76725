package emulator

// The demo company: Harborline, which moves freight between ports. Everything here is made up.
const (
	companyName   = "Harborline"
	companyDomain = "harborline.example"
	vendorDomain  = "brightquay.example" // a contractor's own firm
)

type department struct {
	name   string
	weight int // share of the staff, of 100
	cost   string
	head   string // title of its head
	leads  []string
	titles []string
}

var departments = []department{
	{"Terminal Operations", 26, "4100", "Vice President, Terminal Operations", []string{"Shift Supervisor", "Yard Manager"}, []string{"Crane Operator", "Yard Planner", "Vessel Planner", "Gate Clerk", "Dispatcher"}},
	{"Freight Forwarding", 18, "4200", "Vice President, Freight Forwarding", []string{"Forwarding Team Lead"}, []string{"Freight Forwarder", "Customs Broker", "Booking Agent", "Documentation Specialist"}},
	{"Customer Care", 13, "4300", "Director of Customer Care", []string{"Customer Care Team Lead"}, []string{"Customer Care Agent", "Key Account Agent", "Claims Handler"}},
	{"Engineering", 12, "5100", "Vice President, Engineering", []string{"Engineering Manager", "Staff Engineer"}, []string{"Software Engineer", "Senior Software Engineer", "Data Engineer", "Site Reliability Engineer", "QA Engineer"}},
	{"Sales", 10, "3100", "Vice President, Sales", []string{"Regional Sales Manager"}, []string{"Account Executive", "Sales Development Representative", "Pricing Analyst"}},
	{"Finance", 7, "2100", "Chief Financial Officer", []string{"Accounting Manager", "Controller"}, []string{"Accountant", "Payroll Specialist", "Financial Analyst", "Treasury Analyst"}},
	{"People", 4, "2200", "Director of People", []string{"People Partner Lead"}, []string{"People Partner", "Recruiter", "Learning Specialist"}},
	{"Information Technology", 5, "2300", "Director of Information Technology", []string{"IT Operations Manager", "Service Desk Lead"}, []string{"Service Desk Analyst", "Systems Administrator", "Network Engineer", "Identity Engineer"}},
	{"Security", 2, "2400", "Chief Information Security Officer", []string{"Security Operations Lead"}, []string{"Security Analyst", "Security Engineer"}},
	{"Legal and Compliance", 3, "2500", "General Counsel", []string{"Compliance Manager"}, []string{"Counsel", "Compliance Analyst", "Internal Auditor"}},
}

// Positions in departments that the story names.
const (
	deptEngineering = 3
	deptIT          = 7
	deptSecurity    = 8
	deptLegal       = 9
)

type office struct {
	city, state, country, countryCode, zip, street, timezone string
	lat, lon                                                 string
	network                                                  string // first three bytes of its documentation-only address range
	asn                                                      string
	asOrg, isp, domain                                       string
}

var offices = []office{
	{"Rotterdam", "South Holland", "Netherlands", "NL", "3011", "Boompjes 40", "Europe/Amsterdam", "51.9225", "4.4792", "192.0.2.", "64496", "harborline networks", "harborline networks", "harborline.example"},
	{"Oakland", "California", "United States", "US", "94607", "530 Water Street", "America/Los_Angeles", "37.7957", "-122.2787", "198.51.100.", "64497", "pacific carrier", "pacific carrier", "pacific-carrier.example"},
	{"Savannah", "Georgia", "United States", "US", "31401", "2 East Bay Street", "America/New_York", "32.0809", "-81.0912", "198.51.100.", "64498", "coastal carrier", "coastal carrier", "coastal-carrier.example"},
	{"Valparaíso", "Valparaíso", "Chile", "CL", "2340000", "Calle Blanco 1131", "America/Santiago", "-33.0458", "-71.6197", "203.0.113.", "64499", "cono sur telecom", "cono sur telecom", "conosur.example"},
	{"Gdańsk", "Pomerania", "Poland", "PL", "80-001", "Targ Rybny 4", "Europe/Warsaw", "54.352", "18.6466", "203.0.113.", "64500", "baltic net", "baltic net", "balticnet.example"},
}

// officeShares is where people work: each place as often as its position in offices stands here.
var officeShares = []int{0, 0, 0, 0, 1, 1, 2, 2, 3, 4}

// elsewhere is where nobody of the company works: the contractor's sign-ins come from there.
var elsewhere = office{"Tallinn", "Harju", "Estonia", "EE", "10111", "", "Europe/Tallinn", "59.437", "24.7536", "203.0.113.", "64511", "transit hosting", "transit hosting", "transit-hosting.example"}

// role names an assigned role: a standard type, or a custom role with its resource set.
type role struct {
	standard    string // type, "" for a custom role
	custom      int    // index in customRoles
	resourceSet int    // index in resourceSets
}

// part is what somebody plays in the company's story.
type part int

const (
	partFirstAdmin part = iota
	partChief
	partCISO
	partIdentityEngineer
	partContractor
	partLeaver
	partGone
	partService
	partWorkflows
	partHelpDesk
	partWarehouseEditor
	partAuditor
	partLockedOut
	partAppOwner
	partEmergency
	partCount
)

type person struct {
	part                 part
	given, family, login string // login "" is made from the name
	email                string // "" is the login
	title, userType      string
	department           int // -1: none
	status               string
	daysAgo              int   // created; 0 leaves the one of its place
	place                int   // per mille of the staff, in the order of joining
	quiet                int64 // seconds since the last sign-in; 0 leaves the drawn one, -1 is never
	roles                []role
	groups               []string    // names of groups beside the department's
	custom               [][2]string // more of the profile; "@n" is the date n days before Now
}

// cast is the people that the demo is about. Their places in the order of joining scale with the company.
var cast = []person{
	{
		part: partFirstAdmin, given: "Ingrid", family: "Solheim", title: "Director of Information Technology", userType: "Employee", department: deptIT, status: active, place: 0, quiet: 3 * 3600,
		roles: []role{{standard: superAdmin}},
	},
	{part: partChief, given: "Desmond", family: "Achterberg", title: "Chief Executive Officer", userType: "Employee", department: -1, status: active, place: 2, quiet: 26 * 3600},
	{
		part: partCISO, given: "Priya", family: "Raghunathan", title: "Chief Information Security Officer", userType: "Employee", department: deptSecurity, status: active, place: 180, quiet: 5 * 3600,
		roles: []role{{standard: superAdmin}},
	},
	{
		part: partIdentityEngineer, given: "Gareth", family: "Pwyll", title: "Senior Identity Engineer", userType: "Employee", department: deptIT, status: active, place: 560, quiet: 9 * 3600,
		roles: []role{{standard: superAdmin}, {standard: appAdmin}}, groups: []string{"Identity Engineering"},
	},
	{
		part: partContractor, given: "Mateo", family: "Ibarra", login: "mateo.ibarra@" + vendorDomain, email: "mateo.ibarra@" + vendorDomain, title: "Integration Consultant", userType: "Contractor", department: -1, status: active,
		daysAgo: 47, place: 972, quiet: 38 * 60, groups: []string{"Harbor Tools Beta"}, custom: [][2]string{{"contractEndDate", "@17"}, {"sponsor", "gareth.pwyll@" + companyDomain}},
	},
	{
		part: partLeaver, given: "Rurik", family: "Valdemarsson", title: "Former Senior Platform Engineer", userType: "Former Employee", department: deptEngineering, status: suspended, place: 350, quiet: 33 * 86400,
		roles: []role{{standard: appAdmin}, {standard: orgAdmin}}, custom: [][2]string{{"terminationDate", "@32"}},
	},
	{
		part: partGone, given: "Celia", family: "Marchetti", title: "Service Desk Lead", userType: "Former Employee", department: deptIT, status: deprovisioned, place: 300, quiet: 28 * 86400,
		custom: [][2]string{{"terminationDate", "@27"}},
	},
	{
		part: partService, given: "Service", family: "Freight Sync", login: "svc-freight-sync@" + companyDomain, title: "Service Account", userType: "Service Account", department: -1, status: active, daysAgo: 1140, place: 455, quiet: -1,
		roles: []role{{standard: orgAdmin}},
	},
	{
		part: partWorkflows, given: "Service", family: "Workflows", login: "svc-workflows@" + companyDomain, title: "Service Account", userType: "Service Account", department: -1, status: active, daysAgo: 400, place: 815, quiet: 12 * 60,
		roles: []role{{standard: workflowsAdmin}},
	},
	{
		part: partHelpDesk, given: "Nadia", family: "Okonkwo-Bell", title: "Service Desk Analyst", userType: "Employee", department: deptIT, status: active, place: 700, quiet: 1,
		roles: []role{{standard: helpDeskAdmin}}, groups: []string{"IT Service Desk"},
	},
	{
		part: partWarehouseEditor, given: "Yusuf", family: "Demirtaş", title: "Yard Manager", userType: "Employee", department: 0, status: active, place: 640, quiet: 4 * 3600,
		roles: []role{{custom: customProfileEditor, resourceSet: setTerminals}, {custom: customGroupKeeper, resourceSet: setTerminals}},
	},
	{
		part: partAuditor, given: "Aleksandra", family: "Nowicka", title: "Internal Auditor", userType: "Employee", department: deptLegal, status: active, place: 500, quiet: 20 * 3600,
		roles: []role{{standard: readOnlyAdmin}, {standard: certificationsAdmin}}, groups: []string{"Audit and Compliance"},
	},
	{
		part: partLockedOut, given: "Tomasz", family: "Wilk", title: "People Partner", userType: "Employee", department: 6, status: lockedOut, place: 420, quiet: 6 * 86400,
		roles: []role{{standard: userAdmin}},
	},
	{
		part: partAppOwner, given: "Lucia", family: "Ferreira", title: "Staff Engineer", userType: "Employee", department: deptEngineering, status: active, place: 600, quiet: 7 * 3600,
		roles: []role{{standard: apiAdmin}, {standard: appAdmin}, {standard: groupMembershipAdmin}},
	},
	{
		part: partEmergency, given: "Emergency", family: "Access", login: "break-glass@" + companyDomain, title: "Emergency Account", userType: "Service Account", department: -1, status: active, daysAgo: 900, place: 590, quiet: 210 * 86400,
		roles: []role{{standard: superAdmin}},
	},
}

// grantedGroup is a group that holds roles; its members hold them too.
type grantedGroup struct {
	name, description string
	roles             []role
	department        int // where its members come from; -1 anywhere
	size              int // at 500 people
}

var grantedGroups = []grantedGroup{
	{"IT Service Desk", "First line support", []role{{standard: helpDeskAdmin}, {custom: customPasswordResetter, resourceSet: setEveryoneButAdmins}}, deptIT, 7},
	{"Harbor Tools Beta", "Early access to the new harbor tools", []role{{standard: superAdmin}}, deptEngineering, 2},
	{"Identity Engineering", "Owners of this org", []role{{standard: appAdmin}, {standard: userAdmin}, {custom: customAppAssigner, resourceSet: setBusinessApps}}, deptIT, 3},
	{"Audit and Compliance", "Read access for reviews", []role{{standard: readOnlyAdmin}, {standard: certificationsAdmin}}, deptLegal, 4},
	{"People Operations Admins", "", []role{{standard: userAdmin}, {standard: accessRequestsAdmin}}, 6, 4},
	{"Regional Coordinators EMEA", "Keep the member lists of their terminals", []role{{standard: groupMembershipAdmin}, {custom: customGroupKeeper, resourceSet: setEMEA}}, 0, 6},
	{"Platform Automation", "Pipelines and their owners", []role{{standard: apiAdmin}, {custom: customWorkflowRunner, resourceSet: setAutomation}}, deptEngineering, 4},
	{"Reporting Analysts", "Monthly access reports", []role{{standard: reportAdmin}}, 5, 5},
}

// appGroups are imported: by Active Directory, or by a SaaS application.
var appGroups = []string{"HL-Domain-Users-NL", "HL-Domain-Users-US", "HL-VPN-Users", "HL-Finance-Shares", "HL-Terminal-Kiosks", "HL-Print-Operators", "ServiceNow ITIL", "Salesforce Standard"}

var plainGroups = []string{"All Contractors", "Vessel Tracking Pilot", "Dock Safety Committee", "Remote Workers", "Leadership Circle", "Crane Telemetry", "Customs Portal Users", "Fleet Fuel Program", "Yard Radio Users", "New Joiners", "Cargo Claims Review", "Terminal Wi-Fi"}

var projectWords = []string{"Anchor", "Beacon", "Capstan", "Dredger", "Estuary", "Fathom", "Gangway", "Halyard", "Isobar", "Jetty", "Keel", "Lighthouse", "Mooring", "Narrows", "Outrigger", "Pilot", "Quay", "Rigging", "Spinnaker", "Tideline"}

var applications = []string{"Active Directory", "ServiceNow", "Salesforce", "Google Workspace", "Slack", "Workday", "Jira", "Harbor Tools", "Vessel Tracking", "Customs Portal", "Okta Admin Console", "Okta Dashboard"}

// Positions in applications that other files name.
const (
	appActiveDirectory = 0
	appServiceNow      = 1
	appSalesforce      = 2
	appAdminConsole    = 10
	appDashboard       = 11
)
