package web

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// export sends every row of a table's filter, page by page, as CSV of the chosen columns or as JSON lines.
func (s *site) export(w http.ResponseWriter, r *http.Request) error {
	state, err := readTable(r)
	if err != nil {
		return err
	}
	b, err := s.Catalog.Blueprint(r.Context(), state.Blueprint)
	if err != nil {
		return err
	}
	t := &tablePage{State: state, Blueprint: b}
	req := state.request(b)
	req.Limit = 1000
	format := r.FormValue("format")
	req.Reading.Stored = format == "jsonl"          // whose lines hold what is stored
	page, err := s.Catalog.Search(r.Context(), req) // before the first byte: errors still have their status
	if err != nil {
		return err
	}
	t.addColumns(nil)
	kind, ok := map[string]string{"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl; charset=utf-8"}[format]
	if !ok {
		return fault.Errorf(fault.Invalid, "format %q: want csv or jsonl", format)
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", fileName(b.Identifier)+"."+format))
	out := bufio.NewWriter(w)
	put, end := jsonLines(out), func() error { return nil }
	if format == "csv" {
		put, end = csvRows(out, t.Columns)
	}
	for {
		for _, e := range page.Entities {
			if err := put(e); err != nil {
				return s.cutShort(r, err)
			}
		}
		if req.From = page.Next; req.From == "" {
			break
		}
		if page, err = s.Catalog.Search(r.Context(), req); err != nil {
			return s.cutShort(r, err)
		}
	}
	if err := end(); err != nil {
		return s.cutShort(r, err)
	}
	if err := out.Flush(); err != nil {
		return s.cutShort(r, err)
	}
	return nil
}

// cutShort breaks the connection off: a half file must not look like a whole one.
func (s *site) cutShort(r *http.Request, err error) error {
	if r.Context().Err() == nil {
		s.Log.Error("export ended early", "path", r.URL.Path, "err", err)
	}
	panic(http.ErrAbortHandler)
}

// fileName keeps what every system bears in a file's name.
func fileName(text string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' {
			return c
		}
		return '-'
	}, text)
}

func jsonLines(out *bufio.Writer) func(catalog.Entity) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return func(e catalog.Entity) error {
		return encoder.Encode(struct {
			Identifier string          `json:"identifier"`
			Title      string          `json:"title,omitempty"`
			Blueprint  string          `json:"blueprint"`
			Properties json.RawMessage `json:"properties"`
			Relations  json.RawMessage `json:"relations"`
		}{e.Identifier, e.Title, e.Blueprint, orObject(e.Properties), orObject(e.Relations)})
	}
}

func orObject(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("{}")
	}
	return raw
}

func csvRows(out *bufio.Writer, columns []tableColumn) (put func(catalog.Entity) error, end func() error) {
	w := csv.NewWriter(out)
	heads := make([]string, len(columns))
	for i, c := range columns {
		heads[i] = strings.TrimPrefix(strings.TrimPrefix(c.Field, ">"), "$")
	}
	err := w.Write(heads)
	put = func(e catalog.Entity) error {
		if err != nil {
			return err
		}
		row := make([]string, len(columns))
		properties, relations := valuesOf(e), membersOf(e.Relations)
		for i, c := range columns {
			switch c.Field {
			case "$title":
				row[i] = e.Title
			case "$identifier":
				row[i] = e.Identifier
			case "$updatedAt":
				row[i] = e.UpdatedAt.UTC().Format("2006-01-02T15:04:05.000Z")
			case "$createdAt":
				row[i] = e.CreatedAt.UTC().Format("2006-01-02T15:04:05.000Z")
			default:
				if name, ok := strings.CutPrefix(c.Field, ">"); ok {
					row[i] = strings.Join(idsOf(relations[name]), " ")
				} else {
					row[i] = plainText(properties[c.Field])
				}
			}
			row[i] = unformula(row[i])
		}
		return w.Write(row)
	}
	return put, func() error {
		w.Flush()
		return w.Error()
	}
}

// plainText is a JSON value as text: strings without quotes, null as nothing, the rest as JSON.
func plainText(raw json.RawMessage) string {
	var text string
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

// unformula keeps a spreadsheet from reading a value that came from outside as a formula.
func unformula(text string) string {
	if _, err := strconv.ParseFloat(text, 64); err != nil && text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
