package catalog

import "context"

// Store keeps the catalog. It is safe for concurrent use.
type Store interface {
	// InTx runs fn in one write transaction: all that fn wrote is kept when it returns nil, none of it otherwise.
	InTx(ctx context.Context, fn func(Tx) error) error
	// InView runs fn on one state of the catalog that no write changes meanwhile.
	InView(ctx context.Context, fn func(View) error) error
}

// Key names an entity.
type Key struct{ Blueprint, Identifier string }

// Ref is one relation value: the entity that Relation of the holder points at.
type Ref struct {
	Relation string
	Target   Key
}

// Stamp is one change that an entity remembers: who wrote which fields, when. Fields are sorted and bear a prefix:
// ".name" is a property, ">name" a relation, "$title", "$icon" and "$team" themselves.
type Stamp struct {
	Lane    Lane
	Stream  string
	Version Version
	Fields  []string
}

// State is what decides about a change of an entity, without its content.
type State struct {
	ID      int64 // 0: not in the catalog
	Head    Stamp
	Origin  Origin
	Digest  []byte  // of the change that Head was; nil when the content did not come from that change alone
	Older   []Stamp // changes before Head that still own fields, newest first
	Cleared *Stamp  // nothing older than this counts: a replacement, or a deletion before the entity came back
	Deleted *Stamp  // the tombstone, when ID is 0
	Flags   []Flag
}

// Saved is an entity as a batch leaves it.
type Saved struct {
	Key    Key
	State  State   // ID 0: new, or gone when Deleted is set
	Entity *Entity // nil: the content is as it was
	Remove bool    // the entity goes; State.Deleted is its tombstone
	Add    []Ref   // relation values that it did not have
	Drop   []Ref   // relation values that it has no more
}

// Healed is a relation that waited for its target and has found it.
type Healed struct {
	Target   Key
	Referrer Key
	Relation string
}

// View reads one state of the catalog.
type View interface {
	// Token changes whenever a blueprint changes, and never comes back to an earlier value.
	Token(ctx context.Context) (int64, error)
	// Blueprints returns every blueprint: Identifier, Doc and the times, ordered by identifier.
	Blueprints(ctx context.Context) ([]Blueprint, error)
	// Counts returns how many entities each blueprint has.
	Counts(ctx context.Context) (map[string]int64, error)
	// Entity returns one entity, or fault.NotFound.
	Entity(ctx context.Context, key Key) (Entity, error)
	// Search returns the entities that match, in order, at most req.Limit, and whether there are more.
	Search(ctx context.Context, req Find) ([]Entity, bool, error)
	// Count returns how many entities match; order, limit and cursor do not count.
	Count(ctx context.Context, req Find) (int64, error)
	// Matching returns those of the entities of these ids that match the rule.
	Matching(ctx context.Context, ids []int64, rule Rule) (map[int64]bool, error)
	// FindWords returns entities in which every word begins some word, and those that have the identifier, at most limit and
	// in no order.
	FindWords(ctx context.Context, words []string, identifier string, limit int) ([]Entity, error)
	// Inverse returns, for each target identifier, the sorted identifiers of the blueprint's entities whose relation names it.
	Inverse(ctx context.Context, blueprint, relation, target string, identifiers []string) (map[string][]string, error)
	// Entities returns those of the identifiers that are there and match the rule, in no order, without what tells how
	// they were written: Flags, Lane, Version and Origin.
	Entities(ctx context.Context, blueprint string, identifiers []string, rule Rule) ([]Entity, error)
	// Linked calls fn for each entity of the link, in no order, with the identifier that it names: once for each it
	// names. Entities are as those of Entities. An error of fn ends it and is returned, wrapped.
	Linked(ctx context.Context, link Link, fn func(target string, e Entity) error) error
	// LinkCounts returns how many entities of the link name each identifier; those that nobody names are left out.
	LinkCounts(ctx context.Context, link Link) (map[string]int64, error)
	// Referrers returns up to limit entities with an id above after whose relation names the target, in order of id.
	Referrers(ctx context.Context, target Key, blueprint, relation string, after int64, limit int) ([]Entity, error)
	// ReferrerCounts returns who points at the target, how often.
	ReferrerCounts(ctx context.Context, target Key) ([]ReferrerCount, error)
	// History returns audit entries, newest first. What a blueprint or an entity was called before counts as its own.
	History(ctx context.Context, filter HistoryFilter) ([]AuditEntry, error)
	// Pending returns the relations that wait for their targets, with up to samples of each.
	Pending(ctx context.Context, samples int) (PendingReport, error)
	// Each calls fn with every entity of the blueprint in order of identifier, chunk by chunk.
	Each(ctx context.Context, blueprint string, chunk int, fn func([]Entity) error) error
	// Walk returns up to limit of the blueprint's entities with an id above after, in order of id.
	Walk(ctx context.Context, blueprint string, after int64, limit int) ([]Entity, error)
	// RetentionRuns returns the newest walks of a blueprint's retention, the newest first.
	RetentionRuns(ctx context.Context, blueprint string, limit int) ([]RetentionRun, error)
	// Document returns one document, or fault.NotFound.
	Document(ctx context.Context, key DocumentKey) (Document, error)
	// Documents returns the documents of a kind that belong to a blueprint ("" for those of none), ordered by identifier.
	Documents(ctx context.Context, kind, blueprint string) ([]Document, error)
}

// Tx reads and writes in one transaction. Its View sees what it has written.
type Tx interface {
	View
	// PutBlueprint creates or replaces Identifier, Doc and the times, and renews the token.
	PutBlueprint(ctx context.Context, b Blueprint) error
	// RenameBlueprint gives a blueprint and all that names it another identifier, but for what stands within documents.
	RenameBlueprint(ctx context.Context, from, to string) error
	// DeleteBlueprint removes a blueprint that has no entities, and the documents that belong to it.
	DeleteBlueprint(ctx context.Context, id string) error
	// DeleteEntities removes every entity of the blueprint without tombstones: the lake may bring them back.
	DeleteEntities(ctx context.Context, blueprint string) (int64, error)
	// DropFields removes properties and relations, with their values, from every entity of the blueprint.
	DropFields(ctx context.Context, blueprint string, properties, relations []string) error
	// States returns the state of each key, in order.
	States(ctx context.Context, keys []Key) ([]State, error)
	// Load returns the entities with these ids.
	Load(ctx context.Context, ids []int64) (map[int64]Entity, error)
	// Present returns those of the keys that are in the catalog.
	Present(ctx context.Context, keys []Key) (map[Key]bool, error)
	// Save writes a batch: contents, heads, relation rows, tombstones and counters. It sets State.ID of new ones, and
	// returns the relations that found their target by it.
	Save(ctx context.Context, batch []Saved) ([]Healed, error)
	// Prune removes entities of the blueprint without tombstones. Relations that name one wait for it.
	Prune(ctx context.Context, blueprint string, ids []int64) error
	// PutRetentionRun adds a walk, when its ID is 0, and sets that, or replaces it. Finished ones that let nothing go are
	// forgotten, but the newest.
	PutRetentionRun(ctx context.Context, blueprint string, run *RetentionRun) error
	// PendingOf returns what the relations of these entities wait for.
	PendingOf(ctx context.Context, ids []int64) (map[int64][]Pending, error)
	// Rename gives an entity another identifier, in its referrers' relations too.
	Rename(ctx context.Context, key Key, to string) error
	// AddHistory appends audit entries, each chained to the one before it.
	AddHistory(ctx context.Context, entries []AuditEntry) error
	// PutDocument adds a document without a secret, or replaces its content and the time and actor of its change.
	PutDocument(ctx context.Context, doc Document) error
	// DeleteDocument removes a document, if it is there.
	DeleteDocument(ctx context.Context, key DocumentKey) error
}

// ReferrerCount is how many entities of a blueprint name a target by a relation.
type ReferrerCount struct {
	Blueprint string
	Relation  string
	Count     int64
}

// Link chooses the entities of Blueprint that match Rule and whose relation names one of the identifiers, which are those
// of entities of the blueprint Target.
type Link struct {
	Blueprint, Relation string
	Target              string
	Identifiers         []string
	Rule                Rule
	// Values wants no more of the entities than their properties and times.
	Values bool
}

// PendingReport is the relations that wait for their targets.
type PendingReport struct {
	Count      int64
	Resolvable int64 // of these, how many have their target: always 0 unless the store is damaged
	Groups     []PendingGroup
}

// PendingGroup is the waiting relations of one name.
type PendingGroup struct {
	Blueprint string
	Relation  string
	Target    string // blueprint
	Count     int64
	Samples   []PendingSample
}

// PendingSample is one waiting relation.
type PendingSample struct {
	Identifier string // of the entity that points
	Target     string // identifier that is not there
}
