package ingest

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/klauspost/compress/flate"
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
			if len(rows) > 0 && rapid.Bool().Draw(t, "alike") {
				cells := append([]Cell{}, rows[len(rows)-1].Cells...)
				if len(cells) > 0 && rapid.Bool().Draw(t, "but one") {
					cells[rapid.IntRange(0, len(cells)-1).Draw(t, "changed")] = cell.Draw(t, "change")
				}
				rows = append(rows, Row{Line: at, RollUp: cell.Draw(t, "roll-up"), Cells: cells})
				continue
			}
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

// A chunk of the first form, in which every row has its own cells, reads as ever.
func TestLedgerReadsTheFirstForm(t *testing.T) {
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, 5)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write([]byte{1, 1, 0, 2, 1, 0, 6, 9, 2, 12, 4, 0}) // line 1: upserted, filtered by 9; line 3: malformed by 4
	_ = w.Close()
	got, err := DecodeRows(packed.Bytes())
	want := []Row{{Line: 1, RollUp: Cell{Code: 1}, Cells: []Cell{{1, 0}, {6, 9}}}, {Line: 3, RollUp: Cell{12, 4}, Cells: []Cell{}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v (%v), want %+v", got, err, want)
	}
}

// What the ledger keeps of a record does not grow with the mappings that do not want it.
func TestLedgerStaysCompact(t *testing.T) {
	size := func(mappings int) int {
		var rows []Row
		for line := int64(1); line <= 2000; line++ {
			r := Row{Line: line, RollUp: Cell{Code: verdict.Upserted}}
			if line%10 == 0 {
				r.RollUp.Code = verdict.Unchanged
			}
			for m := range mappings {
				r.Cells = append(r.Cells, Cell{verdict.Filtered, int64(1000 + m)})
			}
			r.Cells[0] = r.RollUp
			rows = append(rows, r)
		}
		packed, err := EncodeRows(rows)
		if err != nil {
			t.Fatal(err)
		}
		return len(packed)
	}
	few, many := size(10), size(45)
	if many > few+200 || many > 2000 {
		t.Errorf("2000 records take %d bytes under 45 mappings and %d under 10, want about the same and a byte a record at most", many, few)
	}
	t.Logf("2000 records: %d bytes under 10 mappings, %d under 45", few, many)
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
