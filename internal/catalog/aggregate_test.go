package catalog_test

import (
	"encoding/json"
	"testing"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

const ticket = `{"identifier":"ticket","title":"Ticket","schema":{"properties":{"points":{"type":"number"},"kind":{"type":"string"},"tags":{"type":"array"},
	"at":{"type":"string","format":"date-time"}},"required":[]},"relations":{"on":{"target":"ticket","many":true}},
	"calculationProperties":{"double":{"type":"number","calculation":".properties.points * 2"}}}`

// ticketBench has tickets of November 2023; its clock stands at the 14th, 22:13:20 UTC, a Tuesday.
func ticketBench(t *testing.T) *bench {
	b := newBench(t, ticket)
	for id, text := range map[string][2]string{
		"t1": {`{"points":1,"kind":"bug","tags":["a","b"],"at":"2023-11-14T01:30:00Z"}`, `{}`},
		"t2": {`{"points":2.5,"kind":"bug","tags":["a"],"at":"2023-11-13T23:30:00Z"}`, `{"on":["t1"]}`},
		"t3": {`{"points":4,"kind":"task","at":"2023-11-13T10:00:00Z"}`, `{"on":["t1"]}`},
		"t4": {`{"kind":"task","at":"2023-11-12T10:00:00Z"}`, `{}`},
		"t5": {`{"points":10,"at":"2023-09-01T10:00:00Z"}`, `{}`},
	} {
		b.apply(func() catalog.Change {
			c := record(t, "ticket", id, 1, text[0])
			c.Relations = fields(t, text[1])
			return c
		}())
	}
	return b
}

func TestAggregate(t *testing.T) {
	b := ticketBench(t)
	for _, c := range []struct{ spec, want string }{
		{`{"func":"count"}`, "5"},
		{`{"func":"count","query":{"combinator":"and","rules":[{"property":"kind","operator":"=","value":"bug"}]}}`, "2"},
		{`{"func":"count","query":{"combinator":"and","rules":[{"property":"double","operator":">","value":4}]}}`, "3"},
		{`{"func":"sum","property":"points"}`, "17.5"},
		{`{"func":"sum","property":"double"}`, "35"},
		{`{"func":"average","property":"points"}`, "4.375"},
		{`{"func":"min","property":"points"}`, "1"},
		{`{"func":"max","property":"points"}`, "10"},
		{`{"func":"median","property":"points"}`, "3.25"},
		{`{"func":"max","property":"nope"}`, "null"},
		{`{"func":"sum","property":"nope"}`, "0"},
		{`{"func":"average","calculationBy":"entities","averageOf":"day","measureTimeBy":"at","query":{"combinator":"and","rules":[{"property":"at","operator":">","value":"2023-11-01T00:00:00Z"}]}}`, "1.3333333333333333"},
		{`{"func":"countValues","property":"kind"}`, `{"bug":2,"task":2}`},
		{`{"func":"countValues","property":"tags"}`, `{"a":2,"b":1}`},
		{`{"func":"countValues","property":"points"}`, `{"1":1,"10":1,"2.5":1,"4":1}`},
		{`{"func":"countValues","property":"$blueprint"}`, `{"ticket":5}`},
		{`{"func":"countValues","relation":"on"}`, `{"t1":2}`},
	} {
		got, err := b.Aggregate(t.Context(), json.RawMessage(c.spec))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s %v, want %s", c.spec, got, err, c.want)
		}
	}
	for _, spec := range []string{
		`{"func":"mode","property":"points"}`, `{"func":"sum"}`, `{"func":"countValues"}`, `{"func":7}`,
		`{"func":"average","property":"points","averageOf":"year"}`, `{"func":"count","query":{"combinator":"xor","rules":[]}}`,
	} {
		_, err := b.Aggregate(t.Context(), json.RawMessage(spec))
		wantFault(t, err, fault.Invalid, "invalid_request")
	}
}

func TestAggregateOverTime(t *testing.T) {
	b := ticketBench(t)
	for _, c := range []struct{ spec, want string }{
		{`"timeInterval":"day","timeRange":{"preset":"last2Weeks"},"aggregationType":"countEntities","func":"count","query":{"combinator":"and","rules":[{"property":"at","operator":">","value":"2023-11-13T12:00:00Z"}]}`, ""},
		{
			`"timeInterval":"day","timeRange":{"preset":"today"},"aggregationType":"countEntities","func":"count"`,
			`{"minDate":"2023-11-14T00:00","data":[{"date":"2023-11-14T00:00:00.000Z","count":1}]}`,
		},
		{
			`"timeInterval":"day","timeRange":{"preset":"today","timeZone":"Europe/Berlin"},"aggregationType":"countEntities","func":"count"`,
			`{"minDate":"2023-11-13T23:00","data":[{"date":"2023-11-13T23:00:00.000Z","count":2}]}`,
		},
		{
			`"timeInterval":"day","timeRange":{"preset":"yesterday"},"aggregationType":"countEntities","func":"count","breakdownProperty":"kind"`,
			`{"minDate":"2023-11-13T00:00","data":[{"date":"2023-11-13T00:00:00.000Z","bug":1,"task":1}]}`,
		},
		{
			`"timeInterval":"isoWeek","timeRange":{"preset":"lastWeek"},"aggregationType":"countEntities","func":"count"`,
			`{"minDate":"2023-11-07T22:13","data":[{"date":"2023-11-06T00:00:00.000Z","count":1},{"date":"2023-11-13T00:00:00.000Z","count":3}]}`,
		},
		{
			`"timeInterval":"isoWeek","timeRange":{"preset":"lastWeek"},"aggregationType":"countEntities","func":"average"`,
			`{"minDate":"2023-11-07T22:13","data":[{"date":"2023-11-06T00:00:00.000Z","count":0.14285714285714285},{"date":"2023-11-13T00:00:00.000Z","count":0.42857142857142855}]}`,
		},
		{
			`"timeInterval":"month","timeRange":{"preset":"last3Months"},"aggregationType":"aggregatePropertiesValues","func":"sum","properties":["points","double"]`,
			`{"minDate":"2023-08-16T22:13","data":[{"date":"2023-08-01T00:00:00.000Z","double":null,"points":null},{"date":"2023-09-01T00:00:00.000Z","double":20,"points":10},{"date":"2023-10-01T00:00:00.000Z","double":null,"points":null},{"date":"2023-11-01T00:00:00.000Z","double":15,"points":7.5}]}`,
		},
		{
			`"timeInterval":"quarter","timeRange":{"preset":"last3Months"},"aggregationType":"aggregatePropertiesValues","func":"last","properties":["points"]`,
			`{"minDate":"2023-08-16T22:13","data":[{"date":"2023-07-01T00:00:00.000Z","points":10},{"date":"2023-10-01T00:00:00.000Z","points":1}]}`,
		},
		{`"timeInterval":"hour","timeRange":{"preset":"today"},"aggregationType":"aggregatePropertiesValues","func":"max","properties":["points"],"query":{"combinator":"and","rules":[{"property":"kind","operator":"=","value":"none"}]}`, ""},
	} {
		got, err := b.AggregateOverTime(t.Context(), json.RawMessage(`{"blueprint":"ticket","measureTimeBy":"at",`+c.spec+`}`))
		if err != nil {
			t.Errorf("%s: %v", c.spec, err)
			continue
		}
		var line struct {
			MinDate string            `json:"minDate"`
			MaxDate string            `json:"maxDate"`
			Data    []json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(got, &line); err != nil || line.MaxDate == "" {
			t.Fatalf("%s: %s %v", c.spec, got, err)
		}
		text, _ := json.Marshal(map[string]any{"minDate": line.MinDate[:len("2006-01-02T15:04")], "data": line.Data})
		if want := []byte(c.want); c.want != "" && !equalJSON(t, text, want) {
			t.Errorf("%s:\n got %s\nwant %s", c.spec, text, want)
		}
		if c.want == "" && len(line.Data) != 15 && len(line.Data) != 23 {
			t.Errorf("%s: %d points", c.spec, len(line.Data))
		}
	}
	for _, spec := range []string{
		`"timeInterval":"day","timeRange":{"preset":"last2Years"},"aggregationType":"countEntities","func":"count"`,
		`"timeInterval":"week","timeRange":{"preset":"today"},"aggregationType":"countEntities","func":"count"`,
		`"timeInterval":"day","timeRange":{"preset":"nextWeek"},"aggregationType":"countEntities","func":"count"`,
		`"timeInterval":"day","timeRange":{"preset":"today","timeZone":"Mars/Olympus"},"aggregationType":"countEntities","func":"count"`,
		`"timeInterval":"day","timeRange":{"preset":"today"},"aggregationType":"countEntities","func":"sum"`,
		`"timeInterval":"day","timeRange":{"preset":"today"},"aggregationType":"aggregatePropertiesValues","func":"sum"`,
		`"timeInterval":"day","timeRange":{"preset":"today"},"func":"count"`,
	} {
		_, err := b.AggregateOverTime(t.Context(), json.RawMessage(`{"blueprint":"ticket",`+spec+`}`))
		wantFault(t, err, fault.Invalid, "invalid_request")
	}
}

func equalJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	p, _ := json.Marshal(x)
	q, _ := json.Marshal(y)
	return string(p) == string(q)
}

func TestPropertiesHistory(t *testing.T) {
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	b := newBench(t)
	b.Catalog = catalog.New(b.store, func() time.Time { return now })
	for _, doc := range []string{ticket, `{"history":false,"identifier":"event","title":"E","schema":{"properties":{},"required":[]}}`} {
		if _, err := b.CreateBlueprint(t.Context(), json.RawMessage(doc), catalog.Writer{}); err != nil {
			t.Fatal(err)
		}
	}
	at := func(day int, properties string) {
		now = time.Date(2026, 3, day, 12, 0, 0, 0, time.UTC)
		b.write(call(t, "ticket", "t", properties))
	}
	at(5, `{"points":1,"kind":"bug"}`)
	at(7, `{"points":2}`)
	now = now.Add(time.Hour)
	b.write(call(t, "ticket", "t", `{"points":3}`))
	at(9, `{"points":null,"kind":"task"}`)
	b.write(call(t, "event", "e", `{}`))
	now = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	got, err := b.PropertiesHistory(t.Context(), json.RawMessage(`{"entityIdentifier":"t","blueprintIdentifier":"ticket","propertyNames":["points","kind","double"],"timeInterval":"day","timeRange":{"preset":"lastWeek"}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"minDate":"2026-03-03T12:00:00.000Z","maxDate":"2026-03-10T12:00:00.000Z","data":[
		{"date":"2026-03-03T00:00:00.000Z","points":null,"kind":null,"double":null},{"date":"2026-03-04T00:00:00.000Z","points":null,"kind":null,"double":null},
		{"date":"2026-03-05T00:00:00.000Z","points":1,"kind":"bug","double":null},{"date":"2026-03-06T00:00:00.000Z","points":1,"kind":"bug","double":null},
		{"date":"2026-03-07T00:00:00.000Z","points":3,"kind":"bug","double":null},{"date":"2026-03-08T00:00:00.000Z","points":3,"kind":"bug","double":null},
		{"date":"2026-03-09T00:00:00.000Z","points":null,"kind":"task","double":null},{"date":"2026-03-10T00:00:00.000Z","points":null,"kind":"task","double":null}]}`
	if !equalJSON(t, got, []byte(want)) {
		t.Errorf("history\n got %s\nwant %s", got, want)
	}
	_, err = b.PropertiesHistory(t.Context(), json.RawMessage(`{"entityIdentifier":"e","blueprintIdentifier":"event","propertyNames":["x"],"timeInterval":"day","timeRange":{"preset":"today"}}`))
	wantFault(t, err, fault.Invalid, "invalid_request")
	_, err = b.PropertiesHistory(t.Context(), json.RawMessage(`{"entityIdentifier":"nobody","blueprintIdentifier":"ticket","propertyNames":["x"],"timeInterval":"day","timeRange":{"preset":"today"}}`))
	wantFault(t, err, fault.NotFound, "not_found")
}
