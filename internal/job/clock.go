package job

import (
	"context"
	"fmt"
)

// The queue says by the clock when a job is due. Where that clock is set back, or is behind this program's, jobs lie ahead
// that were to be taken at once.

// How far ahead a job may lie, in seconds: the queue calls available what is due within five, a back-off is a minute
// at most, and the longest pause that a handler asks for is that of a feed that only a person can mend.
const (
	mostAvailable = 15
	mostBackOff   = 2 * 60
	mostPause     = 15 * 60
)

// pullBack makes jobs due that lie further ahead than any is put. Ticks are left alone: who sets them sees to them.
func (q *Queue) pullBack(ctx context.Context) error {
	ahead := `datetime('now', '+%d seconds')`
	if q.postgres {
		ahead = `now() + interval '%d seconds'`
	}
	due := func(seconds int) string { return fmt.Sprintf(ahead, seconds) }
	_, err := q.db.ExecContext(ctx, `UPDATE river_job SET scheduled_at = CURRENT_TIMESTAMP WHERE kind <> 'tick' AND (
		state = 'available' AND scheduled_at > `+due(mostAvailable)+` OR
		state = 'retryable' AND scheduled_at > `+due(mostBackOff)+` OR
		state = 'scheduled' AND scheduled_at > `+due(mostPause)+`)`)
	if err != nil {
		return fmt.Errorf("make jobs due: %w", err)
	}
	return nil
}
