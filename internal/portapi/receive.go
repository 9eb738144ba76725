package portapi

import (
	"net/http"
	"strings"

	"longshore/internal/fault"
	"longshore/internal/ingest"
)

type callAnswer struct {
	OK      bool   `json:"ok"`
	EventID string `json:"eventId,omitempty"`
	Dropped string `json:"dropped,omitempty"` // why the event was not kept
}

// postCall takes a webhook call. 202 means that it is durable, or dropped by rule.
func (a *API) postCall(w http.ResponseWriter, r *request) error {
	key := r.names["key"]
	maxBytes, err := a.Receiver.Known(r.Context(), key)
	if err != nil {
		return a.toSender(r, err)
	}
	body, err := r.read(maxBytes)
	if err != nil {
		return err
	}
	call := ingest.Call{Body: body, Headers: map[string]string{}, Query: map[string]string{}}
	for name, values := range r.Header {
		call.Headers[strings.ToLower(name)] = values[len(values)-1]
	}
	for name, values := range r.URL.Query() {
		call.Query[name] = values[len(values)-1]
	}
	taken, err := a.Receiver.Receive(r.Context(), key, call)
	if err != nil {
		return a.toSender(r, err)
	}
	return writeJSON(w, http.StatusAccepted, callAnswer{true, taken.EventID, taken.Dropped})
}

// toSender is the error as a sender may know it, who has no credentials: neither the key at a door that is not there,
// nor what it is of ours that does not answer.
func (a *API) toSender(r *request, err error) error {
	switch fault.KindOf(err) {
	case fault.NotFound:
		return fault.Errorf(fault.NotFound, "no webhook has this key").WithCode("not_found", map[string]any{"resource": "Webhook"})
	case fault.Unavailable:
		if r.Context().Err() == nil {
			a.Log.Error("a webhook call could not be taken", "error", err)
		}
		return fault.Errorf(fault.Unavailable, "the call cannot be taken now: send it again later")
	}
	return err
}
