package web

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"longshore/internal/catalog"
	"longshore/internal/ingest"
	"longshore/internal/pipeline"
	"longshore/internal/verdict"
)

// flow is what became of the records of one sync, or of all that the lake holds: the numbers of the home page.
type flow struct {
	SyncID     int64 // 0: all
	Streams    []*streamFlow
	Mappings   []*mappingFlow
	Blueprints []blueprintFlow

	HasAPI                    bool // rows of the source are known: a sync was chosen
	API, InLake, Read, Judged int64
	Flagged, Lost             int64 // over the streams
	Objects                   int
	Entities                  int64
	Troubled                  []ingest.Object // failed, unrouted, gone
	byName                    map[string]*streamFlow
	links                     map[linkKey]*linkFlow
	groups                    []ingest.VerdictGroup // one a stream × mapping × code × explanation
	mappingNames              map[string][]string
}

type streamFlow struct {
	Name                      string
	Run                       pipeline.StreamRun
	API, InLake, Read, Judged int64
	Objects                   int
	Sums                      map[verdict.Code]int64 // roll-ups
	Flagged, Lost             int64                  // verdicts of the mappings, and lines that are no record: what the links lead to
	StillFlagged              int64                  // of Flagged: unchanged, and flagged before
}

// Bar is the stream's roll-ups as parts of a bar.
func (s *streamFlow) Bar() []barPart { return flaggedBar(s.Sums, s.StillFlagged) }

// flaggedBar draws the unchanged records that are still flagged with the flagged ones.
func flaggedBar(sums map[verdict.Code]int64, still int64) []barPart {
	sums, still = maps.Clone(sums), min(still, sums[verdict.Unchanged])
	sums[verdict.Unchanged] -= still
	sums[verdict.KeptWithFlags] += still
	return barOf(sums)
}

// OK reports whether the stream's numbers add up.
func (s *streamFlow) OK(hasAPI bool) bool {
	return (!hasAPI || s.API == s.InLake) && s.InLake == s.Read && s.Read == s.Judged
}

type mappingFlow struct {
	Webhook                               string
	Index                                 int
	Blueprint                             string
	Wanted, Kept, Flagged, Lost, Filtered int64
	StillFlagged                          int64 // of Flagged: unchanged, and flagged before
	Sums                                  map[verdict.Code]int64
}

// Number is the mapping's place in its webhook, from 1.
func (m *mappingFlow) Number() int { return m.Index + 1 }

type blueprintFlow struct {
	Identifier, Title string
	Entities          int64
}

type linkKey struct {
	stream, webhook string
	mapping         int
}

type linkFlow struct{ wanted int64 }

// maxGroups bounds the verdict groups that a page adds up: streams × mappings × explanations.
const maxGroups = 5000

// flowOf adds up a sync's records, hop by hop; run is nil for all that the lake holds.
func (s *site) flowOf(ctx context.Context, run *pipeline.Run) (*flow, error) {
	f := &flow{byName: map[string]*streamFlow{}, links: map[linkKey]*linkFlow{}}
	if run != nil {
		f.SyncID, f.HasAPI = run.ID, true
		for _, st := range run.Streams {
			sf := f.stream(st.Stream)
			sf.Run, sf.API, sf.InLake = st, st.APIRows, st.LakeRows
		}
	}
	sums, err := s.Ledger.VerdictSums(ctx, ingest.VerdictFilter{SyncID: f.SyncID})
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		f.stream(name).addSums(sums[name])
	}
	if err := s.addObjects(ctx, f); err != nil {
		return nil, err
	}
	if f.groups, err = s.Ledger.VerdictGroups(ctx, ingest.VerdictFilter{SyncID: f.SyncID}, maxGroups); err != nil {
		return nil, err
	}
	if err := s.addMappings(ctx, f); err != nil {
		return nil, err
	}
	if err := s.addBlueprints(ctx, f); err != nil {
		return nil, err
	}
	for _, st := range f.Streams {
		f.API, f.InLake, f.Read, f.Judged = f.API+st.API, f.InLake+st.InLake, f.Read+st.Read, f.Judged+st.Judged
		f.Flagged, f.Lost = f.Flagged+st.Flagged, f.Lost+st.Lost
	}
	return f, nil
}

func (f *flow) stream(name string) *streamFlow {
	st := f.byName[name]
	if st == nil {
		st = &streamFlow{Name: name, Sums: map[verdict.Code]int64{}}
		f.byName[name] = st
		f.Streams = append(f.Streams, st)
	}
	return st
}

func (s *streamFlow) addSums(sums map[verdict.Code]int64) {
	for code, n := range sums {
		s.Sums[code] += n
		s.Judged += n
		if code == verdict.MalformedLine {
			s.Lost += n // a lost line that no mapping has a verdict on
		}
	}
}

// addGroup counts what a mapping made of records of the stream.
func (s *streamFlow) addGroup(g ingest.VerdictGroup) {
	switch groupTone(g) {
	case toneAmber:
		s.Flagged += g.N
		if g.Code == verdict.Unchanged {
			s.StillFlagged += g.N
		}
	case toneRed:
		s.Lost += g.N
	}
}

// addObjects counts the lines read. Of all the lake, the objects are not gone through one by one: a line read is one
// with a verdict, and only troubled objects are listed.
func (s *site) addObjects(ctx context.Context, f *flow) error {
	filter, limit := ingest.ObjectFilter{SyncID: f.SyncID}, 0
	if f.SyncID == 0 {
		filter.States, limit = []ingest.State{ingest.Failed, ingest.Unrouted, ingest.Gone}, maxListed
	}
	list, err := s.Ledger.List(ctx, filter, limit)
	if err != nil {
		return err
	}
	for _, o := range list {
		switch o.State {
		case ingest.Failed, ingest.Unrouted, ingest.Gone:
			f.Troubled = append(f.Troubled, o)
		}
		if f.SyncID != 0 {
			st := f.stream(o.Stream)
			st.Read += o.Records
			st.Objects++
			f.Objects++
		}
	}
	if f.SyncID == 0 {
		for _, st := range f.Streams {
			st.Read, st.InLake = st.Judged, st.Judged
		}
	}
	return nil
}

// addMappings adds up the verdicts by mapping. Only the webhooks whose mappings met the records are shown.
func (s *site) addMappings(ctx context.Context, f *flow) error {
	names, err := s.mappingNames(ctx)
	if err != nil {
		return err
	}
	f.mappingNames = names
	found := map[linkKey]*mappingFlow{}
	for _, g := range f.groups {
		key := linkKey{webhook: g.Webhook, mapping: g.Mapping}
		m := found[key]
		if m == nil {
			m = &mappingFlow{Webhook: g.Webhook, Index: g.Mapping, Blueprint: blueprintOf(names, g.Webhook, g.Mapping), Sums: map[verdict.Code]int64{}}
			found[key] = m
			f.Mappings = append(f.Mappings, m)
		}
		m.add(g)
		f.stream(g.Stream).addGroup(g)
		if g.Code != verdict.Filtered {
			key.stream = g.Stream
			if f.links[key] == nil {
				f.links[key] = &linkFlow{}
			}
			f.links[key].wanted += g.N
		}
	}
	slices.SortFunc(f.Mappings, func(a, b *mappingFlow) int {
		return cmp.Or(cmp.Compare(a.Webhook, b.Webhook), cmp.Compare(a.Index, b.Index))
	})
	return nil
}

// Bar is what became of the records that the mapping wanted.
func (m *mappingFlow) Bar() []barPart {
	wanted := maps.Clone(m.Sums)
	delete(wanted, verdict.Filtered)
	return flaggedBar(wanted, m.StillFlagged)
}

func (m *mappingFlow) add(g ingest.VerdictGroup) {
	m.Sums[g.Code] += g.N
	if g.Code == verdict.Filtered {
		m.Filtered += g.N
		return
	}
	m.Wanted += g.N
	switch groupTone(g) {
	case toneAmber:
		m.Flagged += g.N
		if g.Code == verdict.Unchanged {
			m.StillFlagged += g.N
		}
	case toneRed:
		m.Lost += g.N
	default:
		m.Kept += g.N
	}
}

// mappingNames returns the blueprint of each mapping of each webhook, as the webhooks are now.
func (s *site) mappingNames(ctx context.Context) (map[string][]string, error) {
	hooks, err := s.Ledger.Webhooks(ctx)
	if err != nil {
		return nil, err
	}
	names := map[string][]string{}
	for _, h := range hooks {
		var mappings []struct {
			Blueprint string `json:"blueprint"`
		}
		if err := json.Unmarshal(h.Mappings, &mappings); err != nil {
			continue // its objects are unrouted and say why
		}
		for _, m := range mappings {
			names[h.Identifier] = append(names[h.Identifier], m.Blueprint)
		}
	}
	return names, nil
}

func blueprintOf(names map[string][]string, webhook string, mapping int) string {
	if list := names[webhook]; mapping >= 0 && mapping < len(list) {
		return list[mapping]
	}
	return ""
}

func (s *site) addBlueprints(ctx context.Context, f *flow) error {
	counts, err := s.Catalog.Counts(ctx)
	if err != nil {
		return err
	}
	list, err := s.Catalog.Blueprints(ctx)
	if err != nil {
		return err
	}
	for _, b := range list {
		if catalog.IsSystem(b.Identifier) && counts[b.Identifier] == 0 {
			continue
		}
		f.Blueprints = append(f.Blueprints, blueprintFlow{b.Identifier, titleOf(b), counts[b.Identifier]})
		f.Entities += counts[b.Identifier]
	}
	return nil
}

func titleOf(b catalog.Blueprint) string { return cmp.Or(b.Title, b.Identifier) }

// The picture's measures, in view box units: left edges of streams, lake, mappings, blueprints.
var flowColumns = []float64{176, 380, 612, 900}

const (
	flowWidth  = 1100.0
	flowHeight = 440.0
)

// picture draws the flow: streams → lake → mappings → blueprints, with what is lost, flagged and not wanted.
func (f *flow) picture() *sankey {
	p := &sankey{}
	lake := p.node(flowNode{Column: 1, Name: "Lake", URL: pathWith("/objects", "sync", f.SyncID), Tone: toneKept, labelAbove: true})
	notWanted := p.node(flowNode{
		Column: 2, Name: "Not wanted", Tone: toneGrey, fixedLast: true,
		URL: pathWith("/verdicts", "sync", f.SyncID, "code", verdict.NoMappingMatched),
	})
	noRecord := p.node(flowNode{
		Column: 2, Name: "Not readable", Tone: toneRed, fixedLast: true,
		URL: pathWith("/verdicts", "sync", f.SyncID, "code", verdict.MalformedLine),
	})
	lost := p.node(flowNode{Column: 3, Name: "Lost", Tone: toneRed, fixedLast: true, URL: pathWith("/verdicts", "sync", f.SyncID, "tone", toneRed)})
	mappings := map[linkKey]*flowNode{}
	for _, m := range f.Mappings {
		if m.Wanted > 0 {
			mappings[linkKey{webhook: m.Webhook, mapping: m.Index}] = p.node(flowNode{
				Column: 2, Tone: toneKept,
				Name: fmt.Sprintf("%s #%d", m.Webhook, m.Number()), Note: countNote(m.Wanted, "record", "records"),
				URL: pathWith("/verdicts", "sync", f.SyncID, "webhook", m.Webhook, "mapping", m.Number()),
			})
		}
	}
	var unreadable, unwanted int64
	for _, st := range f.Streams {
		n := max(st.API, st.InLake)
		if n == 0 {
			continue
		}
		node := p.node(flowNode{
			Column: 0, Name: st.Name, Note: countNote(n, "record", "records"), Tone: toneKept, Anchor: "end",
			URL: pathWith("/verdicts", "sync", f.SyncID, "stream", st.Name),
		})
		p.link(node, lake, st.InLake, toneKept, pathWith("/objects", "sync", f.SyncID, "stream", st.Name),
			fmt.Sprintf("%s: %s records in the lake", st.Name, grouped(st.InLake)))
		for _, m := range f.Mappings {
			key := linkKey{st.Name, m.Webhook, m.Index}
			if l := f.links[key]; l != nil {
				p.link(lake, mappings[linkKey{webhook: m.Webhook, mapping: m.Index}], l.wanted, toneKept,
					pathWith("/verdicts", "sync", f.SyncID, "stream", st.Name, "webhook", m.Webhook, "mapping", m.Number()),
					fmt.Sprintf("%s → %s #%d (%s): %s records", st.Name, m.Webhook, m.Number(), m.Blueprint, grouped(l.wanted)))
			}
		}
		p.link(lake, notWanted, st.Sums[verdict.NoMappingMatched], toneGrey,
			pathWith("/verdicts", "sync", f.SyncID, "stream", st.Name, "code", verdict.NoMappingMatched),
			fmt.Sprintf("%s: %s records that no mapping wanted", st.Name, grouped(st.Sums[verdict.NoMappingMatched])))
		p.link(lake, noRecord, st.Sums[verdict.MalformedLine], toneRed,
			pathWith("/verdicts", "sync", f.SyncID, "stream", st.Name, "code", verdict.MalformedLine),
			fmt.Sprintf("%s: %s lines that are no record", st.Name, grouped(st.Sums[verdict.MalformedLine])))
		unwanted, unreadable = unwanted+st.Sums[verdict.NoMappingMatched], unreadable+st.Sums[verdict.MalformedLine]
	}
	notWanted.Note, noRecord.Note = countNote(unwanted, "record", "records"), countNote(unreadable, "line", "lines")
	f.drawBlueprints(p, mappings, lost)
	p.Nodes = slices.DeleteFunc(p.Nodes, func(n *flowNode) bool { return len(n.in)+len(n.out) == 0 })
	if len(p.Nodes) == 0 {
		return nil
	}
	p.lay(flowWidth, flowHeight, flowColumns)
	return p
}

func (f *flow) drawBlueprints(p *sankey, mappings map[linkKey]*flowNode, lost *flowNode) {
	nodes := map[string]*flowNode{}
	for _, b := range f.Blueprints {
		nodes[b.Identifier] = p.node(flowNode{Column: 3, Name: b.Title, Note: countNote(b.Entities, "entity", "entities"), Tone: toneKept, URL: tableURL(b.Identifier)})
	}
	var gone int64
	for _, m := range f.Mappings {
		from, to := mappings[linkKey{webhook: m.Webhook, mapping: m.Index}], nodes[m.Blueprint]
		at := func(more ...any) string {
			return pathWith("/verdicts", append([]any{"sync", f.SyncID, "webhook", m.Webhook, "mapping", m.Number()}, more...)...)
		}
		name := fmt.Sprintf("%s #%d → %s", m.Webhook, m.Number(), m.Blueprint)
		p.link(from, to, m.Kept, toneKept, at("tone", toneKept), fmt.Sprintf("%s: %s kept", name, grouped(m.Kept)))
		p.link(from, to, m.Flagged, toneAmber, at("tone", toneAmber), fmt.Sprintf("%s: %s kept, with something to look at", name, grouped(m.Flagged)))
		p.link(from, lost, m.Lost, toneRed, at("tone", toneRed), fmt.Sprintf("%s: %s lost", name, grouped(m.Lost)))
		gone += m.Lost
	}
	lost.Note = countNote(gone, "record", "records")
}

func countNote(n int64, one, many string) string { return grouped(n) + " " + plural(n, one, many) }

// barPart is one part of a bar of verdicts. Share is of 1,000.
type barPart struct {
	Code  verdict.Code
	Words explanation
	N     int64
	X, W  float64 // of 1,000
}

// barOf draws sums as a bar of 1,000 units; a part is at least 6 wide, so that one record of a million is seen.
func barOf(sums map[verdict.Code]int64) []barPart {
	var parts []barPart
	var total float64
	for code, n := range sums {
		if n > 0 {
			parts = append(parts, barPart{Code: code, Words: explain(code), N: n})
			total += float64(n)
		}
	}
	slices.SortFunc(parts, func(a, b barPart) int {
		return cmp.Or(cmp.Compare(severity(b.Code), severity(a.Code)), cmp.Compare(a.Code, b.Code))
	})
	slices.SortStableFunc(parts, func(a, b barPart) int { return cmp.Compare(barOrder(a.Code), barOrder(b.Code)) })
	const thinnest = 6.0
	spare := 1000 - thinnest*float64(len(parts))
	x := 0.0
	for i := range parts {
		parts[i].X, parts[i].W = x, thinnest+spare*float64(parts[i].N)/total
		x += parts[i].W
	}
	return parts
}

// barOrder puts what is kept first, then amber, grey, red.
func barOrder(c verdict.Code) int {
	return slices.Index([]string{toneKept, toneAmber, toneGrey, toneRed}, explain(c).Tone)
}
