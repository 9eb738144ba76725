package s3server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"

	"longshore/internal/lake"
)

// durable is the gateway's store over files, with what it leaves out: an answer to a put comes once the object, its
// name and the folders above it would survive a loss of power.
type durable struct {
	*posix.Posix
	root string
	side string // where the side files lie
	log  *slog.Logger
}

// PutObject writes the object's bytes through before they get their name, and the name after.
func (d *durable) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	out, err := d.PutObjectWithPostFunc(ctx, in, (*os.File).Sync)
	if err == nil {
		err = d.syncNames(*in.Bucket, *in.Key)
	}
	return out, d.answer("put", *in.Bucket, *in.Key, err)
}

// CompleteMultipartUpload makes the object put together from parts durable.
func (d *durable) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (s3response.CompleteMultipartUploadResult, string, error) {
	out, version, err := d.Posix.CompleteMultipartUpload(ctx, in)
	if err == nil {
		err = d.syncObject(*in.Bucket, *in.Key)
	}
	return out, version, d.answer("complete upload", *in.Bucket, *in.Key, err)
}

// CopyObject makes the copy durable.
func (d *durable) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	out, err := d.Posix.CopyObject(ctx, in)
	if err == nil {
		err = d.syncObject(*in.Bucket, *in.Key)
	}
	return out, d.answer("copy", *in.Bucket, *in.Key, err)
}

// UploadPart stores one part; the object is made durable when it is put together.
func (d *durable) UploadPart(ctx context.Context, in *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	out, err := d.Posix.UploadPart(ctx, in)
	return out, d.answer("put part", *in.Bucket, *in.Key, err)
}

// ListObjects lists objects the old way.
func (d *durable) ListObjects(ctx context.Context, in *s3.ListObjectsInput) (s3response.ListObjectsResult, error) {
	out, err := d.Posix.ListObjects(ctx, in)
	return out, d.answer("list", *in.Bucket, "", err)
}

// ListObjectsV2 lists objects.
func (d *durable) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input) (s3response.ListObjectsV2Result, error) {
	out, err := d.Posix.ListObjectsV2(ctx, in)
	return out, d.answer("list", *in.Bucket, "", err)
}

// GetObject begins to read an object.
func (d *durable) GetObject(ctx context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	out, err := d.Posix.GetObject(ctx, in)
	return out, d.answer("get", *in.Bucket, aws.ToString(in.Key), err)
}

// HeadObject tells of an object.
func (d *durable) HeadObject(ctx context.Context, in *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	out, err := d.Posix.HeadObject(ctx, in)
	return out, d.answer("head", *in.Bucket, aws.ToString(in.Key), err)
}

// answer makes an error one that the protocol knows. The gateway would print any other to standard error, and answer
// 500, which clients try again.
func (d *durable) answer(doing, bucket, key string, err error) error {
	var known s3err.S3Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return s3err.GetAPIError(s3err.ErrSlowDown) // nobody waits for the answer any more, or may ask again: the server stops
	case errors.Is(err, syscall.ENOSPC):
		return s3err.GetAPIError(s3err.ErrNoSpaceLeftOnDevice)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return s3err.GetAPIError(s3err.ErrIncompleteBody)
	}
	d.log.Error("S3 endpoint: request failed", "doing", doing, "bucket", bucket, "key", key, "error", err)
	return s3err.GetAPIError(s3err.ErrInternalError)
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

// syncNames makes the folders above the object and its side files durable, each of which can be new.
func (d *durable) syncNames(bucket, key string) error {
	if err := syncUp(filepath.Join(d.side, bucket, key, "meta"), d.side); err != nil {
		return err
	}
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

// sideFiles keeps ETags and metadata in a folder beside the objects, which works on every file system. Their bytes
// are durable at once, their names with the object's.
type sideFiles struct {
	meta.SideCar
	root    string
	objects string // where the objects themselves lie
}

func newSideFiles(root, objects string) (sideFiles, error) {
	side, err := meta.NewSideCar(root)
	return sideFiles{side, root, objects}, err
}

// RetrieveAttribute reads one attribute. Side files are written before their object gets its name: a process killed in
// between leaves an ETag of no object, and the gateway takes an ETag for proof that the object is there. Such a one
// does not count.
func (s sideFiles) RetrieveAttribute(f *os.File, bucket, object, attribute string) ([]byte, error) {
	if object != "" {
		if _, err := os.Lstat(filepath.Join(s.objects, bucket, object)); errors.Is(err, fs.ErrNotExist) {
			return nil, meta.ErrNoSuchKey
		}
	}
	return s.SideCar.RetrieveAttribute(f, bucket, object, attribute)
}

// StoreAttribute writes one attribute of an object ("" for the bucket itself).
func (s sideFiles) StoreAttribute(f *os.File, bucket, object, attribute string, value []byte) error {
	if err := s.SideCar.StoreAttribute(f, bucket, object, attribute, value); err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(s.root, bucket, object, "meta", attribute), os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("make attribute durable: %w", err)
	}
	defer file.Close()
	if err := file.Sync(); err != nil {
		return fmt.Errorf("make attribute durable: %w", err)
	}
	return nil
}

// oneAccount knows the server's one account.
type oneAccount struct{ auth.IAMService }

// GetUserAccount answers for an unknown key as S3 does; the gateway's own answer is "user not found".
func (a oneAccount) GetUserAccount(access string) (auth.Account, error) {
	account, err := a.IAMService.GetUserAccount(access)
	if err != nil {
		return auth.Account{}, s3err.GetAPIError(s3err.ErrInvalidAccessKeyID)
	}
	return account, nil
}
