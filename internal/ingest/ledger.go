package ingest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/flate"

	"longshore/internal/verdict"
)

// Cell is the verdict of one record under one mapping. DetailID 0 is no detail.
type Cell struct {
	Code     verdict.Code
	DetailID int64
}

// Row is one record's line of the ledger: its roll-up and a cell for each mapping (none for a malformed line).
type Row struct {
	Line   int64
	RollUp Cell
	Cells  []Cell
}

// How a row's cells are told, where the number is not that of cells, which wholeCells is added to.
const (
	sameCells    = 0 // as those of the row before
	changedCells = 1 // likewise, but for some: how many, then each with its distance from the changed one before it
	wholeCells   = 2
)

// maxChangedCells is how many cells a row may have that tells only of changes: reading makes a copy of them.
const maxChangedCells = 1 << 10

// EncodeRows packs rows: a zero, then for each row the distance from the line before, the roll-up, and the cells, each a
// code byte and a varint detail, as far as they differ from those of the row before; the whole deflated. Neighbours are
// alike, so a record costs a few bits, whatever the number of mappings.
func EncodeRows(rows []Row) ([]byte, error) {
	plain := []byte{0}
	last := int64(0)
	var before []Cell
	for _, r := range rows {
		plain = binary.AppendUvarint(plain, uint64(r.Line-last))
		last = r.Line
		plain = appendCell(plain, r.RollUp)
		plain = appendCells(plain, before, r.Cells)
		before = r.Cells
	}
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, 5)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

func appendCells(b []byte, before, cells []Cell) []byte {
	changed := 0
	if len(cells) == len(before) {
		for i := range cells {
			if cells[i] != before[i] {
				changed++
			}
		}
		if changed == 0 {
			return append(b, sameCells)
		}
	}
	if len(cells) != len(before) || changed > len(cells)/2 || len(cells) > maxChangedCells {
		b = binary.AppendUvarint(b, uint64(len(cells)+wholeCells))
		for _, c := range cells {
			b = appendCell(b, c)
		}
		return b
	}
	b = binary.AppendUvarint(append(b, changedCells), uint64(changed))
	last := 0
	for i, c := range cells {
		if c != before[i] {
			b = appendCell(binary.AppendUvarint(b, uint64(i-last)), c)
			last = i
		}
	}
	return b
}

func appendCell(b []byte, c Cell) []byte {
	return binary.AppendUvarint(append(b, byte(c.Code)), uint64(c.DetailID))
}

// maxChunkBytes bounds what DecodeRows unpacks.
const maxChunkBytes = 64 << 20

// DecodeRows reads what EncodeRows packed, or packed once: without the zero at the head every row tells
// the number of its cells, and all of them. Rows may share their cells.
func DecodeRows(packed []byte) ([]Row, error) {
	plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxChunkBytes))
	if err != nil {
		return nil, fmt.Errorf("unpack verdicts: %w", err)
	}
	r := bytes.NewReader(plain)
	read := readChanges
	if len(plain) > 0 && plain[0] == 0 { // no line is its own neighbour
		_, _ = r.ReadByte()
	} else {
		read = func(r *bytes.Reader, n uint64, _ []Cell) ([]Cell, error) { return readCells(r, n) }
	}
	var rows []Row
	line, cells := int64(0), []Cell{}
	for r.Len() > 0 {
		step, err := binary.ReadUvarint(r)
		if err != nil {
			return nil, fmt.Errorf("unpack verdicts: %w", err)
		}
		line += int64(step)
		row := Row{Line: line}
		if row.RollUp, err = readCell(r); err != nil {
			return nil, fmt.Errorf("unpack verdicts: line %d: %w", line, err)
		}
		n, err := binary.ReadUvarint(r)
		if err != nil {
			return nil, fmt.Errorf("unpack verdicts: line %d is cut short", line)
		}
		if cells, err = read(r, n, cells); err != nil {
			return nil, fmt.Errorf("unpack verdicts: line %d: %w", line, err)
		}
		row.Cells = cells
		rows = append(rows, row)
	}
	return rows, nil
}

// readChanges reads a row's cells where those of the row before are known.
func readChanges(r *bytes.Reader, how uint64, before []Cell) ([]Cell, error) {
	switch how {
	case sameCells:
		return before, nil
	case changedCells:
	default:
		return readCells(r, how-wholeCells)
	}
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if n > uint64(len(before)) || len(before) > maxChangedCells {
		return nil, fmt.Errorf("%d of %d cells have changed", n, len(before))
	}
	cells, at := slices.Clone(before), uint64(0)
	for range n {
		step, err := binary.ReadUvarint(r)
		if err != nil {
			return nil, err
		}
		if at += step; at >= uint64(len(cells)) || step > at {
			return nil, fmt.Errorf("cell %d of %d has changed", at, len(cells))
		}
		if cells[at], err = readCell(r); err != nil {
			return nil, err
		}
	}
	return cells, nil
}

func readCells(r *bytes.Reader, n uint64) (cells []Cell, err error) {
	if n > uint64(r.Len()) {
		return nil, errors.New("cut short")
	}
	cells = make([]Cell, n)
	for i := range cells {
		if cells[i], err = readCell(r); err != nil {
			return nil, err
		}
	}
	return cells, nil
}

func readCell(r *bytes.Reader) (Cell, error) {
	code, err := r.ReadByte()
	if err != nil {
		return Cell{}, err
	}
	id, err := binary.ReadUvarint(r)
	if err != nil {
		return Cell{}, err
	}
	return Cell{Code: verdict.Code(code), DetailID: int64(id)}, nil
}
