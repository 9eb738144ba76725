package catalog_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"longshore/internal/catalog"
)

const benchUser = `{"identifier":"okta_user","title":"Okta User","schema":{"properties":{
	"id":{"type":"string"},"status":{"type":"string","enum":["ACTIVE","STAGED","SUSPENDED"]},"created":{"type":"string","format":"date-time"},
	"activated":{"type":"string","format":"date-time"},"statusChanged":{"type":"string","format":"date-time"},"lastLogin":{"type":"string","format":"date-time"},
	"lastUpdated":{"type":"string","format":"date-time"},"passwordChanged":{"type":"string","format":"date-time"},"type":{"type":"object"},
	"profile":{"type":"object"},"credentials":{"type":"object"},"_links":{"type":"object","properties":{"self":{"type":"object","properties":{"href":{"type":"string","format":"url"}}}}}},
	"required":["id","status"]},"relations":{"manager":{"target":"okta_user"},"groups":{"target":"okta_group","many":true}}}`

// userChanges makes n users of about 1.2 kB, as of a generation.
func userChanges(n int, generation int64) []catalog.Change {
	changes := make([]catalog.Change, n)
	for i := range changes {
		id := fmt.Sprintf("00u%08d", i)
		properties := []catalog.Field{
			{Name: "id", Value: fmt.Appendf(nil, "%q", id)},
			{Name: "status", Value: []byte(`"ACTIVE"`)},
			{Name: "created", Value: []byte(`"2024-01-02T03:04:05.000Z"`)},
			{Name: "activated", Value: []byte(`"2024-01-02T03:04:05.000Z"`)},
			{Name: "statusChanged", Value: []byte(`null`)},
			{Name: "lastLogin", Value: []byte(`null`)},
			{Name: "lastUpdated", Value: []byte(`"2024-05-02T03:04:05.000Z"`)},
			{Name: "passwordChanged", Value: []byte(`"2024-01-02T03:04:05.000Z"`)},
			{Name: "type", Value: []byte(`{"id":"oty1"}`)},
			{Name: "profile", Value: fmt.Appendf(nil, `{"firstName":"Given%d","lastName":"Family%d","login":"u%d@example.com","email":"u%d@example.com","department":"Engineering","title":"Engineer","city":"Berlin","mobilePhone":null,"secondEmail":null,"employeeNumber":"%d","costCenter":"cc-100","organization":"Example","division":"North","userType":"Employee"}`, i, i, i, i, i)},
			{Name: "credentials", Value: []byte(`{"provider":{"type":"OKTA","name":"OKTA"},"password":{},"emails":[{"value":"x@example.com","status":"VERIFIED","type":"PRIMARY"}]}`)},
			{Name: "_links", Value: fmt.Appendf(nil, `{"self":{"href":"https://acme.okta.com/api/v1/users/%s"}}`, id)},
		}
		changes[i] = catalog.Change{
			Blueprint: "okta_user", Identifier: id, Title: fmt.Appendf(nil, `"Given%d Family%d"`, i, i), Properties: properties,
			Relations: []catalog.Field{{Name: "manager", Value: fmt.Appendf(nil, `"00u%08d"`, i/10)}, {Name: "groups", Value: []byte(`["g1","g2"]`)}},
			Lenient:   true, Lane: "webhook/okta/0", Version: catalog.Version{Generation: generation, ExtractedAt: 1e12 + generation, ObjectKey: "okta/users/2026_01_01_1700000000_0.jsonl.gz", Line: int64(i + 1)},
			Origin: catalog.Origin{ObjectID: generation, Line: int64(i + 1), Stream: "users"}, Actor: "okta", Source: "webhook/okta",
		}
	}
	return changes
}

func benchBench(b *testing.B) *bench {
	doc := benchUser
	if os.Getenv("BENCH_HISTORY") == "off" {
		doc = `{"history":false,` + doc[1:]
	}
	return newBench(b, doc, `{"identifier":"okta_group","title":"Group","schema":{"properties":{},"required":[]}}`)
}

func BenchmarkApply1000New(b *testing.B) {
	c := benchBench(b)
	changes := userChanges(1000, 1)
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		for j := range changes {
			changes[j].Identifier = fmt.Sprintf("00u%04d%06d", i, j)
		}
		b.StartTimer()
		applyAll(b, c, changes, catalog.OutcomeCreated)
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "entities/s")
}

func BenchmarkApply1000Unchanged(b *testing.B) {
	for _, kind := range []string{"same", "newer"} {
		b.Run(kind, func(b *testing.B) {
			c := benchBench(b)
			changes := userChanges(1000, 1)
			applyAll(b, c, changes, catalog.OutcomeCreated)
			b.ResetTimer()
			for i := 0; b.Loop(); i++ {
				if kind == "newer" {
					for j := range changes {
						changes[j].Version.Generation = int64(i + 2)
						changes[j].Origin.ObjectID = int64(i + 2)
					}
				}
				applyAll(b, c, changes, catalog.OutcomeUnchanged)
			}
			b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "entities/s")
		})
	}
}

func BenchmarkApply1000Changed(b *testing.B) {
	c := benchBench(b)
	changes := userChanges(1000, 1)
	applyAll(b, c, changes, catalog.OutcomeCreated)
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		for j := range changes {
			changes[j].Version.Generation = int64(i + 2)
			changes[j].Properties[6].Value = fmt.Appendf(nil, `"2024-05-02T03:%02d:%02d.000Z"`, i/60%60, i%60)
		}
		applyAll(b, c, changes, catalog.OutcomeUpdated)
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "entities/s")
}

func applyAll(b testing.TB, c *bench, changes []catalog.Change, want catalog.Outcome) {
	var results []catalog.Result
	err := c.store.InTx(context.Background(), func(tx catalog.Tx) (err error) {
		results, err = c.Apply(context.Background(), tx, changes, results[:0])
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	for i, r := range results {
		if r.Outcome != want || len(r.Flags) > 0 {
			text, _ := json.Marshal(r)
			b.Fatalf("change %d: %v %s, want %v without flags", i, r.Outcome, text, want)
		}
	}
}
