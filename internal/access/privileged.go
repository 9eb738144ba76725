package access

import (
	"context"
	"encoding/json"
	"time"

	"longshore/internal/catalog"
)

// read notes what was read of privileged blueprints. asked is the blueprint that the caller named, which counts even
// when nothing of it was found.
func (g *Guard) read(ctx context.Context, asked string, list []catalog.Entity) error {
	if g.Reads == nil {
		return nil
	}
	privileged, err := g.privileged(ctx)
	if err != nil || len(privileged) == 0 {
		return err
	}
	counts := map[string]int64{}
	if privileged[asked] {
		counts[asked] = 0
	}
	for _, e := range list {
		if privileged[e.Blueprint] {
			counts[e.Blueprint]++
		}
	}
	for blueprint, n := range counts {
		g.Reads.note(ctx, blueprint, n)
	}
	return nil
}

// privilegedFresh is for how long it is taken as it was read which blueprints are privileged.
const privilegedFresh = time.Second

// privileged returns the blueprints whose document says "privileged": true.
func (g *Guard) privileged(ctx context.Context) (map[string]bool, error) {
	r := g.Reads
	r.mu.Lock()
	known, at := r.privileged, r.privilegedAt
	r.mu.Unlock()
	now := r.now()
	if known != nil && now.Sub(at) < privilegedFresh && !now.Before(at) {
		return known, nil
	}
	list, err := g.Catalog.Blueprints(ctx)
	if err != nil {
		return nil, err
	}
	known = map[string]bool{}
	for _, b := range list {
		var doc struct {
			Privileged any `json:"privileged"`
		}
		if json.Unmarshal(b.Doc, &doc) == nil && doc.Privileged == true {
			known[b.Identifier] = true
		}
	}
	r.mu.Lock()
	r.privileged, r.privilegedAt = known, now
	r.mu.Unlock()
	return known, nil
}
