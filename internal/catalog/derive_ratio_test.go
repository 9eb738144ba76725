//go:build bench

package catalog_test

import (
	"slices"
	"testing"
	"time"

	"longshore/internal/catalog"
)

// maxDerivedRatio is how often the time of a page as it is stored the same page may take with its 7 derived properties,
// for which 2,000 more entities are looked at. It was 6 to 7 when this was written, on either database.
const maxDerivedRatio = 15

// TestDerivedPage holds what deriving costs against the same page without it, run beside it: a slow machine slows both.
func TestDerivedPage(t *testing.T) {
	b := crewBench(t, 10_000)
	page := func(how catalog.Reading) time.Duration {
		begun := time.Now()
		page, err := b.Search(t.Context(), catalog.SearchRequest{Blueprint: "crew", Limit: 200, Reading: how})
		if err != nil || len(page.Entities) != 200 {
			t.Fatalf("%d entities: %v", len(page.Entities), err)
		}
		return time.Since(begun)
	}
	const rounds = 60
	var stored, derived []time.Duration
	for range rounds { // by turns, so that what else the machine does falls on both
		stored = append(stored, page(catalog.Reading{Stored: true, Unscored: true}))
		derived = append(derived, page(catalog.Reading{}))
	}
	slices.Sort(stored)
	slices.Sort(derived)
	ratio := float64(derived[rounds/2]) / float64(stored[rounds/2])
	t.Logf("a page of 200: stored p50 %v p99 %v, derived p50 %v p99 %v, ratio %.1f", stored[rounds/2], stored[rounds-1], derived[rounds/2], derived[rounds-1], ratio)
	if ratio > maxDerivedRatio {
		t.Errorf("a derived page takes %.1f times a stored one, want at most %d", ratio, maxDerivedRatio)
	}
}
