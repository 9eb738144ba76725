package emulator

import (
	"bytes"
	"compress/gzip"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// A fault leaves marks in a cursor: they begin with cursorMark and are cut off before handlers see it. "1" makes the link
// a new one, "v" takes the page's first item away, "d" and a number puts an item kept from the page before in front.
const (
	cursorMark = "~"
	markAgain  = "1"
	markVanish = "v"
	markKept   = "d"

	maxKept = 1000 // items kept for pages to come
)

// unmark takes the marks out of the request's cursor.
func (c *call) unmark() {
	after, marks, marked := strings.Cut(c.query.Get("after"), cursorMark)
	if marked {
		c.query.Set("after", after)
		c.marks = strings.Split(marks, cursorMark)
	}
}

// bend changes an answer that the endpoint gave: first what marks in the request's cursor ask for, then the fault.
func (o *Org) bend(c *call, a *answer) {
	f := c.fault
	if a.list {
		o.obeyMarks(c, a)
		o.bendList(c, a)
	}
	if f.Malformed {
		*a = answer{status: a.status, body: []byte(`[{"id":"00u`), self: a.self}
	}
}

func (o *Org) obeyMarks(c *call, a *answer) {
	for _, m := range c.marks {
		if m == markVanish {
			if items := splitItems(a.items); len(items) > 0 {
				a.items = bytes.Join(items[1:], []byte(","))
			}
		}
		if number, ok := strings.CutPrefix(m, markKept); ok {
			if item := o.kept(number); item != nil {
				a.items = bytes.Join(append([][]byte{item}, splitItems(a.items)...), []byte(","))
			}
		}
	}
}

func (o *Org) bendList(c *call, a *answer) {
	f := c.fault
	if f.Nothing {
		a.items, a.next = nil, ""
	}
	if f.Duplicate && a.next != "" {
		if items := splitItems(a.items); len(items) > 0 {
			a.next = marked(a.next, markKept+o.keep(items[len(items)-1]))
		}
	}
	if f.Vanish && a.next != "" {
		a.next = marked(a.next, markVanish)
	}
	if f.Empty {
		a.items, a.next = nil, c.sameAgain(cursorMark+markAgain)
	}
	if f.RepeatCursor {
		a.next = c.sameAgain("")
	}
	if f.Restart {
		u := *c.r.URL
		q := u.Query()
		q.Del("after")
		u.RawQuery = q.Encode()
		a.next = c.base + u.RequestURI()
	}
	if f.ForeignLink != "" && a.next != "" {
		if u, err := url.Parse(a.next); err == nil {
			u.Host = f.ForeignLink
			a.next = u.String()
		}
	}
}

// sameAgain is the link of the request itself, its cursor extended by mark.
func (c *call) sameAgain(mark string) string {
	q := c.r.URL.Query()
	if mark != "" {
		q.Set("after", q.Get("after")+mark)
	}
	u := *c.r.URL
	u.RawQuery = q.Encode()
	return c.base + u.RequestURI()
}

// marked is a link whose cursor bears one more mark.
func marked(link, mark string) string {
	u, err := url.Parse(link)
	if err != nil {
		return link
	}
	q := u.Query()
	q.Set("after", q.Get("after")+cursorMark+mark)
	u.RawQuery = q.Encode()
	return u.String()
}

// keep remembers an item for a later page, and returns its number.
func (o *Org) keep(item []byte) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keptCount++
	o.keptItems[o.keptCount] = bytes.Clone(item)
	delete(o.keptItems, o.keptCount-maxKept)
	return strconv.Itoa(o.keptCount)
}

func (o *Org) kept(number string) []byte {
	n, err := strconv.Atoi(number)
	if err != nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.keptItems[n]
}

// splitItems cuts a list's items apart, which are JSON values joined by commas.
func splitItems(items []byte) (all [][]byte) {
	depth, from, quoted := 0, 0, false
	for i := 0; i < len(items); i++ {
		switch b := items[i]; {
		case quoted && b == '\\':
			i++
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '{' || b == '[':
			depth++
		case b == '}' || b == ']':
			depth--
		case b == ',' && depth == 0:
			all = append(all, items[from:i])
			from = i + 1
		}
	}
	if from < len(items) {
		all = append(all, items[from:])
	}
	return all
}

// send writes the body as the fault would have it.
func (f Fault) send(w http.ResponseWriter, r *http.Request, body []byte) {
	half := len(body) / 2
	switch {
	case f.Reset:
		_, _ = w.Write(body[:half])
		reset(w)
	case f.Truncate:
		_, _ = w.Write(body[:half])
		flush(w)
		panic(http.ErrAbortHandler) // how net/http is told to drop the connection
	case f.Stall > 0:
		_, _ = w.Write(body[:half])
		flush(w)
		if wait(r.Context(), f.Stall) {
			_, _ = w.Write(body[half:])
		}
	default:
		_, _ = w.Write(body) // the client may have gone; there is nobody to tell
	}
}

func flush(w http.ResponseWriter) {
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
}

// reset ends the connection so that the client sees a reset, not an end.
func reset(w http.ResponseWriter) {
	if in, ok := w.(interface{ reset() }); ok {
		in.reset()
		panic(http.ErrAbortHandler)
	}
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := connection.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = connection.Close()
}

// cutGzip returns the body to send for TruncateGzip: gzip without its last bytes, or half the text.
func cutGzip(h http.Header, r *http.Request, body []byte) []byte {
	if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		return body[:len(body)/2]
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(body) // into memory
	_ = z.Close()
	h.Set("Content-Encoding", "gzip")
	return b.Bytes()[:b.Len()*3/4]
}
