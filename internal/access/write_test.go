package access_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"longshore/internal/access"
	"longshore/internal/auth"
	"longshore/internal/catalog"
	"longshore/internal/fault"
	"longshore/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// watched is a store whose write transactions are waited for, and whose reads of permissions are counted.
type watched struct {
	catalog.Store
	before func() // a write transaction begins
	reads  int    // of blueprints, with which permissions come, and of documents
}

func (w *watched) InTx(ctx context.Context, fn func(catalog.Tx) error) error {
	if before := w.before; before != nil {
		w.before = nil
		before()
	}
	return w.Store.InTx(ctx, func(tx catalog.Tx) error { return fn(&watchedTx{tx, w}) })
}

func (w *watched) InView(ctx context.Context, fn func(catalog.View) error) error {
	return w.Store.InView(ctx, func(v catalog.View) error { return fn(&watchedView{v, w}) })
}

type watchedTx struct {
	catalog.Tx
	w *watched
}

func (t *watchedTx) Blueprints(ctx context.Context) ([]catalog.Blueprint, error) {
	t.w.reads++
	return t.Tx.Blueprints(ctx)
}

func (t *watchedTx) Document(ctx context.Context, key catalog.DocumentKey) (catalog.Document, error) {
	t.w.reads++
	return t.Tx.Document(ctx, key)
}

type watchedView struct {
	catalog.View
	w *watched
}

func (v *watchedView) Blueprints(ctx context.Context) ([]catalog.Blueprint, error) {
	v.w.reads++
	return v.View.Blueprints(ctx)
}

func (v *watchedView) Document(ctx context.Context, key catalog.DocumentKey) (catalog.Document, error) {
	v.w.reads++
	return v.View.Document(ctx, key)
}

// guarded is a guard over a store that is watched, and the guard of another process.
func guarded(t *testing.T) (w *watched, mine, other *access.Guard) {
	t.Helper()
	s := storetest.Open(t)
	w = &watched{Store: s.Catalog()}
	mine = &access.Guard{Catalog: catalog.New(w, time.Now)}
	other = &access.Guard{Catalog: catalog.New(s.Catalog(), time.Now)}
	for _, id := range []string{"svc", "host"} {
		doc := `{"identifier":"` + id + `","title":"T","schema":{"properties":{"n":{"type":"number"}},"required":[]},"relations":{"on":{"target":"svc"}}}`
		if _, err := other.CreateBlueprint(t.Context(), json.RawMessage(doc), catalog.Writer{}); err != nil {
			t.Fatal(err)
		}
	}
	return w, mine, other
}

func permit(t *testing.T, g *access.Guard, blueprint, patch string) {
	t.Helper()
	if _, err := g.PatchPermissions(t.Context(), blueprint, json.RawMessage(`{"entities":`+patch+`}`), "admin"); err != nil {
		t.Fatal(err)
	}
}

// A permission that another process takes away after the call was let in, and before the write, is gone.
func TestWritesAreHeldAgainstThePermissionsOfTheirTransaction(t *testing.T) {
	editor := auth.With(t.Context(), auth.Principal{ID: "e", Role: auth.Editor, Machine: true})
	change := catalog.Change{Blueprint: "svc", Identifier: "a", Properties: []catalog.Field{{Name: "n", Value: []byte("1")}}}
	for name, write := range map[string]func(g *access.Guard) error{
		"write": func(g *access.Guard) error { _, err := g.Write(editor, change); return err },
		"all":   func(g *access.Guard) error { _, err := g.WriteAll(editor, []catalog.Change{change}); return err },
		"each": func(g *access.Guard) error {
			list, err := g.WriteEach(editor, []catalog.Change{change})
			if err == nil {
				err = list[0].Err
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, mine, other := guarded(t)
			if _, err := mine.Blueprints(editor); err != nil { // what the process knows is of before
				t.Fatal(err)
			}
			w.before = func() { permit(t, other, "svc", `{"register":{"roles":["Admin"]}}`) }
			if err := write(mine); !fault.Is(err, fault.Denied) {
				t.Errorf("the write: %v, want it denied", err)
			}
			if _, err := other.Catalog.Entity(t.Context(), "svc", "a"); !fault.Is(err, fault.NotFound) {
				t.Errorf("the entity: %v, want none", err)
			}
			// And one that is hidden meanwhile is not searched.
			permit(t, other, "svc", `{"register":{"roles":["Member"]}}`)
			if err := write(mine); err != nil {
				t.Fatal(err)
			}
			w.before = func() { permit(t, other, "svc", `{"read":{"roles":["Admin"]}}`) }
			_, err := mine.Write(editor, catalog.Change{Blueprint: "host", Identifier: "h", Relations: []catalog.Field{
				{Name: "on", Value: []byte(`{"combinator":"and","rules":[{"property":"n","operator":"=","value":1}]}`)},
			}})
			if !fault.Is(err, fault.Denied) {
				t.Errorf("a relation by a search in what is hidden: %v, want it denied", err)
			}
		})
	}
}

// However many changes a call makes, permissions are read once when they have changed, and not at all otherwise.
func TestManyWritesReadPermissionsOnce(t *testing.T) {
	w, mine, other := guarded(t)
	editor := auth.With(t.Context(), auth.Principal{ID: "e", Role: auth.Editor, Machine: true})
	var changes []catalog.Change
	for i := range 20 {
		changes = append(changes, catalog.Change{
			Blueprint: []string{"svc", "host"}[i%2], Identifier: fmt.Sprint("e", i), Properties: []catalog.Field{{Name: "n", Value: []byte("1")}},
		})
	}
	for _, most := range []int{1, 0} {
		if most > 0 {
			permit(t, other, "svc", `{"update":{"roles":["Member"]}}`)
			permit(t, other, "host", `{"update":{"roles":["Member"]}}`)
		}
		w.reads = 0
		list, err := mine.WriteEach(editor, changes)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		if w.reads > most {
			t.Errorf("20 changes read permissions %d times, want at most %d", w.reads, most)
		}
	}
}

// Two admins who change leaves of one blueprint at a time lose none of it.
func TestPermissionsAreChangedOneAfterTheOther(t *testing.T) {
	w, mine, other := guarded(t)
	w.before = func() { permit(t, other, "svc", `{"update":{"roles":["viewer"]}}`) }
	permit(t, mine, "svc", `{"register":{"roles":["viewer"]}}`)
	doc, err := other.Permissions(t.Context(), "svc")
	if err != nil {
		t.Fatal(err)
	}
	var leaves struct {
		Entities struct {
			Register, Update access.Leaf
		}
	}
	if err := json.Unmarshal(doc, &leaves); err != nil || len(leaves.Entities.Register.Roles) != 1 || len(leaves.Entities.Update.Roles) != 1 {
		t.Errorf("%+v, %v", leaves, err)
	}
}
