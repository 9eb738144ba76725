package portapi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"time"

	"longshore/internal/org"
)

// Integrations keeps integrations; see [org.Org] for the contracts.
type Integrations interface {
	Integrations(ctx context.Context) ([]org.Integration, error)
	Integration(ctx context.Context, id string) (org.Integration, error)
	CreateIntegration(ctx context.Context, body json.RawMessage, actor string) (org.Integration, error)
	PatchIntegration(ctx context.Context, id string, body json.RawMessage, skipResync bool, actor string) (org.Integration, error)
	SetConfig(ctx context.Context, id string, body json.RawMessage, skipResync bool, actor string) (org.Integration, error)
	DeleteIntegration(ctx context.Context, id string) error
	SetResyncState(ctx context.Context, id string, body json.RawMessage, actor string) (org.Integration, error)
	AddLogs(ctx context.Context, id string, body json.RawMessage) error
	Logs(ctx context.Context, id string, f org.LogFilter) ([]org.LogLine, error)
	AddMetrics(ctx context.Context, id string, body json.RawMessage) error
	Metrics(ctx context.Context, id string) ([]org.SyncMetric, error)
	SetExamples(ctx context.Context, id, kind string, body json.RawMessage) error
	Kinds(ctx context.Context, id string) ([]org.Kind, error)
	SetCursor(ctx context.Context, id string, body json.RawMessage) error
	Cursor(ctx context.Context, id string) (org.Object, error)
}

// integrationRoutes are the routes of integrations. What they tell of themselves while they work needs no more than the
// right to write entities.
func (a *API) integrationRoutes(t *router) {
	t.add("GET /v1/integration", a.getIntegrations, needRead)
	t.add("POST /v1/integration", a.postIntegration, needModel)
	t.add("GET /v1/integration/provision-enabled", getNone("integrations"), needRead)
	t.add("GET /v1/integration/{integration}", a.getIntegration, needRead)
	t.add("PATCH /v1/integration/{integration}", a.patchIntegration, needModel)
	t.add("DELETE /v1/integration/{integration}", a.deleteIntegration, needModel)
	t.add("PATCH /v1/integration/{integration}/config", a.patchConfig, needModel)
	t.add("GET /v1/integration/{integration}/resync-request", a.getResyncRequest, needRead)
	t.add("PATCH /v1/integration/{integration}/resync-state", a.patchResyncState, needUpsert)
	t.add("GET /v1/integration/{integration}/kinds", a.getKinds, needRead)
	t.add("POST /v1/integration/{integration}/kinds/{kind}/examples", a.postExamples, needUpsert)
	t.add("GET /v1/integration/{integration}/cursor", a.getCursor, needRead)
	t.add("POST /v1/integration/{integration}/cursor", a.putCursor, needUpsert)
	t.add("PUT /v1/integration/{integration}/cursor", a.putCursor, needUpsert)
	t.add("GET /v1/integration/{integration}/logs", a.getLogs, needRead)
	t.add("GET /v1/integration/{integration}/syncsMetadata", a.getSyncsMetadata, needRead)
	t.add("GET /v1/integration/{integration}/syncMetrics", a.getSyncMetrics, needRead)
	t.add("POST /v1/integration/{integration}/heartbeat", a.postNothing, needUpsert)

	t.add("POST "+logsPath+"{integration}", a.postLogs, needUpsert)
	t.add("POST "+metricsPath+"{integration}/syncMetrics", a.postMetrics, needUpsert)
	t.add("PUT "+metricsPath+"{integration}/syncMetrics/resync/{event}/kind/{kind}", a.postMetrics, needUpsert)
	t.add("POST "+metricsPath+"{integration}/heartbeat", a.postNothing, needUpsert)
	t.add("POST "+metricsPath+"{integration}/syncMetrics/heartbeat", a.postNothing, needUpsert)
	t.add("POST "+metricsPath+"{integration}/syncMetrics/resync/{event}/heartbeat", a.postNothing, needUpsert)
	t.add("POST "+lakePath+"{integration}", a.postNothing, needUpsert)
}

// Where integrations report to.
const (
	logsPath    = "/v1/logs/integration/"
	metricsPath = "/v1/metrics/integration/"
	lakePath    = "/v1/lake/integration/"
)

// toWireIntegration is what was sent, with what the server adds.
func (a *API) toWireIntegration(r *request, i org.Integration) members {
	wire := toMembers(i.Members)
	for name, path := range map[string]string{"logAttributes": logsPath, "metricAttributes": metricsPath, "ingestAttributes": lakePath} {
		wire.put(name, map[string]string{"ingestUrl": a.publicURL(r) + path + url.PathEscape(i.ID)})
	}
	wire.put("_id", i.InternalID)
	wire.set("resyncState", i.ResyncState)
	wire.put("createdAt", stamp(i.CreatedAt))
	wire.put("createdBy", i.CreatedBy)
	wire.put("updatedAt", stamp(i.UpdatedAt))
	wire.put("updatedBy", i.UpdatedBy)
	return wire
}

func (a *API) writeIntegration(w http.ResponseWriter, r *request, i org.Integration, err error) error {
	if err != nil {
		return err
	}
	return writeEnvelope(w, "integration", a.toWireIntegration(r, i))
}

func (a *API) getIntegrations(w http.ResponseWriter, r *request) error {
	list, err := a.Integrations.Integrations(r.Context())
	if err != nil {
		return err
	}
	const acting = "actionsProcessingEnabled"
	wanted := r.URL.Query().Get(acting)
	all := []members{}
	for _, i := range list {
		if (wanted == "true" || wanted == "false") && string(i.Members[acting]) != wanted {
			continue
		}
		all = append(all, a.toWireIntegration(r, i))
	}
	return writeEnvelope(w, "integrations", all)
}

// getIntegration finds an integration by installation id, whatever byField says, and by the server's own id as well.
func (a *API) getIntegration(w http.ResponseWriter, r *request) error {
	i, err := a.Integrations.Integration(r.Context(), r.names["integration"])
	return a.writeIntegration(w, r, i, err)
}

func (a *API) postIntegration(w http.ResponseWriter, r *request) error {
	body, err := r.sent()
	if err != nil {
		return err
	}
	i, err := a.Integrations.CreateIntegration(r.Context(), body, r.who.ID)
	return a.writeIntegration(w, r, i, err)
}

func (a *API) patchIntegration(w http.ResponseWriter, r *request) error {
	body, err := r.sent()
	if err != nil {
		return err
	}
	i, err := a.Integrations.PatchIntegration(r.Context(), r.names["integration"], body, r.skipsResync(), r.who.ID)
	return a.writeIntegration(w, r, i, err)
}

// skipsResync reports whether the change is to ask for no resync: the header is there, whatever it says but false.
func (r *request) skipsResync() bool {
	said := r.Header.Values("x-skip-resync")
	return len(said) > 0 && !slices.Contains(said, "false")
}

func (a *API) patchConfig(w http.ResponseWriter, r *request) error {
	body, err := r.sent()
	if err != nil {
		return err
	}
	i, err := a.Integrations.SetConfig(r.Context(), r.names["integration"], body, r.skipsResync(), r.who.ID)
	return a.writeIntegration(w, r, i, err)
}

func (a *API) deleteIntegration(w http.ResponseWriter, r *request) error {
	if err := a.Integrations.DeleteIntegration(r.Context(), r.names["integration"]); err != nil {
		return err
	}
	return writeOK(w)
}

type resyncRequest struct {
	ID        string `json:"id"`
	UpdatedAt stamp  `json:"updatedAt"`
}

// getResyncRequest answers the newest request, again and again: an integration remembers the time of the one it has
// followed.
func (a *API) getResyncRequest(w http.ResponseWriter, r *request) error {
	i, err := a.Integrations.Integration(r.Context(), r.names["integration"])
	if err != nil {
		return err
	}
	var newest *resyncRequest
	if i.Resync != nil {
		newest = &resyncRequest{i.Resync.ID, stamp(i.Resync.UpdatedAt)}
	}
	return writeEnvelope(w, "request", newest)
}

func (a *API) patchResyncState(w http.ResponseWriter, r *request) error {
	body, err := r.sent()
	if err != nil {
		return err
	}
	i, err := a.Integrations.SetResyncState(r.Context(), r.names["integration"], body, r.who.ID)
	return a.writeIntegration(w, r, i, err)
}

type kind struct {
	Kind     string          `json:"kind"`
	Examples json.RawMessage `json:"examples"`
}

func (a *API) getKinds(w http.ResponseWriter, r *request) error {
	list, err := a.Integrations.Kinds(r.Context(), r.names["integration"])
	if err != nil {
		return err
	}
	all := make([]kind, len(list))
	for n, k := range list {
		all[n] = kind{k.Name, k.Examples}
	}
	return writeEnvelope(w, "kinds", all)
}

// report hands the body on and answers ok.
func (r *request) report(w http.ResponseWriter, keep func(body json.RawMessage) error) error {
	body, err := r.sent()
	if err != nil {
		return err
	}
	if err := keep(body); err != nil {
		return err
	}
	return writeOK(w)
}

func (a *API) postExamples(w http.ResponseWriter, r *request) error {
	return r.report(w, func(body json.RawMessage) error {
		return a.Integrations.SetExamples(r.Context(), r.names["integration"], r.names["kind"], body)
	})
}

func (a *API) getCursor(w http.ResponseWriter, r *request) error {
	cursor, err := a.Integrations.Cursor(r.Context(), r.names["integration"])
	if err != nil {
		return err
	}
	wire := toMembers(cursor)
	if !sent(wire, "cursor") {
		wire.set("cursor", json.RawMessage("null"))
	}
	wire.set("ok", json.RawMessage("true"))
	return writeJSON(w, http.StatusOK, wire)
}

func (a *API) putCursor(w http.ResponseWriter, r *request) error {
	return r.report(w, func(body json.RawMessage) error {
		return a.Integrations.SetCursor(r.Context(), r.names["integration"], body)
	})
}

func (a *API) postLogs(w http.ResponseWriter, r *request) error {
	return r.report(w, func(body json.RawMessage) error {
		return a.Integrations.AddLogs(r.Context(), r.names["integration"], body)
	})
}

// getLogs lists what an integration logged, newest first. log_id, or else timestamp, says where the page begins, and
// direction which way it goes: older lines, or newer ones.
func (a *API) getLogs(w http.ResponseWriter, r *request) error {
	limit, err := r.number("limit", 0, 1, org.MaxLogPage)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	f := org.LogFilter{Line: q.Get("log_id"), Event: q.Get("eventId"), Level: q.Get("level"), Limit: int(limit)}
	switch q.Get("direction") {
	case "next", "newer", "after", "asc":
		f.Newer = true
	}
	if at := q.Get("timestamp"); at != "" {
		if f.At, err = time.Parse(time.RFC3339Nano, at); err != nil {
			return invalidRequest("parameter timestamp: want a date-time, got %q", at)
		}
	}
	lines, err := a.Integrations.Logs(r.Context(), r.names["integration"], f)
	if err != nil {
		return err
	}
	all := make([]members, len(lines))
	for n, line := range lines {
		all[n] = toMembers(line.Object)
	}
	answer := members{{"ok", json.RawMessage("true")}}
	answer.put("data", all)
	answer.put("logs", all)
	return writeJSON(w, http.StatusOK, answer)
}

func (a *API) postMetrics(w http.ResponseWriter, r *request) error {
	return r.report(w, func(body json.RawMessage) error {
		return a.Integrations.AddMetrics(r.Context(), r.names["integration"], body)
	})
}

// postNothing takes a report that nobody here reads. The integration must be there.
func (a *API) postNothing(w http.ResponseWriter, r *request) error {
	if _, err := a.Integrations.Integration(r.Context(), r.names["integration"]); err != nil {
		return err
	}
	return writeOK(w)
}

func (a *API) getSyncMetrics(w http.ResponseWriter, r *request) error {
	list, err := a.Integrations.Metrics(r.Context(), r.names["integration"])
	if err != nil {
		return err
	}
	all := make([]members, len(list))
	for n, m := range list {
		all[n] = toMembers(m.Object)
	}
	return writeEnvelope(w, "syncMetrics", all)
}

// syncMetadata names one resync and the kinds that reported.
type syncMetadata struct {
	EventID string   `json:"eventId"`
	Kinds   []string `json:"kinds"`
}

func (a *API) getSyncsMetadata(w http.ResponseWriter, r *request) error {
	list, err := a.Integrations.Metrics(r.Context(), r.names["integration"])
	if err != nil {
		return err
	}
	all := []*syncMetadata{}
	for _, m := range list {
		i := slices.IndexFunc(all, func(s *syncMetadata) bool { return s.EventID == m.Event })
		if i < 0 {
			i, all = len(all), append(all, &syncMetadata{m.Event, []string{}})
		}
		all[i].Kinds = append(all[i].Kinds, m.Kind)
	}
	return writeEnvelope(w, "syncsMetadata", all)
}
