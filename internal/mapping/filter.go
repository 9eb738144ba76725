package mapping

import (
	"context"

	"longshore/internal/jq"
	"longshore/internal/verdict"
)

// pass answers None when the mapping wants the event: only the JSON value true passes a filter. Otherwise the detail
// names the clause that was not true.
func (r *Runner) pass(ctx context.Context, m *compiled) (verdict.Code, verdict.Detail, error) {
	if m.filter == nil {
		return verdict.None, verdict.Detail{}, nil
	}
	value, failure, err := r.run(ctx, m.filter)
	switch {
	case err != nil:
		return 0, verdict.Detail{}, err
	case failure == nil && string(value) == "true":
		return verdict.None, verdict.Detail{}, nil
	}
	clause, value, err := r.decidingClause(ctx, m, value)
	if err != nil {
		return 0, verdict.Detail{}, err
	}
	if failure != nil {
		if clause != nil {
			failure.Clause = clause.Source()
			if _, subject := clause.Subject(&r.input); subject != nil {
				failure.Value = jq.Excerpt(subject)
			}
		}
		return verdict.ExpressionError, *failure, nil
	}
	detail := verdict.Detail{Field: m.filter.field, Clause: clause.Source()}
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
	return verdict.Filtered, detail, nil
}

// decidingClause returns the first clause of the filter that is not true, with what it gave (nil if it failed or gave
// nothing). It is nil when the filter does not compile.
func (r *Runner) decidingClause(ctx context.Context, m *compiled, whole []byte) (*jq.Program, []byte, error) {
	if len(m.clauses) == 0 {
		return nil, nil, nil
	}
	last := m.clauses[len(m.clauses)-1]
	if len(m.clauses) == 1 {
		return last, whole, nil
	}
	for _, clause := range m.clauses {
		value, err := clause.Run(ctx, &r.input)
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		if err != nil || value == nil || string(value) == "false" || string(value) == "null" {
			return clause, value, nil
		}
	}
	return last, nil, nil // the filter ran out of time as a whole
}
