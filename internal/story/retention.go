package story

import (
	"context"
	"fmt"
	"slices"
	"time"

	"longshore/internal/verdict"
)

// letGo says of a record that was written, and whose entity is not there any more, what retention did: by then, the
// blueprint had let go of entities that were older than it keeps them.
func (t *Teller) letGo(ctx context.Context, s *Story) error {
	told := map[string]bool{}
	for _, r := range s.Records {
		for _, v := range r.Verdicts {
			written := slices.Contains([]string{verdict.Upserted.String(), verdict.Unchanged.String(), verdict.KeptWithFlags.String()}, v.Code)
			if !r.Own || !written || v.Blueprint == "" || told[v.Blueprint] || slices.ContainsFunc(s.Entities, func(e Entity) bool { return e.Blueprint == v.Blueprint }) {
				continue
			}
			told[v.Blueprint] = true
			runs, err := t.Catalog.RetentionRuns(ctx, v.Blueprint, 1000)
			if err != nil {
				return err
			}
			for _, run := range slices.Backward(runs) { // the first that may have met it
				if run.Pruned == 0 || run.Finished.Before(r.ExtractedAt) && !run.Finished.IsZero() {
					continue
				}
				by := run.By
				if by == "" {
					by = "when it was read"
				}
				s.Notes = append(s.Notes, fmt.Sprintf("%s keeps entities for %d days (by %s): retention has let go of those older than %s since %s; the record stays in the lake",
					v.Blueprint, run.Days, by, run.Cutoff.Format(time.RFC3339), run.Begun.Format(time.RFC3339)))
				break
			}
		}
	}
	return nil
}
