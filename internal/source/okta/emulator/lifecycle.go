package emulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// SignIn is what somebody does alone: a session starts, and who had only been invited takes the invitation.
func (o *Org) SignIn(name string) error {
	return o.change("sign_in", func(m *mutation) error {
		i, err := m.person(name)
		if err != nil {
			return err
		}
		a := m.account(i)
		switch a.status {
		case provisioned, passwordExpired, recovery:
			m.emitBy(i, updatePassword, nil, m.personTarget(i))
			a.status, a.statusChanged, a.passwordChanged, a.lastUpdated = active, m.at, m.at, m.at
		case active:
		default:
			return forbidden("E0000038", "This operation is not allowed in the user's current status.")
		}
		a.lastLogin = m.at
		m.keep(i, a)
		m.emitBy(i, sessionStart, nil)
		return nil
	})
}

// Activate ends being STAGED or DEPROVISIONED: with a password the person is ACTIVE, without one PROVISIONED.
func (o *Org) Activate(name string) error { return o.live(name, "activate", "") }

// Deactivate makes somebody DEPROVISIONED. Their roles and memberships end, each with its events.
func (o *Org) Deactivate(name string) error { return o.live(name, "deactivate", "") }

// Suspend and Unsuspend stop and go on with an ACTIVE account; roles and memberships stay.
func (o *Org) Suspend(name string) error   { return o.live(name, "suspend", "") }
func (o *Org) Unsuspend(name string) error { return o.live(name, "unsuspend", "") }

// Lock is what too many wrong passwords do to an ACTIVE account; Unlock is what an administrator does about it.
func (o *Org) Lock(name string) error   { return o.live(name, "lock", "") }
func (o *Org) Unlock(name string) error { return o.live(name, "unlock", "") }

// Reactivate sends the invitation to a PROVISIONED person again.
func (o *Org) Reactivate(name string) error { return o.live(name, "reactivate", "") }

// ExpirePassword makes somebody ACTIVE PASSWORD_EXPIRED, ResetPassword RECOVERY.
func (o *Org) ExpirePassword(name string) error { return o.live(name, "expire_password", "") }
func (o *Org) ResetPassword(name string) error  { return o.live(name, "reset_password", "") }

// step is one move between statuses.
type step struct {
	from         []string // statuses it starts from; nil is any but DEPROVISIONED
	to           string   // "" leaves the status
	kind         *eventKind
	status       int // of the refusal elsewhere
	code, reason string
}

const notAllowed = "This operation is not allowed in the user's current status."

var steps = map[string]step{
	"activate":        {[]string{staged, deprovisioned}, provisioned, activateUser, 403, "E0000016", "Activation failed because the user is already active"},
	"reactivate":      {[]string{provisioned}, "", reactivateUser, 403, "E0000038", notAllowed},
	"deactivate":      {nil, deprovisioned, deactivate, 403, "E0000038", notAllowed},
	"suspend":         {[]string{active}, suspended, suspendUser, 400, "E0000001", "Cannot suspend a user that is not active"},
	"unsuspend":       {[]string{suspended}, active, unsuspendUser, 400, "E0000001", "Cannot unsuspend a user that is not suspended"},
	"lock":            {[]string{active}, lockedOut, lockUser, 403, "E0000038", notAllowed},
	"unlock":          {[]string{lockedOut}, active, unlockUser, 403, "E0000032", "Unlock is not allowed for this user."},
	"expire_password": {[]string{active, passwordExpired}, passwordExpired, expirePassword, 403, "E0000038", notAllowed},
	"reset_password":  {[]string{active, passwordExpired, recovery, lockedOut}, recovery, resetPassword, 403, "E0000038", notAllowed},
}

func (o *Org) live(name, what, token string) error {
	return o.changeAs(what, token, func(m *mutation) error {
		i, err := m.person(name)
		if err != nil {
			return err
		}
		s, known := steps[what]
		if !known {
			return missing(what, "lifecycle operation")
		}
		now := m.account(i).status
		if s.from == nil && now == deprovisioned || s.from != nil && !slices.Contains(s.from, now) {
			return &Refused{Status: s.status, Code: s.code, Summary: s.reason}
		}
		m.take(i, s)
		return nil
	})
}

// take makes a step that may be made.
func (m *mutation) take(i int, s step) {
	a := m.account(i)
	left := a.status == deprovisioned
	switch {
	case s.to == "":
	case s.to == provisioned && a.passwordChanged != 0 && !left:
		a.status = active
	default:
		a.status = s.to
	}
	if s.to == provisioned {
		a.activated = m.at
		if left {
			a.passwordChanged = 0
		}
	}
	if s.to != "" {
		a.statusChanged = m.at
	}
	a.lastUpdated = m.at
	if s.to == deprovisioned {
		m.emit(s.kind, nil, m.personTarget(i))
		m.strip(i)
		m.keep(i, a)
		return
	}
	m.keep(i, a)
	if s.kind == lockUser {
		e := m.emitBy(i, s.kind, nil, m.personTarget(i))
		e.result, e.reason = "FAILURE", "LOCKED_OUT"
	} else {
		m.emit(s.kind, nil, m.personTarget(i))
	}
	if left {
		m.touchEveryone(i, addMember)
	}
}

// strip ends what somebody has: memberships and roles.
func (m *mutation) strip(i int) {
	wasAdmin := m.admin(i)
	for _, g := range slices.Clone(m.groupsOf(i)) {
		m.leave(i, int(g))
		m.emit(removeMember, nil, m.personTarget(i), m.groupTarget(int(g)))
	}
	m.touchEveryone(i, removeMember)
	for _, a := range slices.Clone(m.direct[i]) {
		m.drop(a)
	}
	m.countAdmin(i, wasAdmin)
	if wasAdmin {
		m.emit(userRevoke, nil, m.personTarget(i))
	}
}

func (m *mutation) touchEveryone(i int, kind *eventKind) {
	m.touchMembers(everyone)
	m.emit(kind, nil, m.personTarget(i), m.groupTarget(everyone))
}

// Delete does what DELETE does: it deactivates, and erases who is DEPROVISIONED already. An erased id is not found, and
// never comes back; the login is free again.
func (o *Org) Delete(name string) error { return o.deleteUser(name, "") }

func (o *Org) deleteUser(name, token string) error {
	return o.changeAs("delete", token, func(m *mutation) error {
		i, err := m.person(name)
		if err != nil {
			return err
		}
		a := m.account(i)
		if a.status != deprovisioned {
			m.change.What = "deactivate"
			m.take(i, steps["deactivate"])
			return nil
		}
		who := m.personTarget(i)
		m.forgetLogin(i)
		a.erased = true
		m.keep(i, a)
		m.emit(deleteBegun, nil, who)
		m.emit(deleteDone, nil, who)
		return nil
	})
}

// CreateUser makes an account: STAGED, or PROVISIONED when it is activated at once. The profile needs firstName,
// lastName, login and email; values are what JSON has.
func (o *Org) CreateUser(profile map[string]any, activate bool) (id string, err error) {
	edits, err := editsOf(profile)
	if err != nil {
		return "", err
	}
	return o.createUser(newcomer{profile: edits, activate: activate}, "")
}

// newcomer is a user to create.
type newcomer struct {
	profile  []edit
	activate bool
	password bool
	groups   []string
}

func (o *Org) createUser(n newcomer, token string) (id string, err error) {
	err = o.changeAs("create_user", token, func(m *mutation) error {
		if err := m.checkNewcomer(n); err != nil {
			return err
		}
		i := m.userCount()
		id = m.id(kindUser, i)
		m.change.User = id
		a := accountState{status: staged, created: m.at, lastUpdated: m.at, edits: n.profile}
		if n.password {
			a.passwordChanged, a.statusChanged = m.at, m.at
		}
		m.goneCount++ // keep finds them there
		m.world.hired++
		m.keep(i, a)
		m.claimLogin(i, "")
		who := m.personTarget(i)
		m.emit(createUser, nil, who)
		m.touchEveryone(i, addMember)
		if n.activate {
			m.take(i, steps["activate"])
		}
		for _, name := range n.groups {
			g, _ := m.groupNamed(name) // checked above
			m.admit(i, g)
		}
		return nil
	})
	return id, err
}

func (m *mutation) checkNewcomer(n newcomer) error {
	if m.userCount() >= maxObjects {
		return invalid("login", "there is no room for more people")
	}
	var causes []string
	for _, name := range []string{"firstName", "lastName", "login", "email"} {
		i := slices.IndexFunc(n.profile, func(e edit) bool { return e.name == name })
		if i < 0 || n.profile[i].text() == "" {
			causes = append(causes, name+": The field cannot be left blank")
		}
	}
	if len(causes) > 0 {
		return &Refused{Status: http.StatusBadRequest, Code: "E0000001", Summary: "Api validation failed: " + strings.SplitN(causes[0], ":", 2)[0], Causes: causes}
	}
	for _, name := range n.groups {
		if g, ok := m.groupNamed(name); !ok {
			return missing(name, "UserGroup")
		} else if err := m.mayJoin(g); err != nil {
			return err
		}
	}
	return m.checkLogin(n.profile, -1)
}

// checkLogin says whether the login among the edits is one that person i may have.
func (m *mutation) checkLogin(edits []edit, i int) error {
	at := slices.IndexFunc(edits, func(e edit) bool { return e.name == "login" })
	if at < 0 {
		return nil
	}
	login := edits[at].text()
	if login == "" {
		return invalid("login", "The field cannot be left blank")
	}
	if other, taken := m.userByLogin(login); taken && other != i {
		return invalid("login", "An object with this field already exists in the current organization")
	}
	return nil
}

// claimLogin makes somebody found by the login that they have; before is the one that they had.
func (m *mutation) claimLogin(i int, before string) {
	w := &m.world
	if w.logins == nil {
		w.logins = make(map[string]int)
	}
	if before != "" && w.logins[strings.ToLower(before)] == i {
		delete(w.logins, strings.ToLower(before))
	}
	w.logins[strings.ToLower(m.user(i).login)] = i
}

func (m *mutation) forgetLogin(i int) {
	login := strings.ToLower(m.user(i).login)
	if at, ok := m.world.logins[login]; ok && at == i {
		delete(m.world.logins, login)
	}
}

// UpdateProfile sets properties of a profile; nil takes one away.
func (o *Org) UpdateProfile(name string, profile map[string]any) error {
	edits, err := editsOf(profile)
	if err != nil {
		return err
	}
	return o.updateProfile("update_profile", name, edits, false, "")
}

// ImportProfile is what the import of a directory does: properties change, and the log says nothing of it.
func (o *Org) ImportProfile(name string, profile map[string]any) error {
	edits, err := editsOf(profile)
	if err != nil {
		return err
	}
	return o.updateProfile(importProfile, name, edits, false, "")
}

const importProfile = "import_profile"

// updateProfile replaces the whole profile when whole is set: what is not named is taken away.
func (o *Org) updateProfile(what, name string, edits []edit, whole bool, token string) error {
	return o.changeAs(what, token, func(m *mutation) error {
		i, err := m.person(name)
		if err != nil {
			return err
		}
		if m.gone(i) {
			return forbidden("E0000038", notAllowed)
		}
		if err := m.checkLogin(edits, i); err != nil {
			return err
		}
		before := m.user(i)
		if whole {
			for _, p := range m.properties(&before) {
				if p.name != "login" && !slices.ContainsFunc(edits, func(e edit) bool { return e.name == p.name }) {
					edits = append(edits, edit{p.name, jsonNull})
				}
			}
		}
		a := m.account(i)
		a.edits = slices.Clone(a.edits)
		var changed []string
		for _, e := range edits {
			at := slices.IndexFunc(a.edits, func(have edit) bool { return have.name == e.name })
			if at < 0 {
				a.edits = append(a.edits, e)
			} else {
				a.edits[at] = e
			}
			changed = append(changed, e.name)
		}
		a.lastUpdated = m.at
		after := m.userAs(i, &a)
		if renamed := !strings.EqualFold(after.login, before.login); renamed {
			a.renamed = true
		}
		m.keep(i, a)
		if a.renamed {
			m.claimLogin(i, before.login)
		}
		if what == importProfile {
			return nil
		}
		m.emit(updateProfile, [][2]string{{"changedAttributes", strings.Join(changed, ",")}}, m.personTarget(i))
		return nil
	})
}

const (
	maxProperties    = 200
	maxPropertyBytes = 4096
)

// editsOf reads a profile, its properties in order of their names.
func editsOf(profile map[string]any) ([]edit, error) {
	var all []edit
	for name, v := range profile {
		value, err := json.Marshal(v)
		if err != nil {
			return nil, invalid(name, "is no JSON value")
		}
		all = append(all, edit{name, string(value)})
	}
	slices.SortFunc(all, func(a, b edit) int { return strings.Compare(a.name, b.name) })
	return all, checkEdits(all)
}

func checkEdits(edits []edit) error {
	if len(edits) > maxProperties {
		return invalid("profile", "has more than "+itoa(maxProperties)+" properties")
	}
	for _, e := range edits {
		switch {
		case !plainName(e.name):
			return invalid(e.name, "is no name of a property")
		case len(e.value) > maxPropertyBytes:
			return invalid(e.name, "is longer than "+itoa(maxPropertyBytes)+" bytes")
		case strings.HasPrefix(e.value, "{"):
			return invalid(e.name, "The value must be a string, a number, a boolean or an array of these")
		case slices.Contains(baseProperties, e.name) && e.value != jsonNull && !strings.HasPrefix(e.value, `"`):
			return invalid(e.name, "The value must be a string")
		}
	}
	return nil
}

func plainName(s string) bool {
	return s != "" && len(s) <= 100 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == "" && (s[0] < '0' || s[0] > '9')
}

// person returns the place of somebody named by id, login or "me", and notes them in the ledger.
func (m *mutation) person(name string) (int, error) {
	i, ok := m.findUser(name)
	if !ok {
		return 0, missing(name, "User")
	}
	m.change.User = m.id(kindUser, i)
	return i, nil
}

func (m *mutation) personTarget(i int) target {
	u := m.user(i)
	return userTarget(&u)
}
