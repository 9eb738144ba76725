package store

import (
	"strings"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// sortTerms are the expressions of one sort: rank, number, text; "" for one that is the same for every entity.
func (q *query) sortTerms(field string) [3]string {
	kind := catalog.ValueProperty
	if field[0] == '$' {
		kind = catalog.MetaProperty
	}
	s := q.subject(catalog.Subject{Kind: kind, Name: field})
	switch {
	case s.text == none && s.millis == none:
		return [3]string{}
	case s.text == none:
		return [3]string{"", "CAST(" + s.millis + " AS DOUBLE PRECISION)", ""}
	case kind == catalog.MetaProperty:
		return [3]string{"CASE WHEN (" + s.text + ") IS NULL THEN 2 ELSE 1 END", "", "coalesce(" + s.text + ", '')" + q.sql.binary}
	}
	rank := "CASE WHEN (" + s.num + ") IS NOT NULL THEN 0 WHEN (" + s.text + ") IS NOT NULL THEN 1 ELSE 2 END"
	return [3]string{rank, "coalesce(" + s.num + ", 0.0)", "coalesce(" + s.text + ", '')" + q.sql.binary}
}

func (q *query) order(f catalog.Find) string {
	var terms []string
	for _, s := range f.Sort {
		for i, t := range q.sortTerms(s.Field) {
			if t != "" && i > 0 && s.Desc {
				t += " DESC"
			}
			if t != "" {
				terms = append(terms, t)
			}
		}
	}
	return strings.Join(append(terms, "e.blueprint_id", "e.identifier"), ", ")
}

// after adds the condition that leaves out everything up to the position: for each term, all before it equal and it beyond.
func (q *query) after(f catalog.Find) error {
	if f.Blueprint != "" && len(f.Sort) == 0 {
		q.conditions = append(q.conditions, "e.identifier > "+q.text(f.After.Identifier))
		return nil
	}
	blueprint, ok := q.names.blueprints[f.After.Blueprint]
	if !ok {
		return fault.Errorf(fault.Invalid, "from: blueprint %q is gone", f.After.Blueprint).WithCode("invalid_request", nil)
	}
	type term struct {
		expr string
		at   any
		desc bool
	}
	var terms []term
	for i, s := range f.Sort {
		t, k := q.sortTerms(s.Field), f.After.Keys[i]
		for i, at := range []any{k.Rank, k.Number, k.Text} {
			if t[i] != "" {
				terms = append(terms, term{t[i], at, i > 0 && s.Desc})
			}
		}
	}
	terms = append(terms, term{"e.blueprint_id", blueprint, false}, term{"e.identifier", f.After.Identifier, false})
	var options []string
	equal := ""
	for _, t := range terms {
		operator := " > "
		if t.desc {
			operator = " < "
		}
		mark := q.mark(t.at)
		options = append(options, "("+equal+t.expr+operator+mark+")")
		equal += t.expr + " = " + mark + " AND "
	}
	if len(f.Sort) == 0 {
		n := len(q.args)
		q.conditions = append(q.conditions, "(e.blueprint_id, e.identifier) > (CAST("+placeholder(n-1)+" AS BIGINT), CAST("+placeholder(n)+" AS TEXT))")
		return nil
	}
	q.conditions = append(q.conditions, "("+strings.Join(options, " OR ")+")")
	return nil
}
