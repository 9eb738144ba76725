package portapi

import (
	"context"
	"encoding/json"
	"net/http"
)

type resultAnswer struct {
	OK     bool            `json:"ok"`
	Result json.RawMessage `json:"result"`
}

// aggregate returns the handler of a route whose body says what is to be calculated.
func (a *API) aggregate(calculate func(ctx context.Context, spec json.RawMessage) (json.RawMessage, error)) handler {
	return func(w http.ResponseWriter, r *request) error {
		body, err := r.object()
		if err != nil {
			return err
		}
		spec, err := encode(body)
		if err != nil {
			return err
		}
		result, err := calculate(r.Context(), spec)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, resultAnswer{true, result})
	}
}
