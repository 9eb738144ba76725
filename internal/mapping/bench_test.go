package mapping

import (
	"bytes"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"
)

// The guide's five mappings over a user of 0.8 kB and a log event of 2.8 kB, as they come from the lake.
func BenchmarkGuide(b *testing.B) {
	document, err := os.ReadFile("testdata/mapping/guide/mapping.json")
	if err != nil {
		b.Fatal(err)
	}
	set := mustCompile(b, string(document), Options{})
	for name, file := range map[string]string{"user": "user.json", "event": "event.json"} {
		b.Run(name, func(b *testing.B) { benchmarkRecord(b, set, file) })
	}
}

func benchmarkRecord(b *testing.B, set *Set, file string) {
	text, err := os.ReadFile("testdata/record/" + file)
	if err != nil {
		b.Fatal(err)
	}
	var record bytes.Buffer
	if err := json.Compact(&record, text); err != nil {
		b.Fatal(err)
	}
	runner := set.NewRunner()
	ev := Event{Body: record.Bytes(), ObjectKey: "data/wSLvwtI1LFwQ/users/year=2026/month=01/05_1767607200000_0.jsonl.gz"}
	changes, outcomes := 0, 0
	b.ReportAllocs()
	b.SetBytes(int64(record.Len()))
	for b.Loop() {
		err := runner.Apply(b.Context(), ev, func(o Outcome) error {
			outcomes++
			if o.Change != nil {
				changes++
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if changes*5 != outcomes {
		b.Fatalf("%d changes in %d outcomes, want one of five", changes, outcomes)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkInterpreted runs mappings that need the interpreter: computed values over a wide record.
func BenchmarkInterpreted(b *testing.B) {
	mapping := `[{"blueprint":"a","filter":".body._PORT_SOURCE_OBJECT_KEY | split(\"/\") | .[2] | IN(\"users\")","entity":{"identifier":".body.id + \"_\" + .body.n",` +
		`"properties":{"p":"[.body.list[].id] | join(\",\")","q":"if .body.x == null then \"none\" else .body.x end"}}}]`
	set := mustCompile(b, mapping, Options{})
	body := `{"id":"u1","n":"` + strconv.Itoa(7) + `","list":[` + strings.TrimSuffix(strings.Repeat(`{"id":"g"},`, 50), ",") + `]}`
	runner := set.NewRunner()
	b.ReportAllocs()
	for b.Loop() {
		err := runner.Apply(b.Context(), Event{Body: []byte(body), ObjectKey: "data/k/users/x"}, func(o Outcome) error { return nil })
		if err != nil {
			b.Fatal(err)
		}
	}
}
