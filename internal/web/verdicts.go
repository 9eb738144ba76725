package web

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"longshore/internal/fault"
	"longshore/internal/ingest"
	"longshore/internal/verdict"
)

// verdictState is the address of the verdicts page, taken apart.
type verdictState struct {
	SyncID  int64
	Stream  string
	Code    verdict.Code
	Tone    string
	Webhook string
	Mapping int    // from 1; 0: any
	Rule    string // only groups that break it: "activated (required)"
	Detail  int64
	Pick    bool // one group is chosen: its records are listed
	RollUp  bool // of that group
}

func readVerdicts(r *http.Request) (v verdictState, err error) {
	q := r.URL.Query()
	number := func(name string) int64 {
		text := q.Get(name)
		if text == "" {
			return 0
		}
		n, bad := strconv.ParseInt(text, 10, 64)
		if bad != nil && err == nil {
			err = fault.Errorf(fault.Invalid, "%s %q: want a number", name, text)
		}
		return n
	}
	if q.Get("sync") == "all" {
		q.Del("sync")
	}
	v = verdictState{
		SyncID: number("sync"), Stream: q.Get("stream"), Tone: q.Get("tone"), Rule: q.Get("rule"), Webhook: q.Get("webhook"),
		Mapping: int(number("mapping")), Detail: number("detail"), Pick: q.Has("detail"), RollUp: q.Has("rollup"),
	}
	if name := q.Get("code"); name != "" {
		if v.Code = verdict.Parse(name); v.Code == verdict.None {
			return v, fault.Errorf(fault.Invalid, "code %q: not a verdict", name)
		}
	}
	if v.Tone != "" && !slices.Contains([]string{toneKept, toneAmber, toneGrey, toneRed}, v.Tone) {
		return v, fault.Errorf(fault.Invalid, "tone %q: want kept, amber, grey or red", v.Tone)
	}
	return v, err
}

func (v verdictState) url(change func(*verdictState)) string {
	change(&v)
	code := ""
	if v.Code != verdict.None {
		code = v.Code.String()
	}
	return pathWith("/verdicts", "sync", v.SyncID, "stream", v.Stream, "code", code, "tone", v.Tone, "webhook", v.Webhook, "mapping", v.Mapping, "rule", v.Rule)
}

func (v verdictState) filter() ingest.VerdictFilter {
	f := ingest.VerdictFilter{SyncID: v.SyncID, Stream: v.Stream, Code: v.Code}
	if v.Mapping > 0 {
		index := v.Mapping - 1
		f.Mapping = &index
	}
	return f
}

func (v verdictState) wants(g ingest.VerdictGroup) bool {
	return (v.Code == verdict.None || v.Code == g.Code) && (v.Tone == "" || groupTone(g) == v.Tone) && (v.Webhook == "" || v.Webhook == g.Webhook) &&
		(v.Rule == "" || slices.Contains(brokenRules(g.Detail), v.Rule))
}

type verdictsPage struct {
	State    verdictState
	Picture  []treeCell
	Legend   []barPart
	Records  int64 // roll-ups shown
	Lost     int64
	Sections []verdictSection
	Streams  []option
	Codes    []option
	Syncs    []option
	Chips    []chip
	Chosen   *verdictGroup
	Places   []ingest.Place
	Search   bool
}

type option struct {
	Value, Label string
	Selected     bool
}

// verdictSection is the groups of one code.
type verdictSection struct {
	Words  explanation
	N      int64
	Groups []verdictGroup
	Rules  []brokenRule // of flagged records: what they break
	Closed bool         // folded until asked for
}

type verdictGroup struct {
	ingest.VerdictGroup
	Number    int // of the mapping, from 1; 0 for a record as a whole
	Blueprint string
	Sentence  string
	URL       string
}

func (s *site) verdicts(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	state, err := readVerdicts(r)
	if err != nil {
		return err
	}
	p := &verdictsPage{State: state, Search: s.Search != nil}
	if err := s.addPicture(ctx, p); err != nil {
		return err
	}
	if err := s.addGroups(ctx, p); err != nil {
		return err
	}
	if err := s.addOptions(ctx, p); err != nil {
		return err
	}
	if state.Pick {
		if err := s.addPlaces(ctx, p); err != nil {
			return err
		}
	}
	return s.render(w, r, "verdicts", page{Title: "Verdicts", Nav: "verdicts", Data: p})
}

// addPicture draws the roll-ups of the chosen sync and stream: each record once.
func (s *site) addPicture(ctx context.Context, p *verdictsPage) error {
	sums, err := s.Ledger.VerdictSums(ctx, ingest.VerdictFilter{SyncID: p.State.SyncID, Stream: p.State.Stream})
	if err != nil {
		return err
	}
	total := map[verdict.Code]int64{}
	for _, codes := range sums {
		for code, n := range codes {
			total[code] += n
			p.Records += n
			if code.Lost() {
				p.Lost += n
			}
		}
	}
	p.Legend = barOf(total)
	p.Picture = treemap(p.Legend, 1100, 200)
	for i := range p.Picture {
		p.Picture[i].URL = p.State.url(func(v *verdictState) { v.Code, v.Tone = p.Picture[i].Part.Code, "" })
	}
	return nil
}

// rollUpOnly are the codes that a record as a whole gets: no mapping has a verdict on such a line.
func rollUpOnly(code verdict.Code) bool {
	return code == verdict.NoMappingMatched || code == verdict.MalformedLine || code == verdict.OverLimit
}

func (s *site) addGroups(ctx context.Context, p *verdictsPage) error {
	names, err := s.mappingNames(ctx)
	if err != nil {
		return err
	}
	groups, err := s.Ledger.VerdictGroups(ctx, p.State.filter(), maxGroups)
	if err != nil {
		return err
	}
	if p.State.Mapping == 0 {
		f := p.State.filter()
		f.RollUps = true
		whole, err := s.Ledger.VerdictGroups(ctx, f, maxGroups)
		if err != nil {
			return err
		}
		judged := map[verdict.Code]bool{}
		for _, g := range groups {
			judged[g.Code] = true
		}
		for _, g := range whole {
			if rollUpOnly(g.Code) && !judged[g.Code] {
				groups = append(groups, g)
			}
		}
	}
	byCode := map[verdict.Code]*verdictSection{}
	for _, g := range groups {
		if !p.State.wants(g) {
			continue
		}
		section := byCode[g.Code]
		if section == nil {
			section = &verdictSection{Words: explain(g.Code)}
			section.Closed = section.Words.Code == verdict.Filtered && p.State.Code == verdict.None && p.State.Tone == "" && p.State.Mapping == 0
			byCode[g.Code] = section
		}
		section.N += g.N
		one := verdictGroup{
			VerdictGroup: g, Number: g.Mapping + 1, Blueprint: blueprintOf(names, g.Webhook, g.Mapping),
			Sentence: detailSentence(g.Detail), URL: groupURL(p.State.SyncID, g),
		}
		if p.State.Pick && g.Stream == p.State.Stream && g.Code == p.State.Code && one.Number == p.State.Mapping && g.DetailID == p.State.Detail {
			p.Chosen = &one
		}
		section.Groups = append(section.Groups, one)
	}
	for code, section := range byCode {
		if (code == verdict.KeptWithFlags || code == verdict.Unchanged) && p.State.Rule == "" && !p.State.Pick {
			section.Rules = p.State.rulesOf(code, section.Groups)
		}
		p.Sections = append(p.Sections, *section)
	}
	slices.SortFunc(p.Sections, func(a, b verdictSection) int {
		return cmp.Or(cmp.Compare(severity(a.Words.Code), severity(b.Words.Code)), cmp.Compare(b.N, a.N), cmp.Compare(a.Words.Code, b.Words.Code))
	})
	return nil
}

// groupURL is the address of a group's records.
func groupURL(syncID int64, g ingest.VerdictGroup) string {
	return pathWith("/verdicts", "sync", syncID, "stream", g.Stream, "code", g.Code, "webhook", g.Webhook, "mapping", g.Mapping+1) + fmt.Sprintf("&detail=%d", g.DetailID)
}

// maxPlaces is how many records of a group are listed.
const maxPlaces = 60

func (s *site) addPlaces(ctx context.Context, p *verdictsPage) error {
	f := p.State.filter()
	f.DetailID = &p.State.Detail
	f.RollUps = p.State.Mapping == 0
	var err error
	p.Places, err = s.Ledger.VerdictPlaces(ctx, f, maxPlaces)
	return err
}

func (s *site) addOptions(ctx context.Context, p *verdictsPage) error {
	st := p.State
	sums, err := s.Ledger.VerdictSums(ctx, ingest.VerdictFilter{SyncID: st.SyncID})
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		p.Streams = append(p.Streams, option{name, name, name == st.Stream})
	}
	for _, code := range verdict.All() {
		p.Codes = append(p.Codes, option{code.String(), explain(code).Label, code == st.Code})
	}
	runs, err := s.Syncs.Own(ctx, runsShown)
	if err != nil {
		return err
	}
	for _, run := range runs {
		id := strconv.FormatInt(run.ID, 10)
		p.Syncs = append(p.Syncs, option{id, fmt.Sprintf("%s %d, %s", runWord(run.Cause), run.ID, run.StartedAt.UTC().Format("2 Jan 15:04")), run.ID == st.SyncID})
	}
	add := func(label string, change func(*verdictState)) { p.Chips = append(p.Chips, chip{label, st.url(change)}) }
	if st.SyncID != 0 {
		add(fmt.Sprintf("sync %d", st.SyncID), func(v *verdictState) { v.SyncID = 0 })
	}
	if st.Stream != "" {
		add("stream "+st.Stream, func(v *verdictState) { v.Stream = "" })
	}
	if st.Code != verdict.None {
		add(explain(st.Code).Label, func(v *verdictState) { v.Code = verdict.None })
	}
	if st.Tone != "" {
		add(map[string]string{toneKept: "kept", toneAmber: "kept, to look at", toneGrey: "not wanted", toneRed: "lost"}[st.Tone], func(v *verdictState) { v.Tone = "" })
	}
	if st.Rule != "" {
		add("breaks "+st.Rule, func(v *verdictState) { v.Rule = "" })
	}
	if st.Mapping != 0 {
		add(fmt.Sprintf("mapping %s #%d", st.Webhook, st.Mapping), func(v *verdictState) { v.Mapping, v.Webhook = 0, "" })
	} else if st.Webhook != "" {
		add("webhook "+st.Webhook, func(v *verdictState) { v.Webhook = "" })
	}
	return nil
}

// detailSentence says in words what decided.
func detailSentence(d verdict.Detail) string {
	var parts []string
	if d.Clause != "" {
		parts = append(parts, "not true: "+d.Clause)
	}
	if rules := brokenRules(d); len(rules) > 0 {
		parts = append(parts, strings.Join(rules[:min(len(rules), 4)], ", "))
		if more := len(rules) - 4; more > 0 {
			parts[len(parts)-1] += fmt.Sprintf(" and %d more", more)
		}
	}
	if d.Field != "" && d.Clause == "" {
		text := "in " + d.Field
		if d.Expression != "" {
			text += ": " + d.Expression
		}
		parts = append(parts, text)
	}
	if d.Value != "" {
		parts = append(parts, "value "+d.Value)
	}
	if d.Message != "" {
		parts = append(parts, d.Message)
	}
	return strings.Join(parts, "; ")
}

// brokenRules lists the properties and rules that a detail names, its further flags included.
func brokenRules(d verdict.Detail) []string {
	var list []string
	for _, one := range append([]verdict.Detail{d}, d.More...) {
		switch {
		case one.Property != "" && one.Rule != "":
			list = append(list, one.Property+" ("+one.Rule+")")
		case one.Property != "":
			list = append(list, one.Property)
		case one.Rule != "":
			list = append(list, one.Rule)
		}
	}
	return list
}

// brokenRule is how many records break one rule.
type brokenRule struct {
	Stream, Blueprint, Name string
	N                       int64
	URL                     string
	W                       float64 // of 1,000, beside the most broken
}

// rulesOf sums groups by the rules that their records break; a record that breaks several counts for each.
func (v verdictState) rulesOf(code verdict.Code, groups []verdictGroup) []brokenRule {
	type key struct{ stream, blueprint, name string }
	sums := map[key]int64{}
	var most int64
	for _, g := range groups {
		for _, name := range brokenRules(g.Detail) {
			k := key{g.Stream, g.Blueprint, name}
			sums[k] += g.N
			most = max(most, sums[k])
		}
	}
	var list []brokenRule
	for k, n := range sums {
		list = append(list, brokenRule{k.stream, k.blueprint, k.name, n, v.url(func(v *verdictState) {
			v.Stream, v.Code, v.Tone, v.Rule = k.stream, code, "", k.name
		}), 1000 * float64(n) / float64(most)})
	}
	slices.SortFunc(list, func(a, b brokenRule) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Name, b.Name)) })
	return list
}

// treeCell is one rectangle of the treemap.
type treeCell struct {
	Part       barPart
	X, Y, W, H float64
	URL        string
	Label      string // as much as fits, "" when nothing does
	Count      string
}
