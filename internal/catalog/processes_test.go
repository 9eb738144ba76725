package catalog_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/store"
	"longshore/internal/store/storetest"
)

// The variables that make this test binary one of the writing processes.
const (
	writerDatabase = "LONGSHORE_TEST_WRITER_DATABASE"
	writerSeed     = "LONGSHORE_TEST_WRITER_SEED"
)

// manyChanges are those of two writers: every third is known to both, as an object is that both have read. Each has an
// origin of its own, so that the history tells which of them it is about.
func manyChanges() [2][]catalog.Change {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(of ...string) []byte { return []byte(of[r.IntN(len(of))]) }
	id := func() string { return fmt.Sprintf("i%d", r.IntN(60)) }
	var parts [2][]catalog.Change
	for n := range 3000 {
		c := catalog.Change{
			Blueprint: "item", Identifier: id(), Lenient: true, Actor: "t", Lane: catalog.Lane(fmt.Sprintf("w/%d", n%3)),
			Version: catalog.Version{Generation: 1 + int64(r.IntN(3)), ExtractedAt: int64(r.IntN(50)), ObjectKey: "k", Line: int64(n + 1)},
			Origin:  catalog.Origin{ObjectID: 1, Line: int64(n + 1), Stream: "s"},
		}
		switch r.IntN(12) {
		case 0:
			c.Op = catalog.OpDelete
		case 1:
			c.Op = catalog.OpReplace
		}
		if c.Op != catalog.OpDelete {
			c.Properties = []catalog.Field{{Name: "a", Value: pick(`"x"`, `"y"`, `"z"`)}, {Name: "b", Value: fmt.Appendf(nil, "%d", r.IntN(9))}}
			if r.IntN(2) == 0 {
				c.Relations = append(c.Relations, catalog.Field{Name: "one", Value: fmt.Appendf(nil, "%q", id())})
			}
			if r.IntN(2) == 0 {
				c.Relations = append(c.Relations, catalog.Field{Name: "many", Value: fmt.Appendf(nil, "[%q,%q]", id(), id())})
			}
		}
		for part := range parts {
			if n%3 == 2 || n%3 == part {
				parts[part] = append(parts[part], c)
			}
		}
	}
	return parts
}

// writeFor writes one writer's changes, batch by batch in an order of its own, and says so after each.
func writeFor(url, seed string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, url)
	if err != nil {
		return err
	}
	defer s.Close()
	kept := s.Catalog()
	c := catalog.New(kept, time.Now)
	part := int(seed[0] - '0')
	changes := manyChanges()[part]
	r := rand.New(rand.NewPCG(uint64(part), 7))
	r.Shuffle(len(changes), func(i, j int) { changes[i], changes[j] = changes[j], changes[i] })
	for len(changes) > 0 {
		n := min(len(changes), 1+r.IntN(30))
		err := kept.InTx(ctx, func(tx catalog.Tx) error {
			results, err := c.Apply(ctx, tx, changes[:n], nil)
			for _, r := range results {
				if r.Err != nil {
					return r.Err
				}
			}
			return err
		})
		if err != nil {
			return err
		}
		changes = changes[n:]
		fmt.Println("wrote", n)
	}
	return nil
}

// startWriter runs this binary as a writer. batches yields once a batch, and is closed at its end.
func startWriter(t *testing.T, url, seed string) (process *exec.Cmd, batches <-chan bool) {
	t.Helper()
	process = exec.CommandContext(t.Context(), os.Args[0])
	process.Env = append(os.Environ(), writerDatabase+"="+url, writerSeed+"="+seed)
	process.Stderr = os.Stderr
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan bool, 5000)
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			done <- true
		}
	}()
	return process, done
}

// Two processes that write the same entities at once, one of them killed midway and run again, come to what one process
// alone comes to.
func TestProcessesOnOneDatabaseConverge(t *testing.T) {
	if !storetest.OnPostgres() {
		t.Skip("SQLite has one writing process")
	}
	alone, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "alone.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	reference := &bench{t: t, store: alone.Catalog()}
	reference.Catalog = catalog.New(reference.store, time.Now)
	b, url := newSharedBench(t)
	for _, c := range []*bench{reference, b} {
		if _, err := c.CreateBlueprint(t.Context(), json.RawMessage(item), catalog.Writer{Actor: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, part := range manyChanges() {
		for batch := range slices.Chunk(part, 100) {
			reference.apply(batch...)
		}
	}
	var both sync.WaitGroup
	for _, seed := range []string{"0", "1"} {
		both.Go(func() {
			process, batches := startWriter(t, url, seed)
			if seed == "1" {
				for range 40 {
					<-batches
				}
				if err := process.Process.Kill(); err != nil { // SIGKILL: it can do nothing about it
					t.Error(err)
				}
				_ = process.Wait()
				process, batches = startWriter(t, url, seed)
			}
			for range batches {
			}
			if err := process.Wait(); err != nil {
				t.Errorf("writer %s: %v", seed, err)
			}
		})
	}
	both.Wait()
	want, wantHash := reference.export()
	if got, hash := b.export(); hash != wantHash {
		t.Errorf("two processes ended in\n%s\none alone in\n%s", got, want)
	}
	checkBooks(t, b)
	checkReferrers(t, b)
	checkHistory(t, b)
}

// checkReferrers holds the rows of who points where against the entities' own words.
func checkReferrers(t *testing.T, b *bench) {
	t.Helper()
	page, err := b.Search(t.Context(), catalog.SearchRequest{Blueprint: "item", Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{}
	for _, e := range page.Entities {
		targets := relationTargets(e)
		var relations map[string]json.RawMessage
		if err := json.Unmarshal(e.Relations, &relations); err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{} // a target counts once a relation
		for name, value := range relations {
			for _, target := range targets {
				if key := name + " " + target; strings.Contains(string(value), `"`+target+`"`) && !seen[key] {
					seen[key] = true
					want[target]++
				}
			}
		}
	}
	for _, e := range page.Entities {
		var got int64
		err := b.store.InView(t.Context(), func(v catalog.View) error {
			counts, err := v.ReferrerCounts(t.Context(), catalog.Key{Blueprint: "item", Identifier: e.Identifier})
			for _, c := range counts {
				got += c.Count
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if got != want[e.Identifier] {
			t.Errorf("%d relations are known to point at %s, entities name it %d times", got, e.Identifier, want[e.Identifier])
		}
	}
}

// checkHistory wants each change in the history at most once, and each entry to go on where the one before it ended.
func checkHistory(t *testing.T, b *bench) {
	t.Helper()
	total := 0
	for n := range 60 {
		id := fmt.Sprintf("i%d", n)
		var entries []catalog.AuditEntry
		for before := int64(0); ; {
			list, err := b.History(t.Context(), catalog.HistoryFilter{Kind: "entity", Blueprint: "item", Identifier: id, Before: before})
			if err != nil {
				t.Fatal(err)
			}
			if len(list) == 0 {
				break
			}
			entries, before = append(entries, list...), list[len(list)-1].ID
		}
		slices.Reverse(entries) // oldest first
		there, told := false, map[int64]string{}
		for _, e := range entries {
			if told[e.Origin.Line] == e.Action {
				t.Errorf("%s: line %d is told twice (%s)", id, e.Origin.Line, e.Action)
			}
			told[e.Origin.Line] = e.Action
			if (e.Action == "CREATE") == there {
				t.Errorf("%s: a %s of an entity that is there: %t", id, e.Action, there)
			}
			there = e.Action != "DELETE"
		}
		total += len(entries)
	}
	if total < 300 {
		t.Errorf("the history has %d entries, too few to show anything", total)
	}
}
