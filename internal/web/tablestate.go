package web

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

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
