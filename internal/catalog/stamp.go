package catalog

import (
	"slices"
	"strings"
)

// How changes that arrive in any order end in the same entity. All changes of an entity are ordered by their version,
// then by lane. A field has the value that the newest change that wrote it gave it. A deletion or replacement clears
// what older changes wrote, now and when they arrive late; the entity exists when something newer than its newest
// deletion wrote it. So each change needs to be remembered only while it still owns a field, and the newest one always.

// compare orders two changes of one entity.
func (s *Stamp) compare(t *Stamp) int {
	if c := s.Version.Compare(t.Version); c != 0 {
		return c
	}
	return strings.Compare(string(s.Lane), string(t.Lane))
}

func (s *Stamp) wrote(field string) bool {
	_, found := slices.BinarySearch(s.Fields, field)
	return found
}

// owner returns the newest change that wrote the field, or nil.
func (s *State) owner(field string) *Stamp {
	if s.Head.wrote(field) {
		return &s.Head
	}
	for i := range s.Older {
		if s.Older[i].wrote(field) {
			return &s.Older[i]
		}
	}
	return nil
}

// stamps returns Head and Older, newest first.
func (s *State) stamps() []Stamp { return append([]Stamp{s.Head}, s.Older...) }

// remember puts stamp in its place and forgets what owns nothing any more. existed is false for a first change.
func (s *State) remember(stamp Stamp, existed bool) {
	if !existed {
		s.Head, s.Older = stamp, nil
		return
	}
	if s.Older == nil && stamp.compare(&s.Head) >= 0 && slices.Equal(stamp.Fields, s.Head.Fields) {
		s.Head = stamp
		return
	}
	all := s.stamps()
	at := 0
	for at < len(all) && all[at].compare(&stamp) > 0 {
		at++
	}
	if at < len(all) && all[at].compare(&stamp) == 0 {
		all[at].Fields = union(all[at].Fields, stamp.Fields)
	} else {
		all = slices.Insert(all, at, stamp)
	}
	s.keep(all)
}

// forgetBefore drops every change older than mark and returns the fields that nobody owns any more.
func (s *State) forgetBefore(mark *Stamp) []string {
	var orphans []string
	kept := make([]Stamp, 0, 1+len(s.Older))
	for _, t := range s.stamps() {
		if t.compare(mark) >= 0 {
			kept = append(kept, t)
			continue
		}
		for _, f := range t.Fields {
			if !slices.ContainsFunc(kept, func(k Stamp) bool { return k.wrote(f) }) {
				orphans = append(orphans, f)
			}
		}
	}
	if len(kept) > 0 {
		s.keep(kept)
	} else {
		s.Head, s.Older = Stamp{}, nil
	}
	return orphans
}

// keep stores stamps, newest first, without those that own nothing; the newest stays.
func (s *State) keep(all []Stamp) {
	s.Head = all[0]
	s.Older = nil
	for _, t := range all[1:] {
		owns := slices.ContainsFunc(t.Fields, func(f string) bool {
			return !s.Head.wrote(f) && !slices.ContainsFunc(s.Older, func(k Stamp) bool { return k.wrote(f) })
		})
		if owns {
			s.Older = append(s.Older, t)
		}
	}
}

// newest returns the newest version that the state knows of, deletions included.
func (s *State) newest() Version {
	v := s.Head.Version
	for _, t := range []*Stamp{s.Cleared, s.Deleted} {
		if t != nil && t.Version.Compare(v) > 0 {
			v = t.Version
		}
	}
	return v
}

func union(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}
