package okta

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"longshore/internal/source/okta/emulator"
)

// canned answers every request with the same page.
type canned []byte

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		ContentLength: int64(len(c)), Body: io.NopCloser(bytes.NewReader(c)),
	}, nil
}

// cannedUsers opens a source that reads one page of 200 users.
func cannedUsers(t testing.TB) (s *Source, records int) {
	t.Helper()
	org := emulator.New(emulator.Options{Users: 400, EventsPerDay: -1})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, emulator.DefaultBaseURL+"/api/v1/users?limit=200", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "SSWS "+emulator.DefaultToken)
	response, err := org.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	s, err = Open(Config{OrgURL: "acme.okta.com", Token: "t", HTTPClient: &http.Client{Transport: canned(page)}})
	if err != nil {
		t.Fatal(err)
	}
	return s, bytes.Count(page, []byte(`"id":"00u`))
}

// readOnePage reads the one page and counts its records.
func readOnePage(t testing.TB, s *Source) (n int) {
	t.Helper()
	for page, err := range s.Read(t.Context(), "users", nil) {
		if err != nil {
			t.Fatal(err)
		}
		for _, record := range page.Records {
			if len(record) < 500 || record[0] != '{' {
				t.Fatalf("record %.80q", record)
			}
			n++
		}
		return n
	}
	return n
}

// TestPagesAreCutNotDecoded bounds what a record costs: a page decoded into maps costs hundreds of allocations a user.
func TestPagesAreCutNotDecoded(t *testing.T) {
	s, records := cannedUsers(t)
	if got := readOnePage(t, s); got != records || got != 200 {
		t.Fatalf("%d records, want %d", got, records)
	}
	if each := testing.AllocsPerRun(20, func() { readOnePage(t, s) }) / float64(records); each > 5 {
		t.Errorf("%.1f allocations a record, want at most 5", each)
	}
}

func BenchmarkReadPage(b *testing.B) {
	s, records := cannedUsers(b)
	b.ReportAllocs()
	for b.Loop() {
		readOnePage(b, s)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*records), "ns/record")
}
