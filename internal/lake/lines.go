package lake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"longshore/internal/fault"
)

// Lines yields the lines of the objects of these keys, one object after the other. An object that is not there any more
// is passed over, and so is a line that holds no record.
func Lines(ctx context.Context, b Bucket, keys []string) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		for _, key := range keys {
			more, err := EachRecord(ctx, b, key, func(line Line) bool { return yield(line, nil) })
			if err != nil && !fault.Is(err, fault.NotFound) {
				yield(Line{}, fmt.Errorf("read %s: %w", key, err))
				return
			}
			if !more {
				return
			}
		}
	}
}

// EachRecord gives each line of an object that holds a record. more is false when each wants no further one.
func EachRecord(ctx context.Context, b Bucket, key string, each func(Line) bool) (more bool, err error) {
	body, _, err := b.Get(ctx, key)
	if err != nil {
		return true, err
	}
	defer body.Close()
	r, err := OpenReader(body, ReaderOptions{})
	if err != nil {
		return true, err
	}
	for {
		line, err := r.Next()
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return true, err
		}
		if line.Err == nil && !each(line) {
			return false, nil
		}
	}
}
