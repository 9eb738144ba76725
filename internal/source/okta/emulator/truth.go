package emulator

import (
	"iter"
	"maps"
	"slices"
)

// Truth is the ledger: every object of a kind that a reader can reach, as the raw JSON that the API serves, with links
// of Options.BaseURL or DefaultBaseURL. Kinds are the stream names: users (DEPROVISIONED included), groups,
// group_members (a user with groupId added; not of Okta Administrators, which cannot be listed), user_role_assignments
// (userId, principalType and principalId added: whom the role was given to, the user or a group of hers),
// group_role_assignments (groupId added), custom_roles, permissions (roleId added), resource_sets, logs (in polling
// order), and those of tellMore. It tells the current state, whatever filter and search still show; while the org changes, each object as it
// is at that moment. An unknown kind is a programmer's mistake. What is yielded is valid until the next one.
func (o *Org) Truth(kind string) iter.Seq[[]byte] {
	tell, ok := o.tellers()[kind]
	if !ok {
		panic("emulator: no ledger of " + kind)
	}
	return func(yield func([]byte) bool) {
		o.catchUp()
		o.world.mu.RLock()
		defer o.world.mu.RUnlock()
		var waiting []byte
		var ends []int
		// The caller may change the org for each object, so the lock is given back while it looks.
		flush := func() bool {
			o.world.mu.RUnlock()
			defer o.world.mu.RLock()
			from := 0
			for _, end := range ends {
				if !yield(waiting[from:end:end]) {
					return false
				}
				from = end
			}
			waiting, ends = waiting[:0], ends[:0]
			return true
		}
		more := true
		tell(func(t *text) bool {
			waiting, ends = append(waiting, t.b...), append(ends, len(waiting)+len(t.b))
			t.b = t.b[:0]
			if len(waiting) >= truthBatch {
				more = flush()
			}
			return more
		})
		if more && len(ends) > 0 {
			flush()
		}
	}
}

// tellers are the ledgers by kind.
func (o *Org) tellers() map[string]func(func(*text) bool) {
	all := map[string]func(func(*text) bool){
		"users": o.tellUsers, "groups": o.tellGroups, "group_members": o.tellMembers,
		"user_role_assignments": o.tellUserRoles, "group_role_assignments": o.tellGroupRoles,
		"custom_roles": o.tellRoles, "permissions": o.tellPermissions, "resource_sets": o.tellSets, "logs": o.tellLogs,
	}
	maps.Copy(all, o.tellMore())
	return all
}

// kinds names all ledgers, in order.
func (o *Org) kinds() []string { return slices.Sorted(maps.Keys(o.tellers())) }

// truthBatch is how many bytes of the ledger are told in one go.
const truthBatch = 256 << 10

func (o *Org) tellUsers(yield func(*text) bool) {
	t := text{}
	for i := range o.userCount() {
		if o.erased(i) {
			continue
		}
		u := o.user(i)
		o.writeUser(&t, &u, userView{base: o.base(nil)})
		if !yield(&t) {
			return
		}
	}
}

func (o *Org) tellGroups(yield func(*text) bool) {
	t := text{}
	for i := range o.groups {
		if o.groups[i].gone {
			continue
		}
		o.writeGroup(&t, i, o.base(nil), false)
		if !yield(&t) {
			return
		}
	}
}

func (o *Org) tellMembers(yield func(*text) bool) {
	t := text{}
	member := func(g, i int) bool {
		u := o.user(i)
		o.writeUser(&t, &u, userView{base: o.base(nil)})
		t.b = t.b[:len(t.b)-1]
		t.strs("groupId", o.groups[g].id)
		t.end()
		return yield(&t)
	}
	for i := range o.userCount() {
		if !o.gone(i) && !member(everyone, i) {
			return
		}
	}
	for g := range o.groups {
		for _, i := range o.groups[g].members { // of a deleted group there are none
			if !member(g, int(i)) {
				return
			}
		}
	}
}

func (o *Org) tellUserRoles(yield func(*text) bool) {
	t := text{}
	for i := range o.userCount() {
		for _, a := range o.rolesOf(i) {
			o.writeAssignment(&t, a, o.base(nil))
			t.strs("userId", o.id(kindUser, i))
			if a.group >= 0 {
				t.strs("principalType", "GROUP")
				t.strs("principalId", o.groups[a.group].id)
			} else {
				t.strs("principalType", "USER")
				t.strs("principalId", o.id(kindUser, i))
			}
			t.end()
			if !yield(&t) {
				return
			}
		}
	}
}

func (o *Org) tellGroupRoles(yield func(*text) bool) {
	t := text{}
	for g := range o.groups {
		for _, a := range o.granted[g] {
			o.writeAssignment(&t, a, o.base(nil))
			t.strs("groupId", o.groups[g].id)
			t.end()
			if !yield(&t) {
				return
			}
		}
	}
}

func (o *Org) tellRoles(yield func(*text) bool) {
	t := text{}
	for _, r := range o.roleRecords() {
		writeRole(&t, r, o.base(nil))
		if !yield(&t) {
			return
		}
	}
}

func (o *Org) tellPermissions(yield func(*text) bool) {
	t := text{}
	for _, r := range o.roleRecords() {
		for _, p := range r.permissions {
			writePermission(&t, r, p, o.base(nil))
			t.strs("roleId", r.key)
			t.end()
			if !yield(&t) {
				return
			}
		}
	}
}

func (o *Org) tellSets(yield func(*text) bool) {
	t := text{}
	for _, i := range o.liveSets() {
		o.writeResourceSet(&t, i, o.base(nil))
		if !yield(&t) {
			return
		}
	}
}

func (o *Org) tellLogs(yield func(*text) bool) {
	t := text{}
	for k := o.firstRetained(); k < o.eventCount(); k++ {
		o.writeEvent(&t, k)
		if !yield(&t) {
			return
		}
	}
}
