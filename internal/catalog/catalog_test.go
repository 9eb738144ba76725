package catalog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/fault"
	"longshore/internal/store"
	"longshore/internal/store/storetest"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(writerDatabase); url != "" { // one of the processes of a test
		if err := writeFor(url, os.Getenv(writerSeed)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(storetest.Main(m))
}

// bench is a catalog over a new database, with a clock that ticks a second a look.
type bench struct {
	*catalog.Catalog
	t     testing.TB
	store *store.Catalog
	under *store.Store
}

func newBench(t testing.TB, blueprints ...string) *bench {
	t.Helper()
	s := storetest.Open(t)
	var ticks atomic.Int64
	now := func() time.Time { return time.UnixMilli(1_700_000_000_000 + 1000*ticks.Add(1)) }
	b := &bench{t: t, store: s.Catalog(), under: s}
	b.Catalog = catalog.New(b.store, now)
	for _, doc := range blueprints {
		if _, err := b.CreateBlueprint(context.Background(), json.RawMessage(doc), catalog.Writer{Actor: "test", AllowPendingTargets: true}); err != nil {
			t.Fatalf("create blueprint %s: %v", doc, err)
		}
	}
	return b
}

// newSharedBench is a bench whose database other processes find by its URL.
func newSharedBench(t testing.TB) (b *bench, url string) {
	t.Helper()
	url = storetest.Where(t)
	s, err := store.Open(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	b = &bench{t: t, store: s.Catalog()}
	b.Catalog = catalog.New(b.store, time.Now)
	return b, url
}

// apply makes changes in one transaction.
func (b *bench) apply(changes ...catalog.Change) []catalog.Result {
	b.t.Helper()
	var results []catalog.Result
	err := b.store.InTx(context.Background(), func(tx catalog.Tx) (err error) {
		results, err = b.Apply(context.Background(), tx, changes, nil)
		return err
	})
	if err != nil {
		b.t.Fatalf("apply: %v", err)
	}
	if len(results) != len(changes) {
		b.t.Fatalf("apply gave %d results for %d changes", len(results), len(changes))
	}
	return results
}

// write makes one API write and wants it to succeed.
func (b *bench) write(c catalog.Change) catalog.Result {
	b.t.Helper()
	r, err := b.Write(context.Background(), c)
	if err != nil {
		b.t.Fatalf("write %s %q: %v", c.Blueprint, c.Identifier, err)
	}
	return r
}

// export returns the catalog as lines and its hash.
func (b *bench) export() (lines, hash string) {
	b.t.Helper()
	var out strings.Builder
	hash, _, err := b.Export(context.Background(), &out)
	if err != nil {
		b.t.Fatalf("export: %v", err)
	}
	return out.String(), hash
}

func (b *bench) entity(blueprint, id string) catalog.Entity {
	b.t.Helper()
	e, err := b.Entity(context.Background(), blueprint, id)
	if err != nil {
		b.t.Fatalf("entity %s %q: %v", blueprint, id, err)
	}
	return e
}

func (b *bench) history(blueprint, id string) []catalog.AuditEntry {
	b.t.Helper()
	list, err := b.History(context.Background(), catalog.HistoryFilter{Kind: "entity", Blueprint: blueprint, Identifier: id})
	if err != nil {
		b.t.Fatalf("history: %v", err)
	}
	return list
}

// wantFault checks kind and Port's code.
func wantFault(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != kind || f.Code != code {
		t.Errorf("error is %v (%+v), want kind %v with code %q", err, f, kind, code)
	}
}

// props makes property fields from a JSON object.
func fields(t testing.TB, object string) []catalog.Field {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(object), &m); err != nil {
		t.Fatal(err)
	}
	var out []catalog.Field
	for _, name := range sortedKeys(m) {
		out = append(out, catalog.Field{Name: name, Value: m[name]})
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	for i := range keys {
		for j := i + 1; j < len(keys); j++ {
			if keys[j] < keys[i] {
				keys[i], keys[j] = keys[j], keys[i]
			}
		}
	}
	return keys
}

// record is a lenient change as the pipeline makes it: version n of generation 1.
func record(t testing.TB, blueprint, id string, n int64, properties string) catalog.Change {
	return catalog.Change{
		Blueprint: blueprint, Identifier: id, Properties: fields(t, properties), Lenient: true, Lane: "webhook/okta/0",
		Version: catalog.Version{Generation: n, ExtractedAt: 1000 * n, ObjectKey: "users/1.jsonl.gz", Line: n},
		Origin:  catalog.Origin{ObjectID: 7, Line: n, Stream: "users"}, Actor: "okta", Source: "webhook/okta",
	}
}

// call is a strict change as the API makes it.
func call(t testing.TB, blueprint, id, properties string) catalog.Change {
	return catalog.Change{Blueprint: blueprint, Identifier: id, Properties: fields(t, properties), Actor: "client-1", Source: "test/1.0"}
}

const user = `{"identifier":"user","title":"User","schema":{"properties":{
	"status":{"type":"string","enum":["ACTIVE","STAGED"]},"created":{"type":"string","format":"date-time"},"logins":{"type":"number"},
	"tags":{"type":"array"},"profile":{"type":"object","properties":{"firstName":{"type":"string"}}},"type":{"type":"object"},
	"tier":{"type":"string","default":"free"}},"required":["status"]},
	"relations":{"manager":{"target":"user"},"groups":{"target":"group","many":true}}}`

const group = `{"identifier":"group","title":"Group","schema":{"properties":{"name":{"type":"string"}},"required":[]},
	"relations":{"members":{"target":"user","many":true,"inverseOf":"groups"}}}`

func TestWriteCreatesAndReadsBack(t *testing.T) {
	b := newBench(t, user, group)
	c := call(t, "user", "00u1", `{"status":"ACTIVE","logins":12345678901234567890,"tags":["b","a"]}`)
	c.Title = []byte(`"Ann"`)
	c.Team = []byte(`"core"`)
	r := b.write(c)
	if r.Outcome != catalog.OutcomeCreated {
		t.Errorf("outcome %v, want created", r.Outcome)
	}
	e := b.entity("user", "00u1")
	if got, want := string(e.Properties), `{"logins":12345678901234567890,"status":"ACTIVE","tags":["b","a"],"tier":"free"}`; got != want {
		t.Errorf("properties %s, want %s", got, want)
	}
	if e.Title != "Ann" || string(e.Team) != `["core"]` || e.CreatedBy != "client-1" || e.Source != "test/1.0" {
		t.Errorf("entity %+v", e)
	}
	n, err := b.CountEntities(t.Context(), "user")
	if err != nil || n != 1 {
		t.Errorf("count %d %v, want 1", n, err)
	}
	if _, _, err := b.Export(t.Context(), io.Discard); err != nil {
		t.Error(err)
	}
}

func TestApplySameRecordAgainIsUnchanged(t *testing.T) {
	b := newBench(t, user, group)
	if r := b.apply(record(t, "user", "a", 1, `{"status":"ACTIVE"}`)); r[0].Outcome != catalog.OutcomeCreated {
		t.Fatalf("first: %+v", r[0])
	}
	before := b.entity("user", "a")
	for n := int64(1); n < 4; n++ {
		if r := b.apply(record(t, "user", "a", n, `{"status":"ACTIVE"}`)); r[0].Outcome != catalog.OutcomeUnchanged {
			t.Fatalf("again at version %d: %+v", n, r[0])
		}
	}
	after := b.entity("user", "a")
	if !after.UpdatedAt.Equal(before.UpdatedAt) || len(b.history("user", "a")) != 1 {
		t.Errorf("repeating changed updatedAt %v to %v, or wrote history (%d entries)", before.UpdatedAt, after.UpdatedAt, len(b.history("user", "a")))
	}
	if r := b.apply(record(t, "user", "a", 2, `{"status":"STAGED"}`)); r[0].Outcome != catalog.OutcomeSuperseded {
		t.Errorf("a record older than the last repetition: %+v, want superseded", r[0])
	}
	if r := b.apply(record(t, "user", "a", 5, `{"status":"STAGED"}`)); r[0].Outcome != catalog.OutcomeUpdated {
		t.Errorf("a newer record: %+v, want updated", r[0])
	}
}
