package web

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"longshore/internal/catalog"
	"longshore/internal/fault"
	"longshore/internal/ingest"
	"longshore/internal/verdict"
)

type entityPage struct {
	Entity    catalog.Entity
	Blueprint catalog.Blueprint
	Title     string
	Details   []detail
	Empty     int // details without a value
	ShowEmpty bool
	Toggle    string // address that shows or hides them
	Forward   []forward
	Backward  []backward
	Waiting   int
	Picture   *ego
	History   []change
	From      *origin
	ByAPI     bool // the last write was the API's; From is that of the newest record before it
	lane      catalog.Lane
}

// Lane names the mapping that wrote the entity last: "okta #1" for the lane webhook/okta/0.
func (p *entityPage) Lane() string {
	hook, ok := strings.CutPrefix(string(p.lane), "webhook/")
	name, index, found := strings.Cut(hook, "/")
	n, err := strconv.Atoi(index)
	if !ok || !found || err != nil {
		return string(p.lane)
	}
	return name + " #" + strconv.Itoa(n+1)
}

// detail is one property of the entity.
type detail struct {
	Name, Label string
	Cell        cell
	JSON        json.RawMessage // of an object or list
	Unknown     bool            // the blueprint does not define it
	Derived     bool            // it is stored nowhere
	Why         []string        // a derived one has no value
	Flags       []catalog.Flag
}

type forward struct {
	Name, Label string
	Links       []relationLink
	More        int
}

type backward struct {
	Blueprint, Relation string
	N                   int64
	URL                 string // the table of all of them
	Rows                []relationLink
}

const (
	maxForward  = 25 // targets shown a relation
	maxBackward = 5  // referrers shown a group
	maxHistory  = 20
)

func (s *site) entity(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	key := catalog.Key{Blueprint: r.PathValue("blueprint"), Identifier: r.PathValue("identifier")}
	if key.Identifier == "" {
		key.Identifier = r.FormValue("id")
	}
	e, err := s.Catalog.Entity(ctx, key.Blueprint, key.Identifier)
	if fault.Is(err, fault.NotFound) {
		return s.missingEntity(w, r, key, err)
	}
	if err != nil {
		return err
	}
	p := &entityPage{Entity: e, Title: cmp.Or(e.Title, e.Identifier), ShowEmpty: r.URL.Query().Has("empty")}
	if p.Blueprint, err = s.Catalog.Blueprint(ctx, key.Blueprint); err != nil {
		return err
	}
	q := r.URL.Query()
	if p.ShowEmpty {
		q.Del("empty")
	} else {
		q.Set("empty", "")
	}
	p.Toggle = withQuery(r.URL.EscapedPath(), q)
	p.addDetails(s)
	if err := s.addForward(ctx, p); err != nil {
		return err
	}
	if err := s.addBackward(ctx, p, key); err != nil {
		return err
	}
	entries, err := s.Catalog.History(ctx, catalog.HistoryFilter{Kind: "entity", Blueprint: key.Blueprint, Identifier: key.Identifier, Limit: maxHistory})
	if err != nil {
		return err
	}
	for _, entry := range entries {
		p.History = append(p.History, changeOf(entry))
	}
	from := e.Origin
	p.lane, p.ByAPI = e.Lane, from.ObjectID == 0
	for i := 0; from.ObjectID == 0 && i < len(entries); i++ {
		from, p.lane = entries[i].Origin, ""
	}
	if from.ObjectID != 0 {
		if p.From, err = s.originOf(ctx, from.ObjectID, from.Line); err != nil {
			return err
		}
		if p.lane == "" {
			p.lane = p.From.writer(key.Blueprint)
		}
	}
	p.Picture = egoOf(p)
	return s.render(w, r, "entity", page{Title: p.Title, Nav: "catalog", Data: p})
}

type missingPage struct {
	Key       catalog.Key
	Known     bool // the blueprint is there
	Referrers []backward
	History   []change
}

// missingEntity is the page of an entity that others point at, or that was deleted: it says who and when.
func (s *site) missingEntity(w http.ResponseWriter, r *http.Request, key catalog.Key, cause error) error {
	ctx := r.Context()
	m := &missingPage{Key: key}
	counts, err := s.Catalog.Counts(ctx)
	if err != nil {
		return err
	}
	_, m.Known = counts[key.Blueprint]
	if m.Referrers, err = s.referrers(ctx, key); err != nil {
		return err
	}
	entries, err := s.Catalog.History(ctx, catalog.HistoryFilter{Kind: "entity", Blueprint: key.Blueprint, Identifier: key.Identifier, Limit: maxHistory})
	if err != nil {
		return err
	}
	for _, entry := range entries {
		m.History = append(m.History, changeOf(entry))
	}
	if len(m.Referrers) == 0 && len(m.History) == 0 && !m.Known {
		return cause
	}
	status := http.StatusOK // others name it, or it was here: there is something to tell
	if len(m.Referrers) == 0 && len(m.History) == 0 {
		status = http.StatusNotFound
	}
	return s.render(w, r, "missing", page{Title: key.Identifier, Nav: "catalog", Status: status, Data: m})
}

// addDetails lists the properties: those of the blueprint in its order, the derived ones after the stored, then what else
// the entity has. A derived one without a value says why.
func (p *entityPage) addDetails(s *site) {
	values := membersOf(p.Entity.Properties)
	flags := map[string][]catalog.Flag{}
	for _, f := range p.Entity.Flags {
		name, _, _ := strings.Cut(f.Property, ".")
		flags[name] = append(flags[name], f)
	}
	why := map[string][]string{}
	for _, f := range p.Entity.Underived {
		why[f.Property] = append(why[f.Property], "no value: "+f.Want)
	}
	put := func(d detail, raw json.RawMessage, kind string) {
		d.Cell, d.Flags, d.Why = s.valueCell(raw, kind), flags[d.Name], why[d.Name]
		if d.Cell.Kind == "none" && len(d.Flags)+len(d.Why) == 0 {
			if p.Empty++; !p.ShowEmpty {
				return
			}
		}
		if d.Cell.Kind == "json" {
			d.JSON = raw
		}
		p.Details = append(p.Details, d)
	}
	for _, prop := range p.Blueprint.Properties {
		kind := prop.Type
		if prop.Format == "date-time" {
			kind = "time"
		}
		put(detail{Name: prop.Name, Label: cmp.Or(prop.Title, prop.Name)}, values[prop.Name], kind)
		delete(values, prop.Name)
	}
	derived := membersOf(p.Entity.Derived)
	for _, prop := range p.Blueprint.DerivedProperties() {
		kind := prop.Type
		if prop.Format == "date-time" {
			kind = "time"
		}
		put(detail{Name: prop.Name, Label: cmp.Or(prop.Title, prop.Name), Derived: true}, derived[prop.Name], kind)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		put(detail{Name: name, Label: name, Unknown: true}, values[name], "")
	}
}

func (s *site) addForward(ctx context.Context, p *entityPage) error {
	values := membersOf(p.Entity.Relations)
	wanted := map[string]map[string]bool{}
	for _, rel := range p.Blueprint.Relations {
		ids := idsOf(values[rel.Name])
		for _, id := range ids[:min(len(ids), maxForward)] {
			if wanted[rel.Target] == nil {
				wanted[rel.Target] = map[string]bool{}
			}
			wanted[rel.Target][id] = true
		}
	}
	names, err := s.titles(ctx, wanted)
	if err != nil {
		return err
	}
	for _, rel := range p.Blueprint.Relations {
		ids := idsOf(values[rel.Name])
		if len(ids) == 0 || rel.InverseOf != "" { // the latter are among the backward ones
			continue
		}
		f := forward{Name: rel.Name, Label: cmp.Or(rel.Title, rel.Name), More: max(0, len(ids)-maxForward)}
		for _, id := range ids[:min(len(ids), maxForward)] {
			link := linkTo(rel.Target, id, names)
			if link.Waiting {
				p.Waiting++
			}
			f.Links = append(f.Links, link)
		}
		p.Forward = append(p.Forward, f)
	}
	return nil
}

func (s *site) addBackward(ctx context.Context, p *entityPage, key catalog.Key) (err error) {
	p.Backward, err = s.referrers(ctx, key)
	return err
}

func (s *site) referrers(ctx context.Context, key catalog.Key) ([]backward, error) {
	counts, err := s.Catalog.Referrers(ctx, key)
	if err != nil {
		return nil, err
	}
	var groups []backward
	for _, c := range counts {
		g := backward{Blueprint: c.Blueprint, Relation: c.Relation, N: c.Count, URL: tableURL(c.Blueprint, ">"+c.Relation, "is", key.Identifier)}
		rows, err := s.Catalog.ReferrersBy(ctx, key, c.Blueprint, c.Relation, 0, maxBackward)
		if err != nil {
			return nil, err
		}
		for _, e := range rows {
			g.Rows = append(g.Rows, relationLink{e.Blueprint, e.Identifier, cmp.Or(e.Title, e.Identifier), entityURL(e.Blueprint, e.Identifier), false})
		}
		groups = append(groups, g)
	}
	return groups, nil
}

// change is an audit entry with what it changed, member by member.
type change struct {
	Entry  catalog.AuditEntry
	Action string
	Fields []fieldChange
	More   int
	Place  string // of the record that made it
}

type fieldChange struct{ Name, Before, After string }

const maxFieldChanges = 40

func changeOf(entry catalog.AuditEntry) change {
	c := change{Entry: entry, Action: strings.ToLower(entry.Action)}
	before, after := flat(entry.Before), flat(entry.After)
	names := map[string]bool{}
	for name := range before {
		names[name] = true
	}
	for name := range after {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if before[name] == after[name] {
			continue
		}
		if len(c.Fields) == maxFieldChanges {
			c.More++
			continue
		}
		c.Fields = append(c.Fields, fieldChange{name, shorten(before[name], 160), shorten(after[name], 160)})
	}
	if entry.Origin.ObjectID != 0 {
		c.Place = recordURL(entry.Origin.ObjectID, entry.Origin.Line)
	}
	return c
}

// flat reads a change's members; those of properties and relations stand beside the others.
func flat(raw []byte) map[string]string {
	out := map[string]string{}
	for name, value := range membersOf(raw) {
		if name == "properties" || name == "relations" {
			for inner, v := range membersOf(value) {
				out[inner] = plainText(v)
			}
			continue
		}
		out[name] = plainText(value)
	}
	return out
}

// origin is the record that an entity was last written from, and what the ledger says of it.
type origin struct {
	Object  ingest.Object
	Line    int64
	URL     string
	RollUp  *verdictLine // nil: not judged, or judged anew just now
	Lines   verdictLines
	Record  json.RawMessage
	Missing string // why the record cannot be shown
	Envelope
}

// verdictLine is a record's verdict of one mapping.
type verdictLine struct {
	Index     int // from 0; -1 for the roll-up
	Number    int
	Blueprint string
	Words     explanation
	Sentence  string
	Notes     []string
	Verdict   ingest.Verdict
}

// writer is the lane of the mapping that wrote the record into the blueprint, "" when none did.
func (o *origin) writer(blueprint string) catalog.Lane {
	for _, l := range o.Lines.Wanted() {
		if l.Blueprint == blueprint && !l.Words.Code.Lost() {
			return catalog.Lane("webhook/" + o.Object.Webhook + "/" + strconv.Itoa(l.Index))
		}
	}
	return ""
}

// verdictLines are a record's verdicts, one a mapping.
type verdictLines []verdictLine

// Wanted are those of the mappings whose filter took the record.
func (l verdictLines) Wanted() []verdictLine { return l.of(false) }

// Passed are those of the mappings that filtered it.
func (l verdictLines) Passed() []verdictLine { return l.of(true) }

func (l verdictLines) of(filtered bool) (list []verdictLine) {
	for _, line := range l {
		if (line.Words.Code == verdict.Filtered) == filtered {
			list = append(list, line)
		}
	}
	return list
}

// originOf reads a record's place, verdicts and text. What is gone is said, and is no error: the entity stays readable.
func (s *site) originOf(ctx context.Context, objectID, line int64) (*origin, error) {
	o := &origin{Line: line, URL: recordURL(objectID, line)}
	var err error
	if o.Object, err = s.Ledger.Object(ctx, objectID); fault.Is(err, fault.NotFound) {
		o.Missing = err.Error()
		return o, nil
	} else if err != nil {
		return nil, err
	}
	judged, err := s.Ledger.RecordVerdict(ctx, objectID, line)
	switch {
	case fault.Is(err, fault.NotFound):
	case err != nil:
		return nil, err
	default:
		names, err := s.mappingNames(ctx)
		if err != nil {
			return nil, err
		}
		roll := lineOf(-1, "", judged.RollUp)
		o.RollUp = &roll
		for i, v := range judged.Verdict {
			o.Lines = append(o.Lines, lineOf(i, blueprintOf(names, o.Object.Webhook, i), v))
		}
	}
	text, err := s.readLine(ctx, o.Object, line)
	if err != nil {
		o.Missing = err.Error()
		return o, nil //nolint:nilerr // the page tells of it
	}
	o.Record, o.Envelope = bytes.Clone(text.Body), text.Envelope
	return o, nil
}

func lineOf(i int, blueprint string, v ingest.Verdict) verdictLine {
	first := v.Detail
	first.More = nil
	l := verdictLine{Index: i, Number: i + 1, Blueprint: blueprint, Words: explain(v.Code), Sentence: detailSentence(first), Verdict: v}
	for _, m := range v.Detail.More {
		l.Notes = append(l.Notes, detailSentence(m))
	}
	return l
}
