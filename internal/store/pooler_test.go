package store

import (
	"strings"
	"testing"

	"longshore/internal/fault"
	"longshore/internal/store/storetest/pgserver"
)

// Through PgBouncer a catalog works with session pooling; the other modes are refused with what to do.
func TestPoolersWithSessionPoolingAreTaken(t *testing.T) {
	if !onPostgres {
		t.Skip("of PostgreSQL alone")
	}
	database := newDatabase(t)
	for _, mode := range []string{"session", "transaction", "statement"} {
		t.Run(mode, func(t *testing.T) {
			s, err := Open(t.Context(), pgserver.Bouncer(t, database, mode))
			if err == nil {
				t.Cleanup(func() {
					if err := s.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			if mode == "session" {
				if err != nil {
					t.Fatal(err)
				}
				if _, _, err := s.Probe(t.Context()); err != nil {
					t.Errorf("write through the pooler: %v", err)
				}
				return
			}
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "pooler") || !strings.Contains(fault.HintOf(err), "session") {
				t.Errorf("error %v (hint %q), want a refusal of the pooler", err, fault.HintOf(err))
			}
		})
	}
}
