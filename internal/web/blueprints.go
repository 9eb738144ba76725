package web

import (
	"cmp"
	"net/http"
	"slices"

	"longshore/internal/catalog"
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
		if catalog.IsSystem(b.Identifier) && counts[b.Identifier] == 0 {
			continue
		}
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
