package ingest

import (
	"bytes"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"longshore/internal/verdict"
)

func TestLedgerReadsBackWhatWasWritten(t *testing.T) {
	cell := rapid.Custom(func(t *rapid.T) Cell {
		return Cell{Code: verdict.Code(rapid.IntRange(0, 13).Draw(t, "code")), DetailID: rapid.Int64Range(0, 1<<40).Draw(t, "detail")}
	})
	rapid.Check(t, func(t *rapid.T) {
		var rows []Row
		at := int64(0)
		for range rapid.IntRange(0, 50).Draw(t, "rows") {
			at += rapid.Int64Range(1, 1<<20).Draw(t, "step")
			rows = append(rows, Row{Line: at, RollUp: cell.Draw(t, "roll-up"), Cells: rapid.SliceOfN(cell, 0, 6).Draw(t, "cells")})
		}
		packed, err := EncodeRows(rows)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeRows(packed)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, rows) {
			t.Errorf("read back %+v, want %+v", got, rows)
		}
	})
}

// A ledger that was damaged on the disk is an error or other rows, never a panic; what it reads is written the same again.
func FuzzDecodeRows(f *testing.F) {
	for _, rows := range [][]Row{nil, {{Line: 1, RollUp: Cell{Code: 1}, Cells: []Cell{{1, 0}, {6, 300}}}, {Line: 900, RollUp: Cell{Code: 12, DetailID: 4}, Cells: []Cell{}}}} {
		packed, err := EncodeRows(rows)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
	}
	f.Add([]byte("no ledger"))
	f.Fuzz(func(t *testing.T, packed []byte) {
		rows, err := DecodeRows(packed)
		if err != nil {
			return
		}
		again, err := EncodeRows(rows)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeRows(again)
		if err != nil || !reflect.DeepEqual(got, rows) && !bytes.Equal(again, packed) {
			t.Errorf("%+v, %v; want %+v", got, err, rows)
		}
	})
}
