package portapi

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"longshore/internal/catalog"
)

const (
	// maxDiffBytes is how much of a thing's document an entry of the audit log holds.
	maxDiffBytes = 256 << 10
	// maxAuditText bounds the names and messages of an entry.
	maxAuditText = 2000
)

// reports says that machines call the route all the time to say how they are (a producer of entities does): no entry is
// left by it.
func (t *route) reports() bool {
	_, byCatalog := t.resource()
	return !byCatalog && t.needs == needUpsert
}

// resource says what a writing route changes. The catalog writes the entries of its own changes, in the transaction of
// each; those of everything else are the door's.
func (t *route) resource() (kind string, byCatalog bool) {
	at := func(i int) string {
		if i < len(t.segments) {
			return t.segments[i]
		}
		return ""
	}
	switch at(1) {
	case "blueprints":
		switch at(3) {
		case "entities", "bulk", "datasource-entities":
			return "entity", true
		case "all-entities":
			return "entity", false
		case "permissions":
			return "permissions", false
		case "scorecards":
			return "scorecard", true
		}
		return "blueprint", true
	case "webhooks":
		return "webhook", false
	case "integration", "integrations":
		return "integration", false
	case "organization":
		if at(2) == "secrets" {
			return "secret", false
		}
		return "organization", false
	case "longshore":
		return strings.TrimSuffix(at(2), "s"), false
	}
	return strings.TrimSuffix(at(1), "s"), false
}

// actions are what the methods do.
var actions = map[string]string{http.MethodPost: "CREATE", http.MethodPut: "UPDATE", http.MethodPatch: "UPDATE", http.MethodDelete: "DELETE"}

// write handles a route that writes. The answer is kept back until the entry is written: what is answered as done can
// be found in the audit log.
func (a *API) write(w http.ResponseWriter, r *request, route *route) error {
	if route.reports() {
		return route.handle(w, r)
	}
	kind, byCatalog := route.resource()
	entry := r.entry(kind, actions[route.method])
	var before members
	var look func() members
	body := &copied{ReadCloser: r.Body}
	if !byCatalog {
		if own := a.routes.reader(route); own != nil {
			look = func() members { return r.look(own) }
			before = look()
		}
		r.Body = body
	}
	answer := &answered{header: w.Header()}
	if err := route.handle(answer, r); err != nil {
		a.refused(r, route, err)
		return err
	}
	if answer.status == http.StatusMultiStatus {
		a.refusedEach(r, route, answer.body.Bytes())
	}
	if !byCatalog && answer.status < 300 {
		if err := a.done(r, entry, before, look, answer, body); err != nil {
			return err
		}
	}
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.body.Bytes()) // the client has gone: nothing is left to be done
	return nil
}

// entry begins an entry about what the request does.
func (r *request) entry(kind, action string) catalog.AuditEntry {
	e := catalog.AuditEntry{
		Kind: kind, Action: action, Blueprint: r.names["blueprint"], Actor: r.who.ID, Source: plain(r.UserAgent()), RunID: plain(r.URL.Query().Get("run_id")),
	}
	for name, value := range r.names {
		if name != "blueprint" && (e.Identifier == "" || name == kind) {
			e.Identifier = plain(value)
		}
	}
	return e
}

// plain is outside text as every database keeps it.
func plain(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "?"), "\x00", "?")
	if len(text) > maxAuditText {
		return strings.ToValidUTF8(text[:maxAuditText], "")
	}
	return text
}

// done writes the entry of what the door has changed. A write that changed nothing leaves none.
func (a *API) done(r *request, e catalog.AuditEntry, before members, look func() members, answer *answered, sent *copied) error {
	after := resourceOf(answer.body.Bytes())
	switch {
	case e.Action == "DELETE":
		after = nil
	case after == nil && look != nil:
		after = look()
	}
	if e.Action == "UPDATE" && before != nil && after != nil && reflect.DeepEqual(timeless(before), timeless(after)) && !tellsSecret(sent.text.Bytes()) {
		return nil
	}
	for _, doc := range []members{after, before} {
		for _, name := range []string{"identifier", "installationId", "name", "secretName", "id", "email"} {
			if text, err := doc.text(name); err == nil && text != "" && e.Identifier == "" {
				e.Identifier = plain(text)
			}
		}
	}
	if e.Kind == "entity" { // all of a blueprint's
		e.Message = "all entities of blueprint \"" + e.Blueprint + "\": delete"
	}
	e.Before, e.After = redacted(before), redacted(after)
	if err := a.Catalog.Record(context.WithoutCancel(r.Context()), []catalog.AuditEntry{e}); err != nil {
		return err
	}
	if c, ok := a.Keeper.(interface{ Refresh() }); ok && e.Kind == "credential" {
		c.Refresh()
	}
	return nil
}

// reader returns the route that reads what another writes, or nil. What a POST makes is not there before.
func (t *router) reader(of *route) *route {
	for i := range t.list {
		if r := &t.list[i]; r.method == http.MethodGet && of.method != http.MethodPost && slices.Equal(r.segments, of.segments) {
			return r
		}
	}
	return nil
}

// look reads what the request is about, as it is now; nil when it is not there.
func (r *request) look(route *route) members {
	get := *r
	get.Request = r.Clone(r.Context())
	get.Method, get.Body, get.URL.RawQuery = http.MethodGet, http.NoBody, ""
	answer := &answered{header: http.Header{}}
	if route.handle(answer, &get) != nil {
		return nil
	}
	return resourceOf(answer.body.Bytes())
}

// resourceOf is the thing in an answer's envelope, or nil.
func resourceOf(body []byte) members {
	all, err := parseMembers("answer", body)
	if err != nil {
		return nil
	}
	for _, m := range all {
		if doc, err := parseMembers(m.Name, m.Value); m.Name != "ok" && err == nil && !isNull(m.Value) {
			return doc
		}
	}
	return nil
}

// timeless is a document without the times and actors that every write sets.
func timeless(doc members) any {
	doc = slices.Clone(doc)
	doc.drop("updatedAt", "updatedBy", "createdAt", "createdBy")
	text, err := doc.MarshalJSON()
	if err != nil {
		return nil
	}
	var v any
	_ = json.Unmarshal(text, &v)
	return v
}

// secretNames are parts of the names of members that bear secrets.
var secretNames = []string{"secret", "password", "token", "apikey", "api_key", "webhookkey", "privatekey", "authorization", "credential"}

// bearsSecret reports whether a member of that name is left out of the audit log.
func bearsSecret(name string) bool {
	name = strings.ToLower(name)
	return name != "secretname" && slices.ContainsFunc(secretNames, func(part string) bool { return strings.Contains(name, part) })
}

func tellsSecret(body []byte) bool {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return false
	}
	found := false
	walk(v, func(string) { found = true })
	return found
}

// walk calls fn for the members that bear secrets, and masks their values.
func walk(v any, fn func(name string)) {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			text, isText := value.(string)
			switch {
			case bearsSecret(name) && isText:
				fn(name)
				v[name] = mask
			case isText && strings.Contains(text, "/ingest/"): // a webhook's address lets people in
				head, _, _ := strings.Cut(text, "/ingest/")
				v[name] = head + "/ingest/" + mask
			default:
				walk(value, fn)
			}
		}
	case []any:
		for _, value := range v {
			walk(value, fn)
		}
	}
}

// redacted is a document for the audit log: without secrets, and not endless.
func redacted(doc members) []byte {
	if doc == nil {
		return nil
	}
	text, err := doc.MarshalJSON()
	var v any
	if err != nil || json.Unmarshal(text, &v) != nil {
		return nil
	}
	walk(v, func(string) {})
	if text, err = encode(v); err != nil {
		return nil
	}
	if text = bytes.TrimSpace(text); len(text) > maxDiffBytes {
		text, _ = json.Marshal(map[string]any{"truncated": true, "bytes": len(text)})
	}
	return text
}

// answered is an answer that is kept back.
type answered struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (w *answered) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *answered) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

// Write implements http.ResponseWriter.
func (w *answered) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// copied is a body that is kept as it is read: the handler bounds how much that is.
type copied struct {
	io.ReadCloser
	text bytes.Buffer
}

func (b *copied) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	_, _ = b.text.Write(p[:n]) // never fails
	return n, err
}

// Limits of the entries about refused writes: somebody who is turned away all the time must not fill the disk.
const (
	refusedEachMinute  = 20 // of one actor
	refusedInAllMinute = 60
	maxRefusedActors   = 1000
)

// refusals count the refused writes of a minute.
type refusals struct {
	mu     sync.Mutex
	minute time.Time
	told   int
	actors map[string]*refusedOf
}

type refusedOf struct {
	told  int
	more  int64
	codes map[string]int64
}

// tell reports whether a refusal gets an entry of its own; otherwise it is counted. over are entries that tell of what
// was counted in the minute before.
func (f *refusals) tell(actor, code string, now time.Time) (own bool, over []catalog.AuditEntry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	over = f.turn(now)
	if f.actors[actor] == nil && len(f.actors) >= maxRefusedActors {
		actor = ""
	}
	of := f.actors[actor]
	if of == nil {
		of = &refusedOf{codes: map[string]int64{}}
		f.actors[actor] = of
	}
	if of.told < refusedEachMinute && f.told < refusedInAllMinute {
		of.told++
		f.told++
		return true, over
	}
	of.more++
	of.codes[code]++
	return false, over
}

// turn begins another minute, when this one is over, and tells of what was counted.
func (f *refusals) turn(now time.Time) []catalog.AuditEntry {
	minute := now.Truncate(time.Minute)
	if f.actors != nil && minute.Equal(f.minute) {
		return nil
	}
	var over []catalog.AuditEntry
	for actor, of := range f.actors {
		if of.more == 0 {
			continue
		}
		data, err := json.Marshal(map[string]any{"refused": of.more, "codes": of.codes})
		if err != nil {
			continue
		}
		over = append(over, catalog.AuditEntry{
			At: f.minute.UTC(), Kind: "refused", Action: "UPDATE", Status: catalog.Failure, Actor: actor, Data: data,
			Message: "further writes of this minute were refused, too many to tell one by one: the additional data counts them",
		})
	}
	f.minute, f.told, f.actors = minute, 0, map[string]*refusedOf{}
	return over
}

// refused leaves an entry of a write that was refused, unless there are too many of them.
func (a *API) refused(r *request, route *route, err error) {
	status, answer := toAnswer(err)
	if !route.writes() || route.reports() || status >= 500 || r.flag("validation_only", false) {
		return
	}
	kind, _ := route.resource()
	a.tellRefused(r, r.entry(kind, actions[route.method]), status, answer.Error, answer.Message)
}

// refusedEach does the same for the parts of an answer of which some were refused.
func (a *API) refusedEach(r *request, route *route, body []byte) {
	var answer struct {
		Errors []struct {
			Identifier any    `json:"identifier"`
			StatusCode int    `json:"statusCode"`
			Error      string `json:"error"`
			Message    string `json:"message"`
		} `json:"errors"`
	}
	if json.Unmarshal(body, &answer) != nil || r.flag("validation_only", false) {
		return
	}
	kind, _ := route.resource()
	for _, e := range answer.Errors {
		entry := r.entry(kind, actions[route.method])
		if id, ok := e.Identifier.(string); ok {
			entry.Identifier = plain(id)
		}
		a.tellRefused(r, entry, e.StatusCode, e.Error, e.Message)
	}
}

func (a *API) tellRefused(r *request, e catalog.AuditEntry, status int, code, message string) {
	own, entries := a.refusals.tell(r.who.ID, code, a.Now())
	if own {
		e.Status, e.Message = catalog.Failure, plain(message)
		e.Data, _ = json.Marshal(map[string]any{"error": code, "statusCode": status, "route": r.Method + " " + plain(logPath(r.Request))})
		entries = append(entries, e)
	}
	a.record(r.Context(), entries)
}

// record writes entries about what was not done. What cannot be written is told in the log: the caller was refused, and
// that is all that is to be told to it.
func (a *API) record(ctx context.Context, entries []catalog.AuditEntry) {
	if len(entries) == 0 {
		return
	}
	if err := a.Catalog.Record(context.WithoutCancel(ctx), entries); err != nil {
		a.Log.Error("refused writes are missing from the audit log", "entries", len(entries), "error", err)
	}
}

// Flush writes the entries that wait for their minute to end. It is called every now and then.
func (a *API) Flush(ctx context.Context) {
	a.refusals.mu.Lock()
	over := a.refusals.turn(a.Now())
	a.refusals.mu.Unlock()
	a.record(ctx, over)
}
