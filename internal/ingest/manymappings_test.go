//go:build unix

package ingest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"longshore/internal/ingest"
	"longshore/internal/mapping"
	"longshore/packs"
)

// fewStreams are the streams of a pack of few mappings: one of the size that the okta pack began with.
var fewStreams = []string{
	"users", "groups", "group_members", "custom_roles", "user_role_assignments", "permissions", "resource_sets", "logs",
}

// fewMappings are the okta pack's mappings that write records of those streams, without the clause that parts them from
// the deletions: what a record of such a stream becomes is the same under both.
func fewMappings(t testing.TB) string {
	t.Helper()
	var all, kept []map[string]any
	must(t, json.Unmarshal(oktaPack(t).Mappings, &all))
	for _, m := range all {
		filter, writes := strings.CutSuffix(m["filter"].(string), ` and (.body._ab_cdc_deleted_at == null)`)
		ofStream := func(stream string) bool { return strings.Contains(filter, `IN("`+stream+`"`) }
		if m["filter"] = filter; slices.ContainsFunc(fewStreams, ofStream) && (writes || ofStream("logs")) {
			kept = append(kept, m)
		}
	}
	if len(kept) != 10 {
		t.Fatalf("the pack cut to %d streams has %d mappings, want 10", len(fewStreams), len(kept))
	}
	text, err := json.Marshal(kept)
	must(t, err)
	return string(text)
}

func oktaPack(t testing.TB) packs.Pack {
	t.Helper()
	p, err := packs.Open("okta")
	must(t, err)
	return p
}

// recordsOf makes n records of the stream out of the pack's first case of it.
func recordsOf(t testing.TB, stream string, n int) []string {
	t.Helper()
	text, err := os.ReadFile("../../packs/testdata/okta-cases.json")
	must(t, err)
	var cases []struct {
		Stream string
		Record map[string]any
	}
	must(t, json.Unmarshal(text, &cases))
	for _, c := range cases {
		if c.Stream != stream {
			continue
		}
		id := "id"
		if stream == "logs" {
			id = "uuid"
		}
		records := make([]string, n)
		for i := range records {
			c.Record[id] = fmt.Sprintf("x%06d", i)
			record, err := json.Marshal(c.Record)
			must(t, err)
			records[i] = string(record)
		}
		return records
	}
	t.Fatalf("no case of stream %s", stream)
	return nil
}

// BenchmarkManyMappings maps records of each stream under the whole okta pack and, turn by turn, under the cut one. It
// tells the best round of each and their ratio: what the mappings cost that do not want a record.
func BenchmarkManyMappings(b *testing.B) {
	sets := map[string]*mapping.Set{}
	for name, doc := range map[string]string{"whole": string(oktaPack(b).Mappings), "cut": fewMappings(b)} {
		set, err := mapping.Compile("okta", json.RawMessage(doc), mapping.Options{})
		must(b, err)
		sets[name] = set
	}
	for _, stream := range fewStreams {
		records := recordsOf(b, stream, 50)
		b.Run(stream, func(b *testing.B) {
			whole, cut := sets["whole"].NewRunner(), sets["cut"].NewRunner()
			var r rounds
			for b.Loop() {
				r.time(0, 10*len(records), func() { applyAll(b, whole, stream, records) })
				r.time(1, 10*len(records), func() { applyAll(b, cut, stream, records) })
			}
			r.report(b)
		})
	}
}

// A mapping that does not want a record neither runs the interpreter nor takes memory: a record is mapped with as many
// allocations under the whole pack as under the cut one.
func TestUnwantedMappingsTakeNoMemory(t *testing.T) {
	whole, err := mapping.Compile("okta", oktaPack(t).Mappings, mapping.Options{})
	must(t, err)
	cut, err := mapping.Compile("okta", json.RawMessage(fewMappings(t)), mapping.Options{})
	must(t, err)
	for _, stream := range fewStreams {
		records := recordsOf(t, stream, 5)
		count := func(set *mapping.Set) float64 {
			r := set.NewRunner()
			return testing.AllocsPerRun(3, func() { applyAll(t, r, stream, records) }) / float64(10*len(records))
		}
		if few, many := count(cut), count(whole); many > few+3 { // each further mapping would add at least one; the race detector adds some at random
			t.Errorf("%s: a record takes %.1f allocations under %d mappings and %.1f under %d, want as many", stream, many, whole.Len(), few, cut.Len())
		}
	}
}

func applyAll(t testing.TB, r *mapping.Runner, stream string, records []string) {
	for range 10 {
		for _, record := range records {
			changes := 0
			must(t, r.Apply(context.Background(), mapping.Event{Body: []byte(record), ObjectKey: key(stream, 0)}, func(o mapping.Outcome) error {
				if o.Change != nil {
					changes++
				}
				return nil
			}))
			if changes == 0 {
				t.Fatalf("no mapping wants %s", record)
			}
		}
	}
}

// BenchmarkManyMappingsIngested takes an object of 2000 records into the catalog under both packs: first as news, then
// again, when nothing is written but the ledger.
func BenchmarkManyMappingsIngested(b *testing.B) {
	const records = 2000
	for _, stream := range []string{"users", "group_members", "logs"} {
		lines := make([]string, records)
		for i, record := range recordsOf(b, stream, records) {
			lines[i] = line(1, 1, record)
		}
		object := zip(lines...)
		b.Run(stream, func(b *testing.B) {
			var first, again rounds
			for b.Loop() {
				for i, mappings := range []string{string(oktaPack(b).Mappings), fewMappings(b)} {
					lake := newPackBench(b, mappings)
					lake.put(key(stream, 0), object)
					lake.look()
					first.time(i, records, lake.take)
					for range 3 {
						_, err := lake.objects.Again(context.Background(), ingest.ObjectFilter{})
						must(b, err)
						again.time(i, records, lake.take)
					}
				}
			}
			first.report(b)
			again.reportAs(b, "again-")
		})
	}
}

// newPackBench is a bench with the okta pack's blueprints and a webhook of those mappings.
func newPackBench(t testing.TB, mappings string) *bench {
	t.Helper()
	var blueprints []string
	for _, d := range oktaPack(t).Blueprints {
		blueprints = append(blueprints, string(d.JSON))
	}
	b := newBench(t, blueprints...)
	b.webhook("okta", mappings)
	return b
}

// rounds are the best times of two ways of the same work, per record: the processor's time, which other work on the
// machine changes least.
type rounds [2]float64

func (r *rounds) time(way, records int, work func()) {
	begun := cpuTime()
	work()
	took := float64((cpuTime() - begun).Nanoseconds()) / float64(records)
	if r[way] == 0 {
		r[way] = math.Inf(1)
	}
	r[way] = min(r[way], took)
}

func (r *rounds) report(b *testing.B) {
	b.ReportMetric(0, "ns/op") // of both
	r.reportAs(b, "")
}

func (r *rounds) reportAs(b *testing.B, prefix string) {
	b.ReportMetric(r[0], prefix+"ns/record")
	b.ReportMetric(r[1], prefix+"ns/record-cut")
	b.ReportMetric(r[0]/r[1], prefix+"ratio")
}

// cpuTime is what the process has used so far.
func cpuTime() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used) // fails only for another kind of usage
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
