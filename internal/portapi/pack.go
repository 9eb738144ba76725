package portapi

import (
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// packFrom is how large an answer must be to be worth compressing: smaller ones fit a network packet as they are.
const packFrom = 1400

// accepts reports whether the client takes gzip (RFC 9110, 12.5.3).
func accepts(r *http.Request) bool {
	for _, line := range r.Header.Values("Accept-Encoding") {
		for one := range strings.SplitSeq(line, ",") {
			coding, weight, _ := strings.Cut(one, ";")
			if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
				continue
			}
			_, q, given := strings.Cut(weight, "=")
			n, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
			return !given || err == nil && n > 0
		}
	}
	return false
}

// packer compresses an answer once it proves to be large. Close ends it; one that is not closed is broken off.
type packer struct {
	http.ResponseWriter
	pool   *sync.Pool // of *gzip.Writer
	status int
	head   []byte // what was written while it was small
	zip    *gzip.Writer
}

func (p *packer) WriteHeader(status int) {
	if p.status == 0 {
		p.status = status
	}
}

func (p *packer) Write(b []byte) (int, error) {
	p.WriteHeader(http.StatusOK)
	if p.zip != nil {
		return p.zip.Write(b)
	}
	if len(p.head)+len(b) < packFrom {
		p.head = append(p.head, b...)
		return len(b), nil
	}
	p.Header().Set("Content-Encoding", "gzip")
	p.Header().Add("Vary", "Accept-Encoding")
	p.ResponseWriter.WriteHeader(p.status)
	p.zip, _ = p.pool.Get().(*gzip.Writer)
	p.zip.Reset(p.ResponseWriter)
	if _, err := p.zip.Write(p.head); err != nil {
		return 0, err
	}
	return p.zip.Write(b)
}

// Unwrap lets an http.ResponseController reach the connection.
func (p *packer) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// Close writes what is left.
func (p *packer) Close() {
	switch {
	case p.zip != nil:
		_ = p.zip.Close() // the client has gone: nothing is left to be done
		p.pool.Put(p.zip)
	case p.status != 0:
		p.ResponseWriter.WriteHeader(p.status)
		_, _ = p.ResponseWriter.Write(p.head)
	}
}

// newPool keeps gzip writers, which are dear to make.
func newPool() *sync.Pool {
	return &sync.Pool{New: func() any {
		w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
		if err != nil {
			panic("portapi: gzip has lost a level: " + err.Error())
		}
		return w
	}}
}
