package emulator

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// The salts of what changes.
const (
	saltLag salt = 1000 + iota
	saltHook
	saltWork
)

// world holds what changed since New, and nothing else: whoever is not in it is as the seed drew them.
type world struct {
	mu  sync.RWMutex // guards this, and what of Org is called current
	due atomic.Int64 // when the first late event of the log is stored, Unix milliseconds; 0 when none is late
	changed
}

type changed struct {
	people       map[int]*accountState           // who changed or was created, by place
	hired        int                             // created since New
	logins       map[string]int                  // of people whose login is not the one they began with
	belongs      map[int][]int32                 // groups of people whose memberships changed, in order
	pastPeople   map[int][]former[*accountState] // what search still shows
	pastGroups   map[int][]former[group]
	groupNames   map[int]string // the first names of groups renamed since: the old log speaks of those
	roles        []roleRecord   // custom ones, current; deleted ones stay in their place
	sets         []setRecord
	newResources int // numbers resources that were not there at New
	log          changeLog
	ledger       []Change
}

// former is a state that search shows until its index has caught up: it was replaced at that time.
type former[T any] struct {
	until int64 // Unix milliseconds
	was   T
}

// maxChanges bounds what the overlay, the log of changes and the ledger may hold.
const maxChanges = 1_000_000

// Change is one line of the ledger: what was done to the org since New, with the ids of what it touched.
type Change struct {
	Number      int       `json:"number"` // from 1
	At          time.Time `json:"at"`     // on the org's clock
	What        string    `json:"what"`   // the mutation: "grant", "join", "delete", ...
	User        string    `json:"user,omitempty"`
	Group       string    `json:"group,omitempty"`
	Role        string    `json:"role,omitempty"` // id of a custom role, type of a standard one
	ResourceSet string    `json:"resourceSet,omitempty"`
	Assignment  string    `json:"assignment,omitempty"`
	Resource    string    `json:"resource,omitempty"`
	Events      []string  `json:"events,omitempty"` // types of its log events, in their order
}

// Changes returns the ledger: all changes since New or Reset, in the order in which they took place.
func (o *Org) Changes() []Change {
	o.world.mu.RLock()
	defer o.world.mu.RUnlock()
	return append([]Change(nil), o.world.ledger...)
}

// Refused is a change that Okta does not make, with the status and error that it answers.
type Refused struct {
	Status        int
	Code, Summary string
	Causes        []string
}

func (e *Refused) Error() string {
	if len(e.Causes) > 0 {
		return fmt.Sprintf("%d %s: %s (%s)", e.Status, e.Code, e.Summary, e.Causes[0])
	}
	return fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Summary)
}

func missing(id, kind string) error {
	return &Refused{Status: http.StatusNotFound, Code: "E0000007", Summary: "Not found: Resource not found: " + id + " (" + kind + ")"}
}

func invalid(field, why string) error {
	return &Refused{Status: http.StatusBadRequest, Code: "E0000001", Summary: "Api validation failed: " + field, Causes: []string{field + ": " + why}}
}

func forbidden(code, summary string) error {
	return &Refused{Status: http.StatusForbidden, Code: code, Summary: summary}
}

// errNoChange ends a mutation that finds everything as it should be: no error, and nothing to tell.
var errNoChange = errors.New("nothing to change")

// mutation is one change while it is made: under the lock, at one instant. What it does must be checked before
// anything is done, for nothing is undone.
type mutation struct {
	*Org
	change Change
	millis int64 // the instant, in Unix milliseconds
	at     int64 // and in seconds
	token  string
	events []*logEvent
}

// change makes one change: its events go to the log and to the hooks, and it is told in the ledger.
func (o *Org) change(what string, do func(m *mutation) error) error {
	return o.changeAs(what, "", do)
}

// changeAs also says by which API token.
func (o *Org) changeAs(what, token string, do func(m *mutation) error) error {
	w := &o.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.ledger) >= maxChanges {
		return &Refused{
			Status: http.StatusServiceUnavailable, Code: "E0000010", Summary: "Service is in read only mode",
			Causes: []string{fmt.Sprintf("this stand-in org keeps at most %d changes: reset it", maxChanges)},
		}
	}
	now := o.Now()
	m := &mutation{Org: o, millis: now.UnixMilli(), at: now.Unix(), token: token}
	m.change = Change{Number: len(w.ledger) + 1, At: now.UTC(), What: what}
	if err := do(m); err != nil {
		if errors.Is(err, errNoChange) {
			return nil
		}
		return err
	}
	for _, e := range m.events {
		m.change.Events = append(m.change.Events, e.kind.name)
	}
	w.ledger = append(w.ledger, m.change)
	w.log.add(o, m.events)
	o.notify(m.events)
	return nil
}

// emit puts an event of the change into the log, made by the org's first administrator.
func (m *mutation) emit(kind *eventKind, debug [][2]string, targets ...target) {
	e := m.newEvent(kind, debug, targets)
	by := m.user(m.staff.places[partFirstAdmin])
	e.by(&by, 1)
	e.token = m.token
	m.events = append(m.events, e)
}

// emitBy puts in an event that somebody caused about themselves.
func (m *mutation) emitBy(i int, kind *eventKind, debug [][2]string, targets ...target) *logEvent {
	e := m.newEvent(kind, debug, targets)
	by := m.user(i)
	e.by(&by, i%scriptAgent)
	m.events = append(m.events, e)
	return e
}

func (m *mutation) newEvent(kind *eventKind, debug [][2]string, targets []target) *logEvent {
	number := m.Org.events.count + m.world.log.made + len(m.events)
	return &logEvent{
		number: number, published: m.millis, kind: kind, result: "SUCCESS", targets: targets, d: newDraw(m.seed, saltEvent, number),
		debug: append(append([][2]string(nil), debug...), [2]string{"threatSuspected", "false"}),
	}
}

// Now is the org's clock: Options.Now, what passed since New, and what Advance added. A reader that counts back from now
// (the log's since) must count from here or from the Date header, not from the machine's clock.
func (o *Org) Now() time.Time {
	return o.options.Now.Add(time.Since(o.opened) + time.Duration(o.advanced.Load()))
}

// Advance sets the org's clock forward: rate windows end, indexes catch up, late events arrive. It never goes back.
func (o *Org) Advance(d time.Duration) {
	o.advanced.Add(int64(max(d, 0)))
	o.wakeHooks()
}

// reading gives a handler a state that does not change while it answers.
func (o *Org) reading(h handler) handler {
	return func(c *call) answer {
		o.catchUp()
		o.world.mu.RLock()
		defer o.world.mu.RUnlock()
		return h(c)
	}
}
