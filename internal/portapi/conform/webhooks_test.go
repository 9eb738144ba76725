package conform_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
	"testing"
	"time"

	"longshore/internal/portapi/rules"
)

// door makes a webhook and returns the path at which it takes calls.
func (h *house) door(doc string) string {
	h.Helper()
	return strings.TrimPrefix(h.call("POST", "/v1/webhooks", doc).want(201, "").text("integration", "url"), origin)
}

// events makes a webhook with these mappings, sends it the bodies, and waits until all are mapped.
func (h *house) events(mappings string, bodies ...string) {
	h.Helper()
	door := h.door(`{"title": "Hook", "mappings": [` + mappings + `]}`)
	for _, body := range bodies {
		h.clock.move(time.Second) // of two writes of one moment, the event need not win
		h.call("POST", door, body, "Authorization:", "Content-Type: application/json").want(202, "")
	}
	h.work()
}

func TestWebhookEnvelopes(t *testing.T) {
	check(t, rules.IDs("6.1-1", "6.1-2"), func(h *house) {
		a := h.call("POST", "/v1/webhooks", `{"identifier": "w", "title": "W", "security": {"secret": "k", "signatureAlgorithm": "plain", "signatureHeaderName": "x-s"}}`).want(201, "")
		one := a.at("integration")
		for _, a := range []answer{a, h.call("GET", "/v1/webhooks/w", "").want(200, "")} {
			a.is(one, "integration").is(one, "webhook")
		}
		h.call("GET", "/v1/webhooks", "").want(200, "").is("["+one+"]", "integrations").is("["+one+"]", "webhooks")
		meta := h.call("GET", "/v1/webhooks/metadata", "").want(200, "").is("", "integrations", "0", "security").is(`"w"`, "integrations", "0", "identifier")
		if strings.Contains(meta.body, `"security"`) || strings.Contains(meta.body, `"secret"`) {
			h.Errorf("metadata speaks of security: %s", meta.body)
		}
		h.call("PATCH", "/v1/webhooks/w", `{"title": "V"}`).want(200, "").is(`"V"`, "integration", "title").is(`"k"`, "integration", "security", "secret")
		h.call("PUT", "/v1/webhooks/w", `{"identifier": "v", "title": "V"}`).want(200, "").is(`"v"`, "webhook", "identifier").is(`{}`, "webhook", "security")
		h.call("GET", "/v1/webhooks/w", "").want(404, "not_found")
		h.call("DELETE", "/v1/webhooks/v", "").want(200, "").is("true", "ok")
		h.call("DELETE", "/v1/webhooks/v", "").want(404, "not_found")
		h.call("PUT", "/v1/webhooks/v", `{"title": "V"}`).want(404, "not_found")
		h.call("PATCH", "/v1/webhooks/v", `{"title": "V"}`).want(404, "not_found")
	})
}

func TestWebhookLimits(t *testing.T) {
	check(t, rules.IDs("6.2-1", "9-8"), func(h *house) {
		h.call("POST", "/v1/webhooks", `{"title": "`+strings.Repeat("ü", 30)+`", "identifier": "`+strings.Repeat("x", 30)+`", "description": "`+strings.Repeat("d", 200)+`"}`).want(201, "").
			is("true", "integration", "enabled").is(`"custom"`, "integration", "integrationType")
		h.call("POST", "/v1/webhooks", `{"title": "T", "integrationType": "template", "enabled": false}`).want(201, "").is("false", "integration", "enabled").is(`"template"`, "integration", "integrationType")
		for _, body := range []string{
			`{}`, `{"title": ""}`, `{"title": "` + strings.Repeat("x", 31) + `"}`, `{"title": "T", "identifier": "` + strings.Repeat("x", 31) + `"}`, `{"title": "T", "description": "` + strings.Repeat("x", 201) + `"}`,
			`{"title": "T", "integrationType": "other"}`, `{"title": "T", "enabled": "yes"}`, `{"title": 1}`, `{"title": "T", "mappings": {}}`, `{"title": "T", "security": []}`,
			`{"title": "T", "security": {"signatureAlgorithm": "md5"}}`,
		} {
			h.call("POST", "/v1/webhooks", body).want(422, "invalid_request")
		}
		if id := h.call("POST", "/v1/webhooks", `{"title": "T"}`).want(201, "").text("integration", "identifier"); id == "" || len(id) > 30 {
			h.Errorf("made-up identifier %q", id)
		}
	})
}

func TestWebhookIsEchoedAsItWasSent(t *testing.T) {
	check(t, rules.IDs("6.2-2", "6.2-3", "6.2-4"), func(h *house) {
		h.call("POST", "/v1/webhooks", `{"identifier": "bare", "title": "T"}`).want(201, "").is("{}", "integration", "security").is("[]", "integration", "mappings")
		h.call("POST", "/v1/webhooks", `{"title": "T", "security": null, "mappings": null}`).want(201, "").is("{}", "integration", "security").is("[]", "integration", "mappings")
		for i, mappings := range []string{
			`[{"blueprint":"not_there","entity":{"identifier":"{\"combinator\": \"and\", nothing"}}]`,
			`[{"blueprint":"b","operation":"delete","entity":{"identifier":".["}}]`,
			`[{"blueprint":"b","operation":{"type":"delete","deleteDependents":false},"filter":"true","entity":{"identifier":".body.id","title":"","relations":{"r":{"combinator":"'and'","rules":[{"property":"'email'","operator":"'='","value":".body.x"}]}}}}]`,
			`[{"blueprint":"b","x-unknown":{"deep":[1,2.50]},"itemsToParseName":"one","entity":{"identifier":".body.id","properties":{"_links":".body._links"}}}]`,
		} {
			path := fmt.Sprintf("/v1/webhooks/w%d", i)
			h.call("POST", "/v1/webhooks", fmt.Sprintf(`{"identifier": "w%d", "title": "T", "mappings": %s}`, i, mappings)).want(201, "").is(mappings, "integration", "mappings")
			h.call("GET", path, "").want(200, "").is(mappings, "integration", "mappings")
		}
		h.call("POST", "/v1/webhooks", `{"title": "T", "security": {"secret": null, "signatureAlgorithm": null, "signatureHeaderName": null, "signaturePrefix": null, "requestIdentifierPath": null}}`).want(201, "")
	})
}

func TestWebhookKeyNeverChanges(t *testing.T) {
	check(t, rules.IDs("6.2-5"), func(h *house) {
		a := h.call("POST", "/v1/webhooks", `{"identifier": "w", "title": "W", "webhookKey": "mine"}`).want(201, "")
		key := a.text("integration", "webhookKey")
		if len(key) != 16 || strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			h.Errorf("webhookKey %q, want 16 URL-safe characters", key)
		}
		h.call("PUT", "/v1/webhooks/w", `{"identifier": "v", "title": "V", "webhookKey": "mine"}`).want(200, "").is(quoted(key), "integration", "webhookKey")
		h.call("PATCH", "/v1/webhooks/v", `{"webhookKey": "mine", "url": "x"}`).want(200, "").is(quoted(key), "integration", "webhookKey").is(quoted(origin+"/ingest/"+key), "integration", "url")
	})
}

const groupMapping = `{"blueprint": "okta_group", "entity": {"identifier": ".body.id", "title": ".body.name", "properties": {"size": ".body.size"}}}`

func TestMappingsMerge(t *testing.T) {
	check(t, rules.IDs("6.3-3", "6.3-4", "7-4"), func(h *house) {
		h.okta()
		h.events(groupMapping, `{"id": "g1", "name": "Staff", "size": 3}`)
		h.call("GET", groups+"/g1", "").want(200, "").is(`"Staff"`, "entity", "title").is("3", "entity", "properties", "size")
		h.events(`{"blueprint": "okta_group", "entity": {"identifier": ".body.id", "properties": {"size": "empty"}}}`, `{"id": "g1"}`)
		h.call("GET", groups+"/g1", "").want(200, "").is(`"Staff"`, "entity", "title").is("3", "entity", "properties", "size")
		h.events(`{"blueprint": "okta_group", "entity": {"identifier": ".body.id", "properties": {"size": ".body.none"}}}`, `{"id": "g1"}`)
		h.call("GET", groups+"/g1", "").want(200, "").is("null", "entity", "properties", "size")
		for _, broken := range []string{".body.id | tonumber", ".body |", "error(\\\"no\\\")"} {
			h.call("PATCH", groups+"/g1", `{"properties": {"size": 8}}`).want(200, "")
			h.events(`{"blueprint": "okta_group", "entity": {"identifier": ".body.id", "properties": {"size": "`+broken+`"}}}`, `{"id": "g1"}`)
			h.call("GET", groups+"/g1", "").want(200, "").is("null", "entity", "properties", "size")
		}
	})
}

func TestItemsToParse(t *testing.T) {
	check(t, rules.IDs("6.3-1", "9-3"), func(h *house) {
		h.okta()
		var items []string
		for i := range 501 {
			items = append(items, fmt.Sprintf(`{"id": "g%03d"}`, i))
		}
		h.events(`{"blueprint": "okta_group", "itemsToParse": ".body.list", "filter": ".item.id != \"g001\"", "entity": {"identifier": ".item.id", "title": ".body.of"}}`, `{"of": "one", "list": [`+strings.Join(items, ",")+`]}`)
		h.call("GET", "/v1/blueprints/okta_group/entities-count", "").want(200, "").is("499", "count")
		h.call("GET", groups+"/g499", "").want(200, "").is(`"one"`, "entity", "title")
		h.call("GET", groups+"/g500", "").want(404, "not_found")
	})
}

func TestSearchObjectsInMappings(t *testing.T) {
	check(t, rules.IDs("6.3-2"), func(h *house) {
		h.okta()
		h.call("POST", groups, `{"identifier": "g1", "title": "Staff"}`).want(201, "")
		for i, combinator := range []string{"'and'", "and", `\"and\"`} {
			h.events(`{"blueprint": "okta_user", "entity": {"identifier": ".body.id", "properties": {"status": "'ACTIVE'"},
				"relations": {"groups": {"combinator": "`+combinator+`", "rules": [{"property": "'$title'", "operator": "'='", "value": ".body.group"}]}}}}`, fmt.Sprintf(`{"id": "u%d", "group": "Staff"}`, i))
			h.call("GET", fmt.Sprintf("%s/u%d", users, i), "").want(200, "").is(`["g1"]`, "entity", "relations", "groups")
		}
	})
}

func TestMappingsDelete(t *testing.T) {
	check(t, rules.IDs("6.3-5", "8.2-2"), func(h *house) {
		h.okta()
		h.user("u0", "")
		h.call("POST", badges, `{"identifier": "b1", "relations": {"owner": "u0"}}`).want(201, "")
		h.events(`{"blueprint": "okta_user", "operation": {"type": "delete", "deleteDependents": false}, "entity": {"identifier": ".body.id"}}`, `{"id": "u0"}`)
		h.call("GET", badges+"/b1", "").want(200, "")
		h.call("POST", users+"?upsert=true", `{"identifier": "u0", "properties": {"status": "ACTIVE"}}`)
		h.events(`{"blueprint": "okta_user", "operation": "delete", "filter": ".body.gone == true", "entity": {"identifier": ".body.id"}}`, `{"id": "u0", "gone": false}`)
		h.call("GET", users+"/u0", "").want(200, "")
		h.events(`{"blueprint": "okta_user", "operation": "delete", "filter": ".body.gone == true", "entity": {"identifier": ".body.id"}}`, `{"id": "u0", "gone": true}`, `{"id": "nobody", "gone": true}`)
		h.call("GET", users+"/u0", "").want(404, "not_found")
		h.call("GET", badges+"/b1", "").want(404, "not_found")
	})
}

func TestMappingsStandAlone(t *testing.T) {
	check(t, rules.IDs("6.3-6", "6.3-7", "6.3-8", "6.3-9", "7-7"), func(h *house) {
		h.okta()
		h.events(`{"blueprint": "none", "entity": {"identifier": ".body.id"}}, {"blueprint": "okta_group", "entity": {"identifier": ".body.none"}}, {"blueprint": "okta_group", "entity": {"identifier": "'a b'"}},
			{"blueprint": "okta_group", "filter": ".body.id", "entity": {"identifier": "'truthy'"}}, {"blueprint": "okta_group", "filter": ".body.none", "entity": {"identifier": "'null'"}},
			{"blueprint": "okta_group", "filter": "error(\"x\")", "entity": {"identifier": "'error'"}}, {"blueprint": "okta_group", "filter": "true", "x": 1, "entity": {"identifier": "'yes'"}},
			{"blueprint": "okta_group", "operation": {"type": "create"}, "entity": {"identifier": ".body.n"}}`, `{"id": "g1", "n": 12}`)
		a := h.call("GET", groups+"?include=identifier", "").want(200, "")
		if got := fmt.Sprint(a.list("identifier", "entities")); got != "[12 yes]" && got != "[yes 12]" {
			h.Errorf("written: %s, want 12 and yes", got)
		}
	})
}

func TestEvaluationContext(t *testing.T) {
	check(t, rules.IDs("6.3-3", "7-1", "7-2", "7-3"), func(h *house) {
		h.okta()
		door := h.door(`{"title": "T", "mappings": [{"blueprint": "okta_user", "entity": {"identifier": ".body[0].ids[]", "title": "'it is' + \" it's\"", "icon": ".headers.\"x-icon\"",
			"properties": {"status": "'ACTIVE'", "logins": ".queryParams.n | tonumber", "profile": "{env: (env | length), e: ($ENV | length), keys: (. | keys)}", "tags": "[input]"}}}]}`)
		h.call("POST", door+"?n=1&n=7", `[{"ids": ["u1", "u2"]}]`, "X-Icon: Star", "Authorization:").want(202, "")
		h.work()
		h.call("GET", users+"/u1", "").want(200, "").is(`"it is it's"`, "entity", "title").is(`"Star"`, "entity", "icon").is("7", "entity", "properties", "logins").
			is(`{"env":0,"e":0,"keys":["body","headers","queryParams"]}`, "entity", "properties", "profile").is("null", "entity", "properties", "tags")
		h.call("GET", users+"/u2", "").want(404, "not_found")
	})
}

func TestProgramsAreBounded(t *testing.T) {
	check(t, rules.IDs("7-5"), func(h *house) {
		h.okta()
		h.events(`{"blueprint": "okta_group", "entity": {"identifier": ".body.id", "properties": {"size": "def f: f; f"}}}`, `{"id": "g1"}`)
		h.call("GET", groups+"/g1", "").want(200, "").is("null", "entity", "properties", "size")
	})
}

func TestProgramsOfTheGuides(t *testing.T) {
	check(t, rules.IDs("7-6"), func(h *house) {
		h.blueprint(`{"identifier": "v", "title": "V", "schema": {"properties": {"v": {"type": "object"}}, "required": []}}`)
		const body = `{"id": "i", "s": "00u1", "key": "data/k/users/x", "num": "12", "when": "2026-01-05", "list": [3, 1, 3], "o": {"b": 2, "a": 1}, "nil": null}`
		for i, c := range [][2]string{
			{`.body.key | split("/") | .[2] | IN("users")`, `true`},
			{`.body.s | startswith("00u")`, `true`},
			{`.body | has("id")`, `true`},
			{`.body.num | tonumber? // .`, `12`},
			{`.body.nil | tonumber? // .`, `null`},
			{`.body.when | strptime("%Y-%m-%d") | strftime("%Y-%m-%dT%H:%M:%SZ")`, `"2026-01-05T00:00:00Z"`},
			{`.body.when | strptime("%Y-%m-%d") | mktime | todate`, `"2026-01-05T00:00:00Z"`},
			{`[.body.list[] | select(. > 1)] | add`, `6`},
			{`.body.list | unique | map(. * 2) | join(",")`, `"2,6"`},
			{`.body.o | to_entries | map(.key) | sort_by(.) | first`, `"a"`},
			{`.body.s | gsub("0"; "-") | ascii_downcase | ltrimstr("-")`, `"-u1"`},
			{`.body.s | capture("(?<n>[0-9]+)u") | .n`, `"00"`},
			{`.body.s[:-1]`, `"00u"`},
			{`.body.s | test("^00u")`, `true`},
			{`if .body.num == "12" then "a" elif true then "b" else "c" end`, `"a"`},
			{`reduce .body.list[] as $x (0; . + $x)`, `7`},
			{`"\(.body.id)-\(.body.num)"`, `"i-12"`},
			{`.body.list | index(3)`, `0`},
			{`.body.list | any(. == 1)`, `true`},
			{`.body.list | all(. == 1)`, `false`},
			{`1.6 | [round, floor]`, `[2,1]`},
			{`.body.o | keys | last`, `"b"`},
			{`.body.o | with_entries(.value |= tostring) | .a`, `"1"`},
			{`.body.list | length | tostring`, `"3"`},
			{`now | type`, `"number"`},
			{`.body.s | endswith("1")`, `true`},
			{`.body.s | sub("u"; "v")`, `"00v1"`},
		} {
			h.events(`{"blueprint": "v", "entity": {"identifier": ".body.id", "properties": {"v": `+quoted("{v: ("+c[0]+")}")+`}}}`, body)
			if got := h.call("GET", "/v1/blueprints/v/entities/i", "").at("entity", "properties", "v", "v"); !same(got, c[1]) {
				h.Errorf("program %d, %s: %s, want %s", i, c[0], got, c[1])
			}
		}
	})
}

func sign(algorithm func() hash.Hash, secret, body string) string {
	m := hmac.New(algorithm, []byte(secret))
	m.Write([]byte(body))
	return hex.EncodeToString(m.Sum(nil))
}

func TestReceiving(t *testing.T) {
	check(t, rules.IDs("6.4-1", "6.4-2", "6.4-3", "6.4-4", "6.4-5", "6.4-6", "9-2"), func(h *house) {
		h.okta()
		door := h.door(`{"identifier": "w", "title": "W", "mappings": [` + groupMapping + `]}`)
		h.call("POST", door, `{"id": "g1"}`, "Authorization:").want(202, "").is("true", "ok")
		h.call("POST", "/ingest/nothinghere", `{}`, "Authorization:").want(404, "not_found")
		h.call("POST", door, `{"id": `, "Authorization:").want(400, "bad_request")
		h.call("POST", door, `"`+strings.Repeat("a", 512<<10)+`"`, "Authorization:").want(413, "bad_request")
		h.call("POST", door, `"`+strings.Repeat("a", 512<<10-2)+`"`, "Authorization:").want(202, "")
		h.call("PATCH", "/v1/webhooks/w", `{"enabled": false}`).want(200, "")
		h.call("POST", door, `{"id": "dropped"}`, "Authorization:").want(202, "")
		h.call("PATCH", "/v1/webhooks/w", `{"enabled": true, "security": {"requestIdentifierPath": ".headers.\"x-request-id\""}}`).want(200, "")
		h.call("POST", door, `{"id": "first"}`, "X-Request-Id: 1", "Authorization:").want(202, "")
		h.call("POST", door, `{"id": "second"}`, "X-Request-Id: 1", "Authorization:").want(202, "")
		const body = `{"id":  "signed"}`
		for _, c := range []struct{ security, header, id string }{
			{`"signatureAlgorithm": "sha256", "secret": "k"`, sign(sha256.New, "k", body), "ok"},
			{`"signatureAlgorithm": "sha1", "secret": "k", "signaturePrefix": "sha1="`, "sha1=" + sign(sha1.New, "k", body), "ok"},
			{`"signatureAlgorithm": "plain", "secret": "k"`, "k", "ok"},
			{`"signatureAlgorithm": "plain", "secret": "k"`, "kk", ""},
			{`"signatureAlgorithm": "sha256", "secret": "k"`, sign(sha256.New, "k", `{"id":"signed"}`), ""},
			{`"signatureAlgorithm": "sha256", "secret": "k"`, "", ""},
			{`"signatureAlgorithm": null, "secret": "k"`, "", "ok"},
		} {
			h.call("PATCH", "/v1/webhooks/w", `{"security": {"signatureHeaderName": "X-Sum", `+c.security+`}}`).want(200, "")
			a := h.call("POST", door, body, "X-Sum: "+c.header, "Authorization:")
			if c.id == "ok" {
				a.want(202, "")
			} else if a.status != 401 {
				h.Errorf("%s with %q: %d %s, want 401", c.security, c.header, a.status, a.body)
			}
		}
		h.work()
		a := h.call("GET", groups+"?include=identifier", "").want(200, "")
		if got := fmt.Sprint(a.list("identifier", "entities")); got != "[first g1 signed]" {
			h.Errorf("written: %s, want g1, first and signed", got)
		}
	})
}
