package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"longshore/internal/catalog"
)

// chainLink is where a chain of audit entries stands. The hash of an entry is that of the hash before it and of every
// member of the entry, so that none can be changed, left out or put in between without all after it changing too.
type chainLink struct {
	hash [sha256.Size]byte
	text []byte
}

// chainFormat begins what is hashed of each entry: another layout of it would need another.
const chainFormat = "longshore audit 1\x00"

// add goes on to an entry. Each member is written with its length; nil is told from empty.
func (l *chainLink) add(e *catalog.AuditEntry) {
	b := append(l.text[:0], chainFormat...)
	b = append(b, l.hash[:]...)
	for _, n := range [...]int64{e.ID, millis(e.At), e.Origin.ObjectID, e.Origin.Line} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	for _, s := range [...]string{e.Kind, e.Action, e.Status, e.Blueprint, e.Identifier, e.Actor, e.Source, e.RunID, e.Message} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	for _, raw := range [...][]byte{e.Before, e.After, e.Data} {
		if len(raw) == 0 { // as it is kept: NULL
			b = append(b, 0)
			continue
		}
		b = append(b, 1)
		b = append(binary.AppendUvarint(b, uint64(len(raw))), raw...)
	}
	l.hash, l.text = sha256.Sum256(b), b
}

// AuditHead is the end of the audit log at some time: whoever keeps it elsewhere can tell later that nothing before it
// was changed or cut off.
type AuditHead struct {
	ID   int64     `json:"id"`
	Hash string    `json:"hash"` // hex
	At   time.Time `json:"at"`   // when it was read
}

// AuditReport is what a walk along the audit log found.
type AuditReport struct {
	Rows    int64     `json:"rows"`           // of the chain, as far as it holds
	Older   int64     `json:"older"`          // rows from before there was a chain
	Head    AuditHead `json:"head"`           // where it holds to
	Broken  int64     `json:"broken"`         // the first row that does not fit, 0 for none
	Problem string    `json:"problem"`        // what is wrong with it
	Held    bool      `json:"held,omitempty"` // the head that was given is part of the chain
}

// OK reports that nothing is wrong.
func (r AuditReport) OK() bool { return r.Problem == "" }

// AuditHead returns the end of the audit log.
func (s *Store) AuditHead(ctx context.Context) (AuditHead, error) {
	head := AuditHead{At: time.Now().UTC().Truncate(time.Second)}
	var hash []byte
	if err := s.read.QueryRowContext(ctx, `SELECT last_id, last_hash FROM history_chain WHERE id = 1`).Scan(&head.ID, &hash); err != nil {
		return head, fmt.Errorf("read the end of the audit log: %w", err)
	}
	head.Hash = hex.EncodeToString(hash)
	return head, nil
}

// VerifyAudit walks the chain of the audit log from its beginning and stops at the first row that does not fit. A head
// that was kept elsewhere must be part of it; nil for none.
func (s *Store) VerifyAudit(ctx context.Context, kept *AuditHead) (AuditReport, error) {
	tx, err := s.read.BeginTx(ctx, s.engine.view)
	if err != nil {
		return AuditReport{}, fmt.Errorf("begin reading: %w", err)
	}
	defer tx.Rollback() // it has only read
	var report AuditReport
	var first, floor, last int64
	var floorHash, lastHash []byte
	err = tx.QueryRowContext(ctx, `SELECT first_id, floor_id, floor_hash, last_id, last_hash FROM history_chain WHERE id = 1`).Scan(&first, &floor, &floorHash, &last, &lastHash)
	if err != nil {
		return report, fmt.Errorf("read the chain of the audit log: %w", err)
	}
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM history WHERE id <= $1`, first).Scan(&report.Older); err != nil {
		return report, fmt.Errorf("count older audit entries: %w", err)
	}
	var link chainLink
	at := max(first, floor)
	if floor > first {
		copy(link.hash[:], floorHash)
	}
	held := func() {
		if kept != nil && kept.ID == at && kept.Hash == hex.EncodeToString(link.hash[:]) {
			report.Held = true
		}
	}
	held()
	rows, err := tx.QueryContext(ctx, `SELECT `+historyColumns+`, hash FROM history WHERE id > $1 ORDER BY id`, at)
	if err != nil {
		return report, fmt.Errorf("read the audit log: %w", err)
	}
	defer rows.Close()
	for rows.Next() && report.OK() {
		var hash []byte
		e, err := scanHistory(rows, &hash)
		if err != nil {
			return report, err
		}
		before := link.hash
		link.add(&e)
		switch {
		case e.ID != at+1:
			report.Broken, report.Problem = at+1, fmt.Sprintf("%d rows are missing before row %d", e.ID-at-1, e.ID)
		case !bytes.Equal(hash, link.hash[:]):
			report.Broken, report.Problem = e.ID, "its content is not what was hashed"
		default:
			at = e.ID
			report.Rows++
			held()
			continue
		}
		link.hash = before
	}
	if err := rows.Err(); err != nil {
		return report, fmt.Errorf("read the audit log: %w", err)
	}
	report.Head = AuditHead{at, hex.EncodeToString(link.hash[:]), time.Now().UTC().Truncate(time.Second)}
	if !report.OK() {
		return report, nil
	}
	switch {
	case at != last:
		report.Broken, report.Problem = at+1, fmt.Sprintf("the log ends at row %d, and was written up to row %d", at, last)
	case !bytes.Equal(lastHash, link.hash[:]):
		report.Broken, report.Problem = at, "the log was rewritten: it does not end in the hash that was written last"
	case kept != nil && !report.Held:
		report.Broken, report.Problem = kept.ID, "the row is not the one whose hash was kept: the log was rewritten or cut off before it"
	}
	return report, nil
}
