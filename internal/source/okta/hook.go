package okta

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"longshore/internal/fault"
	"longshore/internal/pipeline"
	"longshore/internal/rawjson"
)

const (
	// HookPath is the path under which event hooks are taken; the connection's id follows.
	HookPath = "/hooks/okta/"
	// maxHookBytes bounds a delivery. Okta puts a few events of some 2 kB into one.
	maxHookBytes = 1 << 20
	// maxHookEvents bounds the events of a delivery.
	maxHookEvents = 1000
	// maxChallengeBytes bounds the challenge of a verification.
	maxChallengeBytes = 1024
	// maxHooksAtOnce bounds deliveries that are taken at one time.
	maxHooksAtOnce = 16
	// hookTimeout is within the 3 seconds after which Okta gives a delivery up.
	hookTimeout = 2500 * time.Millisecond
)

// HookTypes are the types of events to register a hook for: those that touch what a feed reads again, as far as Okta
// delivers them by hook.
func HookTypes() []string {
	return strings.Fields(`user.lifecycle.create user.lifecycle.activate user.lifecycle.reactivate user.lifecycle.deactivate user.lifecycle.suspend
		user.lifecycle.unsuspend user.lifecycle.delete.initiated user.account.update_profile user.account.lock user.account.unlock
		user.account.unlock_by_admin user.account.reset_password user.account.update_password user.account.privilege.grant user.account.privilege.revoke
		group.privilege.grant group.privilege.revoke app.oauth2.client.privilege.grant app.oauth2.client.privilege.revoke
		group.user_membership.add group.user_membership.remove group.lifecycle.create group.lifecycle.delete group.profile.update
		iam.role.create iam.role.update iam.role.delete iam.role.permissions.add iam.role.permissions.delete
		iam.role.permission.conditions.add iam.role.permission.conditions.delete iam.resourceset.create iam.resourceset.update iam.resourceset.delete
		iam.resourceset.resources.add iam.resourceset.resources.update iam.resourceset.resources.delete
		iam.resourceset.bindings.add iam.resourceset.bindings.delete system.import.group.create system.import.group.delete app.user_management`)
}

// Registration is the body of POST /api/v1/eventHooks that has Okta deliver to a URI with a secret.
func Registration(name, uri, secret string) []byte {
	text, err := json.Marshal(map[string]any{
		"name":   name,
		"events": map[string]any{"type": "EVENT_TYPE", "items": HookTypes(), "filter": nil},
		"channel": map[string]any{"type": "HTTP", "version": "1.0.0", "config": map[string]any{
			"uri": uri, "method": "POST", "headers": []any{}, "authScheme": map[string]string{"type": "HEADER", "key": "Authorization", "value": secret},
		}},
	})
	if err != nil {
		panic(err) // texts and lists of texts always marshal
	}
	return text
}

// HookStore keeps what event hooks bring.
type HookStore interface {
	// TakesNudges returns fault.NotFound when there is no connection of that id.
	TakesNudges(ctx context.Context, connectionID int64) error
	// PutNudges keeps the events of a delivery that were not known, durably, and returns how many these were.
	PutNudges(ctx context.Context, connectionID int64, delivery string, events []pipeline.NewNudge) (fresh int, err error)
}

// Hook is the door for Okta's event hooks. What comes in is a nudge for the feed and nothing more: the log tells the
// same, so that nothing is lost while the door is shut. It answers 204 once the events are durable.
//
// Source: Okta, "Event hooks": a verification is a GET with a challenge to be repeated; deliveries are POSTs with the
// secret in the header Authorization, come at least once and in any order, and are tried twice at most.
type Hook struct {
	store  HookStore
	secret [sha256.Size]byte
	log    *slog.Logger
	places chan struct{}
}

// NewHook returns the door. secret is what Okta was told to send in the header Authorization.
func NewHook(store HookStore, secret string, log *slog.Logger) *Hook {
	return &Hook{store: store, secret: sha256.Sum256([]byte(secret)), log: log, places: make(chan struct{}, maxHooksAtOnce)}
}

// ServeHTTP takes a verification or a delivery.
func (h *Hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), hookTimeout)
	defer cancel()
	id, err := strconv.ParseInt(r.URL.Path[len(HookPath):], 10, 64)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	switch r.Method {
	case http.MethodGet:
		h.verify(ctx, w, r, id)
	case http.MethodPost:
		h.take(ctx, w, r, id)
	default:
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	}
}

// verify repeats the challenge, which proves to Okta that the URI is ours.
func (h *Hook) verify(ctx context.Context, w http.ResponseWriter, r *http.Request, id int64) {
	challenge := r.Header.Get("X-Okta-Verification-Challenge")
	if challenge == "" || len(challenge) > maxChallengeBytes {
		http.Error(w, "this is a door for Okta's event hooks", http.StatusBadRequest)
		return
	}
	if err := h.store.TakesNudges(ctx, id); err != nil {
		h.refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"verification": challenge})
}

// take makes a delivery durable. Whoever does not know the secret changes nothing, and is told nothing.
func (h *Hook) take(ctx context.Context, w http.ResponseWriter, r *http.Request, id int64) {
	sent := sha256.Sum256([]byte(r.Header.Get("Authorization")))
	if !hmac.Equal(sent[:], h.secret[:]) { // of hashes, so that the time does not tell the secret's length
		http.Error(w, "unauthorized", http.StatusUnauthorized)
		return
	}
	select {
	case h.places <- struct{}{}:
		defer func() { <-h.places }()
	case <-ctx.Done():
		http.Error(w, "too many deliveries at once", http.StatusServiceUnavailable)
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(hookTimeout)) // a body that trickles in keeps no place
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxHookBytes))
	if err != nil {
		http.Error(w, "the delivery is too large or broke off", http.StatusBadRequest)
		return
	}
	delivery, events, err := parseDelivery(body)
	if err == nil {
		_, err = h.store.PutNudges(ctx, id, delivery, events)
	}
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h *Hook) refuse(w http.ResponseWriter, r *http.Request, err error) {
	switch fault.KindOf(err) {
	case fault.NotFound:
		http.NotFound(w, r)
	case fault.Invalid:
		http.Error(w, err.Error(), http.StatusBadRequest)
	default: // Okta tries once more
		h.log.Warn("an event hook's delivery could not be taken: the log will tell", "error", err)
		http.Error(w, "try again", http.StatusServiceUnavailable)
	}
}

// parseDelivery reads the id of a delivery and its events. An event of a hook has another shape than one of the log, but
// not in what tells what it touches; only that is kept.
func parseDelivery(body []byte) (delivery string, events []pipeline.NewNudge, err error) {
	if err := rawjson.Check(body); err != nil {
		return "", nil, fault.Errorf(fault.Invalid, "the delivery is not JSON")
	}
	list, ok := rawjson.Get(body, "data", "events")
	if !ok {
		return "", nil, fault.Errorf(fault.Invalid, "the delivery holds no data.events")
	}
	if delivery = rawjson.GetString(body, "eventId"); delivery == "" || len(delivery) > maxIDBytes {
		delivery = digestOf(body)
	}
	for event, err := range rawjson.Elements(list) {
		if err != nil || !rawjson.IsObject(event) {
			return "", nil, fault.Errorf(fault.Invalid, "data.events is no list of events")
		}
		if len(events) == maxHookEvents {
			break // the log has the others
		}
		nudge := pipeline.NewNudge{UUID: rawjson.GetString(event, "uuid"), Event: essence(event)}
		if nudge.UUID == "" || len(nudge.UUID) > maxIDBytes {
			nudge.UUID = digestOf(event)
		}
		events = append(events, nudge)
	}
	return delivery, events, nil
}

func digestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// essence is what of an event tells what it touches.
func essence(event []byte) json.RawMessage {
	kept := []byte("{}")
	for _, name := range []string{"uuid", "eventType", "published"} {
		if text := rawjson.GetString(event, name); text != "" && len(text) <= maxIDBytes {
			kept = rawjson.AppendMember(nil, kept, name, rawjson.AppendString(nil, text))
		}
	}
	targets, n := []byte("["), 0
	if list, ok := rawjson.Get(event, "target"); ok && !rawjson.IsNull(list) {
		for target, err := range rawjson.Elements(list) {
			id, kind := rawjson.GetString(target, "id"), rawjson.GetString(target, "type")
			if n++; err != nil || n > maxEventTargets {
				break
			}
			if len(id) > maxIDBytes || len(kind) > maxIDBytes {
				continue
			}
			if len(targets) > 1 {
				targets = append(targets, ',')
			}
			targets = append(targets, object("id", id, "type", kind)...)
		}
	}
	return rawjson.AppendMember(nil, kept, "target", append(bytes.Clone(targets), ']'))
}
