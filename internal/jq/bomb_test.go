package jq

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
)

// bombs are programs that would never end or fill the machine, with the limit that stops each. "" stands for a value.
var bombs = []struct{ name, program, input, limit string }{
	{"endless range", `range(infinite) | empty`, `null`, "still running after"},
	{"range collected", `[range(1e9)]`, `null`, ""},
	{"range counted", `reduce range(1e12) as $i (0; . + 1)`, `null`, "still running after"},
	{"recursion", `def f: f; f`, `null`, "still running after"},
	{"recursion that grows", `def f: 1 + f; f`, `null`, ""},
	{"recursion that doubles", `def f: f, f; [f]`, `null`, ""},
	{"recurse", `[recurse([.])]`, `null`, ""},
	{"recurse objects", `[recurse({a: ., b: .})]`, `null`, ""},
	{"repeat", `[limit(1e9; repeat(1))]`, `null`, ""},
	{"repeat a long text", `[limit(1e9; repeat("xxxxxxxxxxxxxxxx" * 1000 + "\(now)"))]`, `null`, ""},
	{"while", `[while(true; . + 1)] | length`, `0`, ""},
	{"until", `until(false; . + 1)`, `0`, "still running after"},
	{"doubled string", `reduce range(60) as $_ ("x"; . + .)`, `null`, "joined string"},
	{"doubled list", `reduce range(60) as $_ ([1]; . + .)`, `null`, "joined list"},
	{"doubled by interpolation", `reduce range(60) as $_ ("x"; "\(.)\(.)")`, `null`, ""},
	{"doubled by join", `reduce range(60) as $_ ("x"; [., .] | join(""))`, `null`, ""},
	{"doubled by gsub", `reduce range(60) as $_ ("x"; gsub("x"; "xx"))`, `null`, ""},
	{"doubled by implode", `reduce range(60) as $_ ("x"; explode + explode | implode)`, `null`, ""},
	{"doubled by format", `reduce range(60) as $_ ("\""; @json)`, `null`, ""},
	{"doubled by reduce", `reduce range(60) as $_ ([1]; [.[], .[]])`, `null`, ""},
	{"repeated string", `"x" * 1e9`, `null`, "repeated string"},
	{"many long strings", `[range(1e9) | "x" * 4000000]`, `null`, ""},
	{"many long lists", `[range(1e9) | [range(1e5)]]`, `null`, ""},
	{"exploded strings", `[range(1e9) | "x" * 1000000 | explode]`, `null`, ""},
	{"split strings", `[range(1e9) | "x" * 1000000 | split("")]`, `null`, ""},
	{"upper case strings", `("x" * 1000000) as $s | [range(1e9) | $s | ascii_upcase]`, `null`, ""},
	{"encoded strings", `("x" * 1000000) as $s | [range(1e9) | $s | @base64]`, `null`, ""},
	{"sub in a long text", `("x" * 1000000) as $s | [range(1e9) | $s | gsub("x"; "y")]`, `null`, ""},
	{"far index", `.[1e9] = 1`, `null`, ""},
	{"far indices", `[range(1e9) | null | .[1000000] = 1]`, `null`, ""},
	{"large product", `reduce range(40) as $_ (10; . * .)`, `null`, "too many digits"},
	{"tree of shared parts", `reduce range(60) as $_ (1; [., .])`, `null`, "larger than"},
	{"tojson of shared parts", `reduce range(60) as $_ (1; [., .]) | tojson`, `null`, "too large or too deep"},
	{"shared parts compared", `reduce range(60) as $_ (1; [., .]) | . == .`, `null`, "too large or too deep"},
	{"shared parts walked", `reduce range(60) as $_ (1; [., .]) | [..] | length`, `null`, ""},
	{"shared parts streamed", `reduce range(60) as $_ (1; [., .]) | [tostream] | length`, `null`, ""},
	{"shared parts flattened", `reduce range(60) as $_ (1; [., .]) | flatten`, `null`, "too large or too deep"},
	{"shared parts as key", `reduce range(60) as $_ (1; [., .]) | getpath(.)`, `null`, ""},
	{"deep", `reduce range(100000) as $_ (1; [.])`, `null`, "nested deeper"},
	{"deep and compared", `reduce range(1000000) as $_ (1; [.]) | . == 1`, `null`, ""},
	{"deep and deleted", `reduce range(100000) as $_ (1; [.]) | del(..)`, `null`, ""},
	{"combinations", `[[range(10)] | combinations(9)]`, `null`, ""},
	{"permutations", `def p: if length == 0 then [] else .[] as $x | [$x] + (. - [$x] | p) end; [[range(12)] | p] | length`, `null`, ""},
	{"backtracking", `test("^(a+)+$")`, `"` + strings.Repeat("a", 100_000) + `!"`, "false"},
	{"backtracking alternatives", `test("(a|a)*b")`, `"` + strings.Repeat("a", 100_000) + `"`, "false"},
	{"large repetition", `test("((a{0,1000}){0,1000})")`, `"a"`, "error"},
	{"every match", `[match("a*?"; "g")] | length`, `"` + strings.Repeat("a", 1_000_000) + `"`, ""},
	{"every suffix", `[range(0; length) as $i | .[$i:]] | length`, `"` + strings.Repeat("é", 300_000) + `"`, ""},
	{"paths of a wide object", `[paths] | length`, `{"a":[` + strings.Repeat("[],", 200_000) + `1]}`, ""},
	{"update of everything", `.. |= .`, `[` + strings.Repeat("[1],", 100_000) + `1]`, ""},
	{"input", `[inputs]`, `null`, "refused"},
	{"debug in a loop", `[range(1e9) | debug] | length`, `null`, ""},
	{"error of everything", `[range(1e6)] | error`, `null`, ""},
	{"caught for ever", `def f: try error("x") catch f; f`, `null`, ""},
	{"labels", `def f: label $x | f; f`, `null`, ""},
	{"env", `[range(1e9) | env] | length`, `null`, ""},
	{"strftime", `0 | strftime("%Y" * 1000000)`, `null`, ""},
	{"strptime", `("1" * 1000000) | strptime("%Y" * 100000)`, `null`, ""},
	{"fromjson", `"[" * 1000000 | fromjson`, `null`, ""},
	{"pow", `pow(10; 1e308) | tostring`, `null`, ""},
	{"range down", `[range(0; -1e9; -0.001)]`, `null`, ""},
	{"transposed", `[range(2000)] | map([range(2000)]) | transpose | length`, `null`, ""},
	{"csv", `[range(1e6)] | @csv | length`, `null`, ""},
	{"tree of objects", `reduce range(40) as $i ({}; {a: ., b: .}) | [paths] | length`, `null`, ""},
	{"walk", `reduce range(40) as $_ (1; [., .]) | walk(.)`, `null`, ""},
	{"fromstream", `fromstream(repeat([[0],1])) `, `null`, ""},
	{"group_by", `[range(1e5)] | [range(1e4) as $i | group_by(. % 10)] | length`, `null`, ""},
	{"sorted again", `[range(1e5)] | reduce range(1e9) as $_ (.; sort)`, `null`, ""},
	{"limit of endless", `[limit(3; repeat(empty))]`, `null`, ""},
}

// watchHeap samples the heap until the returned function is called, which gives its highest size.
func watchHeap() func() uint64 {
	stop, done := make(chan struct{}), make(chan uint64)
	go func() {
		highest := heapBytes()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				highest = max(highest, heapBytes())
			case <-stop:
				done <- max(highest, heapBytes())
				return
			}
		}
	}()
	return func() uint64 {
		close(stop)
		return <-done
	}
}

// A run takes no longer than a few times its limit, whatever the program, and no more memory than this.
const (
	bombLimit = 50 * time.Millisecond
	bombTime  = 20 * time.Second // one step may be long, and the machine busy: what is not stopped takes for ever
	otherTime = 4 * time.Second  // for those that another limit ends
	bombHeap  = 512 << 20
)

func TestBombsAreStopped(t *testing.T) {
	list := bombs
	if testing.Short() {
		list = bombs[:12]
	}
	for _, b := range list {
		t.Run(b.name, func(t *testing.T) {
			runtime.GC()
			before := heapBytes()
			highest := watchHeap()
			start := time.Now()
			limit := bombLimit
			if b.limit != "" && b.limit != "still running after" { // it is another limit that ends the run
				limit = otherTime
			}
			got := ran(t, b.program, b.input, limit)
			took, top := time.Since(start), highest()
			grown := top - min(before, top)
			if took > bombTime || grown > bombHeap {
				t.Errorf("%s and %d MiB, want %s and %d MiB at most", took, grown>>20, bombTime, bombHeap>>20)
			}
			if b.limit != "" && !strings.Contains(got, b.limit) {
				t.Errorf("got %s, want %q", Shorten(got, 200), b.limit)
			}
			t.Logf("%-26s %8s %6d MiB  %s", b.name, took.Round(time.Millisecond), grown>>20, Shorten(got, 100))
		})
	}
}

func ran(t *testing.T, program, input string, limit time.Duration) string {
	p, err := Compile(program, Options{Timeout: limit})
	if err != nil {
		return "refused: " + err.Error()
	}
	var in Input
	in.SetText([]byte(input))
	value, err := p.Run(t.Context(), &in)
	var failed *RunError
	if errors.As(err, &failed) {
		return "error: " + failed.Message
	}
	return string(value)
}
