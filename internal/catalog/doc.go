// Package catalog holds the nouns of the catalog (Blueprint, Relation, Entity, Query, audit log) and the rules
// of writing and finding them. [Catalog] is the way in; [Store] is what it needs below.
//
// Values of properties and relations are raw JSON text, never decoded maps: see [Field]. What is stored is canonical:
// no space, members sorted by key, numbers as they were spelled, nulls left out.
//
// A [Change] comes by [Catalog.Write], an API call of its own with Port's rules and error codes, or by [Catalog.Apply],
// many in the caller's transaction. Both take the same steps:
//
//	prefetch  states of all entities named, and the content of those that are not a plain repetition
//	repeats   a change that says what the entity's newest change said is unchanged: a digest decides
//	draft     canonical values; what breaks a rule is an error (strict) or a [Flag] (lenient)
//	write     a field goes to the newest change that wrote it, so that records may arrive in any order: see [Stamp]
//	flush     contents, heads, relation rows, tombstones, counters and history, in statements of many rows
//	report    which relations wait for a target, and which waited and do no more
//
// A relation to an entity that is not there is kept and waits; see [PendingReport]. A relation with inverseOf is never
// stored: it is read from the other side.
package catalog
