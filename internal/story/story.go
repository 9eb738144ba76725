// Package story tells what became of one id: the records of the lake that hold it, the verdict of each mapping on
// them, the entities that came of it, and how they changed.
package story

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strings"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/fault"
	"longshore/internal/ingest"
	"longshore/internal/lake"
	"longshore/internal/mapping"
	"longshore/internal/pipeline"
	"longshore/internal/verdict"
)

// What a story is drawn from.
type (
	// Objects knows the lake objects, the ledger and the mappings.
	Objects interface {
		List(ctx context.Context, f ingest.ObjectFilter, limit int) ([]ingest.Object, error)
		RecordVerdict(ctx context.Context, objectID, line int64) (ingest.RecordVerdict, error)
		Webhook(ctx context.Context, identifier string) (ingest.Webhook, error)
	}
	// Runs knows the runs.
	Runs interface {
		Run(ctx context.Context, id int64) (pipeline.Run, error)
	}
	// Catalog knows the entities and their history.
	Catalog interface {
		Blueprints(ctx context.Context) ([]catalog.Blueprint, error)
		Entity(ctx context.Context, blueprint, identifier string) (catalog.Entity, error)
		History(ctx context.Context, f catalog.HistoryFilter) ([]catalog.AuditEntry, error)
		RetentionRuns(ctx context.Context, blueprint string, limit int) ([]catalog.RetentionRun, error)
	}
)

// Teller tells stories.
type Teller struct {
	Objects Objects
	Runs    Runs
	Catalog Catalog
	Bucket  lake.Bucket
}

// Story is all that is known of an id.
type Story struct {
	ID       string   `json:"id"`
	Entities []Entity `json:"entities"`
	Records  []Record `json:"records"`
	More     int      `json:"moreRecords"` // further records that hold the id
	Notes    []string `json:"notes,omitempty"`
}

// Entity is an entity of that identifier.
type Entity struct {
	Blueprint  string               `json:"blueprint"`
	Identifier string               `json:"identifier"`
	Title      string               `json:"title"`
	Flags      []catalog.Flag       `json:"flags,omitempty"`
	Underived  []catalog.Flag       `json:"withoutValue,omitempty"` // derived properties that have none: Want says why
	UpdatedAt  time.Time            `json:"updatedAt"`
	WrittenBy  string               `json:"writtenBy"` // object:line
	History    []catalog.AuditEntry `json:"history"`
	originID   int64
	originLine int64
}

// Record is a record of the lake that holds the id.
type Record struct {
	Object      string          `json:"object"`
	Line        int64           `json:"line"`
	Stream      string          `json:"stream"`
	SyncID      int64           `json:"sync,omitempty"`
	Request     string          `json:"request,omitempty"` // the first page's request of the stream in that run
	Pages       int64           `json:"pages,omitempty"`
	ExtractedAt time.Time       `json:"extractedAt"`
	Own         bool            `json:"own"` // the record's own id, not a mention
	Body        json.RawMessage `json:"record"`
	RollUp      string          `json:"rollUp"`
	Verdicts    []Verdict       `json:"verdicts"`
}

// Verdict is one mapping's verdict on a record.
type Verdict struct {
	Mapping   int            `json:"mapping"` // from 0; Print counts from 1
	Blueprint string         `json:"blueprint"`
	Code      string         `json:"code"`
	Detail    verdict.Detail `json:"detail"`
}

// maxNeedleBytes is far above any identifier.
const maxNeedleBytes = 1000

// Tell tells the story of id, with at most limit records: those whose own id it is before those that mention it.
func (t *Teller) Tell(ctx context.Context, id string, limit int) (Story, error) {
	s := Story{ID: id, Entities: []Entity{}, Records: []Record{}}
	limit = max(limit, 0)
	if id == "" || len(id) > maxNeedleBytes {
		return s, fault.Errorf(fault.Invalid, "an id has 1 to %d characters", maxNeedleBytes)
	}
	if err := t.entities(ctx, &s); err != nil {
		return s, err
	}
	if err := t.records(ctx, &s, limit); err != nil {
		return s, err
	}
	return s, t.letGo(ctx, &s)
}

func (t *Teller) entities(ctx context.Context, s *Story) error {
	blueprints, err := t.Catalog.Blueprints(ctx)
	if err != nil {
		return err
	}
	for _, b := range blueprints {
		e, err := t.Catalog.Entity(ctx, b.Identifier, s.ID)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		told := Entity{
			Blueprint: b.Identifier, Identifier: e.Identifier, Title: e.Title, Flags: e.Flags, Underived: e.Underived, UpdatedAt: e.UpdatedAt,
			originID: e.Origin.ObjectID, originLine: e.Origin.Line,
		}
		if e.Version.ObjectKey != "" {
			told.WrittenBy = fmt.Sprintf("%s:%d", e.Version.ObjectKey, e.Origin.Line)
		}
		if told.History, err = t.Catalog.History(ctx, catalog.HistoryFilter{Blueprint: b.Identifier, Identifier: e.Identifier, Limit: 20}); err != nil {
			return err
		}
		s.Entities = append(s.Entities, told)
	}
	return nil
}

// hit is a line that holds the id.
type hit struct {
	object ingest.Object
	line   ingest.RecordLine
	own    bool
}

func (t *Teller) records(ctx context.Context, s *Story, limit int) error {
	objects, err := t.Objects.List(ctx, ingest.ObjectFilter{}, 0)
	if err != nil {
		return err
	}
	sort.SliceStable(objects, func(i, j int) bool { return objects[i].ID > objects[j].ID }) // the newest first
	needle := s.ID
	if i := strings.LastIndexByte(needle, '/'); i > 0 && len(s.Entities) > 0 {
		// A composite identifier stands in no record: the record that wrote its entity does.
		return t.judge(ctx, s, t.writers(ctx, s, objects))
	}
	var own, mentions []hit
	err = ingest.Search(ctx, t.Bucket, objects, needle, func(o ingest.Object, line ingest.RecordLine) bool {
		h := hit{o, line, ownID(line.Body) == s.ID}
		switch {
		case s.wrote(h): // told first
		case h.own && len(own) < limit:
			own = append(own, h)
		case !h.own && len(mentions) < limit:
			mentions = append(mentions, h)
		default:
			s.More++
		}
		return true
	}, func(o ingest.Object, err error) {
		s.Notes = append(s.Notes, fmt.Sprintf("%s could not be read: %v", o.Key, err))
	})
	if err != nil {
		return err
	}
	all := append(append(t.writers(ctx, s, objects), own...), mentions...)
	if len(all) > limit {
		s.More += len(all) - limit
		all = all[:limit]
	}
	return t.judge(ctx, s, all)
}

// wrote reports whether the line wrote an entity of the story.
func (s *Story) wrote(h hit) bool {
	for _, e := range s.Entities {
		if e.originID == h.object.ID && e.originLine == h.line.Number {
			return true
		}
	}
	return false
}

// ownID is the id, uuid or label under which a record goes, or "".
func ownID(body []byte) string {
	var r struct{ ID, UUID string }
	if json.Unmarshal(body, &r) != nil {
		return ""
	}
	if r.ID != "" {
		return r.ID
	}
	return r.UUID
}

// writers returns the records that wrote the entities of the story.
func (t *Teller) writers(ctx context.Context, s *Story, objects []ingest.Object) []hit {
	var hits []hit
	for _, e := range s.Entities {
		for _, o := range objects {
			if o.ID != e.originID {
				continue
			}
			line, err := ingest.ReadLine(ctx, t.Bucket, o.Key, e.originLine)
			if err != nil {
				s.Notes = append(s.Notes, err.Error())
				continue
			}
			hits = append(hits, hit{o, line, true})
		}
	}
	return hits
}

func (t *Teller) judge(ctx context.Context, s *Story, hits []hit) error {
	runs := map[int64]pipeline.Run{}
	blueprints := map[string][]string{}
	for _, h := range hits {
		r := Record{
			Object: h.object.Key, Line: h.line.Number, Stream: h.object.Stream, SyncID: h.object.SyncID, Own: h.own, Body: h.line.Body,
			ExtractedAt: time.UnixMilli(h.line.ExtractedAt).UTC(), RollUp: "not judged yet", Verdicts: []Verdict{},
		}
		if run, err := t.run(ctx, runs, h.object.SyncID); err == nil {
			for _, st := range run.Streams {
				if st.Stream == h.object.Stream {
					r.Request, r.Pages = st.FirstCursor, st.Pages
				}
			}
		}
		v, err := t.Objects.RecordVerdict(ctx, h.object.ID, h.line.Number)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if err == nil {
			r.RollUp = v.RollUp.Code.String()
			names := t.targets(ctx, blueprints, v.Object.Webhook)
			for i, one := range v.Verdict {
				told := Verdict{Mapping: i, Code: one.Code.String(), Detail: one.Detail}
				if i < len(names) {
					told.Blueprint = names[i]
				}
				r.Verdicts = append(r.Verdicts, told)
			}
		}
		s.Records = append(s.Records, r)
	}
	return nil
}

func (t *Teller) run(ctx context.Context, runs map[int64]pipeline.Run, id int64) (pipeline.Run, error) {
	if id == 0 {
		return pipeline.Run{}, fault.Errorf(fault.NotFound, "the object is of no run")
	}
	if r, ok := runs[id]; ok {
		return r, nil
	}
	r, err := t.Runs.Run(ctx, id)
	if err == nil {
		runs[id] = r
	}
	return r, err
}

// targets lists the blueprint of each mapping of a webhook.
func (t *Teller) targets(ctx context.Context, known map[string][]string, webhook string) []string {
	if names, ok := known[webhook]; ok {
		return names
	}
	var names []string
	if hook, err := t.Objects.Webhook(ctx, webhook); err == nil {
		if set, err := mapping.Compile(webhook, hook.Mappings, mapping.Options{}); err == nil {
			for i := range set.Len() {
				names = append(names, set.Mapping(i).Blueprint)
			}
		}
	}
	known[webhook] = names
	return names
}

// Print writes the story for people.
func (s Story) Print(w io.Writer) error {
	var b strings.Builder
	for _, e := range s.Entities {
		fmt.Fprintf(&b, "Entity %s %s", e.Blueprint, e.Identifier)
		if e.Title != "" {
			fmt.Fprintf(&b, " (%s)", e.Title)
		}
		b.WriteString("\n")
		if e.WrittenBy != "" {
			fmt.Fprintf(&b, "  written by %s\n", e.WrittenBy)
		}
		for _, f := range e.Flags {
			fmt.Fprintf(&b, "  flagged: property %s breaks rule %s, value %s\n", f.Property, f.Rule, f.Value)
		}
		for _, f := range e.Underived {
			fmt.Fprintf(&b, "  %s has no value: %s\n", f.Property, f.Want)
		}
		for _, h := range e.History {
			fmt.Fprintf(&b, "  %s %s", h.At.Format(time.RFC3339), h.Action)
			if h.Actor != "" {
				fmt.Fprintf(&b, " by %s", h.Actor)
			}
			if h.Action == "UPDATE" {
				fmt.Fprintf(&b, ": %s → %s", h.Before, h.After)
			}
			b.WriteString("\n")
		}
	}
	for _, r := range s.Records {
		what := "Mentioned in"
		if r.Own {
			what = "Record"
		}
		fmt.Fprintf(&b, "%s %s:%d\n", what, r.Object, r.Line)
		if r.SyncID != 0 {
			fmt.Fprintf(&b, "  sync %d, stream %s, %d pages from %s, read at %s\n", r.SyncID, r.Stream, r.Pages, r.Request, r.ExtractedAt.Format(time.RFC3339))
		}
		fmt.Fprintf(&b, "  roll-up: %s\n", r.RollUp)
		r.printVerdicts(&b)
	}
	if s.More > 0 {
		fmt.Fprintf(&b, "%d more records hold %s; --records shows more\n", s.More, s.ID)
	}
	for _, n := range s.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printVerdicts lists what each mapping made of the record. Mappings that passed by a record which another one took are
// only counted.
func (r Record) printVerdicts(b *strings.Builder) {
	filtered := 0
	for _, v := range r.Verdicts {
		if v.Code == verdict.Filtered.String() {
			filtered++
		}
	}
	brief := filtered < len(r.Verdicts)
	for _, v := range r.Verdicts {
		if brief && v.Code == verdict.Filtered.String() {
			continue
		}
		fmt.Fprintf(b, "    mapping %d → %s: %s", v.Mapping+1, v.Blueprint, v.Code)
		if !v.Detail.Empty() {
			fmt.Fprintf(b, ": %s", v.Detail)
		}
		b.WriteString("\n")
	}
	if brief && filtered > 0 {
		noun := "mappings"
		if filtered == 1 {
			noun = "mapping"
		}
		fmt.Fprintf(b, "    %d other %s filtered it (--json names each clause)\n", filtered, noun)
	}
}
