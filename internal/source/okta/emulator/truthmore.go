package emulator

// tellMore is the ledger of the rest, by the names of the streams: apps, app_users and app_groups (appId added),
// role_targets (principalType, principalId, assignmentId, roleType and targetType added: whose role, the id in the path,
// which does not tell roles of different principals apart, the role's type, and GROUP or APP; one record a target of an
// assignment of its own principal, never of the users that a group's role reaches), client_role_assignments (clientId
// added), resource_set_resources (resourceSetId added), resource_set_bindings (a member, with resourceSetId and roleId
// added), group_rules, devices (with a summary of their users embedded), factors (userId added), user_types, api_tokens.
// Bodies are what the API serves, with the secrets that a reader must not keep.
func (o *Org) tellMore() map[string]func(func(*text) bool) {
	return map[string]func(func(*text) bool){
		"apps": o.tellApps, "app_users": o.tellAppUsers, "app_groups": o.tellAppGroups,
		"role_targets": o.tellTargets, "client_role_assignments": o.tellClientRoles,
		"resource_set_resources": o.tellResources, "resource_set_bindings": o.tellBindings,
		"group_rules": o.tellRules, "devices": o.tellDevices, "factors": o.tellFactors, "user_types": o.tellUserTypes, "api_tokens": o.tellAPITokens,
	}
}

// people is how many accounts there ever were: places go from 0 to it.
func (o *Org) people() int { return o.userCount() }

func (o *Org) tellApps(yield func(*text) bool) {
	t := text{}
	for i := range o.appCount() {
		o.writeApp(&t, o.appAt(i), o.base(nil), false)
		if !yield(&t) {
			return
		}
	}
}

func (o *Org) tellAppUsers(yield func(*text) bool) {
	t := text{}
	for i := range o.appCount() {
		a := o.appAt(i)
		for _, h := range o.appHolders(a, 0, o.people()) {
			u := o.user(h.user)
			o.writeAppUser(&t, a, h, &u, o.base(nil), false)
			t.strs("appId", a.id)
			t.end()
			if !yield(&t) {
				return
			}
		}
	}
}

func (o *Org) tellAppGroups(yield func(*text) bool) {
	t := text{}
	for i := range o.appCount() {
		a := o.appAt(i)
		for priority, g := range o.assignedGroups(a) {
			o.writeAppGroup(&t, a, g, priority, o.base(nil))
			t.strs("appId", a.id)
			t.end()
			if !yield(&t) {
				return
			}
		}
	}
}

// tellTargets goes through people, groups and service apps in that order.
func (o *Org) tellTargets(yield func(*text) bool) {
	for i := range o.people() {
		if !o.gone(i) && !o.tellTargetsOf(o.direct[i], yield) {
			return
		}
	}
	for g := range o.groups {
		if !o.tellTargetsOf(o.granted[g], yield) {
			return
		}
	}
	for i := range o.appCount() {
		if !o.tellTargetsOf(o.clientGrants[i], yield) {
			return
		}
	}
}

func (o *Org) tellTargetsOf(held []assignment, yield func(*text) bool) bool {
	t := text{}
	for _, a := range held {
		for _, groups := range []bool{true, false} {
			for _, target := range o.targetsOf(a, groups) {
				p := a.assignee()
				o.writeTarget(&t, target, o.base(nil))
				t.strs("principalType", p.kind)
				t.strs("principalId", o.principalID(p))
				t.strs("assignmentId", a.id)
				t.strs("roleType", a.standard)
				t.strs("targetType", map[bool]string{true: "GROUP", false: "APP"}[groups])
				t.end()
				if !yield(&t) {
					return false
				}
			}
		}
	}
	return true
}

func (o *Org) tellClientRoles(yield func(*text) bool) {
	t := text{}
	for i := range o.appCount() {
		for _, a := range o.clientGrants[i] {
			o.writeAssignment(&t, a, o.base(nil))
			t.strs("clientId", o.id(kindApp, i))
			t.end()
			if !yield(&t) {
				return
			}
		}
	}
}

func (o *Org) tellResources(yield func(*text) bool) {
	t := text{}
	for _, i := range o.liveSets() {
		id := o.id(kindResourceSet, i)
		for _, r := range o.world.sets[i].resources {
			o.writeResource(&t, r, "/api/v1/iam/resource-sets/"+id, o.base(nil))
			t.b = t.b[:len(t.b)-1]
			t.strs("resourceSetId", id)
			t.end()
			if !yield(&t) {
				return
			}
		}
	}
}

// tellBindings goes through a set's roles in the order of their first binding, as the API lists them.
func (o *Org) tellBindings(yield func(*text) bool) {
	t := text{}
	for _, i := range o.liveSets() {
		for _, key := range o.boundRoles(i) {
			for _, a := range o.bound(i, key) {
				o.writeBindingMember(&t, a, o.base(nil))
				t.strs("resourceSetId", o.id(kindResourceSet, i))
				t.strs("roleId", key)
				t.end()
				if !yield(&t) {
					return
				}
			}
		}
	}
}

func (o *Org) tellRules(yield func(*text) bool) {
	t := text{}
	for i := range o.ruleCount() {
		o.writeGroupRule(&t, o.ruleAt(i), "")
		if !yield(&t) {
			return
		}
	}
}

func (o *Org) tellDevices(yield func(*text) bool) {
	t := text{}
	for place := range 2 * o.people() {
		v, ok := o.deviceOf(place/2, place%2 == 1)
		if !ok {
			continue
		}
		v.write(&t, o.base(nil))
		o.embedUsers(&t, v, "userSummary", o.base(nil))
		t.end()
		if !yield(&t) {
			return
		}
	}
}

func (o *Org) tellFactors(yield func(*text) bool) {
	t := text{}
	for i := range o.people() {
		u := o.user(i)
		for _, f := range o.factorsOf(&u) {
			f.write(&t, u.id, o.base(nil))
			t.strs("userId", u.id)
			t.end()
			if !yield(&t) {
				return
			}
		}
	}
}

func (o *Org) tellUserTypes(yield func(*text) bool) {
	t := text{}
	for i := range userTypes {
		o.writeUserType(&t, i, o.base(nil))
		if !yield(&t) {
			return
		}
	}
}

func (o *Org) tellAPITokens(yield func(*text) bool) {
	t := text{}
	for _, k := range o.apiTokensNow() {
		o.writeAPIToken(&t, k, o.base(nil))
		if !yield(&t) {
			return
		}
	}
}
