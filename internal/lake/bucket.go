package lake

import (
	"context"
	"io"
	"iter"
	"strings"
	"time"
)

// Object is an object's listing entry.
type Object struct {
	Key      string
	ETag     string // without quotes
	Bytes    int64
	Modified time.Time
	Metadata map[string]string // user metadata, lower-case keys; filled by Head and Get only
}

// PutOptions says how an object is put. The zero value overwrites.
type PutOptions struct {
	IfAbsent    bool // refuse with fault.Conflict when the key exists
	ContentType string
	Metadata    map[string]string
}

// Bucket is where the lake lies. Every method is safe for concurrent use. Errors are faults: NotFound for a key or
// bucket that does not exist, Denied for a missing right, Unavailable when the store does not answer.
// A put is whole or not at all, and durable when it returns.
type Bucket interface {
	Put(ctx context.Context, key string, body io.ReadSeeker, bytes int64, opts PutOptions) (Object, error)
	Get(ctx context.Context, key string) (io.ReadCloser, Object, error)
	Head(ctx context.Context, key string) (Object, error)
	// List yields the objects whose key starts with prefix and is greater than after, in key order (bytes).
	List(ctx context.Context, prefix, after string) iter.Seq2[Object, error]
	Delete(ctx context.Context, key string) error
	// Name is the bucket's name, for messages and records.
	Name() string
}

// LowerKeys returns metadata as a Bucket keeps it: with lower-case keys; nil when there is none.
func LowerKeys(metadata map[string]string) map[string]string {
	if len(metadata) == 0 {
		return nil
	}
	lower := make(map[string]string, len(metadata))
	for k, v := range metadata {
		lower[strings.ToLower(k)] = v
	}
	return lower
}
