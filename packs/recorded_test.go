package packs_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"longshore/packs"
	"longshore/packs/samples"
)

var update = flag.Bool("update", false, "write the counts over the recorded records to testdata/recorded.md")

// thing is what a record speaks of, by the members that tell one thing from another in its stream.
func thing(t *testing.T, stream string, record []byte) string {
	t.Helper()
	var r struct {
		ID, UUID, Label, UserID, GroupID, ClientID, RoleID string
		Links                                              struct{ Assignee struct{ Href string } } `json:"_links"`
	}
	if err := json.Unmarshal(record, &r); err != nil {
		t.Fatal(err)
	}
	switch stream {
	case "logs":
		return r.UUID
	case "permissions":
		return r.RoleID + " " + r.Label
	}
	return strings.Join([]string{r.UserID, r.GroupID, r.ClientID, r.ID, r.Links.Assignee.Href}, " ")
}

// tally is what one pack makes of the records of one stream.
type tally struct {
	records int
	taken   int                        // by the mapping meant for the stream
	strange int                        // by no such mapping, but by one meant for other streams
	flagged int                        // taken or strange, and break a rule
	nobody  int                        // taken, but without a legal identifier
	holders map[string]map[string]bool // identifier -> the things that it stands for
	clauses map[string]int             // "mapping | clause" -> records
	flags   map[string]int             // "blueprint | property | rule" -> records
}

// shared counts the things whose entity another thing overwrites.
func (c tally) shared() int {
	n := 0
	for _, things := range c.holders {
		n += len(things) - 1
	}
	return n
}

var mainBlueprint = map[string]string{
	"users": "okta_user", "groups": "okta_group", "group_members": "okta_group_membership", "custom_roles": "okta_role",
	"permissions": "okta_permission", "resource_sets": "okta_resource_set", "user_role_assignments": "okta_role_assignment",
	"group_role_assignments": "okta_role_assignment", "client_role_assignments": "okta_role_assignment", "logs": "okta_event",
}

func count(t *testing.T, m *model, stream string, records [][]byte) tally {
	c := tally{records: len(records), holders: map[string]map[string]bool{}, clauses: map[string]int{}, flags: map[string]int{}}
	for _, record := range records {
		taken, strange := false, false
		flags := map[string]bool{}
		for _, o := range m.apply(t, stream, record) {
			if o.Clause != "" {
				c.clauses[fmt.Sprintf("%d %s | `%s`", o.Mapping+1, o.Blueprint, strings.ReplaceAll(o.Clause, "|", "\\|"))]++
				continue
			}
			if o.Identifier == "" {
				c.nobody++
			}
			if o.Blueprint == "okta_event" {
				if id, _ := o.Relations["OktaUser"].(string); id != "" && o.Properties["actor"].(map[string]any)["type"] != "User" {
					o.Flags = append(o.Flags, "OktaUser: not a user")
				}
			}
			for _, flag := range o.Flags {
				flags[o.Blueprint+" | `"+strings.Replace(flag, ": ", "` | ", 1)] = true
			}
			if o.Blueprint != mainBlueprint[stream] {
				strange = true
				continue
			}
			taken = true
			if c.holders[o.Identifier] == nil {
				c.holders[o.Identifier] = map[string]bool{}
			}
			c.holders[o.Identifier][thing(t, stream, record)] = true
		}
		for flag := range flags {
			c.flags[flag]++
		}
		if len(flags) > 0 {
			c.flagged++
		}
		if taken {
			c.taken++
		} else if strange {
			c.strange++
		}
	}
	return c
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// report writes the counts as the tables of docs/packs.md.
func report(streams []string, of map[string]map[string]tally) string {
	var b strings.Builder
	b.WriteString("| pack | stream | records | taken | of these break a rule | share an identifier with another thing | taken for something else | no mapping matched |\n|---|---|--:|--:|--:|--:|--:|--:|\n")
	for _, name := range packs.Names() {
		var sum [6]int
		for _, stream := range streams {
			c := of[name][stream]
			row := [...]int{c.records, c.taken, c.flagged, c.shared(), c.strange, c.records - c.taken - c.strange}
			for i, n := range row {
				sum[i] += n
			}
			fmt.Fprintf(&b, "| %s | %s | %d | %d | %d | %d | %d | %d |\n", name, stream, row[0], row[1], row[2], row[3], row[4], row[5])
		}
		fmt.Fprintf(&b, "| **%s** | **all** | **%d** | **%d** | **%d** | **%d** | **%d** | **%d** |\n", name, sum[0], sum[1], sum[2], sum[3], sum[4], sum[5])
	}
	b.WriteString("\nThe rules that the guide's blueprints set and the records break:\n\n| blueprint | property | rule | records |\n|---|---|---|--:|\n")
	for _, stream := range streams {
		for _, flag := range sorted(of["guide"][stream].flags) {
			fmt.Fprintf(&b, "| %s | %d |\n", flag, of["guide"][stream].flags[flag])
		}
	}
	b.WriteString("\nThe clauses of the guide's filters that turn records away, the mapping meant for the stream in bold:\n\n| stream | mapping | clause that is not true | records |\n|---|---|---|--:|\n")
	for _, stream := range streams {
		for _, clause := range sorted(of["guide"][stream].clauses) {
			shown := clause
			if blueprint, rest, _ := strings.Cut(clause[2:], " "); blueprint == mainBlueprint[stream] {
				shown = "**" + clause[:2] + blueprint + "** " + rest
			}
			fmt.Fprintf(&b, "| %s | %s | %d |\n", stream, shown, of["guide"][stream].clauses[clause])
		}
	}
	return b.String()
}

func TestRecordedRecords(t *testing.T) {
	dir, ok := samples.Dir("..")
	if !ok {
		t.Skip("no recordings: shared/okta-samples is not beside the checkout")
	}
	records, err := samples.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	streams := sorted(records)
	of := map[string]map[string]tally{}
	for _, name := range packs.Names() {
		m := open(t, name)
		of[name] = map[string]tally{}
		for _, stream := range streams {
			of[name][stream] = count(t, m, stream, records[stream])
		}
	}
	// Two of the events were written by people, not by Okta: a documentation example has a number for the version, and
	// a detection rule's test a space in the date. Both are kept, with a flag.
	written := map[string]int{"okta_event | `version` | type": 1, "okta_event | `published` | format": 1}
	for stream, c := range of["okta"] {
		if stream == "logs" && maps.Equal(c.flags, written) {
			c.flagged = 0
		}
		if c.taken != c.records || c.flagged != 0 || c.shared() != 0 || c.nobody != 0 {
			t.Errorf("okta: %s: of %d records %d taken, %d flagged %v, %d identifiers shared, %d without one", stream, c.records, c.taken, c.flagged, c.flags, c.shared(), c.nobody)
		}
	}
	const golden = "testdata/recorded.md"
	got := report(streams, of)
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the counts changed (-update writes them):\n%s", got)
	}
}

func TestDocsShowTheCounts(t *testing.T) {
	counts, err := os.ReadFile("testdata/recorded.md")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../docs/packs.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(doc), string(counts)) {
		t.Error("docs/packs.md does not hold the tables of testdata/recorded.md")
	}
}
