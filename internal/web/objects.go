package web

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"longshore/internal/catalog"
	"longshore/internal/fault"
	"longshore/internal/ingest"
)

// maxListed is how many objects a page lists.
const maxListed = 200

type objectsPage struct {
	List    []ingest.Object
	Cut     bool // there are more
	SyncID  int64
	Stream  string
	State   string
	States  []option
	Chips   []chip
	Records int64
	Bytes   int64
}

// objectStates are the choices of the page: a word, and the states that it stands for.
func objectStates() []struct {
	word, label string
	states      []ingest.State
} {
	return []struct {
		word, label string
		states      []ingest.State
	}{
		{"", "Any state", nil},
		{"open", "Not read to the end yet", []ingest.State{ingest.Queued, ingest.Reading}},
		{"done", "Done", []ingest.State{ingest.Done}},
		{"troubled", "With trouble", []ingest.State{ingest.Failed, ingest.Unrouted, ingest.Gone}},
		{"failed", "Failed", []ingest.State{ingest.Failed}},
		{"unrouted", "Unrouted", []ingest.State{ingest.Unrouted}},
		{"gone", "Gone", []ingest.State{ingest.Gone}},
	}
}

func (s *site) objects(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	p := &objectsPage{Stream: q.Get("stream"), State: q.Get("state")}
	if text := q.Get("sync"); text != "" && text != "all" {
		var err error
		if p.SyncID, err = strconv.ParseInt(text, 10, 64); err != nil {
			return fault.Errorf(fault.Invalid, "sync %q: want a number or all", text)
		}
	}
	f := ingest.ObjectFilter{SyncID: p.SyncID, Stream: p.Stream}
	known := false
	for _, c := range objectStates() {
		p.States = append(p.States, option{c.word, c.label, c.word == p.State})
		if c.word == p.State {
			f.States, known = c.states, true
		}
	}
	if !known {
		return fault.Errorf(fault.Invalid, "state %q: not a state of an object", p.State)
	}
	list, err := s.Ledger.List(r.Context(), f, maxListed+1)
	if err != nil {
		return err
	}
	p.Cut = len(list) > maxListed
	p.List = list[:min(len(list), maxListed)]
	for _, o := range p.List {
		p.Records += o.Records
		p.Bytes += o.Bytes
	}
	at := func(sync int64, stream string) string {
		return pathWith("/objects", "sync", sync, "stream", stream, "state", p.State)
	}
	if p.SyncID != 0 {
		p.Chips = append(p.Chips, chip{fmt.Sprintf("sync %d", p.SyncID), at(0, p.Stream)})
	}
	if p.Stream != "" {
		p.Chips = append(p.Chips, chip{"stream " + p.Stream, at(p.SyncID, "")})
	}
	live := slices.ContainsFunc(p.List, func(o ingest.Object) bool { return o.State == ingest.Queued || o.State == ingest.Reading })
	return s.render(w, r, "objects", page{Title: "Lake objects", Nav: "objects", Live: live, Data: p})
}

// objectTone is the tone of an object's state.
func objectTone(state ingest.State) string {
	switch state {
	case ingest.Failed, ingest.Unrouted, ingest.Gone:
		return toneRed
	case ingest.Done:
		return toneKept
	}
	return toneGrey
}

// shortKey is an object's key for a crowded line: the step before its partitions (year=…), which is the stream's name
// in most layouts, and the file's name without its endings.
func shortKey(key string) string {
	steps := strings.Split(key, "/")
	file, _, _ := strings.Cut(steps[len(steps)-1], ".")
	if i := slices.IndexFunc(steps, func(s string) bool { return strings.Contains(s, "=") }); i > 0 {
		return steps[i-1] + "/…/" + file
	}
	if n := len(steps); n > 1 {
		return steps[n-2] + "/" + file
	}
	return file
}

type pendingPage struct {
	Report catalog.PendingReport
	Groups []pendingGroup
}

type pendingGroup struct {
	catalog.PendingGroup
	Rows []pendingRow
}

type pendingRow struct{ From, To relationLink }

// pending lists the relations that wait for their targets, with samples of each.
func (s *site) pending(w http.ResponseWriter, r *http.Request) error {
	report, err := s.Catalog.Pending(r.Context(), 20)
	if err != nil {
		return err
	}
	p := &pendingPage{Report: report}
	for _, g := range report.Groups {
		group := pendingGroup{PendingGroup: g}
		for _, sample := range g.Samples {
			group.Rows = append(group.Rows, pendingRow{
				From: relationLink{g.Blueprint, sample.Identifier, sample.Identifier, entityURL(g.Blueprint, sample.Identifier), false},
				To:   relationLink{g.Target, sample.Target, sample.Target, entityURL(g.Target, sample.Target), true},
			})
		}
		p.Groups = append(p.Groups, group)
	}
	return s.render(w, r, "pending", page{Title: "Waiting relations", Nav: "verdicts", Data: p})
}
