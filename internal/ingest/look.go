package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"longshore/internal/fault"
	"longshore/internal/lake"
)

// RecordLine is a record as it lies in the lake.
type RecordLine struct {
	Number      int64
	Body        []byte
	ExtractedAt int64 // Unix milliseconds
	Generation  int64
	Problem     string // why it is no record
}

// ReadLine reads one line of an object, or answers fault.NotFound.
func ReadLine(ctx context.Context, bucket lake.Bucket, key string, number int64) (RecordLine, error) {
	body, _, err := bucket.Get(ctx, key)
	if err != nil {
		return RecordLine{}, fmt.Errorf("get %s: %w", key, err)
	}
	defer body.Close()
	r, err := lake.OpenReader(body, lake.ReaderOptions{From: number})
	if err != nil {
		return RecordLine{}, fmt.Errorf("read %s: %w", key, err)
	}
	line, err := r.Next()
	if err != nil && !errors.Is(err, io.EOF) {
		return RecordLine{}, fmt.Errorf("read %s: %w", key, err)
	}
	if err != nil || line.Number != number {
		return RecordLine{}, fault.Errorf(fault.NotFound, "%s has no record at line %d", key, number)
	}
	return keep(line), nil
}

func keep(line lake.Line) RecordLine {
	l := RecordLine{Number: line.Number, Body: bytes.Clone(line.Body), ExtractedAt: line.ExtractedAt, Generation: line.Generation}
	if line.Err != nil {
		l.Problem = line.Err.Message
	}
	return l
}

// Search reads objects from the lake and yields the lines whose text holds the needle, until yield returns false.
// An object that cannot be read is told to trouble and passed by; a bucket that does not answer ends the search.
func Search(ctx context.Context, bucket lake.Bucket, objects []Object, needle string, yield func(Object, RecordLine) bool, trouble func(Object, error)) error {
	for _, o := range objects {
		if err := ctx.Err(); err != nil {
			return err
		}
		more, err := searchOne(ctx, bucket, o, []byte(needle), yield)
		if fault.Is(err, fault.Unavailable) || fault.Is(err, fault.Denied) {
			return err
		}
		if err != nil {
			trouble(o, err)
		}
		if !more {
			return nil
		}
	}
	return nil
}

func searchOne(ctx context.Context, bucket lake.Bucket, o Object, needle []byte, yield func(Object, RecordLine) bool) (more bool, err error) {
	return lake.EachRecord(ctx, bucket, o.Key, func(line lake.Line) bool {
		return !bytes.Contains(line.Body, needle) || yield(o, keep(line))
	})
}
