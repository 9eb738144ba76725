package portapi

import (
	"encoding/json"
	"net/http"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/fault"
	"longshore/internal/ingest"
	"longshore/internal/jq"
	"longshore/internal/mapping"
	"longshore/internal/verdict"
)

// The two aids that Port has in its screens alone: the last event of a webhook, and mappings tried on an event. Here
// they are routes.

type eventAnswer struct {
	OK    bool      `json:"ok"`
	Event wireEvent `json:"event"`
}

type wireEvent struct {
	Body        json.RawMessage `json:"body"`
	Headers     json.RawMessage `json:"headers"`
	QueryParams json.RawMessage `json:"queryParams"`
	Stream      string          `json:"stream,omitempty"`
	Object      string          `json:"object,omitempty"` // where in the lake it lies
	ReceivedAt  stamp           `json:"receivedAt"`
}

func toWireEvent(latest ingest.LatestEvent) wireEvent {
	e := wireEvent{
		Body: latest.Event.Body, Headers: latest.Event.Headers, QueryParams: latest.Event.Query,
		Stream: latest.Stream, Object: latest.ObjectKey, ReceivedAt: stamp(latest.ReceivedAt),
	}
	for _, part := range []*json.RawMessage{&e.Headers, &e.QueryParams} {
		if *part == nil {
			*part = json.RawMessage("{}")
		}
	}
	return e
}

func (a *API) getLatestEvent(w http.ResponseWriter, r *request) error {
	hook, err := a.Webhooks.Webhook(r.Context(), r.names["webhook"])
	if err != nil {
		return err
	}
	latest, err := a.Receiver.Latest(r.Context(), hook, r.URL.Query().Get("stream"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, eventAnswer{true, toWireEvent(latest)})
}

type trialAnswer struct {
	OK       bool              `json:"ok"`
	Results  []wireTryout      `json:"results"`
	LeftOut  int               `json:"leftOut,omitempty"` // results beyond the first thousand
	Warnings []mapping.Problem `json:"warnings"`
	Event    wireEvent         `json:"event"`
}

// wireTryout is what one mapping makes of the event. Port's members come first; the rest explains.
type wireTryout struct {
	Entity    *wireMapped       `json:"entity"`
	Filter    bool              `json:"filter"`
	Mapping   int               `json:"mapping"`
	Item      *int              `json:"item,omitempty"`
	Operation string            `json:"operation"`
	Verdict   string            `json:"verdict"`
	Detail    verdict.Detail    `json:"detail"`
	Pending   []catalog.Pending `json:"pending,omitempty"`
}

type wireMapped struct {
	Identifier any             `json:"identifier"` // a text, or the search for it
	Title      json.RawMessage `json:"title,omitempty"`
	Icon       json.RawMessage `json:"icon,omitempty"`
	Team       json.RawMessage `json:"team,omitempty"`
	Blueprint  string          `json:"blueprint"`
	Properties members         `json:"properties"`
	Relations  members         `json:"relations"`
}

// postTestMapping runs mappings on an event and tells what would come of it. Nothing is written. Mappings and event are the
// body's, or else the webhook's own and the latest that came to it.
func (a *API) postTestMapping(w http.ResponseWriter, r *request) error {
	doc, err := r.object()
	if err != nil {
		return err
	}
	hook, err := a.Webhooks.Webhook(r.Context(), r.names["webhook"])
	if err != nil {
		return err
	}
	if mappings := doc.get("mappings"); !isNull(mappings) {
		hook.Mappings, hook.Config = mappings, nil
	}
	if config := doc.get("config"); !isNull(config) {
		hook.Config = config
		if isNull(doc.get("mappings")) {
			hook.Mappings = json.RawMessage("[]")
		}
	}
	set, err := hook.Compile()
	if err != nil {
		return fault.Errorf(fault.Invalid, "%w", err).WithCode("invalid_request", nil).WithHint("%s", fault.HintOf(err))
	}
	latest, err := a.eventToTry(r, hook, doc)
	if err != nil {
		return err
	}
	list, more, err := ingest.Try(r.Context(), set, latest.Event, func(c catalog.Change) (catalog.Result, error) {
		return a.Catalog.Write(r.Context(), c)
	})
	if err != nil {
		return err
	}
	answer := trialAnswer{OK: true, Results: make([]wireTryout, len(list)), LeftOut: more, Event: toWireEvent(latest)}
	for i := range list {
		answer.Results[i] = toWireTryout(&list[i], set)
	}
	answer.Warnings = append(append([]mapping.Problem{}, mapping.Lint(hook.Mappings)...), set.Problems()...)
	return writeJSON(w, http.StatusOK, answer)
}

// eventToTry is the body's event ({body, headers, queryParams, stream}), or the latest of the stream that the body names.
func (a *API) eventToTry(r *request, hook ingest.Webhook, doc members) (ingest.LatestEvent, error) {
	stream, err := doc.text("stream")
	if err != nil {
		return ingest.LatestEvent{}, err
	}
	text := doc.get("event")
	if isNull(text) {
		return a.Receiver.Latest(r.Context(), hook, stream)
	}
	event, err := parseMembers("event", text)
	if err != nil {
		return ingest.LatestEvent{}, err
	}
	latest := ingest.LatestEvent{Stream: stream, ReceivedAt: a.Now().Truncate(time.Millisecond).UTC()}
	latest.Event = mapping.Event{Body: event.get("body"), Headers: event.get("headers"), Query: event.get("queryParams")}
	if latest.Event.Body == nil {
		return latest, invalidRequest("event: want an object with body, and headers and queryParams if there are any, got %s", excerpt(text))
	}
	for _, part := range []*[]byte{&latest.Event.Headers, &latest.Event.Query} {
		if isNull(*part) {
			*part = nil
			continue
		}
		if _, err := parseMembers("event: headers and queryParams", *part); err != nil {
			return latest, err
		}
	}
	if _, err := jq.Check(latest.Event.Body); err != nil {
		return latest, invalidRequest("event: %w", err)
	}
	if stream == "" {
		stream, _ = event.text("stream")
	}
	latest.Stream, latest.Event.Stream = stream, stream
	return latest, nil
}

func toWireTryout(t *ingest.Tryout, set *mapping.Set) wireTryout {
	out := wireTryout{
		Filter: t.Filter, Mapping: t.Mapping, Operation: "create", Verdict: t.Verdict.Code.String(), Detail: t.Verdict.Detail, Pending: t.Pending,
	}
	if t.Item >= 0 {
		out.Item = &t.Item
	}
	if set.Mapping(t.Mapping).Op == catalog.OpDelete {
		out.Operation = "delete"
	}
	c := t.Change
	if c == nil {
		return out
	}
	e := &wireMapped{Identifier: c.Identifier, Title: c.Title, Icon: c.Icon, Team: c.Team, Blueprint: c.Blueprint, Properties: members{}, Relations: members{}}
	if c.IdentifierQuery != nil {
		e.Identifier = c.IdentifierQuery
	}
	for _, f := range c.Properties {
		e.Properties.set(f.Name, f.Value)
	}
	for _, f := range c.Relations {
		e.Relations.set(f.Name, f.Value)
	}
	out.Entity = e
	return out
}
