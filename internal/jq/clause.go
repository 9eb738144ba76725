package jq

import "github.com/itchyny/gojq"

// Clauses returns the operands of the expression's top-level "and", in order, as programs of their own; an expression
// without one is its own single clause. The expression is true when all its clauses are, so the first that is not
// says why: clauses other than the program itself count as true by jq's rule, anything but null and false.
func (p *Program) Clauses() []*Program {
	queries := operands(p.query, nil)
	if len(queries) == 1 {
		return []*Program{p}
	}
	clauses := make([]*Program, 0, len(queries))
	for _, q := range queries {
		clause, err := compileQuery(q, p.opts)
		if err != nil { // a part that does not stand alone: keep the whole
			return []*Program{p}
		}
		clause.source = q.String()
		clauses = append(clauses, clause)
	}
	return clauses
}

// operands appends the operands of "and", within parentheses too.
func operands(q *gojq.Query, to []*gojq.Query) []*gojq.Query {
	if len(q.FuncDefs) > 0 {
		return append(to, q)
	}
	if q.Term == nil {
		if q.Op == gojq.OpAnd {
			return operands(q.Right, operands(q.Left, to))
		}
		return append(to, q)
	}
	if q.Term.Type == gojq.TermTypeQuery && len(q.Term.SuffixList) == 0 {
		return operands(q.Term.Query, to)
	}
	return append(to, q)
}
