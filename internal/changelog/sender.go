package changelog

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

const (
	documentKind = "changelog"
	// pageSize is how many entries are read at a time.
	pageSize = 100
	// maxAge is how old a change may be that is still tried again.
	maxAge = 24 * time.Hour
	// idle is how soon a change is seen.
	idle = time.Second
	// The pause after a failure doubles from the first to the longest.
	firstPause   = time.Second
	longestPause = 10 * time.Minute
	postTimeout  = 10 * time.Second
	maxAnswer    = 4 << 10
)

// Catalog tells what changed.
type Catalog interface {
	Blueprints(ctx context.Context) ([]catalog.Blueprint, error)
	Blueprint(ctx context.Context, id string) (catalog.Blueprint, error)
	History(ctx context.Context, filter catalog.HistoryFilter) ([]catalog.AuditEntry, error)
	Record(ctx context.Context, entries []catalog.AuditEntry) error
}

// Documents keeps how far deliveries have come.
type Documents interface {
	// Get returns one document, or fault.NotFound.
	Get(ctx context.Context, key catalog.DocumentKey) (catalog.Document, error)
	// Put adds a document or replaces what there is of that key.
	Put(ctx context.Context, doc catalog.Document) (catalog.Document, error)
}

// Sender delivers. All members but the last four must be set.
type Sender struct {
	Catalog   Catalog
	Documents Documents
	Render    func(catalog.AuditEntry) ([]byte, error)   // the body of a delivery
	Secret    func(ctx context.Context) (string, error)  // what deliveries are signed with
	Sleep     func(ctx context.Context, d time.Duration) // nil waits
	Now       func() time.Time                           // nil means time.Now
	Log       *slog.Logger                               // nil means none
	Client    *http.Client                               // made by [NewClient]; nil refuses local addresses
	Local     bool                                       // destinations may be plain http
}

// destination is a blueprint's changelogDestination, if it is one that is served.
func destination(b catalog.Blueprint) string { return destinationOf(b.Doc) }

func destinationOf(doc json.RawMessage) string {
	var d struct {
		Destination struct {
			Type  string `json:"type"`
			URL   string `json:"url"`
			Agent bool   `json:"agent"`
		} `json:"changelogDestination"`
	}
	if json.Unmarshal(doc, &d) != nil || d.Destination.Type != "WEBHOOK" || d.Destination.Agent {
		return ""
	}
	return d.Destination.URL
}

// Destined lists the blueprints whose changes are to be told.
func (s *Sender) Destined(ctx context.Context) ([]string, error) {
	list, err := s.Catalog.Blueprints(ctx)
	var ids []string
	for _, b := range list {
		if destination(b) != "" {
			ids = append(ids, b.Identifier)
		}
	}
	return ids, err
}

// position is how far the deliveries of a blueprint have come.
type position struct {
	After    int64 `json:"after"`              // the last entry that is settled
	Failures int   `json:"failures,omitempty"` // of the one after it, in a row
	Stopped  bool  `json:"stopped,omitempty"`  // the blueprint had no destination when it was looked at last
}

func (s *Sender) key(blueprint string) catalog.DocumentKey {
	return catalog.DocumentKey{Kind: documentKind, Blueprint: blueprint, Identifier: "position"}
}

// position returns where to go on. Deliveries begin with the change that gave the blueprint its destination.
func (s *Sender) position(ctx context.Context, b catalog.Blueprint) (position, error) {
	doc, err := s.Documents.Get(ctx, s.key(b.Identifier))
	var p position
	switch {
	case err == nil:
		if err := json.Unmarshal(doc.Doc, &p); err != nil || !p.Stopped {
			return p, err
		}
	case !fault.Is(err, fault.NotFound):
		return p, err
	}
	list, err := s.Catalog.History(ctx, catalog.HistoryFilter{Kind: "blueprint", Blueprint: b.Identifier, Limit: pageSize})
	if err != nil {
		return p, err
	}
	begun := position{}
	for _, e := range list {
		if destinationOf(e.After) == "" {
			break
		}
		begun.After = e.ID
	}
	if begun.After == 0 { // its beginning is not told any more: from now on
		newest, err := s.Catalog.History(ctx, catalog.HistoryFilter{Blueprint: b.Identifier, Limit: 1})
		if err != nil || len(newest) == 0 {
			return begun, err
		}
		begun.After = newest[0].ID
	}
	return begun, nil
}

func (s *Sender) keep(ctx context.Context, blueprint string, p position) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	_, err = s.Documents.Put(ctx, catalog.Document{DocumentKey: s.key(blueprint), Doc: text, UpdatedBy: "longshore"})
	return err
}

// Deliver tells a blueprint's changes until until, in order. It returns how long there is nothing to do, and done once
// the blueprint has no destination any more.
func (s *Sender) Deliver(ctx context.Context, blueprint string, until time.Time) (wait time.Duration, done bool, err error) {
	for {
		b, err := s.Catalog.Blueprint(ctx, blueprint)
		if fault.Is(err, fault.NotFound) {
			return 0, true, nil
		}
		if err != nil {
			return 0, false, err
		}
		url := destination(b)
		if url == "" {
			return 0, true, s.keep(ctx, blueprint, position{Stopped: true})
		}
		p, err := s.position(ctx, b)
		if err != nil {
			return 0, false, err
		}
		wait, err := s.page(ctx, blueprint, url, p, until)
		if err != nil || wait > 0 || !s.now().Before(until) {
			return wait, false, err
		}
	}
}

// page tells up to a page of changes. It waits a while when there are none, and returns a pause after a failure.
func (s *Sender) page(ctx context.Context, blueprint, url string, p position, until time.Time) (time.Duration, error) {
	list, err := s.Catalog.History(ctx, catalog.HistoryFilter{
		Blueprint: blueprint, Kinds: []string{"entity", "blueprint"}, After: p.After, OldestFirst: true, Limit: pageSize,
	})
	if err != nil {
		return 0, err
	}
	if len(list) == 0 {
		s.sleep(ctx, idle)
		return 0, ctx.Err()
	}
	start, given := p, lost{}
	for _, e := range list {
		if ctx.Err() != nil || !s.now().Before(until) {
			break
		}
		err := s.post(ctx, url, e)
		if err != nil && ctx.Err() != nil {
			break // it was stopped, not refused
		}
		if err != nil && s.now().Sub(e.At) < maxAge {
			p.Failures++
			s.log().Warn("a change could not be told to the changelog destination: it is tried again", "blueprint", blueprint, "entry", e.ID, "failures", p.Failures, "error", err)
			return min(firstPause<<min(p.Failures-1, 20), longestPause), errors.Join(s.giveUp(ctx, blueprint, given), s.keep(ctx, blueprint, p))
		}
		if err != nil {
			given.add(e, err)
		}
		p.After, p.Failures = e.ID, 0
	}
	if err := s.giveUp(ctx, blueprint, given); err != nil || p == start {
		return 0, err
	}
	return 0, s.keep(context.WithoutCancel(ctx), blueprint, p)
}

// lost are changes that could not be told within a day.
type lost struct {
	n           int
	first, last int64
	why         error
}

func (l *lost) add(e catalog.AuditEntry, why error) {
	l.n, l.last, l.why = l.n+1, e.ID, why
	l.first = cmp.Or(l.first, e.ID)
}

// giveUp leaves a finding about what was given up.
func (s *Sender) giveUp(ctx context.Context, blueprint string, l lost) error {
	if l.n == 0 {
		return nil
	}
	s.log().Error("changes were not told to the changelog destination within a day, and are given up", "blueprint", blueprint, "changes", l.n, "error", l.why)
	data, err := json.Marshal(map[string]any{"changelog": "given up", "changes": l.n, "first": "evt_" + strconv.FormatInt(l.first, 10), "last": "evt_" + strconv.FormatInt(l.last, 10)})
	if err != nil {
		return err
	}
	return s.Catalog.Record(ctx, []catalog.AuditEntry{{
		Kind: "blueprint", Action: "UPDATE", Status: catalog.Failure, Blueprint: blueprint, Actor: "longshore", Data: data,
		Message: fmt.Sprintf("%d changes could not be told to the changelog destination within a day and are given up: %v", l.n, l.why),
	}})
}

// post makes one delivery. Anything but a 2xx is a failure; redirects are not followed.
func (s *Sender) post(ctx context.Context, url string, e catalog.AuditEntry) error {
	body, err := s.Render(e)
	if err != nil {
		return err
	}
	secret, err := s.Secret(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("the destination is no URL")
	}
	if req.URL.Scheme != "https" && !s.Local {
		return fmt.Errorf("the destination must be https")
	}
	at := strconv.FormatInt(s.now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "longshore")
	req.Header.Set("X-Port-Timestamp", at)
	req.Header.Set("X-Port-Signature", Sign(secret, at, body))
	client := s.Client
	if client == nil {
		client = NewClient(false)
	}
	answer, err := client.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer)) // so that the connection can be used again
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("the destination answered %d", answer.StatusCode)
	}
	return nil
}

// Sign is the signature of a delivery.
func Sign(secret, timestamp string, body []byte) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(timestamp + "."))
	h.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func (s *Sender) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

func (s *Sender) log() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}

func (s *Sender) sleep(ctx context.Context, d time.Duration) {
	if s.Sleep != nil {
		s.Sleep(ctx, d)
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
