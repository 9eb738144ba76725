package emulator

import (
	"fmt"
	"strings"
)

// User statuses.
const (
	staged          = "STAGED"
	provisioned     = "PROVISIONED"
	active          = "ACTIVE"
	recovery        = "RECOVERY"
	lockedOut       = "LOCKED_OUT"
	passwordExpired = "PASSWORD_EXPIRED"
	suspended       = "SUSPENDED"
	deprovisioned   = "DEPROVISIONED"
)

// statuses in the order of the byte that staff keeps of each.
var statuses = []string{active, deprovisioned, provisioned, staged, suspended, passwordExpired, lockedOut, recovery}

// statusShares is the mix of statuses, per mille; what is left is ACTIVE.
var statusShares = map[string]int{deprovisioned: 110, provisioned: 25, staged: 15, suspended: 10, passwordExpired: 10, lockedOut: 6, recovery: 4}

const (
	goneByte = 1 // position of DEPROVISIONED in statuses

	day     = int64(86400)
	orgAge  = 6 * 365 * day // the org is this much older than Now
	noStory = -1
)

// staff is the people of the org: two bytes each, and the rest on demand.
type staff struct {
	count      int
	status     []uint8 // position in statuses
	department []uint8 // position in departments
	story      map[int]*person
	places     [partCount]int
	logins     map[string]int // of the story's people
	names      permutation    // of all combinations of names
	givens     map[string]int // spelled as in logins
	families   map[string]int
}

func (o *Org) hire() {
	s := &o.staff
	s.count = o.options.Users
	s.status, s.department = make([]uint8, s.count), make([]uint8, s.count)
	s.names = newPermutation(o.seed, saltNames, len(givenNames)*len(familyNames))
	s.givens, s.families = loginWords(givenNames), loginWords(familyNames)
	for i := range s.department {
		d := newDraw(o.seed, saltDepartment, i)
		s.department[i] = departmentOf(d.below(100))
	}
	for i := range departments {
		s.department[i+headPlace] = uint8(i)
	}
	s.story, s.logins = make(map[int]*person, len(cast)), make(map[string]int, len(cast))
	for i := range cast {
		o.place(&cast[i])
	}
	o.spreadStatuses()
}

// headPlace is the place of the first department's head in the order of joining; the others follow.
const headPlace = 3

func (o *Org) place(p *person) {
	s := &o.staff
	at := p.place * s.count / 1000
	if p.place > 2 {
		at = max(at, headPlace+len(departments))
	}
	for s.story[at] != nil {
		at = (at + 1) % s.count
	}
	s.story[at], s.places[p.part] = p, at
	for i, name := range statuses {
		if name == p.status {
			s.status[at] = uint8(i)
		}
	}
	if p.department >= 0 {
		s.department[at] = uint8(p.department)
	}
	s.logins[p.loginName()] = at
}

func (p *person) loginName() string {
	if p.login != "" {
		return p.login
	}
	return asciiLogin(p.given, p.family) + "@" + companyDomain
}

// spreadStatuses deals out the statuses: at least one of each. New people (STAGED, PROVISIONED) are among the last
// tenth that joined. Heads of departments and the story's people are passed over.
func (o *Org) spreadStatuses() {
	s := &o.staff
	recent := newPermutation(o.seed, saltStatus, max(1, s.count/10))
	older := newPermutation(o.seed, saltStatus+1, s.count-s.count/10)
	nextRecent, nextOlder := 0, 0
	for i, name := range statuses {
		for range max(min(1, statusShares[name]), s.count*statusShares[name]/1000) {
			if name == staged || name == provisioned {
				at := s.count - 1 - recent.at(nextRecent)
				for nextRecent++; s.story[at] != nil; nextRecent++ {
					at = s.count - 1 - recent.at(nextRecent)
				}
				s.status[at] = uint8(i)
				continue
			}
			at := older.at(nextOlder)
			for nextOlder++; s.story[at] != nil || at < headPlace+len(departments); nextOlder++ {
				at = older.at(nextOlder)
			}
			s.status[at] = uint8(i)
		}
	}
}

func departmentOf(percent int) uint8 {
	for i, d := range departments {
		if percent -= d.weight; percent < 0 {
			return uint8(i)
		}
	}
	return 0
}

func loginWords(names []string) map[string]int {
	words := make(map[string]int, len(names))
	for i, n := range names {
		words[plainLetters.Replace(strings.ToLower(n))] = i
	}
	return words
}

// nameOf returns the given and family name of a person outside the story, and which namesake it is (0: the first).
func (o *Org) nameOf(i int) (given, family string, namesake int) {
	all := int(o.staff.names.n)
	n := o.staff.names.at(i % all)
	return givenNames[n/len(familyNames)], familyNames[n%len(familyNames)], i / all
}

// userByLogin is the inverse of the logins that user makes.
func (o *Org) userByLogin(login string) (int, bool) {
	login = strings.ToLower(login)
	if i, ok := o.world.logins[login]; ok {
		return i, true
	}
	i, ok := o.firstByLogin(login)
	if a := o.world.people[i]; !ok || a != nil && (a.erased || a.renamed) {
		return 0, false
	}
	return i, true
}

// firstByLogin finds the person who had a login at New.
func (o *Org) firstByLogin(login string) (int, bool) {
	if i, ok := o.staff.logins[login]; ok {
		return i, true
	}
	name, domain, _ := strings.Cut(login, "@")
	given, family, _ := strings.Cut(name, ".")
	if domain != companyDomain {
		return 0, false
	}
	word := strings.TrimRight(family, "0123456789")
	namesake := 0
	if word != family {
		if _, err := fmt.Sscanf(family[len(word):], "%d", &namesake); err != nil {
			return 0, false
		}
		namesake--
	}
	g, okGiven := o.staff.givens[given]
	f, okFamily := o.staff.families[word]
	if !okGiven || !okFamily || namesake < 0 || namesake > maxObjects {
		return 0, false
	}
	i := namesake*int(o.staff.names.n) + o.staff.names.from(g*len(familyNames)+f)
	if i >= o.staff.count || o.drawn(i).login != login {
		return 0, false
	}
	return i, true
}

// statusOf is the status that the seed drew for somebody.
func (o *Org) statusOf(i int) string { return statuses[o.staff.status[i]] }

// userCount is how many people there ever were.
func (o *Org) userCount() int { return o.staff.count + o.world.hired }

// gone says that somebody is DEPROVISIONED or deleted.
func (o *Org) gone(i int) bool {
	if a := o.world.people[i]; a != nil {
		return a.erased || a.status == deprovisioned
	}
	if i >= o.staff.count {
		return true // about to be created
	}
	return o.staff.status[i] == goneByte
}

// erased says that somebody was deleted.
func (o *Org) erased(i int) bool {
	a := o.world.people[i]
	return a != nil && a.erased
}

// joined is when the i-th person's account was created: later for each next one, story people aside.
func (o *Org) joined(i int) int64 {
	if p := o.staff.story[i]; p != nil && p.daysAgo > 0 {
		return o.now - int64(p.daysAgo)*day
	}
	d := newDraw(o.seed, saltClock, i)
	span := orgAge - 3*day // nobody joined in the last days, so that all that follows has happened before now
	slot := span / int64(o.staff.count)
	return o.now - orgAge + span/int64(o.staff.count)*int64(i) + d.between(0, max(0, slot-1))
}

// managerOf returns the place of the person that i reports to: somebody of the same department who joined earlier and
// leads people, or its head. ok is false for the chief, who reports to nobody, and for accounts that are nobody.
func (o *Org) managerOf(i int) (int, bool) {
	s := &o.staff
	if p := s.story[i]; p != nil {
		switch {
		case p.part == partContractor:
			return s.places[partIdentityEngineer], true
		case p.part == partFirstAdmin || p.part == partCISO:
			return s.places[partChief], true
		case p.department < 0:
			return 0, false
		}
	}
	if head := i - headPlace; head >= 0 && head < len(departments) {
		return s.places[partChief], true
	}
	d := newDraw(o.seed, saltDepartment, i)
	d.next()
	at := i - 1 - d.below(i/2+1)
	const far = 300 // the head takes those whose lead is further away
	for j := at; j >= headPlace+len(departments) && j > at-far; j-- {
		if s.department[j] == s.department[i] && s.status[j] == 0 && o.leads(j) {
			return j, true
		}
	}
	return headPlace + int(s.department[i]), true
}

func (o *Org) leads(i int) bool {
	if o.staff.story[i] != nil {
		return false
	}
	d := newDraw(o.seed, saltDepartment, i)
	d.next()
	d.next()
	return d.chance(110)
}
