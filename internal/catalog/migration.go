package catalog

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"longshore/internal/fault"
)

// Migration is work on all entities of a blueprint: emptying it, or making entities of another blueprint of them.
type Migration struct {
	ID        string
	Actor     string
	Source    string          // blueprint
	Mapping   json.RawMessage // as it was sent; {} when entities were deleted
	Status    MigrationStatus
	Done      int64  // entities read, or deleted
	Failed    int64  // of these, how many could not be written
	Message   string // of the first failure
	CreatedAt time.Time
	UpdatedAt time.Time
}

// MigrationStatus is Port's name of how far a migration is.
type MigrationStatus string

// The statuses that occur here. A migration runs within the call that asks for it.
const (
	MigrationRunning       MigrationStatus = "RUNNING"
	MigrationCompleted     MigrationStatus = "COMPLETED"
	MigrationFailure       MigrationStatus = "FAILURE"
	MigrationCancelled     MigrationStatus = "CANCELLED"
	MigrationBeingCanceled MigrationStatus = "PENDING_CANCELLATION"
)

// Limits of migrations.
const (
	maxMigrated       = 20_000 // entities of one that maps
	maxMigrations     = 1000   // that are remembered
	migrationChunk    = 100    // entities between two looks at whether it was cancelled
	migrationKind     = "migration"
	migrationLostTime = 5 * time.Minute // without a sign of life: its process is gone
)

// migrationDocument is how a migration is stored.
type migrationDocument struct {
	Source  string          `json:"source"`
	Mapping json.RawMessage `json:"mapping"`
	Status  MigrationStatus `json:"status"`
	Done    int64           `json:"done"`
	Failed  int64           `json:"failed"`
	Message string          `json:"message,omitempty"`
}

func newMigrationID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return "m_" + hex.EncodeToString(b[:])
}

func (c *Catalog) migrationOf(doc Document) (Migration, error) {
	var d migrationDocument
	if err := json.Unmarshal(doc.Doc, &d); err != nil {
		return Migration{}, fmt.Errorf("read migration %q: %w", doc.Identifier, err)
	}
	m := Migration{
		doc.Identifier, doc.CreatedBy, d.Source, d.Mapping, d.Status, d.Done, d.Failed, d.Message, doc.CreatedAt, doc.UpdatedAt,
	}
	if !m.ended() && c.now().Sub(m.UpdatedAt) > migrationLostTime {
		m.Status, m.Message = MigrationFailure, "the process that ran it ended"
	}
	return m, nil
}

func (m *Migration) ended() bool {
	return slices.Contains([]MigrationStatus{MigrationCompleted, MigrationFailure, MigrationCancelled}, m.Status)
}

// putMigration notes how far a migration is.
func putMigration(ctx context.Context, tx Tx, m Migration) error {
	text, err := json.Marshal(migrationDocument{m.Source, m.Mapping, m.Status, m.Done, m.Failed, m.Message})
	if err != nil {
		return err
	}
	return tx.PutDocument(ctx, Document{
		DocumentKey: DocumentKey{Kind: migrationKind, Identifier: m.ID}, Doc: text,
		CreatedAt: m.CreatedAt, CreatedBy: m.Actor, UpdatedAt: m.UpdatedAt, UpdatedBy: m.Actor,
	})
}

// addMigration notes a new migration, and forgets the oldest when there are too many.
func (c *Catalog) addMigration(ctx context.Context, tx Tx, m Migration) (Migration, error) {
	m.ID, m.CreatedAt = newMigrationID(), c.now().UTC().Truncate(time.Millisecond)
	m.UpdatedAt = m.CreatedAt
	list, err := tx.Documents(ctx, migrationKind, "")
	if err != nil {
		return m, err
	}
	slices.SortFunc(list, func(a, b Document) int { return a.CreatedAt.Compare(b.CreatedAt) })
	for len(list) >= maxMigrations {
		if err := tx.DeleteDocument(ctx, list[0].DocumentKey); err != nil {
			return m, err
		}
		list = list[1:]
	}
	return m, putMigration(ctx, tx, m)
}

// Migrations returns the migrations that are remembered, newest first.
func (c *Catalog) Migrations(ctx context.Context) (all []Migration, err error) {
	err = c.store.InView(ctx, func(v View) error {
		list, err := v.Documents(ctx, migrationKind, "")
		for _, doc := range list {
			m, err := c.migrationOf(doc)
			if err != nil {
				return err
			}
			all = append(all, m)
		}
		return err
	})
	slices.SortStableFunc(all, func(a, b Migration) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return all, err
}

// Migration returns one migration, or fault.NotFound.
func (c *Catalog) Migration(ctx context.Context, id string) (m Migration, err error) {
	err = c.store.InView(ctx, func(v View) error {
		m, err = c.readMigration(ctx, v, id)
		return err
	})
	return m, err
}

func (c *Catalog) readMigration(ctx context.Context, v View, id string) (Migration, error) {
	doc, err := v.Document(ctx, DocumentKey{Kind: migrationKind, Identifier: id})
	if fault.Is(err, fault.NotFound) {
		return Migration{}, missing("Migration", id)
	}
	if err != nil {
		return Migration{}, err
	}
	return c.migrationOf(doc)
}

// CancelMigration asks a running migration to end; what it has written stays. One that has ended stays as it is.
func (c *Catalog) CancelMigration(ctx context.Context, id string) (m Migration, err error) {
	err = c.store.InTx(ctx, func(tx Tx) error {
		if m, err = c.readMigration(ctx, tx, id); err != nil || m.ended() {
			return err
		}
		m.Status = MigrationBeingCanceled
		return putMigration(ctx, tx, m)
	})
	return m, err
}

// Migrate makes entities of another blueprint of all entities of one, by a mapping like a webhook's whose jq looks at
// the entity itself. It returns when it has ended, by itself or cancelled by another call; what cannot be written is
// counted and stops nothing. Errors: fault.NotFound for either blueprint, fault.Invalid for a mapping that does not
// compile and for more than maxMigrated entities.
func (c *Catalog) Migrate(ctx context.Context, source string, mapping json.RawMessage, w Writer) (Migration, error) {
	m := Migration{Actor: w.Actor, Source: source, Mapping: mapping, Status: MigrationRunning}
	program, err := compileMigration(mapping)
	if err != nil {
		return m, err
	}
	err = c.store.InTx(ctx, func(tx Tx) error {
		model, err := c.modelOf(ctx, tx)
		if err != nil {
			return err
		}
		for _, id := range []string{source, program.blueprint} {
			if model.rules[id] == nil {
				return missing("Blueprint", id)
			}
		}
		counts, err := tx.Counts(ctx)
		if err != nil {
			return err
		}
		if counts[source] > maxMigrated {
			return invalidRequest("blueprint %q has %d entities, at most %d can be migrated at once", source, counts[source], maxMigrated)
		}
		m, err = c.addMigration(ctx, tx, m)
		return err
	})
	if err != nil {
		return m, err
	}
	run := migrating{Catalog: c, Migration: m, program: program, writer: w}
	if err := run.all(ctx); err != nil {
		run.Status, run.Message = MigrationFailure, "it broke off: "+err.Error()
		if fault.KindOf(err) == fault.Internal {
			run.Message = "it broke off"
		}
		if ctx.Err() != nil {
			run.Message = "the call that asked for it ended"
		}
		// The outcome is noted even when the caller has gone.
		return run.Migration, run.note(context.WithoutCancel(ctx))
	}
	return run.Migration, nil
}

// migrating is one migration that runs.
type migrating struct {
	*Catalog
	Migration
	program *migrationProgram
	writer  Writer
}

func (g *migrating) all(ctx context.Context) error {
	for from := ""; ; {
		page, err := g.Search(ctx, SearchRequest{Blueprint: g.Source, Limit: migrationChunk, From: from})
		if err != nil {
			return err
		}
		if g.Done >= maxMigrated && len(page.Entities) > 0 { // of a blueprint that grows by it: what it makes it finds again
			return invalidRequest("more than %d entities", maxMigrated)
		}
		if err := g.chunk(ctx, page.Entities); err != nil {
			return err
		}
		from = page.Next
		if from == "" {
			g.Status = MigrationCompleted
			if g.Failed > 0 && g.Failed == g.Done {
				g.Status = MigrationFailure
			}
		}
		if err := g.note(ctx); err != nil || g.ended() {
			return err
		}
	}
}

// note keeps how far the migration is, and learns whether it was cancelled.
func (g *migrating) note(ctx context.Context) error {
	return g.store.InTx(ctx, func(tx Tx) error {
		stored, err := g.readMigration(ctx, tx, g.ID)
		if err != nil {
			return err
		}
		if stored.Status == MigrationBeingCanceled && !g.ended() {
			g.Status = MigrationCancelled
		}
		g.UpdatedAt = g.now().UTC().Truncate(time.Millisecond)
		return putMigration(ctx, tx, g.Migration)
	})
}

func (g *migrating) chunk(ctx context.Context, list []Entity) error {
	var m *model
	err := g.store.InView(ctx, func(v View) (err error) {
		m, err = g.modelOf(ctx, v)
		return err
	})
	if err != nil {
		return err
	}
	r := m.rules[g.Source]
	if r == nil {
		return missing("Blueprint", g.Source)
	}
	var changes []Change
	for i := range list {
		g.Done++
		made, err := g.program.changes(ctx, (&node{Entity: &list[i], values: derivedValues(list[i].Derived)}).answer(r, derivedNames(r)))
		switch {
		case err != nil && fault.Is(err, fault.Invalid):
			g.fail(list[i].Identifier, err)
		case err != nil:
			return err
		}
		for _, c := range made {
			c.Actor, c.Source = g.writer.Actor, g.writer.Source
			changes = append(changes, c)
		}
	}
	results, err := g.WriteEach(ctx, changes)
	if err != nil {
		return err
	}
	for i, result := range results {
		if result.Err != nil {
			g.fail(changes[i].Identifier, result.Err)
		}
	}
	return nil
}

func (g *migrating) fail(id string, err error) {
	if g.Failed++; g.Failed == 1 {
		g.Message = fmt.Sprintf("entity %q: %v", id, err)
	}
}

func derivedValues(derived json.RawMessage) map[string][]byte {
	values := map[string][]byte{}
	members(derived, func(name string, value []byte) { values[name] = value })
	return values
}

func derivedNames(r *rules) []string {
	names := make([]string, 0, len(r.derived))
	for name := range r.derived {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
