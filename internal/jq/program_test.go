package jq

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"longshore/internal/fault"
)

func compile(t testing.TB, expr string) *Program {
	t.Helper()
	p, err := Compile(expr, Options{})
	if err != nil {
		t.Fatalf("compile %q: %v", expr, err)
	}
	return p
}

func TestCompileRefusesLongExpression(t *testing.T) {
	_, err := Compile(`"`+strings.Repeat("x", MaxExpressionBytes)+`"`, Options{})
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "at most 8192") {
		t.Errorf("got %v, want an invalid expression naming the limit of 8192", err)
	}
}

func TestCompileErrorHints(t *testing.T) {
	for expr, hint := range map[string]string{
		`IN('a','b')`:        `IN("a","b")`,
		`{{ .body.x`:         "double braces",
		`input`:              "one event",
		`nosuch(1)`:          "functions of jq 1.8",
		` `:                  "leave the field out",
		`import "x" as x; .`: "one event",
	} {
		if _, err := Compile(expr, Options{}); !strings.Contains(fault.HintOf(err), hint) {
			t.Errorf("compile %q: hint %q, want it to say %q", expr, fault.HintOf(err), hint)
		}
	}
}

func TestRunReportsTheCallersContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var in Input
	if _, err := compile(t, "def f: f; f").Run(ctx, &in); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled and not an expression's error", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := compile(t, "def f: f; f").Run(ctx, &in); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want context.DeadlineExceeded of the caller", err)
	}
}

func TestRunErrorShowsWhatTheProgramLookedAt(t *testing.T) {
	var in Input
	in.SetMember("body", []byte(`{"id":12345,"name":"`+strings.Repeat("é", 200)+`"}`))
	for expr, want := range map[string]string{
		`.body.id | startswith("ra")`: `12345`,
		`.body.id.x.y`:                `12345`,
		`(.body.name) | tonumber`:     `"` + strings.Repeat("é", 58) + "…",
		`1 + "a"`:                     ``,
	} {
		_, err := compile(t, expr).Run(t.Context(), &in)
		var failed *RunError
		if !errors.As(err, &failed) || failed.Value != want {
			t.Errorf("%s: got %#v, want the value %q", expr, err, want)
		}
		if failed != nil && len(failed.Value) > 120 {
			t.Errorf("%s: the excerpt has %d bytes", expr, len(failed.Value))
		}
	}
}

func TestClausesSplitAtAnd(t *testing.T) {
	for expr, want := range map[string][]string{
		`.a`:                                    {`.a`},
		`.a and .b`:                             {`.a`, `.b`},
		`(.a | has("id")) and (.b and (.c))`:    {`.a | has("id")`, `.b`, `.c`},
		`(.a and .b) or .c`:                     {`(.a and .b) or .c`},
		`.a and (.b or .c)`:                     {`.a`, `.b or .c`},
		`.a as $x | $x and .b`:                  {`.a as $x | $x and .b`},
		`.a and .b | not`:                       {`.a and .b | not`},
		`def f: .a; f and .b`:                   {`def f: .a; f and .b`},
		`(.a == 'x' ) and .b`:                   {`.a == "x"`, `.b`},
		`any(.a[]; . and true) and (.b).c == 1`: {`any(.a[]; . and true)`, `(.b).c == 1`},
	} {
		var got []string
		for _, clause := range compile(t, expr).Clauses() {
			got = append(got, clause.Source())
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("clauses of %s: got %q, want %q", expr, got, want)
		}
	}
}

func TestSubjectIsThePathAtTheBeginning(t *testing.T) {
	var in Input
	in.SetMember("body", []byte(`{"id":"IFIFAX2BIRGUSTQ","a b":{"c":1},"n":5}`))
	for expr, want := range map[string]string{
		`.body.id | startswith("ra")`:     `.body.id "IFIFAX2BIRGUSTQ"`,
		`(.body.id? // null) | test("x")`: `.body.id "IFIFAX2BIRGUSTQ"`,
		`.body."a b".c == 1`:              `.body."a b".c 1`,
		`.body.n.deep | length`:           `.body.n 5`,
		`.body.absent == 1`:               `.body.absent null`,
		`.body["a b"] | has("x")`:         `.body."a b" {"c":1}`,
		`.body.id[0:2] == "ra"`:           `.body.id "IFIFAX2BIRGUSTQ"`,
		`"x" | startswith("x")`:           ` `,
		`now > 5`:                         ` `,
		`. | has("body")`:                 ` `,
		`.item.x as $v | $v`:              `.item.x null`,
	} {
		path, value := compile(t, expr).Subject(&in)
		if got := path + " " + string(value); got != want {
			t.Errorf("subject of %s: got %s, want %s", expr, got, want)
		}
	}
}

func TestInputIsSharedAndReplaced(t *testing.T) {
	var in Input
	in.SetMember("body", []byte(`{"id":1}`))
	both := compile(t, `"\(.body.id)/\(.item)"`)
	for _, step := range []struct{ item, want string }{{"", `"1/null"`}, {"7", `"1/7"`}, {`"x"`, `"1/x"`}, {"", `"1/null"`}} {
		in.DropMember("item")
		if step.item != "" {
			in.SetMember("item", []byte(step.item))
		}
		if got, err := both.Run(t.Context(), &in); err != nil || string(got) != step.want {
			t.Errorf("with item %q: got %s, %v; want %s", step.item, got, err, step.want)
		}
	}
	in.Reset()
	if got, err := both.Run(t.Context(), &in); err != nil || string(got) != `"null/null"` {
		t.Errorf("after Reset: got %s, %v; want \"null/null\"", got, err)
	}
	in.SetMember("body", []byte(`{"id":2}`))
	if got, err := both.Run(t.Context(), &in); err != nil || string(got) != `"2/null"` {
		t.Errorf("after Reset and a new body: got %s, %v; want \"2/null\"", got, err)
	}
}

func TestCheck(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1)
	var f *fault.Error
	if _, err := Check([]byte(deep)); !errors.As(err, &f) || f.Code != "too_deep" {
		t.Errorf("%d levels: got %v, want too_deep", MaxDepth+1, err)
	}
	if _, err := Check([]byte(deep[1 : len(deep)-1])); err != nil {
		t.Errorf("%d levels: %v", MaxDepth, err)
	}
	for _, bad := range []string{``, ` `, `{`, `{"a":1,}`, `nul`, `{"a":1} x`, "\"\x01\""} {
		if _, err := Check([]byte(bad)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: got %v, want it refused as no JSON", bad, err)
		}
	}
	if got, err := Check([]byte("{\"a\":\"\xff\xfe\"}")); err != nil || string(got) != "{\"a\":\"\ufffd\ufffd\"}" {
		t.Errorf("invalid UTF-8: got %q, %v; want two replacement characters", got, err)
	}
}

func TestProgramIsSafeForConcurrentUse(t *testing.T) {
	p := compile(t, `.a | split(",") | map(tonumber) | add`)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			var in Input
			for range 200 {
				in.SetText([]byte(`{"a":"1,2,3"}`))
				if got, err := p.Run(t.Context(), &in); err != nil || string(got) != "6" {
					t.Errorf("got %s, %v; want 6", got, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestElements(t *testing.T) {
	for text, want := range map[string]string{
		`[]`: "", ` [ 1 , "a,]" ,{"b":[2]} , null ]`: `1|"a,]"|{"b":[2]}|null`, `[[],[[]]]`: `[]|[[]]`,
	} {
		var got []string
		if ok := Elements([]byte(text), func(_ int, e []byte) bool { got = append(got, string(e)); return true }); !ok || strings.Join(got, "|") != want {
			t.Errorf("elements of %s: got %q, want %q", text, got, want)
		}
	}
	if Elements([]byte(`{"a":1}`), func(int, []byte) bool { return true }) {
		t.Error("an object passed for a list")
	}
}
