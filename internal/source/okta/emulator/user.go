package emulator

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// user is one person's account. Times are Unix seconds; 0 is null.
type user struct {
	index                                  int
	id, status                             string
	created, activated, statusChanged      int64
	lastLogin, lastUpdated                 int64
	passwordChanged                        int64
	given, family, login, email            string
	second, mobile, title, userType, group string
	office                                 *office
	provider, providerName                 string
	rich                                   bool // has a full profile, not the six base keys alone
	question                               string
	story                                  *person
	custom                                 [][2]string
	edits                                  []edit // of the profile, since New
}

var questions = []string{"What is the name of your first stuffed animal?", "What did you earn your first medal or award for?", "What was the first computer game you played?", "What is your favorite movie quote?"}

// drawn derives the i-th account as it was at New.
func (o *Org) drawn(i int) user {
	d := newDraw(o.seed, saltUser, i)
	u := user{index: i, id: o.id(kindUser, i), status: o.statusOf(i), story: o.staff.story[i]}
	u.office = &offices[pick(&d, officeShares)]
	if u.story != nil {
		u.office = &offices[0]
	}
	u.userType, u.rich = "Employee", true
	o.name(&u, &d)
	o.employ(&u, &d)
	o.date(&u, &d)
	o.credential(&u, &d)
	return u
}

// times derives the times of the i-th account alone: the draws of drawn, without the words that are made of them.
func (o *Org) times(i int) user {
	if o.staff.story[i] != nil {
		return o.drawn(i)
	}
	d := newDraw(o.seed, saltUser, i)
	u := user{index: i, status: o.statusOf(i), rich: true}
	pick(&d, officeShares)
	if d.chance(550) {
		d.below(90)
	}
	d.chance(120)
	dept := &departments[o.staff.department[i]]
	switch head := i - headPlace; {
	case head >= 0 && head < len(departments):
	case o.leads(i):
		pick(&d, dept.leads)
	default:
		pick(&d, dept.titles)
	}
	if u.status == staged && d.chance(500) {
		u.rich = false
	}
	o.date(&u, &d)
	return u
}

func (o *Org) name(u *user, d *draw) {
	if p := u.story; p != nil {
		u.given, u.family, u.login, u.email = p.given, p.family, p.loginName(), p.email
	} else {
		var namesake int
		u.given, u.family, namesake = o.nameOf(u.index)
		u.login = asciiLogin(u.given, u.family)
		if namesake > 0 {
			u.login += strconv.Itoa(namesake + 1)
		}
		u.login += "@" + companyDomain
	}
	if u.email == "" {
		u.email = u.login
	}
	if d.chance(550) {
		u.mobile = "+1 555 01" + strconv.Itoa(10+d.below(90))
	}
	if d.chance(120) {
		u.second = asciiLogin(u.given, u.family) + "@mailbox.example"
	}
}

func (o *Org) employ(u *user, d *draw) {
	dept := &departments[o.staff.department[u.index]]
	u.group = dept.name
	head := u.index - headPlace
	switch {
	case u.story != nil:
		u.title, u.userType = u.story.title, u.story.userType
		u.second, u.mobile = "", ""
		u.custom = o.dated(u.story.custom)
		if u.story.department < 0 {
			u.group = map[string]string{"Contractor": "Contractor", "Employee": "Executive"}[u.userType]
		}
	case head >= 0 && head < len(departments):
		u.title = dept.head
	case o.leads(u.index):
		u.title = pick(d, dept.leads)
	default:
		u.title = pick(d, dept.titles)
		if o.contracts(u.index) {
			u.userType, u.email = "Contractor", u.login[:len(u.login)-len(companyDomain)]+vendorDomain
		}
	}
	if u.status == staged && u.story == nil && d.chance(500) {
		u.rich, u.mobile, u.second = false, "", "" // made by a script that knew only the name
	}
}

// contracts says whether somebody works for another firm: about one in twelve.
func (o *Org) contracts(i int) bool {
	if p := o.staff.story[i]; p != nil {
		return p.userType == "Contractor"
	}
	d := newDraw(o.seed, saltDepartment, i)
	d.next()
	d.next()
	d.next()
	return i >= headPlace+len(departments) && !o.leads(i) && d.chance(80)
}

// date sets the times, with the nulls that real orgs have for each status.
func (o *Org) date(u *user, d *draw) {
	u.created = o.joined(u.index)
	switch u.status {
	case staged:
		u.lastUpdated = u.created
		if u.story == nil && !u.rich {
			return
		}
		if d.chance(250) { // imported with a password, but never activated
			u.statusChanged, u.passwordChanged = u.created+1, u.created+1
		}
		return
	case provisioned:
		u.activated = u.created + d.between(0, 2*3600)
		u.statusChanged, u.lastUpdated = u.activated, u.activated+d.between(0, 600)
		return
	case deprovisioned:
		o.dateLeaver(u, d)
		return
	}
	u.activated = u.created + d.between(60, 2*day)
	u.passwordChanged = d.between(u.activated, o.now-day)
	u.statusChanged, u.lastUpdated = u.activated+d.between(60, 3*3600), d.between(u.activated, o.now-3600)
	u.lastLogin = max(u.activated, o.now-signedIn(d))
	if u.status != active {
		u.statusChanged = d.between(max(u.activated, o.now-40*day), o.now-7200)
		u.lastLogin = min(u.lastLogin, u.statusChanged-60)
	}
	u.lastUpdated = max(u.lastUpdated, u.statusChanged)
	if u.index != o.staff.places[partFirstAdmin] && u.story == nil && d.chance(40) {
		u.lastLogin = 0 // has a password, never used it
	}
	o.dateStory(u)
}

// signedIn draws how long ago, in seconds, somebody signed in last: most today, some this week, few this season.
func signedIn(d *draw) int64 {
	switch n := d.below(10); {
	case n < 7:
		return d.between(60, 20*3600)
	case n < 9:
		return d.between(20*3600, 7*day)
	default:
		return d.between(7*day, 90*day)
	}
}

func (o *Org) dateLeaver(u *user, d *draw) {
	if u.story == nil && d.chance(80) { // was never activated
		u.statusChanged = d.between(u.created+3600, min(u.created+30*day, o.now-3600))
		u.lastUpdated = u.statusChanged
		return
	}
	u.activated = u.created + d.between(60, 2*day)
	u.statusChanged = d.between(u.activated+3600, o.now-3600)
	u.lastUpdated = u.statusChanged
	if d.chance(850) {
		u.passwordChanged = d.between(u.activated, u.statusChanged)
		u.lastLogin = d.between(max(u.activated, u.statusChanged-20*day), u.statusChanged)
	}
	o.dateStory(u)
}

// What happened in the story, in seconds before Now.
const (
	night        = 6*3600 + 46*60 // at 02:14, when Now is 09:00
	suspendedAgo = 27 * day
	endedAgo     = 26 * day
	lockedAgo    = 5 * day
	grantAgo     = 23*day + night // the group of the contractor became all-powerful
	joinAgo      = 20*day + night // and he a member of it
)

func (o *Org) dateStory(u *user) {
	p := u.story
	if p == nil {
		return
	}
	switch {
	case p.quiet < 0:
		u.lastLogin = 0
	case p.quiet > 0:
		u.lastLogin = max(u.activated, o.now-p.quiet)
	}
	switch p.part {
	case partFirstAdmin:
		u.activated = 0
	case partService:
		u.passwordChanged, u.lastUpdated = u.activated, u.activated
	case partLeaver:
		u.statusChanged = o.heard(suspendedAgo)
	case partGone:
		u.statusChanged = o.heard(endedAgo)
	case partLockedOut:
		u.statusChanged = o.heard(lockedAgo)
	default:
		return
	}
	if p.part != partService {
		u.lastUpdated = max(u.lastUpdated, u.statusChanged)
	}
	if u.status != active {
		u.lastUpdated = u.statusChanged
	}
}

func (o *Org) credential(u *user, d *draw) {
	u.provider, u.providerName = "OKTA", "OKTA"
	switch n := d.below(100); {
	case u.status == staged && u.passwordChanged != 0:
		u.provider, u.providerName = "IMPORT", "IMPORT"
	case u.story != nil || u.status == staged || u.status == provisioned:
	case n < 18:
		u.provider, u.providerName = "ACTIVE_DIRECTORY", companyDomain
	case n < 21 && u.status == active:
		u.provider, u.providerName = "FEDERATION", "FEDERATION"
		u.passwordChanged = 0
	}
	if u.passwordChanged != 0 && u.provider == "OKTA" && d.chance(300) && u.userType != "Service Account" {
		u.question = pick(d, questions)
	}
}

// dated puts real dates where "@n" stands for the date n days before Now.
func (o *Org) dated(custom [][2]string) [][2]string {
	dated := slices.Clone(custom)
	for i, c := range dated {
		if ago, relative := strings.CutPrefix(c[1], "@"); relative {
			n, _ := strconv.ParseInt(ago, 10, 64) // written in this package
			dated[i][1] = time.Unix(o.now-n*day, 0).UTC().Format(time.DateOnly)
		}
	}
	return dated
}
