package store

import (
	"bytes"
	"context"
	"database/sql"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"longshore/internal/catalog"
)

const historyColumns = `id, at, kind, action, status, blueprint, identifier, actor, source, run_id, object_id, line, message, before, after, data`

// AddHistory implements catalog.Tx. Rows get their ids here, one after the other: writers of the catalog take turns, on
// both databases, and each leaves the chain's end for the next.
func (t *catalogTx) AddHistory(ctx context.Context, entries []catalog.AuditEntry) error {
	if len(entries) == 0 {
		return nil
	}
	const columns kinds = "iitttttttt" + "iitttt" + "b"
	var link chainLink
	var last int64
	var hash []byte
	if err := t.row(ctx, `SELECT last_id, last_hash FROM history_chain WHERE id = 1`, nil, &last, &hash); err != nil {
		return err
	}
	copy(link.hash[:], hash)
	hashes := make([]byte, 0, len(entries)*len(link.hash)) // never moved: rows hold parts of it
	args := make([]any, 0, len(columns)*min(len(entries), 1024))
	send := func() error {
		defer func() { args = args[:0] }()
		return t.inRows(ctx, `INSERT INTO history (`+historyColumns+`, hash) VALUES %s`, columns, args)
	}
	for i := range entries {
		e := &entries[i]
		if e.Status == "" {
			e.Status = catalog.Success
		}
		last++
		e.ID = last
		holdable(e)
		link.add(e)
		hashes = append(hashes, link.hash[:]...)
		args = append(args, e.ID, millis(e.At), e.Kind, e.Action, e.Status, e.Blueprint, e.Identifier, e.Actor, e.Source, e.RunID, e.Origin.ObjectID, e.Origin.Line,
			e.Message, nullable(e.Before), nullable(e.After), nullable(e.Data), hashes[len(hashes)-len(link.hash):])
		if len(args) == cap(args) {
			if err := send(); err != nil {
				return err
			}
		}
	}
	if err := send(); err != nil {
		return err
	}
	_, err := t.exec(ctx, `UPDATE history_chain SET last_id = $1, last_hash = $2 WHERE id = 1`, last, link.hash[:])
	return err
}

// holdable makes an entry's texts such as every database holds them, before they are hashed: an error that it tells of may
// quote anything.
func holdable(e *catalog.AuditEntry) {
	for _, s := range [...]*string{&e.Kind, &e.Action, &e.Status, &e.Blueprint, &e.Identifier, &e.Actor, &e.Source, &e.RunID, &e.Message} {
		*s = plainText(*s)
	}
	for _, raw := range [...]*[]byte{&e.Before, &e.After, &e.Data} {
		if bytes.IndexByte(*raw, 0) >= 0 || !utf8.Valid(*raw) {
			*raw = []byte(plainText(string(*raw)))
		}
	}
}

// History implements catalog.View.
func (t *catalogTx) History(ctx context.Context, f catalog.HistoryFilter) ([]catalog.AuditEntry, error) {
	w := where{}
	if err := t.underNames(ctx, &w, f); err != nil {
		return nil, err
	}
	if f.Kind != "" {
		w.add("kind = ", f.Kind)
	}
	w.in("kind IN ", f.Kinds)
	w.in("kind NOT IN ", f.ExceptKinds)
	if (f.Kind != "" && f.Kind != "entity") || (len(f.Kinds) > 0 && !slices.Contains(f.Kinds, "entity")) {
		w.say("kind <> 'entity'") // so that the index of what is no entity's answers
	}
	switch f.Status {
	case catalog.AnyStatus:
	case catalog.Failure:
		w.say("status = 'FAILURE'")
	default:
		w.say("status = 'SUCCESS'")
	}
	if f.Reads {
		w.say("action = 'READ'")
	} else {
		w.say("action <> 'READ'")
	}
	if f.Action != "" {
		w.add("action = ", f.Action)
	}
	if err := t.exceptNames(ctx, &w, f.ExceptBlueprints); err != nil {
		return nil, err
	}
	if f.EntitiesOf != nil {
		if err := t.onlyEntitiesOf(ctx, &w, f.EntitiesOf); err != nil {
			return nil, err
		}
	}
	w.in("actor IN ", f.Actors)
	w.in("actor NOT IN ", f.ExceptActors)
	if f.RunID != "" {
		w.say("run_id <> ''") // so that the index of entries with a run answers
		w.add("run_id = ", f.RunID)
	}
	w.sources(f.Sources)
	if f.PresentEntities {
		w.say(`(kind <> 'entity' OR EXISTS (SELECT 1 FROM blueprint_names n JOIN entities e ON e.blueprint_id = n.id WHERE n.name = blueprint AND e.identifier = history.identifier)
			OR EXISTS (SELECT 1 FROM blueprint_names n JOIN event_entities e ON e.blueprint_id = n.id WHERE n.name = blueprint AND e.identifier = history.identifier))`)
	}
	for _, m := range []struct {
		condition string
		value     int64
	}{{"object_id = ", f.Origin.ObjectID}, {"line = ", f.Origin.Line}, {"id = ", f.ID}, {"id < ", f.Before}, {"id > ", f.After}} {
		if m.value != 0 {
			w.add(m.condition, m.value)
		}
	}
	if !f.From.IsZero() {
		w.add("at >= ", millis(f.From))
	}
	if !f.To.IsZero() {
		w.add("at <= ", millis(f.To))
	}
	query := `SELECT ` + historyColumns + ` FROM history WHERE ` + strings.Join(w.conditions, " AND ")
	if f.OldestFirst {
		query += ` ORDER BY id`
	} else {
		query += ` ORDER BY id DESC`
	}
	w.args = append(w.args, f.Limit)
	query += ` LIMIT ` + placeholder(len(w.args))
	var out []catalog.AuditEntry
	err := t.each(ctx, query, w.args, func(r *sql.Rows) error {
		e, err := scanHistory(r)
		out = append(out, e)
		return err
	})
	return out, err
}

func scanHistory(r *sql.Rows, more ...any) (catalog.AuditEntry, error) {
	var e catalog.AuditEntry
	var at int64
	err := r.Scan(append([]any{
		&e.ID, &at, &e.Kind, &e.Action, &e.Status, &e.Blueprint, &e.Identifier, &e.Actor, &e.Source, &e.RunID, &e.Origin.ObjectID, &e.Origin.Line,
		&e.Message, &e.Before, &e.After, &e.Data,
	}, more...)...)
	e.At = fromMillis(at)
	return e, err
}

// where gathers the conditions of a query.
type where struct {
	conditions []string
	args       []any
}

// say adds a condition of this program's own words.
func (w *where) say(condition string) { w.conditions = append(w.conditions, condition) }

// add adds a condition that ends with a value.
func (w *where) add(condition string, value any) {
	w.args = append(w.args, value)
	w.say(condition + placeholder(len(w.args)))
}

// in adds a condition that ends with a list, unless that is empty.
func (w *where) in(condition string, values []string) {
	if len(values) == 0 {
		return
	}
	w.say(condition + list(len(w.args)+1, len(values)))
	for _, v := range values {
		w.args = append(w.args, v)
	}
}

// sources adds that the source fits one of the matches.
func (w *where) sources(matches []catalog.SourceMatch) {
	var any []string
	for _, m := range matches {
		both := []string{}
		for _, like := range []string{likePrefix(m.Prefix), likePart(m.Part)} {
			if like != "%" {
				w.args = append(w.args, like)
				both = append(both, `source LIKE `+placeholder(len(w.args))+` ESCAPE '\'`)
			}
		}
		if len(both) == 0 {
			continue
		}
		text := `(` + strings.Join(both, " AND ") + `)`
		if m.Not {
			text = `NOT ` + text
		}
		any = append(any, text)
	}
	if len(any) > 0 {
		w.say(`(` + strings.Join(any, " OR ") + `)`)
	}
}

func likePrefix(text string) string { return escapeLike(text) + "%" }

func likePart(text string) string {
	if text == "" {
		return "%"
	}
	return "%" + escapeLike(text) + "%"
}

func escapeLike(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}

// name is what a blueprint or an entity is, or was, called, between two rows of the history.
type name struct {
	blueprint, identifier string
	since, until          int64
}

// maxNames bounds the former names that are looked through.
const maxNames = 32

// underNames adds that the blueprint and the identifier are the filter's, or were what these are now at that time.
func (t *catalogTx) underNames(ctx context.Context, w *where, f catalog.HistoryFilter) error {
	switch {
	case f.Blueprint == "" && f.Identifier == "":
		return nil
	case f.Blueprint == "":
		w.add("identifier = ", f.Identifier)
		return nil
	}
	names, err := t.formerNames(ctx, name{f.Blueprint, f.Identifier, 0, math.MaxInt64})
	if err != nil {
		return err
	}
	w.say(w.under(names))
	return nil
}

// exceptNames adds that the blueprint is none of these, nor was one of them at that time.
func (t *catalogTx) exceptNames(ctx context.Context, w *where, blueprints []string) error {
	w.in("blueprint NOT IN ", blueprints)
	for _, b := range blueprints {
		names, err := t.formerNames(ctx, name{b, "", 0, math.MaxInt64})
		if err != nil {
			return err
		}
		if len(names) > 1 {
			w.say(`NOT ` + w.under(names[1:]))
		}
	}
	return nil
}

// onlyEntitiesOf adds that a row which is about an entity is about one of these blueprints, as it is now and was called
// before; not about one of that name that was deleted.
func (t *catalogTx) onlyEntitiesOf(ctx context.Context, w *where, blueprints []string) error {
	var changes []name // what bore the name identifier bore blueprint from until on, "" when it was deleted
	err := t.each(ctx, `SELECT blueprint, old_blueprint, until FROM history_names WHERE identifier = '' AND old_identifier = '' ORDER BY until`, nil, func(r *sql.Rows) error {
		var n name
		err := r.Scan(&n.blueprint, &n.identifier, &n.until)
		changes = append(changes, n)
		return err
	})
	if err != nil {
		return err
	}
	var plain []string // without a past
	var names []name
	for _, b := range blueprints {
		all := livesOf(b, changes)
		if len(all) == 1 && all[0].since == 0 {
			plain = append(plain, b)
		} else {
			names = append(names, all...)
		}
	}
	condition := "kind <> 'entity'"
	if len(plain) > 0 {
		condition += ` OR blueprint IN ` + list(len(w.args)+1, len(plain))
		for _, b := range plain {
			w.args = append(w.args, b)
		}
	}
	if len(names) > 0 {
		condition += ` OR ` + w.under(names)
	}
	w.say(`(` + condition + `)`)
	return nil
}

// livesOf returns the names that a blueprint has had, each with the rows between which it bore it.
func livesOf(blueprint string, changes []name) []name {
	lives := []name{{blueprint, "", 0, math.MaxInt64}}
	for i := 0; i < len(lives) && len(lives) < maxNames; i++ {
		n := &lives[i]
		for _, c := range changes {
			if c.identifier == n.blueprint && c.until < n.until {
				n.since = max(n.since, c.until)
			}
		}
		for _, c := range changes {
			if c.blueprint == n.blueprint && c.until <= n.until && c.until > n.since {
				lives = append(lives, name{c.identifier, "", 0, c.until})
			}
		}
	}
	return lives
}

// under is the condition that a row bears one of the names.
func (w *where) under(names []name) string {
	var any []string
	for _, n := range names {
		w.args = append(w.args, n.blueprint)
		text := `blueprint = ` + placeholder(len(w.args))
		if n.identifier != "" {
			w.args = append(w.args, n.identifier)
			text += ` AND identifier = ` + placeholder(len(w.args))
		}
		for _, m := range []struct {
			condition string
			bound     int64
			none      int64
		}{{` AND id > `, n.since, 0}, {` AND id <= `, n.until, math.MaxInt64}} {
			if m.bound != m.none {
				w.args = append(w.args, m.bound)
				text += m.condition + placeholder(len(w.args))
			}
		}
		any = append(any, `(`+text+`)`)
	}
	return `(` + strings.Join(any, " OR ") + `)`
}

// formerNames returns the name and those before it. What bore the name before, and another since, is not the same thing.
func (t *catalogTx) formerNames(ctx context.Context, now name) ([]name, error) {
	names := []name{now}
	for i := 0; i < len(names) && len(names) < maxNames; i++ {
		n := &names[i]
		var before []name
		err := t.each(ctx, `SELECT identifier, old_blueprint, old_identifier, until FROM history_names
			WHERE blueprint = $1 AND blueprint <> '' AND (identifier = $2 OR identifier = '') AND until <= $3 ORDER BY until DESC LIMIT 32`, []any{n.blueprint, n.identifier, n.until}, func(r *sql.Rows) error {
			var of string
			var b name
			err := r.Scan(&of, &b.blueprint, &b.identifier, &b.until)
			if of == "" { // the blueprint was renamed, the entity was not
				b.identifier = n.identifier
			}
			before = append(before, b)
			return err
		})
		if err != nil {
			return nil, err
		}
		var since sql.NullInt64
		err = t.row(ctx, `SELECT max(until) FROM history_names
			WHERE old_blueprint = $1 AND blueprint <> '' AND (old_identifier = $2 OR old_identifier = '') AND until < $3`,
			[]any{n.blueprint, n.identifier, n.until}, &since)
		if err != nil {
			return nil, err
		}
		n.since = since.Int64
		for _, b := range before {
			if b.until > n.since {
				names = append(names, b)
			}
		}
	}
	return names, nil
}

// renamedInHistory notes that rows from here on bear another name.
func (t *catalogTx) renamedInHistory(ctx context.Context, now, before name) error {
	_, err := t.exec(ctx, `INSERT INTO history_names (blueprint, identifier, old_blueprint, old_identifier, until)
		SELECT $1, $2, $3, $4, last_id FROM history_chain WHERE id = 1`, now.blueprint, now.identifier, before.blueprint, before.identifier)
	return err
}

func placeholder(n int) string { return "$" + strconv.Itoa(n) }
