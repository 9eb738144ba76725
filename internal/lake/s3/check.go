package s3

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"

	"longshore/internal/fault"
	"longshore/internal/lake"
)

// Right is one thing that the lake needs of a bucket, and why it is not given (nil: it is).
type Right struct {
	Name string // write, read, list, delete, conditional put
	Err  error
}

// The names of the rights, in the order in which Check reports them.
const (
	RightWrite       = "write"
	RightRead        = "read"
	RightList        = "list"
	RightDelete      = "delete"
	RightConditional = "conditional put" // not needed, but guards against writing an object twice
)

// Check tries each right on an object of its own below the prefix, whose name is never ingested, and removes it.
// Without write, read is tried on an object that does not exist: "not found" then means the right is there.
func (b *Bucket) Check(ctx context.Context, prefix string) []Right {
	key := prefix + lake.OwnPrefix + "probe-" + rand.Text()
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		key = prefix + "/" + lake.OwnPrefix + "probe-" + rand.Text()
	}
	const text = "longshore probe\n"
	put := func(opts lake.PutOptions) error {
		_, err := b.Put(ctx, key, strings.NewReader(text), int64(len(text)), opts)
		return err
	}
	write := put(lake.PutOptions{})
	rights := []Right{
		{RightWrite, write},
		{RightRead, b.tryRead(ctx, key, text, write == nil)},
		{RightList, b.tryList(ctx, key, write == nil)},
		{RightDelete, nil},
		{RightConditional, write},
	}
	if write == nil {
		if err := put(lake.PutOptions{IfAbsent: true}); err == nil {
			rights[4].Err = fault.Errorf(fault.Invalid, "the store overwrites an object although told not to (If-None-Match)").
				WithHint("nothing needs mending: objects have names of their own, and what was taken in is noted")
		} else if !fault.Is(err, fault.Conflict) {
			rights[4].Err = err
		}
	}
	rights[3].Err = b.tryDelete(ctx, key, write == nil)
	return rights
}

func (b *Bucket) tryRead(ctx context.Context, key, want string, written bool) error {
	body, _, err := b.Get(ctx, key)
	if err != nil {
		if !written && b.objectMissing(err) {
			return nil
		}
		return err
	}
	defer body.Close()
	got, err := io.ReadAll(io.LimitReader(body, int64(len(want))+1))
	if err != nil {
		return err
	}
	if string(got) != want {
		return fault.Errorf(fault.Internal, "read %q in bucket %q: got %d bytes that are not those written", key, b.name, len(got))
	}
	return nil
}

func (b *Bucket) tryList(ctx context.Context, key string, written bool) error {
	for o, err := range b.List(ctx, key, "") {
		if err != nil {
			return err
		}
		if o.Key == key {
			return nil
		}
	}
	if !written {
		return nil
	}
	return fault.Errorf(fault.Internal, "list %q in bucket %q: an object just written is not listed", key, b.name).
		WithHint("the store may list with a delay; new objects then arrive that much later")
}

func (b *Bucket) tryDelete(ctx context.Context, key string, written bool) error {
	if err := b.Delete(ctx, key); err != nil {
		return err
	}
	if !written {
		return nil
	}
	if _, err := b.Head(ctx, key); err == nil {
		return fault.Errorf(fault.Denied, "delete %q in bucket %q: the object is still there", key, b.name)
	} else if !b.objectMissing(err) {
		return fmt.Errorf("after delete: %w", err)
	}
	return nil
}

// objectMissing tells a missing object from a missing bucket.
func (b *Bucket) objectMissing(err error) bool {
	if !fault.Is(err, fault.NotFound) {
		return false
	}
	var f *fault.Error
	code := ""
	if errors.As(err, &f) {
		code, _ = codeOf(f.Cause)
	}
	return code != "NoSuchBucket"
}
