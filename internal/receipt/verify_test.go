package receipt

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"longshore/internal/fault"
	"longshore/internal/ingest"
	"longshore/internal/lake"
	"longshore/internal/pipeline"
)

// stated is a bucket with one stream of two objects, and the statement of its run.
type stated struct {
	*books
	t      *testing.T
	bucket *lake.Folder
	signer Signer
}

func newStated(t *testing.T) *stated {
	t.Helper()
	bucket, err := lake.OpenFolder(t.TempDir())
	must(t, err)
	signer, err := NewSigner(bytes.Repeat([]byte{7}, 32))
	must(t, err)
	s := &stated{books: sound(), t: t, bucket: bucket, signer: signer}
	s.run.Connection = pipeline.Connection{Name: "okta", NamespaceFormat: "okta"}
	s.run.Streams[0].Generation, s.run.Streams[0].Mode = 3, pipeline.FullRefresh
	m := lake.Manifest{Connection: "okta", SyncID: 7, Namespace: "okta", Stream: "users", Generation: 3, Complete: true, Snapshot: true}
	for i := range s.objects {
		o := &s.objects[i]
		o.Namespace = "okta"
		s.put(o, o.Records)
		m.Objects = append(m.Objects, lake.ManifestObject{Key: o.Key, Rows: o.Records, Bytes: o.Bytes, SHA256: o.SHA256})
	}
	s.manifest(m)
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put writes an object of so many lines.
func (s *stated) put(o *ingest.Object, rows int64) {
	s.t.Helper()
	w, err := lake.NewWriter(lake.WriterOptions{Seed: o.Key, SyncID: 7, Generation: 3, TempDir: s.t.TempDir()})
	must(s.t, err)
	for range rows {
		must(s.t, w.Append([]byte(`{"id":"00u1"}`), time.UnixMilli(5)))
	}
	written, err := w.Close()
	must(s.t, err)
	defer written.Close()
	_, err = written.Put(s.t.Context(), s.bucket, o.Key, false)
	must(s.t, err)
	o.Bytes, o.SHA256 = written.Bytes, written.SHA256
}

func (s *stated) manifest(m lake.Manifest) {
	s.t.Helper()
	_, err := lake.PutManifest(s.t.Context(), s.bucket, m)
	must(s.t, err)
}

func (s *stated) publish() Envelope {
	s.t.Helper()
	statement, err := State(s.t.Context(), s.books, s.books, s.bucket, s.receipt(s.t), time.UnixMilli(9))
	must(s.t, err)
	e, err := Publish(s.t.Context(), s.bucket, statement, s.signer)
	must(s.t, err)
	return e
}

// What was signed can be checked by who has the bucket and the public key alone.
func TestSignedReceiptIsVerifiedFromTheBucketAlone(t *testing.T) {
	s := newStated(t)
	s.publish()
	e, err := Load(t.Context(), s.bucket, Key("okta", 7))
	must(t, err)
	statement, err := e.Open(s.signer.Public())
	must(t, err)
	v, err := Verify(t.Context(), s.bucket, statement)
	must(t, err)
	if !v.OK || v.Objects != 2 || v.Lines != 30 || v.Manifests != 1 {
		t.Errorf("verified %+v, want 2 objects of 30 lines and a manifest that are sound", v)
	}
}

func TestAlteredReceiptIsNotSigned(t *testing.T) {
	e := newStated(t).publish()
	other, err := NewSigner(bytes.Repeat([]byte{8}, 32))
	must(t, err)
	if _, err := e.Open(other.Public()); !fault.Is(err, fault.Denied) {
		t.Errorf("with another key: %v, want denied", err)
	}
	for i := range e.Payload {
		altered := e
		altered.Payload = bytes.Clone(e.Payload)
		altered.Payload[i] ^= 1
		if _, err := altered.Open(""); !fault.Is(err, fault.Denied) {
			t.Fatalf("with byte %d altered: %v, want denied", i, err)
		}
	}
	if _, err := Decode([]byte(`{"payloadType":"other"}`)); !fault.Is(err, fault.Invalid) {
		t.Errorf("another document: %v, want invalid", err)
	}
}

// Whatever is not in the bucket as the receipt says makes it red, and what it is is named.
func TestBucketThatDiffersFromItsReceiptIsRed(t *testing.T) {
	for _, c := range []struct {
		name, object, why string
		before            func(s *stated) // the receipt is drawn
		after             func(s *stated)
	}{
		{"an object is gone", "users/0", "no longer in the bucket", nil, func(s *stated) { must(s.t, s.bucket.Delete(context.Background(), "users/0")) }},
		{"a line is removed", "users/0", "it has 19 lines of 20", nil, func(s *stated) { o := s.objects[0]; s.put(&o, 19) }},
		{"a line is doubled", "users/1", "it has 11 lines of 10", nil, func(s *stated) { o := s.objects[1]; s.put(&o, 11) }},
		{"a byte is altered", "users/1", "was altered", nil, func(s *stated) { s.flip("users/1") }},
		{"the manifest is gone", lake.ManifestKey("okta", "users", 7), "no longer in the bucket", nil, func(s *stated) {
			must(s.t, s.bucket.Delete(context.Background(), lake.ManifestKey("okta", "users", 7)))
		}},
		{"the manifest is altered", lake.ManifestKey("okta", "users", 7), "the manifest was altered", nil, func(s *stated) {
			m, err := lake.LoadManifest(context.Background(), s.bucket, "okta", "users", 7)
			must(s.t, err)
			m.Pages++
			s.manifest(m)
		}},
		{"an object was never taken", "users/1", "an object that the receipt does not", func(s *stated) { s.objects = s.objects[:1] }, nil},
		{"generations fall", lake.ManifestKey("okta", "users", 7), "of generation 3, and sync 6 before it of 4", func(s *stated) {
			s.manifest(lake.Manifest{Connection: "okta", SyncID: 6, Namespace: "okta", Stream: "users", Generation: 4, Complete: true})
		}, nil},
		{"two snapshots of one generation", lake.ManifestKey("okta", "users", 7), "read the stream from its start", func(s *stated) {
			s.manifest(lake.Manifest{Connection: "okta", SyncID: 5, Namespace: "okta", Stream: "users", Generation: 3, Complete: true, Snapshot: true})
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStated(t)
			if c.before != nil {
				c.before(s)
			}
			e := s.publish()
			if c.after != nil {
				c.after(s)
			}
			statement, err := e.Open("")
			must(t, err)
			v, err := Verify(t.Context(), s.bucket, statement)
			must(t, err)
			found := false
			for _, d := range v.Differences {
				found = found || d.Object == c.object && strings.Contains(d.Why, c.why)
			}
			if v.OK || !found {
				t.Errorf("OK %t, differences %v; want %q of %s", v.OK, v.Differences, c.why, c.object)
			}
		})
	}
}

// flip alters a byte of an object where it lies.
func (s *stated) flip(key string) {
	s.t.Helper()
	path := filepath.Join(s.bucket.Name(), filepath.FromSlash(key))
	text, err := os.ReadFile(path)
	must(s.t, err)
	text[len(text)/2] ^= 1
	must(s.t, os.WriteFile(path, text, 0o600))
}
