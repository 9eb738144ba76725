package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"longshore/internal/ingest"
	"longshore/internal/verdict"
)

// SaveVerdicts implements [ingest.Store].
func (b *Objects) SaveVerdicts(ctx context.Context, tx *sql.Tx, o ingest.Object, from int64, judged []ingest.Judged) error {
	if from == 0 {
		for _, table := range []string{"verdict_chunks", "verdict_counts"} {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE object_id = $1`, o.ID); err != nil {
				return err
			}
		}
	}
	if len(judged) == 0 {
		return nil
	}
	l := ledgerWriter{ids: map[string]int64{}, counts: map[countKey]*count{}}
	rows, err := l.rows(ctx, tx, judged)
	if err != nil {
		return err
	}
	cells, err := ingest.EncodeRows(rows)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO verdict_chunks (object_id, first_line, last_line, records, mapping_id, cells) VALUES ($1, $2, $3, $4, $5, $6)`,
		o.ID, judged[0].Line, judged[len(judged)-1].Line, len(judged), o.MappingID, cells); err != nil {
		return fmt.Errorf("write verdicts: %w", err)
	}
	return l.saveCounts(ctx, tx, o.ID)
}

// countsAtOnce is how many sums one statement writes.
const countsAtOnce = 64

// saveCounts adds the chunk's sums to those of the object.
func (l *ledgerWriter) saveCounts(ctx context.Context, tx *sql.Tx, objectID int64) error {
	keys := slices.SortedFunc(maps.Keys(l.counts), func(a, b countKey) int {
		return cmp.Or(cmp.Compare(a.mapping, b.mapping), cmp.Compare(a.code, b.code), cmp.Compare(a.detail, b.detail))
	})
	for some := range slices.Chunk(keys, countsAtOnce) {
		var values strings.Builder
		args := []any{objectID}
		for i, k := range some {
			if i > 0 {
				values.WriteByte(',')
			}
			n := len(args)
			fmt.Fprintf(&values, "($1, $%d, $%d, $%d, $%d, $%d)", n+1, n+2, n+3, n+4, n+5)
			args = append(args, k.mapping, int(k.code), k.detail, l.counts[k].n, l.counts[k].firstLine)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO verdict_counts (object_id, mapping, code, detail_id, n, first_line) VALUES `+values.String()+`
			ON CONFLICT (object_id, mapping, code, detail_id) DO UPDATE SET n = verdict_counts.n + excluded.n`, args...); err != nil {
			return fmt.Errorf("count verdicts: %w", err)
		}
	}
	return nil
}

type countKey struct {
	mapping int
	code    verdict.Code
	detail  int64
}

type count struct{ n, firstLine int64 }

// ledgerWriter gathers a chunk's cells and sums. Explanations are stored once each; ids remembers those of this chunk.
type ledgerWriter struct {
	ids    map[string]int64
	counts map[countKey]*count
	met    [][]metVerdict // by mapping, the roll-ups first
}

// metVerdict is a verdict that the chunk had before, with what it came to. Most records of a chunk are judged alike.
type metVerdict struct {
	verdict ingest.Verdict
	cell    ingest.Cell
	count   *count
}

// maxMet is how many verdicts of a mapping are kept to be met again.
const maxMet = 4

// rows makes the chunk's rows. Records judged alike share their cells.
func (l *ledgerWriter) rows(ctx context.Context, tx *sql.Tx, judged []ingest.Judged) ([]ingest.Row, error) {
	rows := make([]ingest.Row, len(judged))
	var before, cells []ingest.Cell
	for i := range judged {
		j := &judged[i]
		rollUp, err := l.cell(ctx, tx, j.Line, -1, &j.RollUp)
		if err != nil {
			return nil, err
		}
		cells = cells[:0]
		for m := range j.Verdict {
			c, err := l.cell(ctx, tx, j.Line, m, &j.Verdict[m])
			if err != nil {
				return nil, err
			}
			cells = append(cells, c)
		}
		if i == 0 || !slices.Equal(cells, before) {
			before = slices.Clone(cells)
		}
		rows[i] = ingest.Row{Line: j.Line, RollUp: rollUp, Cells: before}
	}
	return rows, nil
}

func (l *ledgerWriter) cell(ctx context.Context, tx *sql.Tx, line int64, mapping int, v *ingest.Verdict) (ingest.Cell, error) {
	for len(l.met) <= mapping+1 {
		l.met = append(l.met, nil)
	}
	met := l.met[mapping+1]
	for i := range met {
		if alike(&met[i].verdict, v) {
			met[i].count.n++
			return met[i].cell, nil
		}
	}
	cell, count, err := l.newCell(ctx, tx, line, mapping, v)
	if err == nil && len(met) < maxMet && len(v.Detail.More) == 0 {
		l.met[mapping+1] = append(met, metVerdict{*v, cell, count})
	}
	return cell, err
}

// alike reports whether two verdicts come to the same cell. Those with further details are not compared.
func alike(v, w *ingest.Verdict) bool {
	a, b := &v.Detail, &w.Detail
	return v.Code == w.Code && len(b.More) == 0 && a.Clause == b.Clause && a.Field == b.Field && a.Expression == b.Expression &&
		a.Property == b.Property && a.Rule == b.Rule && (v.Code == verdict.Filtered || a.Value == b.Value) && a.Message == b.Message
}

func (l *ledgerWriter) newCell(ctx context.Context, tx *sql.Tx, line int64, mapping int, v *ingest.Verdict) (ingest.Cell, *count, error) {
	group, err := l.detail(ctx, tx, v.Detail.Group())
	if err != nil {
		return ingest.Cell{}, nil, err
	}
	k := countKey{mapping, v.Code, group}
	n := l.counts[k]
	if n == nil {
		n = &count{firstLine: line}
		l.counts[k] = n
	}
	n.n++
	id := group
	if v.Code != verdict.Filtered { // a filter's clause says it all; the value it looked at stands in the record
		if id, err = l.detail(ctx, tx, v.Detail); err != nil {
			return ingest.Cell{}, nil, err
		}
	}
	return ingest.Cell{Code: v.Code, DetailID: id}, n, nil
}

func (l *ledgerWriter) detail(ctx context.Context, tx *sql.Tx, d verdict.Detail) (int64, error) {
	if d.Empty() {
		return 0, nil
	}
	text, err := json.Marshal(d)
	if err != nil {
		return 0, err
	}
	doc := string(text)
	if id, ok := l.ids[doc]; ok {
		return id, nil
	}
	var id int64
	err = tx.QueryRowContext(ctx, `SELECT id FROM verdict_details WHERE doc = $1`, doc).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = tx.QueryRowContext(ctx, `INSERT INTO verdict_details (doc) VALUES ($1) RETURNING id`, doc).Scan(&id)
	}
	if err != nil {
		return 0, fmt.Errorf("keep explanation: %w", err)
	}
	l.ids[doc] = id
	return id, nil
}
