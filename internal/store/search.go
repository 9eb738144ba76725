package store

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"

	"longshore/internal/catalog"
)

// Search implements catalog.View.
func (t *catalogTx) Search(ctx context.Context, f catalog.Find) ([]catalog.Entity, bool, error) {
	q, err := t.searched(ctx, f)
	if err != nil {
		return nil, false, err
	}
	list, err := t.inOrder(ctx, q, f)
	if err != nil {
		return nil, false, err
	}
	if len(list) > f.Limit {
		return list[:f.Limit], true, nil
	}
	return list, false, nil
}

// page is the statement of a search of one place: one entity more than its page holds.
func (q *query) page(f catalog.Find) (string, []any, error) {
	order := strings.Join(q.order(f), ", ")
	if err := q.from(f); err != nil {
		return "", nil, err
	}
	statement, args := q.finish(`SELECT ` + entityColumns + q.place().joined() + q.where() + ` ORDER BY ` + order + ` LIMIT ` + q.integer(int64(f.Limit+1)))
	return statement, args, nil
}

// from leaves out what is before the page.
func (q *query) from(f catalog.Find) error {
	if q.set != nil && len(f.Sort) == 0 {
		q.paged(f)
		return nil
	}
	if f.After != nil {
		return q.after(f)
	}
	return nil
}

// inOrder returns the first entities that the query finds. Of two places each gives its first ones, by a query that its own
// indexes answer.
func (t *catalogTx) inOrder(ctx context.Context, q *query, f catalog.Find) ([]catalog.Entity, error) {
	in, order, limit := q.place(), q.order(f), f.Limit+1
	if in != both {
		query, args, err := q.page(f)
		if err != nil {
			return nil, err
		}
		return t.entities(ctx, query, args...)
	}
	if err := q.from(f); err != nil {
		return nil, err
	}
	columns, outer := "", make([]string, len(order))
	for i, term := range order {
		expr, desc := strings.CutSuffix(term, " DESC")
		outer[i] = "o" + strconv.Itoa(i)
		columns += ", " + expr + " AS " + outer[i]
		if desc {
			outer[i] += " DESC"
		}
	}
	var parts []string
	for _, p := range in.tables() {
		parts = append(parts, `SELECT * FROM (SELECT e.id AS id`+columns+` FROM `+p.entities+` e `+q.where()+` ORDER BY `+strings.Join(order, ", ")+
			` LIMIT `+q.integer(int64(limit))+`) AS `+p.entities)
	}
	query, args := q.finish(`SELECT id FROM (` + strings.Join(parts, " UNION ALL ") + `) AS found ORDER BY ` + strings.Join(outer, ", ") + ` LIMIT ` + q.integer(int64(limit)))
	ids, err := t.ids(ctx, query, args)
	if err != nil {
		return nil, err
	}
	loaded, err := t.Load(ctx, ids)
	list := make([]catalog.Entity, 0, len(ids))
	for _, id := range ids {
		list = append(list, loaded[id])
	}
	return list, err
}

// ids runs a query for ids.
func (t *catalogTx) ids(ctx context.Context, query string, args []any) (ids []int64, err error) {
	err = t.each(ctx, query, args, func(r *sql.Rows) error {
		var id int64
		err := r.Scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

// Count implements catalog.View.
func (t *catalogTx) Count(ctx context.Context, f catalog.Find) (int64, error) {
	q, err := t.searched(ctx, f)
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
	if q.set != nil {
		var n int64
		query, args := q.finish(`SELECT count(*) FROM (` + q.set.distinct() + `)`)
		err = t.row(ctx, query, args, &n)
		return n, err
	}
	var sum int64
	for _, p := range q.place().tables() {
		var n int64
		query, args := q.finish(`SELECT count(*) FROM ` + p.entities + ` e ` + q.where())
		if err := t.row(ctx, query, args, &n); err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
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
	conditions := q.conditions
	for p, some := range byPlace(ids) {
		marks := make([]string, len(some))
		for i, id := range some {
			marks[i] = q.bind(id)
		}
		q.conditions = append(slices.Clip(conditions), "e.id IN ("+strings.Join(marks, ",")+")")
		query, args := q.finish(`SELECT e.id FROM ` + p.entities + ` e ` + q.where())
		matched, err := t.ids(ctx, query, args)
		if err != nil {
			return nil, err
		}
		for _, id := range matched {
			found[id] = true
		}
	}
	return found, nil
}

// compile takes a search to conditions that are decided entity by entity, for what begins elsewhere than at the blueprint.
func (t *catalogTx) compile(ctx context.Context, f catalog.Find) (*query, error) {
	return t.compileWith(ctx, f, false)
}

// searched takes a search to conditions, of which those that indexes tell of come first.
func (t *catalogTx) searched(ctx context.Context, f catalog.Find) (*query, error) {
	return t.compileWith(ctx, f, true)
}

func (t *catalogTx) compileWith(ctx context.Context, f catalog.Find, narrow bool) (*query, error) {
	n, err := t.dict(ctx)
	if err != nil {
		return nil, err
	}
	if before := t.sql.beforeSearch; before != "" && !t.searches {
		if _, err := t.exec(ctx, before); err != nil {
			return nil, err
		}
		t.searches = true
	}
	q := &query{sql: t.sql, names: n}
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
	set, exact := (*found)(nil), false
	if q.scoped {
		q.wanted(f.Rule)
		t.uses.note(q.uses)
		if narrow && t.sql.indexProperty == nil {
			if set, exact, err = t.narrow(ctx, q, f); err != nil {
				return nil, err
			}
		}
	}
	if set != nil {
		if exact && len(q.conditions) == 1 {
			q.set = set
		}
		q.conditions = append(q.conditions, "e.id IN ("+set.ids()+")")
		if exact {
			q.passBy(q.conditions)
			return q, nil
		}
	}
	rules := []catalog.Rule{f.Rule}
	if f.Rule.Combinator == "and" {
		rules = f.Rule.Rules // each on its own, so that the planner sees plain terms
	}
	found := set != nil
	for _, r := range rules {
		condition, finds := q.rule(r)
		q.conditions = append(q.conditions, condition)
		found = found || finds
	}
	if found {
		q.passBy(q.conditions)
	}
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
	if q.sql.indexProperty != nil {
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
		if q.sql.indexProperty != nil { // once found they are looked up one by one, however many PostgreSQL takes them for
			return "e.id = ANY (ARRAY(" + q.reach(r.Reach) + "))"
		}
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
		return "(" + q.begins(r) + "substr(" + s.text + ", 1, length(" + v + ")) = " + v + ")"
	case catalog.OpSuffix:
		return q.sql.suffix(s.text, v)
	}
	panic("store: a rule with an operator that nobody compiles")
}
