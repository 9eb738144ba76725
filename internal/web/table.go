package web

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"longshore/internal/catalog"
)

// pageRows is how many rows a table shows.
const pageRows = 50

func (t tableState) request(b catalog.Blueprint) catalog.SearchRequest {
	req := catalog.SearchRequest{Blueprint: t.Blueprint, Query: queryOf(t.Rules, typesOf(b)), Text: t.Text, Limit: pageRows, From: t.From}
	if t.Sort != "" {
		field, desc := strings.CutPrefix(t.Sort, "-")
		req.Sort = []catalog.Sort{{Field: field, Desc: desc}}
	}
	return req
}

type tablePage struct {
	State     tableState
	Blueprint catalog.Blueprint
	Title     string
	Action    string // where the forms go
	Total     int64  // matches
	All       int64
	Columns   []tableColumn
	Rows      []tableRow
	Chips     []chip
	Subjects  []subject
	Ops       []ruleOp
	Choices   []tableColumn // every column, for the picker
	Next      string
	Previous  string
	First     string
	Query     json.RawMessage // what was asked, in Port's grammar
	JSONURL   string
	CSV, Raw  string // export addresses
	Narrowed  bool   // a text or rule is set
	Clear     string
	Hold      []hidden // what the filter form must carry along
	HoldCols  []hidden
}

type hidden struct{ Name, Value string }

type chip struct{ Label, Remove string }

type subject struct{ Value, Label, Group string }

type tableColumn struct {
	Field  string // property name, ">relation" or "$meta"
	Label  string
	Kind   string // number, time, boolean, relation, text, json
	Sort   string // address that sorts by it, "" when it cannot
	Arrow  string // ascending, descending or ""
	Chosen bool
	// Derived: its values are stored nowhere, and it cannot be sorted by.
	Derived bool
	target  string
}

type tableRow struct {
	Entity catalog.Entity
	Title  string
	URL    string
	Cells  []cell
}

// cell is a value as a table or a page shows it.
type cell struct {
	Kind  string // text, number, time, yes, no, json, link, list, none
	Text  string
	Full  string // the whole text, where Text is cut
	Time  moment
	Links []relationLink
	More  int
}

// relationLink is one target of a relation.
type relationLink struct {
	Blueprint, Identifier, Title, URL string
	Waiting                           bool // it is not in the catalog yet
}

func (s *site) table(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	state, err := readTable(r)
	if err != nil {
		return err
	}
	b, err := s.Catalog.Blueprint(ctx, state.Blueprint)
	if err != nil {
		return err
	}
	if rule, ok := newRule(r); ok || r.URL.Query().Has("col") {
		if ok {
			state.Rules = append(state.Rules, rule)
		}
		http.Redirect(w, r, state.first().url(), http.StatusSeeOther)
		return nil
	}
	t := &tablePage{State: state, Blueprint: b, Title: titleOf(b), Action: tableURL(b.Identifier), Ops: ruleOps(), Narrowed: state.Text != "" || len(state.Rules) > 0}
	req := state.request(b)
	t.Query = req.Query
	if t.Query == nil {
		t.Query = json.RawMessage(`{"combinator":"and","rules":[]}`)
	}
	found, err := s.Catalog.Search(ctx, req)
	if err != nil {
		return err
	}
	counts, err := s.Catalog.Counts(ctx)
	if err != nil {
		return err
	}
	t.All = counts[state.Blueprint]
	if t.Total = t.All; t.Narrowed {
		if t.Total, err = s.Catalog.CountMatches(ctx, req); err != nil {
			return err
		}
	}
	t.addColumns(found.Entities)
	if err := s.addRows(ctx, t, found.Entities); err != nil {
		return err
	}
	t.addLinks(found.Next)
	return s.render(w, r, "table", page{Title: t.Title, Nav: "catalog", Data: t})
}

// newRule reads the filter form's three fields.
func newRule(r *http.Request) (tableRule, bool) {
	q := r.URL.Query()
	rule := tableRule{q.Get("fp"), q.Get("fo"), q.Get("fv")}
	_, known := opOf(rule.Op)
	return rule, known && rule.Subject != ""
}

func (t *tablePage) addLinks(next string) {
	st := t.State
	if next != "" {
		onward := st.next(next)
		if !onward.Hidden {
			onward.Hidden = true
			for _, c := range t.Columns {
				onward.Columns = append(onward.Columns, c.Field)
			}
		}
		t.Next = onward.url()
	}
	if len(st.Trail) > 0 {
		t.Previous = st.previous().url()
	}
	if st.From != "" {
		t.First = st.first().url()
	}
	for i, r := range st.Rules {
		t.Chips = append(t.Chips, chip{r.Label(), st.without(i).url()})
	}
	clear := st.first()
	clear.Text, clear.Rules = "", nil
	t.Clear = clear.url()
	toggled := st
	toggled.JSON = !st.JSON
	t.JSONURL = toggled.url()
	export := func(format string) string {
		q := st.first().query()
		q.Del("json")
		q.Set("format", format)
		return withQuery("/catalog/"+url.PathEscape(st.Blueprint)+"/export", q)
	}
	t.CSV, t.Raw = export("csv"), export("jsonl")
	held := st.first()
	for name, values := range held.query() {
		for _, v := range values {
			if name != "q" {
				t.Hold = append(t.Hold, hidden{name, v})
			}
			if name != "cols" {
				t.HoldCols = append(t.HoldCols, hidden{name, v})
			}
		}
	}
	slices.SortFunc(t.Hold, func(a, b hidden) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(t.HoldCols, func(a, b hidden) int { return cmp.Compare(a.Name, b.Name) })
	for _, p := range t.Blueprint.Properties {
		t.Subjects = append(t.Subjects, subject{p.Name, cmp.Or(p.Title, p.Name), "Properties"})
	}
	for _, p := range t.Blueprint.DerivedProperties() {
		t.Subjects = append(t.Subjects, subject{p.Name, cmp.Or(p.Title, p.Name), "Derived"})
	}
	for _, rel := range t.Blueprint.Relations {
		if rel.InverseOf == "" {
			t.Subjects = append(t.Subjects, subject{">" + rel.Name, cmp.Or(rel.Title, rel.Name), "Relations"})
		}
	}
	t.Subjects = append(t.Subjects, []subject{
		{"$identifier", "Identifier", "Entity"},
		{"$title", "Title", "Entity"},
		{"$updatedAt", "Updated", "Entity"},
		{"$createdAt", "Created", "Entity"},
	}...)
}

func (s *site) addRows(ctx context.Context, t *tablePage, entities []catalog.Entity) error {
	names, err := s.targetTitles(ctx, t.Columns, entities)
	if err != nil {
		return err
	}
	for _, e := range entities {
		row := tableRow{Entity: e, Title: cmp.Or(e.Title, e.Identifier), URL: entityURL(e.Blueprint, e.Identifier)}
		properties, relations := valuesOf(e), membersOf(e.Relations)
		for _, c := range t.Columns {
			switch c.Field {
			case "$title":
				continue // the row's own link
			case "$identifier":
				row.Cells = append(row.Cells, cell{Kind: "id", Text: e.Identifier})
			case "$updatedAt", "$createdAt":
				at := e.UpdatedAt
				if c.Field == "$createdAt" {
					at = e.CreatedAt
				}
				m, _ := momentOf(at, s.Now()) // a time.Time is always read
				row.Cells = append(row.Cells, cell{Kind: "time", Time: m})
			default:
				if name, ok := strings.CutPrefix(c.Field, ">"); ok {
					row.Cells = append(row.Cells, linkCell(relations[name], c.target, names))
				} else {
					row.Cells = append(row.Cells, s.valueCell(properties[c.Field], c.Kind))
				}
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return nil
}
