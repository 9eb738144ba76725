package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strings"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// Inverse implements catalog.View.
func (t *catalogTx) Inverse(ctx context.Context, blueprint, relation, target string, identifiers []string) (map[string][]string, error) {
	out := map[string][]string{}
	rel, err := t.relationID(ctx, blueprint, relation)
	if fault.Is(err, fault.NotFound) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	keys := make([]catalog.Key, len(identifiers))
	for i, id := range identifiers {
		keys[i] = catalog.Key{Blueprint: target, Identifier: id}
	}
	places, err := t.places(ctx, keys)
	if err != nil {
		return nil, err
	}
	in := t.known.ofRelation(rel)
	for id, at := range places {
		err := inChunks(keys, at, func(marks string, args []any, _ map[string]int) error {
			args = append(append([]any{id}, args...), rel)
			return t.each(ctx, `SELECT r.target_identifier, e.identifier FROM `+in.relations+` r JOIN `+in.entities+` e ON e.id = r.entity_id
				WHERE r.target_blueprint_id = $1 AND r.target_identifier IN `+marks+` AND r.relation_id = `+placeholder(len(args)), args, func(r *sql.Rows) error {
				var named, from string
				err := r.Scan(&named, &from)
				out[named] = append(out[named], from)
				return err
			})
		})
		if err != nil {
			return nil, err
		}
	}
	for _, list := range out {
		slices.Sort(list)
	}
	return out, nil
}

// Referrers implements catalog.View.
func (t *catalogTx) Referrers(ctx context.Context, target catalog.Key, blueprint, relation string, after int64, limit int) ([]catalog.Entity, error) {
	id, err := t.blueprintID(ctx, target.Blueprint)
	if err != nil {
		return nil, err
	}
	rel, err := t.relationID(ctx, blueprint, relation)
	if err != nil {
		return nil, err
	}
	in := t.known.ofRelation(rel)
	return t.entities(ctx, `SELECT `+entityColumns+` FROM `+in.relations+` r JOIN `+in.entities+` e ON e.id = r.entity_id JOIN `+in.heads+` h ON h.entity_id = e.id
		WHERE r.target_blueprint_id = $1 AND r.target_identifier = $2 AND r.relation_id = $3 AND r.entity_id > $4 ORDER BY r.entity_id LIMIT $5`,
		id, target.Identifier, rel, after, limit)
}

// ReferrerCounts implements catalog.View.
func (t *catalogTx) ReferrerCounts(ctx context.Context, target catalog.Key) ([]catalog.ReferrerCount, error) {
	n, err := t.dict(ctx)
	if err != nil {
		return nil, err
	}
	id, ok := n.blueprints[target.Blueprint]
	if !ok {
		return nil, nil
	}
	var out []catalog.ReferrerCount
	err = t.each(ctx, `SELECT relation_id, count(*) FROM `+n.every().relations+` WHERE target_blueprint_id = $1 AND target_identifier = $2 GROUP BY relation_id`,
		[]any{id, target.Identifier}, func(r *sql.Rows) error {
			var rel int64
			var c catalog.ReferrerCount
			err := r.Scan(&rel, &c.Count)
			c.Blueprint, c.Relation = n.relation[rel].blueprint, n.relation[rel].name
			out = append(out, c)
			return err
		})
	slices.SortFunc(out, func(a, b catalog.ReferrerCount) int {
		return strings.Compare(a.Blueprint+"\x00"+a.Relation, b.Blueprint+"\x00"+b.Relation)
	})
	return out, err
}

// Pending implements catalog.View.
func (t *catalogTx) Pending(ctx context.Context, samples int) (catalog.PendingReport, error) {
	var report catalog.PendingReport
	n, err := t.dict(ctx)
	if err != nil {
		return report, err
	}
	var relations []int64
	err = t.each(ctx, `SELECT relation_id, min(target_blueprint_id), count(*) FROM `+n.every().pending+` GROUP BY relation_id ORDER BY relation_id`, nil, func(r *sql.Rows) error {
		var rel, target int64
		var g catalog.PendingGroup
		err := r.Scan(&rel, &target, &g.Count)
		g.Blueprint, g.Relation, g.Target = n.relation[rel].blueprint, n.relation[rel].name, n.blueprint[target]
		report.Count += g.Count
		report.Groups = append(report.Groups, g)
		relations = append(relations, rel)
		return err
	})
	if err != nil {
		return report, err
	}
	for i, rel := range relations {
		in := n.ofRelation(rel)
		err := t.each(ctx, `SELECT e.identifier, p.target_identifier FROM `+in.pending+` p JOIN `+in.entities+` e ON e.id = p.entity_id
			WHERE p.relation_id = $1 LIMIT $2`, []any{rel, samples}, func(r *sql.Rows) error {
			var s catalog.PendingSample
			err := r.Scan(&s.Identifier, &s.Target)
			report.Groups[i].Samples = append(report.Groups[i].Samples, s)
			return err
		})
		if err != nil {
			return report, err
		}
	}
	for _, waits := range n.every().tables() {
		for _, there := range n.every().tables() {
			var found int64
			err = t.row(ctx, `SELECT count(*) FROM `+waits.pending+` p JOIN `+there.entities+` e ON e.blueprint_id = p.target_blueprint_id AND e.identifier = p.target_identifier`, nil, &found)
			if err != nil {
				return report, err
			}
			report.Resolvable += found
		}
	}
	return report, nil
}

// Rename implements catalog.Tx.
func (t *catalogTx) Rename(ctx context.Context, key catalog.Key, to string) error {
	e, err := t.Entity(ctx, key)
	if err != nil {
		return err
	}
	id, err := t.blueprintID(ctx, key.Blueprint)
	if err != nil {
		return err
	}
	counts, err := t.ReferrerCounts(ctx, key)
	if err != nil {
		return err
	}
	for _, c := range counts {
		for after := int64(0); ; {
			list, err := t.Referrers(ctx, key, c.Blueprint, c.Relation, after, chunkKeys)
			if err != nil {
				return err
			}
			if len(list) == 0 {
				break
			}
			for _, r := range list {
				after = r.ID
				relations, err := renamed(r.Relations, c.Relation, key.Identifier, to)
				if err != nil {
					return err
				}
				if _, err := t.exec(ctx, `UPDATE `+placeOfID(r.ID).entities+` SET relations = $1 WHERE id = $2`, relations, r.ID); err != nil {
					return err
				}
				if _, err := t.exec(ctx, `UPDATE `+placeOfID(r.ID).heads+` SET digest = NULL WHERE entity_id = $1`, r.ID); err != nil {
					return err
				}
			}
		}
	}
	queries := []string{`UPDATE ` + placeOfID(e.ID).entities + ` SET identifier = $1 WHERE blueprint_id = $2 AND identifier = $3`}
	for _, p := range t.known.every().tables() {
		queries = append(queries, `UPDATE `+p.relations+` SET target_identifier = $1 WHERE target_blueprint_id = $2 AND target_identifier = $3`,
			`DELETE FROM `+p.pending+` WHERE target_identifier = $1 AND target_blueprint_id = $2 AND $3 = $3`)
	}
	for _, q := range queries {
		if _, err := t.exec(ctx, q, to, id, key.Identifier); err != nil {
			return err
		}
	}
	if err := t.renamedInHistory(ctx, name{blueprint: key.Blueprint, identifier: to}, name{blueprint: key.Blueprint, identifier: key.Identifier}); err != nil {
		return err
	}
	if _, err := t.exec(ctx, `UPDATE `+placeOfID(e.ID).heads+` SET digest = NULL WHERE entity_id = $1`, e.ID); err != nil {
		return err
	}
	_, err = t.exec(ctx, `DELETE FROM tombstones WHERE blueprint_id = $1 AND identifier = $2`, id, to)
	return err
}

// renamed replaces one identifier in one relation.
func renamed(relations json.RawMessage, relation, from, to string) (string, error) {
	var all map[string]any
	if err := json.Unmarshal(relations, &all); err != nil {
		return "", err
	}
	switch v := all[relation].(type) {
	case string:
		if v == from {
			all[relation] = to
		}
	case []any:
		for i := range v {
			if v[i] == from {
				v[i] = to
			}
		}
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(all)
	return strings.TrimSpace(b.String()), err
}
