package s3server

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3response"

	"longshore/internal/lake"
)

// durable is the gateway's store over files, with what it leaves out: an answer to a put comes once the object, its
// name and the folders above it would survive a loss of power.
type durable struct {
	*posix.Posix
	root string
}

// PutObject writes the object's bytes through before they get their name, and the name after.
func (d *durable) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	out, err := d.PutObjectWithPostFunc(ctx, in, (*os.File).Sync)
	if err != nil {
		return out, err
	}
	return out, d.syncNames(*in.Bucket, *in.Key)
}

// CompleteMultipartUpload makes the object put together from parts durable.
func (d *durable) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (s3response.CompleteMultipartUploadResult, string, error) {
	out, version, err := d.Posix.CompleteMultipartUpload(ctx, in)
	if err != nil {
		return out, version, err
	}
	return out, version, d.syncObject(*in.Bucket, *in.Key)
}

// CopyObject makes the copy durable.
func (d *durable) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	out, err := d.Posix.CopyObject(ctx, in)
	if err != nil {
		return out, err
	}
	return out, d.syncObject(*in.Bucket, *in.Key)
}

func (d *durable) syncObject(bucket, key string) error {
	f, err := os.OpenFile(filepath.Join(d.root, bucket, key), os.O_RDWR, 0) // Windows syncs only what it may write
	if err != nil {
		return fmt.Errorf("make object durable: %w", err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("make object durable: %w", err)
	}
	return d.syncNames(bucket, key)
}

// syncNames makes the folders above the object durable, each of which can be new.
func (d *durable) syncNames(bucket, key string) error {
	return syncUp(filepath.Dir(filepath.Join(d.root, bucket, key)), filepath.Join(d.root, bucket))
}

func syncUp(dir, top string) error {
	for {
		if err := lake.SyncDir(dir); err != nil {
			return fmt.Errorf("make folder durable: %w", err)
		}
		if dir == top || dir == filepath.Dir(dir) {
			return nil
		}
		dir = filepath.Dir(dir)
	}
}

// sideFiles keeps ETags and metadata in a folder beside the objects, which works on every file system, durably.
type sideFiles struct {
	meta.SideCar
	root string
}

func newSideFiles(root string) (sideFiles, error) {
	side, err := meta.NewSideCar(root)
	return sideFiles{side, root}, err
}

// StoreAttribute writes one attribute of an object ("" for the bucket itself).
func (s sideFiles) StoreAttribute(f *os.File, bucket, object, attribute string, value []byte) error {
	if err := s.SideCar.StoreAttribute(f, bucket, object, attribute, value); err != nil {
		return err
	}
	dir := filepath.Join(s.root, bucket, object, "meta")
	file, err := os.OpenFile(filepath.Join(dir, attribute), os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("make attribute durable: %w", err)
	}
	defer file.Close()
	if err := file.Sync(); err != nil {
		return fmt.Errorf("make attribute durable: %w", err)
	}
	return syncUp(dir, s.root)
}
