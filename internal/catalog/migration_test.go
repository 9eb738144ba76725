package catalog_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

func migrationBench(t *testing.T) *bench {
	b := newBench(t, `{"identifier":"old","title":"O","schema":{"properties":{"name":{"type":"string"},"n":{"type":"number"},"parts":{"type":"array"}},"required":[]},
		"relations":{"up":{"target":"old"}},"mirrorProperties":{"upName":{"path":"up.name"}}}`,
		`{"identifier":"new","title":"N","schema":{"properties":{"label":{"type":"string"},"from":{"type":"string"},"n":{"type":"number","maximum":5}},"required":["label"]},"relations":{"up":{"target":"new"}}}`)
	for id, e := range map[string][2]string{"a": {`{"name":"Ann","n":1,"parts":["x","y"]}`, `{}`}, "b": {`{"name":"Bo","n":9}`, `{}`}, "c": {`{"n":2}`, `{}`}} {
		c := call(t, "old", id, e[0])
		c.Relations = fields(t, e[1])
		b.write(c)
	}
	c := call(t, "old", "c", `{}`)
	c.Relations = fields(t, `{"up":"a"}`)
	b.write(c)
	return b
}

func TestMigrateMapsEntities(t *testing.T) {
	b := migrationBench(t)
	m, err := b.Migrate(t.Context(), "old", json.RawMessage(`{"blueprint":"new","filter":".properties.n != 9","entity":{"identifier":"'new-' + .identifier","title":".title",
		"properties":{"label":".properties.name // 'none'","from":".properties.upName","n":".properties.n"},"relations":{"up":"if .relations.up then 'new-' + .relations.up else null end"}}}`), catalog.Writer{Actor: "me"})
	if err != nil || m.Status != catalog.MigrationCompleted || m.Done != 3 || m.Failed != 0 {
		t.Fatalf("%+v %v", m, err)
	}
	if e := b.entity("new", "new-c"); string(e.Properties) != `{"from":"Ann","label":"none","n":2}` || string(e.Relations) != `{"up":"new-a"}` || e.CreatedBy != "me" {
		t.Errorf("entity %s %s by %s", e.Properties, e.Relations, e.CreatedBy)
	}
	if n, err := b.CountEntities(t.Context(), "new"); err != nil || n != 2 {
		t.Errorf("%d entities (%v), want the two that pass the filter", n, err)
	}
	read, err := b.Migration(t.Context(), m.ID)
	if err != nil || read.Status != catalog.MigrationCompleted || read.Actor != "me" {
		t.Errorf("read back %+v %v", read, err)
	}
	list, err := b.Migrations(t.Context())
	if err != nil || len(list) != 1 || list[0].ID != m.ID {
		t.Errorf("list %+v %v", list, err)
	}
	if again, err := b.CancelMigration(t.Context(), m.ID); err != nil || again.Status != catalog.MigrationCompleted {
		t.Errorf("cancelled after its end: %+v %v", again, err)
	}
	_, err = b.CancelMigration(t.Context(), "m_nope")
	wantFault(t, err, fault.NotFound, "not_found")
}

func TestMigrateCountsWhatCannotBeWritten(t *testing.T) {
	b := migrationBench(t)
	m, err := b.Migrate(t.Context(), "old", json.RawMessage(`{"blueprint":"new","entity":{"identifier":".identifier","properties":{"label":"'x'","n":".properties.n"}}}`), catalog.Writer{})
	if err != nil || m.Status != catalog.MigrationCompleted || m.Failed != 1 || !strings.Contains(m.Message, `"maximum"`) {
		t.Errorf("%+v %v, want one failure that names the rule", m, err)
	}
	m, err = b.Migrate(t.Context(), "old", json.RawMessage(`{"blueprint":"new","entity":{"identifier":".nope"}}`), catalog.Writer{})
	if err != nil || m.Status != catalog.MigrationFailure || m.Failed != 3 {
		t.Errorf("%+v %v, want a failure of all", m, err)
	}
	m, err = b.Migrate(t.Context(), "old", json.RawMessage(`{"blueprint":"new","filter":".properties.parts != null","itemsToParse":".properties.parts // []","entity":{"identifier":".identifier + '-' + .item","properties":{"label":".item"}}}`), catalog.Writer{})
	if err != nil || m.Status != catalog.MigrationCompleted || string(b.entity("new", "a-y").Properties) != `{"label":"y"}` {
		t.Errorf("%+v %v", m, err)
	}
}

func TestMigrateRefusals(t *testing.T) {
	b := migrationBench(t)
	for mapping, code := range map[string]string{
		`null`:                "invalid_request",
		`{}`:                  "invalid_request",
		`{"blueprint":"new"}`: "invalid_request",
		`{"blueprint":"new","entity":{"identifier":"("}}`:                          "invalid_request",
		`{"blueprint":"new","entity":{"identifier":1}}`:                            "invalid_request",
		`{"blueprint":"new","entity":{"identifier":".identifier","relations":[]}}`: "invalid_request",
		`{"blueprint":"nope","entity":{"identifier":".identifier"}}`:               "not_found",
	} {
		_, err := b.Migrate(t.Context(), "old", json.RawMessage(mapping), catalog.Writer{})
		kind := fault.Invalid
		if code == "not_found" {
			kind = fault.NotFound
		}
		wantFault(t, err, kind, code)
	}
	_, err := b.Migrate(t.Context(), "nope", json.RawMessage(`{"blueprint":"new","entity":{"identifier":".identifier"}}`), catalog.Writer{})
	wantFault(t, err, fault.NotFound, "not_found")
	if list, err := b.Migrations(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("refused ones are remembered: %+v %v", list, err)
	}
}

// hooked calls before each transaction.
type hooked struct {
	catalog.Store
	before func(n int)
	n      int
}

func (h *hooked) InTx(ctx context.Context, fn func(catalog.Tx) error) error {
	h.n++
	h.before(h.n)
	return h.Store.InTx(ctx, fn)
}

const copying = `{"blueprint":"new","entity":{"identifier":".identifier","properties":{"label":"'x'"}}}`

// Both of them are noticed in the middle, and what was written stays.
func TestMigrateEndsWhenCancelledAndWhenTheCallerLeaves(t *testing.T) {
	b := migrationBench(t)
	var changes []catalog.Change
	for i := range 150 {
		changes = append(changes, record(t, "old", fmt.Sprintf("r%03d", i), 1, `{}`))
	}
	b.apply(changes...)
	now := func() time.Time { return time.Unix(1_800_000_000, 0) }
	other := catalog.New(b.store, now)
	cancelled := catalog.New(&hooked{Store: b.store, before: func(n int) {
		if n != 10 {
			return
		}
		list, err := other.Migrations(t.Context())
		if err != nil || len(list) != 1 || list[0].Status != catalog.MigrationRunning {
			t.Errorf("while it runs: %+v %v", list, err)
			return
		}
		if m, err := other.CancelMigration(t.Context(), list[0].ID); err != nil || m.Status != catalog.MigrationBeingCanceled {
			t.Errorf("cancelling: %+v %v", m, err)
		}
	}}, now)
	m, err := cancelled.Migrate(t.Context(), "old", json.RawMessage(copying), catalog.Writer{})
	if err != nil || m.Status != catalog.MigrationCancelled || m.Done != 100 {
		t.Errorf("%+v %v, want cancelled after the first hundred", m, err)
	}
	ctx, leave := context.WithCancel(t.Context())
	left := catalog.New(&hooked{Store: b.store, before: func(n int) {
		if n == 10 {
			leave()
		}
	}}, now)
	if m, err = left.Migrate(ctx, "old", json.RawMessage(copying), catalog.Writer{}); err != nil || m.Status != catalog.MigrationFailure {
		t.Errorf("%+v %v, want a failure", m, err)
	}
	if read, err := other.Migration(t.Context(), m.ID); err != nil || read.Status != catalog.MigrationFailure || !strings.Contains(read.Message, "call") {
		t.Errorf("read back %+v %v", read, err)
	}
}
