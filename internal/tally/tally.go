// Package tally sums up records whatever their order, so that two places on a record's way can be held against each
// other: one record removed, doubled or altered between them gives another sum.
package tally

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/bits"
)

// Sum is how many records there were, and the sum modulo 2^128 of the first 16 bytes of the SHA-256 of each. The zero
// value is the sum of none.
type Sum struct {
	N      int64
	hi, lo uint64
}

// Add counts a record.
func (s *Sum) Add(record []byte) {
	h := sha256.Sum256(record)
	s.AddSum(Sum{1, binary.BigEndian.Uint64(h[:8]), binary.BigEndian.Uint64(h[8:16])})
}

// AddSum counts the records of another sum.
func (s *Sum) AddSum(o Sum) {
	var carry uint64
	s.N += o.N
	s.lo, carry = bits.Add64(s.lo, o.lo, 0)
	s.hi, _ = bits.Add64(s.hi, o.hi, carry)
}

// Of is the sum of records.
func Of(records [][]byte) (s Sum) {
	for _, r := range records {
		s.Add(r)
	}
	return s
}

// Differ says how got differs from want in words, "" when it does not.
func Differ(want, got Sum) string {
	switch {
	case want == got:
		return ""
	case got.N != want.N:
		return fmt.Sprintf("%d records came, %d were sent", got.N, want.N)
	}
	return fmt.Sprintf("all %d records came, and not all as they were sent", got.N)
}

func (s Sum) String() string { return fmt.Sprintf("%d:%016x%016x", s.N, s.hi, s.lo) }

// MarshalJSON writes it as one short text.
func (s Sum) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Sum) UnmarshalJSON(text []byte) error {
	var word string
	if err := json.Unmarshal(text, &word); err != nil {
		return err
	}
	var sum Sum
	if n, err := fmt.Sscanf(word, "%d:%16x%16x", &sum.N, &sum.hi, &sum.lo); n != 3 || err != nil {
		return fmt.Errorf("%q is no sum of records", word)
	}
	*s = sum
	return nil
}
