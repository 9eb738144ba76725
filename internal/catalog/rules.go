package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/zeebo/xxh3"
)

// Catalog holds the rules of writing and finding. It is safe for concurrent use.
type Catalog struct {
	store Store
	now   func() time.Time
	model *atomic.Pointer[model] // the newest one read
	sight Sight                  // nil: everything is seen
	gate  Gate                   // nil: every change may be made
}

// New returns a Catalog over store. now is the clock of API writes and of history.
func New(store Store, now func() time.Time) *Catalog {
	return &Catalog{store: store, now: now, model: &atomic.Pointer[model]{}}
}

// model is every blueprint with its rules, as of one token of the store.
type model struct {
	token int64
	rules map[string]*rules
	order []string // identifiers, sorted
	// pointed names the blueprints that some relation has as target, needed those of a required relation.
	pointed, needed map[string]bool
	plans           *plans
	cards           *cards
	masks           *masks
	hidden          map[string]bool // blueprints that whoever asks may find out nothing of: see [Catalog.Seen]
	read            time.Time       // when it was read
}

// rules is a blueprint made ready to check entities.
type rules struct {
	Blueprint
	checks    map[string]*check
	relations map[string]*Relation
	required  []string
	defaults  []Field // canonical, sorted
	derived   map[string]bool
	// definitions are those of the derived properties.
	definitions definitions
	history     bool
	retention   *Retention
	owned       ownership
	hash        uint64
}

// modelOf returns the blueprints as view sees them, with what is hidden from whoever asks.
func (c *Catalog) modelOf(ctx context.Context, view View) (*model, error) {
	m, err := c.wholeModel(ctx, view)
	if err != nil || c.sight == nil {
		return m, err
	}
	return m.without(c.sight(m.blueprints())), nil
}

// wholeModel returns the blueprints as view sees them, from the cache when the token allows.
func (c *Catalog) wholeModel(ctx context.Context, view View) (*model, error) {
	token, err := view.Token(ctx)
	if err != nil {
		return nil, err
	}
	if m := c.model.Load(); m != nil && m.token == token {
		return m, nil
	}
	list, err := view.Blueprints(ctx)
	if err != nil {
		return nil, err
	}
	known := c.model.Load()
	m := &model{token: token, read: c.now(), rules: map[string]*rules{}, pointed: map[string]bool{}, needed: map[string]bool{}, plans: &plans{}, cards: &cards{}, masks: &masks{}}
	for _, stored := range list {
		b, err := parseBlueprint(stored.Doc)
		if err != nil {
			return nil, err
		}
		b.CreatedAt, b.CreatedBy, b.UpdatedAt, b.UpdatedBy = stored.CreatedAt, stored.CreatedBy, stored.UpdatedAt, stored.UpdatedBy
		b.Permissions = stored.Permissions
		if known != nil && known.rules[b.Identifier] != nil && bytes.Equal(known.rules[b.Identifier].Doc, b.Doc) {
			same := *known.rules[b.Identifier] // schemas are dear to compile
			same.Blueprint = b
			m.rules[b.Identifier] = &same
		} else {
			m.rules[b.Identifier] = newRules(b)
		}
		m.order = append(m.order, b.Identifier)
		for _, r := range b.Relations {
			if r.InverseOf != "" {
				continue
			}
			m.pointed[r.Target] = true
			if r.Required {
				m.needed[r.Target] = true
			}
		}
	}
	slices.Sort(m.order)
	c.model.Store(m)
	return m, nil
}

func newRules(b Blueprint) *rules {
	r := &rules{
		Blueprint: b, checks: map[string]*check{}, relations: map[string]*Relation{}, derived: map[string]bool{}, history: true,
		required: b.Required, hash: xxh3.Hash(b.Doc), definitions: readDefinitions(b.Doc),
	}
	for _, p := range b.Properties {
		c := newCheck(p)
		r.checks[p.Name] = &c
		if c.fallback != nil {
			r.defaults = append(r.defaults, Field{p.Name, c.fallback})
		}
	}
	slices.SortFunc(r.defaults, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	for i := range b.Relations {
		r.relations[b.Relations[i].Name] = &b.Relations[i]
	}
	r.owned = readOwnership(b.Doc)
	r.retention = RetentionOf(b.Doc)
	var doc struct {
		Mirror      map[string]json.RawMessage `json:"mirrorProperties"`
		Calculation map[string]json.RawMessage `json:"calculationProperties"`
		Aggregation map[string]json.RawMessage `json:"aggregationProperties"`
		History     *bool                      `json:"history"`
	}
	if json.Unmarshal(b.Doc, &doc) == nil {
		for _, m := range []map[string]json.RawMessage{doc.Mirror, doc.Calculation, doc.Aggregation} {
			for name := range m {
				r.derived[name] = true
			}
		}
		r.history = doc.History == nil || *doc.History
	}
	return r
}
