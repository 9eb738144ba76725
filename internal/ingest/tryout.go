package ingest

import (
	"context"
	"strings"

	"longshore/internal/catalog"
	"longshore/internal/mapping"
	"longshore/internal/verdict"
)

// Tryout is what one mapping, and one item of it, would make of an event.
type Tryout struct {
	Mapping int
	Item    int  // -1 without itemsToParse
	Filter  bool // the filter let it pass
	Change  *catalog.Change
	Verdict Verdict
	Pending []catalog.Pending // relations whose target is not there yet
}

// MaxTryouts is how many results a trial of one event gives; a last one tells that there were more.
const MaxTryouts = 1000

// Try runs mappings on one event and checks what comes out against the catalog, without writing: check gets each change
// with ValidateOnly set. An error of check is the change's refusal.
func Try(ctx context.Context, set *mapping.Set, ev mapping.Event, check func(catalog.Change) (catalog.Result, error)) (list []Tryout, more int, err error) {
	err = set.Apply(ctx, ev, func(o mapping.Outcome) error {
		if len(list) >= MaxTryouts {
			more++
			return nil
		}
		t := Tryout{Mapping: o.Mapping, Item: o.Item, Filter: passed(o), Verdict: Verdict{o.Code, o.Detail}}
		if o.Change != nil {
			change := clone(o.Change)
			change.ValidateOnly, change.Actor, change.Lane = true, change.Source, ""
			t.Change = &change
			result, err := check(change)
			if err != nil {
				t.Verdict = rejected(err)
			} else {
				t.Verdict = ofResult(&result, change.Blueprint)
				t.Pending = result.Pending
			}
			if len(t.Pending) > 0 && t.Verdict.Code == verdict.Upserted {
				t.Verdict.Code = verdict.PendingRelation
			}
			if !o.Detail.Empty() {
				t.Verdict.Detail.More = append(t.Verdict.Detail.More, o.Detail)
				if verdict.Worse(t.Verdict.Code, verdict.KeptWithFlags) == verdict.KeptWithFlags {
					t.Verdict.Code = verdict.KeptWithFlags
				}
			}
		}
		list = append(list, t)
		return nil
	})
	return list, more, err
}

// passed reports whether the filter let the event pass, whatever became of it then.
func passed(o mapping.Outcome) bool {
	switch o.Code {
	case verdict.Filtered, verdict.MalformedLine:
		return false
	case verdict.ExpressionError:
		return o.Detail.Clause == "" && o.Detail.Field != "filter" && !strings.HasSuffix(o.Detail.Field, ".selector.query")
	}
	return true
}
