package catalog

import (
	"context"
	"slices"

	"longshore/internal/fault"
)

// WriteAll makes changes as one transaction: an API call about several entities. The first that breaks a rule is the
// error, and then nothing is written. Results hold no entities. What one deletion takes away needs nothing that another
// takes away, whatever their order.
func (c *Catalog) WriteAll(ctx context.Context, changes []Change) (results []Result, err error) {
	err = c.store.InTx(ctx, func(tx Tx) error {
		b, err := c.newBatch(ctx, tx)
		if err != nil {
			return err
		}
		b.leaving = map[Key]bool{}
		for _, change := range changes {
			if change.Op == OpDelete {
				b.leaving[Key{change.Blueprint, change.Identifier}] = true
			}
		}
		if results, err = b.run(changes, nil); err != nil {
			return err
		}
		for _, r := range results {
			if r.Err != nil {
				return r.Err
			}
		}
		return nil
	})
	return results, err
}

// WriteEach makes changes each as a transaction of its own: what breaks a rule is in its result and stops no other. A
// change that relates to an entity of another is made after it. Results stand in the order of the changes and hold no
// entities. With ValidateOnly in the first change nothing is written, and each is judged as if those before it were.
func (c *Catalog) WriteEach(ctx context.Context, changes []Change) ([]Result, error) {
	results := make([]Result, len(changes))
	if len(changes) == 0 {
		return results, nil
	}
	order, err := c.dependencyOrder(ctx, changes)
	if err != nil {
		return nil, err
	}
	if changes[0].ValidateOnly {
		err := c.store.InTx(ctx, func(tx Tx) error {
			if err := c.writeEach(changes, results, order, func(change Change) (Result, error) {
				list, err := c.Apply(ctx, tx, []Change{change}, nil)
				if err != nil {
					return Result{}, err
				}
				return list[0], nil
			}); err != nil {
				return err
			}
			return errValidated
		})
		if err == errValidated {
			err = nil
		}
		return results, err
	}
	err = c.writeEach(changes, results, order, func(change Change) (result Result, err error) {
		err = c.store.InTx(ctx, func(tx Tx) error {
			list, err := c.Apply(ctx, tx, []Change{change}, nil)
			if err != nil {
				return err
			}
			result = list[0]
			return result.Err
		})
		if result.Err != nil {
			err = nil
		}
		return result, err
	})
	return results, err
}

// writeEach makes the changes in order, and those that found something missing again, as long as others succeed: their
// searches may find it then.
func (c *Catalog) writeEach(changes []Change, results []Result, order []int, write func(Change) (Result, error)) error {
	for progress := true; progress && len(order) > 0; {
		progress = false
		var again []int
		for _, i := range order {
			result, err := write(changes[i])
			if err != nil {
				return err
			}
			results[i] = result
			if result.Err == nil {
				progress = true
			} else if fault.Is(result.Err, fault.NotFound) {
				again = append(again, i)
			}
		}
		order = again
	}
	return nil
}

// dependencyOrder returns the places of the changes, each behind those that it relates to, otherwise as they came.
func (c *Catalog) dependencyOrder(ctx context.Context, changes []Change) ([]int, error) {
	var m *model
	err := c.store.InView(ctx, func(v View) (err error) {
		m, err = c.modelOf(ctx, v)
		return err
	})
	if err != nil {
		return nil, err
	}
	places := map[Key][]int{}
	for i, change := range changes {
		k := Key{change.Blueprint, change.Identifier}
		places[k] = append(places[k], i)
	}
	order := make([]int, 0, len(changes))
	seen := make([]bool, len(changes))
	var visit func(i int)
	visit = func(i int) {
		if seen[i] {
			return
		}
		seen[i] = true
		change := &changes[i]
		if r := m.rules[change.Blueprint]; r != nil {
			for _, f := range change.Relations {
				if rel := r.relations[f.Name]; rel != nil {
					for _, id := range targetsOf(f.Value) {
						for _, j := range places[Key{rel.Target, id}] {
							visit(j)
						}
					}
				}
			}
		}
		for _, j := range places[Key{change.Blueprint, change.Identifier}] {
			if j < i && change.Identifier != "" {
				visit(j)
			}
		}
		order = append(order, i)
	}
	for i := range changes {
		visit(i)
	}
	return order, nil
}

// targetsOf reads a relation's value as it was sent; a search names nobody.
func targetsOf(value []byte) []string {
	text, _, err := canonical(nil, value)
	if err != nil || isQuery(text) {
		return nil
	}
	list, _ := texts(text)
	return slices.DeleteFunc(list, func(id string) bool { return id == "" })
}
