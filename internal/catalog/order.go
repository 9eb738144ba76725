package catalog

import (
	"encoding/json"
	"math"
	"strconv"
)

// Sort is one key of an order. Entities without a value come last, either way round.
type Sort struct {
	Field string // property name, or $identifier, $title, $createdAt, $updatedAt …
	Desc  bool
}

// SortKey is an entity's value under one Sort: numbers and times before text before nothing.
type SortKey struct {
	Rank   int // 0 number, 1 text, 2 neither
	Number float64
	Text   string
}

// sorts checks an order. A property that no blueprint has is left out: it is the same for every entity.
func (m *model) sorts(list []Sort, blueprint string) (out []Sort, err error) {
	if len(list) > maxSorts {
		return nil, invalidRequest("sort: more than %d keys", maxSorts)
	}
	for _, s := range list {
		if s.Field == "" || s.Field[0] == '$' && (!metaProperties[s.Field] || s.Field == "$team") {
			return nil, invalidRequest("sort: cannot order by %q", s.Field)
		}
		known := s.Field[0] == '$'
		for _, id := range m.order {
			if blueprint != "" && id != blueprint {
				continue
			}
			if m.rules[id].derived[s.Field] {
				return nil, invalidRequest("sort: cannot order by %q: it is calculated when it is read", s.Field)
			}
			known = known || m.rules[id].checks[s.Field] != nil
		}
		if known {
			out = append(out, s)
		}
	}
	return out, nil
}

// sortKey is a SortKey as a cursor holds it. Number is text: JSON has no infinity.
type sortKey struct {
	Rank   int    `json:"r,omitempty"`
	Number string `json:"n,omitempty"`
	Text   string `json:"t,omitempty"`
}

// MarshalJSON writes the key for a cursor.
func (k SortKey) MarshalJSON() ([]byte, error) {
	w := sortKey{Rank: k.Rank, Text: k.Text}
	if k.Rank == 0 {
		w.Number = strconv.FormatFloat(k.Number, 'g', -1, 64)
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (k *SortKey) UnmarshalJSON(text []byte) error {
	var w sortKey
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	*k = SortKey{Rank: w.Rank, Text: w.Text}
	if w.Number == "" {
		return nil
	}
	var err error
	k.Number, err = strconv.ParseFloat(w.Number, 64)
	if math.IsNaN(k.Number) {
		return strconv.ErrSyntax
	}
	return err
}

// KeyOf returns the entity's key under a sort field, as the store orders it.
func KeyOf(e Entity, field string) SortKey {
	text := func(s string) SortKey {
		if s == "" {
			return SortKey{Rank: 2}
		}
		return SortKey{Rank: 1, Text: s}
	}
	switch field {
	case "$identifier":
		return text(e.Identifier)
	case "$title":
		if e.Title == "" {
			return text(e.Identifier)
		}
		return text(e.Title)
	case "$blueprint":
		return text(e.Blueprint)
	case "$icon":
		return text(e.Icon)
	case "$createdBy":
		return text(e.CreatedBy)
	case "$updatedBy":
		return text(e.UpdatedBy)
	case "$datasource":
		return text(e.Source)
	case "$createdAt":
		return SortKey{Number: float64(e.CreatedAt.UnixMilli())}
	case "$updatedAt":
		return SortKey{Number: float64(e.UpdatedAt.UnixMilli())}
	}
	key := SortKey{Rank: 2}
	members(e.Properties, func(name string, value []byte) {
		if name != field {
			return
		}
		switch v := constant(value); v.Kind {
		case NumberValue:
			key = SortKey{Number: v.Number}
		case TextValue:
			key = SortKey{Rank: 1, Text: v.Text}
		}
	})
	return key
}
