package lake

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// DefaultMaxBytes is how much an object may hold once it is unpacked, unless a Reader is told otherwise.
	DefaultMaxBytes = 64 << 30
	// DefaultMaxRatio is how many times its stored size an object may hold, unless a Reader is told otherwise. Lines
	// of records reach 10 to 50; gzip at its most reaches 1032.
	DefaultMaxRatio = 500

	freeBytes     = 256 << 20 // up to here the ratio is not looked at: a small object of equal lines is no attack
	maxZstdWindow = 64 << 20  // a frame that wants a larger window of memory is refused
	gzipMagic     = "\x1f\x8b"
	zstdMagic     = "\x28\xb5\x2f\xfd"
)

// ExpansionError reports an object that unpacks to more than a Reader is willing to read.
type ExpansionError struct {
	Line   int64 // lines up to here were read
	Reason string
}

func (e *ExpansionError) Error() string {
	return fmt.Sprintf("compressed data is refused after line %d: %s", e.Line, e.Reason)
}

// expand recognises how an object is packed by its first bytes, and unpacks it. The packing is "" when there is none.
func expand(in *bufio.Reader, magic string) (r io.Reader, packing string, err error) {
	switch {
	case strings.HasPrefix(magic, gzipMagic):
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, "gzip", err
		}
		z.Multistream(false)
		return &gzipMembers{z, in}, "gzip", nil
	case magic == zstdMagic:
		// One at a time and in place: without goroutines there is nothing to close.
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxZstdWindow))
		return z, "zstd", err
	}
	return in, "", nil
}

// limitedReader ends what unpacks to too much.
type limitedReader struct {
	r        io.Reader
	source   *sourceReader
	maxBytes int64
	maxRatio int64
	read     int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	l.read += int64(n)
	switch {
	case l.read > l.maxBytes:
		return 0, &ExpansionError{Reason: fmt.Sprintf("it unpacks to more than the limit of %d bytes", l.maxBytes)}
	case l.read > freeBytes && l.read/l.maxRatio > l.source.bytes:
		return 0, &ExpansionError{Reason: fmt.Sprintf("it unpacks to more than %d times its size", l.maxRatio)}
	}
	return n, err
}

// gzipMembers reads gzip data of one or more members. The package's own way of doing so takes a few bytes that
// follow for a member cut short.
type gzipMembers struct {
	member *gzip.Reader
	in     *bufio.Reader
}

func (g *gzipMembers) Read(p []byte) (int, error) {
	n, err := g.member.Read(p)
	if err != io.EOF {
		return n, err
	}
	rest, err := g.in.Peek(len(gzipMagic))
	switch {
	case len(rest) == 0:
		return n, err // io.EOF, or what the store says
	case !strings.HasPrefix(gzipMagic, string(rest)):
		return n, errFollowed
	}
	if err := g.member.Reset(g.in); err != nil {
		return n, noEOF(err)
	}
	g.member.Multistream(false)
	return n, nil
}

// noEOF makes an end in the middle of something one that is not expected.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// refused says whether the unpacking ended at a limit, and why.
func refused(err error) (*ExpansionError, bool) {
	var e *ExpansionError
	if errors.As(err, &e) {
		return e, true
	}
	if errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		return &ExpansionError{Reason: fmt.Sprintf("its zstd window is over the limit of %d bytes", maxZstdWindow)}, true
	}
	return nil, false
}
