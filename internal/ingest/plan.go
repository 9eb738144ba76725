package ingest

import (
	"context"
	"fmt"
	"sync"

	"longshore/internal/mapping"
)

// plan is one version of a webhook's mappings, compiled.
type plan struct {
	set       *mapping.Set
	mappingID int64
}

// plans keeps the compiled mappings of the webhooks seen, the newest version of each.
type plans struct {
	mu   sync.Mutex
	byID map[string]*cached
}

type cached struct {
	doc  string // the mappings and the strictness they were compiled with
	plan *plan
}

func (p *plans) of(ctx context.Context, store Store, hook Webhook) (*plan, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	doc := fmt.Sprintf("%+v %s %s", hook.Own, hook.Mappings, hook.Config)
	if c := p.byID[hook.Identifier]; c != nil && c.doc == doc {
		return c.plan, nil
	}
	set, err := hook.Compile()
	if err != nil {
		return nil, err
	}
	id, err := store.MappingVersion(ctx, hook.Identifier, set.Digest(), set.Document())
	if err != nil {
		return nil, err
	}
	if p.byID == nil {
		p.byID = map[string]*cached{}
	}
	p.byID[hook.Identifier] = &cached{doc, &plan{set, id}}
	return p.byID[hook.Identifier].plan, nil
}
