package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// Save implements catalog.Tx.
func (t *catalogTx) Save(ctx context.Context, batch []catalog.Saved) ([]catalog.Healed, error) {
	n, err := t.dict(ctx)
	if err != nil {
		return nil, err
	}
	parts := n.split(batch)
	var healed []catalog.Healed
	for _, step := range []func(*saving, []catalog.Saved) error{
		(*saving).insertNew, (*saving).updateChanged, (*saving).putHeads, (*saving).bury, (*saving).dropRows, (*saving).addRows, (*saving).heal, (*saving).countEntities,
	} {
		for i := range parts {
			p := &parts[i]
			if p.saving == nil {
				p.saving = &saving{catalogTx: t, ctx: ctx, in: p.in, names: n, texts: map[int64]string{}, counts: map[int64]int{}}
			}
			if err := step(p.saving, p.batch); err != nil {
				return nil, err
			}
		}
	}
	for _, p := range parts {
		healed = append(healed, p.saving.healed...)
		for i, at := range p.from {
			batch[at].State.ID = p.batch[i].State.ID
		}
	}
	return healed, nil
}

// saving is one Save under way.
type saving struct {
	*catalogTx
	ctx     context.Context //nolint:containedctx // lives as long as the call
	in      site            // of all that is saved
	names   *names
	texts   map[int64]string
	counts  map[int64]int
	created []catalog.Key
	healed  []catalog.Healed
}

// row appends an entity's columns.
func (s *saving) row(args []any, k catalog.Key, e *catalog.Entity) []any {
	return append(args,
		s.names.blueprints[k.Blueprint], k.Identifier, e.Title, e.Icon, nullable(e.Team), string(e.Properties), string(e.Relations),
		millis(e.CreatedAt), e.CreatedBy, millis(e.UpdatedAt), e.UpdatedBy, e.Source)
}

const rowKinds kinds = "ittttttititt"

const rowColumns = `blueprint_id, identifier, title, icon, team, properties, relations, created_at, created_by, updated_at, updated_by, source`

// insertNew adds entities and learns their ids.
func (s *saving) insertNew(batch []catalog.Saved) error {
	type place struct {
		blueprint  int64
		identifier string
	}
	fresh := 0
	for i := range batch {
		if b := &batch[i]; b.State.ID == 0 && !b.Remove && b.Entity != nil {
			fresh++
		}
	}
	args := make([]any, 0, fresh*len(rowKinds))
	places := make(map[place]int, fresh)
	for i := range batch {
		b := &batch[i]
		if b.State.ID != 0 || b.Remove || b.Entity == nil {
			continue
		}
		places[place{s.names.blueprints[b.Key.Blueprint], b.Key.Identifier}] = i
		args = s.row(args, b.Key, b.Entity)
		s.counts[s.names.blueprints[b.Key.Blueprint]]++
		s.created = append(s.created, b.Key)
		b.Entity.ID = -1 // inserted here: not for updateChanged
	}
	return s.eachOfRows(s.ctx, `INSERT INTO `+s.in.entities+` (`+rowColumns+`) VALUES %s RETURNING id, blueprint_id, identifier`, rowKinds, args, func(r *sql.Rows) error {
		var id int64
		var p place
		err := r.Scan(&id, &p.blueprint, &p.identifier)
		batch[places[p]].State.ID = id
		return err
	})
}

func (s *saving) updateChanged(batch []catalog.Saved) error {
	var args []any
	for i := range batch {
		b := &batch[i]
		if b.Entity == nil || b.Remove {
			continue
		}
		if b.Entity.ID != -1 {
			args = s.row(append(args, b.State.ID), b.Key, b.Entity)
		}
		b.Entity.ID = b.State.ID
	}
	return s.inRows(s.ctx, `INSERT INTO `+s.in.entities+` (id, `+rowColumns+`) VALUES %s ON CONFLICT (id) DO UPDATE SET title = excluded.title,
		icon = excluded.icon, team = excluded.team, properties = excluded.properties, relations = excluded.relations, created_at = excluded.created_at,
		created_by = excluded.created_by, updated_at = excluded.updated_at, updated_by = excluded.updated_by, source = excluded.source`, "i"+rowKinds, args)
}

func (s *saving) putHeads(batch []catalog.Saved) error {
	const columns kinds = "iiiiiiiibtt"
	args := make([]any, 0, len(columns)*len(batch))
	for i := range batch {
		b := &batch[i]
		if b.Remove || b.State.ID == 0 {
			continue
		}
		m, err := s.intern(&b.State.Head, s.texts)
		if err != nil {
			return err
		}
		var flags, older any
		if len(b.State.Flags) > 0 {
			if flags, err = text(b.State.Flags); err != nil {
				return err
			}
		}
		if b.State.Cleared != nil || len(b.State.Older) > 0 {
			if older, err = s.older(&b.State); err != nil {
				return err
			}
		}
		var digest any
		if b.State.Digest != nil {
			digest = b.State.Digest
		}
		args = append(args, b.State.ID, m.Writer, m.Generation, m.ExtractedAt, m.Key, m.Line, b.State.Origin.ObjectID, b.State.Origin.Line, digest, flags, older)
	}
	return s.inRows(s.ctx, `INSERT INTO `+s.in.heads+` (entity_id, writer_id, generation, extracted_at, key_id, line, object_id, origin_line, digest, flags, older)
		VALUES %s ON CONFLICT (entity_id) DO UPDATE SET writer_id = excluded.writer_id, generation = excluded.generation, extracted_at = excluded.extracted_at,
		key_id = excluded.key_id, line = excluded.line, object_id = excluded.object_id, origin_line = excluded.origin_line, digest = excluded.digest,
		flags = excluded.flags, older = excluded.older`, columns, args)
}

func text(v any) (string, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("write JSON: %w", err)
	}
	return string(body), nil
}

func (s *saving) older(state *catalog.State) (string, error) {
	var out olderMarks
	if state.Cleared != nil {
		m, err := s.intern(state.Cleared, s.texts)
		if err != nil {
			return "", err
		}
		out.Cleared = &m
	}
	for i := range state.Older {
		m, err := s.intern(&state.Older[i], s.texts)
		if err != nil {
			return "", err
		}
		out.Older = append(out.Older, m)
	}
	return text(out)
}

// bury removes what was deleted and keeps the tombstones, and takes away those of what came back.
func (s *saving) bury(batch []catalog.Saved) error {
	var stones []any
	for i := range batch {
		b := &batch[i]
		blueprint := s.names.blueprints[b.Key.Blueprint]
		if b.Remove {
			for _, q := range []string{
				`DELETE FROM ` + s.in.entities + ` WHERE id = $1`, `DELETE FROM ` + s.in.heads + ` WHERE entity_id = $1`,
				`DELETE FROM ` + s.in.pending + ` WHERE entity_id = $1`,
			} {
				if _, err := s.exec(s.ctx, q, b.State.ID); err != nil {
					return err
				}
			}
			s.counts[blueprint]--
		}
		if d := b.State.Deleted; d != nil {
			m, err := s.intern(d, s.texts)
			if err != nil {
				return err
			}
			stones = append(stones, blueprint, b.Key.Identifier, m.Writer, m.Generation, m.ExtractedAt, m.Key, m.Line, b.State.ID)
		}
	}
	if len(s.created) > 0 {
		buried, err := s.any(s.ctx, `SELECT 1 FROM tombstones LIMIT 1`)
		if err != nil {
			return err
		}
		if buried {
			if err := s.unbury(); err != nil {
				return err
			}
		}
	}
	if err := s.inRows(s.ctx, `INSERT INTO tombstones (blueprint_id, identifier, writer_id, generation, extracted_at, key_id, line, entity_id) VALUES %s
		ON CONFLICT (blueprint_id, identifier) DO UPDATE SET writer_id = excluded.writer_id, generation = excluded.generation,
		extracted_at = excluded.extracted_at, key_id = excluded.key_id, line = excluded.line`, "itiiiiii", stones); err != nil {
		return err
	}
	return s.putTexts(s.ctx, s.texts)
}

// unbury takes away the tombstones of what was created.
func (s *saving) unbury() error {
	places, err := s.places(s.ctx, s.created)
	if err != nil {
		return err
	}
	for blueprint, at := range places {
		err := inChunks(s.created, at, func(marks string, args []any, _ map[string]int) error {
			_, err := s.exec(s.ctx, `DELETE FROM tombstones WHERE blueprint_id = $1 AND identifier IN `+marks, append([]any{blueprint}, args...)...)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// dropRows removes relation rows that are no more, and makes wait those that pointed at what was deleted.
func (s *saving) dropRows(batch []catalog.Saved) error {
	for i := range batch {
		b := &batch[i]
		for _, ref := range b.Drop {
			rel, ok := s.names.relations[relationName{b.Key.Blueprint, ref.Relation}]
			if !ok {
				continue
			}
			for _, table := range []string{s.in.relations, s.in.pending} {
				_, err := s.exec(s.ctx, `DELETE FROM `+table+` WHERE target_blueprint_id = $1 AND target_identifier = $2 AND relation_id = $3 AND entity_id = $4`,
					s.names.blueprints[ref.Target.Blueprint], ref.Target.Identifier, rel, b.State.ID)
				if err != nil {
					return err
				}
			}
		}
	}
	for i := range batch {
		b := &batch[i]
		if !b.Remove {
			continue
		}
		for _, p := range s.names.every().tables() {
			_, err := s.exec(s.ctx, `INSERT INTO `+p.pending+` SELECT target_blueprint_id, target_identifier, relation_id, entity_id FROM `+p.relations+`
				WHERE target_blueprint_id = $1 AND target_identifier = $2 ON CONFLICT DO NOTHING`, s.names.blueprints[b.Key.Blueprint], b.Key.Identifier)
			if err != nil {
				return err
			}
		}
		b.State.ID = 0
	}
	return nil
}

// addRows adds relation rows, and notes which of them wait.
func (s *saving) addRows(batch []catalog.Saved) error {
	const width = 4
	var rows []any
	var targets []catalog.Key
	for i := range batch {
		b := &batch[i]
		for _, ref := range b.Add {
			rel, ok := s.names.relations[relationName{b.Key.Blueprint, ref.Relation}]
			target, known := s.names.blueprints[ref.Target.Blueprint]
			if !ok || !known {
				return fault.Errorf(fault.Internal, "relation %q of %q to %q is not interned", ref.Relation, b.Key.Blueprint, ref.Target.Blueprint)
			}
			rows = append(rows, target, ref.Target.Identifier, rel, b.State.ID)
			targets = append(targets, ref.Target)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	const insert = ` (target_blueprint_id, target_identifier, relation_id, entity_id) VALUES %s ON CONFLICT DO NOTHING`
	if err := s.inRows(s.ctx, `INSERT INTO `+s.in.relations+insert, "itii", rows); err != nil {
		return err
	}
	found, err := s.Present(s.ctx, targets)
	if err != nil {
		return err
	}
	var waiting []any
	for i, target := range targets {
		if !found[target] {
			waiting = append(waiting, rows[i*width:(i+1)*width]...)
		}
	}
	return s.inRows(s.ctx, `INSERT INTO `+s.in.pending+insert, "itii", waiting)
}

// maxHealed bounds how many healed relations one Save names; all heal.
const maxHealed = 10_000

// heal takes new entities off the waiting list.
func (s *saving) heal([]catalog.Saved) error {
	if len(s.created) == 0 {
		return nil
	}
	if waiting, err := s.waiting(s.ctx); err != nil || !waiting {
		return err
	}
	places, err := s.places(s.ctx, s.created)
	if err != nil {
		return err
	}
	for blueprint, at := range places {
		err := inChunks(s.created, at, func(marks string, args []any, place map[string]int) error {
			args = append([]any{blueprint}, args...)
			const where = ` WHERE p.target_blueprint_id = $1 AND p.target_identifier IN `
			for _, in := range s.names.every().tables() {
				err := s.each(s.ctx, fmt.Sprintf(`SELECT p.target_identifier, p.relation_id, e.identifier FROM `+in.pending+` p
					JOIN `+in.entities+` e ON e.id = p.entity_id`+where+marks+` LIMIT %d`, maxHealed-len(s.healed)), args, func(r *sql.Rows) error {
					var target, referrer string
					var relation int64
					err := r.Scan(&target, &relation, &referrer)
					name := s.names.relation[relation]
					s.healed = append(s.healed, catalog.Healed{Target: s.created[place[target]], Referrer: catalog.Key{Blueprint: name.blueprint, Identifier: referrer}, Relation: name.name})
					return err
				})
				if err != nil {
					return err
				}
				if _, err := s.exec(s.ctx, `DELETE FROM `+in.pending+` AS p`+where+marks, args...); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *saving) countEntities([]catalog.Saved) error {
	for blueprint, n := range s.counts {
		if n == 0 {
			continue
		}
		if _, err := s.exec(s.ctx, `UPDATE blueprints SET entities = entities + $1 WHERE id = $2`, n, blueprint); err != nil {
			return err
		}
	}
	return nil
}

// PendingOf implements catalog.Tx.
func (t *catalogTx) PendingOf(ctx context.Context, ids []int64) (map[int64][]catalog.Pending, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	if waiting, err := t.waiting(ctx); err != nil || !waiting {
		return nil, err
	}
	n, err := t.dict(ctx)
	if err != nil {
		return nil, err
	}
	out := map[int64][]catalog.Pending{}
	for p, some := range byPlace(ids) {
		if err := t.pendingOf(ctx, n, p, some, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (t *catalogTx) pendingOf(ctx context.Context, n *names, p site, ids []int64, out map[int64][]catalog.Pending) error {
	for len(ids) > 0 {
		args := make([]any, 0, chunkKeys)
		for _, id := range ids[:min(len(ids), chunkKeys)] {
			args = append(args, id)
		}
		ids = ids[len(args):]
		for size := 1; ; size *= 4 {
			if size >= len(args) {
				for len(args) < size {
					args = append(args, args[0])
				}
				break
			}
		}
		err := t.each(ctx, `SELECT entity_id, relation_id, target_blueprint_id, target_identifier FROM `+p.pending+` WHERE entity_id IN `+list(1, len(args)), args, func(r *sql.Rows) error {
			var id, relation, target int64
			var identifier string
			err := r.Scan(&id, &relation, &target, &identifier)
			out[id] = append(out[id], catalog.Pending{Relation: n.relation[relation].name, Blueprint: n.blueprint[target], Identifier: identifier})
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, list := range out {
		slices.SortFunc(list, func(a, b catalog.Pending) int {
			return cmp.Or(cmp.Compare(a.Relation, b.Relation), cmp.Compare(a.Blueprint, b.Blueprint), cmp.Compare(a.Identifier, b.Identifier))
		})
	}
	return nil
}
