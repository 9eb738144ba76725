package receipt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"longshore/internal/fault"
	"longshore/internal/lake"
)

// HopBucket is what is there now against what the receipt says was there.
const HopBucket = "receipt → bucket"

// Verified is what a look at the bucket came to.
type Verified struct {
	SyncID      int64        `json:"sync"`
	Connection  string       `json:"connection"`
	Objects     int          `json:"objects"` // read, summed up and counted
	Lines       int64        `json:"lines"`
	Manifests   int          `json:"manifests"`
	Differences []Difference `json:"differences"`
	OK          bool         `json:"ok"`
}

// Verify holds a statement against the bucket: each object's bytes and lines, the manifests and the chain of their
// generations, and the receipt's own sums. Nothing else is asked. An error means that the bucket did not answer.
func Verify(ctx context.Context, bucket lake.Bucket, s Statement) (Verified, error) {
	v := verifier{bucket: bucket, s: s, out: Verified{SyncID: s.Receipt.SyncID, Connection: s.Receipt.Connection, Differences: []Difference{}}}
	evidence := map[string]Evidence{}
	for _, e := range s.Streams {
		evidence[e.Stream] = e
	}
	for _, st := range s.Receipt.Streams {
		e, ok := evidence[st.Name]
		if !ok {
			v.differ(st.Name, "", 0, 0, "the receipt counts the stream, and does not say where it lies")
			continue
		}
		v.sums(st, e)
		if err := v.stream(ctx, e); err != nil {
			return v.out, fmt.Errorf("verify %s: %w", e.Stream, err)
		}
	}
	v.out.Differences = append(v.out.Differences, s.Receipt.Differences...)
	v.out.OK = len(v.out.Differences) == 0 && s.Receipt.OK
	return v.out, nil
}

type verifier struct {
	bucket lake.Bucket
	s      Statement
	out    Verified
}

func (v *verifier) differ(stream, object string, want, got int64, format string, args ...any) {
	v.out.Differences = append(v.out.Differences, Difference{stream, HopBucket, want, got, object, fmt.Sprintf(format, args...)})
}

// sums adds the receipt's own numbers up again.
func (v *verifier) sums(st Stream, e Evidence) {
	var rows, judged int64
	for _, o := range e.Objects {
		rows += o.Rows
	}
	for _, n := range st.Verdicts {
		judged += n
	}
	for _, c := range []struct {
		hop       string
		want, got int64
	}{
		{HopLake, st.APIRows, st.InLake},
		{HopRead, st.InLake, st.Read},
		{HopRead, st.Read, rows},
		{HopVerdict, st.Read, st.Judged},
		{HopVerdict, st.Judged, judged},
	} {
		if c.want == c.got || v.said(st.Name, c.hop) {
			continue
		}
		v.out.Differences = append(v.out.Differences, Difference{Stream: st.Name, Hop: c.hop, Want: c.want, Got: c.got, Why: fmt.Sprintf("the receipt says %d and %d", c.want, c.got)})
	}
}

// said reports whether the receipt itself names a difference there.
func (v *verifier) said(stream, hop string) bool {
	for _, d := range v.s.Receipt.Differences {
		if d.Stream == stream && d.Hop == hop {
			return true
		}
	}
	return false
}

// stream checks the objects and the manifest of a stream.
func (v *verifier) stream(ctx context.Context, e Evidence) error {
	for _, o := range e.Objects {
		if err := v.object(ctx, e.Stream, o); err != nil {
			return err
		}
	}
	if e.Manifest == "" {
		if len(e.Objects) > 0 {
			v.differ(e.Stream, "", 1, 0, "the receipt names %d objects and no manifest that vouches for them", len(e.Objects))
		}
		return nil
	}
	text, err := readSmall(ctx, v.bucket, e.Manifest)
	if fault.Is(err, fault.NotFound) {
		v.differ(e.Stream, e.Manifest, 1, 0, "the manifest is no longer in the bucket")
		return nil
	}
	if err != nil {
		return err
	}
	v.out.Manifests++
	if got := sumOf(text); got != e.ManifestID {
		v.differ(e.Stream, e.Manifest, 0, 0, "the manifest was altered: its sha256 is %s, the receipt says %s", got, e.ManifestID)
	}
	var m lake.Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		v.differ(e.Stream, e.Manifest, 0, 0, "the manifest cannot be read: %v", err)
		return nil
	}
	v.manifest(e, m)
	return v.chain(ctx, e)
}

// manifest holds the manifest against the evidence.
func (v *verifier) manifest(e Evidence, m lake.Manifest) {
	named := map[string]EvidenceObject{}
	for _, o := range e.Objects {
		named[o.Key] = o
	}
	for _, o := range m.Objects {
		switch held, ok := named[o.Key]; {
		case !ok:
			v.differ(e.Stream, o.Key, o.Rows, 0, "the manifest names an object that the receipt does not")
		case held.SHA256 != o.SHA256 || held.Bytes != o.Bytes:
			v.differ(e.Stream, o.Key, o.Bytes, held.Bytes, "the manifest and the receipt mean different objects: sha256 %s and %s", o.SHA256, held.SHA256)
		case held.Rows != o.Rows:
			v.differ(e.Stream, o.Key, o.Rows, held.Rows, "the manifest says %d lines, the receipt %d", o.Rows, held.Rows)
		}
		delete(named, o.Key)
	}
	for _, o := range e.Objects {
		if _, left := named[o.Key]; left {
			v.differ(e.Stream, o.Key, 0, o.Rows, "the receipt names an object that the manifest does not")
		}
	}
	if m.Generation != e.Generation || m.SyncID != v.s.Receipt.SyncID || m.Stream != e.Stream {
		v.differ(e.Stream, e.Manifest, e.Generation, m.Generation, "the manifest is of stream %q, sync %d, generation %d; want %q, %d, %d",
			m.Stream, m.SyncID, m.Generation, e.Stream, v.s.Receipt.SyncID, e.Generation)
	}
	if m.Complete != e.Complete {
		v.differ(e.Stream, e.Manifest, 0, 0, "complete is %t in the manifest and %t in the receipt", m.Complete, e.Complete)
	}
}

// chain looks at the generations of all runs of the stream: they never fall, and a full read begins a new one.
func (v *verifier) chain(ctx context.Context, e Evidence) error {
	before, first := lake.Manifest{}, true
	for m, err := range lake.Manifests(ctx, v.bucket, e.Namespace, e.Stream, 0) {
		if fault.Is(err, fault.Invalid) {
			v.differ(e.Stream, "", 0, 0, "%v", err)
			return nil
		}
		if err != nil {
			return err
		}
		if m.SyncID > v.s.Receipt.SyncID {
			return nil
		}
		if m.Connection != v.s.Receipt.Connection {
			continue // another connection that shares the namespace counts its own
		}
		if !first {
			switch {
			case m.Generation < before.Generation:
				v.differ(e.Stream, m.Key(), before.Generation, m.Generation, "sync %d is of generation %d, and sync %d before it of %d", m.SyncID, m.Generation, before.SyncID, before.Generation)
			case m.Snapshot && m.Generation == before.Generation:
				v.differ(e.Stream, m.Key(), before.Generation+1, m.Generation, "sync %d read the stream from its start, in the generation %d of sync %d", m.SyncID, m.Generation, before.SyncID)
			}
		}
		before, first = m, false
	}
	return nil
}

// object reads an object whole: its bytes, their sum, and its lines.
func (v *verifier) object(ctx context.Context, stream string, want EvidenceObject) error {
	body, _, err := v.bucket.Get(ctx, want.Key)
	if fault.Is(err, fault.NotFound) {
		v.differ(stream, want.Key, want.Rows, 0, "the object is no longer in the bucket")
		return nil
	}
	if err != nil {
		return err
	}
	defer body.Close()
	stored := &summed{r: body, sum: sha256.New()}
	lines, broken := countLines(stored)
	if _, err := io.Copy(io.Discard, stored); err != nil && broken == nil {
		return fmt.Errorf("read %s: %w", want.Key, err)
	}
	if stored.err != nil {
		return fmt.Errorf("read %s: %w", want.Key, stored.err)
	}
	v.out.Objects++
	v.out.Lines += lines
	got := hex.EncodeToString(stored.sum.Sum(nil))
	switch {
	case want.SHA256 != "" && got != want.SHA256:
		v.differ(stream, want.Key, want.Rows, lines, "the object was altered: its sha256 is %s, the receipt says %s; it has %d lines of %d", got, want.SHA256, lines, want.Rows)
	case broken != nil:
		v.differ(stream, want.Key, want.Rows, lines, "the object is broken: %v", broken)
	case lines != want.Rows:
		v.differ(stream, want.Key, want.Rows, lines, "the object has %d lines, the receipt says %d", lines, want.Rows)
	case stored.n != want.Bytes:
		v.differ(stream, want.Key, want.Bytes, stored.n, "the object has %d bytes, the receipt says %d", stored.n, want.Bytes)
	}
	return nil
}

// countLines counts an object's lines that hold something.
func countLines(body io.Reader) (n int64, err error) {
	r, err := lake.OpenReader(body, lake.ReaderOptions{})
	if err != nil {
		return 0, err
	}
	for {
		switch _, err := r.Next(); {
		case errors.Is(err, io.EOF):
			return n, nil
		case err != nil:
			return n, err
		}
		n++
	}
}

// summed sums up what is read, and remembers an error of the bucket's.
type summed struct {
	r   io.Reader
	sum hash.Hash
	n   int64
	err error
}

func (s *summed) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.sum.Write(p[:n])
	s.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// Print writes what was found for people: plain text, no ANSI.
func (v Verified) Print(w io.Writer) error {
	p := &printer{w: w}
	p.f("Sync %d of %s: %d objects, %d lines and %d manifests looked at\n", v.SyncID, v.Connection, v.Objects, v.Lines, v.Manifests)
	if v.OK {
		p.f("The bucket holds what the receipt says, and every number adds up.\n")
		return p.err
	}
	p.f("Not everything adds up:\n")
	for _, d := range v.Differences {
		p.f("  %s\n", strings.TrimSpace(d.String()))
	}
	return p.err
}
