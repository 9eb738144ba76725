package portapi_test

import (
	"strings"
	"testing"

	"longshore/internal/ingest"
	"longshore/internal/lake"
)

// file puts records into the lake as an object of a stream, as a sync does, and queues it.
func (h *house) file(namespace, stream, name string, records ...string) {
	h.t.Helper()
	w, err := lake.NewWriter(lake.WriterOptions{Seed: name, Generation: 1})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, record := range records {
		if err := w.Append([]byte(record), theTime); err != nil {
			h.t.Fatal(err)
		}
	}
	object, err := w.Close()
	if err != nil {
		h.t.Fatal(err)
	}
	defer object.Close()
	key := "data/" + namespace + "/" + stream + "/year=2026/month=01/05_1767607200000_" + name + ".jsonl.gz"
	put, err := object.Put(h.t.Context(), h.bucket, key, true)
	if err != nil {
		h.t.Fatal(err)
	}
	found := ingest.Object{Bucket: h.bucket.Name(), Key: key, ETag: put.ETag, Namespace: namespace, Stream: stream, Bytes: object.Bytes, RowsWritten: int64(len(records))}
	if _, err := h.objects.Found(h.t.Context(), []ingest.Object{found}); err != nil {
		h.t.Fatal(err)
	}
}

const byStream = `(.body | has(\"_PORT_SOURCE_OBJECT_KEY\")) and (.body._PORT_SOURCE_OBJECT_KEY | split(\"/\") | .[2] | IN(\"groups\"))`

func TestLakeRecordsAreEvents(t *testing.T) {
	rule(t, "8.2-1")
	h := newCatalogHouse(t)
	h.call("POST", "/v1/webhooks", `{"identifier": "okta", "title": "T", "mappings": [{"blueprint": "okta_group", "filter": "`+byStream+`",
		"entity": {"identifier": ".body.id | tostring", "title": "\"\\(.headers | length)/\\(.queryParams | length)/\\(.body | keys | join(\",\"))\"", "icon": ".body._PORT_SOURCE_OBJECT_KEY"}}]}`).want(201, "")
	h.file("okta", "groups", "a", `{"id": 12345678901234567890}`, `{"id": "g2", "name": "N"}`)
	h.file("okta", "users", "b", `{"id": "u1"}`)
	h.work()
	const groups = "/v1/blueprints/okta_group/entities/"
	h.call("GET", groups+"12345678901234567890", "").want(200, "").is(`"0/0/_PORT_SOURCE_OBJECT_KEY,id"`, "entity", "title")
	h.call("GET", groups+"g2", "").want(200, "").is(`"data/okta/groups/year=2026/month=01/05_1767607200000_a.jsonl.gz"`, "entity", "icon")
	h.call("GET", groups+"u1", "").want(404, "not_found")
	h.call("GET", "/v1/longshore/verdicts?stream=users&rollups=true", "").want(200, "").is(`"no-mapping-matched"`, "groups", "0", "code")
	a := h.call("GET", "/v1/webhooks/okta/latest-event?stream=users", "").want(200, "").is(`{"id":"u1"}`, "event", "body").is(`"users"`, "event", "stream").is("{}", "event", "headers")
	h.call("POST", "/v1/webhooks/okta/test-mapping", `{"event": `+a.at("event")+`}`).want(200, "").is("false", "results", "0", "filter")
	// From the lake itself, the object's key is known too.
	h.call("POST", "/v1/webhooks/okta/test-mapping", `{"stream": "groups"}`).want(200, "").is("true", "results", "0", "filter").is(`"unchanged"`, "results", "0", "verdict")
}

func TestRecordsFromBeforeTheWebhookAreTakenLater(t *testing.T) {
	rule(t, "8.2-3")
	h := newHouse(t)
	h.file("okta", "groups", "a", `{"id": "g1"}`)
	h.work()
	h.call("GET", "/v1/longshore/objects?state=unrouted", "").want(200, "").is(`"okta"`, "objects", "0", "namespace")
	// A webhook appears, its blueprint does not: what it loses is told.
	h.call("POST", "/v1/webhooks", `{"identifier": "okta", "title": "T", "mappings": [{"blueprint": "okta_group", "entity": {"identifier": ".body.id"}}]}`).want(201, "")
	h.work()
	h.call("GET", "/v1/longshore/verdicts?rollups=true", "").want(200, "").is(`"schema-reject"`, "groups", "0", "code")
	h.call("POST", "/v1/blueprints", groupBlueprint).want(201, "")
	if n, err := h.objects.Again(t.Context(), ingest.ObjectFilter{}); err != nil || n != 1 {
		t.Fatalf("%d objects are taken again, %v; want 1", n, err)
	}
	h.work()
	h.call("GET", "/v1/blueprints/okta_group/entities/g1", "").want(200, "")
	h.call("GET", "/v1/longshore/verdicts?rollups=true", "").want(200, "").is(`"upserted"`, "groups", "0", "code").is("", "groups", "1")
}

func TestAWebhookBearsAnOceanConfig(t *testing.T) {
	rule(t, "10.3-1")
	h := newCatalogHouse(t)
	config := `{"createMissingRelatedEntities": true, "resources": [
		{"kind": "groups", "selector": {"query": ".n > 1"}, "port": {"entity": {"mappings": {"identifier": ".id", "title": ".name", "blueprint": "\"okta_group\"", "properties": {"size": ".n"}}}}},
		{"kind": "users", "selector": {"query": "true"}, "port": {"itemsToParse": ".members", "entity": {"mappings": [
			{"identifier": ".item.id", "blueprint": "if .type then \"okta_\" + .type else null end", "properties": {"status": "\"ACTIVE\""}, "relations": {"groups": "[.group]"}}]}}}]}`
	a := h.call("POST", "/v1/webhooks", `{"identifier": "okta", "title": "T", "config": `+config+`}`).want(201, "").is("[]", "integration", "mappings")
	if got := strings.ReplaceAll(a.at("integration", "config"), " ", ""); got != strings.NewReplacer(" ", "", "\n", "", "\t", "").Replace(config) {
		t.Errorf("the config is echoed as %s", got)
	}
	h.file("okta", "groups", "a", `{"id": "g1", "name": "One", "n": 1}`, `{"id": "g2", "name": "Two", "n": 2}`)
	h.file("okta", "users", "b", `{"type": "user", "group": "g9", "members": [{"id": "u1"}, {"id": ""}]}`, `{"members": [{"id": "u2"}]}`)
	h.work()
	h.call("GET", "/v1/blueprints/okta_group/entities/g1", "").want(404, "not_found")
	h.call("GET", "/v1/blueprints/okta_group/entities/g2", "").want(200, "").is(`"Two"`, "entity", "title").is("2", "entity", "properties", "size")
	h.call("GET", users+"/u1", "").want(200, "").is(`["g9"]`, "entity", "relations", "groups")
	h.call("GET", "/v1/blueprints/okta_group/entities/g9", "").want(200, "") // made bare, as Ocean does
	h.call("GET", "/v1/longshore/objects/1/lines/1", "").want(200, "").is(`"no-mapping-matched"`, "rollUp", "code")
	if told := h.call("GET", "/v1/longshore/objects/2/lines/1", "").want(200, "").body; !strings.Contains(told, "the identifier is empty") || !strings.Contains(told, "resources[1](users).identifier") {
		t.Errorf("the member without id is not told of: %s", told)
	}
	if told := h.call("GET", "/v1/longshore/objects/2/lines/2", "").want(200, "").body; !strings.Contains(told, "resources[1](users).blueprint") {
		t.Errorf("the record without type is not told of: %s", told)
	}
	h.call("POST", "/v1/webhooks/okta/test-mapping", `{"stream": "users", "event": {"body": {"type": "user", "group": "g2", "members": [{"id": "u3"}]}}}`).want(200, "").
		is("false", "results", "0", "filter").is(`"okta_user"`, "results", "1", "entity", "blueprint").is(`"u3"`, "results", "1", "entity", "identifier").is(`"upserted"`, "results", "1", "verdict")
	// The version of the mappings that judged is kept whole.
	var doc string
	if err := h.store.Writer().QueryRowContext(t.Context(), `SELECT doc FROM mapping_versions`).Scan(&doc); err != nil || !strings.Contains(doc, `"resources"`) {
		t.Errorf("the mappings' version is kept as %s, %v", doc, err)
	}
}

// The idioms of the guides for Slack and HiBob, from records to relations: whatever the order in which streams come.
func TestIdiomsOfTheGuides(t *testing.T) {
	h := newHouse(t)
	for _, blueprint := range []string{
		`{"identifier": "member", "title": "M", "schema": {"properties": {"channel_id": {"type": "string"}, "n": {"type": "number"}, "since": {"type": "string", "format": "date-time"}}, "required": []}}`,
		`{"identifier": "channel", "title": "C", "schema": {"properties": {}, "required": []}, "relations": {"members": {"target": "member", "many": true}, "same": {"target": "member", "many": false}}}`,
	} {
		h.call("POST", "/v1/blueprints", blueprint).want(201, "")
	}
	stream := func(name string) string {
		return `"filter": "(.body | has(\"_PORT_SOURCE_OBJECT_KEY\")) and (.body._PORT_SOURCE_OBJECT_KEY | split(\"/\") | .[2] | IN(\"` + name + `\"))"`
	}
	h.call("POST", "/v1/webhooks", `{"identifier": "slack", "title": "T", "mappings": [
		{"blueprint": "channel", `+stream("channels")+`, "entity": {"identifier": ".body.id | tostring", "relations": {"same": ".body.id | tostring",
			"members": {"combinator": "'and'", "rules": [{"property": "'channel_id'", "operator": "'='", "value": ".body.id | tostring"}]}}}},
		{"blueprint": "member", `+stream("members")+`, "entity": {"identifier": ".body.channel_id + \"_\" + .body.member_id | tostring", "properties": {"channel_id": ".body.channel_id", "n": ".body.num | tonumber? // .",
			"since": "(.body.since? // null) | if type == \"string\" then strptime(\"%Y-%m-%d\") | strftime(\"%Y-%m-%dT%H:%M:%SZ\") else null end"}}},
		{"blueprint": "member", "operation": "delete", "filter": ".body.is_deleted == \"true\"", "entity": {"identifier": ".body.channel_id + \"_\" + .body.member_id"}}]}`).want(201, "")
	h.file("slack", "channels", "a", `{"id": "C1"}`)
	h.work()
	h.call("GET", "/v1/blueprints/channel/entities/C1", "").want(200, "").is("[]", "entity", "relations", "members")
	h.file("slack", "members", "b", `{"channel_id": "C1", "member_id": "M1", "num": "12", "since": "2024-05-01"}`, `{"channel_id": "C1", "member_id": "M2", "num": null}`, `{"channel_id": "C1", "member_id": "M3", "is_deleted": "true"}`)
	h.work()
	h.call("GET", "/v1/blueprints/member/entities/C1_M1", "").want(200, "").is("12", "entity", "properties", "n").is(`"2024-05-01T00:00:00Z"`, "entity", "properties", "since")
	h.call("GET", "/v1/blueprints/member/entities/C1_M3", "").want(404, "not_found")
	// The next sync of the channels heals the relation.
	h.file("slack", "channels", "c", `{"id": "C1", "again": true}`)
	h.work()
	h.call("GET", "/v1/blueprints/channel/entities/C1", "").want(200, "").is(`["C1_M1","C1_M2"]`, "entity", "relations", "members")
}

func TestIdentifierBySearch(t *testing.T) {
	rule(t, "6.3-2")
	h := newCatalogHouse(t)
	for _, id := range []string{"g1", "g2", "g3"} {
		h.call("POST", "/v1/blueprints/okta_group/entities", `{"identifier": "`+id+`", "title": "Title of `+strings.Replace(id, "3", "2", 1)+`"}`).want(201, "")
	}
	door := h.door(`{"identifier": "hook", "title": "T", "mappings": [{"blueprint": "okta_group", "entity": {"identifier":
		{"combinator": "and", "rules": [{"property": "'$title'", "operator": "'='", "value": ".body.title"}]}, "properties": {"size": ".body.n"}}}]}`)
	for _, body := range []string{`{"title": "Title of g1", "n": 7}`, `{"title": "Title of g2", "n": 8}`, `{"title": "nobody", "n": 9}`} {
		h.call("POST", door, body).want(202, "")
	}
	h.work()
	h.call("GET", "/v1/blueprints/okta_group/entities/g1", "").want(200, "").is("7", "entity", "properties", "size")
	h.call("GET", "/v1/blueprints/okta_group/entities/g2", "").want(200, "").is("0", "entity", "properties", "size")
	if n := h.call("GET", "/v1/blueprints/okta_group/entities-count", "").at("count"); n != "3" {
		t.Errorf("%s entities, want 3: a search that finds none makes none", n)
	}
	h.call("GET", "/v1/longshore/verdicts?rollups=true&code=schema-reject", "").want(200, "").is("2", "groups", "0", "records") // two of the title, and none
}

// A relation to what is not there: it waits by default, is refused by a strict webhook, and is made by one that says so.
func TestRelationsToWhatIsNotThere(t *testing.T) {
	h := newCatalogHouse(t)
	for name, own := range map[string]string{"lenient": `"strict": false`, "strict": `"strict": true`, "making": `"strict": true, "createMissingRelatedEntities": true`} {
		door := h.door(`{"identifier": "` + name + `", "title": "T", ` + own + `, "mappings": [{"blueprint": "okta_user", "entity": {"identifier": ".body.id", "properties": {"status": "'ACTIVE'"}, "relations": {"groups": "[.body.g]"}}}]}`)
		h.call("POST", door, `{"id": "u-`+name+`", "g": "g-`+name+`"}`).want(202, "")
	}
	h.work()
	h.call("GET", users+"/u-lenient", "").want(200, "")
	h.call("GET", "/v1/blueprints/okta_group/entities/g-lenient", "").want(404, "not_found")
	h.call("GET", users+"/u-strict", "").want(404, "not_found")
	h.call("GET", "/v1/audit-log?status=FAILURE&webhookId=strict", "").want(200, "").is(`"schema-reject"`, "audits", "0", "additionalData", "verdict")
	h.call("GET", users+"/u-making", "").want(200, "").is(`["g-making"]`, "entity", "relations", "groups")
	h.call("GET", "/v1/blueprints/okta_group/entities/g-making", "").want(200, "")
	h.call("POST", "/v1/blueprints/okta_group/entities", `{"identifier": "g-lenient"}`).want(201, "")
	h.call("GET", users+"/u-lenient", "").want(200, "").is(`["g-lenient"]`, "entity", "relations", "groups")
}
