package s3

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"

	"longshore/internal/fault"
	"longshore/internal/lake"
	"longshore/internal/pipeline"
	"longshore/internal/tally"
)

// maxMetadataBytes bounds a commit as metadata: S3 allows 2 KB an object, in which the generation and the owner stand too.
const maxMetadataBytes = 1850

// ownerMetadata is the metadata key that says which connection's stream an object is of; see owner.
const ownerMetadata = "longshore-owner"

// note is what an object says of itself, beside the records in it.
type note struct {
	pipeline.Commit
	Sync int64 `json:"sync,omitempty"` // 0 in objects of older versions
	Part int   `json:"part,omitempty"`
}

// owner names a stream of a connection in few letters. Two owners are compared, never read.
func owner(connection, namespace, stream string) string {
	sum := sha256.Sum256([]byte(connection + "\x00" + namespace + "\x00" + stream))
	return hex.EncodeToString(sum[:8])
}

// metadata is what stands beside an object.
func metadata(generation int64, owner, note string) map[string]string {
	return map[string]string{lake.GenerationMetadata: strconv.FormatInt(generation, 10), ownerMetadata: owner, lake.CommitMetadata: note}
}

// noteText is a note as metadata: JSON in ASCII, as S3 wants it, of at most maxMetadataBytes. What only the manifest
// and people read gives way to what a run is taken up by: first gaps and cursors are cut, then left out.
func noteText(c note) (string, error) {
	const maxGaps, maxGapBytes, maxCursorBytes = 3, 100, 200
	gaps := make([]string, 0, maxGaps)
	for _, g := range c.Gaps[:min(len(c.Gaps), maxGaps)] {
		gaps = append(gaps, cut(g, maxGapBytes))
	}
	c.Gaps, c.Sum = gaps, tally.Sum{}
	shorten := []func(){
		func() {},
		func() {
			c.FirstCursor, c.LastCursor = cut(c.FirstCursor, maxCursorBytes), cut(c.LastCursor, maxCursorBytes)
		},
		func() { c.FirstCursor, c.LastCursor = "", "" },
		func() { // one gap makes the stream partial
			if len(c.Gaps) > 0 {
				c.Gaps = []string{cut(c.Gaps[0], 40)}
			}
		},
	}
	var text string
	for _, step := range shorten {
		step()
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(c); err != nil {
			return "", err
		}
		if text = ascii(strings.TrimSpace(b.String())); len(text) <= maxMetadataBytes {
			return text, nil
		}
	}
	return "", fault.Errorf(fault.Internal, "the commit of %s takes %d bytes of metadata, more than %d", c.Key, len(text), maxMetadataBytes)
}

// cut keeps the first n bytes of a text, whole characters only.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "")
}

// ascii escapes what of a JSON text is beyond ASCII.
func ascii(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r < 0x7f:
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, "\\u%04x\\u%04x", high, low)
		default:
			fmt.Fprintf(&b, "\\u%04x", r)
		}
	}
	return b.String()
}
