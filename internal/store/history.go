package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"longshore/internal/catalog"
)

// AddHistory implements catalog.Tx.
func (t *catalogTx) AddHistory(ctx context.Context, entries []catalog.AuditEntry) error {
	const columns kinds = "ittttttiitt"
	args := make([]any, 0, len(columns)*min(len(entries), 1024))
	send := func() error {
		defer func() { args = args[:0] }()
		return t.inRows(ctx, `INSERT INTO history (at, kind, action, blueprint, identifier, actor, source, object_id, line, before, after) VALUES %s`, columns, args)
	}
	for _, e := range entries {
		args = append(args, millis(e.At), e.Kind, e.Action, e.Blueprint, e.Identifier, e.Actor, e.Source, e.Origin.ObjectID, e.Origin.Line, nullable(e.Before), nullable(e.After))
		if len(args) == cap(args) {
			if err := send(); err != nil {
				return err
			}
		}
	}
	return send()
}

// History implements catalog.View.
func (t *catalogTx) History(ctx context.Context, f catalog.HistoryFilter) ([]catalog.AuditEntry, error) {
	var where []string
	var args []any
	add := func(condition string, value any) {
		args = append(args, value)
		where = append(where, condition+placeholder(len(args)))
	}
	for _, m := range []struct{ column, value string }{{"blueprint", f.Blueprint}, {"identifier", f.Identifier}, {"kind", f.Kind}, {"action", f.Action}} {
		if m.value != "" {
			add(m.column+" = ", m.value)
		}
	}
	if f.Origin.ObjectID != 0 {
		add("object_id = ", f.Origin.ObjectID)
		if f.Origin.Line != 0 {
			add("line = ", f.Origin.Line)
		}
	}
	if !f.From.IsZero() {
		add("at >= ", millis(f.From))
	}
	if !f.To.IsZero() {
		add("at <= ", millis(f.To))
	}
	if f.Before != 0 {
		add("id < ", f.Before)
	}
	query := `SELECT id, at, kind, action, blueprint, identifier, actor, source, object_id, line, before, after FROM history`
	if len(where) > 0 {
		query += ` WHERE ` + strings.Join(where, " AND ")
	}
	args = append(args, f.Limit)
	query += ` ORDER BY id DESC LIMIT ` + placeholder(len(args))
	var out []catalog.AuditEntry
	err := t.each(ctx, query, args, func(r *sql.Rows) error {
		var e catalog.AuditEntry
		var at int64
		err := r.Scan(&e.ID, &at, &e.Kind, &e.Action, &e.Blueprint, &e.Identifier, &e.Actor, &e.Source, &e.Origin.ObjectID, &e.Origin.Line, &e.Before, &e.After)
		e.At = fromMillis(at)
		out = append(out, e)
		return err
	})
	return out, err
}

func placeholder(n int) string { return "$" + strconv.Itoa(n) }
