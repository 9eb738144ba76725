package s3

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"

	"longshore/internal/fault"
	"longshore/internal/lake"
)

// probe is the content of the object that Check writes.
const probe = `{"data": 1}`

// Check tries every right that writing needs, on an object like the one that Airbyte's check leaves behind when it is
// killed, and removes it. Readers of a lake pass over its name.
func (d *Destination) Check(ctx context.Context) error {
	key := d.probeKey()
	content := []byte(probe)
	if !d.Format.Plain {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(content); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		content = b.Bytes()
	}
	if _, err := d.Bucket.Put(ctx, key, bytes.NewReader(content), int64(len(content)), lake.PutOptions{}); err != nil {
		return fmt.Errorf("write to the bucket: %w", err)
	}
	err := d.read(ctx, key, content)
	if removed := d.Bucket.Delete(ctx, key); err == nil && removed != nil {
		err = fmt.Errorf("delete from the bucket: %w", removed)
	}
	return err
}

// probeKey is where Check writes: the folder of a stream that nobody has, or, up to 1.4, the bucket path.
func (d *Destination) probeKey() string {
	now := d.now()
	if d.Layout.Old {
		path := strings.TrimSuffix(d.Layout.BucketPath, "/")
		return strings.TrimPrefix(path+"/test_"+strconv.FormatInt(now.UnixMilli(), 10), "/")
	}
	folder := d.Layout.Folder(lake.KeyInput{Namespace: "testing", Stream: "test", Start: now})
	return strings.TrimSuffix(folder, "/") + "/_EXAMPLE"
}

// read checks that the object can be listed and read, and is what was written.
func (d *Destination) read(ctx context.Context, key string, want []byte) error {
	found := false
	for o, err := range d.Bucket.List(ctx, key, "") {
		if err != nil {
			return fmt.Errorf("list the bucket: %w", err)
		}
		found = found || o.Key == key
		break
	}
	if !found {
		return fault.Errorf(fault.Unavailable, "the bucket does not list the object %s, which was just written", key)
	}
	body, _, err := d.Bucket.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("read from the bucket: %w", err)
	}
	defer body.Close()
	got, err := io.ReadAll(io.LimitReader(body, int64(len(want))+1))
	if err != nil {
		return fmt.Errorf("read from the bucket: %w", err)
	}
	if !bytes.Equal(got, want) {
		return fault.Errorf(fault.Unavailable, "the object %s reads other bytes than were written", key)
	}
	return nil
}
