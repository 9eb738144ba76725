package portapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"longshore/internal/catalog"
)

// Limits of a top-search.
const (
	maxGroups      = 10_000
	maxIdentifiers = 1000
)

// topSearch is the body of a top-search, as port-cli sends it.
type topSearch struct {
	Identifiers []string `json:"identifiers"`
	Sort        []struct {
		Property  string          `json:"property"`
		Relation  string          `json:"relation"`
		Scorecard json.RawMessage `json:"scorecard"`
		Order     string          `json:"order"`
	} `json:"sort"`
	GroupBy   json.RawMessage `json:"groupBy"`
	GroupSort struct {
		By    string `json:"by"`
		Order string `json:"order"`
	} `json:"groupSort"`
	CountOnly bool `json:"countOnly"`
}

// postTopSearch answers a page in an order, groups of values, or a count.
func (a *API) postTopSearch(w http.ResponseWriter, r *request) error {
	body, err := r.object()
	if err != nil {
		return err
	}
	text, err := encode(body)
	if err != nil {
		return err
	}
	var top topSearch
	if err := json.Unmarshal(text, &top); err != nil {
		return invalidRequest("top-search: %v", err)
	}
	v := r.view()
	req := catalog.SearchRequest{Blueprint: r.names["blueprint"], Query: body.get("query")}
	if req.From, err = body.text("from"); err != nil {
		return err
	}
	if req.Limit, err = body.limit(maxLimit); err != nil {
		return err
	}
	if value := body.get("include"); !isNull(value) && json.Unmarshal(value, &v.include) != nil {
		return invalidRequest("include: want a list of names, got %s", excerpt(value))
	}
	if err := top.narrow(&req); err != nil {
		return err
	}
	if _, err := a.Catalog.Blueprint(r.Context(), req.Blueprint); err != nil {
		return err
	}
	if !isNull(top.GroupBy) {
		return a.groups(w, r, req, top)
	}
	if top.CountOnly {
		n, err := a.Catalog.CountMatches(r.Context(), req)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, countAnswer{true, n})
	}
	page, wire, err := a.page(r.Context(), req, v)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, searchAnswer{OK: true, Entities: wire, Next: page.Next})
}

// narrow adds the identifiers and the order to a request.
func (t *topSearch) narrow(req *catalog.SearchRequest) error {
	if len(t.Identifiers) > maxIdentifiers {
		return invalidRequest("identifiers: more than %d", maxIdentifiers)
	}
	if t.Identifiers != nil {
		rules := []any{map[string]any{"property": "$identifier", "operator": "in", "value": t.Identifiers}}
		if !isNull(req.Query) {
			rules = append(rules, req.Query)
		}
		query, err := encode(map[string]any{"combinator": "and", "rules": rules})
		if err != nil {
			return err
		}
		req.Query = query
	}
	for _, s := range t.Sort {
		if s.Property == "" {
			return invalidRequest("sort: only properties are sorted by; relations and scorecards are not served")
		}
		if s.Order != "" && s.Order != "asc" && s.Order != "desc" {
			return invalidRequest("sort: order %q, want asc or desc", s.Order)
		}
		req.Sort = append(req.Sort, catalog.Sort{Field: s.Property, Desc: s.Order == "desc"})
	}
	return nil
}

// group is how many entities have a value; null is for those that have none.
type group struct {
	Value json.RawMessage `json:"value"`
	Count int64           `json:"count"`
}

type groupsAnswer struct {
	OK     bool    `json:"ok"`
	Groups []group `json:"groups"`
}

// groups counts the values of a property or relation; a list counts for each of its elements.
func (a *API) groups(w http.ResponseWriter, r *request, req catalog.SearchRequest, top topSearch) error {
	var by struct {
		Property string `json:"property"`
		Relation string `json:"relation"`
	}
	if json.Unmarshal(top.GroupBy, &by.Property) != nil && json.Unmarshal(top.GroupBy, &by) != nil || by.Property == "" && by.Relation == "" {
		return invalidRequest("groupBy: want {property} or {relation}, got %s", excerpt(top.GroupBy))
	}
	counts, err := a.countValues(r.Context(), req, func(e members) json.RawMessage {
		section, name := "properties", by.Property
		if by.Relation != "" {
			section, name = "relations", by.Relation
		}
		if strings.HasPrefix(name, "$") {
			return e.get(name[1:])
		}
		var values map[string]json.RawMessage
		_ = json.Unmarshal(e.get(section), &values)
		return values[name]
	})
	if err != nil {
		return err
	}
	answer := groupsAnswer{OK: true, Groups: make([]group, 0, len(counts))}
	for value, n := range counts {
		answer.Groups = append(answer.Groups, group{json.RawMessage(value), n})
	}
	sign := 1
	if top.GroupSort.Order == "desc" {
		sign = -1
	}
	slices.SortFunc(answer.Groups, func(x, y group) int {
		if top.GroupSort.By == "count" && x.Count != y.Count {
			return sign * int(max(-1, min(1, x.Count-y.Count)))
		}
		return sign * compareValues(x.Value, y.Value)
	})
	return writeJSON(w, http.StatusOK, answer)
}

func compareValues(x, y json.RawMessage) int {
	a, errA := strconv.ParseFloat(string(x), 64)
	b, errB := strconv.ParseFloat(string(y), 64)
	switch {
	case errA == nil && errB == nil && a < b:
		return -1
	case errA == nil && errB == nil && a > b:
		return 1
	}
	return bytes.Compare(x, y)
}

// countValues counts what read gives of every entity that matches, page by page.
func (a *API) countValues(ctx context.Context, req catalog.SearchRequest, read func(members) json.RawMessage) (map[string]int64, error) {
	counts := map[string]int64{}
	count := func(value json.RawMessage) error {
		if isNull(value) {
			value = json.RawMessage("null")
		}
		if counts[string(value)]++; len(counts) > maxGroups {
			return invalidRequest("groupBy: more than %d values", maxGroups)
		}
		return nil
	}
	req.Sort, req.From = nil, ""
	for req.Limit = streamPage; ; {
		page, wire, err := a.page(ctx, req, view{})
		if err != nil {
			return nil, err
		}
		for _, e := range wire {
			value := read(e)
			var list []json.RawMessage
			if json.Unmarshal(value, &list) != nil || len(list) == 0 {
				if bytes.Equal(bytes.TrimSpace(value), []byte("[]")) {
					value = nil
				}
				list = []json.RawMessage{value}
			}
			for _, v := range list {
				if err := count(v); err != nil {
					return nil, err
				}
			}
		}
		if req.From = page.Next; req.From == "" {
			return counts, nil
		}
	}
}

// maxWordsText bounds what is searched for in all blueprints at once.
const maxWordsText = 500

// getWords is global search: entities of every blueprint that have all the words.
func (a *API) getWords(w http.ResponseWriter, r *request) error {
	text := r.URL.Query().Get("q")
	if len(text) > maxWordsText {
		return invalidRequest("q: more than %d bytes", maxWordsText)
	}
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	list, err := a.Catalog.FindWords(r.Context(), text, limit)
	if err != nil {
		return err
	}
	wire, err := a.wirePage(r.Context(), list, r.view())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, searchAnswer{OK: true, Entities: wire})
}
