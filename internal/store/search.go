package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"longshore/internal/catalog"
	"longshore/internal/fault"
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

// query is a search on its way to SQL.
type query struct {
	sql        *dialect
	names      *names
	scoped     bool // one blueprint is searched
	blueprint  int64
	uses       []use
	hasIndex   func(use) bool // nil where it does not matter
	conditions []string
	args       []any
}

func (q *query) bind(v any) string {
	q.args = append(q.args, v)
	return placeholder(len(q.args))
}

// finish leaves out arguments that the statement does not use, and gives each use its own: PostgreSQL refuses the first,
// SQLite binds what is used once and in order the fastest.
func (q *query) finish(statement string) (string, []any) {
	var b strings.Builder
	var args []any
	for i := 0; i < len(statement); i++ {
		n := 0
		j := i + 1
		for ; statement[i] == '$' && j < len(statement) && statement[j] >= '0' && statement[j] <= '9'; j++ {
			n = n*10 + int(statement[j]-'0')
		}
		if n == 0 {
			b.WriteByte(statement[i])
			continue
		}
		args = append(args, q.args[n-1])
		b.WriteString(placeholder(len(args)))
		i = j - 1
	}
	return b.String(), args
}

// texts is a list of texts: ("$1","$2"). A long one is one argument.
func (q *query) texts(list []string) string {
	const long = 64
	if len(list) > long {
		text, err := json.Marshal(list)
		if err != nil {
			panic("store: a list of texts cannot be written: " + err.Error())
		}
		return "(SELECT value FROM " + q.sql.textList(q.text(string(text))) + ")"
	}
	marks := make([]string, len(list))
	for i, text := range list {
		marks[i] = q.text(text)
	}
	return "(" + strings.Join(marks, ",") + ")"
}

func (q *query) where() string {
	if len(q.conditions) == 0 {
		return ""
	}
	const few = 16 // as plain terms, for the planner
	if len(q.conditions) > few {
		return "WHERE " + strings.Join(q.conditions[:few], " AND ") + " AND " + balanced(q.conditions[few:], " AND ")
	}
	return "WHERE " + strings.Join(q.conditions, " AND ")
}

// balanced joins terms as a tree of even depth: SQLite refuses expressions deeper than 1,000, and a chain is as deep as long.
func balanced(terms []string, operator string) string {
	if len(terms) <= 4 {
		return "(" + strings.Join(terms, operator) + ")"
	}
	half := len(terms) / 2
	return "(" + balanced(terms[:half], operator) + operator + balanced(terms[half:], operator) + ")"
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

// subject is how to read what a condition looks at: SQL that is NULL where there is nothing of that kind. list is a
// FROM item of its elements, "" when it is never a list.
type subject struct {
	text, num, truth, json, millis, list  string
	elementText, elementNum, elementTruth string
	missing, empty                        string // not there; there, but an empty list ("" for never)
	equalsList                            func(values string) string
	dated                                 bool // date-times are equal when they are the same instant
}

const none = ""

// propertyName is what a property's name must be to be written into SQL; blueprints allow no other.
var propertyName = regexp.MustCompile(`^[A-Za-z0-9@_=\\-]{1,100}$`)

func (q *query) subject(s catalog.Subject) subject {
	switch {
	case s.Kind == catalog.RelationValue:
		return q.relation(s)
	case s.Kind == catalog.ValueProperty && propertyName.MatchString(s.Name):
		p := q.member("e.properties", q.sql.key(s.Name))
		p.dated = true
		return p
	case s.Kind != catalog.MetaProperty: // no entity has it
		return subject{missing: "1 = 1"}
	}
	column := func(expr string) subject {
		return subject{text: expr, millis: q.sql.millis(expr), missing: "(" + expr + ") IS NULL"}
	}
	switch s.Name {
	case "$identifier":
		return column("e.identifier")
	case "$title":
		return column("coalesce(nullif(e.title, ''), e.identifier)")
	case "$blueprint":
		return column("(SELECT n.name FROM blueprint_names n WHERE n.id = e.blueprint_id)")
	case "$icon":
		return column("nullif(e.icon, '')")
	case "$createdBy":
		return column("nullif(e.created_by, '')")
	case "$updatedBy":
		return column("nullif(e.updated_by, '')")
	case "$datasource":
		return column("nullif(e.source, '')")
	case "$createdAt", "$updatedAt":
		name := "e.created_at"
		if s.Name == "$updatedAt" {
			name = "e.updated_at"
		}
		return subject{millis: name, missing: "1 = 0"}
	}
	team := q.member("e.team", "")
	team.missing, team.empty = "e.team IS NULL", "e.team = '[]'"
	return team
}

func (q *query) member(column, key string) subject {
	d := q.sql
	return subject{
		text: d.text(column, key), num: d.num(column, key), truth: d.truth(column, key), json: d.json(column, key),
		millis: d.millis("(" + d.text(column, key) + ")"), list: d.elements(column, key),
		elementText: d.elementText, elementNum: d.elementNum, elementTruth: d.elementTruth,
		missing: "NOT coalesce(" + d.there(column, key) + ", 1 = 0)", empty: "(" + d.json(column, key) + ") = '[]'",
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

func (q *query) contains(s subject, v catalog.Value) string {
	var parts []string
	if v.Kind == catalog.TextValue && s.text != none {
		parts = append(parts, "coalesce("+q.sql.position(s.text, q.text(v.Text))+" > 0, 1 = 0)")
	}
	if s.list != "" {
		parts = append(parts, q.among(s, []catalog.Value{v}))
	}
	if len(parts) == 0 {
		return "1 = 0"
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

func (q *query) integer(n int64) string { return "CAST(" + q.bind(n) + " AS BIGINT)" }

func (q *query) number(n float64) string { return "CAST(" + q.bind(n) + " AS DOUBLE PRECISION)" }

// instant is what is compared with an instant for equality.
func (s subject) instant() string {
	if s.text != none && !s.dated {
		return none
	}
	return s.millis
}

func (q *query) text(s string) string { return "CAST(" + q.bind(s) + " AS TEXT)" }

// plain compiles what an index answers; "" is for the rest.
func (q *query) plain(r catalog.Rule) string {
	if r.Operator != catalog.OpEqual && r.Operator != catalog.OpIn || len(r.Values) == 0 {
		return ""
	}
	texts := make([]string, 0, len(r.Values))
	for _, v := range r.Values {
		if v.Kind == catalog.TextValue && !(v.IsTime && r.Subject.Kind == catalog.ValueProperty) {
			texts = append(texts, v.Text)
		}
	}
	switch {
	case r.Subject.Kind == catalog.ValueProperty && len(texts) == len(r.Values) && propertyName.MatchString(r.Subject.Name):
		return q.textProperty(r, texts)
	case r.Subject.Kind != catalog.MetaProperty:
		return ""
	case r.Subject.Name == "$identifier":
		return q.identifiers(texts)
	case r.Subject.Name == "$blueprint":
		ids := make([]string, 0, len(texts))
		for _, name := range texts {
			if id, ok := q.names.blueprints[name]; ok {
				ids = append(ids, strconv.FormatInt(id, 10))
			}
		}
		return idIn("e.blueprint_id", ids)
	}
	return ""
}

// idIn compares with numbers that are written out; one is compared by =, which partial indexes are known by.
func idIn(column string, ids []string) string {
	switch len(ids) {
	case 0:
		return column + " IS NULL" // it never is
	case 1:
		return column + " = " + ids[0]
	}
	return column + " IN (" + strings.Join(ids, ",") + ")"
}

// identifiers finds by identifier. The index begins with the blueprint: where none is given, every one is tried.
func (q *query) identifiers(texts []string) string {
	const maxTried = 500
	if len(texts) == 0 {
		return "1 = 0"
	}
	in := "e.identifier IN " + q.texts(texts)
	if q.scoped || len(q.names.blueprint) > maxTried {
		return in
	}
	ids := make([]string, 0, len(q.names.blueprint))
	for id := range q.names.blueprint {
		ids = append(ids, strconv.FormatInt(id, 10))
	}
	slices.Sort(ids)
	return "(" + idIn("e.blueprint_id", ids) + " AND " + in + ")"
}

// textProperty compares a property with texts, in terms that an expression index on the property answers. A list holds if
// an element does; lists are found by the bracket that their text begins with.
func (q *query) textProperty(r catalog.Rule, texts []string) string {
	d, key := q.sql, q.sql.key(r.Subject.Name)
	if q.scoped && !r.Negate {
		q.uses = append(q.uses, use{q.blueprint, r.Subject.Name})
	}
	held := d.indexed("e.properties", key)
	one := "(" + held + " IN " + q.texts(cutTexts(texts, d.cut)) + " AND " + d.isText("e.properties", key)
	if d.cut > 0 {
		one += " AND " + d.text("e.properties", key) + " IN " + q.texts(texts)
	}
	one += ")"
	if r.Operator == catalog.OpEqual {
		return one
	}
	if q.hasIndex != nil && q.scoped && !r.Negate && q.hasIndex(use{q.blueprint, r.Subject.Name}) {
		return q.unionOfTexts(r, texts)
	}
	// '\\' is the sign after '['.
	return "(" + one + " OR (" + held + " >= '[' AND " + held + " < '\\' AND " + q.among(q.member("e.properties", key), r.Values) + "))"
}

// unionOfTexts is textProperty for SQLite once there is an index: of two conditions joined by OR it would use neither's.
func (q *query) unionOfTexts(r catalog.Rule, texts []string) string {
	const column = "x.properties"
	d, key := q.sql, q.sql.key(r.Subject.Name)
	// By its own reckoning SQLite would rather read the whole blueprint.
	index := use{q.blueprint, r.Subject.Name}.name()
	from := "SELECT x.id FROM entities x INDEXED BY " + index + " WHERE x.blueprint_id = " + strconv.FormatInt(q.blueprint, 10) + " AND " + d.indexed(column, key)
	return "e.id IN (" + from + " IN " + q.texts(texts) + " AND " + d.isText(column, key) +
		" UNION ALL " + from + " >= '[' AND " + d.indexed(column, key) + " < '\\' AND " + q.among(q.member(column, key), r.Values) + ")"
}

// cutTexts cuts texts to so many characters; 0 leaves them as they are.
func cutTexts(texts []string, most int) []string {
	if most == 0 {
		return texts
	}
	out := make([]string, len(texts))
	for i, text := range texts {
		n := 0
		out[i] = text
		for at := range text {
			if n == most {
				out[i] = text[:at]
				break
			}
			n++
		}
	}
	return out
}

func (q *query) equal(s subject, v catalog.Value) string {
	switch v.Kind {
	case catalog.NullValue:
		return "(" + s.missing + ")"
	case catalog.JSONValue:
		switch {
		case s.equalsList != nil:
			return s.equalsList(v.Text)
		case s.json == none:
			return "1 = 0"
		}
		return "(" + s.json + " = " + q.text(v.Text) + ")"
	}
	return q.scalar(s.text, s.num, s.truth, s.instant(), []catalog.Value{v})
}

// scalar compares single values: text, num and truth are three readings of one.
func (q *query) scalar(text, num, truth, millis string, values []catalog.Value) string {
	var texts, nums, truths, times []string
	for _, v := range values {
		if v.IsTime && millis != none {
			times = append(times, q.integer(v.Time))
		}
		switch {
		case v.Kind == catalog.TextValue && text != none:
			texts = append(texts, v.Text)
		case v.Kind == catalog.NumberValue && num != none:
			nums = append(nums, q.number(v.Number))
		case v.Kind == catalog.BoolValue && truth != none:
			truths = append(truths, map[bool]string{true: "1", false: "0"}[v.Bool])
		}
	}
	var parts []string
	if len(texts) > 0 {
		parts = append(parts, "coalesce("+text+" IN "+q.texts(texts)+", 1 = 0)")
	}
	for _, p := range []struct {
		expr  string
		marks []string
	}{{num, nums}, {truth, truths}, {millis, times}} {
		if len(p.marks) > 0 {
			parts = append(parts, "coalesce("+p.expr+" IN ("+strings.Join(p.marks, ",")+"), 1 = 0)")
		}
	}
	if len(parts) == 0 {
		return "1 = 0"
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

// among holds when an element of the list is one of the values.
func (q *query) among(s subject, values []catalog.Value) string {
	millis := none
	if s.dated {
		millis = q.sql.millis("(" + s.elementText + ")")
	}
	return "EXISTS (SELECT 1 FROM " + s.list + " WHERE " + q.scalar(s.elementText, s.elementNum, s.elementTruth, millis, values) + ")"
}

func (q *query) in(s subject, values []catalog.Value) string {
	if len(values) == 0 {
		return "1 = 0"
	}
	parts := []string{q.scalar(s.text, s.num, s.truth, s.instant(), values)}
	if s.list != "" {
		parts = append(parts, q.among(s, values))
	}
	for _, v := range values {
		if v.Kind == catalog.NullValue {
			parts = append(parts, q.equal(s, v))
			break
		}
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

func (q *query) compare(s subject, operator string, v catalog.Value) string {
	switch {
	case v.Kind == catalog.NumberValue && s.num != none:
		return "(" + s.num + " " + operator + " " + q.number(v.Number) + ")"
	case v.Kind != catalog.NumberValue && s.millis != none:
		return "(" + s.millis + " " + operator + " " + q.integer(v.Time) + ")"
	}
	return "1 = 0"
}

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

// mark binds a place in an order.
func (q *query) mark(v any) string {
	switch v := v.(type) {
	case float64:
		return q.number(v)
	case string:
		return q.text(v)
	case int:
		return q.integer(int64(v))
	case int64:
		return q.integer(v)
	}
	panic("store: a place in an order that is neither number nor text")
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
