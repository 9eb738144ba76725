package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/fault"
	"longshore/internal/ingest"
	"longshore/internal/lake"
	"longshore/internal/mapping"
)

// recordPage is the story of one line of the lake: the line, the record in it, what each mapping made of it, and what
// was written.
type recordPage struct {
	Object   ingest.Object
	Line     int64
	Text     recordText
	Missing  string // why the line cannot be shown
	RollUp   *verdictLine
	Mappings verdictLines
	Unjudged string // why there is no verdict
	Makes    []made
	Writes   []change // of the audit log
	Previous string
	Next     string
}

// Envelope is what the line says around its record.
type Envelope struct {
	RawID       string
	ExtractedAt time.Time
	Generation  int64
	Bytes       int64
}

type recordText struct {
	Body, Headers, Query json.RawMessage
	Raw                  string // the line as it lies in the object
	Broken               string // why it holds no record
	Envelope
}

// made is an entity that the mapping, as it is now, makes of the record.
type made struct {
	Number    int
	Blueprint string
	ID        string
	URL       string
	Title     string
	Here      bool // it is in the catalog
	Delete    bool
}

func (s *site) record(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	objectID, errObject := strconv.ParseInt(r.PathValue("object"), 10, 64)
	line, errLine := strconv.ParseInt(r.PathValue("line"), 10, 64)
	if err := errors.Join(errObject, errLine); err != nil {
		return fault.Errorf(fault.Invalid, "record %s/%s: want the number of an object and of a line", r.PathValue("object"), r.PathValue("line"))
	}
	p := &recordPage{Line: line}
	var err error
	if p.Object, err = s.Ledger.Object(ctx, objectID); err != nil {
		return err
	}
	if line < 1 || p.Object.RowsWritten >= 0 && p.Object.State == ingest.Done && line > max(p.Object.LinesDone, p.Object.RowsWritten) {
		return fault.Errorf(fault.NotFound, "%s has no line %d", p.Object.Key, line)
	}
	origin, err := s.originOf(ctx, objectID, line)
	if err != nil {
		return err
	}
	p.RollUp, p.Mappings = origin.RollUp, origin.Lines
	if p.RollUp == nil {
		p.Unjudged = fmt.Sprintf("The object is %s: line %d has no verdict.", p.Object.State, line)
	}
	if p.Text, err = s.readLine(ctx, p.Object, line); err != nil {
		p.Missing = err.Error()
	} else if p.Text.Broken == "" {
		if p.Makes, err = s.makes(ctx, p.Object, p.Text); err != nil {
			return err
		}
	}
	entries, err := s.Catalog.History(ctx, catalog.HistoryFilter{Kind: "entity", Origin: catalog.Origin{ObjectID: objectID, Line: line}, Limit: maxHistory})
	if err != nil {
		return err
	}
	for _, e := range entries {
		p.Writes = append(p.Writes, changeOf(e))
	}
	if line > 1 {
		p.Previous = recordURL(objectID, line-1)
	}
	if line < p.Object.LinesDone {
		p.Next = recordURL(objectID, line+1)
	}
	return s.render(w, r, "record", page{Title: fmt.Sprintf("Line %d of %s", line, shortKey(p.Object.Key)), Nav: "verdicts", Data: p})
}

// readLine reads one line of an object from the lake. Errors: fault.NotFound when the object or line is not there.
func (s *site) readLine(ctx context.Context, o ingest.Object, number int64) (recordText, error) {
	body, got, err := s.Bucket.Get(ctx, o.Key)
	if err != nil {
		return recordText{}, fmt.Errorf("get %s: %w", o.Key, err)
	}
	defer body.Close()
	if got.ETag != "" && o.ETag != "" && got.ETag != o.ETag {
		return recordText{}, fault.Errorf(fault.NotFound, "%s was replaced by another version since it was read", o.Key)
	}
	rd, err := lake.OpenReader(body, lake.ReaderOptions{From: number})
	if err != nil {
		return recordText{}, fmt.Errorf("read %s: %w", o.Key, err)
	}
	line, err := rd.Next()
	if errors.Is(err, io.EOF) || err == nil && line.Number != number {
		return recordText{}, fault.Errorf(fault.NotFound, "%s has no record in line %d", o.Key, number)
	}
	if err != nil {
		return recordText{}, fmt.Errorf("read %s: %w", o.Key, err)
	}
	t := recordText{
		Body: bytes.Clone(line.Body), Headers: bytes.Clone(line.Headers), Query: bytes.Clone(line.Query), Raw: shownText(line.Text),
		Envelope: Envelope{RawID: line.RawID, Generation: line.Generation, Bytes: line.Bytes},
	}
	if line.ExtractedAt != 0 {
		t.ExtractedAt = time.UnixMilli(line.ExtractedAt)
	}
	if line.Err != nil {
		t.Broken = line.Err.Message
	}
	return t, nil
}

// maxMade bounds the entities that a record page lists.
const maxMade = 50

// makes applies the object's webhook, as it is now, to the record, and says which entities come of it.
func (s *site) makes(ctx context.Context, o ingest.Object, text recordText) ([]made, error) {
	hooks, err := s.Ledger.Webhooks(ctx)
	if err != nil {
		return nil, err
	}
	for _, hook := range hooks {
		if hook.Identifier != o.Webhook {
			continue
		}
		set, err := hook.Compile()
		if err != nil {
			return nil, nil //nolint:nilerr // the verdicts say so
		}
		var list []made
		event := mapping.Event{Body: text.Body, Headers: text.Headers, Query: text.Query, Stream: o.Stream, ObjectKey: o.Key}
		err = set.Apply(ctx, event, func(out mapping.Outcome) error {
			if c := out.Change; c != nil && c.Identifier != "" && len(list) < maxMade {
				list = append(list, made{
					Number: out.Mapping + 1, Blueprint: c.Blueprint, ID: c.Identifier, URL: entityURL(c.Blueprint, c.Identifier),
					Title: plainText(c.Title), Delete: c.Op == catalog.OpDelete,
				})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		return list, s.markPresent(ctx, list)
	}
	return nil, nil
}

func (s *site) markPresent(ctx context.Context, list []made) error {
	wanted := map[string]map[string]bool{}
	for _, m := range list {
		if wanted[m.Blueprint] == nil {
			wanted[m.Blueprint] = map[string]bool{}
		}
		wanted[m.Blueprint][m.ID] = true
	}
	names, err := s.titles(ctx, wanted)
	for i := range list {
		title, here := names[catalog.Key{Blueprint: list[i].Blueprint, Identifier: list[i].ID}]
		list[i].Here = here
		if here {
			list[i].Title = title
		}
	}
	return err
}
