package catalog

import (
	"bytes"
	"encoding/json"
	"sync"
	"time"
)

// asked is a query that is put again and again, on entities of one blueprint, as a model reads it.
type asked struct {
	raw   json.RawMessage
	of    string
	rule  Rule
	low   lowered
	timed bool  // it counts from the present moment, and is read anew each time
	err   error // why it cannot be read, or is not allowed
}

func (m *model) ask(raw json.RawMessage, of string, now time.Time) *asked {
	q := &asked{raw: raw, of: of}
	if q.rule, q.err = parseQuery(raw, queryParser{now: now, timed: &q.timed}); q.err == nil {
		q.low, q.err = m.lower(&q.rule, of)
	}
	return q
}

// at is the query as it is at that time.
func (q *asked) at(m *model, now time.Time) *asked {
	if !q.timed {
		return q
	}
	return m.ask(q.raw, q.of, now)
}

// local reports whether an entity's own row, and what is derived for it, decide the query.
func (q *asked) local() bool { return !q.low.residual && len(q.low.remote) == 0 }

// everything reports whether all entities match.
func (q *asked) everything() bool {
	return q.local() && q.low.rule.Combinator == "and" && len(q.low.rule.Rules) == 0
}

// cards are the scorecards of a model as they were last read, by their documents.
type cards struct {
	sync.Mutex
	of map[DocumentKey]*askedCard
}

// askedCard is a scorecard with its queries read.
type askedCard struct {
	scorecard
	doc    json.RawMessage
	filter *asked
	rules  []*asked
}

// card reads a scorecard's document, once as long as neither it nor a blueprint changes.
func (m *model) card(d Document, now time.Time) (*askedCard, error) {
	m.cards.Lock()
	defer m.cards.Unlock()
	if known := m.cards.of[d.DocumentKey]; known != nil && bytes.Equal(known.doc, d.Doc) {
		return known, nil
	}
	card, err := parseScorecard(d.Doc, now)
	if err != nil {
		return nil, err
	}
	x := &askedCard{scorecard: card, doc: d.Doc, filter: m.ask(card.Filter, d.Blueprint, now)}
	for _, r := range card.Rules {
		x.rules = append(x.rules, m.ask(r.Query, d.Blueprint, now))
	}
	const most = 1000
	if m.cards.of == nil || len(m.cards.of) >= most {
		m.cards.of = map[DocumentKey]*askedCard{}
	}
	m.cards.of[d.DocumentKey] = x
	return x, nil
}
