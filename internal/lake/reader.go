package lake

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"longshore/internal/fault"
)

const (
	// DefaultMaxLineBytes is the longest line a Reader takes unless told otherwise.
	DefaultMaxLineBytes = 16 << 20

	readBlockBytes = 256 << 10 // first size of the line buffer; it grows up to the longest line met
	maxIdleReads   = 100       // then a source that brings neither bytes nor an error is given up
	excerptBytes   = 160       // how much of a bad line is quoted
)

// ReaderOptions are the settings of a Reader; the zero value works.
type ReaderOptions struct {
	MaxLineBytes int   // a longer line is passed over and reported; 0 means DefaultMaxLineBytes
	MaxBytes     int64 // a packed object that unpacks to more is refused; 0 means DefaultMaxBytes
	MaxRatio     int64 // so is one that unpacks to more than so many times its size; 0 means DefaultMaxRatio
	From         int64 // number of the first line wanted; those before it are counted, not looked into
}

// Line is one line of an object that is not blank. Its slices are valid until the next Next.
type Line struct {
	Number      int64  // from 1, blank lines counted; of an object that is one JSON array, the element's
	Text        []byte // the line as it lies in the object, without its end; of one over the limit, the beginning
	Body        []byte // the record without its envelope: a JSON object; for a webhook call any JSON value
	Headers     []byte // JSON object; nil unless the line is a webhook call
	Query       []byte // JSON object; nil unless the line is a webhook call
	ExtractedAt int64  // Unix milliseconds; 0 when the line does not say
	Generation  int64  // 0 when the line does not say
	RawID       string // "" when the line does not say
	Bytes       int64  // length of the line, without its end
	Err         *LineError
}

// LineErrorCode says what is wrong with a line. The values are verdict codes.
type LineErrorCode string

// The codes of a LineError.
const (
	Malformed LineErrorCode = "malformed"
	OverLimit LineErrorCode = "over-limit"
)

// LineError says why a line holds no record. It does not end the object.
type LineError struct {
	Code    LineErrorCode
	Message string
	Excerpt string // the line's first characters
}

func (e *LineError) Error() string { return e.Message }

// TruncatedError reports an object whose compressed data ends too early. Lines up to Line were whole.
type TruncatedError struct {
	Line    int64
	Packing string // gzip or zstd
}

func (e *TruncatedError) Error() string {
	return fmt.Sprintf("%s data is cut short after line %d", e.Packing, e.Line)
}

// CorruptError reports an object whose compressed data is damaged, or has something else after it.
type CorruptError struct {
	Line    int64  // the last line that was read; its content can be damaged too
	Packing string // gzip or zstd
	Cause   error
}

func (e *CorruptError) Error() string {
	if errors.Is(e.Cause, errFollowed) {
		return fmt.Sprintf("%s data is followed by something else after line %d", e.Packing, e.Line)
	}
	return fmt.Sprintf("%s data is damaged, or is followed by something else, after line %d: %v", e.Packing, e.Line, e.Cause)
}

func (e *CorruptError) Unwrap() error { return e.Cause }

// errFollowed means that whole gzip data has something after it that does not begin as gzip does.
var errFollowed = errors.New("something else follows gzip data")

// Reader reads the lines of an object. Its memory is bounded by the longest line allowed, not by the object.
type Reader struct {
	source     *sourceReader
	r          io.Reader
	packing    string // "" when the lines lie as they are
	opts       ReaderOptions
	buf        []byte
	start, end int // what is read and not yet taken
	number     int64
	idle       int   // reads in a row that brought nothing
	ended      error // io.EOF or what broke the reading; lines before it are still given
	envelope   envelope
}

// OpenReader begins to read an object; gzip and zstd are recognised by their first bytes. The error is the one of the first read.
func OpenReader(r io.Reader, opts ReaderOptions) (*Reader, error) {
	if opts.MaxLineBytes <= 0 {
		opts.MaxLineBytes = DefaultMaxLineBytes
	}
	if opts.MaxBytes <= 0 {
		opts.MaxBytes = DefaultMaxBytes
	}
	if opts.MaxRatio <= 0 {
		opts.MaxRatio = DefaultMaxRatio
	}
	source := &sourceReader{r: r}
	buffered := bufio.NewReaderSize(source, 64<<10)
	rd := &Reader{source: source, r: buffered, opts: opts, buf: make([]byte, min(readBlockBytes, opts.MaxLineBytes+2))}
	magic, err := buffered.Peek(len(zstdMagic))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read object: %w", err)
	}
	unpacked, packing, err := expand(buffered, string(magic))
	if rd.packing = packing; err != nil {
		return nil, rd.broken(err)
	}
	if packing != "" {
		unpacked = &limitedReader{r: unpacked, source: source, maxBytes: opts.MaxBytes, maxRatio: opts.MaxRatio}
	}
	rd.r = &arrayReader{r: unpacked}
	return rd, nil
}

// Next returns the next line that is not blank; io.EOF after the last. Any other error ends the object: a
// [TruncatedError], [CorruptError] or [ExpansionError] in its chain is the object's fault, anything else the store's.
func (r *Reader) Next() (Line, error) {
	for {
		text, long, err := r.nextLine()
		if err != nil {
			return Line{}, err
		}
		if r.number < r.opts.From {
			continue
		}
		if long > 0 {
			return Line{Number: r.number, Text: text, Bytes: long, Err: &LineError{
				Code:    OverLimit,
				Message: fmt.Sprintf("the line has %d bytes, more than the limit of %d", long, r.opts.MaxLineBytes),
				Excerpt: excerpt(text),
			}}, nil
		}
		text = bytes.TrimPrefix(text, utf8BOM)
		if skipSpace(text, 0) == len(text) {
			continue
		}
		line := Line{Number: r.number, Text: text, Bytes: int64(len(text))}
		if err := r.envelope.open(text, &line); err != nil {
			line = Line{Number: r.number, Text: text, Bytes: int64(len(text)), Err: &LineError{
				Code: Malformed, Message: err.Error(), Excerpt: excerpt(text),
			}}
		}
		return line, nil
	}
}

var utf8BOM = []byte("\xef\xbb\xbf")

// nextLine returns the next line without its end. For a line over the limit it returns the first bytes and the whole
// length; what is beyond the buffer is read and let go.
func (r *Reader) nextLine() (text []byte, long int64, err error) {
	seen := 0 // bytes from start that hold no line end
	for {
		if i := bytes.IndexByte(r.buf[r.start+seen:r.end], '\n'); i >= 0 {
			text = r.buf[r.start : r.start+seen+i]
			r.start += seen + i + 1
			return r.take(text)
		}
		seen = r.end - r.start
		switch {
		case r.ended == io.EOF && seen > 0:
			text = r.buf[r.start:r.end]
			r.start = r.end
			return r.take(text)
		case r.ended != nil:
			return nil, 0, r.ended // a partial line before a broken end is not given: it is not what was written
		case seen > r.opts.MaxLineBytes+1: // even with its \r taken off it is too long
			return r.skipLong()
		}
		r.fill()
	}
}

func (r *Reader) take(text []byte) ([]byte, int64, error) {
	r.number++
	text = bytes.TrimSuffix(text, []byte("\r"))
	if len(text) > r.opts.MaxLineBytes {
		return text[:min(len(text), excerptBytes*2)], int64(len(text)), nil
	}
	return text, 0, nil
}

// skipLong lets the rest of a line go that fills the buffer and is over the limit.
func (r *Reader) skipLong() ([]byte, int64, error) {
	head := bytes.Clone(r.buf[r.start:min(r.end, r.start+excerptBytes*2)])
	var total int64
	var last byte
	for {
		i := bytes.IndexByte(r.buf[r.start:r.end], '\n')
		part := r.buf[r.start:r.end]
		if i >= 0 {
			part = part[:i]
		}
		if total += int64(len(part)); len(part) > 0 {
			last = part[len(part)-1]
		}
		r.start += len(part)
		if i >= 0 {
			r.start++
		}
		if i >= 0 || r.ended == io.EOF {
			r.number++
			if last == '\r' {
				total--
			}
			return head, total, nil
		}
		if r.ended != nil {
			return nil, 0, r.ended
		}
		r.fill()
	}
}

// fill reads once more, after making room: what is left moves to the front, and a full buffer doubles.
func (r *Reader) fill() {
	if r.start > 0 {
		copy(r.buf, r.buf[r.start:r.end])
		r.start, r.end = 0, r.end-r.start
	}
	if r.end == len(r.buf) {
		grown := make([]byte, min(2*len(r.buf), r.opts.MaxLineBytes+2))
		copy(grown, r.buf[:r.end])
		r.buf = grown
	}
	n, err := r.r.Read(r.buf[r.end:])
	r.end += n
	if r.idle++; n > 0 {
		r.idle = 0
	} else if err == nil && r.idle > maxIdleReads {
		err = io.ErrNoProgress
	}
	if err == io.EOF {
		r.ended = io.EOF
	} else if err != nil {
		r.ended = r.broken(err)
	}
}

// broken tells damage of the object from trouble on the way to it.
func (r *Reader) broken(err error) error {
	lines := r.number + int64(bytes.Count(r.buf[r.start:r.end], []byte("\n")))
	over, tooMuch := refused(err)
	switch {
	case tooMuch:
		return fault.Errorf(fault.Invalid, "%w", &ExpansionError{Line: lines, Reason: over.Reason}).
			WithHint("an object of records does not grow so much: look at who wrote it, and write it again in smaller parts")
	case r.source.err != nil && r.source.err != io.EOF:
		return fmt.Errorf("read object after line %d: %w", lines, r.source.err)
	case errors.Is(err, errUnclosed):
		return fault.Errorf(fault.Invalid, "%w", &TruncatedError{Line: lines, Packing: "JSON array"}).
			WithHint("the object was written by something that died, or copied in part: write or copy it again")
	case r.packing == "":
		return fmt.Errorf("read object after line %d: %w", lines, err)
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		return fault.Errorf(fault.Invalid, "%w", &TruncatedError{Line: lines, Packing: r.packing}).
			WithHint("the object was written by something that died, or copied in part: write or copy it again")
	default:
		return fault.Errorf(fault.Invalid, "%w", &CorruptError{Line: lines, Packing: r.packing, Cause: err})
	}
}

// sourceReader remembers how reading the stored bytes ended, which the unpacking's own errors hide, and counts them.
type sourceReader struct {
	r     io.Reader
	err   error
	bytes int64
}

func (s *sourceReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.bytes += int64(n)
	if err != nil {
		s.err = err
	}
	return n, err
}

// excerpt is the beginning of a line, fit for a message: whole characters, what is no UTF-8 replaced.
func excerpt(text []byte) string {
	cut := len(text) > excerptBytes
	if cut {
		text = text[:excerptBytes]
		for n := 0; n < utf8.UTFMax && len(text) > 0 && !utf8.Valid(text[max(0, len(text)-utf8.UTFMax):]); n++ {
			text = text[:len(text)-1]
		}
	}
	s := strings.ToValidUTF8(string(text), "\uFFFD")
	if cut {
		s += "..."
	}
	return s
}
