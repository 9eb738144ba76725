package emulator

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
)

// leastZipped is the body, in bytes, from which on it is worth the trouble.
const leastZipped = 512

// zipped returns the body as gzip when the client takes it, and says so in the headers.
func zipped(h http.Header, r *http.Request, body []byte) []byte {
	if len(body) < leastZipped || !acceptsGzip(r.Header.Values("Accept-Encoding")) {
		return body
	}
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return body
	}
	if _, err := w.Write(body); err != nil {
		return body
	}
	if err := w.Close(); err != nil {
		return body
	}
	h.Set("Content-Encoding", "gzip")
	h.Add("Vary", "Accept-Encoding")
	return b.Bytes()
}

func acceptsGzip(values []string) bool {
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			coding, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
			if strings.EqualFold(coding, "gzip") && strings.ReplaceAll(weight, " ", "") != "q=0" {
				return true
			}
		}
	}
	return false
}
