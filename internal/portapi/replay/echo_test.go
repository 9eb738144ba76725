package replay_test

import (
	"encoding/json"
	"net/url"
	"reflect"
	"testing"
)

// decoded is a JSON object as the provider compares it: numbers as they are written, members in any order.
func decoded(t *testing.T, text string) (v map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// echoed demands that each member of what was written is read again as it was, or Terraform plans a change for ever.
func echoed(t *testing.T, what string, wrote, read map[string]any) {
	t.Helper()
	for name, want := range wrote {
		if got := read[name]; !reflect.DeepEqual(got, want) {
			w, _ := json.Marshal(want)
			g, _ := json.Marshal(got)
			t.Errorf("%s: %s was written as %s and is read as %s", what, name, w, g)
		}
	}
}

// The acceptance tests of port_blueprint, as bodies: create, read, an update with the same body, read.
func TestTerraformReadsBlueprintsAsWritten(t *testing.T) {
	origin, _ := serve(t)
	p := newProvider(t, origin)
	p.makeBlueprint("environment", `,"schema":{"properties":{"text":{"type":"string"},"number":{"type":"number"}},"required":[]},"relations":{}`)
	for _, test := range []struct{ name, more string }{
		{"Basic", `"schema":{"properties":{},"required":[]},"relations":{}`},
		{"StringProperty", `"schema":{"properties":{"s":{"type":"string","title":"S","icon":"Terraform","description":"d","default":"aa","minLength":1,"maxLength":10,"pattern":"^[a-z]*$"},
			"url":{"type":"string","format":"url"},"enum":{"type":"string","enum":["a","b"],"enumColors":{"a":"red","b":"blue"},"default":"a"},
			"empty":{"type":"string","description":"","title":""},
			"user":{"type":"string","format":"user","pattern":"^[a-zA-Z0-9]*$","enum":["default","default2"],"enumColors":{"default":"red","default2":"green"},"default":"default","minLength":1,"maxLength":10}},"required":["s"]},"relations":{}`},
		{"NumberProperty", `"schema":{"properties":{"n":{"type":"number","title":"N","minimum":0,"maximum":10,"default":1},
			"e":{"type":"number","enum":[1,2.5],"enumColors":{"1":"red","2.5":"blue"}},"big":{"type":"number","default":123456789}},"required":["n"]},"relations":{}`},
		{"BooleanProperty", `"schema":{"properties":{"yes":{"type":"boolean","title":"B","default":true},"no":{"type":"boolean","default":false}},"required":[]},"relations":{}`},
		{"ArrayProperty", `"schema":{"properties":{"plain":{"type":"array"},"strings":{"type":"array","minItems":1,"maxItems":10,"items":{"type":"string","format":"url"},"default":["https://a.example"]},
			"patterned":{"type":"array","items":{"type":"string","pattern":"^[a-zA-Z0-9]*$"},"default":["abc123","def456"]},
			"numbers":{"type":"array","items":{"type":"number"},"default":[4]},"booleans":{"type":"array","items":{"type":"boolean"},"default":[true]},
			"objects":{"type":"array","items":{"type":"object"},"default":[{"key":"value"}]},"enums":{"type":"array","items":{"type":"string","enum":["a"],"enumColors":{"a":"red"}}}},"required":[]},"relations":{}`},
		{"ObjectProperty", `"schema":{"properties":{"o":{"type":"object","title":"O","default":{"key":"value"}},"api":{"type":"object","spec":"open-api"}},"required":["o"]},"relations":{}`},
		{"WithSpecification", `"schema":{"properties":{"embedded":{"type":"string","format":"url","spec":"embedded-url","specAuthentication":{"clientId":"1234","tokenUrl":"https://t.example","authorizationUrl":"https://a.example"}},
			"async":{"type":"string","format":"url","spec":"async-api"}},"required":[]},"relations":{}`},
		{"WithChangelogDestination", `"schema":{"properties":{},"required":[]},"relations":{},"changelogDestination":{"type":"WEBHOOK","url":"https://x.example","agent":true}`},
		{"WithChangelogDestination, Kafka", `"schema":{"properties":{},"required":[]},"relations":{},"changelogDestination":{"type":"KAFKA"}`},
		{"IncludeInGlobalSearch", `"schema":{"properties":{},"required":[]},"relations":{},"includeInGlobalSearch":false`},
		{"WithRelation", `"schema":{"properties":{},"required":[]},"relations":{"environment":{"title":"Test Relation","description":"d","target":"environment","many":false,"required":true}}`},
		{"UpdateRelation", `"schema":{"properties":{},"required":[]},"relations":{"environment":{"title":"Changed","target":"environment","many":true,"required":false},"self":{"target":"tf-test","many":false,"required":false}}`},
		{"WithMirrorProperty", `"schema":{"properties":{},"required":[]},"relations":{"environment":{"target":"environment","many":false,"required":false}},"mirrorProperties":{"m":{"title":"M","path":"environment.text"},"id":{"path":"environment.$identifier"}}`},
		{"WithCalculationProperty", `"schema":{"properties":{},"required":[]},"relations":{},"calculationProperties":{"c":{"type":"number","icon":"Terraform","title":"C","description":"d","calculation":".properties.x + 1"},
			"l":{"type":"array","calculation":"[]"},"u":{"type":"string","format":"url","calculation":"\"x\"","colorized":true,"colors":{"a":"red"}}}`},
		{"Ownership direct", `"schema":{"properties":{},"required":[]},"relations":{},"ownership":{"type":"Direct","title":"Owners"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			p.T = t
			body := `{"identifier":"tf-test","title":"TF Provider Test","icon":"Terraform","description":"",` + test.more + `}`
			wrote := decoded(t, body)
			read := func() map[string]any {
				t.Helper()
				var got struct{ Blueprint map[string]any }
				p.send("GET", "/v1/blueprints/tf-test?exclude_calculated_properties=true", "").ok(200, &got)
				return got.Blueprint
			}
			// A relation to itself can be made only once the blueprint is there.
			if test.name == "UpdateRelation" {
				p.makeBlueprint("tf-test", noProperties)
			} else {
				p.send("POST", "/v1/blueprints?create_catalog_page=false", body).ok(201)
				echoed(t, "after POST", wrote, read())
			}
			p.send("PUT", "/v1/blueprints/tf-test", body).ok(200)
			echoed(t, "after PUT", wrote, read())
			p.send("DELETE", "/v1/blueprints/tf-test", "").ok(200)
		})
	}
}

// The acceptance tests of port_aggregation_properties, as specifications, relations in a circle included.
func TestTerraformReadsAggregationsAsWritten(t *testing.T) {
	origin, _ := serve(t)
	p := newProvider(t, origin)
	p.makeBlueprint("one", noProperties)
	p.makeBlueprint("two", `,"schema":{"properties":{"cost":{"type":"number"}},"required":[]},"relations":{"one":{"target":"one","many":false,"required":false}}`)
	const head = `{"identifier":"one","title":"One","icon":"Terraform","description":"","schema":{"properties":{},"required":[]},"mirrorProperties":{},"calculationProperties":{},"relations":{"two":{"target":"two","many":false,"required":false}}`
	for _, spec := range []string{
		`{"title":"T","icon":"Terraform","description":"","target":"two","calculationSpec":{"calculationBy":"entities","func":"count"}}`,
		`{"title":"T","target":"two","calculationSpec":{"calculationBy":"entities","func":"average","averageOf":"month","measureTimeBy":"$updatedAt"}}`,
		`{"title":"T","target":"two","calculationSpec":{"calculationBy":"property","func":"average","averageOf":"total","property":"cost","measureTimeBy":"$createdAt"}}`,
		`{"title":"T","target":"two","calculationSpec":{"calculationBy":"property","func":"max","property":"cost"}}`,
		`{"title":"T","target":"two","calculationSpec":{"calculationBy":"property","func":"min","property":"cost"},"query":{"combinator":"and","rules":[{"property":"cost","operator":">","value":1}]}}`,
		`{"title":"T","target":"two","calculationSpec":{"calculationBy":"property","func":"sum","property":"cost"},"pathFilter":[{"path":["one"],"fromBlueprint":"two"}]}`,
		`{"title":"T","target":"two","calculationSpec":{"calculationBy":"property","func":"median","property":"cost"},"pathFilter":[{"path":["two"]}]}`,
	} {
		body := head + `,"aggregationProperties":{"a":` + spec + `,"b":` + spec + `}}`
		p.send("PUT", "/v1/blueprints/one", body).ok(200)
		b, _ := p.blueprint("one")
		want := decoded(t, spec)
		if !reflect.DeepEqual(b.AggregationProps["a"], want) || !reflect.DeepEqual(b.AggregationProps["b"], want) {
			t.Errorf("written as %v, read as %v", want, b.AggregationProps)
		}
	}
	p.send("PUT", "/v1/blueprints/one", head+`}`).ok(200)
	if b, _ := p.blueprint("one"); len(b.AggregationProps) != 0 {
		t.Errorf("a PUT without them leaves %v", b.AggregationProps)
	}
}

// The acceptance tests of port_entity that concern values: every kind, defaults of lists, properties set to null and left out.
func TestTerraformReadsEntitiesAsWritten(t *testing.T) {
	origin, _ := serve(t)
	p := newProvider(t, origin)
	p.makeBlueprint("micro", `,"schema":{"properties":{"s":{"type":"string"},"n":{"type":"number"},"b":{"type":"boolean"},"o":{"type":"object"},"strings":{"type":"array","items":{"type":"string"}},
		"numbers":{"type":"array","items":{"type":"number"}},"booleans":{"type":"array","items":{"type":"boolean"}},"objects":{"type":"array","items":{"type":"object"}},
		"withDefault":{"type":"array","items":{"type":"string"},"default":["a"]}},"required":[]},"relations":{"many":{"target":"micro","many":true,"required":false}}`)
	const id = "tf:entity/1=x"
	write := func(method, path, values string, status int) map[string]any {
		t.Helper()
		p.send(method, path, `{"identifier":"`+id+`","title":"TF","icon":"Terraform","properties":`+values+`,"relations":{"many":["`+id+`"]},"team":[]}`).ok(status)
		var got struct{ Entity map[string]any }
		p.send("GET", "/v1/blueprints/micro/entities/"+url.PathEscape(id)+"?exclude_calculated_properties=true", "").ok(200, &got)
		if many := got.Entity["relations"].(map[string]any)["many"]; !reflect.DeepEqual(many, []any{id}) {
			t.Errorf("the relation is read as %v", many)
		}
		return got.Entity["properties"].(map[string]any)
	}
	p.send("POST", "/v1/blueprints/micro/entities?run_id=&upsert=true", `{"identifier":"`+id+`","title":"TF","properties":{},"relations":{}}`).ok(201)
	const all = `{"s":"My String Value","n":123.456,"b":true,"o":{"foo":"bar","deep":[1,{"x":null}]},"strings":["v1","v2"],"numbers":[123,456],"booleans":[true,false],"objects":[{"foo":"bar"},{"n":1}],"withDefault":["b"]}`
	echoed(t, "after POST", decoded(t, all), write("POST", "/v1/blueprints/micro/entities?run_id=&upsert=true", all, 200))
	const nulls = `{"s":null,"n":null,"b":null,"o":null,"strings":null,"numbers":[],"booleans":null,"objects":null,"withDefault":null}`
	echoed(t, "after PUT", decoded(t, nulls), write("PUT", "/v1/blueprints/micro/entities/"+url.PathEscape(id)+"?run_id=", nulls, 200))
	if got := write("PUT", "/v1/blueprints/micro/entities/"+url.PathEscape(id)+"?run_id=", `{"s":"x"}`, 200); got["n"] != nil || !reflect.DeepEqual(got["withDefault"], []any{"a"}) {
		t.Errorf("after a PUT that leaves them out: %v", got)
	}
}

// The acceptance tests of port_webhook, as mappings: each is read again with the members that were sent, and no other.
func TestTerraformReadsWebhooksAsWritten(t *testing.T) {
	origin, _ := serve(t)
	p := newProvider(t, origin)
	for n, mapping := range []string{
		`{"blueprint":"micro","operation":"create","filter":".headers.x == \"y\"","entity":{"identifier":".body.id","title":".body.title","properties":{"author":".body.user.login","url":".body.url"}}}`,
		`{"blueprint":"micro","operation":"delete","entity":{"identifier":".body.id"}}`,
		`{"blueprint":"micro","operation":{"type":"create"},"entity":{"identifier":".body.id"}}`,
		`{"blueprint":"micro","operation":{"type":"delete","deleteDependents":true},"entity":{"identifier":".body.id"}}`,
		`{"blueprint":"micro","operation":{"type":"delete","deleteDependents":false},"entity":{"identifier":".body.id"}}`,
		`{"blueprint":"micro","itemsToParse":".body.commits","entity":{"identifier":".item.id","title":"","icon":"\"Terraform\"","team":"[]","properties":{},"relations":{"one":".item.parent","many":"[.item.peers[].id]"}}}`,
		`{"blueprint":"micro","entity":{"identifier":".body.id","relations":{"one":{"combinator":"'and'","rules":[{"property":"'$title'","operator":"'='","value":".body.author"}]}}}}`,
		`{"blueprint":"micro","entity":{"identifier":{"combinator":"'or'","rules":[{"property":"'$identifier'","operator":"'='","value":".body.id"},{"property":"'url'","operator":"'contains'","value":".body.url"}]},"properties":{"a":".body.a"}}}`,
	} {
		const security = `{"secret":"test","signatureHeaderName":"X-Hub-Signature-256","signatureAlgorithm":"sha256","signaturePrefix":"sha256=","requestIdentifierPath":".body.repository.full_name"}`
		body := `{"identifier":"tf-hook","title":"Test","icon":"Terraform","description":"","enabled":true,"security":` + security + `,"mappings":[` + mapping + `,` + mapping + `]}`
		for i, call := range []struct {
			method, path string
			status       int
		}{{"POST", "/v1/webhooks", 201}, {"PUT", "/v1/webhooks/tf-hook", 200}} {
			p.send(call.method, call.path, body).ok(call.status)
			var got struct{ Integration map[string]any }
			p.send("GET", "/v1/webhooks/tf-hook", "").ok(200, &got)
			echoed(t, call.method+" of mapping "+string(rune('1'+n)), decoded(t, body), got.Integration)
			if key, there := got.Integration["webhookKey"].(string); !there || key == "" {
				t.Errorf("call %d: no key", i)
			}
		}
		p.send("DELETE", "/v1/webhooks/tf-hook", "").ok(200)
	}
	// A search that makes no sense is refused with a reason, not by a crash; nothing is made of it.
	a := p.send("POST", "/v1/webhooks", `{"identifier":"tf-bad","title":"T","enabled":true,"security":{},"mappings":[{"blueprint":"micro","entity":{"identifier":{"combinator":"'invalid'","rules":[{"property":"'$x'","operator":"'='","value":".body.a"}]}}}]}`)
	if a.status != 201 && a.status != 422 {
		t.Errorf("%s: %d %s", a.call, a.status, a.body)
	}
}
