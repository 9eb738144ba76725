package receipt

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"longshore/internal/verdict"
)

// Print writes the receipt for people: plain text, no ANSI.
func (r Receipt) Print(w io.Writer) error {
	p := &printer{w: w}
	if r.SyncID != 0 {
		p.f("Receipt of sync %d (%s, %s): %s\n\n", r.SyncID, r.Connection, r.Source, r.Status)
	} else {
		p.f("Account of all objects in the lake\n\n")
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	t := &printer{w: tw}
	t.f("API rows\tin lake\tread\tverdicts\t \t stream\n")
	var sum Stream
	for _, s := range r.Streams {
		mark := "✓"
		if s.APIRows != s.InLake || s.InLake != s.Read || s.Read != s.Judged || s.Status == "failed" {
			mark = "✗"
		}
		note := ""
		if s.Status != "complete" {
			note = " (" + s.Status + ")"
		}
		t.f("%d\t%d\t%d\t%d\t%s\t %s%s\n", s.APIRows, s.InLake, s.Read, s.Judged, mark, s.Name, note)
		sum.APIRows, sum.InLake, sum.Read, sum.Judged = sum.APIRows+s.APIRows, sum.InLake+s.InLake, sum.Read+s.Read, sum.Judged+s.Judged
	}
	t.f("%d\t%d\t%d\t%d\t \t all streams\n", sum.APIRows, sum.InLake, sum.Read, sum.Judged)
	if t.err == nil {
		t.err = tw.Flush()
	}
	p.f("\nVerdicts by stream\n")
	for _, s := range r.Streams {
		p.f("  %-24s %s\n", s.Name, verdictLine(s.Verdicts))
	}
	p.entities(r.Blueprints)
	if r.Calls != nil {
		p.f("\nCalls: %s\n", r.Calls)
		for _, unsure := range slices.Compact(slices.Sorted(slices.Values(r.Calls.Unsure))) {
			p.f("  not foreseen: %s\n", unsure)
		}
	}
	p.f("\nRelations waiting for a target: %d, of these resolvable: %d\n", r.Pending, r.Resolvable)
	if r.MissedByFeed != nil {
		p.f("Missed by the feed: %s\n", Counts(r.MissedByFeed))
	}
	told := map[string]bool{} // with the differences, below
	for _, d := range r.Differences {
		told[d.Stream] = told[d.Stream] || d.Hop == HopSource
	}
	for _, s := range r.Streams {
		if s.Note != "" && !told[s.Name] {
			p.f("Note: stream %s is %s: %s\n", s.Name, s.Status, s.Note)
		}
	}
	if r.OK {
		p.f("\nEvery number adds up.\n")
	} else {
		p.f("\nNot everything adds up:\n")
		cures := map[string]bool{}
		for _, d := range r.Differences {
			what, cure := d.String(), ""
			if d.Hop == HopSource {
				what, cure = cutCure(what)
			}
			if cures[cure] {
				cure = " (as above)"
			} else if cure != "" {
				cures[cure] = true
			}
			p.f("  %s%s\n", what, cure)
		}
	}
	if p.err != nil {
		return p.err
	}
	return t.err
}

// verdictLine lists counts in the order of the closed set.
func verdictLine(counts map[string]int64) string {
	var parts []string
	for _, code := range verdict.All() {
		if n := counts[code.String()]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", code, n))
		}
	}
	if len(parts) == 0 {
		return "no records"
	}
	return strings.Join(parts, ", ")
}

// Counts tells numbers by name, and their sum first.
func Counts(counts map[string]int64) string {
	var parts []string
	var sum int64
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, counts[name]))
		sum += counts[name]
	}
	if sum == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%s)", sum, strings.Join(parts, ", "))
}

type printer struct {
	w   io.Writer
	err error
}

func (p *printer) f(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// entities lists the blueprints that have any, and names the others on one line: those of streams that are not chosen.
func (p *printer) entities(all []Blueprint) {
	width := 0
	var none []string
	for _, b := range all {
		if b.Entities == 0 {
			none = append(none, b.Identifier)
			continue
		}
		width = max(width, len(b.Identifier))
	}
	p.f("\nEntities\n")
	for _, b := range all {
		if b.Entities > 0 {
			p.f("  %-*s %d\n", width, b.Identifier, b.Entities)
		}
	}
	if len(none) > 0 {
		p.f("  none of %s\n", strings.Join(none, ", "))
	}
}

// cutCure parts a text from the parenthesis that it ends with, which says what to do: a token that was revoked fails every
// stream, and its cure is read once.
func cutCure(text string) (what, cure string) {
	depth := 0
	for i := len(text) - 1; i > 0 && strings.HasSuffix(text, ")"); i-- {
		switch text[i] {
		case ')':
			depth++
		case '(':
			depth--
		}
		if depth == 0 {
			what = strings.TrimRight(text[:i], " ")
			return what, text[len(what):]
		}
	}
	return text, ""
}
