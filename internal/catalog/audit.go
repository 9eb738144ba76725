package catalog

import (
	"context"
	"time"
)

// Statuses of an audit entry.
const (
	Success   = "SUCCESS"
	Failure   = "FAILURE"
	AnyStatus = "ANY" // of a filter
)

// AuditEntry is one thing that was done, or refused: a change of an entity, of a blueprint or of something beside them, or
// a read of what is privileged. Before and After are JSON objects; of an entity they hold the changed members alone.
type AuditEntry struct {
	ID         int64
	At         time.Time
	Kind       string // "entity", "blueprint", "webhook", "credential", …
	Action     string // CREATE, UPDATE, DELETE, READ
	Status     string // "" is Success
	Blueprint  string // "" for what belongs to none
	Identifier string // of the thing; "" for a blueprint itself
	Actor      string
	Source     string
	RunID      string // what the client called the run that the change was part of
	Origin     Origin
	Message    string // why it was refused; "" says what the other members say
	Before     []byte // nil for CREATE
	After      []byte // nil for DELETE
	Data       []byte // JSON object of what else is known; nil for nothing
}

// HistoryFilter chooses audit entries. Zero members choose all changes that were made; what was refused, and what was
// read, is asked for.
type HistoryFilter struct {
	Kind, Action, Blueprint, Identifier string
	Kinds                               []string // any of them, beside Kind
	ExceptKinds                         []string
	ExceptBlueprints                    []string
	EntitiesOf                          []string // of entities, only those of these blueprints, and of none that was deleted; nil for all
	Status                              string   // "" is Success; AnyStatus for both
	Reads                               bool     // reads, and nothing else
	ID                                  int64
	Sources                             []SourceMatch // any of them
	Actors, ExceptActors                []string
	RunID                               string
	PresentEntities                     bool   // no entries of entities that are not in the catalog any more
	Origin                              Origin // ObjectID, and Line when not 0
	From, To                            time.Time
	Before                              int64 // entries with a smaller ID: the next page
	After                               int64 // entries with a larger ID
	OldestFirst                         bool
	Limit                               int // 0 means 100, at most 1000
}

// SourceMatch fits a source that begins with Prefix and has Part in it, or does not when Not is set.
type SourceMatch struct {
	Prefix, Part string
	Not          bool
}

// History returns audit entries, newest first.
func (c *Catalog) History(ctx context.Context, filter HistoryFilter) (list []AuditEntry, err error) {
	if filter.Limit <= 0 {
		filter.Limit = 100
	}
	filter.Limit = min(filter.Limit, maxPage)
	err = c.store.InView(ctx, func(v View) (err error) {
		list, err = v.History(ctx, filter)
		return err
	})
	return list, err
}

// Record appends entries about what is not the catalog's own: it writes those of entities and blueprints itself. Entries
// without a time happened now.
func (c *Catalog) Record(ctx context.Context, entries []AuditEntry) error {
	now := c.now().UTC().Truncate(time.Millisecond)
	for i := range entries {
		if entries[i].At.IsZero() {
			entries[i].At = now
		}
	}
	return c.store.InTx(ctx, func(tx Tx) error { return tx.AddHistory(ctx, entries) })
}
