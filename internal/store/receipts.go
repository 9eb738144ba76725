package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"longshore/internal/fault"
)

// Receipt returns a run's stored receipt. Errors: fault.NotFound when the run is unknown or has none yet.
func (y *Syncs) Receipt(ctx context.Context, runID int64) (json.RawMessage, error) {
	var doc string
	err := y.s.read.QueryRowContext(ctx, `SELECT receipt FROM syncs WHERE id = $1`, runID).Scan(&doc)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, fault.Errorf(fault.NotFound, "sync %d does not exist", runID)
	case err != nil:
		return nil, fmt.Errorf("read the receipt of sync %d: %w", runID, err)
	case doc == "":
		return nil, fault.Errorf(fault.NotFound, "sync %d has no receipt yet", runID).WithHint("it is drawn when the run and the ingest of its objects have ended")
	}
	return json.RawMessage(doc), nil
}
