package jq

import (
	"slices"
	"strings"

	"github.com/itchyny/gojq"
)

// Where the interpreter goes with jq 1.8 and libjq 1.6 and 1.7 gave a value, theirs stands: mappings were written against
// it. Also, local time is Greenwich's, so that a record gives the same on every machine. docs/compat/jq.md lists what still differs.

// renamed are the functions that another one stands for; by name and number of arguments.
var renamed = map[string]string{
	"ltrimstr/1": "_ltrimstr", "rtrimstr/1": "_rtrimstr", "gamma/0": "lgamma",
	"recurse_down/0": "recurse", "localtime/0": "gmtime", "strflocaltime/1": "strftime",
}

// prepared are the functions whose input is mended first.
var prepared = map[string]string{"tonumber/0": "_unspaced", "reverse/0": "_listed"}

var libjqFunctions = []gojq.CompilerOption{
	gojq.WithFunction("_ltrimstr", 1, 1, trimmed(strings.TrimPrefix)),
	gojq.WithFunction("_rtrimstr", 1, 1, trimmed(strings.TrimSuffix)),
	gojq.WithFunction("_unspaced", 0, 0, func(v any, _ []any) any {
		if s, ok := v.(string); ok {
			return strings.Trim(s, " \t\r\n")
		}
		return v
	}),
	gojq.WithFunction("_listed", 0, 0, func(v any, _ []any) any {
		if v == nil {
			return []any{}
		}
		return v
	}),
	// The zone of "2015-03-05T23:51:47Z" is a name to libjq's %Z.
	gojq.WithFunction("_zoned", 1, 1, func(v any, args []any) any {
		text, isText := v.(string)
		format, _ := args[0].(string)
		if head, ok := strings.CutSuffix(text, "Z"); isText && ok && strings.HasSuffix(format, "%Z") {
			return head + "UTC"
		}
		return v
	}),
	gojq.WithFunction("input_filename", 0, 0, func(any, []any) any { return nil }),
}

// trimmed gives what is no string back as it is.
func trimmed(trim func(s, part string) string) func(any, []any) any {
	return func(v any, args []any) any {
		s, ok := v.(string)
		part, isText := args[0].(string)
		if !ok || !isText {
			return v
		}
		return trim(s, part)
	}
}

// translated returns a copy of the query that means what libjq makes of it. What the query defines itself is left alone.
func translated(q *gojq.Query) *gojq.Query {
	copied, err := gojq.Parse(q.String())
	if err != nil { // a query that does not read back as itself is run as it is
		return q
	}
	own := map[string]bool{}
	walkQuery(copied, func(q *gojq.Query) {
		for _, def := range q.FuncDefs {
			own[def.Name] = true
		}
	}, func(*gojq.Term) {})
	regex := false
	walkQuery(copied, func(*gojq.Query) {}, func(t *gojq.Term) {
		if t.Type == gojq.TermTypeFunc && !own[t.Func.Name] {
			translate(t)
			regex = regex || t.Func != nil && (matching[t.Func.Name] || t.Func.Name == "split" && len(t.Func.Args) == 2)
		}
	})
	if regex {
		copied.FuncDefs = append(slices.Clip(regexPrelude), copied.FuncDefs...)
	}
	return copied
}

// matching are the functions that regexPrelude defines.
var matching = map[string]bool{
	"match": true, "test": true, "capture": true, "scan": true, "splits": true, "sub": true, "gsub": true,
}

func translate(t *gojq.Term) {
	name := t.Func.Name + "/" + string(rune('0'+len(t.Func.Args)))
	if other, ok := renamed[name]; ok {
		t.Func.Name = other
		return
	}
	self := &gojq.Term{Type: gojq.TermTypeFunc, Func: t.Func}
	var q *gojq.Query
	switch first, ok := prepared[name]; {
	case ok:
		q = pipe(call(first), termQuery(self))
	case name == "leaf_paths/0":
		q = call("paths", call("scalars"))
	case name == "strptime/1":
		// strptime(F) is F as $f | _zoned($f) | strptime($f)
		q = pipe(t.Func.Args[0], pipe(call("_zoned", call("$__format")), call("strptime", call("$__format"))))
		q.Patterns = []*gojq.Pattern{{Name: "$__format"}}
	default:
		return
	}
	t.Type, t.Func, t.Query = gojq.TermTypeQuery, nil, q
}

func pipe(left, right *gojq.Query) *gojq.Query {
	return &gojq.Query{Left: left, Op: gojq.OpPipe, Right: right}
}
