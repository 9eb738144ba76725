//go:build bench

package catalog_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/store/storetest"
)

// TestMillion prints what reading costs among a million entities of ten blueprints (BENCH_ENTITIES says how many).
func TestMillion(t *testing.T) {
	total := 1_000_000
	if n, err := strconv.Atoi(os.Getenv("BENCH_ENTITIES")); err == nil {
		total = n
	}
	const blueprints = 10
	m := &million{bench: newBench(t), each: total / blueprints}
	for i := range blueprints {
		doc := fmt.Sprintf(`{"identifier":"kind%d","title":"Kind","history":false,"includeInGlobalSearch":true,"schema":{"properties":{"status":{"type":"string"},"department":{"type":"string"},"login":{"type":"string"},
			"logins":{"type":"number"},"created":{"type":"string","format":"date-time"},"profile":{"type":"object"}},"required":[]},
			"relations":{"manager":{"target":"kind%d"},"groups":{"target":"kind%d","many":true}}}`, i, i, (i+1)%blueprints)
		if _, err := m.CreateBlueprint(t.Context(), json.RawMessage(doc), catalog.Writer{AllowPendingTargets: true}); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	for i := range blueprints {
		for from := 0; from < m.each; from += 10_000 {
			m.apply(m.changes(i, from, min(from+10_000, m.each))...)
		}
	}
	t.Logf("%d entities written in %v, %.0f/s", total, time.Since(start).Round(time.Second), float64(total)/time.Since(start).Seconds())
	start = time.Now()
	m.index()
	t.Logf("words indexed in %v, %.0f/s", time.Since(start).Round(time.Second), float64(total)/time.Since(start).Seconds())
	m.follow(t)
	m.measure(t)
}

type million struct {
	*bench
	each int
}

func id(kind, n int) string { return fmt.Sprintf("k%d-%07d", kind, n) }

func (m *million) changes(kind, from, to int) []catalog.Change {
	changes := make([]catalog.Change, 0, to-from)
	for n := from; n < to; n++ {
		field := func(name, format string, args ...any) catalog.Field {
			return catalog.Field{Name: name, Value: fmt.Appendf(nil, format, args...)}
		}
		changes = append(changes, catalog.Change{
			Blueprint: fmt.Sprintf("kind%d", kind), Identifier: id(kind, n), Title: fmt.Appendf(nil, `"Given%d Family%d"`, n%5000, n%997), Lenient: true, Lane: "webhook/okta/0",
			Version: catalog.Version{Generation: 1, ExtractedAt: 1, ObjectKey: "a", Line: int64(n + 1)}, Source: "webhook/okta",
			Properties: []catalog.Field{
				field("status", `"%s"`, []string{"ACTIVE", "STAGED", "SUSPENDED"}[n%3]), field("department", `"dep%d"`, n%1000), field("login", `"u%d@example.com"`, n), field("logins", "%d", n%977),
				field("created", `"2024-01-02T03:%02d:%02d.000Z"`, n/60%60, n%60), field("profile", `{"city":"City%d","costCenter":"cc-%d","employeeNumber":"%d"}`, n%300, n%50, n),
			},
			Relations: []catalog.Field{field("manager", `"%s"`, id(kind, n/10)), field("groups", `["%s","%s"]`, id((kind+1)%10, n%500), id((kind+1)%10, n%m.each))},
		})
	}
	return changes
}

// follow makes searches until their index is there.
func (m *million) follow(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.store.Follow(ctx, func(err error) { t.Error(err) }) }()
	start := time.Now()
	for range 40 {
		for _, rule := range []string{
			`{"property":"department","operator":"=","value":"dep7"}`, `{"property":"login","operator":"=","value":"u7@example.com"}`, `{"property":"status","operator":"=","value":"ACTIVE"}`,
			`{"property":"logins","operator":"=","value":7}`, `{"property":"created","operator":"<","value":"2000-01-01T00:00:00Z"}`,
		} {
			m.search(t, catalog.SearchRequest{Blueprint: "kind3", Query: json.RawMessage(rule), Limit: 1})
		}
	}
	var longest time.Duration // that one of the others had to wait for its turn to write
	waited := make(chan struct{})
	go func() {
		defer close(waited)
		for m.store.Following() && ctx.Err() == nil {
			begun := time.Now()
			if err := m.store.InTx(ctx, func(catalog.Tx) error { return nil }); err != nil {
				t.Error(err)
				return
			}
			longest = max(longest, time.Since(begun))
		}
	}()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for m.store.Following() {
		<-look.C
	}
	<-waited
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Logf("five properties indexed in %v; a writer waited %v at most", time.Since(start).Round(time.Millisecond), longest.Round(time.Millisecond))
}

func (m *million) search(t *testing.T, req catalog.SearchRequest) catalog.SearchPage {
	page, err := m.Search(t.Context(), req)
	if err != nil {
		t.Fatalf("search %s: %v", req.Query, err)
	}
	return page
}

func (m *million) measure(t *testing.T) {
	query := func(format string, args ...any) json.RawMessage { return fmt.Appendf(nil, format, args...) }
	one := func(limit int, q func(n int) json.RawMessage) func(int) {
		return func(n int) {
			if page := m.search(t, catalog.SearchRequest{Blueprint: "kind3", Query: q(n), Limit: limit}); len(page.Entities) == 0 {
				t.Errorf("%s finds nothing", q(n))
			}
		}
	}
	from := ""
	var deep string
	for page := 1; page < 5000 && page*20 < m.each; page++ {
		from = m.search(t, catalog.SearchRequest{Blueprint: "kind3", Limit: 20, From: from}).Next
		deep = from
	}
	const indexed = 50 * time.Millisecond // at most, on SQLite
	for _, c := range []struct {
		name string
		most time.Duration
		run  func(n int)
	}{
		{"get by identifier", indexed, func(n int) { m.entity("kind3", id(3, n*7919%m.each)) }},
		{"one property, 1 result", indexed, one(0, func(n int) json.RawMessage {
			return query(`{"property":"login","operator":"=","value":"u%d@example.com"}`, n*7919%m.each)
		})},
		{"one property, first page of many", indexed, one(0, func(n int) json.RawMessage {
			return query(`{"property":"department","operator":"=","value":"dep%d"}`, n%1000)
		})},
		{"one property in a list", indexed, one(0, func(n int) json.RawMessage {
			return query(`{"property":"department","operator":"in","value":["dep%d","dep%d"]}`, n%1000, (n+1)%1000)
		})},
		{"one property of a third of all", indexed, one(0, func(n int) json.RawMessage {
			return query(`{"property":"status","operator":"=","value":%q}`, []string{"ACTIVE", "STAGED", "SUSPENDED"}[n%3])
		})},
		{"a number in a range, few", indexed, one(0, func(n int) json.RawMessage {
			return query(`{"combinator":"and","rules":[{"property":"logins","operator":">=","value":%d},{"property":"logins","operator":"<","value":%d}]}`, n%977, n%977+1)
		})},
		{"a number in a range, a twentieth of all", indexed, one(0, func(n int) json.RawMessage { return query(`{"property":"logins","operator":"<","value":%d}`, 50-n%5) })},
		{"a number in a range, nearly all", indexed, one(0, func(n int) json.RawMessage { return query(`{"property":"logins","operator":">","value":%d}`, n%20) })},
		{"a date-time in a range", indexed, one(0, func(n int) json.RawMessage {
			return query(`{"property":"created","operator":"between","value":{"from":"2024-01-02T03:%02d:00Z","to":"2024-01-02T03:%02d:10Z"}}`, n%60, n%60)
		})},
		{"the beginning of a text", indexed, one(0, func(n int) json.RawMessage {
			return query(`{"property":"login","operator":"beginsWith","value":"u%d"}`, 100+n%900)
		})},
		{"two properties", indexed, one(0, func(n int) json.RawMessage {
			return query(`{"combinator":"and","rules":[{"property":"department","operator":"=","value":"dep%d"},{"property":"status","operator":"=","value":"ACTIVE"}]}`, n%1000)
		})},
		{"relation", indexed, one(0, func(n int) json.RawMessage {
			return query(`{"relation":"manager","operator":"=","value":%q}`, id(3, n*37%(m.each/10)))
		})},
		{"relation of many, 200 results", indexed, one(0, func(n int) json.RawMessage {
			return query(`{"relation":"groups","operator":"contains","value":%q}`, id(4, n%500))
		})},
		{"matchAny, two steps", indexed, one(0, func(n int) json.RawMessage {
			return query(`{"operator":"matchAny","property":{"path":["manager","manager"]},"value":%q}`, id(3, 1+n%max(1, m.each/1000)))
		})},
		{"relatedTo upstream", indexed, one(0, func(n int) json.RawMessage {
			return query(`{"operator":"relatedTo","blueprint":"kind3","value":%q,"direction":"upstream","required":false}`, id(3, m.each-1-n))
		})},
		{"page 1", indexed, func(int) { m.search(t, catalog.SearchRequest{Blueprint: "kind3", Limit: 20}) }},
		{"page 5000", indexed, func(int) { m.search(t, catalog.SearchRequest{Blueprint: "kind3", Limit: 20, From: deep}) }},
		{"count of a blueprint", indexed, func(int) {
			if n, err := m.CountMatches(t.Context(), catalog.SearchRequest{Blueprint: "kind3"}); err != nil || n != int64(m.each) {
				t.Errorf("count is %d %v", n, err)
			}
		}},
		{"count of a property", indexed, func(n int) {
			if _, err := m.CountMatches(t.Context(), catalog.SearchRequest{Blueprint: "kind3", Query: query(`{"property":"department","operator":"=","value":"dep%d"}`, n%1000)}); err != nil {
				t.Error(err)
			}
		}},
		{"global search, one word", indexed, func(n int) { m.find(t, fmt.Sprintf("u%d", n*7919%m.each)) }},
		{"global search, one word that many begin with", indexed, func(n int) { m.find(t, fmt.Sprintf("given%d", n%10)) }},
		{"global search, the beginning of all", 0, func(int) { m.find(t, "gi") }},
		{"global search, two words", indexed, func(n int) { m.find(t, fmt.Sprintf("given%d family%d", n%5000, n%997)) }},
		{"a property without an index, whole blueprint", 0, func(n int) {
			m.search(t, catalog.SearchRequest{Blueprint: "kind4", Query: query(`{"property":"logins","operator":">","value":10000}`)})
		}},
	} {
		var times []time.Duration
		for n := range 200 {
			start := time.Now()
			c.run(n)
			times = append(times, time.Since(start))
			if n >= 9 && n*int(times[n]) > int(5*time.Second) {
				break
			}
		}
		slices.Sort(times)
		p50, p99 := times[len(times)/2], times[len(times)*99/100]
		t.Logf("| %s | %.2f ms | %.2f ms |", c.name, p50.Seconds()*1000, p99.Seconds()*1000)
		if c.most > 0 && p50 > c.most && !storetest.OnPostgres() {
			t.Errorf("%s takes %v, want at most %v", c.name, p50, c.most)
		}
		if c.most > 0 && p99 > c.most && !storetest.OnPostgres() && os.Getenv("BENCH_QUIET") != "" { // nothing else runs
			t.Errorf("%s takes %v one time in a hundred, want at most %v", c.name, p99, c.most)
		}
	}
}

func (m *million) find(t *testing.T, text string) {
	list, err := m.FindWords(t.Context(), text, 0)
	if err != nil || len(list) == 0 {
		t.Errorf("%q finds %d entities: %v", text, len(list), err)
	}
}
