package portapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"longshore/internal/fault"
	"longshore/internal/ingest"
	"longshore/internal/pipeline"
	"longshore/internal/verdict"
)

const (
	defaultList = 100
	maxList     = 1000
)

type verdictsAnswer struct {
	OK     bool           `json:"ok"`
	Groups []verdictGroup `json:"groups"`
}

// verdictGroup is how often one code with one explanation was given. Mapping -1 is the records' roll-up.
type verdictGroup struct {
	Stream       string         `json:"stream"`
	Webhook      string         `json:"webhook"`
	Mapping      int            `json:"mapping"`
	Code         string         `json:"code"`
	DetailID     int64          `json:"detailId"`
	Detail       verdict.Detail `json:"detail"`
	Records      int64          `json:"records"`
	SampleObject string         `json:"sampleObject"`
	SampleLine   int64          `json:"sampleLine"`
}

// list writes what there is to choose from.
func list[T any](all []T) string {
	text := make([]string, len(all))
	for i, one := range all {
		text[i] = fmt.Sprint(one)
	}
	return strings.Join(text, ", ")
}

// verdictFilter reads the parameters that choose verdicts, and how many to list.
func (r *request) verdictFilter() (f ingest.VerdictFilter, limit int, err error) {
	q := r.URL.Query()
	f = ingest.VerdictFilter{Stream: q.Get("stream"), RollUps: r.flag("rollups", false)}
	if f.SyncID, err = r.number("sync", 0, 0, 1<<62); err != nil {
		return f, 0, err
	}
	if name := q.Get("code"); name != "" {
		if f.Code = verdict.Parse(name); f.Code == verdict.None {
			return f, 0, invalidRequest("parameter code: want one of %s, got %q", list(verdict.All()), name)
		}
	}
	if q.Get("mapping") != "" {
		n, err := r.number("mapping", 0, 0, 1<<30)
		if err != nil {
			return f, 0, err
		}
		mapping := int(n)
		f.Mapping = &mapping
	}
	if q.Get("detail") != "" {
		n, err := r.number("detail", 0, 0, 1<<62)
		if err != nil {
			return f, 0, err
		}
		f.DetailID = &n
	}
	n, err := r.number("limit", defaultList, 1, maxList)
	return f, int(n), err
}

func (a *API) getVerdicts(w http.ResponseWriter, r *request) error {
	f, limit, err := r.verdictFilter()
	if err != nil {
		return err
	}
	groups, err := a.Ledger.VerdictGroups(r.Context(), f, limit)
	if err != nil {
		return err
	}
	answer := verdictsAnswer{true, make([]verdictGroup, len(groups))}
	for i, g := range groups {
		answer.Groups[i] = verdictGroup{g.Stream, g.Webhook, g.Mapping, g.CodeName, g.DetailID, g.Detail, g.N, g.ObjectKey, g.Line}
	}
	return writeJSON(w, http.StatusOK, answer)
}

type recordsAnswer struct {
	OK      bool          `json:"ok"`
	Records []recordPlace `json:"records"`
}

type recordPlace struct {
	ObjectID  int64  `json:"objectId"`
	ObjectKey string `json:"objectKey"`
	Line      int64  `json:"line"`
}

func (a *API) getRecords(w http.ResponseWriter, r *request) error {
	f, limit, err := r.verdictFilter()
	if err != nil {
		return err
	}
	places, err := a.Ledger.VerdictPlaces(r.Context(), f, limit)
	if err != nil {
		return err
	}
	answer := recordsAnswer{true, make([]recordPlace, len(places))}
	for i, p := range places {
		answer.Records[i] = recordPlace{p.ObjectID, p.ObjectKey, p.Line}
	}
	return writeJSON(w, http.StatusOK, answer)
}

type objectsAnswer struct {
	OK      bool         `json:"ok"`
	Objects []lakeObject `json:"objects"`
}

// lakeObject is one version of an object. RowsWritten is null when its writer did not tell.
type lakeObject struct {
	ID          int64  `json:"id"`
	Bucket      string `json:"bucket"`
	Key         string `json:"key"`
	ETag        string `json:"etag"`
	Namespace   string `json:"namespace"`
	Stream      string `json:"stream"`
	SyncID      int64  `json:"syncId,omitempty"`
	Bytes       int64  `json:"bytes"`
	RowsWritten *int64 `json:"rowsWritten"`
	State       string `json:"state"`
	Pass        int64  `json:"pass"`
	Webhook     string `json:"webhook"`
	LinesDone   int64  `json:"linesDone"`
	Records     int64  `json:"records"`
	Error       string `json:"error"`
	FoundAt     stamp  `json:"foundAt"`
	IngestedAt  stamp  `json:"ingestedAt"`
}

func toWireObject(o ingest.Object) lakeObject {
	wire := lakeObject{
		o.ID, o.Bucket, o.Key, o.ETag, o.Namespace, o.Stream, o.SyncID, o.Bytes, nil, string(o.State), o.Pass, o.Webhook, o.LinesDone, o.Records,
		o.Error, stamp(o.FoundAt), stamp(o.IngestedAt),
	}
	if o.RowsWritten >= 0 {
		wire.RowsWritten = &o.RowsWritten
	}
	return wire
}

func (a *API) getObjects(w http.ResponseWriter, r *request) error {
	q := r.URL.Query()
	f := ingest.ObjectFilter{Prefix: q.Get("prefix"), Stream: q.Get("stream")}
	for _, s := range r.list("state") {
		state, states := ingest.State(s), []ingest.State{ingest.Queued, ingest.Reading, ingest.Done, ingest.Failed, ingest.Unrouted, ingest.Gone}
		if !slices.Contains(states, state) {
			return invalidRequest("parameter state: want one of %s, got %q", list(states), s)
		}
		f.States = append(f.States, state)
	}
	var err error
	if f.SyncID, err = r.number("sync", 0, 0, 1<<62); err != nil {
		return err
	}
	limit, err := r.number("limit", defaultList, 1, maxList)
	if err != nil {
		return err
	}
	list, err := a.Ledger.List(r.Context(), f, int(limit))
	if err != nil {
		return err
	}
	answer := objectsAnswer{true, make([]lakeObject, len(list))}
	for i, o := range list {
		answer.Objects[i] = toWireObject(o)
	}
	return writeJSON(w, http.StatusOK, answer)
}

type recordAnswer struct {
	OK       bool            `json:"ok"`
	Object   lakeObject      `json:"object"`
	Line     int64           `json:"line"`
	RollUp   recordVerdict   `json:"rollUp"`
	Verdicts []recordVerdict `json:"verdicts"` // one a mapping, in the webhook's order
}

type recordVerdict struct {
	Code   string         `json:"code"`
	Detail verdict.Detail `json:"detail"`
}

func (a *API) getRecord(w http.ResponseWriter, r *request) error {
	object, err := r.id("object")
	if err != nil {
		return err
	}
	line, err := r.id("line")
	if err != nil {
		return err
	}
	v, err := a.Ledger.RecordVerdict(r.Context(), object, line)
	if err != nil {
		return err
	}
	answer := recordAnswer{true, toWireObject(v.Object), v.Line, recordVerdict{v.RollUp.Code.String(), v.RollUp.Detail}, make([]recordVerdict, len(v.Verdict))}
	for i, m := range v.Verdict {
		answer.Verdicts[i] = recordVerdict{m.Code.String(), m.Detail}
	}
	return writeJSON(w, http.StatusOK, answer)
}

// id reads a named segment that must be a number; any other names nothing.
func (r *request) id(name string) (int64, error) {
	n, err := strconv.ParseInt(r.names[name], 10, 64)
	if err != nil {
		return 0, fault.Errorf(fault.NotFound, "%s %q does not exist", name, r.names[name])
	}
	return n, nil
}

type syncsAnswer struct {
	OK    bool      `json:"ok"`
	Syncs []wireRun `json:"syncs"`
}

type syncAnswer struct {
	OK   bool    `json:"ok"`
	Sync wireRun `json:"sync"`
}

type wireRun struct {
	ID         int64        `json:"id"`
	Connection string       `json:"connection"`
	Source     string       `json:"source"`
	Namespace  string       `json:"namespace"`
	StartedAt  stamp        `json:"startedAt"`
	FinishedAt stamp        `json:"finishedAt"`
	Status     string       `json:"status"`
	Cause      string       `json:"cause"`
	Error      string       `json:"error"`
	Streams    []wireStream `json:"streams"`

	ConnectionID string        `json:"connectionId"`
	Type         string        `json:"type"`      // sync, clear, refresh
	JobStatus    string        `json:"jobStatus"` // in Airbyte's words
	Actor        string        `json:"actor"`
	CancelledBy  string        `json:"cancelledBy"`
	Attempts     []wireAttempt `json:"attempts"`
}

type wireAttempt struct {
	Number     int    `json:"number"`
	Status     string `json:"status"`
	StartedAt  stamp  `json:"startedAt"`
	FinishedAt stamp  `json:"finishedAt"`
	Rows       int64  `json:"rows"`
	Bytes      int64  `json:"bytes"`
	Error      string `json:"error"`
}

type wireStream struct {
	Stream     string      `json:"stream"`
	Mode       string      `json:"mode"`
	Generation int64       `json:"generation"`
	Status     string      `json:"status"`
	Pages      int64       `json:"pages"`
	APIRows    int64       `json:"apiRows"`
	LakeRows   int64       `json:"lakeRows"`
	LakeBytes  int64       `json:"lakeBytes"`
	Statuses   map[int]int `json:"statuses"`
	Gaps       []string    `json:"gaps"`
	Error      string      `json:"error"`
	StartedAt  stamp       `json:"startedAt"`
	FinishedAt stamp       `json:"finishedAt"`
}

func toWireRun(run pipeline.Run) wireRun {
	wire := wireRun{
		run.ID, run.Connection.Name, run.Connection.Source, run.Connection.Namespace(), stamp(run.StartedAt), stamp(run.FinishedAt), string(run.Status),
		run.Cause, run.Error, make([]wireStream, len(run.Streams)),
		run.Connection.UUID, run.Type, run.JobStatus(), run.Actor, run.CancelBy, make([]wireAttempt, len(run.Attempts)),
	}
	for i, a := range run.Attempts {
		wire.Attempts[i] = wireAttempt{a.Number, string(a.Status), stamp(a.StartedAt), stamp(a.FinishedAt), a.Rows, a.Bytes, a.Error}
	}
	for i, s := range run.Streams {
		wire.Streams[i] = wireStream{
			s.Stream, s.Mode, s.Generation, string(s.Status), s.Pages, s.APIRows, s.LakeRows, s.LakeBytes, s.Statuses, s.Gaps, s.Error,
			stamp(s.StartedAt), stamp(s.FinishedAt),
		}
	}
	return wire
}

func (a *API) getSyncs(w http.ResponseWriter, r *request) error {
	limit, err := r.number("limit", defaultList, 1, maxList)
	if err != nil {
		return err
	}
	runs, err := a.Syncs.Runs(r.Context(), int(limit))
	if err != nil {
		return err
	}
	answer := syncsAnswer{true, make([]wireRun, len(runs))}
	for i, run := range runs {
		answer.Syncs[i] = toWireRun(run)
	}
	return writeJSON(w, http.StatusOK, answer)
}

func (a *API) getSync(w http.ResponseWriter, r *request) error {
	id, err := r.id("sync")
	if err != nil {
		return err
	}
	run, err := a.Syncs.Run(r.Context(), id)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, syncAnswer{true, toWireRun(run)})
}

type receiptAnswer struct {
	OK      bool            `json:"ok"`
	Receipt json.RawMessage `json:"receipt"`
}

func (a *API) getReceipt(w http.ResponseWriter, r *request) error {
	id, err := r.id("sync")
	if err != nil {
		return err
	}
	doc, err := a.Syncs.Receipt(r.Context(), id)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, receiptAnswer{true, doc})
}

type pendingAnswer struct {
	OK     bool           `json:"ok"`
	At     stamp          `json:"at"`
	Count  int64          `json:"count"`
	Groups []pendingGroup `json:"groups"`
}

type pendingGroup struct {
	Blueprint string          `json:"blueprint"`
	Relation  string          `json:"relation"`
	Target    string          `json:"target"`
	Count     int64           `json:"count"`
	Samples   []pendingSample `json:"samples"`
}

type pendingSample struct {
	Identifier string `json:"identifier"`
	Target     string `json:"target"`
}

func (a *API) getPending(w http.ResponseWriter, r *request) error {
	samples, err := r.number("samples", 5, 0, 100)
	if err != nil {
		return err
	}
	report, err := a.Catalog.Pending(r.Context(), int(samples))
	if err != nil {
		return err
	}
	answer := pendingAnswer{true, stamp(a.Now().Truncate(time.Millisecond)), report.Count, make([]pendingGroup, len(report.Groups))}
	for i, g := range report.Groups {
		wire := pendingGroup{g.Blueprint, g.Relation, g.Target, g.Count, make([]pendingSample, len(g.Samples))}
		for k, s := range g.Samples {
			wire.Samples[k] = pendingSample{s.Identifier, s.Target}
		}
		answer.Groups[i] = wire
	}
	return writeJSON(w, http.StatusOK, answer)
}
