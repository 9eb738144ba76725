package receipt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"

	"longshore/internal/fault"
	"longshore/internal/ingest"
	"longshore/internal/lake"
	"longshore/internal/pipeline"
)

// StatementVersion is the version of the statement's form that is written, and the newest that is read.
const StatementVersion = 1

// Prefix is where signed receipts lie in the bucket: outside every data prefix, beside the manifests.
const Prefix = lake.OwnPrefix + "receipts/"

// Statement is what is signed: a receipt, and what of the lake it speaks of, so that who has nothing but the bucket can
// hold the one against the other.
type Statement struct {
	Version int        `json:"version"`
	Bucket  string     `json:"bucket"`
	Issued  time.Time  `json:"issued"`
	Receipt Receipt    `json:"receipt"`
	Streams []Evidence `json:"streams"`
}

// Evidence is what lies in the lake of one stream of the run.
type Evidence struct {
	Stream     string           `json:"stream"`
	Namespace  string           `json:"namespace"`
	Generation int64            `json:"generation"`
	Mode       string           `json:"mode"`
	Complete   bool             `json:"complete"`
	Manifest   string           `json:"manifest,omitempty"` // its key; "" when the stream ended without one: nothing came
	ManifestID string           `json:"manifestSha256,omitempty"`
	Objects    []EvidenceObject `json:"objects"`
}

// EvidenceObject is an object as it was taken into the catalog.
type EvidenceObject struct {
	Key    string `json:"key"`
	Rows   int64  `json:"rows"` // lines that hold something
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Key is where the signed receipt of a sync lies.
func Key(connection string, syncID int64) string {
	name := strings.ReplaceAll(lake.Sanitise(connection), "/", "_")
	if strings.Trim(name, ".") == "" {
		name = "_" + name
	}
	return fmt.Sprintf("%s%s/%010d.json", Prefix, name, syncID)
}

// State makes the statement of a run's receipt.
func State(ctx context.Context, runs Runs, objects Objects, bucket lake.Bucket, r Receipt, now time.Time) (Statement, error) {
	s := Statement{Version: StatementVersion, Bucket: bucket.Name(), Issued: now.UTC(), Receipt: r, Streams: []Evidence{}}
	run, err := runs.Run(ctx, r.SyncID)
	if err != nil {
		return s, err
	}
	taken, err := objects.List(ctx, ingest.ObjectFilter{SyncID: r.SyncID}, 0)
	if err != nil {
		return s, err
	}
	for _, st := range run.Streams {
		e, err := evidenceOf(ctx, bucket, run, st, taken)
		if err != nil {
			return s, fmt.Errorf("state what the lake holds of %s: %w", st.Stream, err)
		}
		s.Streams = append(s.Streams, e)
	}
	return s, nil
}

func evidenceOf(ctx context.Context, bucket lake.Bucket, run pipeline.Run, st pipeline.StreamRun, taken []ingest.Object) (Evidence, error) {
	e := Evidence{
		Stream: st.Stream, Namespace: run.Connection.NamespaceOf(run.Connection.Choice(st.Stream).Namespace),
		Generation: st.Generation, Mode: st.Mode, Complete: st.Status == pipeline.Complete, Objects: []EvidenceObject{},
	}
	for _, o := range taken {
		if o.Stream == st.Stream {
			e.Namespace = o.Namespace
			e.Objects = append(e.Objects, EvidenceObject{Key: o.Key, Rows: o.Records, Bytes: o.Bytes, SHA256: o.SHA256})
		}
	}
	key := lake.ManifestKey(e.Namespace, st.Stream, run.ID)
	text, err := readSmall(ctx, bucket, key)
	switch {
	case fault.Is(err, fault.NotFound):
		return e, nil
	case err != nil:
		return e, err
	}
	e.Manifest, e.ManifestID = key, sumOf(text)
	return e, nil
}

// maxSmall bounds the documents that are read whole: manifests and receipts.
const maxSmall = 64 << 20

// readSmall reads a document of ours.
func readSmall(ctx context.Context, bucket lake.Bucket, key string) ([]byte, error) {
	body, _, err := bucket.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, maxSmall+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	if len(text) > maxSmall {
		return nil, fault.Errorf(fault.Invalid, "%s has more than %d bytes", key, maxSmall)
	}
	return text, nil
}

func sumOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Publish puts the signed receipt and the key's public half into the bucket, over those of an earlier attempt.
func Publish(ctx context.Context, bucket lake.Bucket, s Statement, signer Signer) (Envelope, error) {
	e, err := signer.Sign(s)
	if err != nil {
		return e, err
	}
	text, err := e.Encode()
	if err != nil {
		return e, err
	}
	for _, doc := range []struct {
		key, kind string
		text      []byte
	}{
		{keyPrefix + signer.ID() + ".pub", "text/plain", []byte(signer.Public() + "\n")},
		{Key(s.Receipt.Connection, s.Receipt.SyncID), "application/json", text},
	} {
		if _, err := bucket.Put(ctx, doc.key, bytes.NewReader(doc.text), int64(len(doc.text)), lake.PutOptions{ContentType: doc.kind}); err != nil {
			return e, fmt.Errorf("put %s: %w", doc.key, err)
		}
	}
	return e, nil
}

// Load reads a signed receipt from the bucket.
func Load(ctx context.Context, bucket lake.Bucket, key string) (Envelope, error) {
	text, err := readSmall(ctx, bucket, key)
	if err != nil {
		return Envelope{}, err
	}
	return Decode(text)
}
