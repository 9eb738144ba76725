package catalog

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/zeebo/xxh3"

	"longshore/internal/fault"
)

// Apply makes the changes, in order, in the caller's transaction, and appends what became of each to results. A change
// that breaks a rule is rejected alone; an error is the store's, and the transaction is then of no use.
// Memory grows with the batch: hand over some thousand changes at a time.
func (c *Catalog) Apply(ctx context.Context, tx Tx, changes []Change, results []Result) ([]Result, error) {
	b, err := c.newBatch(ctx, tx)
	if err != nil {
		return results, err
	}
	return b.run(changes, results)
}

// run makes the batch's changes.
func (b *batch) run(changes []Change, results []Result) ([]Result, error) {
	start := len(results)
	if err := b.prefetch(changes); err != nil {
		return results, err
	}
	for i := range changes {
		result, err := b.apply(&changes[i])
		if err != nil {
			return results[:start], err
		}
		results = append(results, result)
	}
	if err := b.flush(); err != nil {
		return results[:start], err
	}
	return results, b.report(results[start:])
}

// Write makes one change as a transaction of its own: an API call. A change that breaks a rule is an error, and nothing
// is written. The result holds the entity as it is afterwards.
func (c *Catalog) Write(ctx context.Context, change Change) (Result, error) {
	var result Result
	err := c.store.InTx(ctx, func(tx Tx) error {
		results, err := c.Apply(ctx, tx, []Change{change}, nil)
		if err != nil {
			return err
		}
		if result = results[0]; result.Err != nil {
			return result.Err
		}
		if result.Outcome != OutcomeDeleted && result.Outcome != OutcomeAbsent {
			m, err := c.modelOf(ctx, tx)
			if err != nil {
				return err
			}
			if result.Entity, err = c.entity(ctx, tx, m, Key{change.Blueprint, result.Identifier}); err != nil && !(result.Outcome == OutcomeSuperseded && fault.Is(err, fault.NotFound)) {
				return err
			}
		}
		if change.ValidateOnly {
			return errValidated
		}
		return nil
	})
	if err == errValidated {
		err = nil
	}
	if err == nil && result.Entity.Identifier != "" {
		result.Entity = c.derivedAfter(ctx, result.Entity)
	}
	return result, err
}

// errValidated rolls a transaction back although all went well.
var errValidated = fault.Errorf(fault.Internal, "validated only")

// batch is the changes of one Apply on their way: what the store holds of the entities they touch, and what they have
// made of it so far.
type batch struct {
	*model
	ctx     context.Context //nolint:containedctx // lives as long as the call
	catalog *Catalog
	tx      Tx
	now     time.Time
	records map[Key]*record
	order   []*record // as first touched
	touched []*record // by result, nil for none
	healed  map[Key][]Healed
	history []AuditEntry
	hasher  xxh3.Hasher
	last    lastFields
	leaving map[Key]bool // entities whose deletion is under way
	depth   int          // of deletions that entail deletions
}

// record is one entity in a batch.
type record struct {
	key   Key
	rules *rules
	State
	there  bool   // in the catalog, as of now
	stored int64  // row id in the store, 0 for none
	refs   []Ref  // relation rows in the store; known once loaded
	loaded bool   // entity is known
	entity Entity // content as of now
	dirty  dirt
}

// dirt is what of a record must be written.
type dirt uint8

const (
	dirtyHead dirt = 1 << iota
	dirtyContent
)

func (c *Catalog) newBatch(ctx context.Context, tx Tx) (*batch, error) {
	m, err := c.modelOf(ctx, tx)
	if err != nil {
		return nil, err
	}
	return &batch{model: m, ctx: ctx, catalog: c, tx: tx, now: c.now().UTC().Truncate(time.Millisecond), records: map[Key]*record{}, healed: map[Key][]Healed{}}, nil
}

// prefetch reads the states of all entities that the changes name, and the content of those that will need it.
func (b *batch) prefetch(changes []Change) error {
	keys := make([]Key, 0, len(changes))
	seen := make(map[Key]bool, len(changes))
	for i := range changes {
		c := &changes[i]
		k := Key{c.Blueprint, c.Identifier}
		if b.rules[c.Blueprint] != nil && legalEntityID(c.Identifier) && !seen[k] {
			seen[k] = true
			keys = append(keys, k)
		}
	}
	if err := b.fetch(keys); err != nil {
		return err
	}
	var wanted []*record
	for i := range changes {
		c := &changes[i]
		rec := b.records[Key{c.Blueprint, c.Identifier}]
		if rec == nil || rec.loaded || !rec.there {
			continue
		}
		if c.Op == OpDelete || !b.repeats(rec, c, b.stamp(rec, c)) {
			rec.loaded = true
			wanted = append(wanted, rec)
		}
	}
	return b.load(wanted)
}

func (b *batch) fetch(keys []Key) error {
	if len(keys) == 0 {
		return nil
	}
	states, err := b.tx.States(b.ctx, keys)
	if err != nil {
		return err
	}
	for i, k := range keys {
		rec := &record{key: k, rules: b.rules[k.Blueprint], State: states[i], there: states[i].ID != 0, stored: states[i].ID}
		b.records[k] = rec
		b.order = append(b.order, rec)
	}
	return nil
}

// record returns the entity's record, read from the store if need be.
func (b *batch) record(k Key) (*record, error) {
	if rec := b.records[k]; rec != nil {
		return rec, nil
	}
	if err := b.fetch([]Key{k}); err != nil {
		return nil, err
	}
	return b.records[k], nil
}

func (b *batch) load(records []*record) error {
	if len(records) == 0 {
		return nil
	}
	ids := make([]int64, len(records))
	for i, rec := range records {
		ids[i] = rec.stored
	}
	entities, err := b.tx.Load(b.ctx, ids)
	if err != nil {
		return err
	}
	for _, rec := range records {
		e, ok := entities[rec.stored]
		if !ok {
			return fault.Errorf(fault.Internal, "entity %q of %q has a head but no content", rec.key.Identifier, rec.key.Blueprint)
		}
		rec.entity, rec.loaded = e, true
		rec.refs = refsOf(rec.rules, e.Relations)
	}
	return nil
}

// apply makes one change. An error is the store's; a broken rule is in the result.
func (b *batch) apply(c *Change) (Result, error) {
	result, err := b.try(c)
	if err == nil {
		return result, nil
	}
	if kind := fault.KindOf(err); kind == fault.Internal || kind == fault.Unavailable {
		return result, err
	}
	b.touched = append(b.touched, nil)
	return Result{Outcome: OutcomeRejected, Identifier: c.Identifier, Err: err}, nil
}

func (b *batch) try(c *Change) (Result, error) {
	r := b.rules[c.Blueprint]
	if r == nil {
		return Result{}, missing("Blueprint", c.Blueprint)
	}
	if c.IdentifierQuery != nil {
		resolved := *c
		id, err := b.one(c.Blueprint, c.IdentifierQuery)
		if err != nil {
			return Result{}, err
		}
		resolved.Identifier, resolved.IdentifierQuery = id, nil
		c = &resolved
	}
	if !legalEntityID(c.Identifier) {
		return Result{}, invalidRequest("entity identifier %s: want 1 to %d letters, digits or @_.+:\\/=-", excerpt(appendText(nil, c.Identifier)), maxEntityID)
	}
	rec, err := b.record(Key{c.Blueprint, c.Identifier})
	if err != nil {
		return Result{}, err
	}
	switch {
	case c.Exists == MustExist && !rec.there:
		return Result{}, missing("Entity", c.Identifier)
	case c.Exists == MustNotExist && rec.there:
		return Result{}, fault.Errorf(fault.Conflict, "an entity %q of blueprint %q exists already", c.Identifier, c.Blueprint).
			WithCode("identifier_taken", map[string]any{"resource": "Entity", "relevantField": "identifier", "withValue": c.Identifier})
	}
	if c.Op == OpDelete {
		return b.delete(rec, c)
	}
	return b.upsert(rec, c)
}

func missing(resource, identifier string) *fault.Error {
	return fault.Errorf(fault.NotFound, "%s with identifier %q was not found", resource, identifier).
		WithCode("not_found", map[string]any{"resource": resource, "relevantField": "identifier", "withValue": identifier})
}

// stamp is the change's place among those of its entity. An API write comes after all that were there before it.
func (b *batch) stamp(rec *record, c *Change) Stamp {
	s := Stamp{Lane: c.Lane, Stream: c.Origin.Stream, Version: c.Version}
	if c.Version == (Version{}) {
		newest := rec.newest()
		s.Version = Version{Generation: newest.Generation, ExtractedAt: max(b.now.UnixMilli(), newest.ExtractedAt+1)}
	}
	if c.Op != OpDelete {
		s.Fields = b.fieldNames(rec.rules, c)
	}
	return s
}

// repeats reports whether the change says again what the entity's newest change said: then it changes nothing, without
// a look at the content, whichever of the two is older.
func (b *batch) repeats(rec *record, c *Change, s Stamp) bool {
	return rec.there && rec.Digest != nil && s.Lane == rec.Head.Lane && c.Rename == "" && !c.CreateMissingRelated &&
		(c.Op == OpMerge || len(rec.Older) == 0 && s.compare(&rec.Head) >= 0) && slices.Equal(s.Fields, rec.Head.Fields) &&
		bytes.Equal(rec.Digest, b.digest(rec.rules, c))
}

func (b *batch) upsert(rec *record, c *Change) (Result, error) {
	s := b.stamp(rec, c)
	result := Result{Identifier: c.Identifier}
	if b.repeats(rec, c, s) {
		result.Outcome = OutcomeUnchanged
		result.Flags = rec.Flags
		b.advance(rec, c, s)
		b.touched = append(b.touched, rec)
		return result, nil
	}
	if rec.there && !rec.loaded {
		if err := b.load([]*record{rec}); err != nil {
			return result, err
		}
	}
	c, err := b.resolve(rec.rules, c)
	if err != nil {
		return result, err
	}
	d, err := newDraft(rec.rules, c)
	if err != nil {
		return result, err
	}
	conflict := rec.conflicts(c, s, b)
	if mark := rec.mark(); mark != nil && s.compare(mark) < 0 {
		result.Outcome, result.Flags = OutcomeSuperseded, d.flags
		if conflict {
			result.Outcome = OutcomeConflict
		}
		b.touched = append(b.touched, nil)
		return result, nil
	}
	if !c.Lenient {
		if err := b.strict(rec, c, &d); err != nil {
			return result, err
		}
	}
	if c.CreateMissingRelated {
		if err := b.createMissing(rec.rules, c, &d); err != nil {
			return result, err
		}
	}
	if c.Rename != "" && c.Rename != c.Identifier {
		if rec, err = b.rename(rec, c); err != nil {
			return result, err
		}
		result.Identifier = c.Rename
	}
	e := b.begin(rec, c)
	owned := e.write(&d, s)
	result.Outcome = e.finish(owned, s)
	if conflict && result.Outcome != OutcomeUnchanged {
		result.Outcome = OutcomeConflict
	}
	result.Flags = rec.Flags
	for _, f := range d.flags { // those of values that were not stored, or not taken over
		if !slices.Contains(result.Flags, f) {
			result.Flags = append(slices.Clip(result.Flags), f)
		}
	}
	b.touched = append(b.touched, rec)
	return result, nil
}

// mark returns what nothing older than may change any more, or nil.
func (r *record) mark() *Stamp {
	if !r.there && r.Deleted != nil {
		return r.Deleted
	}
	return r.Cleared
}

// conflicts reports whether another record of the same generation of the same stream has claimed the identifier with
// other content.
func (r *record) conflicts(c *Change, s Stamp, b *batch) bool {
	return r.there && c.Version.Generation > 0 && s.Stream != "" && r.Digest != nil && r.Head.Lane == s.Lane && r.Head.Stream == s.Stream &&
		r.Head.Version.Generation == s.Version.Generation && r.Head.Version != s.Version && !bytes.Equal(r.Digest, b.digest(r.rules, c))
}

// advance notes that the entity's newest change was said again by a newer record.
func (b *batch) advance(rec *record, c *Change, s Stamp) {
	if rec.Head.Version == s.Version && rec.Origin == c.Origin || c.Version == (Version{}) || s.compare(&rec.Head) < 0 {
		return
	}
	rec.Head.Version, rec.Head.Stream = s.Version, s.Stream
	if c.Op == OpReplace {
		rec.Cleared = &Stamp{Lane: s.Lane, Version: s.Version}
	}
	rec.Origin = c.Origin
	rec.dirty |= dirtyHead
}

// delete removes the entity, as far as it is not newer than the change.
func (b *batch) delete(rec *record, c *Change) (Result, error) {
	result := Result{Identifier: c.Identifier}
	s := b.stamp(rec, c)
	if !rec.there {
		result.Outcome = OutcomeAbsent
		if rec.Deleted == nil || s.compare(rec.Deleted) > 0 {
			rec.Deleted = &s
			rec.dirty |= dirtyHead
		}
		b.touched = append(b.touched, nil)
		return result, nil
	}
	if s.compare(&rec.Head) < 0 {
		return b.clearOlder(rec, c, s)
	}
	if err := b.release(rec, c); err != nil {
		return result, err
	}
	if !rec.loaded {
		if err := b.load([]*record{rec}); err != nil {
			return result, err
		}
	}
	e := b.begin(rec, c)
	e.remove(s)
	result.Outcome = OutcomeDeleted
	b.touched = append(b.touched, rec)
	return result, nil
}

// clearOlder is a deletion that comes late: what is newer stays, what is older goes.
func (b *batch) clearOlder(rec *record, c *Change, s Stamp) (Result, error) {
	result := Result{Identifier: c.Identifier, Outcome: OutcomeSuperseded}
	if rec.Cleared != nil && s.compare(rec.Cleared) <= 0 {
		b.touched = append(b.touched, nil)
		return result, nil
	}
	if !rec.loaded {
		if err := b.load([]*record{rec}); err != nil {
			return result, err
		}
	}
	e := b.begin(rec, c)
	e.clear(s)
	if e.changed() {
		result.Outcome = OutcomeUpdated
	}
	e.record()
	b.touched = append(b.touched, rec)
	return result, nil
}

// flush writes what the batch has made so far.
func (b *batch) flush() error {
	var saved []Saved
	var from []*record
	for _, rec := range b.order {
		if rec.dirty == 0 {
			continue
		}
		s := Saved{Key: rec.key, State: rec.State}
		s.State.ID = rec.stored
		var refs []Ref
		switch {
		case rec.there:
			s.State.Deleted = nil
			if rec.dirty&dirtyContent != 0 {
				s.Entity = &rec.entity
				refs = refsOf(rec.rules, rec.entity.Relations)
				s.Add, s.Drop = diffRefs(rec.refs, refs)
			} else {
				refs = rec.refs
			}
		case rec.stored != 0:
			s.Remove = true
			s.Drop = rec.refs
		}
		rec.refs = refs
		saved = append(saved, s)
		from = append(from, rec)
	}
	if len(saved) > 0 {
		healed, err := b.tx.Save(b.ctx, saved)
		if err != nil {
			return err
		}
		for _, h := range healed {
			b.healed[h.Target] = append(b.healed[h.Target], h)
		}
	}
	for i, rec := range from {
		rec.dirty = 0
		rec.stored = saved[i].State.ID
		rec.ID = rec.stored
		rec.entity.ID = rec.stored
	}
	if len(b.history) > 0 {
		if err := b.tx.AddHistory(b.ctx, b.history); err != nil {
			return err
		}
		b.history = b.history[:0]
	}
	return nil
}

// report adds to the results what is known once the whole batch is written: what waits, and what waits no more.
func (b *batch) report(results []Result) error {
	var ids []int64
	for _, rec := range b.touched {
		if rec != nil && rec.stored != 0 && rec.rules.points() {
			ids = append(ids, rec.stored)
		}
	}
	pending, err := b.tx.PendingOf(b.ctx, ids)
	if err != nil {
		return err
	}
	for i, rec := range b.touched {
		if rec == nil || i >= len(results) {
			continue
		}
		results[i].Pending = pending[rec.stored]
		if h := b.healed[rec.key]; h != nil {
			results[i].Healed = h
			delete(b.healed, rec.key)
		}
	}
	return nil
}

// points reports whether the blueprint has a relation that is written.
func (r *rules) points() bool {
	return slices.ContainsFunc(r.Relations, func(rel Relation) bool { return rel.InverseOf == "" })
}

// refsOf lists the relation values of an entity. A relation that the blueprint has no more counts not.
func refsOf(r *rules, relations []byte) []Ref {
	var refs []Ref
	members(relations, func(name string, value []byte) {
		rel := r.relations[name]
		if rel == nil {
			return
		}
		targets, _ := texts(value)
		for _, t := range targets {
			refs = append(refs, Ref{name, Key{rel.Target, t}})
		}
	})
	return refs
}

// diffRefs returns what after has and before has not, and the reverse.
func diffRefs(before, after []Ref) (add, drop []Ref) {
	if slices.Equal(before, after) {
		return nil, nil
	}
	if len(before) == 0 {
		return after, nil
	}
	had := make(map[Ref]bool, len(before))
	for _, r := range before {
		had[r] = true
	}
	for _, r := range after {
		if had[r] {
			delete(had, r)
		} else {
			add = append(add, r)
		}
	}
	for _, r := range before {
		if had[r] {
			drop = append(drop, r)
		}
	}
	slices.SortFunc(drop, func(a, b Ref) int { return strings.Compare(a.Target.Identifier, b.Target.Identifier) })
	return add, drop
}
