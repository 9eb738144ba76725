package ingest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"longshore/internal/fault"
	"longshore/internal/jq"
	"longshore/internal/lake"
)

const (
	// MaxCallBytes is how large the body of a webhook call may be (Port's limit), unless the webhook says more.
	MaxCallBytes = 512 << 10
	// EventStream is the stream that webhook calls are filed under.
	EventStream = "webhook_events"

	maxReceiving   = 16 // calls on their way to the lake at once
	receiveWait    = 5 * time.Second
	receiveTimeout = 30 * time.Second
)

// Call is one request at a webhook's door, as it came.
type Call struct {
	Body    []byte
	Headers map[string]string // lower-case names; of repeated headers the last
	Query   map[string]string // of repeated parameters the last
}

// Taken is what became of a call. Dropped says why it was not kept: "disabled", "duplicate", or "".
type Taken struct {
	EventID string
	Dropped string
}

// CallStore is what a Receiver needs kept.
type CallStore interface {
	// WebhookByKey returns the webhook of that key, or fault.NotFound.
	WebhookByKey(ctx context.Context, key string) (Webhook, error)
	// TopGeneration returns the highest generation among the streams that feed the webhook, 0 for none.
	TopGeneration(ctx context.Context, w Webhook) (int64, error)
	// Found records lake objects and queues those that are new, in one transaction.
	Found(ctx context.Context, found []Object) (fresh int, err error)
	// List returns the objects that the filter names: with a limit the newest of them, newest first.
	List(ctx context.Context, f ObjectFilter, limit int) ([]Object, error)
}

// Receiver takes webhook calls: it checks each, and makes it durable as one lake object before it answers. It is safe
// for concurrent use. It is made by NewReceiver.
type Receiver struct {
	store  CallStore
	bucket lake.Bucket
	layout lake.Layout
	now    func() time.Time
	log    *slog.Logger
	places chan struct{}
}

// NewReceiver returns a Receiver that files calls in the bucket under the layout.
func NewReceiver(store CallStore, bucket lake.Bucket, layout lake.Layout, now func() time.Time, log *slog.Logger) *Receiver {
	return &Receiver{store: store, bucket: bucket, layout: layout, now: now, log: log, places: make(chan struct{}, maxReceiving)}
}

// Known returns how many bytes a call at the webhook of that key may have, or fault.NotFound when no webhook has the key, so
// that a door need not read the body first.
func (r *Receiver) Known(ctx context.Context, key string) (maxBytes int64, err error) {
	hook, err := r.webhook(ctx, key)
	return hook.PayloadBytes(), err
}

// webhook tells a key that nobody has from trouble of ours, which the sender is to wait out.
func (r *Receiver) webhook(ctx context.Context, key string) (Webhook, error) {
	hook, err := r.store.WebhookByKey(ctx, key)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return hook, fault.Errorf(fault.Unavailable, "read the webhook: %w", err)
	}
	return hook, err
}

// Receive takes a call at the webhook of that key. When it returns without error, the call is durable (or dropped by
// rule). Errors: fault.NotFound for an unknown key, fault.Denied for a wrong signature, fault.Invalid for a body that is
// not JSON, fault.Unavailable when the lake or the database does not answer: nothing is acknowledged then.
func (r *Receiver) Receive(ctx context.Context, key string, call Call) (Taken, error) {
	ctx, cancel := context.WithTimeout(ctx, receiveTimeout)
	defer cancel()
	if err := r.take(ctx); err != nil {
		return Taken{}, err
	}
	defer func() { <-r.places }()
	hook, err := r.webhook(ctx, key)
	if err != nil {
		return Taken{}, err
	}
	if !hook.Enabled {
		return Taken{Dropped: "disabled"}, nil
	}
	hook.Security.previous = hook.PreviousSecret
	if !r.now().Before(hook.PreviousUntil) {
		hook.Security.previous = ""
	}
	if err := hook.Security.check(call); err != nil {
		return Taken{}, err
	}
	if _, err := jq.Check(call.Body); err != nil {
		return Taken{}, fault.Errorf(fault.Invalid, "the body is %w", err).WithCode("bad_request", nil)
	}
	return r.keep(ctx, hook, call)
}

// take waits for one of the places.
func (r *Receiver) take(ctx context.Context) error {
	wait := time.NewTimer(receiveWait)
	defer wait.Stop()
	select {
	case r.places <- struct{}{}:
		return nil
	case <-wait.C:
	case <-ctx.Done():
	}
	return fault.Errorf(fault.Unavailable, "too many webhook calls at once")
}

// keep files the call in the lake and queues its ingest.
func (r *Receiver) keep(ctx context.Context, hook Webhook, call Call) (Taken, error) {
	headers, err := json.Marshal(publicHeaders(call.Headers, hook.Security))
	if err != nil {
		return Taken{}, err
	}
	query, err := json.Marshal(orEmpty(call.Query))
	if err != nil {
		return Taken{}, err
	}
	now := r.now()
	id, start := newEventID(), now
	request := r.requestIdentifier(ctx, hook, call.Body, headers, query)
	if request != "" {
		// The same request must come to the same key whenever it comes: its file lies in the first folder of time.
		id, start = eventIDOf(hook.Key, request), time.Unix(0, 0)
	}
	generation, err := r.store.TopGeneration(ctx, hook)
	if err != nil {
		return Taken{}, fault.Errorf(fault.Unavailable, "the database does not answer: %w", err)
	}
	w, err := lake.NewWriter(lake.WriterOptions{Seed: "event\x00" + id, Generation: generation})
	if err != nil {
		return Taken{}, fault.Errorf(fault.Unavailable, "make the event's object: %w", err)
	}
	if err := w.AppendEvent(call.Body, headers, query, now); err != nil {
		w.Discard()
		return Taken{}, fault.Errorf(fault.Invalid, "the call cannot be kept: %w", err).WithCode("bad_request", nil)
	}
	object, err := w.Close()
	if err != nil {
		return Taken{}, fault.Errorf(fault.Unavailable, "make the event's object: %w", err)
	}
	defer object.Close()
	place := r.layout
	place.FilePattern = id + "{format_extension}"
	name := place.Key(lake.KeyInput{Namespace: hook.Key, Stream: EventStream, Start: start, Now: now, Extension: lake.Extension, UUID: id})
	put, err := object.Put(ctx, r.bucket, name, true)
	taken := Taken{EventID: id}
	switch {
	case fault.Is(err, fault.Conflict):
		// Known already. Whoever put it may have been killed before it was recorded: see to that, then drop the call.
		taken.Dropped = "duplicate"
		if put, err = r.bucket.Head(ctx, name); err != nil {
			return Taken{}, fault.Errorf(fault.Unavailable, "look at the event's object: %w", err)
		}
	case err != nil:
		return Taken{}, fault.Errorf(fault.Unavailable, "the lake does not take the event: %w", err)
	}
	found := Object{Bucket: r.bucket.Name(), Key: name, ETag: put.ETag, Namespace: hook.Key, Stream: EventStream, Bytes: put.Bytes, RowsWritten: 1}
	if taken.Dropped == "" {
		found.Bytes, found.SHA256 = object.Bytes, object.SHA256
	}
	if _, err := r.store.Found(ctx, []Object{found}); err != nil {
		return Taken{}, fault.Errorf(fault.Unavailable, "queue the event: %w", err)
	}
	return taken, nil
}

// requestIdentifier is what the webhook's expression makes of the call, as text: "" for none. An expression that fails
// never loses a call.
func (r *Receiver) requestIdentifier(ctx context.Context, hook Webhook, body, headers, query []byte) string {
	path := hook.Security.RequestIdentifierPath
	if strings.TrimSpace(path) == "" {
		return ""
	}
	program, err := jq.Compile(path, jq.Options{})
	if err == nil {
		var in jq.Input
		in.SetMember("body", body)
		in.SetMember("headers", headers)
		in.SetMember("queryParams", query)
		var value []byte
		if value, err = program.Run(ctx, &in); err == nil {
			switch text := strings.TrimSpace(string(value)); text {
			case "", "null", "false", `""`:
				return ""
			default:
				return text
			}
		}
	}
	var failed *jq.RunError
	if r.log != nil && !errors.As(err, &failed) {
		r.log.Warn("request identifier cannot be read: calls are not checked for duplicates", "webhook", hook.Identifier, "error", err)
	}
	return ""
}

func newEventID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return uuid(b, 4)
}

// eventIDOf is the id of the event that a request identifier stands for.
func eventIDOf(webhookKey, request string) string {
	sum := sha256.Sum256([]byte(webhookKey + "\x00" + request))
	return uuid([16]byte(sum[:16]), 8)
}

func uuid(b [16]byte, version byte) string {
	b[6], b[8] = b[6]&0x0f|version<<4, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return fmt.Sprintf("%s-%s-%s-%s-%s", h[:8], h[8:12], h[12:16], h[16:20], h[20:])
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
