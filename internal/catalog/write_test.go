package catalog_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

func TestWriteRejectsByPortsRules(t *testing.T) {
	needs := `{"identifier":"laptop","title":"Laptop","schema":{"properties":{},"required":[]},"relations":{"owner":{"target":"user","required":true}}}`
	b := newBench(t, user, group, needs)
	b.write(call(t, "user", "00u1", `{"status":"ACTIVE"}`))
	with := func(c catalog.Change, relations string) catalog.Change { c.Relations = fields(t, relations); return c }
	exists := func(c catalog.Change, e catalog.Exists, op catalog.Op) catalog.Change {
		c.Exists, c.Op = e, op
		return c
	}
	for name, tc := range map[string]struct {
		change catalog.Change
		kind   fault.Kind
		code   string
	}{
		"unknown blueprint":                {call(t, "nope", "a", `{}`), fault.NotFound, "not_found"},
		"illegal identifier":               {call(t, "user", "a b", `{"status":"ACTIVE"}`), fault.Invalid, "invalid_request"},
		"dots as identifier":               {call(t, "user", "..", `{"status":"ACTIVE"}`), fault.Invalid, "invalid_request"},
		"create of an existing identifier": {exists(call(t, "user", "00u1", `{"status":"ACTIVE"}`), catalog.MustNotExist, catalog.OpMerge), fault.Conflict, "identifier_taken"},
		"put of a missing entity":          {exists(call(t, "user", "00u9", `{"status":"ACTIVE"}`), catalog.MustExist, catalog.OpReplace), fault.NotFound, "not_found"},
		"delete of a missing entity":       {exists(call(t, "user", "00u9", `{}`), catalog.MustExist, catalog.OpDelete), fault.NotFound, "not_found"},
		"missing required property":        {call(t, "user", "new", `{}`), fault.Invalid, "blueprint_schema_mismatch"},
		"null for a required property":     {call(t, "user", "new", `{"status":null}`), fault.Invalid, "blueprint_schema_mismatch"},
		"null merged over a required one":  {call(t, "user", "00u1", `{"status":null}`), fault.Invalid, "blueprint_schema_mismatch"},
		"unknown property":                 {call(t, "user", "new", `{"status":"ACTIVE","nope":1}`), fault.Invalid, "blueprint_schema_mismatch"},
		"wrong type":                       {call(t, "user", "new", `{"status":"ACTIVE","logins":"many"}`), fault.Invalid, "blueprint_schema_mismatch"},
		"wrong format":                     {call(t, "user", "new", `{"status":"ACTIVE","created":"yesterday"}`), fault.Invalid, "blueprint_schema_mismatch"},
		"not of the enum":                  {call(t, "user", "new", `{"status":"GONE"}`), fault.Invalid, "blueprint_schema_mismatch"},
		"nested null":                      {call(t, "user", "new", `{"status":"ACTIVE","profile":{"firstName":null}}`), fault.Invalid, "blueprint_schema_mismatch"},
		"unknown relation":                 {with(call(t, "user", "new", `{"status":"ACTIVE"}`), `{"nope":"a"}`), fault.Invalid, "blueprint_schema_mismatch"},
		"two for a single relation":        {with(call(t, "user", "new", `{"status":"ACTIVE"}`), `{"manager":["00u1","00u2"]}`), fault.Invalid, "relation_many_violation"},
		"target not there":                 {with(call(t, "user", "new", `{"status":"ACTIVE"}`), `{"manager":"00u9"}`), fault.NotFound, "not_found"},
		"inverse relation written":         {with(call(t, "group", "g", `{}`), `{"members":["00u1"]}`), fault.Invalid, "blueprint_schema_mismatch"},
		"required relation missing":        {call(t, "laptop", "l", `{}`), fault.Invalid, "required_relation"},
		"required relation null":           {with(call(t, "laptop", "l", `{}`), `{"owner":null}`), fault.Invalid, "required_relation"},
	} {
		t.Run(name, func(t *testing.T) {
			_, before := b.export()
			_, err := b.Write(t.Context(), tc.change)
			wantFault(t, err, tc.kind, tc.code)
			if lines, after := b.export(); after != before {
				t.Errorf("a rejected write changed the catalog:\n%s", lines)
			}
		})
	}
}

func TestWriteAcceptsWhatPortAccepts(t *testing.T) {
	b := newBench(t, user, group)
	b.write(call(t, "user", "00u1", `{"status":"ACTIVE"}`))
	b.write(call(t, "group", "https://acme.okta.com/a=b", `{}`))
	c := call(t, "user", "00u2", `{"status":"STAGED","logins":null,"type":{"id":"x"}}`)
	c.Relations = fields(t, `{"manager":["00u1"],"groups":"https://acme.okta.com/a=b"}`)
	b.write(c)
	e := b.entity("user", "00u2")
	if got, want := string(e.Relations), `{"groups":["https://acme.okta.com/a=b"],"manager":"00u1"}`; got != want {
		t.Errorf("relations %s, want %s", got, want)
	}
	b.write(call(t, "user", "00u2", `{"logins":3}`)) // a merge need not repeat what is required
	self := call(t, "user", "00u3", `{"status":"ACTIVE"}`)
	self.Relations = fields(t, `{"manager":"00u3"}`)
	b.write(self)
	g := b.entity("group", "https://acme.okta.com/a=b")
	if got, want := string(g.Relations), `{"members":["00u2"]}`; got != want {
		t.Errorf("inverse relations %s, want %s", got, want)
	}
}

func TestReplaceClearsAndAppliesDefaultsMergeDoesNot(t *testing.T) {
	b := newBench(t, user, group)
	b.write(call(t, "user", "a", `{"status":"ACTIVE","tier":"gold","logins":1}`))
	created := b.entity("user", "a").CreatedAt
	replace := call(t, "user", "a", `{"status":"STAGED"}`)
	replace.Op = catalog.OpReplace
	if r := b.write(replace); r.Outcome != catalog.OutcomeUpdated {
		t.Errorf("replace: %v, want updated", r.Outcome)
	}
	e := b.entity("user", "a")
	if got, want := string(e.Properties), `{"status":"STAGED","tier":"free"}`; got != want {
		t.Errorf("after replacing: %s, want %s", got, want)
	}
	if !e.CreatedAt.Equal(created) {
		t.Errorf("replacing moved createdAt from %v to %v", created, e.CreatedAt)
	}
	b.write(call(t, "user", "a", `{"tier":null}`))
	b.write(call(t, "user", "a", `{"logins":5}`))
	if got, want := string(b.entity("user", "a").Properties), `{"logins":5,"status":"STAGED"}`; got != want {
		t.Errorf("after merging: %s, want %s", got, want)
	}
}

func TestValidateOnlyWritesNothing(t *testing.T) {
	b := newBench(t, user, group)
	c := call(t, "user", "a", `{"status":"ACTIVE"}`)
	c.ValidateOnly = true
	r := b.write(c)
	if r.Outcome != catalog.OutcomeCreated || r.Entity.Identifier != "a" {
		t.Errorf("answer %+v, want as if created", r)
	}
	if lines, _ := b.export(); lines != "" {
		t.Errorf("it was written: %s", lines)
	}
}

func TestAPIWriteWinsNowAndNewerRecordsLater(t *testing.T) {
	b := newBench(t, user, group)
	b.apply(record(t, "user", "a", 9, `{"status":"ACTIVE","logins":1}`))
	b.write(call(t, "user", "a", `{"logins":2}`))
	if r := b.apply(record(t, "user", "a", 8, `{"status":"ACTIVE","logins":1}`)); r[0].Outcome != catalog.OutcomeSuperseded {
		t.Errorf("an older record after an API write: %v, want superseded", r[0].Outcome)
	}
	if got := string(b.entity("user", "a").Properties); !strings.Contains(got, `"logins":2`) {
		t.Errorf("properties %s, want those of the API write", got)
	}
	b.apply(record(t, "user", "a", 10, `{"status":"ACTIVE","logins":3}`))
	if got := string(b.entity("user", "a").Properties); !strings.Contains(got, `"logins":3`) {
		t.Errorf("properties %s, want those of the newer record", got)
	}
}

func TestLenientKeepsAndFlags(t *testing.T) {
	b := newBench(t, user, group)
	c := record(t, "user", "a", 1, `{"status":null,"created":"yesterday","logins":"many","profile":{"firstName":null},"nope":[1],"tags":["\u0000\ud800"]}`)
	c.Relations = fields(t, `{"manager":["x","y"],"what":1}`)
	r := b.apply(c)[0]
	if r.Outcome != catalog.OutcomeCreated {
		t.Fatalf("outcome %v %v, want created", r.Outcome, r.Err)
	}
	got := map[string]string{}
	for _, f := range r.Flags {
		got[f.Property] = f.Rule
	}
	want := map[string]string{"status": "required", "created": "format", "logins": "type", "profile.firstName": "type", "nope": "unknown-property", "tags": "unicode", "manager": "many", "what": "unknown-relation"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("flags %v\nwant  %v", got, want)
	}
	e := b.entity("user", "a")
	if got, want := string(e.Properties), `{"created":"yesterday","logins":"many","profile":{"firstName":null},"tags":["��"],"tier":"free"}`; got != want {
		t.Errorf("properties %s, want %s", got, want)
	}
	if len(r.Pending) != 1 || r.Pending[0] != (catalog.Pending{Relation: "manager", Blueprint: "user", Identifier: "x"}) {
		t.Errorf("pending %v, want manager user x", r.Pending)
	}
	c.Version.Generation, c.Origin.ObjectID = 2, 8
	if again := b.apply(c)[0]; again.Outcome != catalog.OutcomeUnchanged || len(again.Flags) != len(r.Flags) || len(again.Pending) != 1 {
		t.Errorf("again: %v with %d flags and %d pending, want unchanged with %d and 1", again.Outcome, len(again.Flags), len(again.Pending), len(r.Flags))
	}
	if again := b.apply(record(t, "user", "a", 3, `{"nope":[2],"logins":"many"}`))[0]; len(again.Flags) != 7 {
		t.Errorf("flags after another unknown value: %+v, want each rule once, and none of what the record before had and this one has not", again.Flags)
	}
	mended := record(t, "user", "a", 4, `{"status":"ACTIVE","created":"2024-01-02T03:04:05Z","logins":1,"profile":{"firstName":"A"},"tags":[]}`)
	mended.Relations = fields(t, `{"manager":"x"}`)
	if r := b.apply(mended)[0]; len(r.Flags) != 0 || len(b.entity("user", "a").Flags) != 0 {
		t.Errorf("flags after mending: %+v, stored %+v", r.Flags, b.entity("user", "a").Flags)
	}
	if r := b.apply(record(t, "nope", "a", 1, `{}`))[0]; r.Outcome != catalog.OutcomeRejected || !fault.Is(r.Err, fault.NotFound) || !strings.Contains(r.Err.Error(), `"nope"`) {
		t.Errorf("unknown blueprint: %v %v, want rejected naming it", r.Outcome, r.Err)
	}
}

func TestPendingRelationHealsWhenTheTargetLands(t *testing.T) {
	b := newBench(t, user, group)
	c := record(t, "user", "a", 1, `{"status":"ACTIVE"}`)
	c.Relations = fields(t, `{"groups":["g1","g2"]}`)
	if r := b.apply(c)[0]; len(r.Pending) != 2 {
		t.Errorf("pending %v, want both groups", r.Pending)
	}
	wantPending(t, b, 2)
	r := b.apply(record(t, "group", "g1", 1, `{}`))[0]
	if len(r.Healed) != 1 || r.Healed[0].Referrer != (catalog.Key{Blueprint: "user", Identifier: "a"}) || r.Healed[0].Relation != "groups" {
		t.Errorf("healed %+v, want groups of user a", r.Healed)
	}
	wantPending(t, b, 1)
	del := record(t, "group", "g1", 2, `{}`)
	del.Op = catalog.OpDelete
	b.apply(del)
	wantPending(t, b, 2)
	both := record(t, "user", "b", 1, `{"status":"ACTIVE"}`)
	both.Relations = fields(t, `{"groups":["g3"]}`)
	if r := b.apply(both, record(t, "group", "g3", 1, `{}`)); len(r[0].Pending) != 0 {
		t.Errorf("pending on a target later in the same batch: %v", r[0].Pending)
	}
	wantPending(t, b, 2)
}

func wantPending(t *testing.T, b *bench, n int64) {
	t.Helper()
	p, err := b.Pending(t.Context(), 3)
	if err != nil || p.Count != n || p.Resolvable != 0 {
		t.Errorf("pending %+v (%v), want %d, none resolvable", p, err, n)
	}
}

func TestSameIdentifierFromTwoRecordsOfAGenerationIsAConflict(t *testing.T) {
	b := newBench(t, user, group)
	at := func(line int64, status string) catalog.Change {
		c := record(t, "user", "ra1", 3, `{"status":"`+status+`"}`)
		c.Version.Line, c.Origin.Line = line, line
		return c
	}
	// The same content is no conflict, whichever of the two records is older.
	r := b.apply(at(2, "ACTIVE"), at(5, "STAGED"), at(1, "STAGED"), at(6, "STAGED"))
	want := []catalog.Outcome{catalog.OutcomeCreated, catalog.OutcomeConflict, catalog.OutcomeUnchanged, catalog.OutcomeUnchanged}
	for i := range want {
		if r[i].Outcome != want[i] {
			t.Errorf("record %d: %v, want %v", i, r[i].Outcome, want[i])
		}
	}
	if r := b.apply(at(3, "ACTIVE")); r[0].Outcome != catalog.OutcomeConflict {
		t.Errorf("an older record with other content: %v, want conflict", r[0].Outcome)
	}
	if got := string(b.entity("user", "ra1").Properties); !strings.Contains(got, "STAGED") {
		t.Errorf("properties %s, want those of the newest line", got)
	}
}

func TestDeleteRespectsDependents(t *testing.T) {
	laptop := `{"identifier":"laptop","title":"Laptop","schema":{"properties":{},"required":[]},"relations":{"owner":{"target":"user","required":true}}}`
	sticker := `{"identifier":"sticker","title":"Sticker","schema":{"properties":{},"required":[]},"relations":{"on":{"target":"laptop","required":true}}}`
	b := newBench(t, user, group, laptop, sticker)
	rel := func(blueprint, id, relations string) {
		c := call(t, blueprint, id, `{}`)
		c.Relations = fields(t, relations)
		b.write(c)
	}
	b.write(call(t, "user", "boss", `{"status":"ACTIVE"}`))
	b.write(call(t, "user", "ann", `{"status":"ACTIVE"}`))
	rel("user", "ann", `{"manager":"boss"}`)
	rel("laptop", "l1", `{"owner":"boss"}`)
	rel("sticker", "s1", `{"on":"l1"}`)
	del := catalog.Change{Blueprint: "user", Identifier: "boss", Op: catalog.OpDelete, Exists: catalog.MustExist}
	_, err := b.Write(t.Context(), del)
	wantFault(t, err, fault.Conflict, "has_dependents")
	b.entity("user", "boss")
	del.DeleteDependents = true
	b.write(del)
	lines, _ := b.export()
	if want := `{"identifier":"ann","title":null,"blueprint":"user","team":null,"properties":{"status":"ACTIVE","tier":"free"},"relations":{}}` + "\n"; lines != want {
		t.Errorf("left:\n%swant ann alone, without a manager", lines)
	}
	wantPending(t, b, 0)
}

func TestTombstoneKeepsOlderRecordsAway(t *testing.T) {
	b := newBench(t, user, group)
	b.apply(record(t, "user", "a", 1, `{"status":"ACTIVE"}`))
	del := record(t, "user", "a", 5, `{}`)
	del.Op = catalog.OpDelete
	if r := b.apply(del); r[0].Outcome != catalog.OutcomeDeleted {
		t.Errorf("delete: %v", r[0].Outcome)
	}
	if r := b.apply(del); r[0].Outcome != catalog.OutcomeAbsent {
		t.Errorf("delete again: %v, want absent", r[0].Outcome)
	}
	if r := b.apply(record(t, "user", "a", 4, `{"status":"ACTIVE"}`)); r[0].Outcome != catalog.OutcomeSuperseded {
		t.Errorf("older record: %v, want superseded", r[0].Outcome)
	}
	if r := b.apply(record(t, "user", "a", 6, `{"status":"STAGED"}`)); r[0].Outcome != catalog.OutcomeCreated {
		t.Errorf("newer record: %v, want created", r[0].Outcome)
	}
}

func TestHistoryHoldsWhatChanged(t *testing.T) {
	b := newBench(t, user, group, `{"identifier":"event","title":"Event","history":false,"schema":{"properties":{"n":{"type":"number"}},"required":[]}}`)
	b.apply(record(t, "user", "a", 1, `{"status":"ACTIVE","logins":1}`))
	b.apply(record(t, "user", "a", 2, `{"status":"STAGED","logins":1}`))
	del := record(t, "user", "a", 3, `{}`)
	del.Op = catalog.OpDelete
	b.apply(del, record(t, "event", "e", 1, `{"n":1}`))
	list := b.history("user", "a")
	if len(list) != 3 {
		t.Fatalf("%d entries, want 3: %+v", len(list), list)
	}
	update := list[1]
	if update.Action != "UPDATE" || string(update.Before) != `{"properties":{"status":"ACTIVE"}}` || string(update.After) != `{"properties":{"status":"STAGED"}}` ||
		update.Origin.ObjectID != 7 || update.Origin.Line != 2 || update.Actor != "okta" || update.Source != "webhook/okta" {
		t.Errorf("update entry %+v before %s after %s", update, update.Before, update.After)
	}
	if list[2].Action != "CREATE" || list[0].Action != "DELETE" || list[0].After != nil || list[2].Before != nil {
		t.Errorf("entries %+v", list)
	}
	if n := len(b.history("event", "e")); n != 0 {
		t.Errorf("%d entries of an entity whose blueprint wants none", n)
	}
}

func TestRenameTakesReferencesAlong(t *testing.T) {
	b := newBench(t, user, group)
	b.write(call(t, "user", "a", `{"status":"ACTIVE"}`))
	c := call(t, "user", "b", `{"status":"ACTIVE"}`)
	c.Relations = fields(t, `{"manager":"a"}`)
	b.write(c)
	rename := call(t, "user", "a", `{"status":"STAGED"}`)
	rename.Rename, rename.Exists = "z", catalog.MustExist
	if r := b.write(rename); r.Identifier != "z" || r.Entity.Identifier != "z" {
		t.Errorf("renamed: %+v", r)
	}
	if got := string(b.entity("user", "b").Relations); got != `{"manager":"z"}` {
		t.Errorf("referrer's relations %s, want manager z", got)
	}
	if _, err := b.Entity(t.Context(), "user", "a"); !fault.Is(err, fault.NotFound) {
		t.Errorf("the old identifier: %v, want not found", err)
	}
	taken := call(t, "user", "b", `{}`)
	taken.Rename = "z"
	_, err := b.Write(t.Context(), taken)
	wantFault(t, err, fault.Conflict, "identifier_taken")
	checkBooks(t, b)
}

func TestRelationAndIdentifierByQuery(t *testing.T) {
	b := newBench(t, user, group)
	b.write(call(t, "group", "g1", `{"name":"eng"}`))
	b.write(call(t, "group", "g2", `{"name":"eng"}`))
	c := call(t, "user", "a", `{"status":"ACTIVE"}`)
	c.Relations = []catalog.Field{{Name: "groups", Value: []byte(`{"combinator":"and","rules":[{"property":"name","operator":"=","value":"eng"}]}`)}}
	b.write(c)
	if got := string(b.entity("user", "a").Relations); got != `{"groups":["g1","g2"]}` {
		t.Errorf("relations %s, want both groups", got)
	}
	q := call(t, "user", "", `{"logins":4}`)
	q.IdentifierQuery = json.RawMessage(`{"combinator":"and","rules":[{"property":"status","operator":"=","value":"ACTIVE"}]}`)
	if r := b.write(q); r.Identifier != "a" {
		t.Errorf("the query wrote %q, want a", r.Identifier)
	}
	q.IdentifierQuery = json.RawMessage(`{"combinator":"and","rules":[{"property":"status","operator":"=","value":"STAGED"}]}`)
	_, err := b.Write(t.Context(), q)
	wantFault(t, err, fault.NotFound, "not_found")
}

func TestCreateMissingRelatedMakesBareEntities(t *testing.T) {
	b := newBench(t, user, group)
	c := call(t, "user", "a", `{"status":"ACTIVE"}`)
	c.Relations = fields(t, `{"manager":"boss","groups":["g1"]}`)
	c.CreateMissingRelated = true
	b.write(c)
	b.entity("user", "boss")
	b.entity("group", "g1")
	checkBooks(t, b)
}

func TestReferrersAreCountedAndPaged(t *testing.T) {
	b := newBench(t, user, group)
	var changes []catalog.Change
	for i := range 25 {
		c := record(t, "user", fmt.Sprintf("u%02d", i), 1, `{"status":"ACTIVE"}`)
		c.Relations = fields(t, `{"groups":["g"],"manager":"u00"}`)
		changes = append(changes, c)
	}
	b.apply(changes...)
	counts, err := b.Referrers(t.Context(), catalog.Key{Blueprint: "group", Identifier: "g"})
	if err != nil || len(counts) != 1 || counts[0] != (catalog.ReferrerCount{Blueprint: "user", Relation: "groups", Count: 25}) {
		t.Fatalf("referrers %+v %v", counts, err)
	}
	seen, after := 0, int64(0)
	for {
		page, err := b.ReferrersBy(t.Context(), catalog.Key{Blueprint: "group", Identifier: "g"}, "user", "groups", after, 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		seen, after = seen+len(page), page[len(page)-1].ID
	}
	if seen != 25 {
		t.Errorf("pages hold %d referrers, want 25", seen)
	}
}

func TestWritesFromManyGoroutines(t *testing.T) {
	b := newBench(t, user, group)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 10 {
				if _, err := b.Write(context.Background(), call(t, "user", fmt.Sprintf("u%d", i), fmt.Sprintf(`{"status":"ACTIVE","logins":%d}`, g))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	checkBooks(t, b)
	if n, _ := b.CountEntities(t.Context(), "user"); n != 10 {
		t.Errorf("%d entities, want 10", n)
	}
}
