package store

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/store/storetest/pgserver"
)

// BenchmarkBulk writes new entities of 1 kB, half of them with a relation, a thousand a transaction, then says the same
// again: what ingest does. It reports rows a second.
func BenchmarkBulk(b *testing.B) {
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			where := filepath.Join(b.TempDir(), "longshore.db")
			if kind == "postgres" {
				where = pgserver.Database(b, nil)
			}
			s, err := Open(b.Context(), where)
			must(b, err)
			defer s.Close()
			kept := s.Catalog()
			c := catalog.New(kept, time.Now)
			_, err = c.CreateBlueprint(b.Context(), json.RawMessage(`{"identifier":"item","title":"Item","schema":{"properties":{"a":{"type":"string"}}},
				"relations":{"one":{"target":"item"}}}`), catalog.Writer{Actor: "t"})
			must(b, err)
			value := []byte(`"` + strings.Repeat("lorem ipsum ", 80) + `"`)
			const most = 1000
			pass := func(generation int64) float64 {
				begun := time.Now()
				for from := 0; from < b.N; from += most {
					changes := make([]catalog.Change, min(most, b.N-from))
					for i := range changes {
						n := from + i
						changes[i] = catalog.Change{
							Blueprint: "item", Identifier: fmt.Sprintf("i%d", n), Lenient: true, Lane: "w/0", Properties: []catalog.Field{{Name: "a", Value: value}},
							Version: catalog.Version{Generation: generation, ObjectKey: "k", Line: int64(n + 1)}, Origin: catalog.Origin{ObjectID: 1, Line: int64(n + 1), Stream: "s"},
						}
						if n%2 == 0 {
							changes[i].Relations = []catalog.Field{{Name: "one", Value: fmt.Appendf(nil, `"i%d"`, n/2)}}
						}
					}
					must(b, kept.InTx(context.Background(), func(tx catalog.Tx) error {
						_, err := c.Apply(context.Background(), tx, changes, nil)
						return err
					}))
				}
				return float64(b.N) / time.Since(begun).Seconds()
			}
			b.ReportMetric(pass(1), "new/s")
			b.ReportMetric(pass(2), "unchanged/s")
		})
	}
}
