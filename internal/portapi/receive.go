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
	if err := a.Receiver.Known(r.Context(), key); err != nil {
		return unknownKey(err)
	}
	body, err := r.read(ingest.MaxCallBytes)
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
		return unknownKey(err)
	}
	return writeJSON(w, http.StatusAccepted, callAnswer{true, taken.EventID, taken.Dropped})
}

// unknownKey keeps the key out of the answer to a call at a door that is not there.
func unknownKey(err error) error {
	if fault.Is(err, fault.NotFound) {
		return fault.Errorf(fault.NotFound, "no webhook has this key").WithCode("not_found", map[string]any{"resource": "Webhook"})
	}
	return err
}
