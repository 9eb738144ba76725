package ingest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

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

// EncodeRows packs rows: for each, the distance from the line before, the roll-up, the number of cells and the cells,
// each a code byte and a varint detail; the whole deflated. Neighbours are alike, so a record costs a few bytes.
func EncodeRows(rows []Row) ([]byte, error) {
	var plain []byte
	last := int64(0)
	for _, r := range rows {
		plain = binary.AppendUvarint(plain, uint64(r.Line-last))
		last = r.Line
		plain = appendCell(plain, r.RollUp)
		plain = binary.AppendUvarint(plain, uint64(len(r.Cells)))
		for _, c := range r.Cells {
			plain = appendCell(plain, c)
		}
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

func appendCell(b []byte, c Cell) []byte {
	return binary.AppendUvarint(append(b, byte(c.Code)), uint64(c.DetailID))
}

// maxChunkBytes bounds what DecodeRows unpacks.
const maxChunkBytes = 64 << 20

// DecodeRows reads what EncodeRows packed.
func DecodeRows(packed []byte) ([]Row, error) {
	plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxChunkBytes))
	if err != nil {
		return nil, fmt.Errorf("unpack verdicts: %w", err)
	}
	r := bytes.NewReader(plain)
	var rows []Row
	line := int64(0)
	for r.Len() > 0 {
		step, err := binary.ReadUvarint(r)
		if err != nil {
			return nil, fmt.Errorf("unpack verdicts: %w", err)
		}
		line += int64(step)
		row := Row{Line: line}
		if row.RollUp, err = readCell(r); err != nil {
			return nil, err
		}
		n, err := binary.ReadUvarint(r)
		if err != nil || n > uint64(r.Len()) {
			return nil, fmt.Errorf("unpack verdicts: line %d is cut short", line)
		}
		row.Cells = make([]Cell, n)
		for i := range row.Cells {
			if row.Cells[i], err = readCell(r); err != nil {
				return nil, err
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func readCell(r *bytes.Reader) (Cell, error) {
	code, err := r.ReadByte()
	if err != nil {
		return Cell{}, fmt.Errorf("unpack verdicts: %w", err)
	}
	id, err := binary.ReadUvarint(r)
	if err != nil {
		return Cell{}, fmt.Errorf("unpack verdicts: %w", err)
	}
	return Cell{Code: verdict.Code(code), DetailID: int64(id)}, nil
}
