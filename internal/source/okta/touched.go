package okta

import (
	"strings"

	"longshore/internal/rawjson"
)

// aspect is what of an object is read again.
type aspect uint8

// The aspects, in the order in which equally urgent ones are read.
const (
	ofUser        aspect = iota // the user
	ofUserRoles                 // the roles that reach the user
	ofMembership                // whether a user is in a group
	ofUserGroups                // all groups that the user is in, and those that the user has left
	ofUserJoins                 // all groups that a new user is in
	ofGroup                     // the group; when it is gone also its members and roles
	ofGroupRoles                // the roles of the group, then those of its members
	ofMembers                   // the members of the group
	ofClientRoles               // the roles of a service app
	ofRole                      // a custom role and its permissions
	ofAllRoles                  // every custom role, for an event that does not name the role
	ofAdmins                    // the built-in group of all administrators, which changes with every role given or taken
	ofSet                       // a resource set, its resources and bindings
	ofAllSets                   // every resource set, for an event that does not name the set
	ofWhole                     // nothing by itself: only reading everything anew tells what has changed
)

// touch is something to be read again: an aspect of an object. With ofMembership, id is the user and group the group.
type touch struct {
	of        aspect
	id, group string
}

// The kinds of object that a target of an event can be, whatever the target's type is called.
const (
	anyEvent = iota - 1
	noTarget
	targetUser
	targetGroup
	targetClient
	targetRole
	targetSet
)

// targetKinds are Okta's names for the types of targets, in lower case without underscores. What an event is about is
// found by the type alone: the order of targets is not the same in all events.
var targetKinds = map[string]int{
	"user": targetUser, "usergroup": targetGroup,
	"publicclientapp": targetClient, "appinstance": targetClient, "oauth2client": targetClient, "client": targetClient,
	"role": targetRole, "customrole": targetRole, "iamrole": targetRole, "customadminrole": targetRole,
	"resourceset": targetSet, "iamresourceset": targetSet,
}

// consequence is what events of a type mean for the targets of a kind.
type consequence struct {
	target int // one of the kinds; noTarget: when the targets tell nothing; anyEvent: whatever they tell
	of     []aspect
}

// effect is what events of a type mean. A name ending in a dot stands for all types that begin so.
type effect struct {
	events       string // separated by spaces
	consequences []consequence
}

// effects is the table of what log events touch. Source: Okta, "Event types", and the rules of its admin API: a
// deactivated user loses roles and memberships without an event for each; who is created is in the group Everyone at once.
// user.session.start is not here: of a user it changes lastLogin alone, which comes with the next full read.
var effects = []effect{
	{"user.lifecycle.create user.lifecycle.activate user.lifecycle.reactivate", []consequence{
		{targetUser, []aspect{ofUser, ofUserRoles, ofUserJoins}},
	}},
	{"user.lifecycle.deactivate user.lifecycle.delete.initiated user.lifecycle.delete.completed", []consequence{
		{targetUser, []aspect{ofUser, ofUserRoles, ofUserGroups}}, {anyEvent, []aspect{ofAdmins}},
	}},
	{"user.lifecycle. user.account.", []consequence{{targetUser, []aspect{ofUser}}}},
	{"user.account.privilege.grant user.account.privilege.revoke", []consequence{{targetUser, []aspect{ofUserRoles}}, {anyEvent, []aspect{ofAdmins}}}},
	{"group.privilege.grant group.privilege.revoke", []consequence{{targetGroup, []aspect{ofGroupRoles}}, {anyEvent, []aspect{ofAdmins}}}},
	{"app.oauth2.client.privilege.grant app.oauth2.client.privilege.revoke", []consequence{{targetClient, []aspect{ofClientRoles}}}},
	{"group.user_membership.add group.user_membership.remove", []consequence{{targetGroup, []aspect{ofGroup}}}}, // and the pairs
	{"group.user_membership.rule.", []consequence{{targetGroup, []aspect{ofMembers}}}},
	{"group.lifecycle.create group.lifecycle.delete group.profile.update", []consequence{{targetGroup, []aspect{ofGroup}}}},
	{"iam.role.", []consequence{{targetRole, []aspect{ofRole}}, {noTarget, []aspect{ofAllRoles}}}},
	{"iam.resourceset.", []consequence{{targetSet, []aspect{ofSet}}, {noTarget, []aspect{ofAllSets}}}},
	{"iam.resourceset.bindings.add iam.resourceset.bindings.delete", []consequence{
		{targetSet, []aspect{ofSet}}, {noTarget, []aspect{ofAllSets}},
		{targetUser, []aspect{ofUserRoles}}, {targetGroup, []aspect{ofGroupRoles}}, {targetClient, []aspect{ofClientRoles}},
	}},
	{"system.import.user. system.import.group. app.user_management", []consequence{{noTarget, []aspect{ofWhole}}}},
}

// effectIndex finds the effect of a type: by its whole name, or by the longest beginning.
type effectIndex map[string][]consequence

func newEffectIndex() effectIndex {
	index := effectIndex{}
	for _, e := range effects {
		for name := range strings.FieldsSeq(e.events) {
			index[name] = e.consequences
		}
	}
	return index
}

func (x effectIndex) of(eventType string) []consequence {
	for name := eventType; name != ""; {
		if found, ok := x[name]; ok {
			return found
		}
		dot := strings.LastIndexByte(strings.TrimSuffix(name, "."), '.')
		name = name[:dot+1]
	}
	return nil
}

// maxEventTargets bounds the targets of one event that are looked at: Okta's own have a handful.
const maxEventTargets = 200

// touches returns what an event touches, whatever its outcome: a lock after failed sign-ins is a FAILURE too.
func (x effectIndex) touches(event []byte) []touch {
	eventType := rawjson.GetString(event, "eventType")
	consequences := x.of(eventType)
	if consequences == nil {
		return nil
	}
	named := eventTargets(event)
	var all []touch
	for _, c := range consequences {
		ids := named[c.target]
		if c.target == anyEvent || c.target == noTarget && len(all) == 0 {
			ids = []string{""}
		}
		for _, id := range ids {
			for _, of := range c.of {
				all = append(all, touch{of: of, id: id})
			}
		}
	}
	if strings.HasPrefix(eventType, "group.user_membership.") && !strings.Contains(eventType, ".rule.") {
		for _, user := range named[targetUser] {
			for _, group := range named[targetGroup] {
				all = append(all, touch{ofMembership, user, group})
			}
		}
	}
	return all
}

// eventTargets returns the ids of an event's targets by their kind.
func eventTargets(event []byte) map[int][]string {
	named := map[int][]string{}
	list, ok := rawjson.Get(event, "target")
	if !ok || rawjson.IsNull(list) {
		return named
	}
	n := 0
	for target, err := range rawjson.Elements(list) {
		if n++; err != nil || n > maxEventTargets {
			break
		}
		kind := targetKinds[strings.ReplaceAll(strings.ToLower(rawjson.GetString(target, "type")), "_", "")]
		if id := rawjson.GetString(target, "id"); kind != 0 && plausibleID(id) {
			named[kind] = append(named[kind], id)
		}
	}
	return named
}

// maxIDBytes is above the 20 characters of Okta's ids, and above the names of standard roles.
const maxIDBytes = 100

// plausibleID refuses what can be no id, such as the word unknown that some events have in its place.
func plausibleID(id string) bool {
	if id == "" || id == "unknown" || len(id) > maxIDBytes {
		return false
	}
	return !strings.ContainsFunc(id, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '_' && c != '-'
	})
}
