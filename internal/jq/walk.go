package jq

import "github.com/itchyny/gojq"

// walkQuery calls the functions with each query and term under q, those within before those around.
func walkQuery(q *gojq.Query, query func(*gojq.Query), term func(*gojq.Term)) {
	if q == nil {
		return
	}
	w := walker{query, term}
	w.walk(q)
}

type walker struct {
	query func(*gojq.Query)
	term  func(*gojq.Term)
}

func (w walker) walk(queries ...*gojq.Query) {
	for _, q := range queries {
		if q == nil {
			continue
		}
		for _, def := range q.FuncDefs {
			w.walk(def.Body)
		}
		w.terms(q.Term)
		w.walk(q.Left, q.Right)
		w.patterns(q.Patterns)
		w.query(q)
	}
}

func (w walker) terms(t *gojq.Term) {
	if t == nil {
		return
	}
	w.index(t.Index)
	for _, s := range t.SuffixList {
		w.index(s.Index)
	}
	w.text(t.Str)
	w.walk(t.Query)
	if t.Func != nil {
		w.walk(t.Func.Args...)
	}
	if t.Object != nil {
		for _, kv := range t.Object.KeyVals {
			w.text(kv.KeyString)
			w.walk(kv.KeyQuery, kv.Val)
		}
	}
	if t.Array != nil {
		w.walk(t.Array.Query)
	}
	if t.Unary != nil {
		w.terms(t.Unary.Term)
	}
	if t.If != nil {
		w.walk(t.If.Cond, t.If.Then, t.If.Else)
		for _, elif := range t.If.Elif {
			w.walk(elif.Cond, elif.Then)
		}
	}
	if t.Try != nil {
		w.walk(t.Try.Body, t.Try.Catch)
	}
	if t.Reduce != nil {
		w.walk(t.Reduce.Query, t.Reduce.Start, t.Reduce.Update)
		w.patterns(t.Reduce.Patterns)
	}
	if t.Foreach != nil {
		w.walk(t.Foreach.Query, t.Foreach.Start, t.Foreach.Update, t.Foreach.Extract)
		w.patterns(t.Foreach.Patterns)
	}
	if t.Label != nil {
		w.walk(t.Label.Body)
	}
	w.term(t)
}

func (w walker) index(i *gojq.Index) {
	if i != nil {
		w.text(i.Str)
		w.walk(i.Start, i.End)
	}
}

func (w walker) text(s *gojq.String) {
	if s != nil {
		w.walk(s.Queries...)
	}
}

func (w walker) patterns(list []*gojq.Pattern) {
	for _, p := range list {
		w.patterns(p.Array)
		for _, member := range p.Object {
			w.text(member.KeyString)
			w.walk(member.KeyQuery)
			if member.Val != nil {
				w.patterns([]*gojq.Pattern{member.Val})
			}
		}
	}
}
