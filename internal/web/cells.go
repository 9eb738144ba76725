package web

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// membersOf reads a JSON object one level deep.
func membersOf(raw json.RawMessage) map[string]json.RawMessage {
	members := map[string]json.RawMessage{}
	_ = json.Unmarshal(raw, &members) // what the catalog stores is an object or nothing
	return members
}

// valuesOf are an entity's properties, stored and derived.
func valuesOf(e catalog.Entity) map[string]json.RawMessage {
	values := membersOf(e.Properties)
	maps.Copy(values, membersOf(e.Derived))
	return values
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
			found, err := s.Catalog.Search(ctx, catalog.SearchRequest{Blueprint: blueprint, Query: query, Limit: chunk, Reading: catalog.Reading{Stored: true}})
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
