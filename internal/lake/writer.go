package lake

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"

	"longshore/internal/fault"
	"longshore/internal/tally"
)

// GenerationMetadata is the metadata key under which Airbyte's S3 destination puts an object's generation.
const GenerationMetadata = "ab-generation-id"

// CommitMetadata is the metadata key under which our own writer notes what an object stands for: a JSON object with at
// least "rows" (lines written) and "sha256" (of the object).
const CommitMetadata = "longshore-commit"

const defaultLevel = 6

// spillBytes is how much of a line is gathered before it is written.
const spillBytes = 256 << 10

// WriterOptions are the settings of a Writer. Seed must be set; the rest may be zero.
type WriterOptions struct {
	// Seed, with the line's number, decides each line's raw id, so that writing the same records again gives the
	// same bytes. It must differ from object to object; see Seed.
	Seed       string
	SyncID     int64
	Generation int64
	Plain      bool   // no compression
	Flatten    bool   // the record's members stand beside Airbyte's, at the top level, and not under _airbyte_data
	Level      int    // of gzip, 1 to 9; 0 means 6
	TempDir    string // where the object grows; "" means the system's
}

// Seed is the usual seed of an object's raw ids.
func Seed(syncID int64, namespace, stream string, part int) string {
	return fmt.Sprintf("%d\x00%s\x00%s\x00%d", syncID, namespace, stream, part)
}

// Writer builds one object in a temporary file, line by line. It is not safe for concurrent use. After an error the
// object is lost: Discard it.
type Writer struct {
	opts     WriterOptions
	file     *os.File
	sum      hash.Hash
	counter  *countingWriter
	zip      *gzip.Writer
	out      io.Writer
	line     []byte
	rows     int64
	given    tally.Sum
	rawBytes int64
	failed   error
}

// Written is a finished object, not yet put anywhere. Close removes its file.
type Written struct {
	Rows       int64
	Bytes      int64 // of the object
	RawBytes   int64 // of its lines
	SHA256     string
	Generation int64
	File       io.ReadSeeker
	file       *os.File
}

// NewWriter begins an object.
func NewWriter(opts WriterOptions) (*Writer, error) {
	if opts.Seed == "" {
		return nil, errors.New("lake: a writer needs a seed for its raw ids")
	}
	if opts.Level == 0 {
		opts.Level = defaultLevel
	}
	file, err := os.CreateTemp(opts.TempDir, "longshore-object-*")
	if err != nil {
		return nil, diskFault("make a temporary file for an object", err)
	}
	w := &Writer{opts: opts, file: file, sum: sha256.New()}
	w.counter = &countingWriter{w: io.MultiWriter(file, w.sum)}
	w.out = w.counter
	if !opts.Plain {
		if w.zip, err = gzip.NewWriterLevel(w.counter, opts.Level); err != nil {
			w.Discard()
			return nil, fmt.Errorf("gzip: %w", err)
		}
		w.out = w.zip
	}
	return w, nil
}

// Append writes a record, which must be one JSON object, in Airbyte's spelling: members, numbers and text are as they
// came; white space between tokens is dropped, and escapes that JSON does not ask for are resolved. A record that is no
// JSON object is refused with fault.Invalid and leaves the object as it was.
func (w *Writer) Append(record []byte, extractedAt time.Time) error {
	return w.AppendChanged(record, nil, extractedAt)
}

// AppendChanged is Append of a record to which something was done on its way: changes is a JSON array of objects with
// field, change and reason, as the protocol has it; nil for none.
func (w *Writer) AppendChanged(record, changes []byte, extractedAt time.Time) error {
	start, end, err := checkRecord(record)
	if err != nil {
		return err
	}
	if record[start] != '{' {
		return fault.Errorf(fault.Invalid, "a record must be an object, found %s", kindOf(record[start]))
	}
	w.given.Add(record)
	w.open(extractedAt, w.opts.SyncID, changes)
	text := record[start:end]
	if !w.opts.Flatten {
		w.line = append(w.line, `,"_airbyte_data":`...)
	} else if text = text[1 : len(text)-1]; skipSpace(text, 0) < len(text) {
		w.line = append(w.line, ',')
	}
	var spelling speller
	for len(text) > 0 && w.failed == nil { // a long record does not stand in memory a second time
		var n int
		w.line, n = spelling.append(w.line, text, spillBytes)
		text = text[n:]
		w.spill()
	}
	return w.finishLine()
}

// AppendEvent writes a webhook call: its body (any JSON value), and headers and query as JSON objects (nil: none).
func (w *Writer) AppendEvent(body, headers, query []byte, receivedAt time.Time) error {
	parts := [3][]byte{headers, query, body}
	for i, part := range parts {
		if part == nil && i < 2 {
			part = []byte("{}")
		}
		text, err := oneLine(part)
		if err != nil {
			return err
		}
		if i < 2 && text[0] != '{' {
			return fault.Errorf(fault.Invalid, "headers and query must be objects, found %s", kindOf(text[0]))
		}
		parts[i] = text
	}
	w.open(receivedAt, 0, nil)
	w.line = append(append(w.line, ","+eventMemberQuoted+`{"headers":`...), parts[0]...)
	w.line = append(append(w.line, `,"queryParams":`...), parts[1]...)
	w.line = append(append(w.line, `},"_airbyte_data":`...), parts[2]...)
	return w.finishLine()
}

// open starts a line with everything before the data. The members' order is Airbyte's.
func (w *Writer) open(at time.Time, syncID int64, changes []byte) {
	w.line = append(w.line[:0], `{"_airbyte_raw_id":"`...)
	w.line = appendUUID(w.line, rawID(w.opts.Seed, w.rows+1))
	w.line = append(w.line, `","_airbyte_extracted_at":`...)
	w.line = strconv.AppendInt(w.line, at.UnixMilli(), 10)
	w.line = append(w.line, `,"_airbyte_meta":{"sync_id":`...)
	w.line = strconv.AppendInt(w.line, syncID, 10)
	w.line = append(w.line, `,"changes":[`...)
	w.line = appendChanges(w.line, changes)
	w.line = append(w.line, `]},"_airbyte_generation_id":`...)
	w.line = strconv.AppendInt(w.line, w.opts.Generation, 10)
}

func (w *Writer) finishLine() error {
	w.line = append(w.line, '}', '\n')
	if w.spill(); w.failed == nil {
		w.rows++
	}
	return w.failed
}

// spill writes what there is of the line.
func (w *Writer) spill() {
	if w.failed != nil {
		return
	}
	if _, err := w.out.Write(w.line); err != nil {
		w.failed = diskFault("write an object's temporary file", err)
		return
	}
	w.rawBytes += int64(len(w.line))
	w.line = w.line[:0]
}

// Rows is the number of lines so far.
func (w *Writer) Rows() int64 { return w.rows }

// RawBytes is the length of the lines so far.
func (w *Writer) RawBytes() int64 { return w.rawBytes }

// Sum is of the records that were appended, as they were given.
func (w *Writer) Sum() tally.Sum { return w.given }

// Bytes is about how large the object is so far; the compressor holds some back.
func (w *Writer) Bytes() int64 { return w.counter.n }

// Close finishes the object. On success the Written's Close removes the temporary file, else it is gone already.
func (w *Writer) Close() (*Written, error) {
	err := w.failed
	if err == nil && w.zip != nil {
		err = w.zip.Close()
	}
	if err == nil {
		_, err = w.file.Seek(0, io.SeekStart)
	}
	if err != nil {
		w.Discard()
		return nil, diskFault("finish an object's temporary file", err)
	}
	return &Written{
		Rows: w.rows, Bytes: w.counter.n, RawBytes: w.rawBytes, Generation: w.opts.Generation,
		SHA256: hex.EncodeToString(w.sum.Sum(nil)), File: w.file, file: w.file,
	}, nil
}

// Discard drops the object and its file.
func (w *Writer) Discard() { removeFile(w.file) }

// Put stores the object under the key, with its generation as Airbyte's S3 destination notes it.
func (o *Written) Put(ctx context.Context, b Bucket, key string, ifAbsent bool) (Object, error) {
	if _, err := o.File.Seek(0, io.SeekStart); err != nil {
		return Object{}, fmt.Errorf("rewind object: %w", err)
	}
	return b.Put(ctx, key, o.File, o.Bytes, PutOptions{
		IfAbsent:    ifAbsent,
		ContentType: "application/octet-stream",
		Metadata:    map[string]string{GenerationMetadata: strconv.FormatInt(o.Generation, 10)},
	})
}

// Close removes the object's temporary file.
func (o *Written) Close() error {
	removeFile(o.file)
	return nil
}

func removeFile(f *os.File) {
	f.Close()
	os.Remove(f.Name())
}

// checkRecord checks a JSON text and returns the span of its value.
func checkRecord(text []byte) (start, end int, err error) {
	if !utf8.Valid(text) {
		return 0, 0, fault.Errorf(fault.Invalid, "a record is not UTF-8 at byte %d", invalidUTF8At(text))
	}
	if start, end, err = scanWhole(text); err != nil {
		return 0, 0, fault.Errorf(fault.Invalid, "a record is not JSON: %w", err)
	}
	return start, end, nil
}

// oneLine checks a JSON text and returns it without space around it and without line ends within.
func oneLine(text []byte) ([]byte, error) {
	start, end, err := checkRecord(text)
	if err != nil {
		return nil, err
	}
	text = text[start:end]
	if bytes.IndexByte(text, '\n') < 0 {
		return text, nil
	}
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		return nil, fault.Errorf(fault.Invalid, "a record is not JSON: %w", err)
	}
	return b.Bytes(), nil
}

// rawID is the line's id: a UUID of version 8 (RFC 9562, made by a rule of our own) from the seed and the number.
func rawID(seed string, line int64) [16]byte {
	var space [128]byte
	text := append(space[:0], seed...)
	text = append(text, 0)
	text = strconv.AppendInt(text, line, 10)
	sum := sha256.Sum256(text)
	u := [16]byte(sum[:16])
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return u
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
