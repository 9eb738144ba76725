package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"longshore/internal/fault"
	"longshore/internal/pipeline"
)

// PutConnection creates a connection, or changes the one of that UUID. One without a UUID is given one.
func (y *Syncs) PutConnection(ctx context.Context, c pipeline.Connection) (pipeline.Connection, error) {
	if err := c.Schedule.Check(); err != nil {
		return c, fmt.Errorf("keep connection %q: %w", c.Name, err)
	}
	doc, err := json.Marshal(c)
	if err != nil {
		return c, err
	}
	c.UUID = cmp.Or(c.UUID, uuid.NewString())
	c.Status = cmp.Or(c.Status, pipeline.Active)
	var created int64
	err = y.s.InTx(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `INSERT INTO connections (uuid, name, workspace_id, source_id, destination_id, status, doc, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (uuid) DO UPDATE SET name = excluded.name, workspace_id = excluded.workspace_id, source_id = excluded.source_id,
				destination_id = excluded.destination_id, status = excluded.status, doc = excluded.doc
			RETURNING id, created_at`,
			c.UUID, c.Name, c.WorkspaceID, c.SourceID, c.DestinationID, string(c.Status), string(doc), y.now().UnixMilli()).Scan(&c.ID, &created)
		if err != nil {
			return err
		}
		return y.arm(ctx, tx, c.ID)
	})
	if err != nil {
		return c, fmt.Errorf("keep connection %q: %w", c.Name, err)
	}
	c.CreatedAt = time.UnixMilli(created).UTC()
	return c, nil
}

// connectionColumns are what scanConnection takes, of connections c.
const connectionColumns = `c.id, c.uuid, c.name, c.workspace_id, c.source_id, c.destination_id, c.status, c.doc, c.created_at`

// scanConnection reads connectionColumns, after what before takes.
func scanConnection(row interface{ Scan(...any) error }, c *pipeline.Connection, before ...any) error {
	var doc string
	var created int64
	if err := row.Scan(append(before, &c.ID, &c.UUID, &c.Name, &c.WorkspaceID, &c.SourceID, &c.DestinationID, &c.Status, &doc, &created)...); err != nil {
		return err
	}
	c.CreatedAt = time.UnixMilli(created).UTC()
	if err := json.Unmarshal([]byte(doc), c); err != nil {
		return fmt.Errorf("read connection %d: %w", c.ID, err)
	}
	return nil
}

// Connections lists the connections by name, those that were made first first; deleted ones are none of them.
func (y *Syncs) Connections(ctx context.Context) ([]pipeline.Connection, error) {
	return y.connections(ctx, `WHERE c.status <> 'deprecated' ORDER BY c.name, c.id`)
}

// EveryConnection lists the connections in the order in which they were made, deleted ones among them.
func (y *Syncs) EveryConnection(ctx context.Context) ([]pipeline.Connection, error) {
	return y.connections(ctx, `ORDER BY c.id`)
}

func (y *Syncs) connections(ctx context.Context, tail string) ([]pipeline.Connection, error) {
	rows, err := y.s.read.QueryContext(ctx, `SELECT `+connectionColumns+` FROM connections c `+tail)
	if err != nil {
		return nil, fmt.Errorf("list connections: %w", err)
	}
	defer rows.Close()
	var all []pipeline.Connection
	for rows.Next() {
		var c pipeline.Connection
		if err := scanConnection(rows, &c); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, rows.Err()
}

// Connection returns the connection of that UUID, a deleted one too.
func (y *Syncs) Connection(ctx context.Context, id string) (pipeline.Connection, error) {
	return y.oneConnection(ctx, `uuid = $1`, id)
}

// ConnectionByID returns the connection of that row.
func (y *Syncs) ConnectionByID(ctx context.Context, id int64) (pipeline.Connection, error) {
	return y.oneConnection(ctx, `id = $1`, id)
}

func (y *Syncs) oneConnection(ctx context.Context, where string, id any) (pipeline.Connection, error) {
	var c pipeline.Connection
	err := scanConnection(y.s.read.QueryRowContext(ctx, `SELECT `+connectionColumns+` FROM connections c WHERE c.`+where, id), &c)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return c, fault.Errorf(fault.NotFound, "connection %v does not exist", id)
	case err != nil:
		return c, fmt.Errorf("read connection %v: %w", id, err)
	}
	return c, nil
}
