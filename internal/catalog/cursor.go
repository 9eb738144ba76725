package catalog

import (
	"encoding/base64"
	"encoding/json"
	"hash/fnv"
	"strconv"
)

// Position is a place in the order of a search: that of an entity which was the last of a page.
type Position struct {
	Keys                  []SortKey
	Blueprint, Identifier string
}

// cursor is a Position as clients carry it. Order guards against a cursor that belongs to another sort.
type cursor struct {
	Order uint32    `json:"o"`
	Keys  []SortKey `json:"k,omitempty"`
	B     string    `json:"b"`
	I     string    `json:"i"`
}

func orderOf(f Find) uint32 {
	h := fnv.New32a()
	for _, s := range f.Sort {
		_, _ = h.Write(strconv.AppendBool(append([]byte(s.Field), 0), s.Desc))
	}
	return h.Sum32()
}

// positionOf returns an entity's place in the order of a search.
func positionOf(e Entity, f Find) Position {
	p := Position{Blueprint: e.Blueprint, Identifier: e.Identifier}
	for _, s := range f.Sort {
		p.Keys = append(p.Keys, KeyOf(e, s.Field))
	}
	return p
}

func cursorOf(e Entity, f Find) string {
	p := positionOf(e, f)
	k := cursor{Order: orderOf(f), Keys: p.Keys, B: p.Blueprint, I: p.Identifier}
	text, err := json.Marshal(k)
	if err != nil {
		panic("catalog: a cursor cannot be written: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func readCursor(from string, f Find) (*Position, error) {
	const maxCursorBytes = 16 << 10
	var k cursor
	text, err := base64.RawURLEncoding.DecodeString(from)
	if err != nil || len(text) > maxCursorBytes || json.Unmarshal(text, &k) != nil || k.Order != orderOf(f) || len(k.Keys) != len(f.Sort) {
		return nil, invalidRequest("from: not a cursor of this search")
	}
	return &Position{Keys: k.Keys, Blueprint: k.B, Identifier: k.I}, nil
}
