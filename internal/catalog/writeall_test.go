package catalog_test

import (
	"fmt"
	"strings"
	"testing"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

const node = `{"identifier":"node","title":"Node","schema":{"properties":{"n":{"type":"number"}},"required":[]},
	"relations":{"next":{"target":"node"},"owner":{"target":"node","required":false}}}`

// nodeOf is an API call's node that points at another.
func nodeOf(t *testing.T, id, next string) catalog.Change {
	c := call(t, "node", id, `{}`)
	c.Exists = catalog.MustNotExist
	if next != "" {
		c.Relations = fields(t, `{"next":"`+next+`"}`)
	}
	return c
}

func outcomes(results []catalog.Result) string {
	var out []string
	for _, r := range results {
		if r.Err != nil {
			out = append(out, fault.KindOf(r.Err).String())
			continue
		}
		out = append(out, r.Outcome.String())
	}
	return strings.Join(out, " ")
}

func TestWriteEachGoesByDependency(t *testing.T) {
	b := newBench(t, node)
	bad := nodeOf(t, "bad", "")
	bad.Properties = fields(t, `{"n":"x"}`)
	results, err := b.WriteEach(t.Context(), []catalog.Change{nodeOf(t, "a", "b"), bad, nodeOf(t, "b", "c"), nodeOf(t, "lost", "nobody"), nodeOf(t, "c", "")})
	if err != nil {
		t.Fatal(err)
	}
	if got := outcomes(results); got != "created invalid created not found created" {
		t.Errorf("outcomes %s", got)
	}
	// With bare entities made for what is missing, those of the same call are still created as such.
	list := []catalog.Change{nodeOf(t, "x", "y"), nodeOf(t, "y", "")}
	list[0].CreateMissingRelated = true
	if results, err = b.WriteEach(t.Context(), list); err != nil || outcomes(results) != "created created" {
		t.Errorf("outcomes %s %v", outcomes(results), err)
	}
	checkBooks(t, b)
}

func TestWriteEachOfTheSameEntityKeepsItsOrder(t *testing.T) {
	b := newBench(t, node)
	first, second := call(t, "node", "a", `{"n":1}`), call(t, "node", "a", `{"n":2}`)
	if _, err := b.WriteEach(t.Context(), []catalog.Change{nodeOf(t, "z", "a"), first, second}); err != nil {
		t.Fatal(err)
	}
	if e := b.entity("node", "a"); string(e.Properties) != `{"n":2}` {
		t.Errorf("properties %s, want those of the later change", e.Properties)
	}
}

func TestWriteEachValidatesWithoutWriting(t *testing.T) {
	b := newBench(t, node)
	list := []catalog.Change{nodeOf(t, "a", "b"), nodeOf(t, "b", ""), nodeOf(t, "c", "nobody")}
	for i := range list {
		list[i].ValidateOnly = true
	}
	results, err := b.WriteEach(t.Context(), list)
	if err != nil || results[0].Err != nil || results[1].Err != nil || results[2].Err == nil {
		t.Errorf("outcomes %s %v, want the third refused alone", outcomes(results), err)
	}
	if n, err := b.CountEntities(t.Context(), "node"); err != nil || n != 0 {
		t.Errorf("%d entities were written (%v)", n, err)
	}
}

func TestDeletingTogetherWhatNeedsEachOther(t *testing.T) {
	b := newBench(t, string(simple("base", `{}`, `{}`)), string(simple("needs", `{}`, `{"r":{"target":"base","required":true}}`)))
	fill := func() {
		b.write(call(t, "base", "x", `{}`))
		for _, id := range []string{"a", "b"} {
			c := call(t, "needs", id, `{}`)
			c.Relations = fields(t, `{"r":"x"}`)
			b.write(c)
		}
	}
	remove := func(blueprint, id string) catalog.Change {
		return catalog.Change{Blueprint: blueprint, Identifier: id, Op: catalog.OpDelete}
	}
	fill()
	_, err := b.WriteAll(t.Context(), []catalog.Change{remove("base", "x"), remove("needs", "a")})
	wantFault(t, err, fault.Conflict, "has_dependents")
	if n, _ := b.CountEntities(t.Context(), "needs"); n != 2 {
		t.Errorf("%d are left, want both: a refused call deletes nothing", n)
	}
	results, err := b.WriteAll(t.Context(), []catalog.Change{remove("base", "x"), remove("needs", "a"), remove("base", "nobody"), remove("needs", "b")})
	if err != nil || outcomes(results) != "deleted deleted absent deleted" {
		t.Errorf("outcomes %s %v", outcomes(results), err)
	}
	wantPending(t, b, 0)
}

func TestDependantsOfDependantsGoToAPoint(t *testing.T) {
	b := newBench(t, string(simple("link", `{}`, `{"r":{"target":"link","required":true}}`)))
	c := record(t, "link", "l0", 1, `{}`)
	c.Relations = fields(t, `{"r":"l0"}`)
	changes := []catalog.Change{c}
	for i := 1; i < 2100; i++ {
		c := record(t, "link", fmt.Sprintf("l%d", i), 1, `{}`)
		c.Relations = fields(t, fmt.Sprintf(`{"r":"l%d"}`, i-1))
		changes = append(changes, c)
	}
	b.apply(changes...)
	_, err := b.Write(t.Context(), catalog.Change{Blueprint: "link", Identifier: "l0", Op: catalog.OpDelete, DeleteDependents: true})
	wantFault(t, err, fault.Invalid, "invalid_request")
	if _, err := b.Write(t.Context(), catalog.Change{Blueprint: "link", Identifier: "l1900", Op: catalog.OpDelete, DeleteDependents: true}); err != nil {
		t.Error(err)
	}
	if n, err := b.CountEntities(t.Context(), "link"); err != nil || n != 1900 {
		t.Errorf("%d are left (%v), want 1900", n, err)
	}
}
