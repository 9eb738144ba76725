package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"

	"longshore/internal/catalog"
)

// An index is made for a property once searches have asked for it often enough, on a blueprint large enough for it to
// matter. None is dropped: what was searched for once will be again.
const (
	usesForIndex     = 8    // searches of this process
	entitiesForIndex = 2000 // of the blueprint
	maxIndexes       = 16   // of one blueprint
)

// use is a property that a search of one blueprint compared with values of a kind.
type use struct {
	blueprint int64
	property  string
	apart     bool // where the blueprint's entities are; on SQLite it does not matter
	kind      indexKind
}

// indexKind says which values an index has in order. On SQLite one has them all.
type indexKind string

const (
	textIndex   indexKind = ""
	numberIndex indexKind = "_n"
	timeIndex   indexKind = "_t"
)

// wanted notes what of a rule an index would serve.
func (q *query) wanted(r catalog.Rule) {
	for _, sub := range r.Rules {
		q.wanted(sub)
	}
	if r.Combinator != "" || r.Negate || r.Subject.Kind != catalog.ValueProperty || !propertyName.MatchString(r.Subject.Name) {
		return
	}
	for _, kind := range kindsOf(r) {
		if q.sql.indexProperty == nil {
			kind = textIndex
		}
		if u := (use{q.blueprint, r.Subject.Name, q.place() == apart && q.sql.indexProperty != nil, kind}); !slices.Contains(q.uses, u) {
			q.uses = append(q.uses, u)
		}
	}
}

// kindsOf are the indexes that serve a condition on a property.
func kindsOf(r catalog.Rule) (kinds []indexKind) {
	switch r.Operator {
	case catalog.OpPrefix:
		return []indexKind{textIndex}
	case catalog.OpBetween, catalog.OpExpired:
		return []indexKind{timeIndex}
	case catalog.OpLess, catalog.OpLessOrEqual, catalog.OpGreater, catalog.OpGreaterOrEqual:
		if r.Values[0].Kind != catalog.NumberValue {
			return []indexKind{timeIndex}
		}
		return []indexKind{numberIndex}
	case catalog.OpIn:
		kinds = append(kinds, textIndex) // it has lists too
	case catalog.OpEqual:
	default:
		return nil
	}
	for _, v := range r.Values {
		switch {
		case v.Kind == catalog.NumberValue:
			kinds = append(kinds, numberIndex)
		case v.Kind == catalog.TextValue && v.IsTime:
			kinds = append(kinds, timeIndex)
		case v.Kind == catalog.TextValue:
			kinds = append(kinds, textIndex)
		case v.Kind != catalog.BoolValue:
			return nil
		}
	}
	return kinds
}

// uses counts what searches ask for. It is safe for concurrent use.
type uses struct {
	sync.Mutex
	pending int  // wanted and not made yet
	filling bool // an index may not have all values yet
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

// name is PostgreSQL's of the index, of nothing that came from outside.
func (u use) name() string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(u.property))
	return fmt.Sprintf("%s%016x%s", u.prefix(), h.Sum64(), u.kind)
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

// makeIndex makes a property's index unless it is there, or would serve few.
func (c *Catalog) makeIndex(ctx context.Context, u use) error {
	s := c.store
	var entities int64
	err := s.read.QueryRowContext(ctx, `SELECT entities FROM blueprints WHERE id = $1`, u.blueprint).Scan(&entities)
	if errors.Is(err, sql.ErrNoRows) || err == nil && entities < entitiesForIndex {
		return nil
	}
	if err != nil {
		return s.Explain(err)
	}
	if s.engine.dialect.indexProperty == nil {
		return c.beginIndex(ctx, u)
	}
	prefix := u.prefix()
	var indexes, there int64
	query := s.engine.dialect.indexesLike
	if err := s.read.QueryRowContext(ctx, query, len(prefix), prefix, u.name()).Scan(&indexes, &there); err != nil {
		return s.Explain(err)
	}
	if there > 0 || indexes >= maxIndexes {
		return nil
	}
	for _, statement := range s.engine.dialect.indexProperty(s.engine.dialect, u) {
		if err := s.exec(ctx, statement); err != nil {
			return s.Explain(err)
		}
	}
	return nil
}
