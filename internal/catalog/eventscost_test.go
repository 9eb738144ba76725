//go:build bench

package catalog_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"longshore/internal/catalog"
)

// TestEventsCost holds a catalog with a million events (BENCH_EVENTS) beside one without: what users cost to write and to find
// in each, turn and turn about, so that whatever else the machine does meets both. An event is related to one of the users.
func TestEventsCost(t *testing.T) {
	total := 1_000_000
	if n, err := strconv.Atoi(os.Getenv("BENCH_EVENTS")); err == nil {
		total = n
	}
	const events = `{"identifier":"event","title":"Event","history":false,"schema":{"properties":{"at":{"type":"string","format":"date-time"},"kind":{"type":"string"},
		"client":{"type":"object"}},"required":[]},"relations":{"actor":{"target":"okta_user"}}}`
	const people, rounds = 20_000, 40
	var both [2]*bench
	for i := range both {
		both[i] = newBench(t, benchUser, `{"identifier":"okta_group","title":"Group","schema":{"properties":{},"required":[]}}`, events)
		for chunk := range slices.Chunk(userChanges(people, 1), 2000) {
			both[i].apply(chunk...)
		}
	}
	with := both[1]
	start := time.Now()
	for from := 0; from < total; from += 2000 {
		changes := make([]catalog.Change, 0, 2000)
		for n := from; n < min(from+2000, total); n++ {
			changes = append(changes, catalog.Change{
				Blueprint: "event", Identifier: fmt.Sprintf("%08x-%d", n*2654435761%(1<<32), n), Lenient: true, Lane: "webhook/okta/1",
				Version: catalog.Version{ExtractedAt: 1, ObjectKey: "logs", Line: int64(n + 1)}, Source: "webhook/okta",
				Properties: []catalog.Field{
					{Name: "at", Value: []byte(`"2024-01-02T03:04:05.000Z"`)},
					{Name: "kind", Value: fmt.Appendf(nil, `"user.session.%d"`, n%40)},
					{Name: "client", Value: []byte(`{"ipAddress":"203.0.113.7","device":"Computer","userAgent":{"browser":"CHROME","os":"Linux","rawUserAgent":"Mozilla/5.0"}}`)},
				},
				Relations: []catalog.Field{{Name: "actor", Value: fmt.Appendf(nil, `"00u%08d"`, n%people)}},
			})
		}
		with.apply(changes...)
	}
	t.Logf("%d events written, %.0f/s", total, float64(total)/time.Since(start).Seconds())

	search := func(b *bench, req catalog.SearchRequest) {
		if _, err := b.Search(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	query := func(format string, args ...any) json.RawMessage { return fmt.Appendf(nil, format, args...) }
	fresh := userChanges(people+rounds*250, 1)[people:]
	for _, what := range []struct {
		name string
		do   func(b *bench, n int)
	}{
		{"write 250 users", func(b *bench, n int) { b.apply(slices.Clone(fresh[n*250 : (n+1)*250])...) }},
		{"get a user", func(b *bench, n int) { b.entity("okta_user", fmt.Sprintf("00u%08d", n*487)) }},
		{"search by relation", func(b *bench, n int) {
			search(b, catalog.SearchRequest{Blueprint: "okta_user", Query: query(`{"relation":"manager","operator":"=","value":"00u%08d"}`, n+1)})
		}},
		{"search by property, no index", func(b *bench, n int) {
			search(b, catalog.SearchRequest{Blueprint: "okta_user", Limit: 20, Query: query(`{"property":"lastUpdated","operator":">","value":"2025-05-02T03:04:%02d.000Z"}`, n)})
		}},
		{"identifier in any blueprint", func(b *bench, n int) {
			search(b, catalog.SearchRequest{Query: query(`{"property":"$identifier","operator":"=","value":"00u%08d"}`, n*31)})
		}},
	} {
		var took [2][]time.Duration
		for n := range rounds {
			for i := range both {
				i = (i + n) % 2
				begun := time.Now()
				what.do(both[i], n)
				took[i] = append(took[i], time.Since(begun))
			}
		}
		for i := range took {
			slices.Sort(took[i])
		}
		without, among := took[0][rounds/2], took[1][rounds/2]
		t.Logf("%-30s p50 %9v without events, %9v among them: %.2f times", what.name, without.Round(time.Microsecond), among.Round(time.Microsecond), float64(among)/float64(without))
		if among > 2*without+5*time.Millisecond {
			t.Errorf("%s takes more than twice as long among %d events", what.name, total)
		}
	}
}
