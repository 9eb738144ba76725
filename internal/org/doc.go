// Package org keeps what belongs to the organisation and is no part of the catalog: its name and secrets, teams, users,
// scorecards, and integrations (programs that write entities on their own, such as Ocean).
//
// All of it are documents, kept whole: what a client sent is answered as it was sent, members that nobody here knows
// included, since clients compare. Rules are few and stand here; [Org] is where to start.
package org
