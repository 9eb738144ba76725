package replay_test

import (
	"encoding/json"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"longshore/internal/portapi/rules"
)

// provider is the Terraform provider. One is made for each terraform command.
type provider struct{ client }

const providerAgent = "terraform-provider-port-labs/0.1"

// pointer is what the provider sends for a boolean that it holds by pointer.
const pointer = "0xc0004a2b18"

// newProvider signs in, twice, as every command does. A base URL with a trailing slash must not hurt.
func newProvider(t *testing.T, origin string) *provider {
	t.Helper()
	p := &provider{client{T: t, origin: origin + "/", agent: providerAgent}}
	p.signIn()
	first := p.token
	p.signIn()
	if p.token != first {
		t.Error("asked again at once, the token is another one")
	}
	return p
}

// read decodes a resource, and tells whether it is still there: after a 404 the provider makes it anew.
func (p *provider) read(path string, into any) bool {
	p.Helper()
	a := p.send("GET", path, "")
	if a.status == 404 {
		a.failed(404, "not_found")
		return false
	}
	a.ok(200, into)
	return true
}

type tfBlueprint struct {
	Identifier, Title string
	Icon, Description *string
	Schema            tfSchema
	MirrorProperties  map[string]map[string]any
	CalculationProps  map[string]map[string]any `json:"calculationProperties"`
	AggregationProps  map[string]map[string]any `json:"aggregationProperties"`
	Relations         map[string]map[string]any
	Ownership         map[string]any
	ChangelogDest     map[string]any `json:"changelogDestination"`
	IncludeInGlobal   *bool          `json:"includeInGlobalSearch"`
	CreatedAt         time.Time
	UpdatedAt         time.Time
	CreatedBy         string
	UpdatedBy         string
}

type tfSchema struct {
	Properties map[string]map[string]any `json:"properties"`
	Required   []string                  `json:"required"`
}

func (p *provider) blueprint(id string) (b tfBlueprint, there bool) {
	p.Helper()
	var got struct{ Blueprint tfBlueprint }
	there = p.read("/v1/blueprints/"+url.PathEscape(id)+"?exclude_calculated_properties=true", &got)
	b = got.Blueprint
	if there && (b.Identifier != id || b.MirrorProperties == nil || b.CalculationProps == nil || b.AggregationProps == nil || b.Relations == nil || b.CreatedAt.IsZero() || b.CreatedBy == "") {
		p.Fatalf("blueprint %q is read as %+v", id, b)
	}
	return b, there
}

func (p *provider) makeBlueprint(id, more string) {
	p.Helper()
	p.send("POST", "/v1/blueprints?create_catalog_page=true", `{"identifier":"`+id+`","title":"TF Provider Test","icon":"Terraform","description":"",`+
		`"mirrorProperties":{},"calculationProperties":{}`+more+`}`).ok(201)
}

const noProperties = `,"schema":{"properties":{},"required":[]},"relations":{}`

func TestTerraformBlueprint(t *testing.T) {
	rules.Of(t, "1.3-4", "2.5-3", "2.5-6", "2.6-1", "2.6-2")
	origin, _ := serve(t)
	p := newProvider(t, origin)
	p.makeBlueprint("tf:bp/1", noProperties)
	b, _ := p.blueprint("tf:bp/1")
	if b.Description == nil || *b.Description != "" || b.IncludeInGlobal != nil || b.ChangelogDest != nil || b.Ownership != nil {
		t.Errorf("what was not set is answered, or an empty text is not: %+v", b)
	}
	// Update: GET, then PUT of the whole; then a rename.
	const full = `{"identifier":"tf-renamed","title":"T2","icon":"Terraform","description":"d","schema":{"properties":{"s":{"type":"string","title":"S","x-unknown":{"k":[1]},"enum":["a"],"enumColors":{"a":"red"}},"n":{"type":"number"}},"required":["s"]},
		"mirrorProperties":{},"calculationProperties":{"c":{"type":"string","calculation":"test-rel.$identifier"}},"relations":{},"includeInGlobalSearch":false,"changelogDestination":{"type":"WEBHOOK","url":"https://x.example","agent":true}}`
	p.send("PUT", "/v1/blueprints/tf%3Abp%2F1", full).ok(200)
	if _, there := p.blueprint("tf:bp/1"); there {
		t.Error("after the rename the old identifier is still there")
	}
	b, _ = p.blueprint("tf-renamed")
	if want := map[string]any{"type": "string", "title": "S", "x-unknown": map[string]any{"k": []any{1.0}}, "enum": []any{"a"}, "enumColors": map[string]any{"a": "red"}}; !reflect.DeepEqual(b.Schema.Properties["s"], want) {
		t.Errorf("the property is answered as %v, want %v", b.Schema.Properties["s"], want)
	}
	if b.IncludeInGlobal == nil || *b.IncludeInGlobal || b.ChangelogDest["agent"] != true || len(b.CalculationProps) != 1 {
		t.Errorf("%+v", b)
	}
	// A changed type: once without the property, then with it.
	p.send("PUT", "/v1/blueprints/tf-renamed", strings.Replace(full, `"n":{"type":"number"}`, `"n":{"type":"string"}`, 1)).failed(422, "forbidden_type_change")
	p.send("PUT", "/v1/blueprints/tf-renamed", strings.Replace(full, `,"n":{"type":"number"}`, ``, 1)).ok(200)
	p.send("PUT", "/v1/blueprints/tf-renamed", strings.Replace(full, `"n":{"type":"number"}`, `"n":{"type":"string"}`, 1)).ok(200)

	// Destroy with entities left is refused by name; with force, all entities go and a migration is polled.
	p.send("POST", "/v1/blueprints/tf-renamed/entities?run_id=&upsert=true", `{"identifier":"e1","title":"","properties":{"s":"a"},"relations":{}}`).ok(201)
	if a := p.send("DELETE", "/v1/blueprints/tf-renamed", ""); a.status != 403 || !strings.Contains(string(a.body), "has_dependents") {
		t.Errorf("%s: %d %s, want has_dependents", a.call, a.status, a.body)
	}
	var gone struct{ MigrationID string }
	p.send("DELETE", "/v1/blueprints/tf-renamed/all-entities?delete_blueprint=true", "").ok(200, &gone)
	for {
		var got struct {
			Migration struct{ ID, Actor, SourceBlueprint, Status string }
		}
		p.send("GET", "/v1/migrations/"+gone.MigrationID, "").ok(200, &got)
		if got.Migration.ID != gone.MigrationID {
			t.Fatalf("migration %+v, asked for %q", got.Migration, gone.MigrationID)
		}
		if s := got.Migration.Status; s != "PENDING" && s != "INITIALIZING" && s != "RUNNING" {
			break
		}
	}
	if _, there := p.blueprint("tf-renamed"); there {
		t.Error("the blueprint is still there")
	}
	p.send("DELETE", "/v1/blueprints/tf-renamed", "").failed(404, "not_found")
}

type tfEntity struct {
	Identifier, Title, Blueprint string
	Icon                         *string
	Team                         []string
	Properties, Relations        map[string]any
	CreatedAt, UpdatedAt         time.Time
	CreatedBy, UpdatedBy         string
}

func (p *provider) entity(blueprint, id string) (e tfEntity, there bool) {
	p.Helper()
	var got struct{ Entity tfEntity }
	there = p.read("/v1/blueprints/"+url.PathEscape(blueprint)+"/entities/"+url.PathEscape(id)+"?exclude_calculated_properties=true", &got)
	return got.Entity, there
}

func TestTerraformEntityAndSearch(t *testing.T) {
	rules.Of(t, "3.2-2", "3.2-3", "3.2-7", "3.2-10", "3.3-5", "4.4-1")
	origin, _ := serve(t)
	p := newProvider(t, origin)
	p.makeBlueprint("micro", `,"schema":{"properties":{"str":{"type":"string"},"num":{"type":"number"},"obj":{"type":"object"},"arr":{"type":"array","items":{"type":"string"}}},"required":[]},
		"relations":{"parent":{"target":"micro","many":false,"required":false},"peers":{"target":"micro","many":true,"required":false}}`)
	// Create: the blueprint is read first, for the types.
	if _, there := p.blueprint("micro"); !there {
		t.Fatal("no blueprint")
	}
	p.send("POST", "/v1/blueprints/micro/entities?run_id=&upsert=true", `{"identifier":"https://a/b:c=d","title":"","properties":{"num":12345678901234567890,"str":null},"relations":{}}`).ok(201)
	var made struct{ Entity tfEntity }
	p.send("POST", "/v1/blueprints/micro/entities?run_id=&upsert=true&create_missing_related_entities=false", `{"title":"T","properties":{"arr":[]},"relations":{"parent":"https://a/b:c=d","peers":["https://a/b:c=d"]}}`).ok(201, &made)
	if id := made.Entity.Identifier; len(id) != 18 || !strings.HasPrefix(id, "e_") {
		t.Errorf("the identifier that was made up is %q", id)
	}
	e, _ := p.entity("micro", "https://a/b:c=d")
	if e.Title != "https://a/b:c=d" || e.Team == nil || e.Blueprint != "micro" || e.CreatedAt.IsZero() {
		t.Errorf("read as %+v", e)
	}
	for _, name := range []string{"str", "obj", "arr"} {
		if v, there := e.Properties[name]; !there || v != nil {
			t.Errorf("property %s that is unset is %v (there: %t), want null", name, v, there)
		}
	}
	if v, there := e.Relations["parent"]; !there || v != nil || !reflect.DeepEqual(e.Relations["peers"], []any{}) {
		t.Errorf("relations that are unset are %v", e.Relations)
	}
	if a := p.send("GET", "/v1/blueprints/micro/entities/"+url.PathEscape("https://a/b:c=d"), ""); !strings.Contains(string(a.body), ":12345678901234567890") {
		t.Errorf("the big number is answered in another form: %s", a.body)
	}
	p.send("POST", "/v1/blueprints/micro/entities?run_id=&upsert=true", `{"identifier":"x","properties":{},"relations":{"parent":"nobody"}}`).failed(404, "not_found")

	// Update is a PUT; a new identifier renames, and who points at it follows.
	p.send("PUT", "/v1/blueprints/micro/entities/"+url.PathEscape("https://a/b:c=d")+"?run_id=", `{"identifier":"renamed","title":"R","properties":{"str":"s"},"relations":{}}`).ok(200)
	e, _ = p.entity("micro", made.Entity.Identifier)
	if e.Relations["parent"] != "renamed" || !reflect.DeepEqual(e.Relations["peers"], []any{"renamed"}) {
		t.Errorf("after the rename the relations are %v", e.Relations)
	}
	if _, there := p.entity("micro", "https://a/b:c=d"); there {
		t.Error("the old identifier is still there")
	}
	// A renamed blueprint takes its entities and relations along.
	b, _ := p.blueprint("micro")
	p.send("PUT", "/v1/blueprints/micro", toJSON(map[string]any{
		"identifier": "macro", "title": b.Title, "schema": b.Schema, "mirrorProperties": b.MirrorProperties,
		"calculationProperties": b.CalculationProps, "relations": map[string]any{"parent": map[string]any{"target": "macro", "many": false, "required": false}, "peers": map[string]any{"target": "macro", "many": true, "required": false}},
	})).ok(200)
	if e, there := p.entity("macro", "renamed"); !there || e.Blueprint != "macro" || e.Properties["str"] != "s" {
		t.Errorf("after the blueprint's rename: %t %+v", there, e)
	}

	// The data source port_search: booleans by pointer, include comma-joined, then each blueprint that matched.
	for _, include := range []string{"include=identifier,title", "include=identifier&include=title"} {
		var found struct {
			MatchingBlueprints []string
			Entities           []tfEntity
		}
		p.send("POST", "/v1/entities/search?exclude_calculated_properties="+pointer+"&attach_title_to_relation="+pointer+"&"+include, `{"combinator":"and","rules":[{"property":"$blueprint","operator":"=","value":"macro"}]}`).ok(200, &found)
		if len(found.Entities) != 2 || !reflect.DeepEqual(found.MatchingBlueprints, []string{"macro"}) {
			t.Fatalf("%s: found %+v", include, found)
		}
		for _, e := range found.Entities {
			if e.Blueprint != "macro" || e.Title == "" || e.Properties != nil {
				t.Errorf("%s: entity %+v", include, e)
			}
			if _, there := p.blueprint(e.Blueprint); !there {
				t.Error("the blueprint that matched cannot be read")
			}
		}
	}
	p.send("DELETE", "/v1/blueprints/macro/entities/renamed?delete_dependents="+pointer, "").ok(200)
	if e, _ := p.entity("macro", made.Entity.Identifier); e.Relations["parent"] != nil {
		t.Errorf("what was deleted is still pointed at: %v", e.Relations)
	}
	if _, there := p.entity("macro", "renamed"); there {
		t.Error("the entity is still there")
	}
}

func TestTerraformWebhook(t *testing.T) {
	rules.Of(t, "6.1-1", "6.2-2", "6.2-3", "6.2-4", "6.2-5")
	origin, _ := serve(t)
	p := newProvider(t, origin)
	type webhook struct {
		Identifier, Title, Description, Icon, URL, WebhookKey string
		Enabled                                               bool
		Security                                              *struct{ Secret, SignatureHeaderName, SignatureAlgorithm, SignaturePrefix, RequestIdentifierPath *string }
		Mappings                                              []map[string]any
	}
	read := func(a answer, status int) webhook {
		t.Helper()
		var got struct{ Integration webhook }
		a.ok(status, &got)
		if got.Integration.Security == nil || got.Integration.Mappings == nil {
			t.Fatalf("%s: no security or no mappings: %s", a.call, a.body)
		}
		return got.Integration
	}
	made := read(p.send("POST", "/v1/webhooks", `{"title":"W","enabled":true,"mappings":[{"blueprint":"later","filter":".body.x ==","entity":{"identifier":"{\"combinator\":\"'and'\"}","properties":{"a":".body.a"}}}],"security":{}}`), 201)
	if made.Identifier == "" || made.WebhookKey == "" || !strings.Contains(made.URL, made.WebhookKey) {
		t.Fatalf("made %+v", made)
	}
	if _, added := made.Mappings[0]["operation"]; added || len(made.Mappings[0]) != 3 {
		t.Errorf("the mapping is not echoed: %v", made.Mappings[0])
	}
	changed := read(p.send("PUT", "/v1/webhooks/"+made.Identifier, `{"identifier":"renamed","title":"W2","description":"","enabled":false,"mappings":[],"security":{"secret":"s","signatureHeaderName":"x-s","signatureAlgorithm":"sha256","signaturePrefix":"p="}}`), 200)
	if changed.WebhookKey != made.WebhookKey || changed.Identifier != "renamed" || *changed.Security.Secret != "s" || changed.Enabled {
		t.Errorf("changed to %+v", changed)
	}
	p.send("GET", "/v1/webhooks/"+made.Identifier, "").failed(404, "not_found")
	read(p.send("GET", "/v1/webhooks/renamed", ""), 200)
	p.send("DELETE", "/v1/webhooks/renamed", "").ok(200)
	p.send("GET", "/v1/webhooks/renamed", "").failed(404, "not_found")
}

func TestTerraformAggregations(t *testing.T) {
	rules.Of(t, "2.5-3")
	origin, _ := serve(t)
	p := newProvider(t, origin)
	p.makeBlueprint("parent", noProperties)
	p.makeBlueprint("child", `,"schema":{"properties":{"n":{"type":"number"}},"required":[]},"relations":{"of":{"target":"parent","many":false,"required":false}}`)
	p.send("POST", "/v1/blueprints/parent/entities?run_id=&upsert=true", `{"identifier":"p","properties":{},"relations":{}}`).ok(201)
	for _, id := range []string{"a", "b"} {
		p.send("POST", "/v1/blueprints/child/entities?run_id=&upsert=true", `{"identifier":"`+id+`","properties":{"n":3},"relations":{"of":"p"}}`).ok(201)
	}
	put := func(aggregations string) tfBlueprint {
		t.Helper()
		b, _ := p.blueprint("parent")
		body := map[string]any{
			"identifier": b.Identifier, "title": b.Title, "icon": b.Icon, "description": b.Description, "schema": b.Schema, "mirrorProperties": b.MirrorProperties,
			"calculationProperties": b.CalculationProps, "relations": b.Relations,
		}
		if aggregations != "" {
			body["aggregationProperties"] = json.RawMessage(aggregations)
		}
		p.send("PUT", "/v1/blueprints/parent", toJSON(body)).ok(200)
		b, _ = p.blueprint("parent")
		return b
	}
	const count = `{"count":{"title":"Count","icon":"Terraform","description":"d","target":"child","calculationSpec":{"calculationBy":"entities","func":"count"}},
		"sum":{"title":"Sum","target":"child","calculationSpec":{"calculationBy":"property","func":"sum","property":"n"},"query":{"combinator":"and","rules":[{"property":"n","operator":"=","value":3}]},"pathFilter":[{"path":["of"],"fromBlueprint":"child"}]}}`
	var want map[string]map[string]any
	if err := json.Unmarshal([]byte(count), &want); err != nil {
		t.Fatal(err)
	}
	if b := put(count); !reflect.DeepEqual(b.AggregationProps, want) {
		t.Errorf("aggregations are answered as %v, want %v", b.AggregationProps, want)
	}
	var got struct{ Entity tfEntity }
	p.send("GET", "/v1/blueprints/parent/entities/p", "").ok(200, &got)
	if got.Entity.Properties["count"] != 2.0 || got.Entity.Properties["sum"] != 6.0 {
		t.Errorf("aggregated to %v", got.Entity.Properties)
	}
	if b := put(""); len(b.AggregationProps) != 0 {
		t.Errorf("after a PUT without them aggregations are %v", b.AggregationProps)
	}
}

func TestTerraformSystemBlueprint(t *testing.T) {
	rules.Of(t, "2.7-1", "2.7-2", "2.7-4")
	origin, _ := serve(t)
	p := newProvider(t, origin)
	b, there := p.blueprint("_user")
	if !there {
		t.Fatal("_user is not there")
	}
	var base struct{ Blueprint tfBlueprint }
	p.send("GET", "/v1/blueprints/system/_user/structure", "").ok(200, &base)
	for _, name := range []string{"status", "port_role", "moderated_blueprints"} {
		if base.Blueprint.Schema.Properties[name] == nil || b.Schema.Properties[name] == nil {
			t.Errorf("_user has no %s", name)
		}
	}
	merged := base.Blueprint
	merged.Schema.Properties["shoe_size"] = map[string]any{"type": "number", "title": "Shoe size"}
	body := map[string]any{
		"identifier": "_user", "title": b.Title, "icon": b.Icon, "schema": merged.Schema, "relations": merged.Relations, "mirrorProperties": map[string]any{},
		"calculationProperties": map[string]any{}, "aggregationProperties": map[string]any{},
	}
	p.send("PUT", "/v1/blueprints/_user", toJSON(body)).ok(200)
	if b, _ = p.blueprint("_user"); b.Schema.Properties["shoe_size"] == nil {
		t.Error("the property was not added")
	}
	// Destroy leaves the blueprint as it came; it cannot be deleted.
	delete(merged.Schema.Properties, "shoe_size")
	p.send("PUT", "/v1/blueprints/_user", toJSON(body)).ok(200)
	delete(merged.Schema.Properties, "status")
	p.send("PUT", "/v1/blueprints/_user", toJSON(body)).failed(422, "protected_blueprint_violation")
	if a := p.send("DELETE", "/v1/blueprints/_user", ""); a.status < 400 || a.status >= 500 {
		t.Errorf("%s: %d %s", a.call, a.status, a.body)
	}
}

func TestTerraformIntegration(t *testing.T) {
	rules.Of(t, "10.1-1", "10.2-1", "10.2-3")
	origin, _ := serve(t)
	p := newProvider(t, origin)
	type integration struct {
		InstallationID, InstallationAppType, Version string
		Title                                        *string
		Config                                       map[string]any
		ChangelogDestination                         *struct {
			Type, URL string
			Agent     *bool
		}
	}
	read := func(a answer) integration {
		t.Helper()
		var got struct{ Integration integration }
		a.ok(200, &got)
		return got.Integration
	}
	for _, id := range []string{"-my-kafka-1", "0", "a--b"} {
		p.send("POST", "/v1/integration", `{"installationId":"`+id+`","installationAppType":"kafka"}`).ok(200)
		i := read(p.send("GET", "/v1/integration/"+id+"?byField=installationId", ""))
		if i.InstallationID != id || i.InstallationAppType != "kafka" || i.Title != nil || i.ChangelogDestination != nil || i.Config != nil {
			t.Errorf("what was not set is answered: %+v", i)
		}
		i = read(p.send("PATCH", "/v1/integration/"+id, `{"title":"T","version":"1","installationAppType":"kafka","config":{"resources":[{"kind":"k","x":1}]},"changelogDestination":{"type":"WEBHOOK","url":"https://x.example","agent":true}}`))
		if i.Title == nil || *i.Title != "T" || i.ChangelogDestination == nil || i.ChangelogDestination.Agent == nil || len(i.Config["resources"].([]any)) != 1 {
			t.Errorf("patched to %+v", i)
		}
		i = read(p.send("PATCH", "/v1/integration/"+id, `{"title":null,"version":"1","changelogDestination":null}`))
		if i.Title != nil || i.ChangelogDestination != nil || i.Version != "1" || i.Config == nil {
			t.Errorf("cleared to %+v", i)
		}
		p.send("DELETE", "/v1/integration/"+id, "").ok(200)
		p.send("GET", "/v1/integration/"+id+"?byField=installationId", "").failed(404, "not_found")
	}
}

func TestTerraformTeam(t *testing.T) {
	rules.Of(t, "5-1")
	origin, _ := serve(t)
	p := newProvider(t, origin)
	type written struct {
		Team struct {
			Name, Provider       string
			Description          *string
			Users                []string
			CreatedAt, UpdatedAt *time.Time
		}
	}
	type read struct {
		Team struct {
			Name, Provider       string
			Description          *string
			Users                []struct{ Email string }
			CreatedAt, UpdatedAt *time.Time
		}
	}
	const fields = "?fields=name&fields=provider&fields=description&fields=createdAt&fields=updatedAt&fields=users.firstName&fields=users.status&fields=users.email"
	var made written
	p.send("POST", "/v1/teams", `{"name":"TF team/1","description":"d","users":["devops-port@port-test.io"]}`).ok(200, &made)
	var got read
	if !p.read("/v1/teams/TF%20team%2F1"+fields, &got) || len(got.Team.Users) != 1 || got.Team.Users[0].Email != "devops-port@port-test.io" || got.Team.CreatedAt == nil || *got.Team.Description != "d" {
		t.Errorf("read as %+v", got)
	}
	var changed written
	p.send("PUT", "/v1/teams/TF%20team%2F1", `{"name":"renamed","description":"e","users":[]}`).ok(200, &changed)
	if changed.Team.Name != "renamed" || len(changed.Team.Users) != 0 {
		t.Errorf("changed to %+v", changed)
	}
	p.send("PATCH", "/v1/teams/renamed", `{"name":"renamed","users":["a@b.example"]}`).ok(200, &changed)
	if p.read("/v1/teams/TF%20team%2F1"+fields, &got) {
		t.Error("the old name is still there")
	}
	p.send("DELETE", "/v1/teams/renamed", "").ok(200)
	if p.read("/v1/teams/renamed"+fields, &got) {
		t.Error("the team is still there")
	}
}

func TestTerraformScorecard(t *testing.T) {
	rules.Of(t, "5-2")
	origin, _ := serve(t)
	p := newProvider(t, origin)
	p.makeBlueprint("micro", `,"schema":{"properties":{"sum":{"type":"number"},"author":{"type":"string"}},"required":[]},"relations":{}`)
	type scorecard struct {
		Identifier, Title, Blueprint string
		Filter                       *struct {
			Combinator string
			Conditions []map[string]any
		}
		Levels []struct{ Title, Color string }
		Rules  []struct {
			Identifier, Title, Level string
			Query                    struct {
				Combinator string
				Conditions []map[string]any
			}
		}
		CreatedAt, UpdatedAt *time.Time
		CreatedBy, UpdatedBy string
	}
	const rulesOf = `"rules":[{"identifier":"second","title":"B","level":"Gold","query":{"combinator":"and","conditions":[{"operator":"isNotEmpty","property":"author"}]}},
		{"identifier":"first","title":"A","level":"Silver","query":{"combinator":"or","conditions":[{"operator":">","property":"sum","value":3},{"operator":"=","property":"sum","value":1}]}}]`
	read := func(a answer, status int) scorecard {
		t.Helper()
		var got struct{ Scorecard scorecard }
		a.ok(status, &got)
		s := got.Scorecard
		if len(s.Rules) != 2 || s.Rules[0].Identifier != "second" || s.Rules[1].Query.Conditions[1]["value"] != 1.0 || s.CreatedAt == nil || s.CreatedBy == "" || s.Blueprint != "micro" {
			t.Fatalf("%s: %s", a.call, a.body)
		}
		return s
	}
	s := read(p.send("POST", "/v1/blueprints/micro/scorecards", `{"identifier":"sc","title":"SC",`+rulesOf+`}`), 201)
	if s.Filter != nil || len(s.Levels) != 4 || s.Levels[0].Title != "Basic" || s.Levels[0].Color != "paleBlue" || s.Levels[3].Color != "gold" {
		t.Errorf("made %+v", s)
	}
	read(p.send("GET", "/v1/blueprints/micro/scorecards/sc", ""), 200)
	s = read(p.send("PUT", "/v1/blueprints/micro/scorecards/sc", `{"identifier":"sc2","title":"SC","filter":{"combinator":"and","conditions":[{"property":"sum","operator":">","value":0}]},
		"levels":[{"title":"None","color":"red"},{"title":"Silver","color":"silver"},{"title":"Gold","color":"gold"}],`+rulesOf+`}`), 200)
	if s.Identifier != "sc2" || s.Filter == nil || len(s.Levels) != 3 || s.Levels[0].Title != "None" {
		t.Errorf("changed to %+v", s)
	}
	p.send("GET", "/v1/blueprints/micro/scorecards/sc", "").failed(404, "not_found")
	p.send("DELETE", "/v1/blueprints/micro/scorecards/sc2", "").ok(200)
	p.send("DELETE", "/v1/blueprints/micro", "").ok(200)
}

func TestTerraformOrganization(t *testing.T) {
	rules.Of(t, "1.7-1", "1.7-2", "1.7-3")
	origin, _ := serve(t)
	p := newProvider(t, origin)
	var home struct {
		Organization struct {
			ID, Name     string
			FeatureFlags []string
		}
	}
	p.send("GET", "/v1/organization", "").ok(200, &home)
	p.send("PUT", "/v1/organization", `{"name":"TF org"}`).ok(200)
	p.send("PATCH", "/v1/organization", `{"settings":{"portalTitle":"x"}}`).ok(200)
	p.send("GET", "/v1/organization", "").ok(200, &home)
	if home.Organization.Name != "TF org" || home.Organization.FeatureFlags == nil || len(home.Organization.FeatureFlags) > 0 {
		t.Errorf("organization %+v", home)
	}
	const value = "hunter22222"
	read := func(a answer) (name string, description *string) {
		t.Helper()
		var got struct {
			Secret struct {
				SecretName, SecretValue string
				Description             *string
			}
		}
		a.ok(200, &got)
		if strings.Contains(string(a.body), value) || got.Secret.SecretValue != "" {
			t.Fatalf("%s tells the secret", a.call)
		}
		return got.Secret.SecretName, got.Secret.Description
	}
	if name, d := read(p.send("POST", "/v1/organization/secrets", `{"secretName":"tf_secret","secretValue":"`+value+`","description":"d"}`)); name != "tf_secret" || d == nil || *d != "d" {
		t.Errorf("made %q, %v", name, d)
	}
	read(p.send("GET", "/v1/organization/secrets/tf_secret", ""))
	if _, d := read(p.send("PATCH", "/v1/organization/secrets/tf_secret", `{"secretValue":"`+value+`2","description":"e"}`)); d == nil || *d != "e" {
		t.Errorf("changed to %v", d)
	}
	p.send("DELETE", "/v1/organization/secrets/tf_secret", "").ok(200)
	p.send("GET", "/v1/organization/secrets/tf_secret", "").failed(404, "not_found")
}

func TestTerraformBlueprintPermissions(t *testing.T) {
	rules.Of(t, "5-3")
	origin, _ := serve(t)
	p := newProvider(t, origin)
	p.makeBlueprint("micro", `,"schema":{"properties":{"str":{"type":"string"}},"required":[]},"relations":{"parent":{"target":"micro","many":false,"required":false}}`)
	type block struct {
		Users, Roles, Teams []string
		OwnedByTeam         *bool
	}
	type permissions struct {
		Entities struct {
			Read, Register, Unregister, Update *block
			UpdateProperties, UpdateRelations  map[string]block
		}
	}
	read := func(a answer) permissions {
		t.Helper()
		var got struct{ Permissions permissions }
		a.ok(200, &got)
		e := got.Permissions.Entities
		blocks := map[string]*block{"read": e.Read, "register": e.Register, "unregister": e.Unregister, "update": e.Update}
		for _, name := range []string{"str", "$title", "$icon", "$team", "$identifier"} {
			if b, there := e.UpdateProperties[name]; there {
				blocks[name] = &b
			} else {
				t.Errorf("%s: no permission to update %s: %s", a.call, name, a.body)
			}
		}
		parent := e.UpdateRelations["parent"]
		blocks["parent"] = &parent
		for name, b := range blocks {
			if b == nil || b.Users == nil || b.Roles == nil || b.Teams == nil || b.OwnedByTeam == nil {
				t.Fatalf("%s: %s lacks one of its four members: %s", a.call, name, a.body)
			}
		}
		return got.Permissions
	}
	const path = "/v1/blueprints/micro/permissions"
	before := read(p.send("GET", path, ""))
	after := read(p.send("PATCH", path, `{"entities":{"register":{"users":["a@b.example"],"roles":["Member"],"teams":["T"],"ownedByTeam":true},"updateProperties":{"str":{"users":[],"roles":["Admin"],"teams":[],"ownedByTeam":false}}}}`))
	if r := after.Entities.Register; !reflect.DeepEqual(r.Roles, []string{"Member"}) || !*r.OwnedByTeam || !reflect.DeepEqual(r.Users, []string{"a@b.example"}) {
		t.Errorf("register is %+v", r)
	}
	if !reflect.DeepEqual(before.Entities.Unregister, after.Entities.Unregister) {
		t.Errorf("what was not sent changed from %+v to %+v", before.Entities.Unregister, after.Entities.Unregister)
	}
	if again := read(p.send("GET", path, "")); !reflect.DeepEqual(again, after) {
		t.Errorf("read as %+v, want %+v", again, after)
	}
	p.send("DELETE", "/v1/blueprints/micro", "").ok(200)
	p.send("GET", path, "").failed(404, "not_found")
}
