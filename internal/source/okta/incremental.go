package okta

import (
	"context"
	"net/url"
	"time"

	"longshore/internal/rawjson"
)

const (
	// indexOverlap is how far before the bound an incremental read of users, groups and memberships begins: Okta's
	// search index lags behind, usually by less than a second.
	indexOverlap = 2 * time.Minute
	// cursorGrain is taken off the beginning of a read when it becomes the next bound. Okta cuts lastUpdated to whole
	// seconds, and Airbyte's source asks for what is greater: without it, it would skip what changed in that second.
	cursorGrain = time.Second
	// maxOverlap bounds the setting of it.
	maxOverlap = 24 * time.Hour
	// maxSeen is how many objects a read remembers to drop those that come twice unchanged. The next one begins anew.
	maxSeen = 1 << 16
	// phaseChanged is the phase of every read of changes alone; those of a full read are small numbers.
	phaseChanged = 100
)

// account completes a state with what all states of a read hold: when it began, and the bound up to which everything
// was known before it. When the read is complete, its beginning is the new bound. When it left something out the bound
// stays: the next read must not take for known what nobody has read.
func (r *reading) account(next state) state {
	if r.spec.Name == logsName { // what a log has lost stays lost, and it keeps its bound itself
		return next
	}
	if next.Hole = r.hole; r.spec.changed == nil {
		return next
	}
	if began := r.started.Add(time.Duration(r.client.skew.Load())).UTC().Truncate(time.Second).Add(-cursorGrain).Format(stampLayout); r.began == "" || r.older && began < r.began {
		r.began = began
	}
	bound := r.bound
	switch {
	case next.Done && next.Hole:
		next.Follow = ""
	case next.Done:
		bound = r.began
	default:
		next.Began = r.began
	}
	if r.spec.CursorField == "lastUpdated" {
		next.LastUpdated = bound
	} else {
		next.Since = bound
	}
	return next
}

// from is the time to read changes from: the bound less the overlap, or the zero time for an unreadable bound.
func (r *reading) from() time.Time {
	bound, err := time.Parse(time.RFC3339, r.bound)
	if err != nil {
		return time.Time{} // parseState takes none that is unreadable
	}
	return bound.Add(-r.source.overlap)
}

// changesOf reads the objects of one listing that changed since the bound. The expression says so of a time, in the
// place of each %s; parameter is the query's name for it.
func changesOf(path, parameter string, expression func(since string) string) func(context.Context, *reading, state) error {
	return func(ctx context.Context, r *reading, from state) error {
		request := r.source.listRequest(listLimit, path, parameter+"="+url.QueryEscape(expression(r.from().Format(stampLayout))))
		if from.Done {
			from = state{}
		}
		if !from.belongsTo(request) {
			return foreignState()
		}
		// Not sorted by lastUpdated: the order by id stands still, while an object that changes during the read would
		// move. It is in the next read, which begins before this one.
		pages := newPager(r.client, "", request, from.Link)
		seen, found := seenObjects{}, from.Link != ""
		for pages.more() {
			page, err := pages.fetch(ctx)
			r.met(page.answer)
			if err != nil {
				return err
			}
			// Nothing at all is what a credential that has lost its role is answered too.
			if found = found || len(page.records) > 0; pages.hollow || !found && !pages.more() {
				if err := r.nothingChanged(ctx, page.answer); err != nil {
					return err
				}
			}
			next := state{Phase: phaseChanged, Link: pages.next, Done: !pages.more()}
			if err := r.page(page.answer, seen.fresh(page.records), next); err != nil {
				return err
			}
		}
		return nil
	}
}

// seenObjects drops records that come twice in one read without a change between: the key is the id.
type seenObjects map[string]string // id to lastUpdated

func (s seenObjects) fresh(records [][]byte) [][]byte {
	fresh := records[:0]
	for _, record := range records {
		id, updated := rawjson.GetString(record, "id"), rawjson.GetString(record, "lastUpdated")+rawjson.GetString(record, "lastMembershipUpdated")
		if before, known := s[id]; known && before == updated && id != "" && updated != "" {
			continue
		}
		if len(s) >= maxSeen {
			clear(s)
		}
		s[id] = updated
		fresh = append(fresh, rawjson.OneLine(record))
	}
	return fresh
}

// changedMembers reads the members of the groups whose membership moved since the bound. Who was taken out of a group
// is not among them: that only a full read tells.
func changedMembers(ctx context.Context, r *reading, from state) error {
	spec := r.source.memberSpec()
	spec.parents = r.source.listRequest(listLimit, "groups", "expand=stats",
		"filter="+url.QueryEscape(`lastMembershipUpdated ge "`+r.from().Format(stampLayout)+`"`))
	if from.Done {
		from = state{}
	}
	from.Phase = phaseChanged
	return r.children(ctx, spec, from)
}
