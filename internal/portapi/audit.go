package portapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"longshore/internal/auth"
	"longshore/internal/catalog"
	"longshore/internal/ingest"
	"longshore/internal/verdict"
)

const (
	defaultAudits = 100
	maxAudits     = 1000
)

type auditAnswer struct {
	OK     bool    `json:"ok"`
	Audits []audit `json:"audits"`
}

// auditSomeAnswer has entries of which some members were asked for.
type auditSomeAnswer struct {
	OK     bool      `json:"ok"`
	Audits []members `json:"audits"`
}

type audit struct {
	Identifier     string       `json:"identifier"`
	Action         string       `json:"action"`
	ResourceType   string       `json:"resourceType"`
	Status         string       `json:"status"`
	Message        string       `json:"message"`
	Trigger        auditTrigger `json:"trigger"`
	Context        auditContext `json:"context"`
	Diff           auditDiff    `json:"diff"`
	AdditionalData any          `json:"additionalData"`
}

type auditTrigger struct {
	At     stamp   `json:"at"`
	By     auditBy `json:"by"`
	Origin string  `json:"origin"`
}

type auditBy struct {
	OrgID  string `json:"orgId"`
	UserID string `json:"userId,omitempty"`
}

type auditContext struct {
	Blueprint string `json:"blueprint,omitempty"`
	Entity    string `json:"entity,omitempty"`
	WebhookID string `json:"webhookId,omitempty"`
	// Of the call that a record came by, its id; of an integration, Port's name for its identifier.
	WebhookEventID string `json:"webhookEventId,omitempty"`
	InstallationID string `json:"installationId,omitempty"`
	RunID          string `json:"runId,omitempty"`
}

type auditDiff struct {
	Before json.RawMessage `json:"before"`
	After  json.RawMessage `json:"after"`
}

// lineData says where in the lake a change came from.
type lineData struct {
	ObjectID int64 `json:"objectId,omitempty"`
	Line     int64 `json:"line,omitempty"`
}

// lossData says how many records were lost alike.
type lossData struct {
	Verdict string         `json:"verdict"`
	Records int64          `json:"records"`
	Stream  string         `json:"stream"`
	Mapping int            `json:"mapping"`
	Object  string         `json:"sampleObject"`
	Line    int64          `json:"sampleLine"`
	Detail  verdict.Detail `json:"detail"`
}

// auditQuery is what of the audit log is asked for.
type auditQuery struct {
	filters  []catalog.HistoryFilter // what fits any of them
	webhook  string
	includes []string
	limit    int
	losses   bool // of records on their way in, too
	nothing  bool // no entry can fit
}

// auditQuery reads the parameters. Lists come repeated, comma-joined, or with [] after the name.
func (a *API) auditQuery(r *request) (auditQuery, error) {
	q := r.URL.Query()
	one := func(name string) string { return strings.TrimSpace(q.Get(name)) }
	many := func(name string) []string { return append(r.list(name), r.list(name+"[]")...) }
	out := auditQuery{webhook: one("webhookId"), includes: many("includes")}
	limit, err := r.number("limit", defaultAudits, 1, maxAudits)
	if err != nil {
		return out, err
	}
	out.limit = int(limit)
	f := catalog.HistoryFilter{
		Blueprint: one("blueprint"), Identifier: one("entity"), RunID: one("run_id"), Status: catalog.AnyStatus, Kinds: many("resources"),
		PresentEntities: !r.flag("include_deleted_entities", true), Limit: out.limit,
	}
	for name, into := range map[string]*time.Time{"from": &f.From, "to": &f.To} {
		if text := one(name); text != "" {
			if *into, err = time.Parse(time.RFC3339, text); err != nil {
				return out, invalidRequest("parameter %s: want a date-time, got %q", name, text)
			}
		}
	}
	switch action := one("action"); action {
	case "", "CREATE", "UPDATE", "DELETE":
		f.Action = action
	case "READ":
		f.Reads = true
	default:
		return out, invalidRequest("parameter action: want CREATE, UPDATE or DELETE (or READ, for privileged reads), got %q", action)
	}
	switch status := one("status"); status {
	case "":
	case catalog.Success, catalog.Failure:
		f.Status = status
	default:
		return out, invalidRequest("parameter status: want SUCCESS or FAILURE, got %q", status)
	}
	if id := one("identifier"); id != "" {
		n, err := strconv.ParseInt(cutPrefix(id, "evt_"), 10, 64)
		if f.ID = n; err != nil || n < 1 {
			out.nothing = true
		}
	}
	if f.Identifier != "" && len(f.Kinds) == 0 {
		f.Kinds = []string{"entity"}
	}
	// Actions of the self-service kind are not served, and no entry is about one.
	out.nothing = out.nothing || one("actionType") != ""
	if event := one("webhookEventId"); event != "" {
		if f.Origin.ObjectID, err = a.eventObject(r, event); err != nil {
			return out, err
		}
		out.nothing = out.nothing || f.Origin.ObjectID == 0
	}
	sources := []catalog.SourceMatch{}
	if out.webhook != "" {
		f.Sources = []catalog.SourceMatch{{Prefix: "webhook/" + out.webhook}}
	}
	if id := one("InstallationId"); id != "" {
		sources = append(sources, catalog.SourceMatch{Prefix: "port-ocean/", Part: "/" + id + "/"})
	}
	if len(sources) > 0 {
		out.nothing = out.nothing || out.webhook != ""
		f.Sources = sources
	}
	out.filters = byOrigin(f, many("origin"))
	out.nothing = out.nothing || len(out.filters) == 0
	// What is asked about one entity, blueprint, time, run or entry has no groups of losses: those know none of them.
	out.losses = f.Status != catalog.Success && f.Blueprint == "" && f.Identifier == "" && f.From.IsZero() && f.To.IsZero() && f.RunID == "" && one("identifier") == "" &&
		(f.Action == "" || f.Action == "CREATE") && !f.Reads && f.Origin.ObjectID == 0 && len(sources) == 0 && (len(f.Kinds) == 0 || slices.Contains(f.Kinds, "entity")) &&
		fits(many("origin"), originWebhook) && !out.nothing
	return out, nil
}

// The origins of entries.
const (
	originWebhook = "WEBHOOK" // a record that a webhook's mapping took: from the lake or by a call
	originUI      = "UI"
	originAPI     = "API"
)

func fits(wanted []string, origin string) bool {
	return len(wanted) == 0 || slices.ContainsFunc(wanted, func(w string) bool { return strings.EqualFold(w, origin) })
}

// byOrigin splits a filter into one for each origin that is wanted; nobody's entries have an origin that is not known.
func byOrigin(f catalog.HistoryFilter, wanted []string) []catalog.HistoryFilter {
	if len(wanted) == 0 {
		return []catalog.HistoryFilter{f}
	}
	var all []catalog.HistoryFilter
	if fits(wanted, originWebhook) && !slices.ContainsFunc(f.Sources, func(s catalog.SourceMatch) bool { return s.Prefix == "port-ocean/" }) {
		w := f
		if len(w.Sources) == 0 {
			w.Sources = []catalog.SourceMatch{{Prefix: "webhook/"}}
		}
		all = append(all, w)
	}
	if slices.ContainsFunc(f.Sources, func(s catalog.SourceMatch) bool { return strings.HasPrefix(s.Prefix, "webhook/") }) {
		return all // what is of a webhook has no other origin
	}
	if len(f.Sources) == 0 {
		f.Sources = []catalog.SourceMatch{{Prefix: "webhook/", Not: true}}
	}
	if fits(wanted, originUI) {
		u := f
		u.Actors = []string{auth.BrowserID}
		all = append(all, u)
	}
	if fits(wanted, originAPI) {
		p := f
		p.ExceptActors = []string{auth.BrowserID}
		all = append(all, p)
	}
	return all
}

var eventID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// eventObject returns the lake object of a webhook call, 0 when there is none.
func (a *API) eventObject(r *request, event string) (int64, error) {
	if !eventID.MatchString(event) {
		return 0, nil
	}
	list, err := a.Ledger.List(r.Context(), ingest.ObjectFilter{Event: event}, 1)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	return list[0].ID, nil
}

// getAuditLog answers what was done, newest first, and before that what was lost on the way in: one entry for all
// records that were lost for the same reason.
func (a *API) getAuditLog(w http.ResponseWriter, r *request) error {
	q, err := a.auditQuery(r)
	if err != nil {
		return err
	}
	list := []audit{}
	if q.losses && (a.Permissions == nil || a.Permissions.SeesAll(r.Context()) == nil) {
		if list, err = a.losses(r, q.webhook, q.limit); err != nil {
			return err
		}
	}
	if !q.nothing {
		entries, err := a.entries(r, q)
		if err != nil {
			return err
		}
		for _, e := range entries[:min(len(entries), q.limit-len(list))] {
			wire := a.toAudit(e)
			wire.Context.WebhookEventID = strings.TrimSpace(r.URL.Query().Get("webhookEventId"))
			list = append(list, wire)
		}
	}
	if len(q.includes) == 0 {
		return writeJSON(w, http.StatusOK, auditAnswer{true, list})
	}
	trimmed, err := included(list, q.includes)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, auditSomeAnswer{true, trimmed})
}

// entries are those that fit any of the query's filters, newest first.
func (a *API) entries(r *request, q auditQuery) ([]catalog.AuditEntry, error) {
	var all []catalog.AuditEntry
	for _, f := range q.filters {
		list, err := a.Catalog.History(r.Context(), f)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	slices.SortFunc(all, func(x, y catalog.AuditEntry) int { return cmp.Compare(y.ID, x.ID) })
	return all, nil
}

// included leaves of each entry the members that were asked for, and its identifier.
func included(list []audit, names []string) ([]members, error) {
	out := make([]members, len(list))
	for i, e := range list {
		text, err := encode(e)
		if err != nil {
			return nil, err
		}
		all, err := parseMembers("audit", text)
		if err != nil {
			return nil, err
		}
		out[i] = members{}
		for _, m := range all {
			if m.Name == "identifier" || slices.Contains(names, m.Name) {
				out[i] = append(out[i], m)
			}
		}
	}
	return out, nil
}

func (a *API) toAudit(e catalog.AuditEntry) audit { return toAudit(a.Keeper.OrgID(), e) }

// Audit writes an entry of the audit log as it is answered, and as changelog destinations receive it.
func Audit(orgID string, e catalog.AuditEntry) ([]byte, error) {
	text, err := encode(toAudit(orgID, e))
	return bytes.TrimSpace(text), err
}

func toAudit(orgID string, e catalog.AuditEntry) audit {
	name := e.Identifier
	if e.Kind == "blueprint" && name == "" {
		name = e.Blueprint
	}
	out := audit{
		Identifier: "evt_" + strconv.FormatInt(e.ID, 10), Action: e.Action, ResourceType: e.Kind, Status: e.Status, Message: e.Message,
		Trigger: auditTrigger{At: stamp(e.At), By: auditBy{OrgID: orgID, UserID: e.Actor}, Origin: originAPI},
		Context: auditContext{Blueprint: e.Blueprint, RunID: e.RunID},
		Diff:    auditDiff{orValue(e.Before, "null"), orValue(e.After, "null")}, AdditionalData: lineData{e.Origin.ObjectID, e.Origin.Line},
	}
	if out.Message == "" {
		out.Message = fmt.Sprintf("%s %q: %s", e.Kind, name, strings.ToLower(e.Action))
	}
	switch e.Kind {
	case "entity":
		out.Context.Entity = e.Identifier
	case "webhook":
		out.Context.WebhookID = e.Identifier
	case "integration":
		out.Context.InstallationID = e.Identifier
	}
	if e.Actor == auth.BrowserID {
		out.Trigger.Origin = originUI
	}
	if webhook, ok := strings.CutPrefix(e.Source, "webhook/"); ok {
		out.Trigger.Origin, out.Context.WebhookID = originWebhook, webhook
	}
	if len(e.Data) > 0 {
		out.AdditionalData = json.RawMessage(e.Data)
	}
	if e.Status == catalog.Failure && e.After == nil {
		out.Diff.After = json.RawMessage("{}")
	}
	return out
}

// losses are the verdicts that mean a record is not in the catalog, grouped by reason.
func (a *API) losses(r *request, webhook string, limit int) ([]audit, error) {
	list := []audit{}
	for _, code := range verdict.All() {
		if !code.Lost() {
			continue
		}
		groups, err := a.Ledger.VerdictGroups(r.Context(), ingest.VerdictFilter{Code: code}, limit)
		if err != nil {
			return nil, err
		}
		for _, g := range groups {
			if webhook != "" && g.Webhook != webhook || len(list) >= limit {
				continue
			}
			list = append(list, audit{
				Identifier: fmt.Sprintf("lost_%s_%s_%d_%d_%d", g.Webhook, g.Stream, g.Mapping, g.Code, g.DetailID), Action: "CREATE",
				ResourceType: "entity", Status: "FAILURE", Message: lossMessage(g), Trigger: auditTrigger{By: auditBy{OrgID: a.Keeper.OrgID()}, Origin: "WEBHOOK"},
				Context: auditContext{WebhookID: g.Webhook}, Diff: auditDiff{json.RawMessage("null"), json.RawMessage("null")},
				AdditionalData: lossData{g.CodeName, g.N, g.Stream, g.Mapping, g.ObjectKey, g.Line, g.Detail},
			})
		}
	}
	return list, nil
}

func lossMessage(g ingest.VerdictGroup) string {
	d := g.Detail
	text := fmt.Sprintf("%d records of %q: %s", g.N, g.Stream, g.CodeName)
	for _, part := range []struct{ name, value string }{{"property", d.Property}, {"rule", d.Rule}, {"field", d.Field}, {"expression", d.Expression}, {"", d.Message}} {
		switch {
		case part.value == "":
		case part.name == "":
			text += ", " + part.value
		default:
			text += fmt.Sprintf(", %s %q", part.name, part.value)
		}
	}
	return text
}

// cutPrefix returns s without the prefix, or "" when it has none.
func cutPrefix(s, prefix string) string {
	if len(s) < len(prefix) || s[:len(prefix)] != prefix {
		return ""
	}
	return s[len(prefix):]
}
