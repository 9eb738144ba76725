// Package catalog holds the nouns of the catalog (Blueprint, Relation, Entity, Query, audit log) and the rules
// of writing and finding them. [Catalog] is the way in; [Store] is what it needs below.
//
// Values of properties and relations are raw JSON text, never decoded maps: see [Field].
package catalog
