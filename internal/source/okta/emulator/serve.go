package emulator

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// handler answers one endpoint.
type handler func(*call) answer

// call is a request and what answering it needs.
type call struct {
	r     *http.Request
	base  string
	query url.Values
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
	status int
	body   []byte // of a single object or an error
	etag   string

	list   bool
	items  []byte // joined with commas
	key    string // under which a body-paged list (/iam) sits; "" for a bare array
	extra  string // more members of _links, after next, as JSON: "name":{...}
	self   string // of the Link header; "" when the endpoint sends none
	next   string // "" on the last page
	linked bool   // next goes into the Link header
}

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

// cursorMark begins what a fault adds to a cursor to make its link a new one; it is cut off before handlers see it.
const cursorMark = "~"

func (o *Org) serve(w http.ResponseWriter, r *http.Request, h handler) {
	c := &call{r: r, base: o.base(r), query: r.URL.Query()}
	if after, _, marked := strings.Cut(c.query.Get("after"), cursorMark); marked {
		c.query.Set("after", after)
	}
	number := o.begin()
	defer o.finish()
	w.Header().Set("Date", o.Now().UTC().Format(http.TimeFormat))
	d := newDraw(o.seed, saltRequest, number)
	w.Header().Set("X-Okta-Request-Id", fmt.Sprintf("%016x%016x", d.next(), d.next()))
	fault := o.meet(r.URL.Path)
	if !wait(r.Context(), fault.Latency) {
		return
	}
	a, ok := o.admit(w, c, fault)
	if ok {
		a = h(c)
	}
	fault.bend(c, &a)
	o.write(w, r, a, fault)
}

// admit decides whether the request reaches its endpoint: credential, verb, planned fault, rate limit.
func (o *Org) admit(w http.ResponseWriter, c *call, fault Fault) (answer, bool) {
	path := c.r.URL.Path
	if strings.HasPrefix(path, "/.well-known/") {
		return answer{}, true
	}
	if a, ok := o.authorize(c); !ok {
		return a, false
	}
	bucket := bucketOf(path)
	concurrent := fault.Concurrency || o.crowded()
	if a, ok := o.spend(w, c, bucket, concurrent, fault.HideRateHeaders); !ok {
		return a, false
	}
	if c.r.Method != http.MethodGet && c.r.Method != http.MethodHead && !strings.HasPrefix(c.r.Pattern, c.r.Method+" ") {
		return o.failed(c, http.StatusMethodNotAllowed, "E0000022", "The endpoint does not support the provided HTTP method"), false
	}
	if fault.Status != 0 {
		return o.planned(w, c, fault), false
	}
	return answer{}, true
}

func (o *Org) authorize(c *call) (answer, bool) {
	header := c.r.Header.Get("Authorization")
	if header == "" {
		return o.failed(c, http.StatusForbidden, "E0000005", "Invalid session"), false
	}
	scheme, token, _ := strings.Cut(header, " ")
	right := subtle.ConstantTimeCompare([]byte(strings.TrimSpace(token)), []byte(o.options.Token)) == 1
	if !strings.EqualFold(scheme, "SSWS") || !right {
		return o.failed(c, http.StatusUnauthorized, "E0000011", "Invalid token provided"), false
	}
	return answer{}, true
}

func (o *Org) write(w http.ResponseWriter, r *http.Request, a answer, fault Fault) {
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
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	o.count(a.status, len(body))
	w.WriteHeader(a.status)
	if r.Method == http.MethodHead {
		return
	}
	if fault.Truncate {
		_, _ = w.Write(body[:len(body)/2])
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		panic(http.ErrAbortHandler) // how net/http is told to drop the connection
	}
	_, _ = w.Write(body) // the client may have gone; there is nobody to tell
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
