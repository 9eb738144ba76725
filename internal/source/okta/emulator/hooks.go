package emulator

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

const kindHook kind = "who"

// Okta's bounds of hooks.
const (
	maxActiveHooks  = 25
	maxHooks        = 100
	maxHookTypes    = 300
	maxHookHeaders  = 50
	maxHookText     = 2000 // bytes of a name, an address, a secret
	hookTimeout     = 3 * time.Second
	maxHookResponse = 64 << 10
)

// HookOptions say how event hooks are delivered.
type HookOptions struct {
	Client *http.Client // who delivers; nil is one that follows no redirects. Each request ends after 3 s whatever it says

	Delay      time.Duration // between a change and its delivery; 0 is none
	Dropped    int           // of 1000 deliveries: never come
	Duplicated int           // come twice
	Shuffled   int           // come later than those after them, by up to Late
	Late       time.Duration // 0 means 2 s
}

// hook is a registered receiver.
type hook struct {
	number                          int
	id, name, base                  string
	created, updated                int64
	inactive, verified              bool
	types                           []string
	uri, secretHeader, secret       string
	headers                         [][2]string
	description, version, createdBy string
}

// hooks are the receivers and what is on its way to them.
type hooks struct {
	mu      sync.Mutex
	list    []*hook
	made    int
	queue   []delivery // by due
	sent    int        // numbers deliveries
	stats   HookStats
	wake    chan struct{} // nil while nobody delivers
	stop    context.CancelFunc
	running *sync.WaitGroup
	closed  bool
}

// HookStats count deliveries: one is an envelope for one hook.
type HookStats struct {
	Delivered  int `json:"delivered"`
	Failed     int `json:"failed"`  // given up: a 4xx, or twice no answer or 5xx
	Retried    int `json:"retried"` // sent a second time
	Dropped    int `json:"dropped"` // on purpose, or because too much was waiting
	Duplicated int `json:"duplicated"`
	Shuffled   int `json:"shuffled"`
	Waiting    int `json:"waiting"`
}

// HookStats returns the counters.
func (o *Org) HookStats() HookStats {
	o.hooks.mu.Lock()
	defer o.hooks.mu.Unlock()
	s := o.hooks.stats
	s.Waiting = len(o.hooks.queue)
	return s
}

type hookBody struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Events      struct {
		Type   string          `json:"type"`
		Items  []string        `json:"items"`
		Filter json.RawMessage `json:"filter"`
	} `json:"events"`
	Channel struct {
		Type    string `json:"type"`
		Version string `json:"version"`
		Config  struct {
			URI     string `json:"uri"`
			Method  string `json:"method"`
			Headers []struct {
				Key   string `json:"key"`
				Value string `json:"value"`
			} `json:"headers"`
			AuthScheme struct {
				Type  string `json:"type"`
				Key   string `json:"key"`
				Value string `json:"value"`
			} `json:"authScheme"`
		} `json:"config"`
	} `json:"channel"`
}

// check says what is wrong with a registration.
func (b *hookBody) check() error {
	config := &b.Channel.Config
	u, err := url.Parse(config.URI)
	switch {
	case strings.TrimSpace(b.Name) == "" || len(b.Name) > maxHookText:
		return invalid("name", "The field cannot be left blank")
	case b.Events.Type != "EVENT_TYPE" || len(b.Events.Items) == 0 || len(b.Events.Items) > maxHookTypes:
		return invalid("events.items", "wants 1 to "+itoa(maxHookTypes)+" event types")
	case len(b.Events.Filter) > 0 && string(b.Events.Filter) != jsonNull:
		return invalid("events.filter", "filters are not supported by this stand-in org")
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || len(config.URI) > maxHookText:
		return invalid("channel.config.uri", "The field must be a URL")
	case b.Channel.Type != "HTTP" || config.Method != "" && config.Method != http.MethodPost:
		return invalid("channel", "must be HTTP and POST")
	case len(config.Headers) > maxHookHeaders || len(config.AuthScheme.Value) > maxHookText:
		return invalid("channel.config", "is too large")
	case config.AuthScheme.Type != "" && config.AuthScheme.Type != "HEADER":
		return invalid("channel.config.authScheme.type", "must be HEADER")
	}
	for _, typ := range b.Events.Items {
		if silent[typ] || !strings.Contains(typ, ".") || len(typ) > maxHookText {
			return invalid("events.items", "The event type "+typ+" cannot be delivered by a hook")
		}
	}
	return nil
}

// fill takes over a registration. Another address has to be verified again.
func (h *hook) fill(b *hookBody) {
	config := &b.Channel.Config
	if h.uri != config.URI {
		h.verified = false
	}
	h.name, h.description, h.types, h.uri, h.version = b.Name, b.Description, b.Events.Items, config.URI, b.Channel.Version
	h.secretHeader, h.secret = config.AuthScheme.Key, config.AuthScheme.Value
	h.headers = nil
	for _, header := range config.Headers {
		h.headers = append(h.headers, [2]string{header.Key, header.Value})
	}
}

func (o *Org) postHook(w *asked) (answer, error) {
	var body hookBody
	if err := w.into(&body); err != nil {
		return answer{}, err
	}
	if err := body.check(); err != nil {
		return answer{}, err
	}
	hs := &o.hooks
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if len(hs.list) >= maxHooks || hs.active() >= maxActiveHooks {
		return answer{}, tooManyHooks()
	}
	at := o.Now().Unix()
	h := &hook{number: hs.made, id: o.id(kindHook, hs.made), base: w.base, created: at, updated: at, createdBy: o.id(kindUser, o.staff.places[partFirstAdmin])}
	h.fill(&body)
	hs.made++
	hs.list = append(hs.list, h)
	o.startHooks()
	return h.answer(w.base), nil
}

func tooManyHooks() error {
	return invalid("eventHook", "an org has at most "+itoa(maxActiveHooks)+" active event hooks")
}

func (hs *hooks) active() (n int) {
	for _, h := range hs.list {
		if !h.inactive {
			n++
		}
	}
	return n
}

// hook finds a receiver by its id. The hooks are locked.
func (hs *hooks) hook(id string) (*hook, error) {
	i := slices.IndexFunc(hs.list, func(h *hook) bool { return h.id == id })
	if i < 0 {
		return nil, missing(id, "EventHook")
	}
	return hs.list[i], nil
}

func (o *Org) listHooks(c *call) answer {
	o.hooks.mu.Lock()
	defer o.hooks.mu.Unlock()
	t := text{}
	for _, h := range o.hooks.list {
		h.write(&t, c.base)
	}
	return answer{status: http.StatusOK, list: true, items: t.b}
}

func (o *Org) getHook(c *call) answer {
	o.hooks.mu.Lock()
	defer o.hooks.mu.Unlock()
	h, err := o.hooks.hook(c.value("hook"))
	if err != nil {
		return o.notFound(c, c.value("hook"), "EventHook")
	}
	return h.answer(c.base)
}

func (o *Org) putHook(w *asked) (answer, error) {
	var body hookBody
	if err := w.into(&body); err != nil {
		return answer{}, err
	}
	if err := body.check(); err != nil {
		return answer{}, err
	}
	o.hooks.mu.Lock()
	defer o.hooks.mu.Unlock()
	h, err := o.hooks.hook(w.value("hook"))
	if err != nil {
		return answer{}, err
	}
	h.fill(&body)
	h.updated = o.Now().Unix()
	return h.answer(w.base), nil
}

// eraseHook deletes a hook, which must have been deactivated. With the last one delivery ends.
func (o *Org) eraseHook(w *asked) (answer, error) {
	hs := &o.hooks
	hs.mu.Lock()
	h, err := hs.hook(w.value("hook"))
	if err == nil && !h.inactive {
		err = invalid("eventHook", "only an INACTIVE event hook can be deleted")
	}
	if err != nil {
		hs.mu.Unlock()
		return answer{}, err
	}
	hs.list = slices.DeleteFunc(hs.list, func(have *hook) bool { return have == h })
	hs.queue = slices.DeleteFunc(hs.queue, func(d delivery) bool { return d.hook == h.id })
	last := len(hs.list) == 0
	hs.mu.Unlock()
	if last {
		o.stopHooks()
	}
	return done(nil)
}

// stepHook verifies, activates or deactivates a hook.
func (o *Org) stepHook(w *asked) (answer, error) {
	id, step := w.value("hook"), w.value("step")
	if step == "verify" {
		return o.verifyHook(w, id)
	}
	if step != "activate" && step != "deactivate" {
		return o.pathUnknown(w.call), nil
	}
	hs := &o.hooks
	hs.mu.Lock()
	defer hs.mu.Unlock()
	h, err := hs.hook(id)
	if err != nil {
		return answer{}, err
	}
	if step == "activate" && h.inactive && hs.active() >= maxActiveHooks {
		return answer{}, tooManyHooks()
	}
	h.inactive, h.updated = step == "deactivate", o.Now().Unix()
	return h.answer(w.base), nil
}

// verifyHook asks the receiver once to repeat a challenge.
func (o *Org) verifyHook(w *asked, id string) (answer, error) {
	o.hooks.mu.Lock()
	h, err := o.hooks.hook(id)
	uri := ""
	if err == nil {
		uri = h.uri
	}
	o.hooks.mu.Unlock()
	if err != nil {
		return answer{}, err
	}
	if !o.challenged(w.r.Context(), uri) {
		return answer{}, &Refused{
			Status: http.StatusBadRequest, Code: "E0000001", Summary: "Api validation failed: verification",
			Causes: []string{"The receiver did not answer 200 with the challenge that it was sent"},
		}
	}
	o.hooks.mu.Lock()
	defer o.hooks.mu.Unlock()
	if h, err = o.hooks.hook(id); err != nil {
		return answer{}, err
	}
	if h.uri == uri {
		h.verified, h.updated = true, o.Now().Unix()
	}
	return h.answer(w.base), nil
}

func (o *Org) challenged(ctx context.Context, uri string) bool {
	ctx, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	challenge := rand.Text()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return false
	}
	r.Header.Set("X-Okta-Verification-Challenge", challenge)
	r.Header.Set("Accept", "application/json")
	response, err := o.hookClient().Do(r)
	if err != nil {
		return false
	}
	defer func() { _ = response.Body.Close() }()
	var body struct{ Verification string }
	text, err := io.ReadAll(io.LimitReader(response.Body, maxHookResponse))
	return err == nil && response.StatusCode == http.StatusOK && json.Unmarshal(text, &body) == nil && body.Verification == challenge
}

func (h *hook) answer(base string) answer {
	t := text{}
	h.write(&t, base)
	return object(t.b)
}

// write shows a hook. The secret is never shown.
func (h *hook) write(t *text, base string) {
	t.object("")
	t.strs("id", h.id)
	t.raw("status", map[bool]string{true: `"INACTIVE"`, false: `"ACTIVE"`}[h.inactive])
	t.raw("verificationStatus", map[bool]string{true: `"VERIFIED"`, false: `"UNVERIFIED"`}[h.verified])
	t.str("name", h.name)
	t.strOrNull("description", h.description)
	t.at("created", h.created)
	t.strs("createdBy", h.createdBy)
	t.at("lastUpdated", h.updated)
	t.object("events")
	t.raw("type", `"EVENT_TYPE"`)
	t.key("items")
	t.b = append(t.b, '[')
	for i, typ := range h.types {
		if i > 0 {
			t.b = append(t.b, ',')
		}
		t.quote(typ)
	}
	t.endArray()
	t.nulls("filter")
	t.end()
	t.object("channel")
	t.raw("type", `"HTTP"`)
	t.str("version", h.version)
	t.object("config")
	t.str("uri", h.uri)
	t.array("headers")
	for _, header := range h.headers {
		t.object("")
		t.str("key", header[0])
		t.str("value", header[1])
		t.end()
	}
	t.endArray()
	t.raw("method", `"POST"`)
	t.object("authScheme")
	t.raw("type", `"HEADER"`)
	t.str("key", h.secretHeader)
	t.end()
	t.end()
	t.end()
	t.object("_links")
	t.href("self", base, "/api/v1/eventHooks/", h.id)
	t.href("verify", base, "/api/v1/eventHooks/", h.id, "/lifecycle/verify")
	if h.inactive {
		t.href("activate", base, "/api/v1/eventHooks/", h.id, "/lifecycle/activate")
	} else {
		t.href("deactivate", base, "/api/v1/eventHooks/", h.id, "/lifecycle/deactivate")
	}
	t.end()
	t.end()
}
