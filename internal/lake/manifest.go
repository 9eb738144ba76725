package lake

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"longshore/internal/fault"
)

const (
	// ManifestVersion is the version of the manifest's form that is written, and the newest that is read.
	ManifestVersion = 1

	manifestPrefix   = OwnPrefix + "manifests/"
	maxManifestBytes = 64 << 20
)

// Manifest says what one sync wrote of one stream. It is put when the stream has ended, whole or not, and proves by
// Complete that the objects named hold all that was to be read. Only with Snapshot is that everything the source had, so
// that what is in none of them is gone.
type Manifest struct {
	Version     int              `json:"version"`
	Connection  string           `json:"connection"`
	SyncID      int64            `json:"syncId"`
	Namespace   string           `json:"namespace"`
	Stream      string           `json:"stream"`
	Mode        string           `json:"mode"` // the connection's words for it: full refresh, incremental
	Generation  int64            `json:"generation"`
	StartedAt   time.Time        `json:"startedAt"`
	FinishedAt  time.Time        `json:"finishedAt"`
	Pages       int64            `json:"pages"`
	Rows        int64            `json:"rows"`
	FirstCursor string           `json:"firstCursor,omitempty"`
	LastCursor  string           `json:"lastCursor,omitempty"`
	Statuses    map[int]int      `json:"statuses,omitempty"` // answers of the source by HTTP status
	Objects     []ManifestObject `json:"objects"`
	Complete    bool             `json:"complete"`
	Snapshot    bool             `json:"snapshot"`          // complete, and read from its start: what is not there is gone
	Reasons     []string         `json:"reasons,omitempty"` // why it is not complete: gaps, an error, a stop
}

// ManifestObject is an object that a manifest vouches for.
type ManifestObject struct {
	Key    string `json:"key"`
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	ETag   string `json:"etag"`
}

// ManifestKey is where the manifest of a stream and sync lies: outside every data prefix. The names are sanitised as
// in the keys of records, so a [Location] leads to it; a missing namespace is an underscore.
func ManifestKey(namespace, stream string, syncID int64) string {
	return fmt.Sprintf("%s%010d.json", manifestFolder(namespace, stream), syncID)
}

func manifestFolder(namespace, stream string) string {
	return manifestPrefix + manifestName(namespace) + "/" + manifestName(stream) + "/"
}

// manifestName keeps a name in one segment that is a folder of its own everywhere.
func manifestName(name string) string {
	name = strings.ReplaceAll(Sanitise(name), "/", "_")
	if strings.Trim(name, ".") == "" {
		return "_" + name
	}
	return name
}

// Key is where the manifest lies.
func (m *Manifest) Key() string { return ManifestKey(m.Namespace, m.Stream, m.SyncID) }

// PutManifest stores the manifest, over an earlier one of the same stream and sync.
func PutManifest(ctx context.Context, b Bucket, m Manifest) (Object, error) {
	m.Version = ManifestVersion
	if m.Objects == nil {
		m.Objects = []ManifestObject{}
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return Object{}, fmt.Errorf("put manifest of %q: %w", m.Stream, err)
	}
	text = append(text, '\n')
	o, err := b.Put(ctx, m.Key(), bytes.NewReader(text), int64(len(text)), PutOptions{ContentType: "application/json"})
	if err != nil {
		return Object{}, fmt.Errorf("put manifest of %q: %w", m.Stream, err)
	}
	return o, nil
}

// LoadManifest reads the manifest of a stream and sync; fault.NotFound when there is none.
func LoadManifest(ctx context.Context, b Bucket, namespace, stream string, syncID int64) (Manifest, error) {
	return loadManifest(ctx, b, ManifestKey(namespace, stream, syncID))
}

func loadManifest(ctx context.Context, b Bucket, key string) (Manifest, error) {
	body, o, err := b.Get(ctx, key)
	if err != nil {
		return Manifest{}, fmt.Errorf("load manifest: %w", err)
	}
	defer body.Close()
	if o.Bytes > maxManifestBytes {
		return Manifest{}, fault.Errorf(fault.Invalid, "load manifest %q: it has %d bytes, more than %d", key, o.Bytes, maxManifestBytes)
	}
	text, err := io.ReadAll(io.LimitReader(body, maxManifestBytes))
	if err != nil {
		return Manifest{}, fmt.Errorf("load manifest %q: %w", key, err)
	}
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return Manifest{}, fault.Errorf(fault.Invalid, "load manifest %q: %w", key, err)
	}
	if m.Version < 1 || m.Version > ManifestVersion {
		return Manifest{}, fault.Errorf(fault.Invalid, "load manifest %q: its version is %d, this program reads up to %d", key, m.Version, ManifestVersion).
			WithHint("read it with a newer longshore")
	}
	return m, nil
}

// Manifests yields the manifests of a stream, the oldest sync first, from the sync after the given one (0: all).
func Manifests(ctx context.Context, b Bucket, namespace, stream string, after int64) iter.Seq2[Manifest, error] {
	return manifests(ctx, b, manifestFolder(namespace, stream), ManifestKey(namespace, stream, after))
}

// AllManifests yields the manifests of every stream in the bucket, by namespace, stream and sync.
func AllManifests(ctx context.Context, b Bucket) iter.Seq2[Manifest, error] {
	return manifests(ctx, b, manifestPrefix, "")
}

// LastManifests returns the newest manifest of each stream in the bucket.
func LastManifests(ctx context.Context, b Bucket) ([]Manifest, error) {
	newest := map[string]string{} // folder → key: sync numbers are padded, so the last key is the newest
	for o, err := range b.List(ctx, manifestPrefix, "") {
		if err != nil {
			return nil, fmt.Errorf("list manifests: %w", err)
		}
		newest[o.Key[:strings.LastIndexByte(o.Key, '/')+1]] = o.Key
	}
	var all []Manifest
	for _, key := range newest {
		m, err := loadManifest(ctx, b, key)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

func manifests(ctx context.Context, b Bucket, prefix, after string) iter.Seq2[Manifest, error] {
	return func(yield func(Manifest, error) bool) {
		for o, err := range b.List(ctx, prefix, after) {
			if err != nil {
				yield(Manifest{}, fmt.Errorf("list manifests: %w", err))
				return
			}
			m, err := loadManifest(ctx, b, o.Key)
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}
