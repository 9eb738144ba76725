// Package fault holds the few kinds of error that callers and both APIs tell apart.
//
// A kind says what the caller can do; an error without one is Internal. An error is made once, where the
// fact is known, with [Errorf]; on the way up it is wrapped with fmt.Errorf and %w, and a door decides by [KindOf].
package fault
