package web

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/fault"
	"longshore/internal/ingest"
	"longshore/internal/pipeline"
	"longshore/internal/verdict"
)

type homePage struct {
	Run      *pipeline.Run // the sync that is shown; nil: all that the lake holds
	Feed     *feedLine     // the feed that is under way beside it, if there is one
	Runs     []pipeline.Run
	Tiles    []runTile
	Flow     *flow
	Picture  *sankey
	Columns  []flowColumn
	Waiting  ingest.Waiting
	Running  bool // the shown sync reads, or objects wait
	Reading  string
	Empty    bool // nothing was ever read
	Balance  balance
	Super    superAdmins
	Needs    []need
	Pending  int64
	Connects []pipeline.Connection
	Ghost    *sankey
}

// feedLine tells of the feed that follows the org.
type feedLine struct {
	Run  pipeline.Run
	Rows int64
}

// runTile is a sync in the strip of the last ones.
type runTile struct {
	Run   pipeline.Run
	Rows  int64
	H     float64 // of 28, the more rows the higher
	Took  string
	Shown bool
}

// flowColumn heads a column of the picture.
type flowColumn struct {
	X               float64
	Anchor          string
	Name, Note, URL string
	Loss, LossURL   string // what went missing on the way here, "" for nothing
	LossTone        string
}

// balance is the account in one line: are all records accounted for?
type balance struct {
	OK   bool
	Open bool // still being read: no judgement yet
	Read int64
	Sums int64
	Why  []string
}

type superAdmins struct {
	Known bool // the catalog has role assignments
	N     int64
	URL   string
}

// need is something that a person should look at.
type need struct {
	Tone, Text, Note, URL string
	N                     int64
}

const (
	runsShown      = 12
	assignments    = "okta_role_assignment" // the blueprint that both packs keep role assignments in
	superAdminType = "SUPER_ADMIN"
)

func (s *site) home(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	h := &homePage{}
	if err := s.chooseRun(ctx, h, r.FormValue("sync")); err != nil {
		return err
	}
	var err error
	if h.Flow, err = s.flowOf(ctx, h.Run); err != nil {
		return err
	}
	if h.Waiting, err = s.Ledger.Waiting(ctx); err != nil {
		return err
	}
	if h.Connects, err = s.Syncs.Connections(ctx); err != nil {
		return err
	}
	newest := lastSync(h.Runs)
	h.Running = h.Waiting.Objects > 0 || newest != nil && newest.Status == pipeline.Running
	h.Empty = len(h.Runs) == 0 && h.Flow.Judged == 0 && h.Waiting.Objects == 0 && len(h.Flow.Troubled) == 0
	h.Picture, h.Columns = h.Flow.picture(), h.Flow.columns()
	if h.Picture == nil {
		h.Ghost = ghost()
	}
	h.Balance = balanceOf(h)
	if h.Super, err = s.superAdmins(ctx, h.Flow); err != nil {
		return err
	}
	report, err := s.Catalog.Pending(ctx, 0)
	if err != nil {
		return err
	}
	h.Pending = report.Count
	h.Needs = needsOf(h, report)
	return s.render(w, r, "home", page{Title: "Pipeline", Nav: "home", Live: h.Running, Data: h})
}

// chooseRun reads which sync to show: a number, "all", or nothing for the newest.
func (s *site) chooseRun(ctx context.Context, h *homePage, wanted string) error {
	var err error
	if h.Runs, err = s.Syncs.Own(ctx, runsShown); err != nil {
		return err
	}
	switch {
	case wanted == "all":
	case wanted != "":
		id, err := strconv.ParseInt(wanted, 10, 64)
		if err != nil {
			return fault.Errorf(fault.Invalid, "sync %q: want a number or all", wanted)
		}
		run, err := s.Syncs.Run(ctx, id)
		if err != nil {
			return err
		}
		h.Run = &run
	default:
		h.Run = lastSync(h.Runs)
	}
	for _, run := range h.Runs {
		if wanted == "" && run.Cause == pipeline.CauseFeed && run.Status == pipeline.Running && run.ID != h.Run.ID {
			h.Feed = &feedLine{Run: run, Rows: rowsOf(run)}
			break
		}
	}
	h.Runs = slices.DeleteFunc(slices.Clone(h.Runs), func(run pipeline.Run) bool { // the strip is of syncs: feeds would drown them
		return run.Cause == pipeline.CauseFeed && (h.Run == nil || run.ID != h.Run.ID)
	})
	h.Runs = h.Runs[:min(len(h.Runs), runsShown)]
	var most int64
	for _, run := range h.Runs {
		most = max(most, rowsOf(run))
	}
	for i := len(h.Runs) - 1; i >= 0; i-- {
		run := h.Runs[i]
		t := runTile{Run: run, Rows: rowsOf(run), Shown: h.Run != nil && run.ID == h.Run.ID, H: 4}
		if most > 0 {
			t.H = 4 + 24*float64(t.Rows)/float64(most)
		}
		if !run.FinishedAt.IsZero() {
			t.Took = spell(run.FinishedAt.Sub(run.StartedAt))
		}
		h.Tiles = append(h.Tiles, t)
	}
	if h.Run != nil && h.Run.Status == pipeline.Running {
		for _, st := range h.Run.Streams {
			if st.Status == pipeline.Running {
				h.Reading = fmt.Sprintf("%s, page %s", st.Stream, grouped(st.Pages+1))
			}
		}
	}
	return nil
}

// lastSync is the newest run that is none of a feed's: these are always under way and bring little. Without one it is
// the newest of all; nil for none.
func lastSync(runs []pipeline.Run) *pipeline.Run {
	for i := range runs {
		if runs[i].Cause != pipeline.CauseFeed {
			return &runs[i]
		}
	}
	if len(runs) > 0 {
		return &runs[0]
	}
	return nil
}

// runWord is what people call a run of this cause.
func runWord(cause string) string {
	if cause == pipeline.CauseFeed {
		return "Feed"
	}
	return "Sync"
}

func rowsOf(run pipeline.Run) (n int64) {
	for _, st := range run.Streams {
		n += st.APIRows
	}
	return n
}

// runTone is the tone of a run's or a stream's status.
func runTone(status pipeline.Status) string {
	switch status {
	case pipeline.Succeeded, pipeline.Complete, pipeline.Running:
		return toneKept
	case pipeline.Partial:
		return toneAmber
	case pipeline.Failed:
		return toneRed
	}
	return toneGrey
}

func balanceOf(h *homePage) balance {
	f := h.Flow
	b := balance{Read: f.Read, Sums: f.Judged, Open: h.Running}
	for _, st := range f.Streams {
		if f.HasAPI && st.API != st.InLake {
			b.Why = append(b.Why, fmt.Sprintf("%s: %s rows from Okta, %s lines in the lake", st.Name, grouped(st.API), grouped(st.InLake)))
		}
		if st.InLake != st.Read {
			b.Why = append(b.Why, fmt.Sprintf("%s: %s lines in the lake, %s read", st.Name, grouped(st.InLake), grouped(st.Read)))
		}
		if st.Read != st.Judged {
			b.Why = append(b.Why, fmt.Sprintf("%s: %s lines read, %s with a verdict", st.Name, grouped(st.Read), grouped(st.Judged)))
		}
	}
	b.OK = len(b.Why) == 0
	return b
}

func (s *site) superAdmins(ctx context.Context, f *flow) (superAdmins, error) {
	for _, b := range f.Blueprints {
		if b.Identifier != assignments {
			continue
		}
		rule := tableRule{Subject: "type", Op: "is", Value: superAdminType}
		n, err := s.Catalog.CountMatches(ctx, catalog.SearchRequest{Blueprint: assignments, Query: queryOf([]tableRule{rule}, nil)})
		return superAdmins{Known: true, N: n, URL: tableURL(assignments, "type", "is", superAdminType)}, err
	}
	return superAdmins{}, nil
}

// maxNeeds bounds each kind of entry in the list of what needs a person.
const maxNeeds = 6

func needsOf(h *homePage, pending catalog.PendingReport) []need {
	var needs []need
	f := h.Flow
	if h.Run != nil && h.Run.Status == pipeline.Failed {
		needs = append(needs, need{Tone: toneRed, Text: fmt.Sprintf("Sync %d failed", h.Run.ID), Note: h.Run.Error, URL: pathWith("/", "sync", h.Run.ID)})
	}
	for _, st := range f.Streams {
		switch st.Run.Status {
		case pipeline.Failed:
			needs = append(needs, need{
				Tone: toneRed, Text: "Stream " + st.Name + " could not be read", Note: st.Run.Error,
				URL: pathWith("/objects", "sync", f.SyncID, "stream", st.Name),
			})
		case pipeline.Partial:
			needs = append(needs, need{
				Tone: toneAmber, Text: "Stream " + st.Name + " is partial", Note: st.Run.Error,
				URL: pathWith("/objects", "sync", f.SyncID, "stream", st.Name),
			})
		}
	}
	for i, o := range f.Troubled {
		if i == maxNeeds {
			needs = append(needs, need{Tone: toneRed, Text: fmt.Sprintf("%d more objects", len(f.Troubled)-i), URL: pathWith("/objects", "sync", f.SyncID, "state", "troubled")})
			break
		}
		needs = append(needs, need{
			Tone: toneRed, Text: fmt.Sprintf("Object %s: %s", o.State, shortKey(o.Key)), Note: o.Error,
			URL: pathWith("/objects", "sync", f.SyncID, "state", o.State),
		})
	}
	if !h.Running {
		for _, why := range h.Balance.Why {
			needs = append(needs, need{Tone: toneRed, Text: "Does not add up", Note: why, URL: pathWith("/objects", "sync", f.SyncID)})
		}
	}
	lost := 0
	for _, g := range f.groups {
		if !g.Code.Lost() || lost == maxNeeds {
			continue
		}
		lost++
		needs = append(needs, need{
			Tone: toneRed, N: g.N, Text: fmt.Sprintf("%s, from %s to %s", explain(g.Code).Label, g.Stream, orDash(blueprintOf(f.mappingNames, g.Webhook, g.Mapping))),
			Note: detailSentence(g.Detail), URL: groupURL(f.SyncID, g),
		})
	}
	for _, st := range f.Streams {
		if n := st.Sums[verdict.MalformedLine]; n > 0 {
			needs = append(needs, need{
				Tone: toneRed, N: n, Text: plural(n, "line is", "lines are") + " no record in " + st.Name,
				URL: pathWith("/verdicts", "sync", f.SyncID, "stream", st.Name, "code", verdict.MalformedLine),
			})
		}
	}
	for _, st := range f.Streams {
		if n := st.Sums[verdict.NoMappingMatched]; n > 0 {
			needs = append(needs, need{
				Tone: toneAmber, N: n, Text: fmt.Sprintf("of %s in %s wanted by no mapping", grouped(st.Judged), st.Name), Note: nearestClause(f, st.Name),
				URL: pathWith("/verdicts", "sync", f.SyncID, "stream", st.Name, "code", verdict.NoMappingMatched),
			})
		}
	}
	for i, g := range pending.Groups {
		if i == maxNeeds {
			break
		}
		needs = append(needs, need{
			Tone: toneAmber, N: g.Count, Text: fmt.Sprintf("%s.%s waits for %s", g.Blueprint, g.Relation, g.Target),
			Note: "It connects itself when the target is read.", URL: "/pending#" + g.Blueprint + "." + g.Relation,
		})
	}
	return needs
}

// nearestClause says which filter came nearest to wanting a stream's records, and which of its clauses decided: the
// mapping that filtered the fewest of them.
func nearestClause(f *flow, stream string) string {
	filtered, clause := map[string]int64{}, map[string]ingest.VerdictGroup{}
	for _, g := range f.groups {
		if g.Code != verdict.Filtered || g.Stream != stream {
			continue
		}
		key := fmt.Sprintf("%s %d", g.Webhook, g.Mapping)
		filtered[key] += g.N
		if g.N > clause[key].N {
			clause[key] = g
		}
	}
	nearest := ""
	for _, key := range slices.Sorted(maps.Keys(filtered)) {
		if nearest == "" || filtered[key] < filtered[nearest] {
			nearest = key
		}
	}
	if nearest == "" {
		return ""
	}
	g := clause[nearest]
	return fmt.Sprintf("Nearest is %s (%s): %s", fmt.Sprintf("%s #%d", g.Webhook, g.Mapping+1), orDash(blueprintOf(f.mappingNames, g.Webhook, g.Mapping)), detailSentence(g.Detail))
}

func orDash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}

// columns heads the picture's columns, with what was lost on the way to each.
func (f *flow) columns() []flowColumn {
	sync := f.SyncID
	cols := []flowColumn{
		{X: flowColumns[0] + flowNodeWidth, Anchor: "end", Name: "Okta", Note: countNote(f.API, "row", "rows"), URL: pathWith("/verdicts", "sync", sync)},
		{X: flowColumns[1] + flowNodeWidth/2, Anchor: "middle", Name: "Lake", Note: countNote(f.InLake, "line", "lines"), URL: pathWith("/objects", "sync", sync)},
		{X: flowColumns[2] + flowNodeWidth/2, Anchor: "middle", Name: "Mapping", Note: countNote(f.Judged, "verdict", "verdicts"), URL: pathWith("/verdicts", "sync", sync)},
		{X: flowColumns[3], Anchor: "start", Name: "Catalog", Note: countNote(f.Entities, "entity", "entities"), URL: "/catalog"},
	}
	if !f.HasAPI {
		cols[0].Name, cols[0].Note = "Streams", countNote(int64(len(f.Streams)), "stream", "streams")
	}
	joint := func(i int, missing int64, what, url, tone string) {
		if missing != 0 {
			cols[i].Loss, cols[i].LossURL, cols[i].LossTone = fmt.Sprintf("%s %s", grouped(missing), what), url, tone
		}
	}
	if f.HasAPI {
		joint(1, f.API-f.InLake, "missing", pathWith("/objects", "sync", sync), toneRed)
	}
	joint(2, f.InLake-f.Judged, "not read yet", pathWith("/objects", "sync", sync, "state", "open"), toneGrey)
	joint(3, f.Lost, "lost", pathWith("/verdicts", "sync", sync, "tone", toneRed), toneRed)
	return cols
}

// ghost is the picture before there is anything to show.
func ghost() *sankey {
	p := &sankey{}
	lake := p.node(flowNode{Column: 1, Tone: toneGrey, labelAbove: true})
	hub := []*flowNode{}
	for range 3 {
		hub = append(hub, p.node(flowNode{Column: 2, Tone: toneGrey}))
	}
	for i, n := range []int64{900, 300, 2500, 120, 600} {
		p.link(p.node(flowNode{Column: 0, Tone: toneGrey, Anchor: "end"}), lake, n, toneGrey, "", "")
		p.link(lake, hub[i%3], n, toneGrey, "", "")
		p.link(hub[i%3], p.node(flowNode{Column: 3, Tone: toneGrey}), n, toneGrey, "", "")
	}
	p.lay(flowWidth, 320, flowColumns)
	return p
}

// Fresh says how long ago a stream was last read.
func (s *streamFlow) Fresh() time.Time { return s.Run.FinishedAt }
