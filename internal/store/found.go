package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"unicode/utf8"

	"longshore/internal/catalog"
)

// Kinds of rows in SQLite's property_values.
const (
	textRow    = 0
	numberRow  = 1
	timeRow    = 2
	boolRow    = 3
	ofList     = 4 // more, for an element of a list
	longRow    = 8 // the first longRunes characters of a text of more than shortBytes
	shortBytes = 800
	longRunes  = 200
)

// found is a set of entities that rows of property_values tell: a SELECT for each range of them, of identifier and id.
type found struct {
	ranges  []string
	ordered bool // each of the ranges comes in the order of identifiers
	rows    int64
}

// ids selects the set.
func (f *found) ids() string { return "SELECT id FROM (" + strings.Join(f.ranges, " UNION ALL ") + ")" }

// distinct selects the set, each once.
func (f *found) distinct() string {
	if len(f.ranges) == 1 {
		return f.ranges[0]
	}
	return strings.Join(f.ranges, " UNION ")
}

// page selects the first of them, in the order of identifiers. more is a condition on v.identifier.
func (f *found) page(more, limit string) string {
	ranges := make([]string, len(f.ranges))
	for i, r := range f.ranges {
		ranges[i] = r + more
	}
	// UNION takes in turn from ranges that are in order: none is read to its end.
	return "SELECT id FROM (" + strings.Join(ranges, " UNION ") + " ORDER BY identifier, id LIMIT " + limit + ")"
}

// paged makes the set that is searched the page alone that is asked for.
func (q *query) paged(f catalog.Find) {
	more := ""
	if f.After != nil {
		more = " AND v.identifier > " + q.bind(f.After.Identifier)
	}
	q.conditions[len(q.conditions)-1] = "e.id IN (" + q.set.page(more, q.bind(int64(f.Limit+1))) + ")"
}

// rows of a property that a condition is true for.
type values struct {
	kind  int
	term  string // on v.value
	equal bool   // one value alone
}

const (
	// rangesInOrder is how many ranges are merged; more values are one list.
	rangesInOrder = 8
	// maxFound is how many rows of an index a search goes through. Where there are more, a page of entities that match is
	// found sooner in the order of identifiers.
	maxFound = 50_000
	// maxLooked is how many entities are looked at that an index has found for one of several conditions.
	maxLooked = 20_000
)

// narrow looks for the entities that a rule can be true for in the indexes that SQLite has of properties. exact says that
// it is true for those and no others; nil, that the rule is better decided entity by entity.
func (t *catalogTx) narrow(ctx context.Context, q *query, f catalog.Find) (set *found, exact bool, err error) {
	if len(q.uses) == 0 {
		return nil, false, nil
	}
	indexes := map[string]int64{}
	err = t.each(ctx, `SELECT property, id FROM property_indexes WHERE blueprint_id = $1 AND done = 1`, []any{q.blueprint}, func(r *sql.Rows) error {
		var name string
		var id int64
		err := r.Scan(&name, &id)
		indexes[name] = id
		return err
	})
	if err != nil || len(indexes) == 0 {
		return nil, false, err
	}
	r := f.Rule
	if r.Combinator == "and" && len(r.Rules) == 1 {
		r = r.Rules[0]
	}
	n := narrowing{catalogTx: t, query: q, indexes: indexes, alone: r.Combinator == "" && f.Text == "" && len(f.Sort) == 0}
	set, exact, err = n.found(ctx, r)
	if err == nil && set != nil && !exact && set.rows > maxLooked {
		return nil, false, nil
	}
	return set, exact, err
}

type narrowing struct {
	*catalogTx
	query   *query
	indexes map[string]int64 // by property
	alone   bool             // there is no other condition, and the order is the one of identifiers
}

func (n *narrowing) found(ctx context.Context, r catalog.Rule) (set *found, exact bool, err error) {
	switch {
	case r.Combinator == "and":
		if set, exact, err = n.between(ctx, r.Rules); err != nil || exact {
			return set, exact, err
		}
		for _, sub := range r.Rules {
			one, whole, err := n.found(ctx, sub)
			if err != nil {
				return nil, false, err
			}
			if one != nil && (set == nil || one.rows < set.rows) {
				set, exact = one, whole && len(r.Rules) == 1
			}
		}
		return set, exact, nil
	case r.Combinator == "or" && len(r.Rules) > 0 && len(r.Rules) <= rangesInOrder:
		set, exact = &found{ordered: true}, true
		for _, sub := range r.Rules {
			one, whole, err := n.found(ctx, sub)
			if err != nil || one == nil {
				return nil, false, err
			}
			set.ranges, set.rows = append(set.ranges, one.ranges...), set.rows+one.rows
			set.ordered, exact = set.ordered && one.ordered, exact && whole
		}
		if set.rows > maxFound && !set.ordered {
			return nil, false, nil
		}
		return set, exact, nil
	case !n.indexed(r):
		return nil, false, nil
	}
	set, err = n.condition(ctx, r)
	return set, true, err
}

// indexed says whether a rule is a condition on a property that has an index.
func (n *narrowing) indexed(r catalog.Rule) bool {
	return r.Combinator == "" && !r.Negate && r.Subject.Kind == catalog.ValueProperty && n.indexes[r.Subject.Name] != 0
}

// between joins conditions on one property that are one range of its values: from, and to. An entity has one such value at
// most. exact says that there are no other conditions.
func (n *narrowing) between(ctx context.Context, rules []catalog.Rule) (set *found, exact bool, err error) {
	type side struct {
		property string
		kind     int
	}
	sides := map[side][]string{}
	for _, r := range rules {
		if !n.indexed(r) || r.Operator == catalog.OpEqual || r.Operator == catalog.OpIn {
			continue
		}
		if list := n.query.values(r); len(list) == 1 {
			at := side{r.Subject.Name, list[0].kind}
			sides[at] = append(sides[at], list[0].term)
		}
	}
	for at, terms := range sides {
		if len(terms) < 2 {
			continue
		}
		one, err := n.rowsOf(ctx, at.property, []values{{kind: at.kind, term: strings.Join(terms, " AND v.value ")}})
		if err != nil {
			return nil, false, err
		}
		if one != nil && (set == nil || one.rows < set.rows) {
			set, exact = one, len(terms) == len(rules)
		}
	}
	return set, exact, nil
}

func (n *narrowing) condition(ctx context.Context, r catalog.Rule) (*found, error) {
	return n.rowsOf(ctx, r.Subject.Name, n.query.values(r))
}

// rowsOf is the set that rows of a property tell; nil where they are too many, or tell nothing.
func (n *narrowing) rowsOf(ctx context.Context, property string, list []values) (*found, error) {
	if len(list) == 0 {
		return nil, nil
	}
	set := &found{ordered: true}
	for _, v := range list {
		set.ranges = append(set.ranges, "SELECT v.identifier AS identifier, v.entity_id AS id FROM property_values v WHERE v.index_id = "+
			strconv.FormatInt(n.indexes[property], 10)+" AND v.kind = "+strconv.Itoa(v.kind)+" AND v.value "+v.term)
		set.ordered = set.ordered && v.equal
	}
	if n.alone && set.ordered {
		return set, nil
	}
	statement, args := n.query.finish("SELECT count(*) FROM (SELECT 1 FROM (" + strings.Join(set.ranges, " UNION ALL ") + ") LIMIT " + strconv.Itoa(maxFound+1) + ")")
	if err := n.row(ctx, statement, args, &set.rows); err != nil || set.rows > maxFound && !set.ordered {
		return nil, err
	}
	return set, nil
}

// values are the rows that a condition on a property is true for; none where rows do not tell.
func (q *query) values(r catalog.Rule) []values {
	switch r.Operator {
	case catalog.OpEqual:
		return q.valuesOf(r.Values, 0)
	case catalog.OpIn:
		one := q.valuesOf(r.Values, 0)
		if one == nil {
			return nil
		}
		return append(one, q.valuesOf(r.Values, ofList)...)
	case catalog.OpLess, catalog.OpLessOrEqual, catalog.OpGreater, catalog.OpGreaterOrEqual:
		operator := map[catalog.Operator]string{catalog.OpLess: "<", catalog.OpLessOrEqual: "<=", catalog.OpGreater: ">", catalog.OpGreaterOrEqual: ">="}[r.Operator]
		if v := r.Values[0]; v.Kind == catalog.NumberValue {
			return []values{{kind: numberRow, term: operator + " " + q.bind(v.Number)}}
		}
		return []values{{kind: timeRow, term: operator + " " + q.bind(r.Values[0].Time)}}
	case catalog.OpBetween:
		return []values{{kind: timeRow, term: "BETWEEN " + q.bind(r.From) + " AND " + q.bind(r.To)}}
	case catalog.OpExpired:
		return []values{{kind: timeRow, term: "< " + q.bind(r.From)}}
	case catalog.OpPrefix:
		from := r.Values[0].Text
		to, ok := prefixEnd(from)
		if !ok || utf8.RuneCountInString(from) > longRunes {
			return nil
		}
		term := ">= " + q.bind(from) + " AND v.value < " + q.bind(to)
		return []values{{kind: textRow, term: term}, {kind: longRow, term: term}}
	}
	return nil
}

// valuesOf are the rows that are equal to one of the values.
func (q *query) valuesOf(list []catalog.Value, of int) (out []values) {
	kinds := map[int][]any{}
	for _, v := range list {
		switch {
		case v.Kind == catalog.NumberValue:
			kinds[numberRow] = append(kinds[numberRow], v.Number)
		case v.Kind == catalog.BoolValue:
			n := int64(0)
			if v.Bool {
				n = 1
			}
			kinds[boolRow] = append(kinds[boolRow], n)
		case v.Kind == catalog.TextValue && v.IsTime:
			kinds[timeRow] = append(kinds[timeRow], v.Time)
		case v.Kind == catalog.TextValue && len(v.Text) <= shortBytes:
			kinds[textRow] = append(kinds[textRow], v.Text)
		default:
			return nil
		}
	}
	for kind := textRow; kind <= boolRow; kind++ {
		marks := make([]string, len(kinds[kind]))
		for i, v := range kinds[kind] {
			marks[i] = q.bind(v)
		}
		switch {
		case len(marks) > 0 && len(list) > rangesInOrder/2:
			out = append(out, values{kind: kind + of, term: "IN (" + strings.Join(marks, ",") + ")"})
		default:
			for _, m := range marks {
				out = append(out, values{kind: kind + of, term: "= " + m, equal: true})
			}
		}
	}
	return out
}

// prefixEnd returns the first text that is after all those that begin so, by bytes. There is none for a text of the last
// characters alone; and none is told for texts that databases cut or read in ways of their own.
func prefixEnd(prefix string) (string, bool) {
	last, size := utf8.DecodeLastRuneInString(prefix)
	if size == 0 || !utf8.ValidString(prefix) || strings.Contains(prefix, "\x00") || last == utf8.MaxRune || last == 0xD7FF {
		return "", false
	}
	return prefix[:len(prefix)-size] + string(last+1), true
}
