package emulator

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
)

// accountState is what is known of a person who changed since New, or was created. It is replaced by every change, never
// changed itself, so that what search still shows can be kept.
type accountState struct {
	status                                         string
	created, activated, statusChanged, lastUpdated int64
	lastLogin, passwordChanged                     int64
	edits                                          []edit
	renamed                                        bool // the login is not the one of New
	erased                                         bool
}

// edit is one property of a profile, set since New. Its value is compact JSON; null takes the property away.
type edit struct{ name, value string }

const jsonNull = "null"

// user derives the i-th account as it is now.
func (o *Org) user(i int) user { return o.userAs(i, o.world.people[i]) }

// userAs derives an account in the state a, nil for the one of New.
func (o *Org) userAs(i int, a *accountState) user {
	if a == nil {
		return o.drawn(i)
	}
	var u user
	if i < o.staff.count {
		u = o.drawn(i)
	} else {
		u = user{index: i, id: o.id(kindUser, i), office: &offices[0], provider: "OKTA", providerName: "OKTA"}
	}
	u.status, u.created, u.activated, u.statusChanged = a.status, a.created, a.activated, a.statusChanged
	u.lastLogin, u.lastUpdated, u.passwordChanged = a.lastLogin, a.lastUpdated, a.passwordChanged
	if u.passwordChanged == 0 {
		u.question = ""
	}
	u.edits = a.edits
	for _, e := range a.edits {
		if field := u.field(e.name); field != nil {
			*field = e.text()
		}
	}
	return u
}

// field is where a property is kept that names and events are made of.
func (u *user) field(property string) *string {
	switch property {
	case "firstName":
		return &u.given
	case "lastName":
		return &u.family
	case "login":
		return &u.login
	case "email":
		return &u.email
	case "mobilePhone":
		return &u.mobile
	case "secondEmail":
		return &u.second
	case "title":
		return &u.title
	case "department":
		return &u.group
	case "userType":
		return &u.userType
	}
	return nil
}

// text is the value of a string, "" for null; of anything else its JSON.
func (e edit) text() string {
	if e.value == jsonNull {
		return ""
	}
	var s string
	if json.Unmarshal([]byte(e.value), &s) == nil {
		return s
	}
	return e.value
}

// values are what expressions compare: one for a scalar, all of an array, none for null.
func (e edit) values() []string {
	var list []json.RawMessage
	if json.Unmarshal([]byte(e.value), &list) != nil {
		list = []json.RawMessage{json.RawMessage(e.value)}
	}
	var all []string
	for _, v := range list {
		if s := (edit{value: string(v)}).text(); s != "" {
			all = append(all, s)
		}
	}
	return all
}

// edited returns the edit of a property named as in expressions.
func (u *user) edited(name string) (edit, bool) {
	property, ok := strings.CutPrefix(name, "profile.")
	if !ok {
		return edit{}, false
	}
	i := slices.IndexFunc(u.edits, func(e edit) bool { return e.name == property })
	if i < 0 {
		return edit{}, false
	}
	return u.edits[i], true
}

// baseProperties are in every profile, null where they have no value.
var baseProperties = []string{"firstName", "lastName", "mobilePhone", "secondEmail", "login", "email"}

// writeEdited writes the profile of somebody who was edited: the properties that the seed drew in their order, each with
// its new value, and then those that were not there.
func (o *Org) writeEdited(t *text, u *user) {
	t.object("profile")
	defer t.end()
	first := *u
	first.edits = nil
	properties := o.properties(&first)
	for _, e := range u.edits {
		i := slices.IndexFunc(properties, func(p edit) bool { return p.name == e.name })
		switch {
		case i >= 0:
			properties[i].value = e.value
		default:
			properties = append(properties, e)
		}
	}
	for _, p := range properties {
		if p.value != jsonNull || slices.Contains(baseProperties, p.name) {
			t.raw(p.name, p.value)
		}
	}
}

// properties is a profile as its members.
func (o *Org) properties(u *user) (all []edit) {
	t := text{}
	t.object("")
	o.writeProfile(&t, u)
	t.end()
	var body struct{ Profile json.RawMessage }
	if json.Unmarshal(t.b, &body) != nil {
		return nil // cannot be: it was written here
	}
	d := json.NewDecoder(strings.NewReader(string(body.Profile)))
	_, _ = d.Token()
	for d.More() {
		name, _ := d.Token()
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return all
		}
		all = append(all, edit{name.(string), string(value)})
	}
	return all
}

// account returns somebody's state to change: a copy.
func (m *mutation) account(i int) accountState {
	if a := m.world.people[i]; a != nil {
		return *a
	}
	u := m.drawn(i)
	return accountState{
		status: u.status, created: u.created, activated: u.activated, statusChanged: u.statusChanged,
		lastLogin: u.lastLogin, lastUpdated: u.lastUpdated, passwordChanged: u.passwordChanged,
	}
}

// keep makes a the state of somebody, and remembers the former one for as long as search shows it.
func (m *mutation) keep(i int, a accountState) {
	w := &m.world
	was, wasGone := w.people[i], i < m.userCount() && m.gone(i)
	if w.people == nil {
		w.people = make(map[int]*accountState)
	}
	if w.pastPeople == nil {
		w.pastPeople = make(map[int][]former[*accountState])
	}
	if m.options.IndexLag > 0 {
		w.pastPeople[i] = remember(m, w.pastPeople[i], was)
	}
	w.people[i] = &a
	if isGone := m.gone(i); isGone != wasGone {
		m.goneCount += map[bool]int{true: 1, false: -1}[isGone]
	}
}

// remember adds a state that ends now to those that ended before, of which it forgets what no reader may see again.
func remember[T any](m *mutation, past []former[T], was T) []former[T] {
	oldest := m.millis - m.options.IndexLag.Milliseconds()
	past = slices.DeleteFunc(slices.Clone(past), func(f former[T]) bool { return f.until <= oldest })
	return append(past, former[T]{m.millis, was})
}

// asOf returns the state that held at a time, in Unix milliseconds; ok is false when it is the current one.
func asOf[T any](past []former[T], at int64) (was T, ok bool) {
	for _, f := range past {
		if f.until > at {
			return f.was, true
		}
	}
	return was, false
}

// presently is the time of what is read by id or listed whole: later than all changes.
const presently = math.MaxInt64

// indexed is the time whose state filter and search show.
func (o *Org) indexed() int64 {
	if o.options.IndexLag <= 0 {
		return presently
	}
	return o.Now().Add(-o.options.IndexLag).UnixMilli()
}

// userAsOf derives an account as search shows it at a time; ok is false when it was not there, or was deleted.
func (o *Org) userAsOf(i int, at int64) (user, bool) {
	a := o.world.people[i]
	if was, ok := asOf(o.world.pastPeople[i], at); ok {
		a = was
		if a == nil && i >= o.staff.count {
			return user{}, false
		}
	}
	if a != nil && a.erased {
		return user{}, false
	}
	return o.userAs(i, a), true
}

// groupAsOf is a group as filter and search show it at a time; ok is false when it was not there, or was deleted.
func (o *Org) groupAsOf(i int, at int64) (group, bool) {
	g := o.groups[i]
	if was, ok := asOf(o.world.pastGroups[i], at); ok {
		was.members = g.members
		g = was
	}
	return g, !g.gone
}
