// Package access says who may do what with the entities of a blueprint, and keeps a record of who read what is privileged.
//
// A [Guard] is the catalog as its callers may see it: the same methods, with the caller taken from the context
// (see [auth.With]). What a role may do at all is the doors' to say; a Guard narrows that down by the [Permissions] of
// each blueprint, which are Port's: a [Leaf] for reading, registering, unregistering and updating its entities, and one
// for each of its properties and relations. A leaf names users, roles and teams, or the team that owns the entity.
//
// Port's role names stand for ours like this; an admin may do everything, whatever a leaf says:
//
//	Admin                 admin
//	…-moderator           editor, ingest (what a blueprint's moderators may do is given to them)
//	Member                editor, ingest, viewer
//	editor ingest viewer  themselves
package access
