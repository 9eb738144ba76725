package packs_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// What the guide's mapping makes of the records that ours takes, one line an entity: what it writes and which rules that
// breaks, or the clause of the mapping meant for the stream that turns the record away.
func TestGuideOnTheSameCases(t *testing.T) {
	m := open(t, "guide")
	var b strings.Builder
	for _, c := range cases(t) {
		fmt.Fprintf(&b, "%s\n", c.Name)
		lines := 0
		for _, o := range m.apply(t, c.Stream, c.Record) {
			switch {
			case o.Clause == "":
				fmt.Fprintf(&b, "\twrites %s %q%s\n", o.Blueprint, o.Identifier, actor(o))
				for _, flag := range o.Flags {
					fmt.Fprintf(&b, "\t\tbreaks %s\n", flag)
				}
			case o.Blueprint == mainBlueprint[c.Stream]:
				fmt.Fprintf(&b, "\tno %s: %s\n", o.Blueprint, o.Clause)
			default:
				continue
			}
			lines++
		}
		if lines == 0 {
			b.WriteString("\tno mapping is meant for it or takes it\n")
		}
	}
	const golden = "testdata/guide-cases.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	got, wanted := strings.Split(b.String(), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(got), len(wanted)) {
		if i >= len(got) || i >= len(wanted) || got[i] != wanted[i] {
			t.Fatalf("line %d differs (-update writes the file):\ngot  %q\nwant %q", i+1, got[min(i, len(got)-1)], wanted[min(i, len(wanted)-1)])
		}
	}
}

// actor shows a relation to somebody who is no user.
func actor(o outcome) string {
	a, _ := o.Properties["actor"].(map[string]any)
	if a == nil || a["type"] == "User" {
		return ""
	}
	return fmt.Sprintf(", OktaUser %v is a %v", o.Relations["OktaUser"], a["type"])
}

// D-41: were the guide's filter repaired, its identifier would still be that of many assignments at once; ours is not.
func TestAssignmentIdentifiers(t *testing.T) {
	rows, theirs, ours := 0, map[string]bool{}, map[string]bool{}
	guide, okta := open(t, "guide"), open(t, "okta")
	for i := range guide.mappings {
		code, err := compile("true")
		if err != nil {
			t.Fatal(err)
		}
		guide.mappings[i].Filter = "true"
		guide.mappings[i].code["true"] = code
	}
	for _, c := range cases(t) {
		if mainBlueprint[c.Stream] != "okta_role_assignment" {
			continue
		}
		rows++
		for _, o := range passed(guide.apply(t, c.Stream, c.Record)) {
			if o.Blueprint == "okta_role_assignment" {
				theirs[o.Identifier] = true
			}
		}
		for _, o := range passed(okta.apply(t, c.Stream, c.Record)) {
			if o.Blueprint == "okta_role_assignment" {
				ours[o.Identifier] = true
			}
		}
	}
	if len(ours) != rows || len(theirs) >= rows {
		t.Errorf("%d rows: ours has %d identifiers, want as many; the guide's %d, want fewer", rows, len(ours), len(theirs))
	}
}
