package jq

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// libjq is the C program, whose library is what Port runs.
type libjq struct{ path string }

// findLibjq returns jq 1.6, or skips the test with the reason.
func findLibjq(t *testing.T) libjq {
	t.Helper()
	path, err := exec.LookPath("jq")
	if err != nil {
		t.Skipf("no jq to compare with: %v", err)
	}
	version, err := exec.CommandContext(t.Context(), path, "--version").Output()
	if err != nil {
		t.Skipf("jq --version: %v", err)
	}
	if v := strings.TrimSpace(string(version)); v != "jq-1.6" {
		t.Skipf("the differences are listed against jq-1.6, this machine has %s", v)
	}
	return libjq{path}
}

// run gives the program to jq, with an empty environment and Greenwich time.
func (j libjq) run(t *testing.T, program, input string, limit time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	const limited = `ulimit -v 1000000 -t 10; exec env -i TZ=UTC "$0" "$@"`
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", limited, j.path, "-c", program)
	cmd.Stdin = strings.NewReader(input)
	var out bytes.Buffer
	cmd.Stdout = &out
	err := cmd.Run()
	if ctx.Err() != nil {
		return "", errEndless
	}
	return out.String(), err
}

var errEndless = errors.New("still running")

const (
	forEndless = 300 * time.Millisecond // of a program that is known to be endless there
	forOthers  = 20 * time.Second
)

// outcomes runs the cases, as many as fit into one program together: starting jq takes longer than most of them.
func (j libjq) outcomes(t *testing.T, cases []valueCase, listed map[string]difference) []string {
	const together = 60
	results := make([]string, len(cases))
	var batch []int
	flush := func() {
		chosen := make([]valueCase, len(batch))
		for i, place := range batch {
			chosen[i] = cases[place]
		}
		for i, told := range j.batch(t, chosen) {
			results[batch[i]] = told
		}
		batch = batch[:0]
	}
	for i, c := range cases {
		there := listed[c.program+columns+c.input].there
		if there == "refused" || there == "endless" || strings.HasPrefix(c.want, "refused") || containsAny(c.program, alone) {
			limit := forOthers
			if there == "endless" {
				limit = forEndless
			}
			results[i] = j.single(t, c, limit)
			continue
		}
		if batch = append(batch, i); len(batch) == together {
			flush()
		}
	}
	flush()
	return results
}

// alone are the words of programs that would take the others with them.
var alone = []string{"halt", "input", "import", "include", "env", "ENV", "__loc__", "__prog_args", "#", "get_search_list", "label", "break"} // read only

func (j libjq) batch(t *testing.T, cases []valueCase) []string {
	results := make([]string, len(cases))
	var program, inputs strings.Builder
	inputs.WriteByte('[')
	var places []int
	list := ""
	for i, c := range cases {
		if n := len(places); n > 0 {
			inputs.WriteByte(',')
			list += ","
		}
		fmt.Fprintf(&program, "def p%d: (%s\n);\n", i, doubleQuotes(c.program))
		list += fmt.Sprintf("($in[%d] | [limit(1; try (p%d | {v: .}) catch {e: tojson})])", len(places), i)
		inputs.WriteString(c.input)
		places = append(places, i)
	}
	if len(places) == 0 {
		return results
	}
	inputs.WriteByte(']')
	out, err := j.run(t, program.String()+". as $in | "+list, inputs.String(), forOthers)
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if err != nil || len(lines) != len(places) {
		if len(cases) == 1 { // it does not compile, or ends the program
			results[0] = j.single(t, cases[0], forOthers)
			return results
		}
		half := len(cases) / 2
		return append(j.batch(t, cases[:half]), j.batch(t, cases[half:])...)
	}
	for i, place := range places {
		results[place] = told(t, lines[i])
	}
	return results
}

func containsAny(s string, words []string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// told reads what a batch says of one case.
func told(t *testing.T, line string) string {
	var outputs []struct {
		V json.RawMessage
		E *string
	}
	if err := json.Unmarshal([]byte(line), &outputs); err != nil {
		t.Fatalf("jq says %s: %v", line, err)
	}
	switch {
	case len(outputs) == 0:
		return "nothing"
	case outputs[0].E != nil:
		message := *outputs[0].E
		if s, err := strconv.Unquote(message); err == nil {
			message = s
		}
		return "error: " + message
	case outputs[0].V == nil:
		return "null"
	}
	return string(outputs[0].V)
}

// single runs one case on its own. An empty environment of jq's still has the zone in it.
func (j libjq) single(t *testing.T, c valueCase, limit time.Duration) string {
	out, err := j.run(t, doubleQuotes(c.program), c.input, limit)
	first, _, _ := strings.Cut(out, "\n")
	exit, stopped := err.(*exec.ExitError) //nolint:errorlint // Run returns it bare
	switch {
	case errors.Is(err, errEndless):
		return "endless"
	case first != "":
		return first
	case stopped && exit.ExitCode() == 3:
		return "refused"
	case stopped:
		return "error: exit " + strconv.Itoa(exit.ExitCode())
	case err != nil:
		t.Fatal(err)
	}
	return "nothing"
}

// difference is a row of the list of differences in docs/compat/jq.md.
type difference struct{ program, input, here, there string }

func differences(t *testing.T) map[string]difference {
	t.Helper()
	text, err := os.ReadFile("../../docs/compat/jq.md")
	if err != nil {
		t.Fatal(err)
	}
	const bar = "\x00"
	all := map[string]difference{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.ReplaceAll(strings.TrimSpace(line), `\|`, bar), "|")
		if len(cells) != 6 || strings.Contains(cells[1], "---") || strings.Contains(cells[1], " program ") {
			continue
		}
		for i := range cells {
			cells[i] = strings.ReplaceAll(strings.Trim(strings.TrimSpace(cells[i]), "`"), bar, "|")
		}
		d := difference{cells[1], cells[2], cells[3], cells[4]}
		all[d.program+columns+d.input] = d
	}
	return all
}

// The list of differences names cases, and says of each what comes out here.
func TestDifferencesAreCases(t *testing.T) {
	listed := differences(t)
	if len(listed) < 50 {
		t.Errorf("%d rows are read from the list, want 50 at least", len(listed))
	}
	for _, c := range valueCases(t) {
		key := c.program + columns + c.input
		d, ok := listed[key]
		if ok && !sameOutcome(d.here, c.want) {
			t.Errorf("%s gives %s, the list says %s", key, c.want, d.here)
		}
		delete(listed, key)
	}
	for key := range listed {
		t.Errorf("%s is listed and is no case", key)
	}
}

// The list of differences is true and whole: jq 1.6 gives what it says there, and everywhere else what comes out here.
func TestAgainstLibjq(t *testing.T) {
	if testing.Short() {
		t.Skip("a thousand programs are run through jq")
	}
	j := findLibjq(t)
	listed := differences(t)
	cases := valueCases(t)
	theirs := j.outcomes(t, cases, listed)
	for i, c := range cases {
		key := c.program + columns + c.input
		d, differs := listed[key]
		want := c.want
		if differs {
			want = d.there
		}
		if !sameOutcome(want, theirs[i]) {
			t.Errorf("%s: jq gives %s, want %s (listed as a difference: %t)", key, theirs[i], want, differs)
		}
		if differs && sameOutcome(c.want, theirs[i]) {
			t.Errorf("%s: listed as a difference, and both give %s", key, c.want)
		}
	}
}
