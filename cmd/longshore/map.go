package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"longshore/internal/catalog"
	"longshore/internal/fault"
	"longshore/internal/ingest"
	"longshore/internal/lake"
	"longshore/internal/mapping"
	"longshore/internal/store"
	"longshore/internal/verdict"
	"longshore/packs"
)

type mapOptions struct {
	mappings   string
	blueprints []string
	pack       string
	stream     string
	explain    bool
	strict     bool
	asJSON     bool
}

func newMap() *cobra.Command {
	var o mapOptions
	cmd := &cobra.Command{
		Use:   "map [flags] [FILE.jsonl[.gz]…]",
		Short: "try mappings on records; needs no server",
		Long: `Map runs mappings over records, from files or standard input: bare JSON lines or Airbyte's envelopes, plain or gzip. It prints the
entities as JSON lines on standard output and how often each verdict was given on standard error. With --explain it prints one line a
record and mapping instead: the verdict and the clause, expression, property or value that decided. Mappings count from 1 there; with
--json "mapping" is the index in the list, from 0, as in the API, and -1 for a record that no mapping saw.

Mappings that route by stream look at the object's key. A file under data/NAMESPACE/STREAM/ has its own; otherwise the stream is
the file's name up to the first dot (users.jsonl → users), or that of --stream.

The file of mappings is JSON or YAML: a list of them, a whole webhook, or an Ocean config (resources with kind, selector and
port.entity.mappings), whose resources take the records of the stream that is their kind.`,
		Example: `  longshore map --pack okta users.jsonl
  longshore map -m mapping.json -b blueprint-okta_user.json --explain users.jsonl.gz
  longshore map -m port-app-config.yaml --stream users users.jsonl
  zcat users.jsonl.gz | longshore map --pack guide --stream users --explain`,
		RunE: func(cmd *cobra.Command, args []string) error { return runMap(cmd, o, args) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.mappings, "mappings", "m", "", "file with the mappings, a whole webhook or an Ocean config; JSON or YAML")
	f.StringArrayVarP(&o.blueprints, "blueprint", "b", nil, "file with a blueprint to check against (may be given more than once)")
	f.StringVar(&o.pack, "pack", "", "take mappings and blueprints of this pack (okta or guide)")
	f.StringVar(&o.stream, "stream", "", "stream of the records")
	f.BoolVar(&o.explain, "explain", false, "print one line a record and mapping: what became of it and why")
	f.BoolVar(&o.strict, "strict", false, "reject what does not fit its blueprint, as Port does")
	f.BoolVar(&o.asJSON, "json", false, "with --explain: print JSON lines")
	return cmd
}

func runMap(cmd *cobra.Command, o mapOptions, files []string) error {
	parts, blueprints, err := o.model()
	if err != nil {
		return err
	}
	set, err := mapping.CompileBoth("", parts.Mappings, parts.Config, mapping.Options{Strict: o.strict})
	if err != nil {
		return fmt.Errorf("%s: %w", o.source(), err)
	}
	for _, p := range append(mapping.Lint(parts.Mappings), set.Problems()...) {
		fmt.Fprintln(cmd.ErrOrStderr(), warning(p))
	}
	apply, done, err := trialCatalog(cmd.Context(), blueprints)
	if err != nil {
		return err
	}
	defer done()
	t := &mapTrial{
		o: o, set: set, apply: apply, out: bufio.NewWriterSize(cmd.OutOrStdout(), 1<<16), counts: map[int]map[verdict.Code]int64{},
		rollUps: map[verdict.Code]int64{},
	}
	if len(files) == 0 {
		files = []string{"-"}
	}
	broken := false
	for _, file := range files {
		if err := t.file(cmd.Context(), file, cmd.InOrStdin()); err != nil {
			broken = true // the next file is tried all the same
			fmt.Fprintf(cmd.ErrOrStderr(), "longshore: %s: %v\n", file, err)
		}
	}
	if err := t.out.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	if t.records > 0 || !broken {
		t.summary(cmd.ErrOrStderr())
	}
	if broken {
		return errSilent
	}
	return nil
}

// warning is the line that tells of a problem; mappings count from 1 for people.
func warning(p mapping.Problem) string {
	text := fmt.Sprintf("warning: mapping %d, %s: ", p.Mapping+1, p.Field)
	if p.Expression != "" {
		text += p.Expression + ": "
	}
	text += p.Message
	if p.Hint != "" {
		text += "; " + p.Hint
	}
	return text
}

// source names where the mappings come from.
func (o mapOptions) source() string {
	if o.pack != "" {
		return "pack " + o.pack
	}
	return o.mappings
}

// model reads mappings and blueprints from the files or the pack.
func (o mapOptions) model() (parts mapping.Parts, blueprints []json.RawMessage, err error) {
	if (o.pack == "") == (o.mappings == "") {
		return parts, nil, &usageError{fmt.Errorf("give either -m FILE or --pack NAME")}
	}
	if o.pack != "" {
		pack, err := packs.Open(o.pack)
		if err != nil {
			return parts, nil, &usageError{err}
		}
		for _, b := range pack.Blueprints {
			blueprints = append(blueprints, b.JSON)
		}
		parts.Mappings = pack.Mappings
	} else {
		text, err := os.ReadFile(o.mappings)
		if err != nil {
			return parts, nil, fault.Errorf(fault.NotFound, "read mappings: %w", err)
		}
		if parts, err = mapping.Read(text); err != nil {
			return parts, nil, fmt.Errorf("%s: %w", o.mappings, err)
		}
	}
	for _, file := range o.blueprints {
		text, err := os.ReadFile(file)
		if err != nil {
			return parts, nil, fault.Errorf(fault.NotFound, "read blueprint: %w", err)
		}
		blueprint, err := mapping.ToJSON(text)
		if err != nil {
			return parts, nil, fmt.Errorf("%s: %w", file, err)
		}
		blueprints = append(blueprints, blueprint)
	}
	return parts, blueprints, nil
}

// trialCatalog makes a catalog of the blueprints in a temporary folder. Without blueprints nothing is checked: every
// change counts as written.
func trialCatalog(ctx context.Context, blueprints []json.RawMessage) (apply func([]catalog.Change) ([]catalog.Result, error), done func(), err error) {
	if len(blueprints) == 0 {
		return func(changes []catalog.Change) ([]catalog.Result, error) {
			results := make([]catalog.Result, len(changes))
			for i, c := range changes {
				results[i] = catalog.Result{Outcome: catalog.OutcomeCreated, Identifier: c.Identifier}
			}
			return results, nil
		}, func() {}, nil
	}
	dir, err := os.MkdirTemp("", "longshore-map-")
	if err != nil {
		return nil, nil, fmt.Errorf("make a temporary catalog: %w", err)
	}
	s, err := store.Open(ctx, filepath.Join(dir, "trial.db"))
	if err != nil {
		os.RemoveAll(dir)
		return nil, nil, err
	}
	done = func() {
		s.Close()
		os.RemoveAll(dir)
	}
	entities := s.Catalog()
	cat := catalog.New(entities, time.Now)
	for _, b := range blueprints {
		if _, err := cat.CreateBlueprint(ctx, b, catalog.Writer{Actor: actor, Source: actor, AllowPendingTargets: true}); err != nil {
			done()
			return nil, nil, err
		}
	}
	return func(changes []catalog.Change) (results []catalog.Result, err error) {
		err = s.InTx(ctx, func(tx *sql.Tx) error {
			results, err = cat.Apply(ctx, entities.Tx(tx), changes, nil)
			return err
		})
		return results, err
	}, done, nil
}

type mapTrial struct {
	o       mapOptions
	set     *mapping.Set
	apply   func([]catalog.Change) ([]catalog.Result, error)
	out     *bufio.Writer
	counts  map[int]map[verdict.Code]int64
	rollUps map[verdict.Code]int64
	records int64
}

func (t *mapTrial) file(ctx context.Context, name string, stdin io.Reader) error {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	r, err := lake.OpenReader(in, lake.ReaderOptions{})
	if err != nil {
		return err
	}
	o := ingest.Object{ID: 1, Key: t.o.key(name)}
	o.Stream = strings.Split(o.Key, "/")[2]
	return ingest.Trial(ctx, t.set, r, o, t.apply, func(tried ingest.Tried) error { return t.record(name, tried) })
}

// key is the object key that the mappings see for a file.
func (o mapOptions) key(file string) string {
	path := filepath.ToSlash(file)
	if i := strings.Index("/"+path, "/data/"); i >= 0 && o.stream == "" {
		if rest := ("/" + path)[i+1:]; strings.Count(rest, "/") >= 3 {
			return rest
		}
	}
	stream := o.stream
	if stream == "" {
		stream, _, _ = strings.Cut(filepath.Base(path), ".")
	}
	return "data/" + namespace + "/" + stream + "/" + filepath.Base(path)
}

// record counts one record and prints it.
func (t *mapTrial) record(file string, tried ingest.Tried) error {
	t.records++
	t.rollUps[tried.Judged.RollUp.Code]++
	waiting := map[string]bool{} // blueprints whose entity waits for a relation
	for i, r := range tried.Results {
		if len(r.Pending) > 0 {
			waiting[tried.Changes[i].Blueprint] = true
		}
	}
	for m, v := range tried.Judged.Verdict {
		if v.Code == verdict.Upserted && waiting[t.set.Mapping(m).Blueprint] {
			v.Code = verdict.PendingRelation
		}
		if t.counts[m] == nil {
			t.counts[m] = map[verdict.Code]int64{}
		}
		t.counts[m][v.Code]++
		if t.o.explain {
			if err := t.explain(file, tried.Judged.Line, m, v); err != nil {
				return err
			}
		}
	}
	if t.o.explain {
		if len(tried.Judged.Verdict) == 0 {
			return t.explain(file, tried.Judged.Line, -1, tried.Judged.RollUp)
		}
		return nil
	}
	for _, c := range tried.Changes {
		if err := json.NewEncoder(t.out).Encode(entityLine(c)); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	}
	return nil
}

// explain prints one line of a record and mapping.
func (t *mapTrial) explain(file string, line int64, m int, v ingest.Verdict) error {
	blueprint := ""
	if m >= 0 {
		blueprint = t.set.Mapping(m).Blueprint
	}
	if t.o.asJSON {
		return json.NewEncoder(t.out).Encode(struct {
			File      string         `json:"file"`
			Line      int64          `json:"line"`
			Mapping   int            `json:"mapping"`
			Blueprint string         `json:"blueprint,omitempty"`
			Verdict   string         `json:"verdict"`
			Detail    verdict.Detail `json:"detail"`
		}{file, line, m, blueprint, v.Code.String(), v.Detail})
	}
	who := "no mapping"
	if m >= 0 {
		who = fmt.Sprintf("mapping %d", m+1)
	}
	_, err := fmt.Fprintf(t.out, "%s:%d\t%s\t%s\t%s\t%s\n", file, line, who, blueprint, v.Code, v.Detail)
	return err
}

func (t *mapTrial) summary(w io.Writer) {
	if t.records == 0 {
		fmt.Fprintln(w, "0 records")
		return
	}
	fmt.Fprintf(w, "%d records: %s\n", t.records, codeLine(t.rollUps))
	for m := range t.set.Len() {
		fmt.Fprintf(w, "  mapping %d %-24s %s\n", m+1, t.set.Mapping(m).Blueprint, codeLine(t.counts[m]))
	}
}

func codeLine(counts map[verdict.Code]int64) string {
	var parts []string
	for _, code := range verdict.All() {
		if n := counts[code]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", code, n))
		}
	}
	return strings.Join(parts, ", ")
}

// wireEntity is an entity as Port's API takes it, with its blueprint.
type wireEntity struct {
	Blueprint  string                     `json:"blueprint"`
	Operation  string                     `json:"operation,omitempty"`
	Identifier string                     `json:"identifier,omitempty"`
	Query      json.RawMessage            `json:"identifierQuery,omitempty"`
	Title      json.RawMessage            `json:"title,omitempty"`
	Icon       json.RawMessage            `json:"icon,omitempty"`
	Team       json.RawMessage            `json:"team,omitempty"`
	Properties map[string]json.RawMessage `json:"properties,omitempty"`
	Relations  map[string]json.RawMessage `json:"relations,omitempty"`
}

func entityLine(c catalog.Change) wireEntity {
	e := wireEntity{
		Blueprint: c.Blueprint, Identifier: c.Identifier, Query: c.IdentifierQuery, Title: c.Title, Icon: c.Icon, Team: c.Team,
		Properties: map[string]json.RawMessage{}, Relations: map[string]json.RawMessage{},
	}
	if c.Op == catalog.OpDelete {
		e.Operation = "delete"
	}
	for _, f := range c.Properties {
		e.Properties[f.Name] = f.Value
	}
	for _, f := range c.Relations {
		e.Relations[f.Name] = f.Value
	}
	return e
}
