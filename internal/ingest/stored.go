package ingest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
)

// alteredError reports an object whose bytes are not those that our writer put there.
type alteredError struct{ got, want string }

func (e *alteredError) Error() string {
	return fmt.Sprintf("the object was altered after it was written: its sha256 is %s, the writer noted %s", e.got, e.want)
}

// storedBytes passes an object's bytes on and sums them up on the way.
type storedBytes struct {
	body io.Reader
	sum  hash.Hash
	want string // "" when the writer noted none
}

func newStoredBytes(body io.Reader, want string) *storedBytes {
	return &storedBytes{body: body, sum: sha256.New(), want: want}
}

func (s *storedBytes) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	if s.want != "" {
		s.sum.Write(p[:n])
	}
	return n, err
}

// check reads what is left and returns an alteredError when the sum is not the one noted. Another error is the bucket's.
func (s *storedBytes) check() error {
	if s.want == "" {
		return nil
	}
	if _, err := io.Copy(io.Discard, s); err != nil {
		return err
	}
	if got := hex.EncodeToString(s.sum.Sum(nil)); got != s.want {
		return &alteredError{got, s.want}
	}
	return nil
}

// altered reports whether the error tells of an altered object.
func altered(err error) bool {
	var a *alteredError
	return errors.As(err, &a)
}
