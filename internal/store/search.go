package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"longshore/internal/catalog"
)

// Search implements catalog.View.
func (t *catalogTx) Search(ctx context.Context, f catalog.Find) ([]catalog.Entity, bool, error) {
	q, err := t.compile(ctx, f)
	if err != nil {
		return nil, false, err
	}
	order := q.order(f)
	if f.After != nil {
		if err := q.after(f); err != nil {
			return nil, false, err
		}
	}
	query, args := q.finish(`SELECT ` + entityColumns + fromEntities + q.where() + ` ORDER BY ` + order + ` LIMIT ` + q.integer(int64(f.Limit+1)))
	list, err := t.entities(ctx, query, args...)
	if err != nil {
		return nil, false, err
	}
	if len(list) > f.Limit {
		return list[:f.Limit], true, nil
	}
	return list, false, nil
}

// Count implements catalog.View.
func (t *catalogTx) Count(ctx context.Context, f catalog.Find) (int64, error) {
	q, err := t.compile(ctx, f)
	if err != nil {
		return 0, err
	}
	if len(f.Rule.Rules) == 0 && f.Rule.Combinator != "" && f.Text == "" { // all there are: kept, not counted
		counts, err := t.Counts(ctx)
		n := counts[f.Blueprint]
		if f.Blueprint == "" {
			for _, c := range counts {
				n += c
			}
		}
		return n, err
	}
	var n int64
	query, args := q.finish(`SELECT count(*) FROM entities e ` + q.where())
	err = t.row(ctx, query, args, &n)
	return n, err
}

// Matching implements catalog.View.
func (t *catalogTx) Matching(ctx context.Context, ids []int64, rule catalog.Rule) (map[int64]bool, error) {
	found := make(map[int64]bool, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	q, err := t.compile(ctx, catalog.Find{Rule: rule})
	if err != nil {
		return nil, err
	}
	marks := make([]string, len(ids))
	for i, id := range ids {
		marks[i] = q.bind(id)
	}
	q.conditions = append(q.conditions, "e.id IN ("+strings.Join(marks, ",")+")")
	query, args := q.finish(`SELECT e.id FROM entities e ` + q.where())
	err = t.each(ctx, query, args, func(r *sql.Rows) error {
		var id int64
		err := r.Scan(&id)
		found[id] = true
		return err
	})
	return found, err
}

func (t *catalogTx) compile(ctx context.Context, f catalog.Find) (*query, error) {
	n, err := t.dict(ctx)
	if err != nil {
		return nil, err
	}
	q := &query{sql: t.sql, names: n}
	if t.engine.prepares {
		q.hasIndex = func(u use) bool {
			there := 0
			err := t.row(ctx, `SELECT count(*) FROM sqlite_master WHERE type = 'index' AND name = $1`, []any{u.name()}, &there)
			return err == nil && there > 0
		}
	}
	if f.Blueprint != "" {
		id, err := t.blueprintID(ctx, f.Blueprint)
		if err != nil {
			return nil, err
		}
		// The number itself, no parameter: only so does the planner know which partial indexes serve.
		q.conditions = append(q.conditions, "e.blueprint_id = "+strconv.FormatInt(id, 10))
		q.scoped, q.blueprint = true, id
	}
	if f.Text != "" {
		needle := q.bind(strings.Map(asciiLower, f.Text))
		q.conditions = append(q.conditions, "("+q.sql.position("lower(e.identifier)", needle)+" > 0 OR "+q.sql.position("lower(e.title)", needle)+" > 0)")
	}
	rules := []catalog.Rule{f.Rule}
	if f.Rule.Combinator == "and" {
		rules = f.Rule.Rules // each on its own, so that the planner sees plain terms
	}
	found := false
	for _, r := range rules {
		condition, finds := q.rule(r)
		q.conditions = append(q.conditions, condition)
		found = found || finds
	}
	if found {
		q.passBy(q.conditions)
	}
	t.uses.note(q.uses)
	return q, nil
}

func asciiLower(r rune) rune {
	if r >= 'A' && r <= 'Z' {
		return r + 'a' - 'A'
	}
	return r
}

// rule compiles a node: an expression that is true where the node holds. Negation stands at conditions alone, where NULL
// counts as false before it; above them are AND and OR, for which a NULL in WHERE is as good as false. So conditions
// stay plain terms, which an index can answer.
//
// finds says that whatever holds was found by id beforehand: among those few the rest is decided.
func (q *query) rule(r catalog.Rule) (condition string, finds bool) {
	if r.Combinator != "" {
		if len(r.Rules) == 0 {
			return "1 = 1", false
		}
		parts := make([]string, len(r.Rules))
		all, some := true, false
		for i, sub := range r.Rules {
			parts[i], finds = q.rule(sub)
			all, some = all && finds, some || finds
		}
		if r.Combinator == "and" && some {
			q.passBy(parts)
		}
		return balanced(parts, " "+strings.ToUpper(r.Combinator)+" "), all || some && r.Combinator == "and"
	}
	condition = q.condition(r)
	if r.Negate {
		return "NOT coalesce(" + condition + ", 1 = 0)", false
	}
	return condition, strings.HasPrefix(condition, "e.id IN (") || strings.HasPrefix(condition, "(e.id IN (")
}

// passBy keeps SQLite from going through a whole blueprint where ids are known: it has no idea how many a query finds, and
// the plus hides the index. PostgreSQL has.
func (q *query) passBy(conditions []string) {
	if q.hasIndex == nil {
		return
	}
	for i, c := range conditions {
		if strings.HasPrefix(c, "e.blueprint_id ") {
			conditions[i] = "+" + c
		}
	}
}

func (q *query) condition(r catalog.Rule) string {
	switch r.Operator {
	case catalog.OpNever:
		return "1 = 0"
	case catalog.OpReached:
		return "e.id IN (" + q.reach(r.Reach) + ")"
	case catalog.OpRelatedTo, catalog.OpMatchAny:
		panic("store: a rule that must be lowered first")
	}
	if plain := q.plain(r); plain != "" {
		return plain
	}
	if indexed := q.pointing(r); indexed != "" {
		return indexed
	}
	s := q.subject(r.Subject)
	switch r.Operator {
	case catalog.OpEmpty:
		if s.empty == "" {
			return "(" + s.missing + ")"
		}
		return "(" + s.missing + " OR coalesce(" + s.empty + ", 1 = 0))"
	case catalog.OpEqual:
		return q.equal(s, r.Values[0])
	case catalog.OpIn:
		return q.in(s, r.Values)
	case catalog.OpLess:
		return q.compare(s, "<", r.Values[0])
	case catalog.OpLessOrEqual:
		return q.compare(s, "<=", r.Values[0])
	case catalog.OpGreater:
		return q.compare(s, ">", r.Values[0])
	case catalog.OpGreaterOrEqual:
		return q.compare(s, ">=", r.Values[0])
	case catalog.OpContains:
		return q.contains(s, r.Values[0])
	}
	if s.text == none && s.millis == none {
		return "1 = 0"
	}
	switch r.Operator {
	case catalog.OpExpired:
		return "(" + s.millis + " < " + q.integer(r.From) + ")"
	case catalog.OpBetween:
		return "(" + s.millis + " BETWEEN " + q.integer(r.From) + " AND " + q.integer(r.To) + ")"
	}
	if s.text == none {
		return "1 = 0"
	}
	v := q.text(r.Values[0].Text)
	switch r.Operator {
	case catalog.OpPrefix:
		return "(substr(" + s.text + ", 1, length(" + v + ")) = " + v + ")"
	case catalog.OpSuffix:
		return q.sql.suffix(s.text, v)
	}
	panic("store: a rule with an operator that nobody compiles")
}
