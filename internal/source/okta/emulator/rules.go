package emulator

import "strings"

const (
	rulesUsual = 50
	rulesPage  = 200
)

// groupRule puts people into groups by their profile. Groups that hold roles have none: Okta does not allow both.
type groupRule struct {
	index                  int
	id, name, status, when string
	group                  int // whom it puts people into
	created, updated       int64
	exclude                []int // people it passes over
}

// ruleCount: one for each department, the contractors and two that do nothing, and one for every fifth project group.
func (o *Org) ruleCount() int {
	return len(departments) + 3 + max(0, (o.options.Users/50+2-usualGroups)/5)
}

func (o *Org) ruleAt(i int) groupRule {
	d := newDraw(o.seed, saltGroupRule, i)
	r := groupRule{index: i, id: o.id(kindRule, 1+i), status: active} // 0 is the sign-on policy's
	plain := departmentHome + len(departments) + len(appGroups)
	switch more := i - len(departments); {
	case more < 0:
		r.group = departmentHome + i
		r.name, r.when = "Department "+departments[i].name, `user.department=="`+departments[i].name+`"`
		if i == deptIT {
			r.exclude = []int{o.staff.places[partEmergency]}
		}
	case more == 0:
		r.group, r.name, r.when = plain, "Contractors", `user.userType=="Contractor"`
	case more == 1:
		r.group, r.name, r.status = plain+4, "Leadership by title", "INACTIVE"
		r.when = `String.stringContains(user.title,"Vice President") OR String.stringContains(user.title,"Chief")`
	case more == 2:
		r.group, r.name, r.status, r.when = plain+11, "Wi-Fi by terminal", "INVALID", `user.terminalCode=="RTM-4"`
	default:
		r.group = usualGroups + (more-3)*5
		division := projectName(r.group - usualGroups)
		r.name, r.when = "Members of "+division, `user.division=="`+division+`"`
	}
	if o.groups[r.group].gone {
		r.status = "INVALID"
	}
	r.created = min(o.groups[r.group].created+int64(d.below(86400)), o.now-40*day)
	r.updated = d.between(r.created, o.now-20*day)
	return r
}

// groupOrRules answers /groups/{id}: "rules" is no group's id.
func (o *Org) groupOrRules(c *call) answer {
	if c.value("group") == "rules" {
		return o.listGroupRules(c)
	}
	return o.getGroup(c)
}

func (o *Org) getGroupRule(c *call) answer {
	if c.value("group") != "rules" {
		return o.pathUnknown(c)
	}
	i, ok := o.indexOf(kindRule, c.value("rule"), o.ruleCount()+1)
	if !ok || i == 0 {
		return o.notFound(c, c.value("rule"), "GroupRule")
	}
	t := text{}
	o.writeGroupRule(&t, o.ruleAt(i-1), c.query.Get("expand"))
	return object(t.b)
}

func (o *Org) listGroupRules(c *call) answer {
	limit, ok := c.limit(rulesUsual, rulesPage)
	if !ok {
		return o.badLimit(c)
	}
	from, after := 0, c.query.Get("after")
	if after != "" {
		if from, ok = o.indexOf(kindRule, after, o.ruleCount()+1); !ok {
			return o.badCursor(c)
		}
	}
	search, expand := c.query.Get("search"), c.query.Get("expand")
	params := []string{"limit", itoa(limit), "search", search, "expand", expand}
	t, n, last, next := text{}, 0, "", ""
	for i := from; i < o.ruleCount(); i++ {
		r := o.ruleAt(i)
		if search != "" && !strings.Contains(strings.ToLower(r.name+"\n"+r.when+"\n"+o.groups[r.group].name), strings.ToLower(search)) {
			continue
		}
		if n == limit {
			next = c.link("/api/v1/groups/rules", append([]string{"after", last}, params...)...)
			break
		}
		o.writeGroupRule(&t, r, expand)
		n, last = n+1, r.id
	}
	return paged(t.b, c.link("/api/v1/groups/rules", append([]string{"after", after}, params...)...), next)
}

func (o *Org) writeGroupRule(t *text, r groupRule, expand string) {
	t.object("")
	t.raw("type", `"group_rule"`)
	t.strs("id", r.id)
	t.str("status", r.status)
	t.str("name", r.name)
	t.at("created", r.created)
	t.at("lastUpdated", r.updated)
	t.object("conditions")
	t.object("people")
	t.object("users")
	t.array("exclude")
	for _, i := range r.exclude {
		t.comma()
		t.quote(o.id(kindUser, i))
	}
	t.endArray()
	t.end()
	t.raw("groups", `{"exclude":[]}`)
	t.end()
	t.object("expression")
	t.str("value", r.when)
	t.raw("type", `"urn:okta:expression:1.0"`)
	t.end()
	t.end()
	group := o.groups[r.group]
	t.raw("actions", `{"assignUserToGroups":{"groupIds":["`+group.id+`"]}}`)
	t.raw("allGroupsValid", map[bool]string{true: "false", false: "true"}[group.gone])
	if strings.Contains(expand, "groupIdToGroupNameMap") {
		t.object("_embedded")
		t.object("groupIdToGroupNameMap")
		t.str(group.id, group.name)
		t.end()
		t.end()
	}
	t.end()
}
