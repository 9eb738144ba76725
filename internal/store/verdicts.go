package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"longshore/internal/fault"
	"longshore/internal/ingest"
	"longshore/internal/verdict"
)

func verdictWhere(f ingest.VerdictFilter) (string, []any) {
	clause, args := "WHERE 1 = 1", []any{}
	add := func(text string, arg any) {
		args = append(args, arg)
		clause += fmt.Sprintf(" AND "+text, len(args))
	}
	if f.SyncID != 0 {
		add("o.sync_id = $%d", f.SyncID)
	}
	if f.Stream != "" {
		add("o.stream = $%d", f.Stream)
	}
	if f.Code != verdict.None {
		add("c.code = $%d", int(f.Code))
	}
	switch {
	case f.RollUps:
		clause += " AND c.mapping = -1"
	case f.Mapping != nil:
		add("c.mapping = $%d", *f.Mapping)
	default:
		clause += " AND c.mapping >= 0"
	}
	if f.DetailID != nil {
		add("c.detail_id = $%d", *f.DetailID)
	}
	return clause, args
}

// VerdictSums returns Σ by stream and code of the roll-ups that the filter chooses (RollUps is implied).
func (b *Objects) VerdictSums(ctx context.Context, f ingest.VerdictFilter) (map[string]map[verdict.Code]int64, error) {
	f.RollUps = true
	where, args := verdictWhere(f)
	rows, err := b.read.QueryContext(ctx, `SELECT o.stream, c.code, sum(c.n) FROM verdict_counts c JOIN objects o ON o.id = c.object_id `+where+`
		GROUP BY o.stream, c.code`, args...)
	if err != nil {
		return nil, fmt.Errorf("sum verdicts: %w", err)
	}
	defer rows.Close()
	sums := map[string]map[verdict.Code]int64{}
	for rows.Next() {
		var stream string
		var code int
		var n int64
		if err := rows.Scan(&stream, &code, &n); err != nil {
			return nil, err
		}
		if sums[stream] == nil {
			sums[stream] = map[verdict.Code]int64{}
		}
		sums[stream][verdict.Code(code)] = n
	}
	return sums, rows.Err()
}

// VerdictGroups returns the verdicts that the filter chooses, grouped by stream, mapping, code and explanation, the
// most frequent first, at most limit. The sample is of the newest object.
func (b *Objects) VerdictGroups(ctx context.Context, f ingest.VerdictFilter, limit int) ([]ingest.VerdictGroup, error) {
	where, args := verdictWhere(f)
	rows, err := b.read.QueryContext(ctx, fmt.Sprintf(`WITH g AS (SELECT o.stream, o.webhook, c.mapping, c.code, c.detail_id, sum(c.n) AS n, max(o.id) AS newest
			FROM verdict_counts c JOIN objects o ON o.id = c.object_id `+where+`
			GROUP BY o.stream, o.webhook, c.mapping, c.code, c.detail_id ORDER BY sum(c.n) DESC, o.stream, c.mapping LIMIT %d)
		SELECT g.stream, g.webhook, g.mapping, g.code, g.detail_id, coalesce(d.doc, '{}'), g.n, g.newest, o.object_key, c.first_line FROM g
		JOIN objects o ON o.id = g.newest
		JOIN verdict_counts c ON c.object_id = g.newest AND c.mapping = g.mapping AND c.code = g.code AND c.detail_id = g.detail_id
		LEFT JOIN verdict_details d ON d.id = g.detail_id ORDER BY g.n DESC, g.stream, g.mapping`, limit), args...)
	if err != nil {
		return nil, fmt.Errorf("group verdicts: %w", err)
	}
	defer rows.Close()
	var groups []ingest.VerdictGroup
	for rows.Next() {
		var g ingest.VerdictGroup
		var code int
		var doc string
		if err := rows.Scan(&g.Stream, &g.Webhook, &g.Mapping, &code, &g.DetailID, &doc, &g.N, &g.ObjectID, &g.ObjectKey, &g.Line); err != nil {
			return nil, err
		}
		g.Code, g.CodeName = verdict.Code(code), verdict.Code(code).String()
		if err := json.Unmarshal([]byte(doc), &g.Detail); err != nil {
			return nil, fmt.Errorf("read explanation: %w", err)
		}
		groups = append(groups, g)
	}
	return groups, rows.Err()
}

// RecordVerdict looks one line up in the ledger, or answers fault.NotFound.
func (b *Objects) RecordVerdict(ctx context.Context, objectID, line int64) (ingest.RecordVerdict, error) {
	o, err := b.Object(ctx, objectID)
	if err != nil {
		return ingest.RecordVerdict{}, err
	}
	var packed []byte
	err = b.read.QueryRowContext(ctx, `SELECT cells FROM verdict_chunks WHERE object_id = $1 AND first_line <= $2 AND last_line >= $2`, objectID, line).Scan(&packed)
	if errors.Is(err, sql.ErrNoRows) {
		if o.State == ingest.Done || line < 1 {
			return ingest.RecordVerdict{}, fault.Errorf(fault.NotFound, "%s has no line %d: it has lines 1 to %d", o.Key, line, o.LinesDone)
		}
		return ingest.RecordVerdict{}, fault.Errorf(fault.NotFound, "line %d of %s has no verdict yet: it is read up to line %d", line, o.Key, o.LinesDone)
	}
	if err != nil {
		return ingest.RecordVerdict{}, fmt.Errorf("read verdicts: %w", err)
	}
	rows, err := ingest.DecodeRows(packed)
	if err != nil {
		return ingest.RecordVerdict{}, err
	}
	for _, row := range rows {
		if row.Line != line {
			continue
		}
		r := ingest.RecordVerdict{Object: o, Line: line, Verdict: make([]ingest.Verdict, len(row.Cells))}
		if r.RollUp, err = b.explain(ctx, row.RollUp); err != nil {
			return r, err
		}
		for m, c := range row.Cells {
			if r.Verdict[m], err = b.explain(ctx, c); err != nil {
				return r, err
			}
		}
		return r, nil
	}
	return ingest.RecordVerdict{}, fault.Errorf(fault.NotFound, "line %d of %s is no record", line, o.Key)
}

func (b *Objects) explain(ctx context.Context, c ingest.Cell) (ingest.Verdict, error) {
	v := ingest.Verdict{Code: c.Code}
	if c.DetailID == 0 {
		return v, nil
	}
	var doc string
	if err := b.read.QueryRowContext(ctx, `SELECT doc FROM verdict_details WHERE id = $1`, c.DetailID).Scan(&doc); err != nil {
		return v, fmt.Errorf("read explanation %d: %w", c.DetailID, err)
	}
	return v, json.Unmarshal([]byte(doc), &v.Detail)
}

// VerdictPlaces lists lines whose cell of the mapping (-1: roll-up) has the code, newest objects first, at most limit.
// Without a DetailID any explanation will do; otherwise only objects whose sums have it are searched, and a line matches
// when its explanation belongs to that group.
func (b *Objects) VerdictPlaces(ctx context.Context, f ingest.VerdictFilter, limit int) ([]ingest.Place, error) {
	objects, err := b.objectsWith(ctx, f)
	if err != nil {
		return nil, err
	}
	group := ""
	if f.DetailID != nil && *f.DetailID != 0 {
		if err := b.read.QueryRowContext(ctx, `SELECT doc FROM verdict_details WHERE id = $1`, *f.DetailID).Scan(&group); err != nil {
			return nil, fmt.Errorf("read explanation %d: %w", *f.DetailID, err)
		}
	}
	match := placeMatcher{b: b, f: f, group: group, groups: map[int64]string{}}
	var found []ingest.Place
	for _, o := range objects {
		more, err := match.object(ctx, o, limit-len(found))
		if err != nil {
			return nil, err
		}
		if found = append(found, more...); len(found) >= limit {
			break
		}
	}
	return found, nil
}

// objectsWith lists the objects whose sums have such verdicts, newest first.
func (b *Objects) objectsWith(ctx context.Context, f ingest.VerdictFilter) ([]ingest.Place, error) {
	where, args := verdictWhere(f)
	rows, err := b.read.QueryContext(ctx, `SELECT DISTINCT o.id, o.object_key FROM verdict_counts c JOIN objects o ON o.id = c.object_id `+where+` ORDER BY o.id DESC`, args...)
	if err != nil {
		return nil, fmt.Errorf("find verdicts: %w", err)
	}
	defer rows.Close()
	var objects []ingest.Place
	for rows.Next() {
		var p ingest.Place
		if err := rows.Scan(&p.ObjectID, &p.ObjectKey); err != nil {
			return nil, err
		}
		objects = append(objects, p)
	}
	return objects, rows.Err()
}

type placeMatcher struct {
	b      *Objects
	f      ingest.VerdictFilter
	group  string
	groups map[int64]string // detail id → its group's text
}

func (m *placeMatcher) object(ctx context.Context, o ingest.Place, limit int) ([]ingest.Place, error) {
	rows, err := m.b.read.QueryContext(ctx, `SELECT cells FROM verdict_chunks WHERE object_id = $1 ORDER BY first_line`, o.ObjectID)
	if err != nil {
		return nil, fmt.Errorf("read verdicts: %w", err)
	}
	defer rows.Close()
	var found []ingest.Place
	for rows.Next() && len(found) < limit {
		var packed []byte
		if err := rows.Scan(&packed); err != nil {
			return nil, err
		}
		lines, err := ingest.DecodeRows(packed)
		if err != nil {
			return nil, err
		}
		for _, line := range lines {
			ok, err := m.matches(ctx, line)
			if err != nil {
				return nil, err
			}
			if ok && len(found) < limit {
				found = append(found, ingest.Place{ObjectID: o.ObjectID, ObjectKey: o.ObjectKey, Line: line.Line})
			}
		}
	}
	return found, rows.Err()
}

func (m *placeMatcher) matches(ctx context.Context, row ingest.Row) (bool, error) {
	cells := row.Cells
	switch {
	case m.f.RollUps:
		cells = []ingest.Cell{row.RollUp}
	case m.f.Mapping != nil:
		if *m.f.Mapping >= len(cells) {
			return false, nil
		}
		cells = cells[*m.f.Mapping : *m.f.Mapping+1]
	}
	for _, c := range cells {
		if m.f.Code != verdict.None && c.Code != m.f.Code {
			continue
		}
		ok, err := m.inGroup(ctx, c)
		if ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

func (m *placeMatcher) inGroup(ctx context.Context, c ingest.Cell) (bool, error) {
	if m.f.DetailID == nil || c.DetailID == *m.f.DetailID {
		return true, nil
	}
	if c.DetailID == 0 || m.group == "" {
		return false, nil
	}
	text, ok := m.groups[c.DetailID]
	if !ok {
		v, err := m.b.explain(ctx, c)
		if err != nil {
			return false, err
		}
		text = mustJSON(v.Detail.Group())
		m.groups[c.DetailID] = text
	}
	return text == m.group, nil
}

// WaitingByStream counts, by stream, the records whose entity has no flag and waits for a relation's target: the
// verdict that lies over "upserted" for as long as it does. syncID 0 means all objects.
func (b *Objects) WaitingByStream(ctx context.Context, syncID int64) (map[string]int64, error) {
	rows, err := b.read.QueryContext(ctx, `SELECT o.stream, count(DISTINCT p.entity_id) FROM pending_relations p
		JOIN entity_heads h ON h.entity_id = p.entity_id JOIN objects o ON o.id = h.object_id
		WHERE h.flags IS NULL AND (CAST($1 AS BIGINT) = 0 OR o.sync_id = $1) GROUP BY o.stream`, syncID)
	if err != nil {
		return nil, fmt.Errorf("count waiting records: %w", err)
	}
	defer rows.Close()
	waiting := map[string]int64{}
	for rows.Next() {
		var stream string
		var n int64
		if err := rows.Scan(&stream, &n); err != nil {
			return nil, err
		}
		waiting[stream] = n
	}
	return waiting, rows.Err()
}
