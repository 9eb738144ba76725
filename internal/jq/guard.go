package jq

import (
	"fmt"
	"math/big"

	"github.com/itchyny/gojq"
)

// The clock stops a run only between steps, and some steps are endless by themselves: a number multiplied by itself
// forty times has 10^12 digits, and a list that holds itself twice, sixty levels deep, is small until it is written
// as text. So the operators and functions that can blow up look at the size of their operands first.
const (
	maxNumberBits  = 1 << 17
	maxStringBytes = 4 << 20
	maxListLength  = 1 << 20
	maxWalkedBytes = 32 << 20
)

type limitError struct{ what string }

func (e limitError) Error() string { return e.what }

var guardFunctions = []gojq.CompilerOption{
	gojq.WithFunction("_guard_multiply", 2, 2, func(_ any, args []any) any {
		if bits(args[0])+bits(args[1]) > maxNumberBits {
			return limitError{"the product has too many digits"}
		}
		if n := repeated(args[0], args[1]) + repeated(args[1], args[0]); n > maxStringBytes {
			return limitError{fmt.Sprintf("the repeated string is larger than %d bytes", maxStringBytes)}
		}
		return append([]any(nil), args...)
	}),
	gojq.WithFunction("_guard_add", 2, 2, func(_ any, args []any) any {
		if stringBytes(args[0])+stringBytes(args[1]) > maxStringBytes {
			return limitError{fmt.Sprintf("the joined string is larger than %d bytes", maxStringBytes)}
		}
		if listLength(args[0])+listLength(args[1]) > maxListLength {
			return limitError{fmt.Sprintf("the joined list has more than %d elements", maxListLength)}
		}
		return append([]any(nil), args...)
	}),
	gojq.WithFunction("_guard_compare", 2, 2, func(_ any, args []any) any {
		for _, v := range args {
			if withinLimits(v, maxWalkedBytes) != limitNone {
				return limitError{"the values are too large or too deep to compare"}
			}
		}
		return append([]any(nil), args...)
	}),
	gojq.WithFunction("_guard_size", 0, 0, func(v any, _ []any) any {
		if withinLimits(v, maxWalkedBytes) != limitNone {
			return limitError{"the value is too large or too deep to be written or sorted"}
		}
		return v
	}),
}

func bits(v any) int {
	if n, ok := v.(*big.Int); ok {
		return n.BitLen()
	}
	return 0
}

// repeated is the size of text repeated by count, or 0 if these are no string and number.
func repeated(text, count any) float64 {
	s, isString := text.(string)
	n, isNumber := gojq.ToFloat64(count)
	if !isString || !isNumber || !(n > 0) {
		return 0
	}
	return float64(len(s)) * n
}

func stringBytes(v any) int {
	s, _ := v.(string)
	return len(s)
}

func listLength(v any) int {
	l, _ := v.([]any)
	return len(l)
}

// guardedOperators are the operators that ask a guard before they work.
var guardedOperators = map[gojq.Operator]string{
	gojq.OpMul: "_guard_multiply", gojq.OpAdd: "_guard_add",
	gojq.OpEq: "_guard_compare", gojq.OpNe: "_guard_compare", gojq.OpLt: "_guard_compare",
	gojq.OpLe: "_guard_compare", gojq.OpGt: "_guard_compare", gojq.OpGe: "_guard_compare",
}

// guardedUpdates are the updates that do such an operator's work.
var guardedUpdates = map[gojq.Operator]gojq.Operator{gojq.OpUpdateMul: gojq.OpMul, gojq.OpUpdateAdd: gojq.OpAdd}

// guardedFunctions walk their whole input in one step.
var guardedFunctions = map[string]bool{
	"tojson": true, "tostring": true, "add": true, "join": true, "flatten": true, "contains": true, "inside": true, "sort": true,
	"sort_by": true, "group_by": true, "unique": true, "unique_by": true, "min": true, "max": true, "min_by": true, "max_by": true,
	"index": true, "rindex": true, "indices": true, "format": true, "bsearch": true,
}

// guarded returns a copy of the query in which the guards stand before what they guard.
func guarded(q *gojq.Query) *gojq.Query {
	guarded, err := gojq.Parse(q.String())
	if err != nil { // a query that does not read back as itself runs without guards
		return q
	}
	guardQuery(guarded)
	return guarded
}

func guardQuery(q *gojq.Query) {
	if q == nil {
		return
	}
	for _, def := range q.FuncDefs {
		guardQuery(def.Body)
	}
	guardTerm(q.Term)
	guardQuery(q.Left)
	guardQuery(q.Right)
	for _, p := range q.Patterns {
		guardPattern(p)
	}
	if op, ok := guardedUpdates[q.Op]; ok && q.Term == nil {
		// L *= R is R as $x | L |= . * $x
		product := &gojq.Query{Left: termQuery(&gojq.Term{Type: gojq.TermTypeIdentity}), Op: op, Right: call("$__operand")}
		guardOperator(product)
		q.Left, q.Right = q.Right, &gojq.Query{Left: q.Left, Op: gojq.OpModify, Right: product}
		q.Op, q.Patterns = gojq.OpPipe, []*gojq.Pattern{{Name: "$__operand"}}
		return
	}
	guardOperator(q)
}

// guardOperator makes L * R into _guard_multiply(L; R) | .[0] * .[1]. A literal operand makes a sum or comparison
// harmless: it cannot be larger than the expression.
func guardOperator(q *gojq.Query) {
	guard, ok := guardedOperators[q.Op]
	if !ok || q.Term != nil || q.Op != gojq.OpMul && (isLiteral(q.Left) || isLiteral(q.Right)) {
		return
	}
	operation := &gojq.Query{Left: element("0"), Op: q.Op, Right: element("1")}
	q.Left, q.Op, q.Right = call(guard, q.Left, q.Right), gojq.OpPipe, operation
}

func guardTerm(t *gojq.Term) {
	if t == nil {
		return
	}
	guardIndex(t.Index)
	for _, s := range t.SuffixList {
		guardIndex(s.Index)
	}
	switch t.Type {
	case gojq.TermTypeFunc:
		for _, arg := range t.Func.Args {
			guardQuery(arg)
		}
		if guardedFunctions[t.Func.Name] {
			inner := &gojq.Term{Type: gojq.TermTypeFunc, Func: t.Func}
			t.Type, t.Func, t.Query = gojq.TermTypeQuery, nil, sized(termQuery(inner))
		}
	case gojq.TermTypeObject:
		for _, kv := range t.Object.KeyVals {
			guardString(kv.KeyString)
			guardQuery(kv.KeyQuery)
			guardQuery(kv.Val)
		}
	case gojq.TermTypeArray:
		guardQuery(t.Array.Query)
	case gojq.TermTypeUnary:
		guardTerm(t.Unary.Term)
	case gojq.TermTypeFormat:
		guardString(t.Str)
		if t.Str == nil {
			inner := &gojq.Term{Type: gojq.TermTypeFormat, Format: t.Format}
			t.Type, t.Format, t.Query = gojq.TermTypeQuery, "", sized(termQuery(inner))
		}
	case gojq.TermTypeString:
		guardString(t.Str)
	case gojq.TermTypeIf:
		guardQuery(t.If.Cond)
		guardQuery(t.If.Then)
		for _, elif := range t.If.Elif {
			guardQuery(elif.Cond)
			guardQuery(elif.Then)
		}
		guardQuery(t.If.Else)
	case gojq.TermTypeTry:
		guardQuery(t.Try.Body)
		guardQuery(t.Try.Catch)
	case gojq.TermTypeReduce:
		guardQuery(t.Reduce.Query)
		guardQuery(t.Reduce.Start)
		guardQuery(t.Reduce.Update)
		for _, p := range t.Reduce.Patterns {
			guardPattern(p)
		}
	case gojq.TermTypeForeach:
		guardQuery(t.Foreach.Query)
		guardQuery(t.Foreach.Start)
		guardQuery(t.Foreach.Update)
		guardQuery(t.Foreach.Extract)
		for _, p := range t.Foreach.Patterns {
			guardPattern(p)
		}
	case gojq.TermTypeLabel:
		guardQuery(t.Label.Body)
	case gojq.TermTypeQuery:
		guardQuery(t.Query)
	}
}

func guardIndex(i *gojq.Index) {
	if i != nil {
		guardString(i.Str)
		guardQuery(i.Start)
		guardQuery(i.End)
	}
}

func guardString(s *gojq.String) {
	if s == nil {
		return
	}
	for _, part := range s.Queries {
		guardQuery(part)
		if part.Term != nil && part.Term.Str != nil { // the text between the interpolations
			continue
		}
		inner := *part
		*part = gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeQuery, Query: &gojq.Query{Left: &inner, Op: gojq.OpPipe, Right: call("_guard_size")}}}
	}
}

func guardPattern(p *gojq.Pattern) {
	for _, element := range p.Array {
		guardPattern(element)
	}
	for _, member := range p.Object {
		guardString(member.KeyString)
		guardQuery(member.KeyQuery)
		if member.Val != nil {
			guardPattern(member.Val)
		}
	}
}

func termQuery(t *gojq.Term) *gojq.Query { return &gojq.Query{Term: t} }

func call(name string, args ...*gojq.Query) *gojq.Query {
	return termQuery(&gojq.Term{Type: gojq.TermTypeFunc, Func: &gojq.Func{Name: name, Args: args}})
}

// element is .[n].
func element(n string) *gojq.Query {
	number := termQuery(&gojq.Term{Type: gojq.TermTypeNumber, Number: n})
	return termQuery(&gojq.Term{Type: gojq.TermTypeIndex, Index: &gojq.Index{Start: number}})
}

// sized is _guard_size | q.
func sized(q *gojq.Query) *gojq.Query {
	return &gojq.Query{Left: call("_guard_size"), Op: gojq.OpPipe, Right: q}
}

func isLiteral(q *gojq.Query) bool {
	t := q.Term
	if t == nil || len(t.SuffixList) > 0 || len(q.FuncDefs) > 0 {
		return false
	}
	switch t.Type {
	case gojq.TermTypeNumber, gojq.TermTypeTrue, gojq.TermTypeFalse, gojq.TermTypeNull:
		return true
	case gojq.TermTypeString:
		return t.Str.Queries == nil
	}
	return false
}
