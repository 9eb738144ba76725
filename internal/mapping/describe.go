package mapping

import (
	"longshore/internal/catalog"
)

// Mapping describes one mapping of a Set, for explanations and linters.
type Mapping struct {
	Blueprint        string // "" when an Ocean config computes it
	Kind             string // of an Ocean config: the stream; else ""
	Op               catalog.Op
	DeleteDependents bool
	Lane             catalog.Lane
	Filter           string   // as written, "" when everything passes
	Clauses          []string // the operands of the filter's "and"
	ItemsToParse     string
	Identifier       string // the jq text; "" for a search
	Properties       []Expression
	Relations        []Expression
}

// Expression is the jq text behind a property or relation; Text is "" for a search object or constant.
type Expression struct {
	Name string
	Text string
}

// Mapping returns the description of the i-th mapping.
func (s *Set) Mapping(i int) Mapping {
	m := &s.mappings[i]
	d := Mapping{Blueprint: m.blueprint, Kind: m.kind, Op: m.op, DeleteDependents: m.deleteDependents, Lane: m.lane, Identifier: m.identifier.text()}
	if m.filter != nil {
		d.Filter = m.filter.text
	}
	for _, clause := range m.clauses {
		d.Clauses = append(d.Clauses, clause.program.Source())
	}
	if m.items != nil {
		d.ItemsToParse = m.items.text
	}
	d.Properties, d.Relations = expressions(m.properties), expressions(m.relations)
	return d
}

func expressions(fields []field) []Expression {
	list := make([]Expression, len(fields))
	for i, f := range fields {
		list[i] = Expression{Name: f.name, Text: f.value.text()}
	}
	return list
}
