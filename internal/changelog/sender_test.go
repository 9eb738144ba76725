package changelog

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// desk is a sender over a real catalog, and a receiver that takes notes.
type desk struct {
	*Sender
	t       *testing.T
	catalog *catalog.Catalog
	url     string
	at      time.Time
	answers []int // of the next deliveries; 200 when there are no more
	got     []string
	wrong   int // signatures
}

const blueprint = `{"identifier":"svc","title":"S","schema":{"properties":{"n":{"type":"number"}},"required":[]}%s}`

func newDesk(t *testing.T) *desk {
	t.Helper()
	s := storetest.Open(t)
	d := &desk{t: t, at: time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)}
	now := func() time.Time { return d.at }
	d.catalog = catalog.New(s.Catalog(), now)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("X-Port-Signature") != Sign("hush", r.Header.Get("X-Port-Timestamp"), body) || r.Header.Get("X-Port-Timestamp") != fmt.Sprint(d.at.Unix()) {
			d.wrong++
		}
		status := http.StatusOK
		if len(d.answers) > 0 {
			status, d.answers = d.answers[0], d.answers[1:]
		}
		if status == http.StatusOK {
			d.got = append(d.got, string(body))
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(receiver.Close)
	d.url = receiver.URL
	d.Sender = &Sender{
		Catalog: d.catalog, Documents: s.Documents(nil, now), Now: now, Client: NewClient(true), Local: true,
		Render: func(e catalog.AuditEntry) ([]byte, error) {
			return []byte(e.Action + " " + e.Kind + " " + e.Identifier), nil
		},
		Secret: func(context.Context) (string, error) { return "hush", nil },
		Sleep:  func(context.Context, time.Duration) { d.at = d.at.Add(time.Minute) }, // the quantum ends when there is nothing to tell
	}
	d.model(`,"changelogDestination":{"type":"WEBHOOK","url":"` + d.url + `"}`)
	return d
}

func (d *desk) model(more string) {
	d.t.Helper()
	doc := []byte(fmt.Sprintf(blueprint, more))
	_, err := d.catalog.CreateBlueprint(d.t.Context(), doc, catalog.Writer{})
	if err != nil {
		_, err = d.catalog.ReplaceBlueprint(d.t.Context(), "svc", doc, catalog.Writer{})
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) put(id string, n int) {
	d.t.Helper()
	_, err := d.catalog.Write(d.t.Context(), catalog.Change{Blueprint: "svc", Identifier: id, Properties: []catalog.Field{{Name: "n", Value: []byte(fmt.Sprint(n))}}})
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) deliver() (time.Duration, bool) {
	d.t.Helper()
	wait, done, err := d.Deliver(d.t.Context(), "svc", d.at.Add(time.Minute))
	if err != nil {
		d.t.Fatal(err)
	}
	return wait, done
}

func (d *desk) want(got ...string) {
	d.t.Helper()
	if !slices.Equal(d.got, got) || d.wrong > 0 {
		d.t.Errorf("told %q, want %q; %d wrong signatures", d.got, got, d.wrong)
	}
	d.got = nil
}

func TestChangesAreToldInOrder(t *testing.T) {
	d := newDesk(t)
	d.put("a", 1)
	d.put("b", 1)
	d.put("a", 2)
	d.put("a", 2) // changes nothing
	d.deliver()
	d.want("CREATE entity a", "CREATE entity b", "UPDATE entity a")
	d.put("b", 3)
	d.deliver()
	d.want("UPDATE entity b")
}

func TestWhatFailsIsTriedAgainBeforeWhatComesAfter(t *testing.T) {
	d := newDesk(t)
	d.put("a", 1)
	d.put("b", 1)
	d.answers = []int{200, 500, 302, 404}
	var waits []time.Duration
	for range 4 {
		wait, _ := d.deliver()
		waits = append(waits, wait)
	}
	if want := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 0}; !slices.Equal(waits, want) {
		t.Errorf("pauses %v, want %v", waits, want)
	}
	d.want("CREATE entity a", "CREATE entity b")
}

func TestChangesAreGivenUpAfterADayWithAFinding(t *testing.T) {
	d := newDesk(t)
	d.put("a", 1)
	d.put("b", 1)
	d.answers = []int{500}
	d.deliver()
	d.at = d.at.Add(25 * time.Hour)
	d.put("c", 1)
	d.answers = []int{500, 500}
	d.deliver()
	d.want("CREATE entity c")
	list, err := d.catalog.History(t.Context(), catalog.HistoryFilter{Status: catalog.Failure})
	if err != nil || len(list) != 1 || !strings.Contains(list[0].Message, "2 changes") || !strings.Contains(list[0].Message, "500") || list[0].Blueprint != "svc" {
		t.Errorf("the finding: %+v, %v", list, err)
	}
}

func TestTellingBeginsWithTheDestination(t *testing.T) {
	d := newDesk(t)
	d.put("a", 1)
	d.model("")
	if _, done := d.deliver(); !done {
		t.Error("a blueprint without a destination is not done")
	}
	d.put("b", 1)
	d.model(`,"changelogDestination":{"type":"WEBHOOK","url":"` + d.url + `"}`)
	d.put("c", 1)
	d.deliver()
	d.want("CREATE entity c")
	for more, want := range map[string]int{"": 0, `,"changelogDestination":{"type":"KAFKA"}`: 0, `,"changelogDestination":{"type":"WEBHOOK","url":"https://x.example","agent":true}`: 0} {
		d.model(more)
		if ids, err := d.Destined(t.Context()); err != nil || len(ids) != want {
			t.Errorf("%s: %v, %v", more, ids, err)
		}
	}
	if _, done, err := d.Deliver(t.Context(), "none", d.at.Add(time.Minute)); !done || err != nil {
		t.Errorf("a blueprint that is gone: done %t, %v", done, err)
	}
}

func TestDestinationsOfThisMachineAreRefused(t *testing.T) {
	d := newDesk(t)
	d.Client = nil
	d.put("a", 1)
	if wait, _ := d.deliver(); wait == 0 || len(d.got) > 0 {
		t.Errorf("told %q to a receiver on this machine", d.got)
	}
	d.Client, d.Local = NewClient(true), false
	if wait, _ := d.deliver(); wait == 0 || len(d.got) > 0 {
		t.Errorf("told %q by plain http", d.got)
	}
	for address, want := range map[string]bool{
		"127.0.0.1": false, "::1": false, "::ffff:127.0.0.1": false, "0.0.0.0": false, "::": false, "169.254.169.254": false, "fe80::1": false,
		"fd00:ec2::254": false, "100.100.100.200": false, "224.0.0.1": false, "0.1.2.3": false, "10.0.0.8": true, "93.184.216.34": true, "2606:4700::1": true,
	} {
		if got := public(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s may be connected to: %t, want %t", address, got, want)
		}
	}
}

func TestSignatureIsPorts(t *testing.T) {
	// HMAC-SHA256 of "1700000000.{}" under "secret", by openssl.
	if got := Sign("secret", "1700000000", []byte("{}")); got != "v1,uFabeHmf+ePL/w/C1jozorV/MoKr0Hw3rl6OfXml8WM=" {
		t.Errorf("signature %q", got)
	}
}
