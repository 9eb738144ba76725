package mapping

import (
	"context"

	"longshore/internal/jq"
	"longshore/internal/verdict"
)

// pass answers None when the mapping wants the event: only the JSON value true passes a filter. Otherwise the detail
// names the clause that was not true. The filter is run clause by clause, which is what its "and" does: the first
// clause that is not true by jq's rule decides, and all true clauses make true.
func (r *Runner) pass(ctx context.Context, m *compiled) (verdict.Code, verdict.Detail, error) {
	if m.filter == nil {
		return verdict.None, verdict.Detail{}, nil
	}
	if m.filter.program == nil {
		_, failure, err := r.run(ctx, m.filter)
		return verdict.ExpressionError, *failure, err
	}
	for _, clause := range m.clauses {
		value, failure, err := r.runProgram(ctx, m.filter, clause)
		if err != nil {
			return 0, verdict.Detail{}, err
		}
		if failure != nil {
			failure.Clause = jq.Shorten(clause.Source(), maxShownBytes)
			return verdict.ExpressionError, *failure, nil
		}
		if string(value) == "true" || len(m.clauses) > 1 && truthy(value) {
			continue
		}
		return verdict.Filtered, r.filtered(m, clause, value), nil
	}
	return verdict.None, verdict.Detail{}, nil
}

// truthy is jq's rule: anything but null and false, and nothing is not.
func truthy(value []byte) bool {
	return value != nil && string(value) != "null" && string(value) != "false"
}

// filtered tells of the clause that gave value.
func (r *Runner) filtered(m *compiled, clause *jq.Program, value []byte) verdict.Detail {
	detail := verdict.Detail{Field: m.filter.field, Clause: jq.Shorten(clause.Source(), maxShownBytes)}
	// An object or list would only repeat the record: .body | has("id") looks at all of it.
	if _, subject := clause.Subject(&r.input); subject != nil && subject[0] != '{' && subject[0] != '[' {
		detail.Value = jq.Excerpt(subject)
	}
	switch {
	case value == nil:
		detail.Message = "the clause gave nothing"
	case string(value) != "false":
		detail.Message = "the clause gave " + jq.Excerpt(value) + ", only true passes"
	}
	return detail
}
