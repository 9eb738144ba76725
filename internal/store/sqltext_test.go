package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"longshore/internal/catalog"
)

// recorder keeps every SQL text that goes to the driver.
type recorder struct {
	mu    sync.Mutex
	texts map[string]bool
	asked []asked // while during runs
	keeps bool
}

// asked is one statement, with its values where they come along with it.
type asked struct {
	text string
	args []any
}

func (r *recorder) note(query string, args ...driver.NamedValue) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.texts[query] = true
	if r.keeps {
		a := asked{text: query}
		for _, v := range args {
			a.args = append(a.args, v.Value)
		}
		r.asked = append(r.asked, a)
	}
}

// during returns what is asked while fn runs.
func (r *recorder) during(fn func()) []asked {
	keep := func(on bool) []asked {
		r.mu.Lock()
		defer r.mu.Unlock()
		list := r.asked
		r.asked, r.keeps = nil, on
		return list
	}
	keep(true)
	fn()
	return keep(false)
}

// recorded are connections of a pool's driver that note what they are asked.
type recorded struct {
	driver driver.Driver
	open   func(context.Context) (driver.Conn, error)
	*recorder
}

func (r recorded) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	return recordedConn{c, r.recorder}, nil
}

func (r recorded) Driver() driver.Driver { return r.driver }

type recordedConn struct {
	driver.Conn
	*recorder
}

func (c recordedConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
}

func (c recordedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	c.note(query)
	return c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
}

func (c recordedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.note(query, args...)
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

func (c recordedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.note(query)
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

func (c recordedConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.Conn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

// openRecorded opens an empty store that notes what it sends.
func openRecorded(t *testing.T) (*Store, *recorder) {
	t.Helper()
	where := newDatabase(t)
	s, err := Open(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, recordSQL(t, s, where)
}

// recordSQL makes the store's pools note what they send.
func recordSQL(t *testing.T, s *Store, where string) *recorder {
	t.Helper()
	r := &recorder{texts: map[string]bool{}}
	old := []*sql.DB{s.write, s.read}
	wrap := func(db *sql.DB, name string) *sql.DB {
		d := db.Driver()
		open := func(context.Context) (driver.Conn, error) { return d.Open(name) }
		if s.engine == &postgresEngine {
			connector, err := d.(driver.DriverContext).OpenConnector(name)
			if err != nil {
				t.Fatal(err)
			}
			open = textConnector{connector}.Connect
		}
		pool := sql.OpenDB(recorded{d, open, r})
		pool.SetMaxOpenConns(4)
		return pool
	}
	if s.engine == &postgresEngine {
		s.write = wrap(s.write, where)
		s.read = s.write
	} else {
		s.write, s.read = wrap(s.write, dsn(where, false)), wrap(s.read, dsn(where, true))
		s.write.SetMaxOpenConns(1)
	}
	for _, db := range old {
		_ = db.Close() // twice where both are one
	}
	return r
}

// marker is in every text that the test hands in, so that it is found where it gets into SQL.
const marker = "zqx"

// hostileText is a text that an injection would be made of.
func hostileText(rng *rand.Rand) string {
	pieces := []string{`'`, `"`, `\`, "\x00", `'); DROP TABLE entities; --`, `$1`, `?`, `%`, `$."a"`, `\u0000`, "ü", "\U0001F600", ` `, `;`, `/*`, `--`, `]`, `{`, `a`, `=`, `@`, "\n"}
	text := marker
	for range rng.IntN(4) {
		text += pieces[rng.IntN(len(pieces))]
	}
	return text
}

func randomRule(rng *rand.Rand, properties []string, depth int) any {
	text := func() string { return hostileText(rng) }
	property := func() string {
		if rng.IntN(3) == 0 {
			return text()
		}
		return append(properties, "$identifier", "$title", "$team", "$createdAt", "$datasource", "$blueprint", "$icon", "$updatedBy")[rng.IntN(len(properties)+8)]
	}
	value := func() any {
		return []any{text(), []any{text(), 1, true}, 1.5, true, nil, map[string]any{"from": "2026-01-01T00:00:00Z", "to": text()}, "2026-01-01T00:00:00Z", map[string]any{"preset": text()}}[rng.IntN(8)]
	}
	operators := []string{"=", "!=", ">", "<=", "contains", "doesNotContains", "containsAny", "beginsWith", "doesNotEndsWith", "in", "notIn", "between", "isEmpty", "isNotEmpty", "isExpired", text()}
	switch n := rng.IntN(12); {
	case n < 3 && depth > 0:
		rules := []any{}
		for range rng.IntN(4) {
			rules = append(rules, randomRule(rng, properties, depth-1))
		}
		return map[string]any{"combinator": []string{"and", "or"}[rng.IntN(2)], "rules": rules}
	case n == 3:
		return map[string]any{"operator": "relatedTo", "blueprint": []string{"thing", text()}[rng.IntN(2)], "value": text(), "direction": []string{"upstream", "downstream", text()}[rng.IntN(3)]}
	case n == 4:
		return map[string]any{"operator": "matchAny", "property": map[string]any{"path": []any{[]string{"of", text()}[rng.IntN(2)]}}, "value": text()}
	case n == 5:
		return map[string]any{"relation": []string{"of", text()}[rng.IntN(2)], "operator": operators[rng.IntN(len(operators))], "value": value(), "targetProperty": []string{"$title", text()}[rng.IntN(2)]}
	case n == 6:
		return map[string]any{"propertySchema": map[string]any{"type": []string{"string", text()}[rng.IntN(2)]}, "operator": "=", "value": value()}
	}
	return map[string]any{"property": property(), "operator": operators[rng.IntN(len(operators))], "value": value()}
}

// SQL is never made of input: whatever names and values come, the text of a statement holds of them nothing but names of
// properties that a blueprint may have, each within a literal of its own.
func TestSQLIsNotMadeOfInput(t *testing.T) {
	s, seen := openRecorded(t)
	c := catalog.New(s.Catalog(), time.Now)
	rng := rand.New(rand.NewPCG(1, 2))
	properties := []string{"zqx_links", `zqx\back`, "zqx@at", "zqx=eq", "zqx-dash", `zqx\\`, `zqx--`}
	schema := map[string]any{}
	for i, p := range properties {
		schema[p] = map[string]any{"type": []string{"string", "number", "array", "object", "boolean"}[i%5]}
	}
	doc := encoded(t, map[string]any{"identifier": "thing", "title": marker, "schema": map[string]any{"properties": schema, "required": []any{}}, "relations": map[string]any{"of": map[string]any{"target": "thing"}}})
	if _, err := c.CreateBlueprint(t.Context(), doc, catalog.Writer{Actor: marker}); err != nil {
		t.Fatal(err)
	}
	run, refused := 0, 0
	count := func(err error) {
		if run++; err != nil {
			refused++
		}
	}
	for i := range 400 {
		text := hostileText(rng)
		change := catalog.Change{
			Blueprint: []string{"thing", text}[rng.IntN(5)/4], Identifier: []string{fmt.Sprintf("zqx%d", i), text}[rng.IntN(3)/2], Title: encoded(t, text), Icon: encoded(t, text), Team: encoded(t, []string{text}),
			Actor: text, Source: text, CreateMissingRelated: true, Properties: []catalog.Field{{Name: properties[0], Value: encoded(t, text)}, {Name: properties[3], Value: encoded(t, map[string]any{text: text})}},
		}
		if rng.IntN(4) == 0 {
			change.Properties = append(change.Properties, catalog.Field{Name: text, Value: encoded(t, text)})
		}
		if rng.IntN(4) == 0 {
			change.Relations = []catalog.Field{{Name: "of", Value: encoded(t, text)}}
		}
		_, err := c.Write(t.Context(), change)
		count(err)
		req := catalog.SearchRequest{Blueprint: []string{"thing", "", text}[rng.IntN(7)/3], Query: encoded(t, map[string]any{"combinator": "and", "rules": []any{randomRule(rng, properties, 3)}}), Limit: 3}
		page, err := c.Search(t.Context(), req)
		count(err)
		if page.Next != "" {
			req.From = page.Next
			_, err = c.Search(t.Context(), req)
			count(err)
		}
		_, err = c.CountMatches(t.Context(), req)
		count(err)
		if i%4 > 0 { // what follows is less of text's making
			continue
		}
		_, err = c.History(t.Context(), catalog.HistoryFilter{
			Kind: text, Action: text, Blueprint: text, Identifier: text, Kinds: []string{text}, ExceptBlueprints: []string{text}, Status: text,
			Sources: []catalog.SourceMatch{{Prefix: text, Part: text, Not: rng.IntN(2) == 0}}, Actors: []string{text}, ExceptActors: []string{text}, RunID: text, PresentEntities: rng.IntN(2) == 0,
		})
		count(err)
		_, err = c.FindWords(t.Context(), text, 3)
		count(err)
		_, err = c.Referrers(t.Context(), catalog.Key{Blueprint: text, Identifier: text})
		count(err)
		_, err = c.Aggregate(t.Context(), encoded(t, map[string]any{"func": "sum", "property": text, "query": map[string]any{"combinator": "and", "rules": []any{randomRule(rng, properties, 2)}}}))
		count(err)
	}
	if refused*4 > run*3 {
		t.Errorf("%d of %d calls were refused: too few come to the database", refused, run)
	}
	literal := regexp.MustCompile(`'(?:\$\.")?([A-Za-z0-9@_=\\-]{1,200})"?'`)
	named := 0
	for text := range seen.texts {
		if strings.Contains(text, marker) {
			named++
		}
		rest := literal.ReplaceAllStringFunc(text, func(l string) string {
			name := literal.FindStringSubmatch(l)[1]
			for _, p := range properties {
				if name == p || name == strings.ReplaceAll(p, `\`, `\\`) {
					return "''"
				}
			}
			return l
		})
		if strings.Contains(rest, marker) {
			t.Errorf("SQL is made of input: %s", text)
		}
	}
	if len(seen.texts) < 20 || named == 0 {
		t.Errorf("only %d statements were recorded, %d with a property's name: the test looks in the wrong place", len(seen.texts), named)
	}
	t.Logf("%d calls, %d refused, %d statements", run, refused, len(seen.texts))
}

func encoded(t *testing.T, v any) json.RawMessage {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
