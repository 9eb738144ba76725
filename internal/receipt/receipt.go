// Package receipt adds up what became of a run's records, hop by hop: rows that the API gave, lines in the lake, lines
// read, verdicts. A number that does not add up is a [Difference] that names its hop, and the receipt is not OK.
package receipt

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/ingest"
	"longshore/internal/pipeline"
	"longshore/internal/verdict"
)

// The hops of a record.
const (
	HopSource  = pipeline.HopSource
	HopLake    = pipeline.HopLake
	HopRead    = "lake lines → lines read"
	HopVerdict = "lines read → verdicts"
	HopCatalog = "verdicts → entities"
)

// Receipt is the account of one run.
type Receipt struct {
	SyncID      int64            `json:"sync"`
	Connection  string           `json:"connection"`
	Source      string           `json:"source"`
	Status      string           `json:"status"` // of the run: succeeded, partial, failed
	StartedAt   time.Time        `json:"startedAt"`
	FinishedAt  time.Time        `json:"finishedAt"`
	Streams     []Stream         `json:"streams"`
	Blueprints  []Blueprint      `json:"blueprints"`
	Pending     int64            `json:"pendingRelations"`           // relations that wait for a target
	Resolvable  int64            `json:"resolvablePendingRelations"` // of these, targets that are here: always 0
	Differences []Difference     `json:"differences"`
	OK          bool             `json:"ok"`
	Verdicts    map[string]int64 `json:"verdicts"` // sums over the streams
	// MissedByFeed counts, by stream, what the run changed although a feed had followed; nil when none had.
	MissedByFeed map[string]int64 `json:"missedByFeed,omitzero"`
	Calls        *Calls           `json:"calls,omitempty"`
}

// Stream is one stream's way.
type Stream struct {
	Name     string           `json:"stream"`
	Status   string           `json:"status"`
	Mode     string           `json:"mode"`
	Pages    int64            `json:"pages"`
	Calls    int64            `json:"calls"` // answers that the source gave, those sent again included
	APIRows  int64            `json:"apiRows"`
	InLake   int64            `json:"inLake"`
	Read     int64            `json:"read"`
	Judged   int64            `json:"judged"` // Σ of the roll-ups
	Verdicts map[string]int64 `json:"verdicts"`
	Note     string           `json:"note,omitempty"` // why it is partial or failed
}

// Blueprint is how many entities a blueprint has now.
type Blueprint struct {
	Identifier string `json:"blueprint"`
	Entities   int64  `json:"entities"`
}

// Difference is a number that does not add up, or an object that could not be taken whole.
type Difference struct {
	Stream string `json:"stream"`
	Hop    string `json:"hop"`
	Want   int64  `json:"want"`
	Got    int64  `json:"got"`
	Object string `json:"object,omitempty"`
	Why    string `json:"why"`
}

func (d Difference) String() string {
	s := fmt.Sprintf("%s: %s: %s", d.Stream, d.Hop, d.Why)
	if d.Object != "" {
		s += " (" + d.Object + ")"
	}
	return s
}

// Runs, Objects and Catalog are what a receipt is drawn from.
type (
	// Runs knows the runs.
	Runs interface {
		Run(ctx context.Context, id int64) (pipeline.Run, error)
	}
	// Objects knows the lake objects and the ledger.
	Objects interface {
		List(ctx context.Context, f ingest.ObjectFilter, limit int) ([]ingest.Object, error)
		VerdictSums(ctx context.Context, f ingest.VerdictFilter) (map[string]map[verdict.Code]int64, error)
		// WaitingByStream counts the records whose entity waits for a relation's target; syncID 0 means all objects.
		WaitingByStream(ctx context.Context, syncID int64) (map[string]int64, error)
		// Recount counts the roll-ups of a run anew, from the ledger's records.
		Recount(ctx context.Context, syncID int64) (map[string]map[verdict.Code]int64, error)
		// EntityRows counts the entities by blueprint, row by row.
		EntityRows(ctx context.Context) (map[string]int64, error)
		// LastWrites gives the changes of a run that nothing has followed, at most limit.
		LastWrites(ctx context.Context, syncID int64, limit int, fn func(LastWrite)) error
	}
	// Catalog knows the entities.
	Catalog interface {
		Counts(ctx context.Context) (map[string]int64, error)
		Blueprints(ctx context.Context) ([]catalog.Blueprint, error)
		Pending(ctx context.Context, samples int) (catalog.PendingReport, error)
	}
)

// Make draws the receipt of a run.
func Make(ctx context.Context, runs Runs, objects Objects, cat Catalog, syncID int64) (Receipt, error) {
	run, err := runs.Run(ctx, syncID)
	if err != nil {
		return Receipt{}, err
	}
	r := Receipt{
		SyncID: run.ID, Connection: run.Connection.Name, Source: run.Connection.Source, Status: string(run.Status),
		StartedAt: run.StartedAt, FinishedAt: run.FinishedAt,
	}
	taken, err := objects.List(ctx, ingest.ObjectFilter{SyncID: syncID}, 0)
	if err != nil {
		return r, err
	}
	return r, r.fill(ctx, objects, cat, run.Streams, taken)
}

// OfLake draws the account of every object seen, whoever wrote it. What the API gave is not known here: the lines that
// our own writer counted stand in its place, and for a foreign writer's objects the lines read.
func OfLake(ctx context.Context, objects Objects, cat Catalog) (Receipt, error) {
	all, err := objects.List(ctx, ingest.ObjectFilter{}, 0)
	if err != nil {
		return Receipt{}, err
	}
	var streams []pipeline.StreamRun
	at := map[string]int{}
	all = current(all)
	for _, o := range all {
		i, ok := at[o.Stream]
		if !ok {
			i = len(streams)
			at[o.Stream] = i
			streams = append(streams, pipeline.StreamRun{Stream: o.Stream, Status: pipeline.Complete})
		}
		rows := o.RowsWritten
		if rows < 0 {
			rows = o.Records
		}
		streams[i].APIRows, streams[i].LakeRows = streams[i].APIRows+rows, streams[i].LakeRows+rows
	}
	r := Receipt{Status: "lake"}
	return r, r.fill(ctx, objects, cat, streams, all)
}

// current leaves out versions of objects that a later one has replaced before they were read: they hold nothing that
// is still in the lake.
func current(all []ingest.Object) []ingest.Object {
	last := map[string]int64{}
	for _, o := range all {
		last[o.Key] = max(last[o.Key], o.ID)
	}
	return slices.DeleteFunc(all, func(o ingest.Object) bool { return o.State == ingest.Gone && o.ID < last[o.Key] })
}

func (r *Receipt) fill(ctx context.Context, objects Objects, cat Catalog, streams []pipeline.StreamRun, taken []ingest.Object) error {
	r.Verdicts, r.Differences = map[string]int64{}, []Difference{}
	sums, err := objects.VerdictSums(ctx, ingest.VerdictFilter{SyncID: r.SyncID})
	if err != nil {
		return err
	}
	waiting, err := objects.WaitingByStream(ctx, r.SyncID)
	if err != nil {
		return err
	}
	for _, st := range streams {
		r.addStream(st, taken, sums[st.Stream], waiting[st.Stream])
	}
	pending, err := cat.Pending(ctx, 0)
	if err != nil {
		return err
	}
	r.Pending, r.Resolvable = pending.Count, pending.Resolvable
	if r.Resolvable > 0 {
		r.Differences = append(r.Differences, Difference{
			Stream: "all streams", Hop: HopVerdict, Got: r.Resolvable,
			Why: fmt.Sprintf("%d relations wait although their target is in the catalog", r.Resolvable),
		})
	}
	counts, err := cat.Counts(ctx)
	if err != nil {
		return err
	}
	blueprints, err := cat.Blueprints(ctx)
	if err != nil {
		return err
	}
	if r.SyncID != 0 {
		if err := r.recount(ctx, objects, sums); err != nil {
			return err
		}
		if err := r.checkEntities(ctx, objects, cat, blueprints); err != nil {
			return err
		}
	}
	for _, b := range blueprints {
		if catalog.IsSystem(b.Identifier) && counts[b.Identifier] == 0 {
			continue // no record leads there
		}
		r.Blueprints = append(r.Blueprints, Blueprint{b.Identifier, counts[b.Identifier]})
	}
	r.OK = len(r.Differences) == 0
	return nil
}

// addStream adds one stream and what does not add up in it. waiting is how many of its records' entities wait for a
// relation's target: these were stored as upserted and are shown as pending-relation while they wait.
func (r *Receipt) addStream(st pipeline.StreamRun, taken []ingest.Object, sums map[verdict.Code]int64, waiting int64) {
	s := Stream{
		Name: st.Stream, Status: string(st.Status), Mode: st.Mode, Pages: st.Pages, APIRows: st.APIRows, InLake: st.LakeRows,
		Verdicts: map[string]int64{}, Note: st.Error,
	}
	for _, n := range st.Statuses {
		s.Calls += int64(n)
	}
	found := int64(0) // lines of the objects that are known
	for _, o := range taken {
		if o.Stream != st.Stream {
			continue
		}
		s.Read += o.Records
		found += max(o.RowsWritten, 0)
		if o.RowsWritten < 0 {
			found += o.Records
		}
		if why := objectTrouble(o); why != "" {
			r.Differences = append(r.Differences, Difference{st.Stream, HopRead, o.RowsWritten, o.Records, o.Key, why})
		}
	}
	waiting = min(waiting, sums[verdict.Upserted])
	for code, n := range sums {
		s.Judged += n
		if code == verdict.Upserted {
			n -= waiting
		}
		if n > 0 {
			s.Verdicts[code.String()] += n
		}
	}
	if waiting > 0 {
		s.Verdicts[verdict.PendingRelation.String()] += waiting
	}
	for name, n := range s.Verdicts {
		r.Verdicts[name] += n
	}
	switch hop, why, lost := lossOf(st); {
	case lost:
		r.Differences = append(r.Differences, Difference{Stream: st.Stream, Hop: hop, Why: why})
	case st.Status == pipeline.Partial && (len(st.Gaps) == 0 || st.Error != st.Gaps[0]):
		// Gaps are what the credential may not see, or what was gone; this is a stream that broke off.
		r.Differences = append(r.Differences, Difference{Stream: st.Stream, Hop: HopSource, Why: "the stream was not read to its end: " + st.Error})
	case st.Status == pipeline.Failed:
		r.Differences = append(r.Differences, Difference{Stream: st.Stream, Hop: HopSource, Why: "the stream could not be read: " + st.Error})
	}
	if s.APIRows != s.InLake {
		r.Differences = append(r.Differences, Difference{
			Stream: st.Stream, Hop: HopLake, Want: s.APIRows, Got: s.InLake,
			Why: fmt.Sprintf("the API gave %d rows, %d lines were written", s.APIRows, s.InLake),
		})
	}
	if found != s.InLake {
		r.Differences = append(r.Differences, Difference{
			Stream: st.Stream, Hop: HopRead, Want: s.InLake, Got: found,
			Why: fmt.Sprintf("%d lines were written, the objects known hold %d", s.InLake, found),
		})
	}
	if s.Read != s.Judged {
		r.Differences = append(r.Differences, Difference{
			Stream: st.Stream, Hop: HopVerdict, Want: s.Read, Got: s.Judged,
			Why: fmt.Sprintf("%d lines were read, %d have a verdict", s.Read, s.Judged),
		})
	}
	r.Streams = append(r.Streams, s)
}

// lossOf is what a stream ended with when records did not come over a hop as they were sent.
func lossOf(st pipeline.StreamRun) (hop, why string, lost bool) {
	for _, hop := range []string{HopSource, HopLake} {
		if why, lost := strings.CutPrefix(st.Error, hop+": "); lost {
			return hop, why, true
		}
	}
	return "", "", false
}

// objectTrouble says what is wrong with how an object was taken, or "".
func objectTrouble(o ingest.Object) string {
	why := ""
	if o.RowsWritten >= 0 && o.Records != o.RowsWritten {
		why = fmt.Sprintf("%d lines were written, %d were read", o.RowsWritten, o.Records)
	}
	switch {
	case o.State == ingest.Failed, o.State == ingest.Gone, o.State == ingest.Unrouted:
		state := fmt.Sprintf("%s: %s", o.State, o.Error)
		if why == "" {
			return state
		}
		return why + "; " + state
	case o.State != ingest.Done:
		return fmt.Sprintf("not read to its end yet (%s)", o.State)
	}
	return why
}
