package store_test

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"longshore/internal/catalog"
	"longshore/internal/store"
)

// TestNumbersAndDateTimesAreReadAlike holds the databases' own readings against Go's.
func TestNumbersAndDateTimesAreReadAlike(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	numbers := strings.Fields(`0 -0 -0.0 1 1.0 1e0 1E5 -1.5e+3 0e5 0.0e99999999 1e400 -1e400 1e-400 1e99999999999 -1e99999999999 1e-99999999999 1.7976931348623157e308
		1.7976931348623158e308 1.7976931348623159e308 17976931348623157e292 0.00017976931348623157e312 5e-324 2e-324 3e-324 2.4703282292062327e-324 2.4703282292062329e-324 9007199254740993
		18446744073709551616 123456789012345678901234567890 1e0000000000000000000000001 1e-0000000000000000000000001`)
	numbers = append(numbers, strings.Repeat("9", 400), "0."+strings.Repeat("0", 400)+"1", strings.Repeat("1", 350)+"e-300", "0."+strings.Repeat("0", 350)+"1e340")
	for range 2000 {
		switch r.IntN(3) {
		case 0:
			numbers = append(numbers, strconv.FormatFloat(r.NormFloat64()*1e3, 'f', r.IntN(25), 64))
		case 1:
			numbers = append(numbers, strconv.FormatFloat(math.Float64frombits(r.Uint64()&^(1<<62)), 'e', r.IntN(20), 64))
		default:
			numbers = append(numbers, strconv.FormatUint(r.Uint64(), 10)+strconv.Itoa(r.IntN(1e6)))
		}
	}
	times := []string{
		"", "2024-01-02T03:04:05Z", "2024-02-30T00:00:00Z", "2024-02-29T00:00:00.1Z", "1900-02-29T00:00:00Z", "2000-02-29T00:00:00Z", "2024-01-02T24:00:00Z", "2024-13-01T00:00:00Z", "2024-00-01T00:00:00Z",
		"2024-01-00T00:00:00Z", "0000-01-01T00:00:00Z", "0000-03-01T00:00:00+23:59", "9999-12-31T23:59:59.9999-23:59", "1969-12-31T23:59:59.999Z", "2024-01-02T03:04:05.Z", "2024-01-02T03:04:05+24:00",
		"2024-01-02T03:04:05+01:60", "2024-01-02T03:04:05Zx", "x2024-01-02T03:04:05Z", "2024-01-02T03:04:05.123456789012Z", "2024-01-02t03:04:05z", "2024-01-02T03:04:60Z", "٢024-01-02T03:04:05Z", "2024-01-02T03:04:05\n", "2024-01-02T03:04:05Z\n",
	}
	each(t, func(t *testing.T, s *store.Store) {
		for _, n := range numbers {
			var got float64
			if err := s.Reader().QueryRowContext(t.Context(), `SELECT longshore_number($1)`, n).Scan(&got); err != nil {
				t.Fatalf("number %s: %v", n, err)
			}
			if want := catalog.Number(n); got != want {
				t.Errorf("number %.60s is read as %v, want %v", n, got, want)
			}
		}
		for _, at := range times {
			var got *int64
			if err := s.Reader().QueryRowContext(t.Context(), `SELECT longshore_millis($1)`, at).Scan(&got); err != nil {
				t.Fatalf("date-time %q: %v", at, err)
			}
			want, ok := catalog.Instant(at)
			if ok != (got != nil) || ok && *got != want {
				t.Errorf("date-time %q is read as %v, want %v %v", at, got, want, ok)
			}
		}
	})
}
