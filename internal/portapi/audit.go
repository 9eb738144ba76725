package portapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

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

// getAuditLog answers what changed the catalog, newest first, and before that what was lost on the way in: one entry for
// all records that were lost for the same reason.
func (a *API) getAuditLog(w http.ResponseWriter, r *request) error {
	q := r.URL.Query()
	limit, err := r.number("limit", defaultAudits, 1, maxAudits)
	if err != nil {
		return err
	}
	filter := catalog.HistoryFilter{Action: q.Get("action"), Blueprint: q.Get("blueprint"), Identifier: q.Get("entity"), Limit: int(limit)}
	for name, into := range map[string]*time.Time{"from": &filter.From, "to": &filter.To} {
		if text := q.Get(name); text != "" {
			if *into, err = time.Parse(time.RFC3339, text); err != nil {
				return invalidRequest("parameter %s: want a date-time, got %q", name, text)
			}
		}
	}
	resources := r.list("resources")
	if len(resources) == 1 {
		filter.Kind = resources[0]
	}
	answer := auditAnswer{OK: true, Audits: []audit{}}
	webhook := q.Get("webhookId")
	// What is asked about one entity, blueprint or time has no groups of losses: those know none of them.
	entityless := filter.Blueprint == "" && filter.Identifier == "" && filter.From.IsZero() && filter.To.IsZero() && filter.Action != "DELETE" && filter.Action != "UPDATE"
	if q.Get("status") != "SUCCESS" && entityless && (len(resources) == 0 || slices.Contains(resources, "entity")) {
		lost, err := a.losses(r, webhook, int(limit))
		if err != nil {
			return err
		}
		answer.Audits = lost
	}
	if q.Get("status") != "FAILURE" {
		if answer.Audits, err = a.changes(r, filter, webhook, resources, answer.Audits); err != nil {
			return err
		}
	}
	return writeJSON(w, http.StatusOK, answer)
}

// changes appends the history's entries, up to the filter's limit in all.
func (a *API) changes(r *request, filter catalog.HistoryFilter, webhook string, resources []string, list []audit) ([]audit, error) {
	const maxLooked = 20_000 // entries passed over in search of a webhook's
	most := filter.Limit
	for looked := 0; len(list) < most && looked < maxLooked; {
		filter.Limit = maxAudits
		if webhook == "" {
			filter.Limit = most - len(list)
		}
		entries, err := a.Catalog.History(r.Context(), filter)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			filter.Before = e.ID
			source, ok := strings.CutPrefix(e.Source, "webhook/")
			if webhook != "" && (!ok || source != webhook) || len(resources) > 0 && !slices.Contains(resources, e.Kind) || len(list) >= most {
				continue
			}
			list = append(list, a.toAudit(e))
		}
		if looked += len(entries); len(entries) < filter.Limit {
			break
		}
	}
	return list, nil
}

func (a *API) toAudit(e catalog.AuditEntry) audit {
	out := audit{
		Identifier: "evt_" + strconv.FormatInt(e.ID, 10), Action: e.Action, ResourceType: e.Kind, Status: "SUCCESS",
		Message: fmt.Sprintf("%s %q: %s", e.Kind, e.Identifier, strings.ToLower(e.Action)),
		Trigger: auditTrigger{At: stamp(e.At), By: auditBy{OrgID: a.Keeper.OrgID(), UserID: e.Actor}, Origin: "API"},
		Context: auditContext{Blueprint: e.Blueprint},
		Diff:    auditDiff{orValue(e.Before, "null"), orValue(e.After, "null")}, AdditionalData: lineData{e.Origin.ObjectID, e.Origin.Line},
	}
	if e.Kind == "entity" {
		out.Context.Entity = e.Identifier
	} else {
		out.Message = fmt.Sprintf("%s %q: %s", e.Kind, e.Blueprint, strings.ToLower(e.Action))
	}
	if webhook, ok := strings.CutPrefix(e.Source, "webhook/"); ok {
		out.Trigger.Origin, out.Context.WebhookID = "WEBHOOK", webhook
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
