//go:build e2e

package e2e

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/ingest"
	"longshore/internal/lake"
	"longshore/internal/store"
	"longshore/internal/verdict"
	"longshore/packs"
	"longshore/packs/samples"
)

// recorded returns the recorded records by stream, or skips.
func recorded(t *testing.T) map[string][][]byte {
	t.Helper()
	dir, ok := samples.Dir("..")
	if !ok {
		t.Skip("no recordings of real orgs beside the checkout (shared/okta-samples)")
	}
	records, err := samples.Load(dir)
	must(t, err)
	return records
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// counts is a row of the table in docs/packs.md.
type counts struct{ records, taken, flagged, strange, unmatched int }

// documented reads the table of docs/packs.md: pack and stream → counts.
func documented(t *testing.T) map[string]counts {
	t.Helper()
	text, err := os.ReadFile("../docs/packs.md")
	must(t, err)
	row := regexp.MustCompile(`(?m)^\| (guide|okta) \| (\w+) \| (\d+) \| (\d+) \| (\d+) \| \d+ \| (\d+) \| (\d+) \|$`)
	all := map[string]counts{}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		var c counts
		for i, n := range []*int{&c.records, &c.taken, &c.flagged, &c.strange, &c.unmatched} {
			_, err := fmt.Sscan(m[3+i], n)
			must(t, err)
		}
		all[m[1]+" "+m[2]] = c
	}
	if len(all) == 0 {
		t.Fatal("docs/packs.md has no table of counts")
	}
	return all
}

// meant is the blueprint that a stream's records are meant for.
var meant = map[string]string{
	"users": "okta_user", "groups": "okta_group", "group_members": "okta_group_membership", "custom_roles": "okta_role",
	"permissions": "okta_permission", "resource_sets": "okta_resource_set", "user_role_assignments": "okta_role_assignment",
	"group_role_assignments": "okta_role_assignment", "client_role_assignments": "okta_role_assignment", "logs": "okta_event",
}

// Records of real orgs, put into the lake as Airbyte would and ingested with either pack: every record has a verdict of
// each mapping, the counts are those of docs/packs.md, and the okta pack loses none.
func TestRecordedRecordsAreAllAccountedFor(t *testing.T) {
	records := recorded(t)
	want := documented(t)
	for _, name := range packs.Names() {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, name)
			for stream, list := range records {
				l.put(t, stream, list)
			}
			l.ingest(t)
			for stream, list := range records {
				got := l.count(t, stream, len(list))
				w, ok := want[name+" "+stream]
				if !ok {
					t.Errorf("docs/packs.md does not tell of %s %s", name, stream)
				}
				if got != w {
					t.Errorf("%s: %+v, docs/packs.md says %+v", stream, got, w)
				}
				if name == "okta" && (got.taken != len(list) || got.unmatched != 0) {
					t.Errorf("%s: the okta pack takes %d of %d records", stream, got.taken, len(list))
				}
			}
		})
	}
}

// lab is a data folder with a pack installed and nothing running.
type lab struct {
	objects *store.Objects
	bucket  *lake.Folder
	ing     *ingest.Ingester
	queued  [][2]int64
	targets []string // blueprint of each mapping
}

func newLab(t *testing.T, packName string) *lab {
	t.Helper()
	dir := t.TempDir()
	s, err := store.Open(t.Context(), filepath.Join(dir, "longshore.db"))
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	seal, err := store.OpenSealer(filepath.Join(dir, "keys.json"))
	must(t, err)
	bucket, err := lake.OpenFolder(filepath.Join(dir, "lake"))
	must(t, err)
	l := &lab{bucket: bucket}
	l.objects = s.Objects(seal, time.Now, func(_ context.Context, _ *sql.Tx, id, pass int64) error {
		l.queued = append(l.queued, [2]int64{id, pass})
		return nil
	})
	entities := s.Catalog()
	cat := catalog.New(entities, time.Now)
	l.ing = &ingest.Ingester{Store: l.objects, Catalog: applier{cat, entities}, Bucket: bucket, Now: time.Now}
	pack, err := packs.Open(packName)
	must(t, err)
	for _, b := range pack.Blueprints {
		_, err := cat.CreateBlueprint(t.Context(), b.JSON, catalog.Writer{Actor: "test", AllowPendingTargets: true})
		must(t, err)
	}
	_, err = l.objects.PutWebhook(t.Context(), ingest.Webhook{Doc: pack.Webhook.JSON})
	must(t, err)
	var mappings []struct{ Blueprint string }
	must(t, json.Unmarshal(pack.Mappings, &mappings))
	for _, m := range mappings {
		l.targets = append(l.targets, m.Blueprint)
	}
	return l
}

type applier struct {
	catalog  *catalog.Catalog
	entities *store.Catalog
}

func (a applier) Apply(ctx context.Context, tx *sql.Tx, changes []catalog.Change, results []catalog.Result) ([]catalog.Result, error) {
	return a.catalog.Apply(ctx, a.entities.Tx(tx), changes, results)
}

func (l *lab) put(t *testing.T, stream string, records [][]byte) {
	t.Helper()
	w, err := lake.NewWriter(lake.WriterOptions{Seed: stream, SyncID: 1, Generation: 1, TempDir: t.TempDir()})
	must(t, err)
	for _, r := range records {
		must(t, w.Append(r, time.UnixMilli(1_772_668_800_000)))
	}
	o, err := w.Close()
	must(t, err)
	defer o.Close()
	_, err = o.Put(t.Context(), l.bucket, samples.Key(stream), true)
	must(t, err)
}

func (l *lab) ingest(t *testing.T) {
	t.Helper()
	w := ingest.Watcher{Bucket: l.bucket, Layout: lake.GuideLayout(), Store: l.objects, Log: slog.New(slog.DiscardHandler)}
	_, err := w.Look(t.Context())
	must(t, err)
	for _, q := range l.queued {
		done, err := l.ing.Ingest(t.Context(), q[0], q[1], time.Now().Add(time.Hour), func(context.Context, *sql.Tx) error { return nil })
		if !done || err != nil {
			t.Fatalf("object %d: done %t, %v", q[0], done, err)
		}
	}
}

// count reads the ledger of a stream's object, line by line.
func (l *lab) count(t *testing.T, stream string, records int) (c counts) {
	t.Helper()
	list, err := l.objects.List(t.Context(), ingest.ObjectFilter{Stream: stream}, 0)
	must(t, err)
	if len(list) != 1 || list[0].State != ingest.Done || list[0].Records != int64(records) {
		t.Fatalf("objects of %s: %+v, want one, done, with %d records", stream, list, records)
	}
	for n := 1; n <= records; n++ {
		v, err := l.objects.RecordVerdict(t.Context(), list[0].ID, int64(n))
		must(t, err)
		if len(v.Verdict) != len(l.targets) {
			t.Fatalf("%s, line %d: %d verdicts of %d mappings", stream, n, len(v.Verdict), len(l.targets))
		}
		c.records++
		taken, strange, flagged := false, false, false
		for m, one := range v.Verdict {
			switch {
			case one.Code == verdict.None:
				t.Errorf("%s, line %d, mapping %d has no verdict", stream, n, m)
			case one.Code == verdict.Filtered || one.Code.Lost():
				if one.Detail.Clause == "" {
					t.Errorf("%s, line %d, mapping %d: %s names no clause", stream, n, m, one.Code)
				}
				continue
			case l.targets[m] == meant[stream]:
				taken = true
			default:
				strange = true
			}
			flagged = flagged || breaksRule(one.Detail)
		}
		if taken {
			c.taken++
		}
		if flagged {
			c.flagged++
		}
		if strange && !taken {
			c.strange++
		}
		if v.RollUp.Code == verdict.NoMappingMatched {
			c.unmatched++
		}
	}
	return c
}

// breaksRule reports whether an explanation names a rule of the blueprint.
func breaksRule(d verdict.Detail) bool {
	if d.Rule != "" && d.Rule != "unique" {
		return true
	}
	for _, m := range d.More {
		if breaksRule(m) {
			return true
		}
	}
	return false
}

// The program itself explains each record and mapping in a line: the clause, or the property, rule and value.
func TestMapExplainsEveryRecordedRecord(t *testing.T) {
	records := recorded(t)
	f := newFolder(t)
	for _, name := range packs.Names() {
		var targets []struct{ Blueprint string }
		pack, err := packs.Open(name)
		must(t, err)
		must(t, json.Unmarshal(pack.Mappings, &targets))
		for stream, list := range records {
			file := filepath.Join(t.TempDir(), stream+".jsonl")
			must(t, os.WriteFile(file, []byte(joined(list)), 0o600))
			out := f.must("map", "--pack", name, "--explain", "--json", file)
			d := json.NewDecoder(strings.NewReader(out))
			lines := 0
			for ; d.More(); lines++ {
				var v struct {
					Line    int
					Mapping int
					Verdict string
					Detail  verdict.Detail
				}
				must(t, d.Decode(&v))
				if v.Line != lines/len(targets)+1 || v.Mapping != lines%len(targets) {
					t.Fatalf("%s %s: line %d of the answer is of record %d and mapping %d", name, stream, lines, v.Line, v.Mapping)
				}
				switch verdict.Parse(v.Verdict) {
				case verdict.Filtered:
					if v.Detail.Clause == "" {
						t.Errorf("%s %s, record %d, mapping %d is filtered by no clause", name, stream, v.Line, v.Mapping)
					}
				case verdict.KeptWithFlags:
					if v.Detail.Property == "" || v.Detail.Rule == "" || v.Detail.Value == "" {
						t.Errorf("%s %s, record %d, mapping %d is flagged without property, rule or value: %+v", name, stream, v.Line, v.Mapping, v.Detail)
					}
				case verdict.None:
					t.Errorf("%s %s, record %d, mapping %d: %q is no verdict", name, stream, v.Line, v.Mapping, v.Verdict)
				}
			}
			if lines != len(list)*len(targets) {
				t.Errorf("%s %s: %d lines for %d records and %d mappings", name, stream, lines, len(list), len(targets))
			}
		}
	}
}

func joined(records [][]byte) string {
	var b strings.Builder
	for _, r := range records {
		b.Write(r)
		b.WriteByte('\n')
	}
	return b.String()
}
