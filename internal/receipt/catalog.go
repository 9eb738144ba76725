package receipt

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"longshore/internal/catalog"
	"longshore/internal/verdict"
)

const (
	// maxLastWrites bounds the entities that are held against the audit log, a run.
	maxLastWrites = 200_000
	// maxTold bounds the entities that a receipt names.
	maxTold = 20
)

// LastWrite is a change of a run that nothing has followed: what it made of the entity, and what the entity holds now.
type LastWrite struct {
	Stream, ObjectKey     string
	Line                  int64
	Blueprint, Identifier string
	After                 []byte // the audit log's JSON of what was changed
	There                 bool   // the entity is
	Properties, Relations []byte
}

// recount holds the ledger's cells against its sums.
func (r *Receipt) recount(ctx context.Context, objects Objects, sums map[string]map[verdict.Code]int64) error {
	again, err := objects.Recount(ctx, r.SyncID)
	if err != nil {
		return err
	}
	streams := maps.Clone(sums)
	maps.Copy(streams, again)
	for _, stream := range slices.Sorted(maps.Keys(streams)) {
		if maps.Equal(without0(sums[stream]), again[stream]) {
			continue
		}
		var want, got int64
		for _, n := range sums[stream] {
			want += n
		}
		for _, n := range again[stream] {
			got += n
		}
		r.Differences = append(r.Differences, Difference{
			Stream: stream, Hop: HopVerdict, Want: want, Got: got,
			Why: fmt.Sprintf("the ledger's sums and its records differ: %s and %s", codes(sums[stream]), codes(again[stream])),
		})
	}
	return nil
}

func without0(m map[verdict.Code]int64) map[verdict.Code]int64 {
	var kept map[verdict.Code]int64
	for code, n := range m {
		if n != 0 {
			if kept == nil {
				kept = map[verdict.Code]int64{}
			}
			kept[code] = n
		}
	}
	return kept
}

func codes(m map[verdict.Code]int64) string {
	names := map[string]int64{}
	for code, n := range m {
		names[code.String()] = n
	}
	return verdictLine(names)
}

// checkEntities holds the catalog against the numbers that it keeps, and what the run wrote last against the audit log.
func (r *Receipt) checkEntities(ctx context.Context, objects Objects, cat Catalog, blueprints []catalog.Blueprint) error {
	counts, rows, err := settled(ctx, objects, cat)
	if err != nil {
		return err
	}
	rules := map[string]catalog.Blueprint{}
	for _, b := range blueprints {
		rules[b.Identifier] = b
		if rows[b.Identifier] != counts[b.Identifier] {
			r.Differences = append(r.Differences, Difference{
				Stream: b.Identifier, Hop: HopCatalog, Want: counts[b.Identifier], Got: rows[b.Identifier],
				Why: fmt.Sprintf("%d entities were made and not deleted, %d are there", counts[b.Identifier], rows[b.Identifier]),
			})
		}
	}
	told := 0
	return objects.LastWrites(ctx, r.SyncID, maxLastWrites, func(w LastWrite) {
		b, known := rules[w.Blueprint]
		if !known || told == maxTold {
			return
		}
		if why := w.differs(b); why != "" {
			told++
			r.Differences = append(r.Differences, Difference{
				Stream: w.Stream, Hop: HopCatalog, Object: fmt.Sprintf("%s line %d", w.ObjectKey, w.Line), Why: fmt.Sprintf("%s %s %s", w.Blueprint, w.Identifier, why),
			})
		}
	})
}

// settled counts entities in both ways. They are two looks, and somebody may write between them: what differs is looked
// at again.
func settled(ctx context.Context, objects Objects, cat Catalog) (counts, rows map[string]int64, err error) {
	const looks = 3
	for range looks {
		if counts, err = cat.Counts(ctx); err != nil {
			return nil, nil, err
		}
		if rows, err = objects.EntityRows(ctx); err != nil {
			return nil, nil, err
		}
		same := true
		for name, n := range counts {
			same = same && rows[name] == n
		}
		if same {
			break
		}
	}
	return counts, rows, nil
}

// differs says how the entity is not what the change made of it, "" when it is.
func (w LastWrite) differs(b catalog.Blueprint) string {
	if !w.There {
		return "is not in the catalog"
	}
	var after struct {
		Properties, Relations map[string]json.RawMessage
	}
	if json.Unmarshal(w.After, &after) != nil {
		return ""
	}
	declared := map[string]bool{}
	for _, p := range b.Properties {
		declared[p.Name] = true
	}
	for _, relation := range b.Relations {
		declared[relation.Name] = true
	}
	for _, part := range []struct {
		wrote map[string]json.RawMessage
		holds []byte
	}{{after.Properties, w.Properties}, {after.Relations, w.Relations}} {
		var holds map[string]json.RawMessage
		if json.Unmarshal(part.holds, &holds) != nil {
			return "cannot be read"
		}
		for _, name := range slices.Sorted(maps.Keys(part.wrote)) {
			if !declared[name] { // the blueprint has dropped it since, and its values with it
				continue
			}
			if !sameValue(part.wrote[name], holds[name]) {
				return fmt.Sprintf("holds another %s than was written", name)
			}
		}
	}
	return ""
}

// sameValue compares values as the catalog keeps them: null and nothing are the same.
func sameValue(a, b json.RawMessage) bool {
	if len(b) == 0 {
		b = json.RawMessage("null")
	}
	if bytes.Equal(a, b) {
		return true
	}
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}
