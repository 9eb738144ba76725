package store

import (
	"fmt"
	"testing"
	"time"

	"longshore/internal/catalog"
)

// benchEntries are entries as a first ingest writes them: a whole entity of some properties each.
func benchEntries() []catalog.AuditEntry {
	all := make([]catalog.AuditEntry, 1000)
	for i := range all {
		all[i] = catalog.AuditEntry{
			Kind: "entity", Action: "CREATE", Blueprint: "okta_user", Identifier: fmt.Sprintf("00u%017d", i), Actor: "longshore", Source: "webhook/okta",
			Origin: catalog.Origin{ObjectID: 7, Line: int64(i)}, After: []byte(fmt.Sprintf(`{"properties":{"email":"user%d@acme.example","status":"ACTIVE","n":"%0600d"},"title":"User %d"}`, i, i, i)),
		}
	}
	return all
}

func BenchmarkAddHistory1000(b *testing.B) {
	s, err := Open(b.Context(), b.TempDir()+"/longshore.db")
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	c := s.Catalog()
	entries := benchEntries()
	b.ReportAllocs()
	for b.Loop() {
		for i := range entries {
			entries[i].At = time.UnixMilli(1_767_000_000_000)
		}
		if err := c.InTx(b.Context(), func(tx catalog.Tx) error { return tx.AddHistory(b.Context(), entries) }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(entries)), "ns/row")
}

// BenchmarkChain1000 is what the chain adds to each row before it is written.
func BenchmarkChain1000(b *testing.B) {
	entries := benchEntries()
	var link chainLink
	for b.Loop() {
		for i := range entries {
			link.add(&entries[i])
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(entries)), "ns/row")
}
