package web

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"

	"longshore/internal/catalog"
	"longshore/internal/fault"
	"longshore/internal/ingest"
)

type whyPage struct {
	ID       string
	Searched bool
	Entities []catalog.Entity
	Waited   []backward // who points at an entity of that identifier that is not there
	Places   []ingest.Place
	Lake     bool // the lake was searched
	Whole    bool // to its end
}

const (
	maxIDChars = 500
	maxFound   = 50
)

// why looks a pasted id up in the catalog and in the lake.
func (s *site) why(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	p := &whyPage{ID: strings.TrimSpace(r.FormValue("id"))}
	if len(p.ID) > maxIDChars {
		return fault.Errorf(fault.Invalid, "id: %d characters, at most %d are looked up", len(p.ID), maxIDChars)
	}
	if p.ID != "" {
		p.Searched = true
		if err := s.findEntities(r, p); err != nil {
			return err
		}
		if s.Search != nil {
			var err error
			p.Lake = true
			if p.Places, p.Whole, err = s.Search.Lines(ctx, p.ID, maxFound); err != nil {
				return err
			}
		}
	}
	return s.render(w, r, "why", page{Title: "Why", Nav: "verdicts", Data: p})
}

// findEntities finds the entities with that identifier, then those with its words in identifier, title or strings, and who waits for one.
func (s *site) findEntities(r *http.Request, p *whyPage) error {
	ctx := r.Context()
	exact, err := json.Marshal(map[string]any{"combinator": "and", "rules": []any{map[string]any{"property": "$identifier", "operator": "=", "value": p.ID}}})
	if err != nil {
		return err
	}
	seen := map[catalog.Key]bool{}
	found, err := s.Catalog.Search(ctx, catalog.SearchRequest{Query: exact, Limit: maxFound, Reading: catalog.Reading{Stored: true, Unscored: true}})
	if err != nil {
		return err
	}
	worded, err := s.Catalog.FindWords(ctx, p.ID, maxFound)
	if err != nil {
		return err
	}
	for _, list := range [][]catalog.Entity{found.Entities, worded} {
		for _, e := range list {
			key := catalog.Key{Blueprint: e.Blueprint, Identifier: e.Identifier}
			if !seen[key] && len(p.Entities) < maxFound {
				seen[key] = true
				e.Title = cmp.Or(e.Title, e.Identifier)
				p.Entities = append(p.Entities, e)
			}
		}
	}
	blueprints, err := s.Catalog.Blueprints(ctx)
	if err != nil {
		return err
	}
	for _, b := range blueprints {
		key := catalog.Key{Blueprint: b.Identifier, Identifier: p.ID}
		if seen[key] {
			continue
		}
		waiting, err := s.referrers(ctx, key)
		if err != nil {
			return err
		}
		p.Waited = append(p.Waited, waiting...)
	}
	return nil
}
