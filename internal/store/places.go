package store

import (
	"context"
	"slices"

	"longshore/internal/catalog"
)

// Entities live in one of two places: those of blueprints without history (events) in tables of their own, so that
// millions of them make no tree deeper and no cache colder that the others are found by. Both have the same tables; the
// place is decided here, by the blueprint or by the id, and nowhere else.

// site names the tables of one place.
type site struct{ entities, heads, relations, pending string }

var (
	here  = site{"entities", "entity_heads", "relations", "pending_relations"}
	apart = site{"event_entities", "event_heads", "event_relations", "event_pending"}
	// both are views of the two together, to read from: each row is in one of them.
	both = site{"all_entities", "all_heads", "all_relations", "all_pending"}
)

// firstEvent is where the ids of entities that live apart begin.
const firstEvent = 1 << 40

// The values of blueprints.apart. While a blueprint's entities are on their way, new ones go where they are bound for.
const (
	livesHere = iota
	livesApart
	movesApart
	movesHere
)

// joined is a FROM item of entities with their heads, as e and h.
func (p site) joined() string {
	return ` FROM ` + p.entities + ` e JOIN ` + p.heads + ` h ON h.entity_id = e.id `
}

// placeOfID is where the entity with an id is.
func placeOfID(id int64) site {
	if id >= firstEvent {
		return apart
	}
	return here
}

// of is where to look for a blueprint's entities.
func (n *names) of(blueprint int64) site {
	switch n.apart[blueprint] {
	case livesHere:
		return here
	case livesApart:
		return apart
	}
	return both
}

// ofRelation is where to look for the entities that have a relation, and for its rows.
func (n *names) ofRelation(relation int64) site {
	return n.of(n.blueprints[n.relation[relation].blueprint])
}

// every is where to look for entities of whatever blueprint.
func (n *names) every() site {
	if len(n.apart) == 0 {
		return here
	}
	return both
}

// tables are the places whose tables hold, or may hold, what p shows.
func (p site) tables() []site {
	if p == both {
		return []site{here, apart}
	}
	return []site{p}
}

// home is where new entities of a blueprint go.
func (n *names) home(blueprint int64) site {
	if a := n.apart[blueprint]; a == livesApart || a == movesApart {
		return apart
	}
	return here
}

// waiting reports whether any relation waits for its target.
func (t *catalogTx) waiting(ctx context.Context) (bool, error) {
	n, err := t.dict(ctx)
	if err != nil {
		return false, err
	}
	for _, p := range n.every().tables() {
		if some, err := t.any(ctx, `SELECT 1 FROM `+p.pending+` LIMIT 1`); some || err != nil {
			return some, err
		}
	}
	return false, nil
}

// byPlace splits ids by where their entities are.
func byPlace(ids []int64) map[site][]int64 {
	split := map[site][]int64{}
	for _, id := range ids {
		p := placeOfID(id)
		split[p] = append(split[p], id)
	}
	return split
}

// part is what of a batch lives in one place, and where in the batch each stood.
type part struct {
	in     site
	batch  []catalog.Saved
	from   []int
	saving *saving
}

// split parts a batch by place: what is there by its id, what is new by its blueprint.
func (n *names) split(batch []catalog.Saved) []part {
	if n.every() == here {
		return []part{{in: here, batch: batch}}
	}
	parts := []part{{in: here}, {in: apart}}
	for i := range batch {
		in := n.home(n.blueprints[batch[i].Key.Blueprint])
		if id := batch[i].State.ID; id != 0 {
			in = placeOfID(id)
		}
		p := &parts[0]
		if in == apart {
			p = &parts[1]
		}
		p.batch, p.from = append(p.batch, batch[i]), append(p.from, i)
	}
	return slices.DeleteFunc(parts, func(p part) bool { return len(p.batch) == 0 })
}
