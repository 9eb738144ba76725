package portapi_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"longshore/internal/auth"
	"longshore/internal/catalog"
)

// world is a house with a blueprint, vault, that is hidden from all but admins, and others that look into it in every way
// there is. Two worlds differ in the vault alone: whoever may not see it must be answered alike in both.
type world struct{ *house }

// vaultOf is what the vault holds in each of the two worlds: as many entities, written as often.
var vaultOf = [2][]string{
	{`{"identifier":"v1","title":"Crown jewels","team":["core"],"properties":{"level":"gold","score":7}}`, `{"identifier":"v2","properties":{"level":"silver","score":1}}`},
	{`{"identifier":"v8","title":"Spoons","properties":{"level":"tin","score":3}}`, `{"identifier":"v2","title":"Safe","properties":{"level":"brass","score":9}}`},
}

func newWorld(t *testing.T, which int) world {
	t.Helper()
	h := newHouse(t)
	post := func(path, body string) {
		t.Helper()
		h.call("POST", path, body).want(201, "")
	}
	post("/v1/blueprints", `{"identifier":"vault","title":"Vault","schema":{"properties":{"level":{"type":"string"},"score":{"type":"number"}},"required":[]}}`)
	post("/v1/blueprints", `{"identifier":"box","title":"Box","schema":{"properties":{"color":{"type":"string"}},"required":[]},
		"relations":{"in":{"title":"In","target":"vault"},"all":{"title":"All","target":"vault","many":true}},
		"mirrorProperties":{"level":{"title":"L","path":"in.level"},"name":{"title":"N","path":"in.$title"},"levels":{"title":"Ls","path":"all.level"},"owner":{"title":"O","path":"in.$team"}},
		"calculationProperties":{"shout":{"title":"S","type":"string","calculation":".properties.level | ascii_upcase"},"bare":{"title":"B","type":"string","calculation":".properties | tostring"},
			"plain":{"title":"P","type":"string","calculation":".properties.color + \"!\""}},
		"aggregationProperties":{"sum":{"title":"Sum","target":"vault","calculationSpec":{"func":"sum","property":"score","calculationBy":"property"}}}}`)
	post("/v1/blueprints", `{"identifier":"crate","title":"Crate","schema":{"properties":{},"required":[]},"relations":{"in":{"title":"In","target":"vault"},"on":{"title":"On","target":"box"}},
		"mirrorProperties":{"deep":{"title":"D","path":"on.level"}},
		"aggregationProperties":{"loud":{"title":"Loud","target":"box","calculationSpec":{"func":"count","calculationBy":"entities"},
			"query":{"combinator":"and","rules":[{"property":"level","operator":"=","value":"gold"}]}},
			"rel":{"title":"Rel","target":"box","calculationSpec":{"func":"count","calculationBy":"entities"},
			"query":{"combinator":"and","rules":[{"operator":"relatedTo","blueprint":"vault","value":"v1"}]}}}}`)
	h.call("PATCH", "/v1/blueprints/vault", `{"relations":{"crates":{"title":"Cs","target":"crate","many":true,"inverseOf":"in"},"keeper":{"title":"K","target":"box"}}}`).want(200, "")
	h.call("PATCH", "/v1/blueprints/box", `{"relations":{"kept":{"title":"Kept","target":"vault","many":true,"inverseOf":"keeper"}},
		"aggregationProperties":{"near":{"title":"Near","target":"crate","calculationSpec":{"func":"count","calculationBy":"entities"},"pathFilter":[{"path":["in","crates"],"fromBlueprint":"box"}]}}}`).want(200, "")
	post("/v1/blueprints/box/scorecards", `{"identifier":"card","title":"Card","rules":[
		{"identifier":"golden","title":"G","level":"Gold","query":{"combinator":"and","conditions":[{"property":"level","operator":"=","value":"gold"}]}},
		{"identifier":"near","title":"Near","level":"Bronze","query":{"combinator":"and","conditions":[{"operator":"relatedTo","blueprint":"vault","value":"v1"}]}}]}`)
	h.permit("vault", `{"read":{"roles":["Admin"]},"register":{"roles":["Admin"]},"update":{"roles":["Admin"]},"unregister":{"roles":["Admin"]},
		"updateProperties":{"level":{"roles":["Admin"]},"score":{"roles":["Admin"]},"$title":{"roles":["Admin"]},"$identifier":{"roles":["Admin"]}}}`)
	for _, v := range vaultOf[which] {
		post("/v1/blueprints/vault/entities", v)
	}
	// Relations to what is not there come from the pipeline.
	for _, c := range []catalog.Change{
		{Blueprint: "box", Identifier: "b1", Properties: []catalog.Field{{Name: "color", Value: []byte(`"red"`)}}, Relations: []catalog.Field{{Name: "in", Value: []byte(`"v1"`)}, {Name: "all", Value: []byte(`["v1","v2"]`)}}},
		{Blueprint: "box", Identifier: "b2", Relations: []catalog.Field{{Name: "in", Value: []byte(`"v9"`)}}},
		{Blueprint: "crate", Identifier: "c1", Relations: []catalog.Field{{Name: "in", Value: []byte(`"v1"`)}, {Name: "on", Value: []byte(`"b1"`)}}},
		{Blueprint: "crate", Identifier: "c2", Relations: []catalog.Field{{Name: "in", Value: []byte(`"v9"`)}, {Name: "on", Value: []byte(`"b2"`)}}},
		{Blueprint: "crate", Identifier: "c3", Relations: []catalog.Field{{Name: "in", Value: []byte(`"v2"`)}}},
	} {
		c.Lenient, c.Actor = true, "pipeline"
		if _, err := h.catalog.Write(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	h.call("PATCH", "/v1/blueprints/vault/entities/v2", []string{`{"relations":{"keeper":"b1"}}`, `{"properties":{"score":5}}`}[which]).want(200, "")
	if _, err := h.store.Catalog().IndexWords(t.Context()); err != nil {
		t.Fatal(err)
	}
	return world{h}
}

// trace is what differs between two calls that are alike.
var trace = regexp.MustCompile(`"traceId":"[^"]*"|e_[A-Za-z0-9]{16}|client_[A-Z2-7]{20}`)

func (w world) ask(c attack, who string) string {
	a := w.call(c.method, c.path, c.body, who)
	return fmt.Sprint(a.status, " ", trace.ReplaceAllString(a.body, ""))
}

// attack is one way to learn of what is hidden.
type attack struct {
	name, method, path, body string
}

// looks are attacks by reading: an admin is answered differently in the two worlds.
func looks() []attack {
	find := func(name, rule string) []attack {
		query := `{"combinator":"and","rules":[` + rule + `]}`
		return []attack{
			{name, "POST", "/v1/entities/search", query},
			{name + ", counted", "POST", "/v1/entities/aggregate", `{"func":"count","query":` + query + `}`},
		}
	}
	of := func(name, blueprint, rule string) []attack {
		query := `{"combinator":"and","rules":[` + rule + `]}`
		path := "/v1/blueprints/" + blueprint + "/entities/"
		return []attack{
			{name, "POST", path + "search", `{"query":` + query + `}`},
			{name + ", counted", "POST", path + "search/count", `{"query":` + query + `}`},
			{name + ", top", "POST", path + "top-search", `{"query":` + query + `}`},
		}
	}
	history := `"timeInterval":"day","timeRange":{"preset":"lastWeek"}`
	all := []attack{
		{"hidden entity", "GET", "/v1/blueprints/vault/entities/v1", ""},
		{"hidden entities", "GET", "/v1/blueprints/vault/entities", ""},
		{"hidden search", "POST", "/v1/blueprints/vault/entities/search", `{}`},
		{"hidden top-search", "POST", "/v1/blueprints/vault/entities/top-search", `{"groupBy":{"property":"level"}}`},
		{"hidden count", "POST", "/v1/blueprints/vault/entities/search/count", `{"query":{"combinator":"and","rules":[{"property":"level","operator":"=","value":"tin"}]}}`},
		{"derived values", "GET", "/v1/blueprints/box/entities/b1", ""},
		{"derived values, with titles", "GET", "/v1/blueprints/box/entities/b1?attach_title_to_relation=true&attach_identifier_to_title_mirror_properties=true", ""},
		{"titles alone", "GET", "/v1/blueprints/box/entities/b1?include=relations.in&attach_title_to_relation=true", ""},
		{"title mirror", "GET", "/v1/blueprints/box/entities/b1?include=name&attach_identifier_to_title_mirror_properties=true", ""},
		{"scorecards", "GET", "/v1/blueprints/box/entities/b1?include=scorecards", ""},
		{"calculation of everything", "GET", "/v1/blueprints/box/entities/b1?include=bare", ""},
		{"aggregation through the hidden", "GET", "/v1/blueprints/box/entities/b1?include=near", ""},
		{"inverse relation", "GET", "/v1/blueprints/box/entities/b1?include=kept", ""},
		{"mirror of a mirror", "GET", "/v1/blueprints/crate/entities/c1?include=deep", ""},
		{"aggregation by a mirror", "GET", "/v1/blueprints/crate/entities/c1?include=loud", ""},
		{"aggregation by a relation", "GET", "/v1/blueprints/crate/entities/c1?include=rel", ""},
		{"every box", "GET", "/v1/blueprints/box/entities", ""},
		{"every crate", "GET", "/v1/blueprints/crate/entities", ""},
		{"everything", "POST", "/v1/entities/search", `{"combinator":"and","rules":[]}`},
		{"group by mirror", "POST", "/v1/blueprints/box/entities/top-search", `{"groupBy":{"property":"level"}}`},
		{"values of a mirror", "POST", "/v1/entities/aggregate", `{"func":"countValues","property":"level","query":{"combinator":"and","rules":[{"property":"$blueprint","operator":"=","value":"box"}]}}`},
		{"sum of an aggregation", "POST", "/v1/entities/aggregate", `{"func":"sum","property":"sum","query":{"combinator":"and","rules":[{"property":"$blueprint","operator":"=","value":"box"}]}}`},
		{"values of an inverse relation", "POST", "/v1/entities/aggregate", `{"func":"countValues","relation":"kept","query":{"combinator":"and","rules":[{"property":"$blueprint","operator":"=","value":"box"}]}}`},
		{"breakdown by a mirror", "POST", "/v1/entities/aggregate-over-time", `{"blueprint":"box","aggregationType":"countEntities","func":"count","breakdownProperty":"level",` + history + `}`},
		{"an aggregation over time", "POST", "/v1/entities/aggregate-over-time", `{"blueprint":"box","aggregationType":"aggregatePropertiesValues","func":"sum","properties":["sum"],` + history + `}`},
		{"properties-history of a mirror", "POST", "/v1/entities/properties-history", `{"entityIdentifier":"b1","blueprintIdentifier":"box","propertyNames":["level"],` + history + `}`},
		{"properties-history of the hidden", "POST", "/v1/entities/properties-history", `{"entityIdentifier":"v2","blueprintIdentifier":"vault","propertyNames":["level"],` + history + `}`},
		{"audit log", "GET", "/v1/audit-log", ""},
		{"audit log of the hidden", "GET", "/v1/audit-log?blueprint=vault", ""},
		{"audit log by identifier", "GET", "/v1/audit-log?entity=v1&resources=entity", ""},
		{"waiting relations", "GET", "/v1/longshore/pending", ""},
		{"global search", "GET", "/v1/longshore/search?q=gold", ""},
		{"global search by title", "GET", "/v1/longshore/search?q=jewels", ""},
		{"whose exporter", "POST", "/v1/blueprints/entities/datasource-entities", `{"datasource_prefix":"test","datasource_suffix":""}`},
	}
	for name, rule := range map[string]string{
		"search by a mirror":           `{"property":"level","operator":"=","value":"gold"}`,
		"search by a title mirror":     `{"property":"name","operator":"contains","value":"Crown"}`,
		"search by a list mirror":      `{"property":"levels","operator":"containsAny","value":["gold"]}`,
		"search by an inherited value": `{"property":"owner","operator":"isNotEmpty"}`,
		"search by a calculation":      `{"property":"shout","operator":"=","value":"GOLD"}`,
		"search by an aggregation":     `{"property":"sum","operator":">","value":7.5}`,
		"search by a path aggregation": `{"property":"near","operator":">=","value":1}`,
		"search by an inverse":         `{"relation":"kept","operator":"isNotEmpty"}`,
		"search by an inverse's value": `{"relation":"kept","operator":"contains","value":"v2"}`,
		"relatedTo":                    `{"operator":"relatedTo","blueprint":"vault","value":"v1"}`,
		"relatedTo, upstream":          `{"operator":"relatedTo","blueprint":"vault","value":"v1","direction":"downstream"}`,
		"relatedTo through the hidden": `{"operator":"relatedTo","blueprint":"crate","value":"c3"}`,
		"matchAny at the hidden":       `{"operator":"matchAny","property":{"path":["in"]},"value":"v1"}`,
		"matchAny through the hidden":  `{"operator":"matchAny","property":{"path":["in","crates"]},"value":"c1"}`,
		"matchAny from the hidden":     `{"operator":"matchAny","property":{"path":["keeper"],"fromBlueprint":"vault"},"value":"v2"}`,
	} {
		all = append(all, find(name, rule)...)
		blueprint := "box"
		all = append(all, of(name, blueprint, rule)...)
	}
	for name, rule := range map[string]string{
		"search by a scorecard":          `{"scorecard":"card","operator":"=","value":"Gold"}`,
		"search by a mirror of a mirror": `{"property":"deep","operator":"=","value":"gold"}`,
	} {
		all = append(all, find(name, rule)...)
	}
	return all
}

func TestNothingIsLearnedOfAHiddenBlueprint(t *testing.T) {
	one, other := newWorld(t, 0), newWorld(t, 1)
	tokens := map[auth.Role][2]string{}
	for _, role := range []auth.Role{auth.Viewer, auth.Editor, auth.Ingest} {
		tokens[role] = [2]string{one.as(role, ""), other.as(role, "")}
	}
	for _, c := range looks() {
		if one.ask(c, "User-Agent: test/1.0") == other.ask(c, "User-Agent: test/1.0") {
			t.Errorf("%s (%s %s): an admin is answered alike in both worlds: it shows nothing", c.name, c.method, c.path)
		}
		for role, token := range tokens {
			if a, b := one.ask(c, token[0]), other.ask(c, token[1]); a != b {
				t.Errorf("%s, %s: %s %s %s tells the worlds apart:\n%s\n%s", c.name, role, c.method, c.path, c.body, clip(a), clip(b))
			}
		}
	}
}

func clip(s string) string { return s[:min(len(s), 1500)] }

// Writers who do not see a blueprint find out nothing by what they try to write.
func TestNothingIsLearnedByWriting(t *testing.T) {
	one, other := newWorld(t, 0), newWorld(t, 1)
	const vault, box = "/v1/blueprints/vault/entities", "/v1/blueprints/box/entities"
	var tries []attack
	for _, id := range []string{"v1", "v2", "v8", "v0"} {
		guess := `"properties":{"level":"gold"}`
		tries = append(tries,
			attack{"create " + id, "POST", vault, `{"identifier":"` + id + `"}`},
			attack{"upsert " + id, "POST", vault + "?upsert=true&merge=true", `{"identifier":"` + id + `",` + guess + `}`},
			attack{"upsert nothing " + id, "POST", vault + "?upsert=true&merge=true", `{"identifier":"` + id + `"}`},
			attack{"try " + id, "POST", vault + "?upsert=true&merge=true&validation_only=true", `{"identifier":"` + id + `",` + guess + `}`},
			attack{"bulk " + id, "POST", vault + "/bulk?upsert=true&merge=true", `{"entities":[{"identifier":"` + id + `",` + guess + `}]}`},
			attack{"put " + id, "PUT", vault + "/" + id, `{` + guess + `}`},
			attack{"patch " + id, "PATCH", vault + "/" + id, `{` + guess + `}`},
			attack{"patch nothing " + id, "PATCH", vault + "/" + id, `{}`},
			attack{"delete " + id, "DELETE", vault + "/" + id, ""},
			attack{"delete in bulk " + id, "POST", "/v1/blueprints/vault/bulk/entities/delete", `{"entities":["` + id + `"]}`},
			attack{"relate to " + id, "POST", box, `{"identifier":"new","relations":{"in":"` + id + `"}}`},
			attack{"relate to all of " + id, "PATCH", box + "/b1", `{"relations":{"all":["` + id + `","v0"]}}`},
			attack{"try to relate to " + id, "POST", box + "?validation_only=true", `{"identifier":"new","relations":{"in":"` + id + `"}}`},
			attack{"make " + id + " by relating to it", "POST", box + "?create_missing_related_entities=true", `{"identifier":"new","relations":{"in":"` + id + `"}}`},
		)
	}
	byLevel := `{"combinator":"and","rules":[{"property":"level","operator":"=","value":"gold"}]}`
	tries = append(tries,
		attack{"relate by search", "POST", box, `{"identifier":"new","relations":{"in":` + byLevel + `}}`},
		attack{"upsert by search", "POST", vault + "?upsert=true", `{"identifier":` + byLevel + `}`},
		attack{"upsert a box by its mirror", "POST", box + "?upsert=true&merge=true", `{"identifier":{"combinator":"and","rules":[{"property":"level","operator":"=","value":"gold"}]}}`},
		attack{"upsert a box by its relations", "POST", box + "?upsert=true&merge=true", `{"identifier":{"combinator":"and","rules":[{"operator":"relatedTo","blueprint":"vault","value":"v1"}]}}`},
		attack{"upsert a box by a path", "POST", box + "?upsert=true&merge=true", `{"identifier":{"combinator":"and","rules":[{"operator":"matchAny","property":{"path":["in"]},"value":"v1"}]}}`},
		attack{"relate a crate by a mirror", "POST", "/v1/blueprints/crate/entities", `{"identifier":"c4","relations":{"on":{"combinator":"and","rules":[{"property":"level","operator":"=","value":"gold"}]}}}`},
		attack{"relate a crate by relations", "POST", "/v1/blueprints/crate/entities", `{"identifier":"c4","relations":{"on":{"combinator":"and","rules":[{"operator":"relatedTo","blueprint":"vault","value":"v1"}]}}}`},
		attack{"what a merge answers", "POST", box + "?upsert=true&merge=true", `{"identifier":"b1","properties":{"color":"blue"}}`},
		attack{"what is related stays", "PUT", box + "/b1", `{"properties":{"color":"red"},"relations":{"in":"v1","all":["v2","v1"]}}`},
	)
	for _, role := range []auth.Role{auth.Editor, auth.Ingest} {
		a, b := one.as(role, ""), other.as(role, "")
		refused := map[string]string{}
		for _, c := range tries {
			first, second := one.ask(c, a), other.ask(c, b)
			if first != second {
				t.Errorf("%s, %s: %s %s %s tells the worlds apart:\n%s\n%s", c.name, role, c.method, c.path, c.body, clip(first), clip(second))
			}
			// What is there in both is answered as what is there in none.
			kind := regexp.MustCompile(`v\d$`).ReplaceAllString(c.name, "")
			answer := regexp.MustCompile(`v[0128]`).ReplaceAllString(first, "v")
			if known, ok := refused[kind]; ok && known != answer && kind != c.name {
				t.Errorf("%s, %s: answered otherwise than for another entity:\n%s\n%s", c.name, role, clip(answer), clip(known))
			}
			refused[kind] = answer
		}
	}
}

// An ingest credential writes, and is told what it wrote, not what there was.
func TestIngestIsAnsweredWhatItSaid(t *testing.T) {
	h := newHouse(t)
	h.services()
	ingest := h.as(auth.Ingest, "")
	got := h.call("POST", "/v1/blueprints/svc/entities?upsert=true&merge=true", `{"identifier":"pay","properties":{"cost":9}}`, ingest).want(200, "")
	got.is(`"pay"`, "entity", "identifier").is(`"svc"`, "entity", "blueprint").is(`{"cost":9}`, "entity", "properties")
	for _, member := range []string{"team", "title", "createdAt", "updatedBy", "relations", "scorecards"} {
		got.is("", "entity", member)
	}
	by := `{"combinator":"and","rules":[{"property":"cost","operator":"=","value":9}]}`
	h.call("POST", "/v1/blueprints/host/entities?upsert=true", `{"identifier":"h2","relations":{"runs":`+by+`}}`, ingest).want(201, "").is(`"pay"`, "entity", "relations", "runs")
	h.permit("svc", `{"read":{"roles":["Admin"]},"update":{"roles":["Member"]}}`)
	editor := h.as(auth.Editor, "")
	h.call("PATCH", "/v1/blueprints/svc/entities/pay", `{"title":"Pay"}`, editor).want(200, "").is(`"Pay"`, "entity", "title").is("", "entity", "properties")
	h.call("PATCH", "/v1/blueprints/svc/entities/pay", `{"title":"Pay"}`).want(200, "").is(`9`, "entity", "properties", "cost")
}

// What a hidden blueprint held stays hidden when it is deleted, and when there is another of its name.
func TestDeletedBlueprintIsNotToldOf(t *testing.T) {
	h := newHouse(t)
	h.services()
	viewer := h.as(auth.Viewer, "")
	entries := func(who string) int {
		return strings.Count(h.call("GET", "/v1/audit-log?limit=500&resources=entity", "", who).want(200, "").body, `"blueprint":"svc"`)
	}
	h.call("DELETE", "/v1/blueprints/host/all-entities?delete_blueprint=true", "").want(200, "")
	admin := "User-Agent: test/1.0"
	if entries(viewer) == 0 {
		t.Fatal("what everybody may see is not told")
	}
	h.permit("svc", `{"read":{"roles":["Admin"]}}`)
	if n := entries(viewer); n != 0 {
		t.Errorf("%d entries of what is hidden", n)
	}
	h.call("PUT", "/v1/blueprints/svc", `{"identifier":"srv","title":"Service","schema":{"properties":{"status":{"type":"string"},"cost":{"type":"number"}},"required":[]}}`).want(200, "")
	h.call("DELETE", "/v1/blueprints/srv/all-entities?delete_blueprint=true", "").want(200, "")
	if n := entries(viewer); n != 0 {
		t.Errorf("%d entries of what was hidden when it was deleted", n)
	}
	h.call("GET", "/v1/longshore/verdicts", "", viewer).want(403, "missing_permissions")
	h.call("POST", "/v1/blueprints", `{"identifier":"svc","title":"Another","schema":{"properties":{},"required":[]}}`).want(201, "")
	if n := entries(viewer); n != 0 {
		t.Errorf("%d entries of what another blueprint of that name held", n)
	}
	h.call("POST", "/v1/blueprints/svc/entities", `{"identifier":"open"}`).want(201, "")
	if n := entries(viewer); n != 1 {
		t.Errorf("%d entries of the new blueprint, want 1", n)
	}
	h.call("POST", "/v1/blueprints", `{"identifier":"srv","title":"Open","schema":{"properties":{},"required":[]}}`).want(201, "")
	h.call("GET", "/v1/longshore/verdicts", "", viewer).want(200, "")
	if n := entries(viewer); n != 1 {
		t.Errorf("%d entries once there is another of the second name, want 1", n)
	}
	if n := entries(admin); n < 3 {
		t.Errorf("an admin is shown %d entries", n)
	}
}

// Credentials, secrets and webhooks are shown to admins alone: so is what was done to them.
func TestAuditLogKeepsBackWhatItsRoutesKeepBack(t *testing.T) {
	h := newHouse(t)
	viewer := h.as(auth.Viewer, "")
	h.call("POST", "/v1/longshore/credentials", `{"role":"viewer","title":"dashboards"}`).want(201, "")
	h.call("POST", "/v1/organization/secrets", `{"secretName":"K","secretValue":"v"}`).want(200, "")
	kinds := func(who string) string {
		var answer struct {
			Audits []struct{ ResourceType string }
		}
		if err := json.Unmarshal([]byte(h.call("GET", "/v1/audit-log", "", who).want(200, "").body), &answer); err != nil {
			t.Fatal(err)
		}
		list := []string{}
		for _, a := range answer.Audits {
			list = append(list, a.ResourceType)
		}
		return strings.Join(list, " ")
	}
	if got := kinds(viewer); got != "" {
		t.Errorf("a viewer is told of %s", got)
	}
	if got := kinds("User-Agent: test/1.0"); got != "secret credential" {
		t.Errorf("an admin is told of %s", got)
	}
}

// Of a blueprint of which the team's own entities are seen, the others are as hidden.
func TestOthersEntitiesAreNotLearnedOf(t *testing.T) {
	h := newHouse(t)
	h.services()
	h.call("POST", "/v1/teams", `{"name":"core","users":["ann@acme.example"]}`).want(200, "")
	h.call("PATCH", "/v1/blueprints/host", `{"mirrorProperties":{"state":{"title":"S","path":"runs.status"}}}`).want(200, "")
	h.permit("svc", `{"read":{"roles":["Admin"],"ownedByTeam":true},"register":{"roles":["Admin"]},"update":{"roles":["Admin"],"ownedByTeam":true},
		"updateProperties":{"status":{"roles":["Admin"]},"$title":{"roles":["Admin"]}}}`)
	ann := h.as(auth.Editor, "ann@acme.example")
	h.call("GET", "/v1/blueprints/host/entities/h1", "", ann).want(200, "").is("null", "entity", "properties", "state")
	h.call("PATCH", "/v1/blueprints/svc/entities/pay", `{"properties":{"status":"down"}}`, ann).want(200, "").is(`"down"`, "entity", "properties", "status").is(`1`, "entity", "properties", "cost")
	for name, id := range map[string]string{"another's": "mail", "nobody's": "none"} {
		for _, c := range []attack{
			{"change", "PATCH", "/v1/blueprints/svc/entities/" + id, `{"properties":{"status":"up"}}`},
			{"change nothing", "PATCH", "/v1/blueprints/svc/entities/" + id, `{}`},
			{"upsert", "POST", "/v1/blueprints/svc/entities?upsert=true&merge=true", `{"identifier":"` + id + `","properties":{"status":"up"}}`},
			{"relate", "POST", "/v1/blueprints/host/entities", `{"identifier":"h9","relations":{"runs":"` + id + `"}}`},
		} {
			if got := h.call(c.method, c.path, c.body, ann).want(403, "missing_permissions").at("details", "missing"); got != `"entities.read"` {
				t.Errorf("%s %s: %s is missing, want entities.read", c.name, name, got)
			}
		}
	}
	h.call("POST", "/v1/blueprints/host/entities", `{"identifier":"h2","relations":{"runs":"pay"}}`, ann).want(201, "")
	h.call("POST", "/v1/blueprints/host/entities", `{"identifier":"h3","relations":{"runs":{"combinator":"and","rules":[{"property":"status","operator":"=","value":"down"}]}}}`, ann).want(403, "missing_permissions")
	found := h.call("POST", "/v1/entities/search", `{"combinator":"and","rules":[{"operator":"relatedTo","blueprint":"svc","value":"mail"}]}`, ann).want(200, "")
	if found.at("entities") != "[]" {
		t.Errorf("related to another's entity: %s", found.body)
	}
}

// Who asks is compared with: that must not tell what the entity of the person and those of its teams hold, once they are hidden.
func TestPeopleAndTeamsCanBeHidden(t *testing.T) {
	h := newHouse(t)
	h.call("PATCH", "/v1/blueprints/_team", `{"schema":{"properties":{"code":{"type":"string"}}}}`).want(200, "")
	h.call("POST", "/v1/teams", `{"name":"core","users":["ann@acme.example"]}`).want(200, "")
	h.call("POST", "/v1/blueprints/_team/entities?upsert=true&merge=true", `{"identifier":"core","title":"Core","properties":{"code":"X7"}}`).want(201, "")
	h.call("POST", "/v1/blueprints", `{"identifier":"note","title":"N","schema":{"properties":{"guess":{"type":"string"}},"required":[]}}`).want(201, "")
	h.call("POST", "/v1/blueprints/note/entities", `{"identifier":"n","properties":{"guess":"X7"}}`).want(201, "")
	ann := h.as(auth.Viewer, "ann@acme.example")
	guess := `{"query":{"combinator":"and","rules":[{"property":"guess","operator":"=","value":{"context":"userTeams","property":"code"}}]}}`
	count := func() string {
		return h.call("POST", "/v1/blueprints/note/entities/search/count", guess, ann).want(200, "").at("count")
	}
	if got := count(); got != "1" {
		t.Fatalf("who may see the team finds %s", got)
	}
	h.call("GET", "/v1/teams/core", "", ann).want(200, "")
	h.permit("_team", `{"read":{"roles":["Admin"]}}`)
	if got := count(); got != "0" {
		t.Errorf("a guess at a hidden team's property finds %s", got)
	}
	h.call("GET", "/v1/teams", "", ann).want(403, "missing_permissions")
	h.call("GET", "/v1/teams/core", "", ann).want(403, "missing_permissions")
	if got := h.call("GET", "/v1/audit-log?resources=team", "", ann).want(200, ""); got.at("audits") != "[]" {
		t.Errorf("the audit log tells of teams: %s", got.body)
	}
}
