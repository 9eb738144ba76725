package okta

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"longshore/internal/rawjson"
	"longshore/internal/source/okta/emulator"
)

// Incremental reads alone, one after the other while the stand-in org changes, whose index and log lag: in the end
// nothing that its ledger has is missing or old. What is gone from the ledger may be left.
func TestIncrementalReadsHoldWhatTheLedgerHas(t *testing.T) {
	streams := []string{"users", "groups", "group_members", "user_role_assignments", "group_role_assignments"}
	for seed := range uint64(6) {
		org := emulator.New(emulator.Options{Users: 60, Seed: seed + 1, Days: 2, EventsPerDay: 20, IndexLag: 90 * time.Second, LogLag: time.Second})
		s, err := Open(Config{OrgURL: "acme", Token: emulator.DefaultToken, HTTPClient: org.Client(), Share: 1})
		if err != nil {
			t.Fatal(err)
		}
		held, states := map[string]string{}, map[string]json.RawMessage{}
		read := func(stream string) {
			pages, err := readAll(t, s, stream, states[stream])
			if err != nil || len(gaps(pages)) > 0 {
				t.Fatalf("seed %d: %s from %s: gaps %q, %v", seed, stream, states[stream], gaps(pages), err)
			}
			for _, line := range lines(pages) {
				held[ledgerKey(s, stream, []byte(line))] = line
			}
			states[stream] = pages[len(pages)-1].State
		}
		for _, stream := range streams {
			read(stream)
		}
		work := org.Workload(seed)
		for range 12 {
			for range 10 {
				if _, err := work.Step(); err != nil {
					t.Fatal(err)
				}
				org.Advance(7 * time.Second)
			}
			for _, stream := range streams {
				read(stream)
			}
		}
		org.Advance(10 * time.Minute)
		for _, stream := range streams {
			states := states[stream]
			read(stream)
			missing := 0
			for record := range org.Truth(stream) {
				truth := string(record)
				got, ok := held[ledgerKey(s, stream, record)]
				if stream == "users" || stream == "groups" {
					ok = ok && rawjson.GetString([]byte(got), "lastUpdated") == rawjson.GetString(record, "lastUpdated")
				}
				if !ok && missing < 3 {
					missing++
					t.Errorf("seed %d: %s, read from %s: have %.200q, the ledger has %.300s", seed, stream, states, got, truth)
				}
			}
		}
	}
}

// ledgerKey is the stream and a record's primary key. Links differ by host: of them the last part counts.
func ledgerKey(s *Source, stream string, record []byte) string {
	key := stream
	for _, st := range s.Streams() {
		if st.Name != stream {
			continue
		}
		for _, path := range st.PrimaryKey {
			value := rawjson.GetString(record, path...)
			if slices.Contains(path, "href") {
				value = value[strings.LastIndexByte(value, '/')+1:]
			}
			key += fmt.Sprintf(" %q", value)
		}
	}
	return key
}
