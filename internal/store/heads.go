package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/zeebo/xxh3"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// mark is a Stamp as rows and the JSON of older ones hold it.
type mark struct {
	Writer      int64 `json:"w"`
	Generation  int64 `json:"g,omitempty"`
	ExtractedAt int64 `json:"t,omitempty"`
	Key         int64 `json:"k,omitempty"`
	Line        int64 `json:"l,omitempty"`
}

// olderMarks is the column entity_heads.older.
type olderMarks struct {
	Cleared *mark  `json:"cleared,omitempty"`
	Older   []mark `json:"older,omitempty"`
}

// intern returns the mark of a stamp, and notes the texts that must be stored for it.
func (t *catalogTx) intern(s *catalog.Stamp, texts map[int64]string) (mark, error) {
	w := writer{s.Lane, s.Stream, s.Fields}
	h := xxh3.New()
	_, _ = h.WriteString(string(w.Lane))
	_, _ = h.WriteString("\x00" + w.Stream)
	for _, f := range w.Fields {
		_, _ = h.WriteString("\x00" + f)
	}
	m := mark{int64(h.Sum64() >> 1), s.Version.Generation, s.Version.ExtractedAt, 0, s.Version.Line}
	if texts[m.Writer] == "" {
		body, err := json.Marshal(w)
		if err != nil {
			return m, fmt.Errorf("write a stamp: %w", err)
		}
		texts[m.Writer] = string(body)
	}
	if s.Version.ObjectKey != "" {
		m.Key = int64(xxh3.HashString(s.Version.ObjectKey) >> 1)
		texts[m.Key] = s.Version.ObjectKey
	}
	return m, nil
}

// putTexts stores interned texts. Those that are there already stay.
func (t *catalogTx) putTexts(ctx context.Context, texts map[int64]string) error {
	args := make([]any, 0, 2*len(texts))
	for id, body := range texts {
		args = append(args, id, body)
	}
	return t.inRows(ctx, `INSERT INTO texts (id, body) VALUES %s ON CONFLICT (id) DO NOTHING`, "it", args)
}

// text reads an interned text.
func (t *catalogTx) text(ctx context.Context, id int64) (string, error) {
	var body string
	if err := t.row(ctx, `SELECT body FROM texts WHERE id = $1`, []any{id}, &body); err != nil {
		return "", fmt.Errorf("read interned text %d: %w", id, err)
	}
	return body, nil
}

// stamp reads a mark.
func (t *catalogTx) stamp(ctx context.Context, m mark) (catalog.Stamp, error) {
	var s catalog.Stamp
	c := t.texts
	c.Lock()
	w, known := c.writers[m.Writer]
	key, knownKey := c.keys[m.Key]
	c.Unlock()
	if !known {
		body, err := t.text(ctx, m.Writer)
		if err != nil {
			return s, err
		}
		if err := json.Unmarshal([]byte(body), &w); err != nil {
			return s, fmt.Errorf("read a stamp: %w", err)
		}
	}
	if !knownKey && m.Key != 0 {
		var err error
		if key, err = t.text(ctx, m.Key); err != nil {
			return s, err
		}
	}
	if !known || !knownKey {
		c.Lock()
		if len(c.writers) > maxCachedTexts {
			clear(c.writers)
		}
		if len(c.keys) > maxCachedTexts {
			clear(c.keys)
		}
		c.writers[m.Writer], c.keys[m.Key] = w, key
		c.Unlock()
	}
	s = catalog.Stamp{
		Lane: w.Lane, Stream: w.Stream, Fields: w.Fields,
		Version: catalog.Version{Generation: m.Generation, ExtractedAt: m.ExtractedAt, ObjectKey: key, Line: m.Line},
	}
	return s, nil
}

// headRow is a row of entity_heads.
type headRow struct {
	mark
	object, line int64
	digest       []byte
	flags, older sql.NullString
}

const headColumns = `h.writer_id, h.generation, h.extracted_at, h.key_id, h.line, h.object_id, h.origin_line, h.digest, h.flags, h.older`

func (h *headRow) into() []any {
	return []any{&h.Writer, &h.Generation, &h.ExtractedAt, &h.Key, &h.mark.Line, &h.object, &h.line, &h.digest, &h.flags, &h.older}
}

func (t *catalogTx) state(ctx context.Context, id int64, h *headRow) (catalog.State, error) {
	s := catalog.State{ID: id, Digest: h.digest}
	var err error
	if s.Head, err = t.stamp(ctx, h.mark); err != nil {
		return s, err
	}
	s.Origin = catalog.Origin{ObjectID: h.object, Line: h.line, Stream: s.Head.Stream}
	if h.flags.Valid {
		if err := json.Unmarshal([]byte(h.flags.String), &s.Flags); err != nil {
			return s, fmt.Errorf("read flags of entity %d: %w", id, err)
		}
	}
	if !h.older.Valid {
		return s, nil
	}
	var older olderMarks
	if err := json.Unmarshal([]byte(h.older.String), &older); err != nil {
		return s, fmt.Errorf("read older changes of entity %d: %w", id, err)
	}
	if older.Cleared != nil {
		cleared, err := t.stamp(ctx, *older.Cleared)
		if err != nil {
			return s, err
		}
		s.Cleared = &cleared
	}
	for _, m := range older.Older {
		stamp, err := t.stamp(ctx, m)
		if err != nil {
			return s, err
		}
		s.Older = append(s.Older, stamp)
	}
	return s, nil
}

// States implements catalog.Tx.
func (t *catalogTx) States(ctx context.Context, keys []catalog.Key) ([]catalog.State, error) {
	states := make([]catalog.State, len(keys))
	places, err := t.places(ctx, keys)
	if err != nil {
		return nil, err
	}
	buried, err := t.any(ctx, `SELECT 1 FROM tombstones LIMIT 1`)
	if err != nil {
		return nil, err
	}
	for blueprint, at := range places {
		in := t.known.of(blueprint)
		err := inChunks(keys, at, func(marks string, args []any, place map[string]int) error {
			type row struct {
				at, id int64
				headRow
			}
			var rows []row // read whole first: stamps ask the same connection
			err := t.each(ctx, `SELECT e.identifier, e.id, `+headColumns+in.joined()+`
				WHERE e.blueprint_id = $1 AND e.identifier IN `+marks, append([]any{blueprint}, args...), func(r *sql.Rows) error {
				var h row
				var identifier string
				err := r.Scan(append([]any{&identifier, &h.id}, h.into()...)...)
				h.at = int64(place[identifier])
				rows = append(rows, h)
				return err
			})
			if err != nil {
				return err
			}
			for i := range rows {
				if states[rows[i].at], err = t.state(ctx, rows[i].id, &rows[i].headRow); err != nil {
					return err
				}
			}
			if !buried || len(rows) == len(args) {
				return nil
			}
			return t.graves(ctx, blueprint, marks, args, place, states)
		})
		if err != nil {
			return nil, err
		}
	}
	return states, nil
}

// graves adds tombstones to states.
func (t *catalogTx) graves(ctx context.Context, blueprint int64, marks string, args []any, place map[string]int, states []catalog.State) error {
	found := map[int]mark{}
	err := t.each(ctx, `SELECT identifier, writer_id, generation, extracted_at, key_id, line FROM tombstones
		WHERE blueprint_id = $1 AND identifier IN `+marks, append([]any{blueprint}, args...), func(r *sql.Rows) error {
		var identifier string
		var m mark
		err := r.Scan(&identifier, &m.Writer, &m.Generation, &m.ExtractedAt, &m.Key, &m.Line)
		found[place[identifier]] = m
		return err
	})
	if err != nil {
		return err
	}
	for at, m := range found {
		s, err := t.stamp(ctx, m)
		if err != nil {
			return err
		}
		if states[at].ID == 0 {
			states[at].Deleted = &s
		}
	}
	return nil
}

// places groups keys by the id of their blueprint. Keys of blueprints that are not known are left out.
func (t *catalogTx) places(ctx context.Context, keys []catalog.Key) (map[int64][]int, error) {
	n, err := t.dict(ctx)
	if err != nil {
		return nil, err
	}
	places := map[int64][]int{}
	for i, k := range keys {
		if id, ok := n.blueprints[k.Blueprint]; ok {
			places[id] = append(places[id], i)
		}
	}
	return places, nil
}

// inChunks calls fn for at most chunkKeys identifiers at a time: with their placeholders from $2 on, their values, and
// where each stands in keys. Chunks are padded to a few sizes, so that few statements need preparing.
func inChunks(keys []catalog.Key, at []int, fn func(marks string, args []any, place map[string]int) error) error {
	for len(at) > 0 {
		n := min(len(at), chunkKeys)
		args := make([]any, 0, n)
		place := make(map[string]int, n)
		for _, i := range at[:n] {
			if _, twice := place[keys[i].Identifier]; !twice {
				args = append(args, keys[i].Identifier)
			}
			place[keys[i].Identifier] = i
		}
		size := 1
		for size < len(args) {
			size *= 4
		}
		size = min(size, chunkKeys)
		padded := args
		for len(padded) < size {
			padded = append(padded, args[0])
		}
		if err := fn(list(2, size), padded, place); err != nil {
			return err
		}
		at = at[n:]
	}
	return nil
}

// Present implements catalog.Tx.
func (t *catalogTx) Present(ctx context.Context, keys []catalog.Key) (map[catalog.Key]bool, error) {
	found := map[catalog.Key]bool{}
	places, err := t.places(ctx, keys)
	if err != nil {
		return nil, err
	}
	for blueprint, at := range places {
		err := inChunks(keys, at, func(marks string, args []any, place map[string]int) error {
			return t.each(ctx, `SELECT identifier FROM `+t.known.of(blueprint).entities+` WHERE blueprint_id = $1 AND identifier IN `+marks,
				append([]any{blueprint}, args...), func(r *sql.Rows) error {
					var identifier string
					err := r.Scan(&identifier)
					found[keys[place[identifier]]] = true
					return err
				})
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

const entityColumns = `e.id, e.blueprint_id, e.identifier, e.title, e.icon, e.team, e.properties, e.relations, e.created_at, e.created_by,
	e.updated_at, e.updated_by, e.source, ` + headColumns

// entities runs a query for entityColumns.
func (t *catalogTx) entities(ctx context.Context, query string, args ...any) ([]catalog.Entity, error) {
	n, err := t.dict(ctx)
	if err != nil {
		return nil, err
	}
	var out []catalog.Entity
	var heads []headRow
	err = t.each(ctx, query, args, func(r *sql.Rows) error {
		var e catalog.Entity
		var h headRow
		var blueprint, created, updated int64
		var team sql.NullString
		var properties, relations []byte
		err := r.Scan(append([]any{
			&e.ID, &blueprint, &e.Identifier, &e.Title, &e.Icon, &team, &properties, &relations, &created, &e.CreatedBy,
			&updated, &e.UpdatedBy, &e.Source,
		}, h.into()...)...)
		e.Blueprint = n.blueprint[blueprint]
		e.Properties, e.Relations = properties, relations
		if team.Valid {
			e.Team = json.RawMessage(team.String)
		}
		e.CreatedAt, e.UpdatedAt = fromMillis(created), fromMillis(updated)
		out = append(out, e)
		heads = append(heads, h)
		return err
	})
	if err != nil {
		return nil, err
	}
	for i := range out {
		s, err := t.state(ctx, out[i].ID, &heads[i])
		if err != nil {
			return nil, err
		}
		out[i].Flags, out[i].Lane, out[i].Version, out[i].Origin = s.Flags, s.Head.Lane, s.Head.Version, s.Origin
	}
	return out, nil
}

// Load implements catalog.Tx.
func (t *catalogTx) Load(ctx context.Context, ids []int64) (map[int64]catalog.Entity, error) {
	out := make(map[int64]catalog.Entity, len(ids))
	for p, some := range byPlace(ids) {
		if err := t.load(ctx, p, some, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (t *catalogTx) load(ctx context.Context, p site, ids []int64, out map[int64]catalog.Entity) error {
	for len(ids) > 0 {
		n := min(len(ids), chunkKeys)
		args := make([]any, 0, chunkKeys)
		for _, id := range ids[:n] {
			args = append(args, id)
		}
		size := 1
		for size < n {
			size *= 4
		}
		for len(args) < size {
			args = append(args, args[0])
		}
		list, err := t.entities(ctx, `SELECT `+entityColumns+p.joined()+`WHERE e.id IN `+list(1, size), args...)
		if err != nil {
			return err
		}
		for _, e := range list {
			out[e.ID] = e
		}
		ids = ids[n:]
	}
	return nil
}

// Entity implements catalog.View.
func (t *catalogTx) Entity(ctx context.Context, key catalog.Key) (catalog.Entity, error) {
	notFound := fault.Errorf(fault.NotFound, "entity %q of blueprint %q was not found", key.Identifier, key.Blueprint)
	id, err := t.blueprintID(ctx, key.Blueprint)
	if err != nil {
		return catalog.Entity{}, err
	}
	list, err := t.entities(ctx, `SELECT `+entityColumns+t.known.of(id).joined()+`WHERE e.blueprint_id = $1 AND e.identifier = $2`, id, key.Identifier)
	if err != nil {
		return catalog.Entity{}, err
	}
	if len(list) == 0 {
		return catalog.Entity{}, notFound
	}
	return list[0], nil
}

// Each implements catalog.View.
func (t *catalogTx) Each(ctx context.Context, blueprint string, chunk int, fn func([]catalog.Entity) error) error {
	id, err := t.blueprintID(ctx, blueprint)
	if err != nil {
		return err
	}
	for after := ""; ; {
		list, err := t.entities(ctx, `SELECT `+entityColumns+t.known.of(id).joined()+`WHERE e.blueprint_id = $1 AND e.identifier > $2 ORDER BY e.identifier LIMIT $3`, id, after, chunk)
		if err != nil || len(list) == 0 {
			return err
		}
		after = list[len(list)-1].Identifier
		if err := fn(list); err != nil {
			return err
		}
	}
}
