package store

import (
	"encoding/json"
	"strings"
)

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

func (q *query) integer(n int64) string { return "CAST(" + q.bind(n) + " AS BIGINT)" }

func (q *query) number(n float64) string { return "CAST(" + q.bind(n) + " AS DOUBLE PRECISION)" }

func (q *query) text(s string) string { return "CAST(" + q.bind(s) + " AS TEXT)" }

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
