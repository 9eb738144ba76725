package ingest_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/ingest"
	"longshore/internal/lake"
)

// stops counts the steps on which an ingest depends, and fails at one.
type stops struct {
	at, n int
	hit   string
}

var errStop = errors.New("stopped here by the test")

func (s *stops) step(name string) error {
	s.n++
	if s.n == s.at {
		s.hit = name
		return errStop
	}
	return nil
}

// stoppingStore fails before a step, or, for a transaction, also right after its commit: the process was killed there.
type stoppingStore struct {
	ingest.Store
	*stops
}

func (s stoppingStore) Object(ctx context.Context, id int64) (ingest.Object, error) {
	if err := s.step("object"); err != nil {
		return ingest.Object{}, err
	}
	return s.Store.Object(ctx, id)
}

func (s stoppingStore) Route(ctx context.Context, namespace string) (ingest.Webhook, error) {
	if err := s.step("route"); err != nil {
		return ingest.Webhook{}, err
	}
	return s.Store.Route(ctx, namespace)
}

func (s stoppingStore) MappingVersion(ctx context.Context, webhook, digest string, doc []byte) (int64, error) {
	if err := s.step("mapping version"); err != nil {
		return 0, err
	}
	return s.Store.MappingVersion(ctx, webhook, digest, doc)
}

func (s stoppingStore) InTx(ctx context.Context, fn func(tx *sql.Tx) error) error {
	if err := s.step("begin"); err != nil {
		return err
	}
	if err := s.Store.InTx(ctx, fn); err != nil {
		return err
	}
	return s.step("after the commit")
}

func (s stoppingStore) Progress(ctx context.Context, tx *sql.Tx, o ingest.Object, from int64) (bool, error) {
	if err := s.step("progress"); err != nil {
		return false, err
	}
	return s.Store.Progress(ctx, tx, o, from)
}

func (s stoppingStore) SaveVerdicts(ctx context.Context, tx *sql.Tx, o ingest.Object, from int64, judged []ingest.Judged) error {
	if err := s.step("verdicts"); err != nil {
		return err
	}
	return s.Store.SaveVerdicts(ctx, tx, o, from, judged)
}

type stoppingCatalog struct {
	ingest.Catalog
	*stops
}

func (c stoppingCatalog) Apply(ctx context.Context, tx *sql.Tx, changes []catalog.Change, results []catalog.Result) ([]catalog.Result, error) {
	if err := c.step("apply"); err != nil {
		return results, err
	}
	results, err := c.Catalog.Apply(ctx, tx, changes, results)
	if err == nil {
		err = c.step("after apply")
	}
	return results, err
}

type stoppingBucket struct {
	lake.Bucket
	*stops
}

func (b stoppingBucket) Get(ctx context.Context, key string) (io.ReadCloser, lake.Object, error) {
	if err := b.step("get"); err != nil {
		return nil, lake.Object{}, err
	}
	return b.Bucket.Get(ctx, key)
}

// An ingest that is stopped at any step, and taken up again, ends as an undisturbed one.
func TestStoppedAnywhereEndsLikeAnUndisturbedIngest(t *testing.T) {
	onEach(t, stoppedAnywhere)
}

func stoppedAnywhere(t *testing.T, where func() string) {
	var lines []string
	for i := range 2500 { // more than one chunk
		kind := "other" // most of no interest: quick to write
		if i%25 == 0 {
			kind = "thing"
		}
		lines = append(lines, line(1, 1, fmt.Sprintf(`{"kind":%q,"id":"t%d","name":"n%d"}`, kind, i, i)))
	}
	body := zip(lines...)
	run := func(at int) (s *stops, sums, hash string) {
		b := newBenchAt(t, where(), thing)
		b.webhook("okta", `[`+mapThing+`]`)
		b.put(key("things", 0), body)
		b.look()
		s = &stops{at: at}
		b.Store, b.Catalog, b.Bucket = stoppingStore{b.Store, s}, stoppingCatalog{b.Catalog, s}, stoppingBucket{b.Bucket, s}
		j := b.queued[0]
		done, err := b.Ingest(t.Context(), j.object, j.pass, never(), completed)
		if s.hit != "" && !errors.Is(err, errStop) {
			t.Errorf("stopped at step %d (%s), Ingest said %t, %v", at, s.hit, done, err)
		}
		s.at = 0
		b.finish(j)
		b.want(b.only("things"), ingest.Done, int64(len(lines)), "")
		_, hash = b.export()
		return s, b.sums("things"), hash
	}
	_, wantSums, wantHash := run(0)
	if wantSums != "upserted 100, no-mapping-matched 2400" {
		t.Fatalf("undisturbed: %s", wantSums)
	}
	for at := 1; ; at++ {
		s, sums, hash := run(at)
		if s.hit == "" {
			if at < 10 {
				t.Errorf("only %d steps were tried", at-1)
			}
			return
		}
		if sums != wantSums || hash != wantHash {
			t.Errorf("stopped at step %d (%s): %s and catalog %s, undisturbed %s and %s", at, s.hit, sums, hash, wantSums, wantHash)
		}
	}
}

// Two workers on one object: the fence lets each chunk be taken once, and the loser finds out what is left.
func TestTwoWorkersTakeAnObjectOnce(t *testing.T) {
	onEach(t, twoWorkers)
}

func twoWorkers(t *testing.T, where func() string) {
	b := newBenchAt(t, where(), thing)
	b.webhook("okta", `[`+mapThing+`]`)
	var lines []string
	for i := range 4500 {
		lines = append(lines, line(1, 1, fmt.Sprintf(`{"kind":"thing","id":"t%d"}`, i)))
	}
	b.put(key("things", 0), zip(lines...))
	b.look()
	j := b.queued[0]
	var completions sync.Map
	var wait sync.WaitGroup
	for worker := range 2 {
		wait.Go(func() {
			for range 100 {
				done, err := b.Ingest(context.Background(), j.object, j.pass, never(), func(context.Context, *sql.Tx) error {
					completions.Store(worker, true)
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
				if done {
					return
				}
			}
			t.Error("a worker is not done after 100 calls")
		})
	}
	wait.Wait()
	b.want(b.only("things"), ingest.Done, 4500, "")
	if got := b.sums("things"); got != "upserted 4500" {
		t.Errorf("verdicts %s, want upserted 4500", got)
	}
}

// The loser of a race writes nothing and is not done.
func TestLoserOfARaceIsNotDone(t *testing.T) {
	b := newBench(t, thing)
	b.webhook("okta", `[`+mapThing+`]`)
	b.put(key("things", 0), zip(line(1, 1, `{"kind":"thing","id":"a"}`)))
	b.look()
	j := b.queued[0]
	winner := &ingest.Ingester{Store: b.Store, Catalog: b.Catalog, Bucket: b.Bucket, Now: b.Now}
	b.Store = &meddling{Store: b.objects, afterRoute: func() {
		done, err := winner.Ingest(t.Context(), j.object, j.pass, never(), completed)
		if !done || err != nil {
			t.Errorf("the winner: %t, %v", done, err)
		}
	}}
	done, err := b.Ingest(t.Context(), j.object, j.pass, never(), func(context.Context, *sql.Tx) error {
		t.Error("the loser completed its job in the transaction that it lost")
		return nil
	})
	if done || err != nil {
		t.Errorf("the loser: done %t, %v; want not done and no error", done, err)
	}
	b.finish(j)
	if got := b.sums("things"); got != "upserted 1" {
		t.Errorf("verdicts %s, want upserted 1", got)
	}
}

// A quantum that is over ends the call after a chunk, and the next one goes on.
func TestQuantumEndsAfterAChunk(t *testing.T) {
	b := newBench(t, thing)
	b.webhook("okta", `[`+mapThing+`]`)
	var lines []string
	for i := range 4500 {
		lines = append(lines, line(1, 1, fmt.Sprintf(`{"kind":"thing","id":"t%d"}`, i)))
	}
	b.put(key("things", 0), zip(lines...))
	b.look()
	j := b.queued[0]
	var taken []int64
	for range 5 {
		done, err := b.Ingest(t.Context(), j.object, j.pass, time.Time{}, completed)
		must(t, err)
		taken = append(taken, b.only("things").LinesDone)
		if done {
			break
		}
	}
	if fmt.Sprint(taken) != "[2000 4000 4500]" {
		t.Errorf("lines done after each quantum: %v, want 2000, 4000, 4500", taken)
	}
}
