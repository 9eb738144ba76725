package store

import (
	"context"
	"database/sql"
	"strings"

	"longshore/internal/catalog"
)

// OnPostgres tells whether this is the second round.
func OnPostgres() bool { return onPostgres }

// Explained returns the database's plan of a search.
func Explained(ctx context.Context, s *Store, c *catalog.Catalog, req catalog.SearchRequest) (string, error) {
	var plan strings.Builder
	err := c.SearchPlan(ctx, req, func(v catalog.View, f catalog.Find) error {
		t, ok := v.(*catalogTx)
		if !ok {
			panic("a view of another store")
		}
		q, err := t.searched(ctx, f)
		if err != nil {
			return err
		}
		statement, args, err := q.page(f)
		if err != nil {
			return err
		}
		explain := "EXPLAIN QUERY PLAN "
		if s.engine.arrays {
			explain = "EXPLAIN "
			// A table of some thousand rows is read whole in any case: what counts is whether an index could serve.
			if _, err := t.exec(ctx, `SET LOCAL enable_seqscan = off`); err != nil {
				return err
			}
		}
		return t.each(ctx, explain+statement, args, func(r *sql.Rows) error {
			columns, err := r.Columns()
			if err != nil {
				return err
			}
			var line string
			into := make([]any, len(columns))
			for i := range into {
				into[i] = new(any)
			}
			into[len(into)-1] = &line
			err = r.Scan(into...)
			plan.WriteString(line + "\n")
			return err
		})
	})
	return plan.String(), err
}
