package lake

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"

	"longshore/internal/fault"
)

const (
	folderMeta     = ".meta" // side files: ETag, type and metadata
	folderTemp     = ".tmp"  // objects on their way
	maxNameBytes   = 250     // of one segment of a key as a file name
	folderLockRows = 64
)

// Folder is a Bucket in a folder of the local disk: an object is a plain file, named as its key (characters that file
// names cannot hold everywhere are percent-escaped). A file that something else put there is an object too. Within
// one process every promise of Bucket holds; between processes a conditional put still has one winner. As in any file
// system, a key cannot be an object and the folder of another ("a" and "a/b").
type Folder struct {
	root  string
	locks [folderLockRows]sync.RWMutex // by key: an object and its side file change together
}

// sideFile is what a file cannot say of its object. It counts only while it fits the file.
type sideFile struct {
	ETag         string            `json:"etag"`
	Bytes        int64             `json:"bytes"`
	ModifiedNano int64             `json:"modifiedNano"`
	ContentType  string            `json:"contentType,omitempty"`
	Metadata     map[string]string `json:"metadata,omitempty"`
}

// OpenFolder opens the folder as a bucket, and makes it if it is missing.
func OpenFolder(dir string) (*Folder, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open folder %q: %w", dir, err)
	}
	for _, d := range []string{root, filepath.Join(root, folderMeta), filepath.Join(root, folderTemp)} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, diskFault(fmt.Sprintf("open folder %q", dir), err)
		}
	}
	return &Folder{root: root}, nil
}

// Name is the folder's path.
func (f *Folder) Name() string { return f.root }

// Put writes the object beside its place, makes it durable, and moves it there.
func (f *Folder) Put(ctx context.Context, key string, body io.ReadSeeker, bytes int64, opts PutOptions) (Object, error) {
	path, side, err := f.paths(key)
	if err != nil {
		return Object{}, err
	}
	if opts.IfAbsent { // a first look spares the copying; the second, below, counts
		if _, err := os.Lstat(path); err == nil {
			return Object{}, existsFault(key)
		}
	}
	temp, etag, err := f.spool(ctx, key, body, bytes)
	if err != nil {
		return Object{}, err
	}
	defer os.Remove(temp)
	lock := f.lock(key)
	lock.Lock()
	defer lock.Unlock()
	info, err := os.Lstat(path)
	switch {
	case err == nil && info.IsDir():
		return Object{}, parentFault(key)
	case err == nil && opts.IfAbsent:
		return Object{}, existsFault(key)
	}
	info, err = os.Stat(temp)
	if err != nil {
		return Object{}, diskFault(fmt.Sprintf("put %q", key), err)
	}
	meta := sideFile{ETag: etag, Bytes: bytes, ModifiedNano: info.ModTime().UnixNano(), ContentType: opts.ContentType, Metadata: LowerKeys(opts.Metadata)}
	if err := f.publish(temp, path, side, meta, opts.IfAbsent); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return Object{}, existsFault(key)
		}
		if notDirectory(err) {
			return Object{}, parentFault(key)
		}
		return Object{}, diskFault(fmt.Sprintf("put %q", key), err)
	}
	return Object{Key: key, ETag: etag, Bytes: bytes, Modified: info.ModTime(), Metadata: meta.Metadata}, nil
}

// spool copies the body to a temporary file and makes it durable.
func (f *Folder) spool(ctx context.Context, key string, body io.Reader, bytes int64) (name, etag string, err error) {
	doing := fmt.Sprintf("put %q", key)
	temp, err := os.CreateTemp(filepath.Join(f.root, folderTemp), "put-*")
	if err != nil {
		return "", "", diskFault(doing, err)
	}
	defer func() {
		if err != nil {
			os.Remove(temp.Name())
		}
	}()
	defer temp.Close()
	sum := md5.New()
	n, err := io.Copy(io.MultiWriter(temp, sum), &contextReader{ctx, body})
	switch {
	case ctx.Err() != nil:
		return "", "", fmt.Errorf("%s: %w", doing, ctx.Err())
	case err != nil:
		return "", "", diskFault(doing, err)
	case n != bytes:
		return "", "", fault.Errorf(fault.Invalid, "put %q: the body has %d bytes, %d were announced", key, n, bytes)
	}
	if err := temp.Chmod(0o644); err != nil {
		return "", "", diskFault(doing, err)
	}
	if err := temp.Sync(); err != nil {
		return "", "", diskFault(doing, err)
	}
	return temp.Name(), hex.EncodeToString(sum.Sum(nil)), temp.Close()
}

// publish puts the side file, then the object, in place. The object's appearance is the put: a crash in between
// leaves a side file that fits nothing, or the old object with a side file that does not fit it.
func (f *Folder) publish(temp, path, side string, meta sideFile, ifAbsent bool) error {
	if err := MakeDirs(f.root, filepath.Dir(path)); err != nil {
		return err
	}
	if err := MakeDirs(f.root, filepath.Dir(side)); err != nil {
		return err
	}
	if err := f.writeSide(side, meta); err != nil {
		return err
	}
	if ifAbsent {
		err := os.Link(temp, path) // unlike a rename, fails when the name is taken
		if err == nil || errors.Is(err, fs.ErrExist) {
			return errors.Join(err, SyncDir(filepath.Dir(path)))
		}
		// The file system has no links: our own lock keeps others of this process away.
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

func (f *Folder) writeSide(side string, meta sideFile) error {
	text, err := json.Marshal(meta)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Join(f.root, folderTemp), "meta-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(text)
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), side); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(side))
}

// Get opens the object. An overwrite while it is read does not change what is read.
func (f *Folder) Get(_ context.Context, key string) (io.ReadCloser, Object, error) {
	path, side, err := f.paths(key)
	if err != nil {
		return nil, Object{}, err
	}
	lock := f.lock(key)
	lock.RLock()
	defer lock.RUnlock()
	file, err := os.Open(path)
	if err != nil {
		return nil, Object{}, objectFault("get", key, err)
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = fs.ErrNotExist
	}
	if err != nil {
		file.Close()
		return nil, Object{}, objectFault("get", key, err)
	}
	return file, describe(key, info, side, true), nil
}

// Head describes the object.
func (f *Folder) Head(_ context.Context, key string) (Object, error) {
	path, side, err := f.paths(key)
	if err != nil {
		return Object{}, err
	}
	lock := f.lock(key)
	lock.RLock()
	defer lock.RUnlock()
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return Object{}, objectFault("head", key, err)
	}
	return describe(key, info, side, true), nil
}

// Delete removes the object; a key that does not exist is no error.
func (f *Folder) Delete(_ context.Context, key string) error {
	path, side, err := f.paths(key)
	if err != nil {
		return err
	}
	lock := f.lock(key)
	lock.Lock()
	defer lock.Unlock()
	info, err := os.Lstat(path)
	if err != nil || info.IsDir() {
		if err == nil || errors.Is(err, fs.ErrNotExist) || notDirectory(err) {
			return nil
		}
		return diskFault(fmt.Sprintf("delete %q", key), err)
	}
	if err := os.Remove(path); err != nil {
		return diskFault(fmt.Sprintf("delete %q", key), err)
	}
	if err := SyncDir(filepath.Dir(path)); err != nil {
		return diskFault(fmt.Sprintf("delete %q", key), err)
	}
	os.Remove(side) // without its object it says nothing
	return nil
}

// List walks the folders in the order of keys, and only those that can hold keys in the range.
func (f *Folder) List(ctx context.Context, prefix, after string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		f.walk(ctx, f.root, "", prefix, after, yield)
	}
}

// walk yields the objects below a folder whose keys begin with base. It returns false to stop.
func (f *Folder) walk(ctx context.Context, dir, base, prefix, after string, yield func(Object, error) bool) bool {
	if err := ctx.Err(); err != nil {
		yield(Object{}, fmt.Errorf("list %q: %w", prefix, err))
		return false
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) && base != "" {
			return true // removed meanwhile
		}
		yield(Object{}, objectFault("list", prefix, err))
		return false
	}
	type child struct {
		key   string // with a slash at the end for a folder, which sorts it among the keys below it
		entry fs.DirEntry
	}
	children := make([]child, 0, len(entries))
	for _, e := range entries {
		name, ok := segmentOf(e.Name())
		if !ok {
			continue // ours, or a hidden file
		}
		key := base + name
		if e.IsDir() {
			key += "/"
		}
		children = append(children, child{key, e})
	}
	sort.Slice(children, func(i, j int) bool { return children[i].key < children[j].key })
	for _, c := range children {
		path := filepath.Join(dir, c.entry.Name())
		if c.entry.IsDir() {
			related := strings.HasPrefix(c.key, prefix) || strings.HasPrefix(prefix, c.key)
			passed := c.key < after && !strings.HasPrefix(after, c.key)
			if related && !passed && !f.walk(ctx, path, c.key, prefix, after, yield) {
				return false
			}
			continue
		}
		if !strings.HasPrefix(c.key, prefix) || c.key <= after {
			continue
		}
		o, err := f.listed(c.key, path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if !yield(o, err) || err != nil {
			return false
		}
	}
	return true
}

func (f *Folder) listed(key, path string) (Object, error) {
	_, side, err := f.paths(key)
	if err != nil {
		return Object{}, err
	}
	lock := f.lock(key)
	lock.RLock()
	defer lock.RUnlock()
	info, err := os.Stat(path)
	if err != nil {
		return Object{}, err
	}
	return describe(key, info, side, false), nil
}

// describe joins what the file and its side file say. A side file that does not fit the file is passed over.
func describe(key string, info fs.FileInfo, side string, withMetadata bool) Object {
	o := Object{Key: key, Bytes: info.Size(), Modified: info.ModTime()}
	var meta sideFile
	text, err := os.ReadFile(side)
	if err == nil {
		err = json.Unmarshal(text, &meta)
	}
	if err != nil || meta.Bytes != info.Size() || meta.ModifiedNano != info.ModTime().UnixNano() {
		o.ETag = fmt.Sprintf("%x-%x", info.Size(), info.ModTime().UnixNano())
		return o
	}
	o.ETag = meta.ETag
	if withMetadata {
		o.Metadata = meta.Metadata
	}
	return o
}

// paths are where the key's object and its side file lie.
func (f *Folder) paths(key string) (object, side string, err error) {
	if key == "" || len(key) > 1024 {
		return "", "", fault.Errorf(fault.Invalid, "a key must have 1 to 1024 bytes, %q has %d", excerpt([]byte(key)), len(key))
	}
	segments := strings.Split(key, "/")
	for i, s := range segments {
		segments[i] = fileName(s)
		if len(segments[i]) > maxNameBytes {
			return "", "", fault.Errorf(fault.Invalid, "a part of key %q is too long for a file name", key)
		}
	}
	rel := filepath.Join(segments...)
	return filepath.Join(f.root, rel), filepath.Join(f.root, folderMeta, rel+".json"), nil
}

const unsafeInName = "%\\:*?\"<>|"

// fileName is a key's segment as a file name. Every segment has its own name, and none begins with a dot.
func fileName(segment string) string {
	if segment == "" {
		return "%"
	}
	var b strings.Builder
	for i := 0; i < len(segment); i++ {
		c := segment[i]
		if c < 0x20 || c == 0x7f || strings.IndexByte(unsafeInName, c) >= 0 || c == '.' && i == 0 {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// segmentOf is fileName the other way; false for names that fileName does not make.
func segmentOf(name string) (string, bool) {
	if name == "%" {
		return "", true
	}
	if strings.HasPrefix(name, ".") {
		return "", false
	}
	if !strings.Contains(name, "%") {
		return name, true
	}
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] != '%' {
			b.WriteByte(name[i])
			continue
		}
		c, err := hex.DecodeString(name[i+1 : min(i+3, len(name))])
		if err != nil || len(c) != 1 {
			return "", false
		}
		b.WriteByte(c[0])
		i += 2
	}
	return b.String(), true
}

func (f *Folder) lock(key string) *sync.RWMutex {
	h := fnv.New32a()
	_, _ = io.WriteString(h, key)
	return &f.locks[h.Sum32()%folderLockRows]
}

func objectFault(doing, key string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || notDirectory(err) {
		return fault.Errorf(fault.NotFound, "%s: object %q does not exist", doing, key)
	}
	return diskFault(fmt.Sprintf("%s %q", doing, key), err)
}

func existsFault(key string) error {
	return fault.Errorf(fault.Conflict, "put: object %q exists already", key)
}

func parentFault(key string) error {
	return fault.Errorf(fault.Invalid, "put: a part of key %q is both an object and a folder", key).
		WithHint("a folder as bucket cannot hold both \"a\" and \"a/b\": use other names or a real object store")
}

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

var _ Bucket = (*Folder)(nil)
