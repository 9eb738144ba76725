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
	for i := range m.clauses {
		clause := &m.clauses[i]
		value, failure, err := r.ask(ctx, m.filter, clause)
		if err != nil {
			return 0, verdict.Detail{}, err
		}
		if failure != nil {
			failure.Clause = clause.shown
			return verdict.ExpressionError, *failure, nil
		}
		if string(value) == "true" || len(m.clauses) > 1 && truthy(value) {
			continue
		}
		return verdict.Filtered, r.told(m, clause, value), nil
	}
	return verdict.None, verdict.Detail{}, nil
}

// answer is what a clause gave in a round.
type answer struct {
	round  uint64
	value  []byte
	told   bool // the detail is made
	detail verdict.Detail
}

// ask runs the clause, unless a mapping before this one has asked the same of the same input. A failure is not kept:
// it names the filter that it came from, and one of time counts.
func (r *Runner) ask(ctx context.Context, filter *expression, c *clause) (value []byte, failure *verdict.Detail, err error) {
	known := &r.answers[c.shared]
	if known.round == r.round && r.slow < maxSlowRuns {
		return known.value, nil, nil
	}
	value, failure, err = r.runProgram(ctx, filter, c.program)
	if failure == nil && err == nil {
		known.round, known.value, known.told = r.round, value, false
	}
	return value, failure, err
}

// truthy is jq's rule: anything but null and false, and nothing is not.
func truthy(value []byte) bool {
	return value != nil && string(value) != "null" && string(value) != "false"
}

// told is filtered, made once for the mappings that the same clause turns away.
func (r *Runner) told(m *compiled, c *clause, value []byte) verdict.Detail {
	known := &r.answers[c.shared]
	if known.round != r.round {
		return r.filtered(m, c, value)
	}
	if !known.told {
		known.detail, known.told = r.filtered(m, c, value), true
	}
	return known.detail
}

// filtered tells of the clause that gave value.
func (r *Runner) filtered(m *compiled, clause *clause, value []byte) verdict.Detail {
	detail := verdict.Detail{Field: m.filter.field, Clause: clause.shown}
	// An object or list would only repeat the record: .body | has("id") looks at all of it.
	if _, subject := clause.program.Subject(r.in); subject != nil && subject[0] != '{' && subject[0] != '[' {
		detail.Value = r.excerpt(subject)
	}
	switch {
	case value == nil:
		detail.Message = "the clause gave nothing"
	case string(value) != "false":
		detail.Message = "the clause gave " + jq.Excerpt(value) + ", only true passes"
	}
	return detail
}

// excerpt is jq.Excerpt. The clauses of many mappings look at the same few values, and so do records of the same object.
func (r *Runner) excerpt(value []byte) string {
	for _, shown := range r.shown {
		if string(value) == shown {
			return shown
		}
	}
	copy(r.shown[1:], r.shown[:])
	r.shown[0] = jq.Excerpt(value)
	return r.shown[0]
}
