package catalog

import "context"

// WriteAll makes changes as one transaction: an API call about several entities. The first that breaks a rule is the
// error, and then nothing is written. Results hold no entities.
func (c *Catalog) WriteAll(ctx context.Context, changes []Change) (results []Result, err error) {
	err = c.store.InTx(ctx, func(tx Tx) error {
		if results, err = c.Apply(ctx, tx, changes, nil); err != nil {
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
