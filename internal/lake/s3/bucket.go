package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/logging"

	"longshore/internal/fault"
	"longshore/internal/lake"
)

const defaultRegion = "us-east-1"

// Config says which bucket to open, and as whom.
type Config struct {
	Endpoint  string // URL of the store; "" means AWS
	Region    string // "" means the environment's, and us-east-1 with an Endpoint
	Bucket    string
	AccessKey string // "" means AWS's chain: environment, profile, role of the machine
	SecretKey string
	PathStyle bool // the bucket in the path, not in the host's name; what most stores beside AWS want

	HTTPClient *http.Client // nil means the SDK's
}

// Bucket is a lake.Bucket over S3. It is safe for concurrent use.
type Bucket struct {
	client *s3.Client
	name   string
	config Config
}

var _ lake.Bucket = (*Bucket)(nil)

// Open prepares the client; it does not call the store (Check and EnsureBucket do).
func Open(ctx context.Context, c Config) (*Bucket, error) {
	if c.Bucket == "" {
		return nil, fault.Errorf(fault.Invalid, "open bucket: no bucket name is set")
	}
	if (c.AccessKey == "") != (c.SecretKey == "") {
		return nil, fault.Errorf(fault.Invalid, "open bucket %q: access key and secret key must both be set, or neither", c.Bucket)
	}
	if c.Endpoint != "" && !strings.Contains(c.Endpoint, "://") {
		return nil, fault.Errorf(fault.Invalid, "open bucket %q: endpoint %q is no URL", c.Bucket, c.Endpoint).
			WithHint("write it with its scheme, as in https://%s", c.Endpoint)
	}
	opts := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})}
	if c.Region == "" && c.Endpoint != "" {
		c.Region = defaultRegion
	}
	if c.Region != "" {
		opts = append(opts, config.WithRegion(c.Region))
	}
	if c.AccessKey != "" {
		opts = append(opts, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(c.AccessKey, c.SecretKey, "")))
	}
	if c.HTTPClient != nil {
		opts = append(opts, config.WithHTTPClient(c.HTTPClient))
	}
	loaded, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "open bucket %q: %w", c.Bucket, err)
	}
	client := s3.NewFromConfig(loaded, func(o *s3.Options) {
		o.UsePathStyle = c.PathStyle
		if o.Region == "" {
			o.Region = defaultRegion
		}
		if c.Endpoint != "" {
			o.BaseEndpoint = aws.String(c.Endpoint)
			// Newer checksums are on by default, and unknown to many stores that are not AWS's.
			o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
			o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		}
	})
	return &Bucket{client: client, name: c.Bucket, config: c}, nil
}

// Name is the bucket's name.
func (b *Bucket) Name() string { return b.name }

// watchedBody ends the request when the body cannot be read; the client would send it again otherwise.
type watchedBody struct {
	io.ReadSeeker
	end context.CancelCauseFunc
	err error
}

func (w *watchedBody) Read(p []byte) (int, error) {
	n, err := w.ReadSeeker.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
		w.end(err)
	}
	return n, err
}

// Put stores the object in one request, which is tried again when the store does not answer. Such a second try can
// find the first one's object: a Conflict with IfAbsent then means an object that has the same ETag.
func (b *Bucket) Put(ctx context.Context, key string, body io.ReadSeeker, bytes int64, opts lake.PutOptions) (lake.Object, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watched := &watchedBody{ReadSeeker: body, end: cancel}
	in := &s3.PutObjectInput{Bucket: &b.name, Key: &key, Body: watched, ContentLength: &bytes, Metadata: lake.LowerKeys(opts.Metadata)}
	if opts.ContentType != "" {
		in.ContentType = &opts.ContentType
	}
	if opts.IfAbsent {
		in.IfNoneMatch = aws.String("*")
	}
	out, err := b.client.PutObject(ctx, in)
	if err != nil {
		if watched.err != nil {
			return lake.Object{}, fmt.Errorf("put %q in bucket %q: read its body: %w", key, b.name, watched.err)
		}
		if opts.IfAbsent && isConditionFailed(err) {
			return lake.Object{}, fault.Errorf(fault.Conflict, "put: object %q exists already", key)
		}
		return lake.Object{}, b.fault("put", key, err)
	}
	return lake.Object{Key: key, ETag: unquoted(out.ETag), Bytes: bytes, Modified: time.Now(), Metadata: in.Metadata}, nil
}

// Get opens the object.
func (b *Bucket) Get(ctx context.Context, key string) (io.ReadCloser, lake.Object, error) {
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &key})
	if err != nil {
		return nil, lake.Object{}, b.fault("get", key, err)
	}
	return &body{out.Body, b, key}, lake.Object{
		Key: key, ETag: unquoted(out.ETag), Bytes: aws.ToInt64(out.ContentLength), Modified: aws.ToTime(out.LastModified), Metadata: lake.LowerKeys(out.Metadata),
	}, nil
}

// body gives errors while reading their kind.
type body struct {
	io.ReadCloser
	bucket *Bucket
	key    string
}

func (r *body) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = r.bucket.fault("read", r.key, err)
	}
	return n, err
}

// Head describes the object.
func (b *Bucket) Head(ctx context.Context, key string) (lake.Object, error) {
	out, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: &key})
	if err != nil {
		return lake.Object{}, b.fault("head", key, err)
	}
	return lake.Object{
		Key: key, ETag: unquoted(out.ETag), Bytes: aws.ToInt64(out.ContentLength), Modified: aws.ToTime(out.LastModified), Metadata: lake.LowerKeys(out.Metadata),
	}, nil
}

// List yields the objects page by page.
func (b *Bucket) List(ctx context.Context, prefix, after string) iter.Seq2[lake.Object, error] {
	return func(yield func(lake.Object, error) bool) {
		in := &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &prefix}
		if after != "" {
			in.StartAfter = &after
		}
		pages := s3.NewListObjectsV2Paginator(b.client, in)
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(lake.Object{}, b.fault("list", prefix, err))
				return
			}
			for _, o := range page.Contents {
				listed := lake.Object{Key: aws.ToString(o.Key), ETag: unquoted(o.ETag), Bytes: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified)}
				if !yield(listed, nil) {
					return
				}
			}
		}
	}
}

// Delete removes the object; a key that does not exist is no error.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	_, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.name, Key: &key})
	var missing *types.NoSuchKey
	if err != nil && !errors.As(err, &missing) {
		return b.fault("delete", key, err)
	}
	return nil
}

// EnsureBucket makes the bucket if it does not exist.
func (b *Bucket) EnsureBucket(ctx context.Context) error {
	_, err := b.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &b.name})
	if err == nil {
		return nil
	}
	if err := b.fault("find bucket", b.name, err); !fault.Is(err, fault.NotFound) {
		return err
	}
	in := &s3.CreateBucketInput{Bucket: &b.name}
	if region := b.client.Options().Region; b.config.Endpoint == "" && region != defaultRegion {
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(region)}
	}
	_, err = b.client.CreateBucket(ctx, in)
	var ours *types.BucketAlreadyOwnedByYou
	if err != nil && !errors.As(err, &ours) {
		return fmt.Errorf("make bucket: %w", b.fault("make bucket", b.name, err))
	}
	return nil
}

func unquoted(etag *string) string { return strings.Trim(aws.ToString(etag), `"`) }
