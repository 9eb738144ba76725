package jq

import (
	"errors"
	"testing"
)

// A filter that is run clause by clause must decide as the whole does.
func TestClausesDecideAsTheWhole(t *testing.T) {
	filters := []string{
		`.a and .b`, `(.a | has("x")) and (.b and .c)`, `.a and empty`, `empty and .a`, `(.a, .b) and .c`, `.a and (.b, .c)`,
		`.a and (.b | error("no"))`, `(.b | error("no")) and .a`, `.a and (.b or .c) and (.c | not)`, `.a == 1 and .b != 2 and .c`, `.a.x and .b`, `.a and .b // .c`,
	}
	inputs := []string{`{}`, `{"a":1}`, `{"a":true,"b":true}`, `{"a":false,"b":true}`, `{"a":{"x":1},"b":1,"c":null}`, `{"a":{"x":1},"b":1,"c":0}`, `{"a":null,"b":[]}`, `{"a":1,"b":2,"c":3}`, `{"a":1,"b":3,"c":3}`, `5`}
	for _, filter := range filters {
		whole := compile(t, filter)
		for _, input := range inputs {
			var in Input
			in.SetText([]byte(input))
			value, err := whole.Run(t.Context(), &in)
			want := decision(value, err, 1)
			got := "true"
			clauses := whole.Clauses()
			for _, clause := range clauses {
				value, err := clause.Run(t.Context(), &in)
				if got = decision(value, err, len(clauses)); got != "true" {
					break
				}
			}
			if got != want {
				t.Errorf("%s over %s: the clauses decide %s, the whole %s", filter, input, got, want)
			}
		}
	}
}

func decision(value []byte, err error, clauses int) string {
	var failed *RunError
	switch {
	case errors.As(err, &failed):
		return "error"
	case string(value) == "true", clauses > 1 && value != nil && string(value) != "null" && string(value) != "false":
		return "true"
	}
	return "filtered"
}
