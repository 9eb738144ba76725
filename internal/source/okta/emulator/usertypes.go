package emulator

import "net/http"

// userType is a kind of user with a profile of its own. Everybody of the demo company is of the first.
type userType struct {
	name, label, description string
	custom                   []schemaProperty
}

type schemaProperty struct {
	name, title, typ string
	items            string // type of an array's items
}

var userTypes = []userType{
	{"user", "User", "Okta user profile template with default permission settings", []schemaProperty{
		{"contractEndDate", "Contract end", "string", ""},
		{"sponsor", "Sponsor", "string", ""},
		{"terminationDate", "Termination", "string", ""},
		{"badgeNumber", "Badge", "integer", ""},
		{"remoteShare", "Share of remote work", "number", ""},
		{"unionMember", "Union member", "boolean", ""},
		{"licences", "Licences", "array", "string"},
	}},
	{"agencyStaff", "Agency staff", "People whom an agency pays", []schemaProperty{
		{"agency", "Agency", "string", ""},
		{"dayRate", "Day rate", "number", ""},
		{"siteCodes", "Sites", "array", "integer"},
	}},
	{"machine", "Machine", "Accounts of machines", []schemaProperty{
		{"owner", "Owner", "string", ""},
		{"rotationDays", "Days between rotations", "integer", ""},
		{"weights", "Weights", "array", "number"},
	}},
}

// schemaBase are those that every org has, in Okta's order.
var schemaBase = []struct{ name, title, rest string }{
	{"login", "Username", `"required":true,"mutability":"READ_WRITE","scope":"NONE","minLength":5,"maxLength":100`},
	{"firstName", "First name", `"required":true,"mutability":"READ_WRITE","scope":"NONE","minLength":1,"maxLength":50`},
	{"lastName", "Last name", `"required":true,"mutability":"READ_WRITE","scope":"NONE","minLength":1,"maxLength":50`},
	{"middleName", "Middle name", ""},
	{"honorificPrefix", "Honorific prefix", ""},
	{"honorificSuffix", "Honorific suffix", ""},
	{"email", "Primary email", `"required":true,"format":"email","mutability":"READ_WRITE","scope":"NONE"`},
	{"title", "Title", ""},
	{"displayName", "Display name", ""},
	{"nickName", "Nickname", ""},
	{"profileUrl", "Profile Url", `"format":"uri","mutability":"READ_WRITE","scope":"NONE"`},
	{"secondEmail", "Secondary email", `"format":"email","mutability":"READ_WRITE","scope":"NONE"`},
	{"mobilePhone", "Mobile phone", `"mutability":"READ_WRITE","scope":"NONE","maxLength":100`},
	{"primaryPhone", "Primary phone", `"mutability":"READ_WRITE","scope":"NONE","maxLength":100`},
	{"streetAddress", "Street address", ""},
	{"city", "City", ""},
	{"state", "State", ""},
	{"zipCode", "Zip code", ""},
	{"countryCode", "Country code", `"format":"country-code","mutability":"READ_WRITE","scope":"NONE"`},
	{"postalAddress", "Postal Address", ""},
	{"preferredLanguage", "Preferred language", `"format":"language-code","mutability":"READ_WRITE","scope":"NONE"`},
	{"locale", "Locale", `"format":"locale","mutability":"READ_WRITE","scope":"NONE"`},
	{"timezone", "Time zone", `"format":"timezone","mutability":"READ_WRITE","scope":"NONE"`},
	{"userType", "User type", ""},
	{"employeeNumber", "Employee number", ""},
	{"costCenter", "Cost center", ""},
	{"organization", "Organization", ""},
	{"division", "Division", ""},
	{"department", "Department", ""},
	{"managerId", "ManagerId", ""},
	{"manager", "Manager", ""},
}

const usualProperty = `"mutability":"READ_WRITE","scope":"NONE"`

func (o *Org) listUserTypes(c *call) answer {
	t := text{}
	for i := range userTypes {
		o.writeUserType(&t, i, c.base)
	}
	return answer{status: http.StatusOK, list: true, items: t.b}
}

func (o *Org) getUserType(c *call) answer {
	i, ok := o.indexOf(kindUserType, c.value("type"), len(userTypes))
	if c.value("type") == "default" {
		i, ok = 0, true
	}
	if !ok {
		return o.notFound(c, c.value("type"), "UserType")
	}
	t := text{}
	o.writeUserType(&t, i, c.base)
	return object(t.b)
}

// typeCreated is when a user type came to be: the first with the org.
func (o *Org) typeCreated(i int) int64 { return o.now - orgAge + int64(i)*300*day }

func (o *Org) writeUserType(t *text, i int, base string) {
	admin, kind := o.id(kindUser, o.staff.places[partFirstAdmin]), userTypes[i]
	id, schema := o.id(kindUserType, i), o.id(kindSchema, i)
	t.object("")
	t.strs("id", id)
	t.str("displayName", kind.label)
	t.str("name", kind.name)
	t.str("description", kind.description)
	t.strs("createdBy", admin)
	t.strs("lastUpdatedBy", admin)
	t.at("created", o.typeCreated(i))
	t.at("lastUpdated", o.typeCreated(i)+day)
	t.raw("default", map[bool]string{true: "true", false: "false"}[i == 0])
	t.object("_links")
	t.raw("schema", `{"rel":"schema","href":"`+base+`/api/v1/meta/schemas/user/`+schema+`","method":"GET"}`)
	t.raw("self", `{"rel":"self","href":"`+base+`/api/v1/meta/types/user/`+id+`","method":"GET"}`)
	t.end()
	t.end()
}

func (o *Org) getUserSchema(c *call) answer {
	i, ok := o.indexOf(kindSchema, c.value("schema"), len(userTypes))
	if c.value("schema") == "default" {
		i, ok = 0, true
	}
	if !ok {
		return o.notFound(c, c.value("schema"), "Schema")
	}
	id, kind := o.id(kindSchema, i), userTypes[i]
	name := id
	if i == 0 {
		name = "default"
	}
	t := text{}
	t.object("")
	t.strs("id", c.base, "/meta/schemas/user/", name)
	t.raw("$schema", `"http://json-schema.org/draft-04/schema#"`)
	t.str("name", kind.name)
	t.str("title", kind.label)
	t.str("description", kind.description)
	t.at("lastUpdated", o.typeCreated(i)+day)
	t.at("created", o.typeCreated(i))
	t.object("definitions")
	t.object("custom")
	t.raw("id", `"#custom"`)
	t.raw("type", `"object"`)
	t.object("properties")
	for _, p := range kind.custom {
		t.object(p.name)
		t.str("title", p.title)
		t.str("type", p.typ)
		writeProperty(&t, usualProperty, "READ_ONLY")
		if p.items != "" {
			t.raw("items", `{"type":"`+p.items+`"}`)
		}
		t.end()
	}
	t.end()
	t.raw("required", "[]")
	t.end()
	t.object("base")
	t.raw("id", `"#base"`)
	t.raw("type", `"object"`)
	t.object("properties")
	for _, p := range schemaBase {
		t.object(p.name)
		t.str("title", p.title)
		t.raw("type", `"string"`)
		if p.rest == "" {
			writeProperty(&t, usualProperty, "READ_ONLY")
		} else {
			writeProperty(&t, p.rest, "READ_WRITE")
		}
		t.end()
	}
	t.end()
	t.raw("required", `["login","firstName","lastName","email"]`)
	t.end()
	t.end()
	t.raw("type", `"object"`)
	t.raw("properties", `{"profile":{"allOf":[{"$ref":"#/definitions/custom"},{"$ref":"#/definitions/base"}]}}`)
	t.object("_links")
	t.raw("self", `{"rel":"self","href":"`+c.base+`/api/v1/meta/schemas/user/`+id+`","method":"GET"}`)
	t.raw("type", `{"rel":"type","href":"`+c.base+`/api/v1/meta/types/user/`+o.id(kindUserType, i)+`","method":"GET"}`)
	t.end()
	t.end()
	return object(t.b)
}

func writeProperty(t *text, members, action string) {
	t.comma()
	t.b = append(t.b, members...)
	t.raw("permissions", `[{"principal":"SELF","action":"`+action+`"}]`)
}
