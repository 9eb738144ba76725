package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"longshore/internal/fault"
)

// kindScorecard is the kind of a scorecard's document. It belongs to its blueprint.
const kindScorecard = "Scorecard"

func scorecardKey(blueprint, id string) DocumentKey { return DocumentKey{kindScorecard, blueprint, id} }

// Scorecards returns the scorecards of a blueprint, ordered by identifier, or of every one ("").
func (c *Catalog) Scorecards(ctx context.Context, blueprint string) (list []Document, err error) {
	err = c.store.InView(ctx, func(v View) error {
		m, err := c.modelOf(ctx, v)
		if err != nil {
			return err
		}
		of := []string{blueprint}
		if blueprint == "" {
			of = m.order
		} else if m.rules[blueprint] == nil {
			return missing("Blueprint", blueprint)
		}
		for _, b := range of {
			docs, err := v.Documents(ctx, kindScorecard, b)
			if err != nil {
				return err
			}
			list = append(list, docs...)
		}
		return nil
	})
	return list, err
}

// Scorecard returns one scorecard, or fault.NotFound.
func (c *Catalog) Scorecard(ctx context.Context, blueprint, id string) (d Document, err error) {
	err = c.store.InView(ctx, func(v View) error {
		m, err := c.modelOf(ctx, v)
		if err != nil {
			return err
		}
		if m.rules[blueprint] == nil {
			return missing("Blueprint", blueprint)
		}
		d, err = v.Document(ctx, scorecardKey(blueprint, id))
		return err
	})
	return d, err
}

// CreateScorecard adds a scorecard to a blueprint. Errors: fault.Conflict when it has one of that identifier.
func (c *Catalog) CreateScorecard(ctx context.Context, blueprint string, doc json.RawMessage, w Writer) (Document, error) {
	return c.writeScorecard(ctx, blueprint, "", w, func(Document) (json.RawMessage, error) { return doc, nil })
}

// ReplaceScorecard makes doc the scorecard; another identifier renames it.
func (c *Catalog) ReplaceScorecard(ctx context.Context, blueprint, id string, doc json.RawMessage, w Writer) (Document, error) {
	return c.writeScorecard(ctx, blueprint, id, w, func(Document) (json.RawMessage, error) {
		list, err := ordered(doc)
		if err != nil {
			return nil, err
		}
		if v, _ := lookup(list, "identifier"); isNull(v) {
			list = withMember(list, "identifier", appendText(nil, id))
		}
		return render(list), nil
	})
}

// PatchScorecard replaces the members that doc names.
func (c *Catalog) PatchScorecard(ctx context.Context, blueprint, id string, doc json.RawMessage, w Writer) (Document, error) {
	return c.writeScorecard(ctx, blueprint, id, w, func(was Document) (json.RawMessage, error) {
		list, err := ordered(was.Doc)
		if err != nil {
			return nil, err
		}
		patch, err := ordered(doc)
		if err != nil {
			return nil, err
		}
		for _, m := range patch {
			list = withMember(list, m.Name, m.Value)
		}
		return render(list), nil
	})
}

// writeScorecard stores the document that change decides on: of the scorecard of that id, or of a new one ("").
func (c *Catalog) writeScorecard(ctx context.Context, blueprint, id string, w Writer, change func(Document) (json.RawMessage, error)) (d Document, err error) {
	err = c.store.InTx(ctx, func(tx Tx) error {
		was, err := c.scorecardBefore(ctx, tx, blueprint, id)
		if err != nil {
			return err
		}
		doc, err := change(was)
		if err != nil {
			return err
		}
		if doc, err = completed(doc); err != nil {
			return err
		}
		now := c.now().UTC().Truncate(time.Millisecond)
		card, err := parseScorecard(doc, now)
		if err != nil {
			return err
		}
		d = Document{DocumentKey: scorecardKey(blueprint, card.Identifier), Doc: doc, CreatedAt: now, CreatedBy: w.Actor, UpdatedAt: now, UpdatedBy: w.Actor}
		entry := AuditEntry{At: now, Kind: "scorecard", Action: "CREATE", Blueprint: blueprint, Identifier: card.Identifier, Actor: w.Actor, Source: w.Source, After: doc}
		if id != "" {
			d.CreatedAt, d.CreatedBy = was.CreatedAt, was.CreatedBy
			if d.DocumentKey == was.DocumentKey && bytes.Equal(doc, was.Doc) {
				d = was
				return nil
			}
			entry.Action, entry.Before = "UPDATE", was.Doc
		}
		if card.Identifier != id {
			if err := c.makeRoom(ctx, tx, d.DocumentKey, id == ""); err != nil {
				return err
			}
		}
		if id != "" && card.Identifier != id {
			if err := tx.DeleteDocument(ctx, was.DocumentKey); err != nil {
				return err
			}
		}
		if err := tx.PutDocument(ctx, d); err != nil {
			return err
		}
		return tx.AddHistory(ctx, []AuditEntry{entry})
	})
	return d, err
}

// scorecardBefore returns what is there: nothing for a new one.
func (c *Catalog) scorecardBefore(ctx context.Context, tx Tx, blueprint, id string) (was Document, err error) {
	m, err := c.modelOf(ctx, tx)
	if err != nil {
		return was, err
	}
	if m.rules[blueprint] == nil {
		return was, missing("Blueprint", blueprint)
	}
	if id == "" {
		return was, nil
	}
	return tx.Document(ctx, scorecardKey(blueprint, id))
}

// makeRoom refuses an identifier that is taken, and one scorecard too many.
func (c *Catalog) makeRoom(ctx context.Context, tx Tx, key DocumentKey, isNew bool) error {
	list, err := tx.Documents(ctx, kindScorecard, key.Blueprint)
	if err != nil {
		return err
	}
	for _, d := range list {
		if d.Identifier == key.Identifier {
			return fault.Errorf(fault.Conflict, "a scorecard with the identifier %q already exists in blueprint %q", key.Identifier, key.Blueprint).
				WithCode("identifier_taken", map[string]any{"resource": "Scorecard", "relevantField": "identifier", "withValue": key.Identifier})
		}
	}
	if isNew && len(list) >= maxScorecards {
		return invalidRequest("blueprint %q has %d scorecards, which is the most", key.Blueprint, maxScorecards)
	}
	return nil
}

// DeleteScorecard removes a scorecard, or answers fault.NotFound.
func (c *Catalog) DeleteScorecard(ctx context.Context, blueprint, id string, w Writer) error {
	return c.store.InTx(ctx, func(tx Tx) error {
		if id == "" {
			return missing("Scorecard", id)
		}
		was, err := c.scorecardBefore(ctx, tx, blueprint, id)
		if err != nil {
			return err
		}
		if err := tx.DeleteDocument(ctx, was.DocumentKey); err != nil {
			return err
		}
		return tx.AddHistory(ctx, []AuditEntry{{
			At: c.now().UTC(), Kind: "scorecard", Action: "DELETE", Blueprint: blueprint, Identifier: id, Actor: w.Actor, Source: w.Source, Before: was.Doc,
		}})
	})
}

// readAs fills in what is not stored, as far as it is wanted. Inverse relations must be filled in already.
func (c *Catalog) readAs(ctx context.Context, view View, m *model, entities []Entity, how Reading) error {
	if err := c.deriveAs(ctx, view, m, entities, how); err != nil || how.Unscored {
		return err
	}
	return c.score(ctx, view, m, entities, !how.Stored && !how.TitleIdentifiers && how.Only == nil)
}

// score fills in Scorecards of the entities, of whatever blueprints, as view sees the catalog; derived says that their
// derived properties are filled in as rules read them.
func (c *Catalog) score(ctx context.Context, view View, m *model, entities []Entity, derived bool) error {
	places := map[string][]int{}
	for i := range entities {
		places[entities[i].Blueprint] = append(places[entities[i].Blueprint], i)
	}
	for blueprint, at := range places {
		docs, err := view.Documents(ctx, kindScorecard, blueprint)
		if err != nil {
			return err
		}
		if len(docs) == 0 {
			continue
		}
		list := make([]Entity, len(at))
		for i, place := range at {
			list[i] = entities[place]
		}
		if !derived {
			if err := c.derive(ctx, view, m, list); err != nil {
				return err
			}
		}
		s := scoring{c, ctx, view, m, blueprint, list}
		standings := make([]map[string]standing, len(list))
		for i := range standings {
			standings[i] = map[string]standing{}
		}
		for _, d := range docs {
			if err := s.add(d, standings); err != nil {
				return err
			}
		}
		for i, place := range at {
			if entities[place].Scorecards, err = json.Marshal(standings[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// scoring is the entities of one blueprint being held against its scorecards.
type scoring struct {
	*Catalog
	ctx       context.Context //nolint:containedctx // lives as long as the call
	view      View
	model     *model
	blueprint string
	list      []Entity
}

// add adds where each entity stands in one scorecard.
func (s *scoring) add(d Document, standings []map[string]standing) error {
	card, err := s.model.card(d, s.now())
	if err != nil {
		return nil //nolint:nilerr // it was checked when it was written; one that cannot be read any more judges nobody
	}
	within, err := s.passed(card.filter)
	if err != nil {
		return err
	}
	byRule := make([][]bool, len(card.Rules))
	for i, query := range card.rules {
		if byRule[i], err = s.passed(query); err != nil {
			return err
		}
	}
	for i := range s.list {
		if !within[i] {
			continue
		}
		passed := make([]bool, len(card.Rules))
		for n := range passed {
			passed[n] = byRule[n][i]
		}
		standings[i][card.Identifier] = card.standing(passed)
	}
	return nil
}

// passed says which entities match a query. Nobody matches one that the model does not allow, such as one that goes
// along relations that are gone: that is told to whoever searches; here the rule fails.
func (s *scoring) passed(query *asked) ([]bool, error) {
	if query = query.at(s.model, s.now()); query.err != nil {
		return make([]bool, len(s.list)), nil //nolint:nilerr // the rule fails, as said above
	}
	return matching(s.ctx, s.view, s.model, s.list, &query.rule, query.low)
}
