package jq

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/itchyny/gojq"
)

// With guards an expression must mean what it means without them: in paths, updates, patterns and generators too.
func TestGuardsKeepMeaning(t *testing.T) {
	exprs := []string{
		`path(.a[.i + .j])`, `.a[.i + .j] = 5`, `del(.a[.i * .j])`, `path(if .i == .j then .a else .b end)`, `path(.a | select(.i == .j))`,
		`[paths(. == .)]`, `.a |= map(select(. == .))`, `path(getpath(["a", .i + .j]))`, `.a += (.i, .j)`, `.a[.i + .i] *= .j`,
		`.a *= (.i + .j)`, `.a += .b`, `.b *= .b`, `[.a[] += .i]`, `. as {a: [$x, $y], ("i", "j"): $z} | $x + $y * $z`, `. as {(.k + .k): $x} | $x`, `{(.k + .k): (.i + .j)}`,
		`[limit(.i + .j; .a[])]`, `[.a[.i:.i + .j]]`, `"\(.i + .j)-\(.b)-\(.a | add)"`, `@json "v\(.b * .b)"`, `@base64 "\(.k + .k)"`, `.b | tostring`, `[.a[] | tojson]`,
		`try (.k + .i) catch .`, `[.a[] as $x | .a[] as $y | $x * $y]`, `def f(g; $n): [g * $n, (g | tostring)]; f(.a[]; .i)`, `[foreach .a[] as $x (0; . + $x; [$x, . * $x])]`,
		`reduce .a[] as $x (.b; . * {k: $x})`, `label $l | .a[] | if . == 2 then ., break $l else . end`, `-(.i + .j)`, `[.a[] | (. + 1, . * 2) == (2, 4)]`, `[(.a, .b)[] | . + .]`, `.a | sort_by(-. * .)`,
		`[.a | min_by(. * .), max_by(. == 2)]`, `.a | unique_by(. == .)`, `with_entries(.value |= tostring)`, `[.[] | flatten?]`, `.["a" + ""] + .["a"]`, `."a\("")"[0]`, `.a[0] as $x | $x + $x`,
		`(.a | contains([1])) and (.k + .k == "kk")`, `.a as [$p, $q] ?// $p | [$p, $q]`, `walk(if type == "number" then . * . else . end)`, `input_line_number`, `.a | IN([1,2,3])`, `[splits(.k + .k)]`,
	}
	inputs := []any{
		map[string]any{"a": []any{1, 2, 3}, "b": map[string]any{"k": "v", "n": json.Number("1.50")}, "i": 1, "j": 1, "k": "k"},
		map[string]any{"a": []any{"x", nil, 2.5}, "b": map[string]any{}, "i": 0, "j": json.Number("2"), "k": nil},
		nil, "text",
		[]any{1, "a"},
	}
	for _, file := range []string{"functions", "idioms", "text"} {
		text, err := os.ReadFile("testdata/" + file + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var cases []programCase
		if err := json.Unmarshal(text, &cases); err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			if c.Expr != "now | type" {
				exprs = append(exprs, c.Expr)
			}
		}
	}
	for _, expr := range exprs {
		query, err := gojq.Parse(expr)
		if err != nil {
			continue
		}
		query = translated(query)
		options := append(regexFunctions(), compilerOptions...)
		bare, bareErr := gojq.Compile(query, options...)
		kept, keptErr := gojq.Compile(guarded(query), options...)
		if (bareErr == nil) != (keptErr == nil) {
			t.Errorf("%s: compiles with error %v, guarded with %v", expr, bareErr, keptErr)
		}
		if bareErr != nil || keptErr != nil {
			continue
		}
		for _, input := range inputs {
			if want, got := outputs(bare, input), outputs(kept, input); got != want {
				t.Errorf("%s over %v:\nguarded gives %s\nbare gives    %s", expr, input, got, want)
			}
		}
	}
}

func outputs(code *gojq.Code, input any) string {
	all := ""
	iter := code.Run(input)
	for range 20 {
		v, ok := iter.Next()
		if !ok {
			break
		}
		if err, ok := v.(error); ok {
			return all + fmt.Sprintf("error %v", err)
		}
		text, _ := gojq.Marshal(v)
		all += string(text) + "; "
	}
	return all
}
