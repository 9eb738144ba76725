package lake

import (
	"context"
	"io"
	"iter"
	"strings"
)

// WithPrefix is the part of a bucket below a prefix as a bucket of its own: keys are given and taken without it. It
// is for sharing a bucket with others, not for Airbyte's bucket path, which is part of the keys that mappings see.
func WithPrefix(b Bucket, prefix string) Bucket {
	if prefix == "" {
		return b
	}
	if !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	return &prefixed{b, prefix}
}

type prefixed struct {
	bucket Bucket
	prefix string
}

func (p *prefixed) Name() string { return p.bucket.Name() + "/" + strings.TrimSuffix(p.prefix, "/") }

func (p *prefixed) Put(ctx context.Context, key string, body io.ReadSeeker, bytes int64, opts PutOptions) (Object, error) {
	return p.outside(p.bucket.Put(ctx, p.prefix+key, body, bytes, opts))
}

func (p *prefixed) Get(ctx context.Context, key string) (io.ReadCloser, Object, error) {
	body, o, err := p.bucket.Get(ctx, p.prefix+key)
	o, err = p.outside(o, err)
	return body, o, err
}

func (p *prefixed) Head(ctx context.Context, key string) (Object, error) {
	return p.outside(p.bucket.Head(ctx, p.prefix+key))
}

func (p *prefixed) List(ctx context.Context, prefix, after string) iter.Seq2[Object, error] {
	if after != "" {
		after = p.prefix + after
	}
	return func(yield func(Object, error) bool) {
		for o, err := range p.bucket.List(ctx, p.prefix+prefix, after) {
			if !yield(p.outside(o, err)) {
				return
			}
		}
	}
}

func (p *prefixed) Delete(ctx context.Context, key string) error {
	return p.bucket.Delete(ctx, p.prefix+key)
}

func (p *prefixed) outside(o Object, err error) (Object, error) {
	o.Key = strings.TrimPrefix(o.Key, p.prefix)
	return o, err
}
