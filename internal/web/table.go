package web

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// catalogPage lists the blueprints.
type catalogPage struct {
	Cards []blueprintCard
	Total int64
}

type blueprintCard struct {
	Blueprint catalog.Blueprint
	Title     string
	N         int64
	Targets   []string
	Share     float64 // of 1,000: the bar beneath the number
	Kinds     int     // properties
}

func (s *site) catalogList(w http.ResponseWriter, r *http.Request) error {
	list, err := s.Catalog.Blueprints(r.Context())
	if err != nil {
		return err
	}
	counts, err := s.Catalog.Counts(r.Context())
	if err != nil {
		return err
	}
	p := &catalogPage{}
	var most int64
	for _, b := range list {
		p.Total += counts[b.Identifier]
		most = max(most, counts[b.Identifier])
		card := blueprintCard{Blueprint: b, Title: titleOf(b), N: counts[b.Identifier], Kinds: len(b.Properties)}
		for _, rel := range b.Relations {
			if !slices.Contains(card.Targets, rel.Target) {
				card.Targets = append(card.Targets, rel.Target)
			}
		}
		p.Cards = append(p.Cards, card)
	}
	for i := range p.Cards {
		if most > 0 {
			p.Cards[i].Share = 1000 * float64(p.Cards[i].N) / float64(most)
		}
	}
	slices.SortStableFunc(p.Cards, func(a, b blueprintCard) int { return cmp.Compare(b.N, a.N) })
	return s.render(w, r, "catalog", page{Title: "Catalog", Nav: "catalog", Data: p})
}

// pageRows is how many rows a table shows.
const pageRows = 50

// maxTrail is how many earlier pages a table's address remembers, for the way back.
const maxTrail = 12

// tableState is a table's address, taken apart.
type tableState struct {
	Blueprint string
	Text      string
	Rules     []tableRule
	Sort      string // a field, "-" before it for the other way round; "" for the identifier
	Columns   []string
	Hidden    bool // the columns were chosen
	From      string
	Trail     []string // the cursors of earlier pages, oldest first
	JSON      bool
}

func readTable(r *http.Request) (tableState, error) {
	q := r.URL.Query()
	t := tableState{Blueprint: r.PathValue("blueprint"), Text: strings.TrimSpace(q.Get("q")), Sort: q.Get("sort"), From: q.Get("from"), JSON: q.Has("json")}
	var err error
	if t.Rules, err = readRules(q["f"]); err != nil {
		return t, err
	}
	if q.Get("cols") != "" {
		t.Columns, t.Hidden = strings.Split(q.Get("cols"), ","), true
	}
	if boxes := q["col"]; len(boxes) > 0 { // the boxes of the column picker
		t.Columns, t.Hidden = boxes, true
	}
	if q.Get("trail") != "" {
		t.Trail = strings.Split(q.Get("trail"), "~")
	}
	return t, nil
}

// url is the address of the state.
func (t tableState) url() string {
	return withQuery("/catalog/"+url.PathEscape(t.Blueprint), t.query())
}

func (t tableState) query() url.Values {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("q", t.Text)
	set("sort", t.Sort)
	for _, r := range t.Rules {
		q.Add("f", r.String())
	}
	if t.Hidden {
		set("cols", strings.Join(t.Columns, ","))
	}
	set("from", t.From)
	set("trail", strings.Join(t.Trail, "~"))
	if t.JSON {
		q.Set("json", "")
	}
	return q
}

// first is the state on its first page.
func (t tableState) first() tableState {
	t.From, t.Trail = "", nil
	return t
}

func (t tableState) without(i int) tableState {
	t = t.first()
	t.Rules = slices.Delete(slices.Clone(t.Rules), i, i+1)
	return t
}

func (t tableState) sorted(field string) tableState {
	t = t.first()
	if t.Sort == field {
		field = "-" + field
	}
	t.Sort = field
	return t
}

func (t tableState) next(cursor string) tableState {
	t.Trail = append(slices.Clone(t.Trail), cmp.Or(t.From, "."))
	t.Trail = t.Trail[max(0, len(t.Trail)-maxTrail):]
	t.From = cursor
	return t
}

func (t tableState) previous() tableState {
	last := len(t.Trail) - 1
	t.From = strings.TrimPrefix(t.Trail[last], ".")
	t.Trail = t.Trail[:last]
	return t
}

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
	target string
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
	for _, rel := range t.Blueprint.Relations {
		if rel.InverseOf == "" {
			t.Subjects = append(t.Subjects, subject{">" + rel.Name, cmp.Or(rel.Title, rel.Name), "Relations"})
		}
	}
	t.Subjects = append(t.Subjects, []subject{{"$identifier", "Identifier", "Entity"}, {"$title", "Title", "Entity"},
		{"$updatedAt", "Updated", "Entity"}, {"$createdAt", "Created", "Entity"}}...)
}

// defaultScalars is how many properties a table shows unless told otherwise.
const defaultScalars = 6

// addColumns lists the columns there are, and takes those that the address names, or the sensible ones: the single
// relations, the first scalar properties that any of the rows has, and the relations to many. Later pages keep the columns of the first.
func (t *tablePage) addColumns(rows []catalog.Entity) {
	filled := map[string]bool{}
	for _, e := range rows {
		for name, value := range membersOf(e.Properties) {
			filled[name] = filled[name] || string(value) != "null"
		}
		for name, value := range membersOf(e.Relations) {
			filled[">"+name] = filled[">"+name] || len(idsOf(value)) > 0
		}
	}
	all := []tableColumn{{Field: "$title", Label: "Title", Kind: "title"}}
	// Whom and what an entity is about comes before how it is described.
	relations := func(many bool) {
		for _, rel := range t.Blueprint.Relations {
			if rel.Many == many {
				all = append(all, tableColumn{Field: ">" + rel.Name, Label: cmp.Or(rel.Title, rel.Name), Kind: "relation", Chosen: filled[">"+rel.Name] || len(rows) == 0, target: rel.Target})
			}
		}
	}
	relations(false)
	scalars := 0
	for _, p := range t.Blueprint.Properties {
		c := tableColumn{Field: p.Name, Label: cmp.Or(p.Title, p.Name), Kind: "text"}
		switch {
		case p.Format == "date-time":
			c.Kind = "time"
		case p.Type == "number", p.Type == "boolean":
			c.Kind = p.Type
		case p.Type == "object", p.Type == "array":
			c.Kind = "json"
		}
		if c.Kind != "json" && p.Name != "id" && scalars < defaultScalars && (filled[p.Name] || len(rows) == 0) {
			scalars++
			c.Chosen = true
		}
		all = append(all, c)
	}
	relations(true)
	all = append(all, tableColumn{Field: "$identifier", Label: "Identifier", Kind: "id"})
	all = append(all, tableColumn{Field: "$updatedAt", Label: "Updated", Kind: "time"}, tableColumn{Field: "$createdAt", Label: "Created", Kind: "time"})
	for i := range all {
		c := &all[i]
		if c.Kind == "title" || c.Kind == "id" {
			c.Chosen = true
		}
		if t.State.Hidden {
			c.Chosen = c.Kind == "title" || slices.Contains(t.State.Columns, c.Field)
		}
		if c.Kind != "relation" && c.Kind != "json" {
			c.Sort = t.State.sorted(c.Field).url()
		}
		switch t.State.Sort {
		case c.Field:
			c.Arrow = "ascending"
		case "-" + c.Field:
			c.Arrow = "descending"
		}
		if c.Chosen {
			t.Columns = append(t.Columns, *c)
		}
	}
	t.Choices = all
}

func (s *site) addRows(ctx context.Context, t *tablePage, entities []catalog.Entity) error {
	names, err := s.targetTitles(ctx, t.Columns, entities)
	if err != nil {
		return err
	}
	for _, e := range entities {
		row := tableRow{Entity: e, Title: cmp.Or(e.Title, e.Identifier), URL: entityURL(e.Blueprint, e.Identifier)}
		properties, relations := membersOf(e.Properties), membersOf(e.Relations)
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

// membersOf reads a JSON object one level deep.
func membersOf(raw json.RawMessage) map[string]json.RawMessage {
	members := map[string]json.RawMessage{}
	_ = json.Unmarshal(raw, &members) // what the catalog stores is an object or nothing
	return members
}

// idsOf reads a relation's value: an identifier, a list of them, or nothing.
func idsOf(raw json.RawMessage) []string {
	var one string
	var many []string
	if json.Unmarshal(raw, &one) == nil && one != "" {
		return []string{one}
	}
	_ = json.Unmarshal(raw, &many) // null, or nothing: no targets
	return many
}

// maxCellLinks is how many targets a table cell names.
const maxCellLinks = 1

// targetTitles looks up the titles of what the rows' relations point at: one search a blueprint. A key that is
// missing is an entity that is not there.
func (s *site) targetTitles(ctx context.Context, columns []tableColumn, entities []catalog.Entity) (map[catalog.Key]string, error) {
	wanted := map[string]map[string]bool{}
	for _, c := range columns {
		name, ok := strings.CutPrefix(c.Field, ">")
		if !ok {
			continue
		}
		if wanted[c.target] == nil {
			wanted[c.target] = map[string]bool{}
		}
		for _, e := range entities {
			ids := idsOf(membersOf(e.Relations)[name])
			for _, id := range ids[:min(len(ids), maxCellLinks)] {
				wanted[c.target][id] = true
			}
		}
	}
	return s.titles(ctx, wanted)
}

// titles returns the titles of the entities that are there, by blueprint and identifier.
func (s *site) titles(ctx context.Context, wanted map[string]map[string]bool) (map[catalog.Key]string, error) {
	const chunk = 500 // identifiers a search
	names := map[catalog.Key]string{}
	for blueprint, ids := range wanted {
		for part := range slices.Chunk(slices.Sorted(maps.Keys(ids)), chunk) {
			query, err := json.Marshal(map[string]any{"combinator": "and", "rules": []any{map[string]any{"property": "$identifier", "operator": "in", "value": part}}})
			if err != nil {
				return nil, err
			}
			found, err := s.Catalog.Search(ctx, catalog.SearchRequest{Blueprint: blueprint, Query: query, Limit: chunk})
			if fault.Is(err, fault.NotFound) {
				break // the target's blueprint is not there: all of them wait
			}
			if err != nil {
				return nil, err
			}
			for _, e := range found.Entities {
				names[catalog.Key{Blueprint: e.Blueprint, Identifier: e.Identifier}] = cmp.Or(e.Title, e.Identifier)
			}
		}
	}
	return names, nil
}

func linkCell(raw json.RawMessage, target string, names map[catalog.Key]string) cell {
	ids := idsOf(raw)
	if len(ids) == 0 {
		return cell{Kind: "none"}
	}
	c := cell{Kind: "links", More: max(0, len(ids)-maxCellLinks)}
	for _, id := range ids[:min(len(ids), maxCellLinks)] {
		c.Links = append(c.Links, linkTo(target, id, names))
	}
	return c
}

func linkTo(blueprint, id string, names map[catalog.Key]string) relationLink {
	title, here := names[catalog.Key{Blueprint: blueprint, Identifier: id}]
	return relationLink{blueprint, id, cmp.Or(title, id), entityURL(blueprint, id), !here}
}

// maxCellText is how many characters of a value a table shows.
const maxCellText = 60

// valueCell shows a property's value. A value that misses its type is shown for what it is.
func (s *site) valueCell(raw json.RawMessage, kind string) cell {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return cell{Kind: "none"}
	}
	switch raw[0] {
	case '"':
		var text string
		_ = json.Unmarshal(raw, &text) // the catalog's JSON is valid
		if kind == "time" {
			if m, err := momentOf(text, s.Now()); err == nil {
				return cell{Kind: "time", Time: m}
			}
		}
		return cell{Kind: "text", Text: shorten(text, maxCellText), Full: text}
	case 't':
		return cell{Kind: "yes", Text: "yes"}
	case 'f':
		return cell{Kind: "no", Text: "no"}
	case '{', '[':
		return cell{Kind: "json", Text: gist(raw), Full: shorten(string(raw), 400)}
	}
	return cell{Kind: "number", Text: string(raw)}
}

// gist says in a few words what an object or a list holds.
func gist(raw json.RawMessage) string {
	const named = 3 // members
	if raw[0] == '[' {
		var items []json.RawMessage
		_ = json.Unmarshal(raw, &items) // the catalog's JSON is valid
		return countNote(int64(len(items)), "item", "items")
	}
	names := slices.Sorted(maps.Keys(membersOf(raw)))
	text := shorten(strings.Join(names[:min(len(names), named)], ", "), 40)
	if more := len(names) - named; more > 0 {
		text += " +" + strconv.Itoa(more)
	}
	return cmp.Or(text, "{}")
}
