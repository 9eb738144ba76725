package emulator

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// handler answers one endpoint.
type handler func(*call) answer

// call is a request and what answering it needs.
type call struct {
	r     *http.Request
	base  string
	query url.Values
	fault Fault   // all the trouble planned for it
	who   *caller // nil where nobody needs to be let in
	marks []string
}

// client names who calls, for the counters.
func (c *call) client() string {
	if c.who == nil {
		return Nobody
	}
	return c.who.name
}

func (c *call) value(name string) string { return c.r.PathValue(name) }

// link is an absolute URL of this org: params are names and values in turn, and those without a value are left out.
func (c *call) link(path string, params ...string) string {
	var b strings.Builder
	b.WriteString(c.base)
	b.WriteString(path)
	mark := byte('?')
	for i := 0; i+1 < len(params); i += 2 {
		if params[i+1] == "" {
			continue
		}
		b.WriteByte(mark)
		b.WriteString(params[i])
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(params[i+1]))
		mark = '&'
	}
	return b.String()
}

// limit reads the page size: clamped in silence, as Okta does. ok is false when it is no number.
func (c *call) limit(usual, most int) (n int, ok bool) {
	s := c.query.Get("limit")
	if s == "" {
		return usual, true
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, false
	}
	if n <= 0 {
		return usual, true
	}
	return min(n, most), true
}

// answer is a response before it is written. A list keeps its items apart from what frames them, so that a fault can
// take them out.
type answer struct {
	status  int
	body    []byte // of a single object or an error
	etag    string
	headers [][2]string // more of them

	list   bool
	items  []byte // joined with commas
	key    string // under which a body-paged list (/iam) sits; "" for a bare array
	extra  string // more members of _links, after next, as JSON: "name":{...}
	self   string // of the Link header; "" when the endpoint sends none
	next   string // "" on the last page
	linked bool   // next goes into the Link header
}

func (a *answer) header(name, value string) { a.headers = append(a.headers, [2]string{name, value}) }

func object(body []byte) answer { return answer{status: http.StatusOK, body: body} }

// paged is a list paged by the Link header, bodyPaged one paged by _links in the body.
func paged(items []byte, self, next string) answer {
	return answer{status: http.StatusOK, list: true, items: items, self: self, next: next, linked: true}
}

func bodyPaged(key string, items []byte, next, extra string) answer {
	return answer{status: http.StatusOK, list: true, items: items, key: key, next: next, extra: extra}
}

func (a *answer) render() []byte {
	if !a.list {
		return a.body
	}
	b := make([]byte, 0, len(a.items)+len(a.next)+len(a.extra)+64)
	if a.key != "" {
		b = append(b, `{"`+a.key+`":`...)
	}
	b = append(b, '[')
	b = append(b, a.items...)
	b = append(b, ']')
	if a.key == "" {
		return b
	}
	if a.next != "" || a.extra != "" {
		b = append(b, `,"_links":{`...)
		if a.next != "" {
			b = append(b, `"next":{"href":"`+a.next+`"}`...)
			if a.extra != "" {
				b = append(b, ',')
			}
		}
		b = append(b, a.extra...)
		b = append(b, '}')
	}
	return append(b, '}')
}

func (o *Org) serve(w http.ResponseWriter, r *http.Request, h handler) {
	c := &call{r: r, base: o.base(r), query: r.URL.Query()}
	c.unmark()
	number := o.begin()
	defer o.finish()
	c.fault = o.meet(r)
	w.Header().Set("Date", o.Now().Add(c.fault.Skew).UTC().Format(http.TimeFormat))
	d := newDraw(o.seed, saltRequest, number)
	w.Header().Set("X-Okta-Request-Id", fmt.Sprintf("%016x%016x", d.next(), d.next()))
	a, ok := o.authorize(c)
	client := c.client() // who calls at the token endpoint is known later
	o.enter(client)
	defer o.leave(client)
	if !wait(r.Context(), c.fault.Latency) {
		return
	}
	if ok {
		a, ok = o.admit(w, c)
	}
	if ok {
		a = h(c)
		if o.powerless(c) {
			a = o.hollow(c, a)
		}
	}
	if c.fault.PerItem > 0 && a.list && !wait(r.Context(), c.fault.PerItem*time.Duration(len(splitItems(a.items)))) {
		return
	}
	o.bend(c, &a)
	o.write(w, c, a)
}

const tokenPath = "/oauth2/v1/token"

// public reports whether a path needs no credential in Authorization.
func public(path string) bool { return path == tokenPath || strings.HasPrefix(path, "/.well-known/") }

// admit decides whether a caller reaches the endpoint: rate limit, verb, scope, planned fault.
func (o *Org) admit(w http.ResponseWriter, c *call) (answer, bool) {
	path := c.r.URL.Path
	if strings.HasPrefix(path, "/.well-known/") {
		return answer{}, true
	}
	if a, ok := o.spend(w, c, bucketOf(path)); !ok {
		return a, false
	}
	reads := c.r.Method == http.MethodGet || c.r.Method == http.MethodHead
	if named := strings.Contains(c.r.Pattern, " "); !reads && !named {
		return o.failed(c, http.StatusMethodNotAllowed, "E0000022", "The endpoint does not support the provided HTTP method"), false
	}
	if a, ok := o.permit(c); !ok {
		return a, false
	}
	if c.fault.ExpireCursor {
		a := o.badCursor(c)
		if c.fault.Code != "" {
			a = o.failed(c, http.StatusBadRequest, c.fault.Code, "Invalid paging request.")
		}
		return a, false
	}
	if c.fault.Status != 0 {
		return o.planned(w, c), false
	}
	return answer{}, true
}

// authorize finds out who calls. An access token that is not let in is answered without a body, unless
// OAuth.ErrorBodies says otherwise.
func (o *Org) authorize(c *call) (answer, bool) {
	if public(c.r.URL.Path) {
		return answer{}, true
	}
	header := c.r.Header.Get("Authorization")
	if header == "" {
		return o.failed(c, http.StatusForbidden, "E0000005", "Invalid session"), false
	}
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	oauth := len(o.options.OAuth.Apps) > 0 && (strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "DPoP"))
	if oauth {
		who, refused := o.accessToken(c, scheme, token)
		c.who = who
		if refused != nil {
			return o.challenge(c, refused, ""), false
		}
		return answer{}, true
	}
	right := subtle.ConstantTimeCompare([]byte(token), []byte(o.options.Token)) == 1
	if strings.EqualFold(scheme, "SSWS") && right {
		c.who = &caller{name: APIToken}
		o.arrives(APIToken)
		if !o.tokenEnded() && !c.fault.ExpireToken {
			return answer{}, true
		}
	}
	return o.failed(c, http.StatusUnauthorized, "E0000011", "Invalid token provided"), false
}

func (o *Org) write(w http.ResponseWriter, c *call, a answer) {
	if c.fault.Drop {
		panic(http.ErrAbortHandler) // how net/http is told to drop the connection
	}
	h := w.Header()
	body := a.render()
	if a.self != "" {
		h.Add("Link", "<"+a.self+`>; rel="self"`)
	}
	if a.linked && a.next != "" {
		h.Add("Link", "<"+a.next+`>; rel="next"`)
	}
	if a.etag != "" {
		h.Set("ETag", a.etag)
	}
	if len(body) > 0 {
		h.Set("Content-Type", "application/json")
	}
	for _, more := range a.headers {
		h.Set(more[0], more[1])
	}
	size := len(body)
	if c.fault.TruncateGzip {
		body = cutGzip(h, c.r, body)
	} else {
		body = zipped(h, c.r, body)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	o.count(c.client(), a.status, size)
	w.WriteHeader(a.status)
	if c.r.Method != http.MethodHead {
		c.fault.send(w, c.r, body)
	}
}

// failed is an error as Okta words it. Its errorId follows from the request, so that the same request gets the same body.
func (o *Org) failed(c *call, status int, code, summary string, causes ...string) answer {
	t := text{}
	t.object("")
	t.str("errorCode", code)
	t.str("errorSummary", summary)
	if strings.HasPrefix(c.r.URL.Path, "/api/v1/logs") && status == http.StatusBadRequest {
		d := o.errorDraw(c)
		t.strs("errorId", uuidOf(d.next(), d.next()))
		t.end()
		return answer{status: status, body: t.b}
	}
	t.str("errorLink", code)
	t.strs("errorId", o.errorID(c))
	t.array("errorCauses")
	for _, cause := range causes {
		t.object("")
		t.str("errorSummary", cause)
		t.end()
	}
	t.endArray()
	t.end()
	return answer{status: status, body: t.b}
}

func (o *Org) errorDraw(c *call) draw {
	h := uint64(len(c.r.URL.Path))
	for _, b := range []byte(c.r.URL.Path + "?" + c.r.URL.RawQuery) {
		h = mix(h*golden + uint64(b))
	}
	return newDraw(o.seed^h, saltError, 0)
}

func (o *Org) errorID(c *call) string {
	d := o.errorDraw(c)
	b := []byte("oae")
	for range 22 {
		b = append(b, base62[d.below(62)])
	}
	return string(b)
}

// notFound names an object that is not there, by its id and Okta's name of its kind.
func (o *Org) notFound(c *call, id, kind string) answer {
	return o.failed(c, http.StatusNotFound, "E0000007", "Not found: Resource not found: "+id+" ("+kind+")")
}

func (o *Org) badLimit(c *call) answer {
	return o.failed(c, http.StatusBadRequest, "E0000001", "Api validation failed: limit", "limit: must be a number")
}

func (o *Org) badCursor(c *call) answer {
	return o.failed(c, http.StatusBadRequest, "E0000029", "Invalid paging request.")
}

func (o *Org) pathUnknown(c *call) answer {
	return o.failed(c, http.StatusNotFound, "E0000008", "The requested path was not found")
}

func uuidOf(a, b uint64) string {
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", a>>32, a>>16&0xffff, a&0xffff, b>>48, b&0xffffffffffff)
}
