package jq

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/itchyny/gojq"

	"longshore/internal/fault"
)

// compilerOptions adds what jq has and gojq lacks, and the guards. The environment stays empty and there is nothing to
// read from: those are gojq's defaults.
var compilerOptions = append([]gojq.CompilerOption{
	gojq.WithFunction("keys_unsorted", 0, 0, keysUnsorted),
	gojq.WithFunction("toarray", 0, 0, toArray),
	gojq.WithFunction("debug", 0, 0, identity),  // jq writes to stderr: here nobody reads it
	gojq.WithFunction("stderr", 0, 0, identity), //
}, append(libjqFunctions, guardFunctions...)...)

func identity(v any, _ []any) any { return v }

func toArray(v any, _ []any) any {
	if _, ok := v.([]any); ok {
		return v
	}
	return []any{v}
}

// keysUnsorted answers in sorted order: the interpreter's objects have no other.
func keysUnsorted(v any, _ []any) any {
	if list, ok := v.([]any); ok {
		places := make([]any, len(list))
		for i := range list {
			places[i] = i
		}
		return places
	}
	object, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("keys_unsorted cannot be applied to: %s (%s)", gojq.TypeOf(v), gojq.Preview(v))
	}
	keys := slices.Sorted(maps.Keys(object))
	list := make([]any, len(keys))
	for i, k := range keys {
		list[i] = k
	}
	return list
}

var quotedName = regexp.MustCompile(`: \$?([A-Za-z_][A-Za-z0-9_:]*)`)

// compileError says where in the expression the trouble is and, if it is a well-known one, what to do.
func compileError(expr string, err error) error {
	offset := -1
	var parse *gojq.ParseError
	if errors.As(err, &parse) {
		offset = max(0, parse.Offset-len(parse.Token))
		if parse.Token == "" {
			offset = len(expr)
		}
	} else if m := quotedName.FindStringSubmatch(err.Error()); m != nil {
		offset = wordOffset(expr, m[1])
	}
	where := ""
	if offset >= 0 {
		line, column := position(expr, offset)
		where = fmt.Sprintf("line %d, column %d: ", line, column)
	}
	e := fault.Errorf(fault.Invalid, "%s%s", where, Shorten(err.Error(), maxMessageBytes))
	if hint := compileHint(expr, err.Error()); hint != "" {
		return e.WithHint("%s", hint)
	}
	return e
}

func compileHint(expr, message string) string {
	switch {
	case strings.TrimSpace(expr) == "":
		return "write an expression, or leave the field out"
	case strings.Contains(doubleQuotes(expr), "'"):
		return `single quotes are strings only after and before whitespace; inside brackets write double quotes: IN("a","b")`
	case strings.Contains(expr, "{{"):
		return "templates in double braces are not jq: write the path itself, .body.id"
	case strings.Contains(message, "input(s)/0"), strings.Contains(message, "module"):
		return "a mapping sees one event: input, inputs, import and include are not available"
	case strings.Contains(message, "function not defined"):
		return "the functions of jq 1.8 are available; check the name and the number of arguments (arguments are parted by semicolons)"
	}
	return ""
}

// position turns a byte offset into line and column, both from 1, the column in characters.
func position(text string, offset int) (line, column int) {
	before := text[:min(offset, len(text))]
	line = 1 + strings.Count(before, "\n")
	return line, 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
}

// wordOffset finds the name as a whole word, or returns -1.
func wordOffset(text, name string) int {
	loc := regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`).FindStringIndex(text)
	if loc == nil {
		return -1
	}
	return loc[0]
}
