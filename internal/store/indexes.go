package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
	"time"
)

// An index is made for a property once searches have asked for it often enough, on a blueprint large enough for it to
// matter. None is dropped: what was searched for once will be again.
const (
	usesForIndex     = 8    // searches of this process
	entitiesForIndex = 2000 // of the blueprint
	maxIndexes       = 16   // of one blueprint
)

// use is a property that a search of one blueprint compared with texts.
type use struct {
	blueprint int64
	property  string
	apart     bool // where the blueprint's entities are
}

// uses counts what searches ask for. It is safe for concurrent use.
type uses struct {
	sync.Mutex
	pending int // wanted and not made yet
	counts  map[use]int
	wanted  chan use // counted often enough
}

// maxUses bounds what is counted; when full it starts anew.
const maxUses = 10_000

func newUses() *uses { return &uses{counts: map[use]int{}, wanted: make(chan use, 16)} }

func (u *uses) note(list []use) {
	u.Lock()
	defer u.Unlock()
	for _, one := range list {
		if len(u.counts) > maxUses {
			clear(u.counts)
		}
		if u.counts[one]++; u.counts[one]%usesForIndex == 0 {
			select {
			case u.wanted <- one:
				u.pending++
			default: // it will be asked for again
			}
		}
	}
}

// name is the index's, of nothing that came from outside.
func (u use) name() string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(u.property))
	return fmt.Sprintf("%s%016x", u.prefix(), h.Sum64())
}

// prefix is what the names of the blueprint's indexes begin with.
func (u use) prefix() string {
	if u.apart {
		return fmt.Sprintf("search_events_%d_", u.blueprint)
	}
	return fmt.Sprintf("search_%d_", u.blueprint)
}

func (u use) table() string {
	if u.apart {
		return apart.entities
	}
	return here.entities
}

// Follow keeps the indexes that follow use: it makes those that searches ask for and takes changed entities into the
// index of words, until ctx ends. Trouble is given to report, and it goes on.
func (c *Catalog) Follow(ctx context.Context, report func(error)) error {
	const (
		idle = time.Second           // between looks when there is nothing to do
		busy = 20 * time.Millisecond // between batches: others write too
	)
	pause := busy
	for {
		select {
		case <-ctx.Done():
			return nil
		case u := <-c.uses.wanted:
			err := c.makeIndex(ctx, u)
			c.uses.Lock()
			c.uses.pending--
			c.uses.Unlock()
			if err != nil && ctx.Err() == nil {
				report(fmt.Errorf("make an index for searches: %w", err))
			}
		case <-time.After(pause):
			n, err := c.MoveSome(ctx)
			if err != nil && ctx.Err() == nil {
				report(fmt.Errorf("move entities: %w", err))
			}
			moved := n
			n, err = c.IndexWords(ctx)
			if err != nil && ctx.Err() == nil {
				report(fmt.Errorf("index words: %w", err))
			}
			if pause = idle; n+moved > 0 && err == nil {
				pause = busy
			}
		}
	}
}

// Following says whether indexes are wanted that Follow has not made yet.
func (c *Catalog) Following() bool {
	c.uses.Lock()
	defer c.uses.Unlock()
	return c.uses.pending > 0
}

// makeIndex makes a property's index unless it is there, or would serve few.
func (c *Catalog) makeIndex(ctx context.Context, u use) error {
	s := c.store
	var entities, indexes int64
	err := s.read.QueryRowContext(ctx, `SELECT entities FROM blueprints WHERE id = $1`, u.blueprint).Scan(&entities)
	if errors.Is(err, sql.ErrNoRows) || err == nil && entities < entitiesForIndex {
		return nil
	}
	if err != nil {
		return err
	}
	prefix := u.prefix()
	var there int64
	query := s.engine.dialect.indexesLike
	if err := s.read.QueryRowContext(ctx, query, len(prefix), prefix, u.name()).Scan(&indexes, &there); err != nil {
		return err
	}
	if there > 0 || indexes >= maxIndexes {
		return nil
	}
	for _, statement := range s.engine.dialect.indexProperty(u.name(), u.table(), u.property, u.blueprint) {
		if _, err := s.write.ExecContext(ctx, statement); err != nil {
			return s.Explain(err)
		}
	}
	return nil
}
