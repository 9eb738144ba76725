package portapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"longshore/internal/catalog"
)

const (
	// streamPage is how many entities a whole listing holds at a time.
	streamPage = 500
	// pageTimeout is how long a client may take to read one page of a listing.
	pageTimeout = 2 * time.Minute
	maxLimit    = 1000
	// datasourceLimit is the page of datasource-entities when a client asks for pages without saying how large.
	datasourceLimit = 5000
)

// getEntities answers all entities of a blueprint.
func (a *API) getEntities(w http.ResponseWriter, r *request) error {
	return a.stream(w, r, catalog.SearchRequest{Blueprint: r.names["blueprint"]}, func(map[string]bool) members { return nil })
}

// postSearch answers all entities that match; the body is the query.
func (a *API) postSearch(w http.ResponseWriter, r *request) error {
	query, err := r.query()
	if err != nil {
		return err
	}
	return a.stream(w, r, catalog.SearchRequest{Query: query}, func(seen map[string]bool) members {
		matching := make([]string, 0, len(seen))
		for id := range seen {
			matching = append(matching, id)
		}
		slices.Sort(matching)
		var tail members
		tail.put("matchingBlueprints", matching)
		return tail
	})
}

// query returns a body that is a search query as a whole. An empty body matches everything.
func (r *request) query() (json.RawMessage, error) {
	body, err := r.object()
	if err != nil {
		return nil, err
	}
	return encode(body)
}

// page finds a page of entities and shows them.
func (a *API) page(ctx context.Context, req catalog.SearchRequest, v view) (catalog.SearchPage, []members, error) {
	req.Reading = v.reading()
	page, err := a.Catalog.Search(ctx, req)
	if err != nil {
		return page, nil, err
	}
	wire, err := a.wirePage(ctx, page.Entities, v)
	return page, wire, err
}

// stream writes {"ok":true,"entities":[…]} page by page, so that memory does not grow with the number of entities; tail
// are the members after that, given the blueprints seen. Trouble after the first page breaks the connection off: half a
// list must not pass for a whole one. With allow_partial_results it ends the list instead, and failedBlueprints names
// those that may lack entities.
func (a *API) stream(w http.ResponseWriter, r *request, req catalog.SearchRequest, tail func(seen map[string]bool) members) error {
	req.Limit = streamPage
	v, partial := r.view(), r.flag("allow_partial_results", false)
	page, wire, err := a.page(r.Context(), req, v)
	if err != nil {
		return err
	}
	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	out := bufio.NewWriterSize(w, 64<<10)
	_, _ = out.WriteString(`{"ok":true,"entities":[`)
	seen, last := map[string]bool{}, ""
	var failed []string
	for first := true; ; {
		_ = control.SetWriteDeadline(time.Now().Add(pageTimeout)) // not every ResponseWriter has one
		for i, e := range wire {
			if !first {
				_ = out.WriteByte(',')
			}
			first = false
			last = page.Entities[i].Blueprint
			seen[last] = true
			text, err := encode(e)
			if err != nil {
				a.breakOff(r, err)
			}
			_, _ = out.Write(bytes.TrimSpace(text))
		}
		if page.Next == "" {
			break
		}
		req.From = page.Next
		if page, wire, err = a.page(r.Context(), req, v); err == nil {
			continue
		}
		if !partial || r.Context().Err() != nil {
			a.breakOff(r, err)
		}
		a.Log.Error("a listing is partial", "route", r.URL.EscapedPath(), "error", err)
		if failed, err = a.unfinished(r.Context(), req, seen, last); err != nil {
			a.breakOff(r, err)
		}
		break
	}
	_ = out.WriteByte(']')
	ending := tail(seen)
	if partial {
		ending.put("failedBlueprints", append([]string{}, failed...))
	}
	for _, m := range ending {
		text, err := encode(members{m})
		if err != nil {
			a.breakOff(r, err)
		}
		text = bytes.TrimSpace(text)
		_ = out.WriteByte(',')
		_, _ = out.Write(text[1 : len(text)-1])
	}
	_, _ = out.WriteString("}\n")
	_ = out.Flush() // the client has gone: nothing is left to be done
	return nil
}

// unfinished returns the blueprints of which a listing may lack entities: the last one that it came to, and those that it
// never came to and that have some.
func (a *API) unfinished(ctx context.Context, req catalog.SearchRequest, seen map[string]bool, last string) ([]string, error) {
	if req.Blueprint != "" {
		return []string{req.Blueprint}, nil
	}
	list, err := a.Catalog.Blueprints(ctx)
	if err != nil {
		return nil, err
	}
	var failed []string
	for _, b := range list {
		n, err := a.Catalog.CountEntities(ctx, b.Identifier)
		if err != nil {
			return nil, err
		}
		if b.Identifier == last || !seen[b.Identifier] && n > 0 {
			failed = append(failed, b.Identifier)
		}
	}
	return failed, nil
}

// breakOff ends an answer that has begun.
func (a *API) breakOff(r *request, err error) {
	if r.Context().Err() == nil {
		a.Log.Error("a listing broke off", "route", r.URL.EscapedPath(), "error", err)
	}
	panic(http.ErrAbortHandler)
}

type searchAnswer struct {
	OK       bool      `json:"ok"`
	Entities []members `json:"entities"`
	Next     string    `json:"next,omitempty"` // absent on the last page
}

// postBlueprintSearch answers one page of a blueprint's entities.
func (a *API) postBlueprintSearch(w http.ResponseWriter, r *request) error {
	body, err := r.object()
	if err != nil {
		return err
	}
	v := r.view()
	req := catalog.SearchRequest{Blueprint: r.names["blueprint"], Query: body.get("query")}
	if req.From, err = body.text("from"); err != nil {
		return err
	}
	for name, into := range map[string]*[]string{"include": &v.include, "exclude": &v.exclude} {
		if value := body.get(name); !isNull(value) && json.Unmarshal(value, into) != nil {
			return invalidRequest("%s: want a list of names, got %s", name, excerpt(value))
		}
	}
	if req.Limit, err = body.limit(maxLimit); err != nil {
		return err
	}
	page, wire, err := a.page(r.Context(), req, v)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, searchAnswer{true, wire, page.Next})
}

// limit reads the member of that name; absent is 0.
func (m members) limit(most int) (int, error) {
	value := m.get("limit")
	if isNull(value) {
		return 0, nil
	}
	n := 0
	if json.Unmarshal(value, &n) != nil || n < 1 || n > most {
		return 0, invalidRequest("limit: want a whole number from 1 to %d, got %s", most, excerpt(value))
	}
	return n, nil
}

func (a *API) postSearchCount(w http.ResponseWriter, r *request) error {
	body, err := r.object()
	if err != nil {
		return err
	}
	if _, err := a.Catalog.Blueprint(r.Context(), r.names["blueprint"]); err != nil {
		return err
	}
	n, err := a.Catalog.CountMatches(r.Context(), catalog.SearchRequest{Blueprint: r.names["blueprint"], Query: body.get("query")})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, countAnswer{true, n})
}

type datasourceAnswer struct {
	OK       bool         `json:"ok"`
	Entities []entityName `json:"entities"`
	Next     *string      `json:"next"`
}

type entityName struct {
	Identifier string `json:"identifier"`
	Blueprint  string `json:"blueprint"`
}

// postDatasourceEntities names the entities that one exporter wrote. An empty prefix and suffix match nothing: a client
// that cleans up by them would delete everything.
func (a *API) postDatasourceEntities(w http.ResponseWriter, r *request) error {
	body, err := r.object()
	if err != nil {
		return err
	}
	var text [4]string
	for i, name := range []string{"datasource_prefix", "datasource_suffix", "before", "from"} {
		if text[i], err = body.text(name); err != nil {
			return err
		}
	}
	limit, err := body.limit(datasourceLimit)
	if err != nil {
		return err
	}
	if limit == 0 && text[3] != "" {
		limit = datasourceLimit
	}
	answer := datasourceAnswer{OK: true, Entities: []entityName{}}
	if text[0] == "" && text[1] == "" {
		return writeJSON(w, http.StatusOK, answer)
	}
	rules := []any{}
	for i, rule := range [][2]string{{"$datasource", "beginsWith"}, {"$datasource", "endsWith"}, {"$updatedAt", "<"}} {
		if text[i] != "" {
			rules = append(rules, map[string]any{"property": rule[0], "operator": rule[1], "value": text[i]})
		}
	}
	query, err := encode(map[string]any{"combinator": "and", "rules": rules})
	if err != nil {
		return err
	}
	for req := (catalog.SearchRequest{Query: query, From: text[3], Reading: catalog.Reading{Stored: true, Unscored: true}}); ; {
		req.Limit = maxLimit
		if limit > 0 {
			req.Limit = min(maxLimit, limit-len(answer.Entities))
		}
		page, err := a.Catalog.Search(r.Context(), req)
		if err != nil {
			return err
		}
		for _, e := range page.Entities {
			answer.Entities = append(answer.Entities, entityName{e.Identifier, e.Blueprint})
		}
		if page.Next == "" {
			break
		}
		if req.From = page.Next; limit > 0 && len(answer.Entities) >= limit {
			answer.Next = &page.Next
			break
		}
	}
	return writeJSON(w, http.StatusOK, answer)
}
