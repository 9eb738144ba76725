package web

import (
	"cmp"
	"slices"

	"longshore/internal/catalog"
)

// defaultScalars is how many properties a table shows unless told otherwise, defaultDerived how many of the derived ones.
const (
	defaultScalars = 6
	defaultDerived = 3
)

// addColumns lists the columns there are, and takes those that the address names, or the sensible ones: the single
// relations, the first scalar properties that any of the rows has, and the relations to many. Later pages keep the columns of the first.
func (t *tablePage) addColumns(rows []catalog.Entity) {
	filled := map[string]bool{}
	for _, e := range rows {
		for name, value := range valuesOf(e) {
			filled[name] = filled[name] || string(value) != "null"
		}
		for name, value := range membersOf(e.Relations) {
			filled[">"+name] = filled[">"+name] || len(idsOf(value)) > 0
		}
	}
	all := []tableColumn{{Field: "$title", Label: "Title", Kind: "title"}}
	// Whom and what an entity is about comes before how it is described.
	relations := func(many bool) {
		for _, rel := range t.Blueprint.Relations {
			if rel.Many == many {
				all = append(all, tableColumn{Field: ">" + rel.Name, Label: cmp.Or(rel.Title, rel.Name), Kind: "relation", Chosen: filled[">"+rel.Name] || len(rows) == 0, target: rel.Target})
			}
		}
	}
	relations(false)
	scalars := 0
	column := func(p catalog.Property) tableColumn {
		c := tableColumn{Field: p.Name, Label: cmp.Or(p.Title, p.Name), Kind: "text"}
		switch {
		case p.Format == "date-time":
			c.Kind = "time"
		case p.Type == "number", p.Type == "boolean":
			c.Kind = p.Type
		case p.Type == "object", p.Type == "array":
			c.Kind = "json"
		}
		return c
	}
	for _, p := range t.Blueprint.Properties {
		c := column(p)
		if c.Kind != "json" && p.Name != "id" && scalars < defaultScalars && (filled[p.Name] || len(rows) == 0) {
			scalars++
			c.Chosen = true
		}
		all = append(all, c)
	}
	shown := 0
	for _, p := range t.Blueprint.DerivedProperties() {
		c := column(p)
		c.Derived = true
		if c.Kind != "json" && shown < defaultDerived && filled[p.Name] {
			shown++
			c.Chosen = true
		}
		all = append(all, c)
	}
	relations(true)
	all = append(all, tableColumn{Field: "$identifier", Label: "Identifier", Kind: "id"})
	all = append(all, tableColumn{Field: "$updatedAt", Label: "Updated", Kind: "time"}, tableColumn{Field: "$createdAt", Label: "Created", Kind: "time"})
	for i := range all {
		c := &all[i]
		if c.Kind == "title" || c.Kind == "id" {
			c.Chosen = true
		}
		if t.State.Hidden {
			c.Chosen = c.Kind == "title" || slices.Contains(t.State.Columns, c.Field)
		}
		if c.Kind != "relation" && c.Kind != "json" && !c.Derived {
			c.Sort = t.State.sorted(c.Field).url()
		}
		switch t.State.Sort {
		case c.Field:
			c.Arrow = "ascending"
		case "-" + c.Field:
			c.Arrow = "descending"
		}
		if c.Chosen {
			t.Columns = append(t.Columns, *c)
		}
	}
	t.Choices = all
}
