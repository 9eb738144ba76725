package portapi

import (
	"encoding/json"
	"net/http"
)

type resultAnswer struct {
	OK     bool            `json:"ok"`
	Result json.RawMessage `json:"result"`
}

// postAggregate answers one number about the entities that match, or how often each value occurs among them.
func (a *API) postAggregate(w http.ResponseWriter, r *request) error {
	spec, err := r.query()
	if err != nil {
		return err
	}
	result, err := a.Catalog.Aggregate(r.Context(), spec)
	return writeResult(w, result, err)
}

// postAggregateOverTime answers numbers about a blueprint's entities, interval by interval.
func (a *API) postAggregateOverTime(w http.ResponseWriter, r *request) error {
	spec, err := r.query()
	if err != nil {
		return err
	}
	result, err := a.Catalog.AggregateOverTime(r.Context(), spec)
	return writeResult(w, result, err)
}

// postPropertiesHistory answers what properties of an entity were, interval by interval.
func (a *API) postPropertiesHistory(w http.ResponseWriter, r *request) error {
	spec, err := r.query()
	if err != nil {
		return err
	}
	result, err := a.Catalog.PropertiesHistory(r.Context(), spec)
	return writeResult(w, result, err)
}

func writeResult(w http.ResponseWriter, result json.RawMessage, err error) error {
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, resultAnswer{true, result})
}
