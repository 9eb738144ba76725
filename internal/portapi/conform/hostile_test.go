package conform_test

import (
	"fmt"
	"io"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"longshore/internal/portapi/rules"
)

// maxAnswerTime is far beyond what any of these calls needs: it tells what hangs.
const maxAnswerTime = 20 * time.Second

// hostile sends a call that must be refused, or answered, within its time and never by a failure of ours.
func (h *house) hostile(method, path, body string, statuses ...int) answer {
	h.Helper()
	start := time.Now()
	a := h.call(method, path, body)
	if took := time.Since(start); took > maxAnswerTime {
		h.Errorf("%s with %s took %v", a.call, excerpt(body)[:min(80, len(body))], took)
	}
	for _, s := range statuses {
		if a.status == s {
			return a
		}
	}
	if len(statuses) > 0 {
		h.Errorf("%s with %s…: %d %s, want one of %v", a.call, body[:min(80, len(body))], a.status, excerpt(a.body), statuses)
	}
	return a
}

// bodyRoutes take a JSON body.
var bodyRoutes = [][2]string{
	{"POST", "/v1/auth/access_token"},
	{"POST", "/v1/blueprints"},
	{"PUT", "/v1/blueprints/okta_group"},
	{"PATCH", "/v1/blueprints/okta_group"},
	{"POST", groups},
	{"PUT", groups + "/g"},
	{"PATCH", groups + "/g"},
	{"POST", groups + "/bulk"},
	{"POST", "/v1/blueprints/okta_group/bulk/entities/delete"},
	{"POST", groups + "/search"},
	{"POST", groups + "/search/count"},
	{"POST", "/v1/entities/search"},
	{"POST", "/v1/blueprints/entities/datasource-entities"},
	{"POST", "/v1/webhooks"},
	{"PUT", "/v1/webhooks/w"},
	{"PATCH", "/v1/webhooks/w"},
}

func TestDeepJSONIsRefused(t *testing.T) {
	check(t, rules.IDs("1.4-15", "1.4-26"), func(h *house) {
		h.okta()
		h.call("POST", groups, `{"identifier": "g"}`).want(201, "")
		door := h.door(`{"identifier": "w", "title": "W"}`)
		const levels = 100_000
		for _, call := range bodyRoutes {
			for _, deep := range []string{
				strings.Repeat("[", levels) + strings.Repeat("]", levels), `{"properties": ` + strings.Repeat(`{"a":`, levels) + "1" + strings.Repeat("}", levels) + "}",
				`{"query": ` + strings.Repeat(`{"combinator":"and","rules":[`, 20_000) + strings.Repeat("]}", 20_000) + "}", strings.Repeat(`[`, 1<<20), strings.Repeat(`{"":`, 1<<18),
			} {
				h.hostile(call[0], call[1], deep, 422, 400)
			}
		}
		h.hostile("POST", door, strings.Repeat("[", levels)+strings.Repeat("]", levels), 400, 422)
		// As deep as is taken, it is stored, found and answered.
		deep := strings.Repeat(`{"a":`, 250) + "1" + strings.Repeat("}", 250)
		h.user("u1", "")
		h.call("PATCH", users+"/u1", `{"properties": {"profile": `+deep+`}}`).want(200, "").is(deep, "entity", "properties", "profile")
		h.finds(`{"property": "profile", "operator": "isNotEmpty"}`, "u1")
	})
}

func TestHugeJSONIsRefused(t *testing.T) {
	check(t, rules.IDs("9-1", "1.4-14"), func(h *house) {
		h.okta()
		h.call("POST", groups, `{"identifier": "g"}`).want(201, "")
		h.call("POST", "/v1/webhooks", `{"identifier": "w", "title": "W"}`).want(201, "")
		for _, call := range bodyRoutes {
			h.hostile(call[0], call[1], `{"a": "`+strings.Repeat("x", 1<<20)+`"}`, 413).want(413, "bad_request")
		}
		// A body without end is read to the limit and no further.
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 16 {
			endless := &endless{}
			r := httptest.NewRequest("POST", groups, endless)
			r.ContentLength = -1
			r.Header.Set("Authorization", "Bearer "+h.token)
			w := httptest.NewRecorder()
			h.handler.ServeHTTP(w, r)
			if w.Code != 413 || endless.read > 2<<20 {
				h.Fatalf("an endless body: %d after %d bytes: %s", w.Code, endless.read, excerpt(w.Body.String()))
			}
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 16*16<<20 {
			h.Errorf("16 endless bodies took %d MiB", used>>20)
		}
	})
}

type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	if e.read == 0 {
		e.read = copy(p, `{"identifier": "`)
		return e.read, nil
	}
	for i := range p {
		p[i] = 'x'
	}
	e.read += len(p)
	return len(p), nil
}

func (e *endless) Close() error { return nil }

var _ io.ReadCloser = (*endless)(nil)

func TestWideJSONIsBounded(t *testing.T) {
	check(t, rules.IDs("1.4-26"), func(h *house) {
		h.okta()
		h.user("u1", "")
		wide := func(n int, one func(i int) string) string {
			var b strings.Builder
			for i := range n {
				if i > 0 {
					b.WriteByte(',')
				}
				b.WriteString(one(i))
			}
			return b.String()
		}
		names := wide(80_000, func(i int) string { return fmt.Sprintf(`"k%d":1`, i) })
		h.hostile("POST", users, `{`+names+`}`, 201, 422)
		h.hostile("POST", users+"?upsert=true", `{"identifier": "u1", "properties": {`+names+`}}`, 422)
		h.hostile("PATCH", users+"/u1", `{"relations": {`+names+`}}`, 422)
		h.hostile("PATCH", users+"/u1", `{"properties": {"profile": {`+names+`}}}`, 200, 422)
		h.hostile("PATCH", users+"/u1", `{"properties": {"tags": [`+wide(200_000, func(int) string { return `"a"` })+`]}}`, 200, 422)
		h.hostile("PATCH", users+"/u1", `{"relations": {"groups": [`+wide(60_000, func(i int) string { return fmt.Sprintf(`"g%d"`, i) })+`]}}`, 404, 422)
		h.hostile("POST", "/v1/blueprints", model("wide", wide(20_000, func(i int) string { return fmt.Sprintf(`"p%d":{"type":"string"}`, i) }), ""), 201, 422)
		h.hostile("POST", "/v1/entities/search", `{"combinator": "or", "rules": [`+wide(15_000, func(i int) string { return fmt.Sprintf(`{"property":"p%d","operator":"=","value":%d}`, i, i) })+`]}`, 422)
		h.hostile("POST", "/v1/entities/search", `{"combinator": "or", "rules": [{"property": "status", "operator": "in", "value": [`+wide(90_000, func(i int) string { return fmt.Sprintf(`"v%d"`, i) })+`]}]}`, 200, 422)
		h.hostile("POST", users+"/search", `{"include": [`+wide(90_000, func(i int) string { return fmt.Sprintf(`"v%d"`, i) })+`]}`, 200, 422)
	})
}

func TestHostileNumbers(t *testing.T) {
	check(t, rules.IDs("1.4-26", "3.2-10"), func(h *house) {
		h.okta()
		h.user("u1", "")
		for _, n := range []string{"1e999999999", "-1e999999999", "1e-999999999", "0e999999999", strings.Repeat("9", 500_000), "0." + strings.Repeat("1", 500_000), "1e9223372036854775807", "1E+400", "9223372036854775808"} {
			h.hostile("PATCH", users+"/u1", `{"properties": {"logins": `+n+`}}`, 200, 422)
			h.hostile("POST", "/v1/entities/search", `{"combinator": "and", "rules": [{"property": "logins", "operator": ">", "value": `+n+`}, {"property": "logins", "operator": "=", "value": `+n+`}]}`, 200, 422)
			h.hostile("POST", "/v1/blueprints", model("n", `"a": {"type": "number", "minimum": `+n+`, "multipleOf": `+n+`, "enum": [`+n+`], "default": `+n+`}`, ""), 201, 413, 422)
			h.hostile("POST", "/v1/blueprints/n/entities?upsert=true", `{"identifier": "e", "properties": {"a": 7}}`, 200, 201, 404, 422)
			h.hostile("POST", users+"/search", `{"limit": `+n+`}`, 422)
			h.hostile("GET", "/v1/audit-log?limit="+n[:min(len(n), 2000)], "", 200, 422)
			h.hostile("GET", users+"/u1", "", 200)
			h.call("DELETE", "/v1/blueprints/n/all-entities?delete_blueprint=true", "")
		}
	})
}

// hostileTexts are what an injection would be made of, and what databases choke on.
var hostileTexts = []string{
	`'`, `"`, `\`, "\x00", `'); DROP TABLE entities; --`, `" OR 1=1 --`, `$1`, `?`, `%`, `_`, `$."a"`, `a"."b`, `\u0000`, "\u2028", "\ufeff", "\U0001F600", "İ", "a\u0301", "\t\r\n", `$.properties`, `{{x}}`, `*`, `--`, `/*`, `;`, `\'`, `''`, `E'\x27'`,
	"\u202egnp", "#>", "->>'a'", `['a']`, "ｆｕｌｌ", "ß", `constructor`, `__proto__`, strings.Repeat("a", 5000), strings.Repeat(`\"'`, 500),
}

func TestHostileNames(t *testing.T) {
	check(t, rules.IDs("1.4-26", "2.2-1", "2.2-4", "3.2-1"), func(h *house) {
		h.okta()
		h.user("u1", `"title": "Ann", "team": "core"`)
		before := h.call("GET", users+"/u1", "").body
		for _, text := range hostileTexts {
			q := quoted(text)
			for _, rule := range []string{
				`{"property": ` + q + `, "operator": "=", "value": 1}`, `{"property": "status", "operator": "=", "value": ` + q + `}`, `{"property": "status", "operator": ` + q + `, "value": 1}`, `{"property": "status", "operator": "contains", "value": ` + q + `}`,
				`{"property": "tags", "operator": "containsAny", "value": [` + q + `]}`, `{"property": "$identifier", "operator": "in", "value": [` + q + `]}`, `{"property": "$team", "operator": "=", "value": ` + q + `}`, `{"property": "$datasource", "operator": "beginsWith", "value": ` + q + `}`,
				`{"property": "$blueprint", "operator": "=", "value": ` + q + `}`, `{"operator": "relatedTo", "blueprint": ` + q + `, "value": ` + q + `, "direction": ` + q + `}`, `{"operator": "relatedTo", "blueprint": "okta_user", "value": ` + q + `}`,
				`{"operator": "matchAny", "property": {"path": [` + q + `]}, "value": ` + q + `}`, `{"operator": "matchAny", "property": {"path": ["manager"], "fromBlueprint": ` + q + `}, "value": ` + q + `}`, `{"propertySchema": {"type": ` + q + `, "format": ` + q + `}, "operator": "=", "value": ` + q + `}`,
				`{"property": {"context": ` + q + `, "property": ` + q + `}, "operator": "=", "value": ` + q + `}`, `{"property": "status", "operator": "between", "value": {"from": ` + q + `, "to": ` + q + `}}`, `{"property": "lastLogin", "operator": "between", "value": {"preset": ` + q + `}}`, `{"combinator": ` + q + `, "rules": []}`,
			} {
				h.hostile("POST", "/v1/entities/search", `{"combinator": "and", "rules": [`+rule+`]}`, 200, 404, 422)
			}
			h.hostile("POST", users+"/search", `{"query": {"combinator": "and", "rules": [{"relation": `+q+`, "targetProperty": `+q+`, "operator": "=", "value": `+q+`}]}}`, 200, 422)
			h.hostile("POST", users+"/search", `{"from": `+q+`}`, 422)
			h.hostile("POST", users+"/search", `{"include": [`+q+`], "exclude": [`+q+`]}`, 200, 422)
			h.hostile("POST", users+"/top-search", `{"query": {"combinator": "and", "rules": []}, "sort": [{"property": `+q+`, "order": `+q+`}], "groupBy": `+q+`}`, 200, 404, 405, 422)
			h.hostile("POST", "/v1/entities/aggregate", `{"func": `+q+`, "property": `+q+`, "query": {"combinator": "and", "rules": []}}`, 200, 404, 422)
			h.hostile("POST", "/v1/blueprints/entities/datasource-entities", `{"datasource_prefix": `+q+`, "datasource_suffix": `+q+`, "from": `+q+`}`, 200, 422)
			h.hostile("POST", users, `{"identifier": `+q+`, "title": `+q+`, "icon": `+q+`, "team": [`+q+`], "properties": {"status": "ACTIVE", "profile": {`+q+`: `+q+`}, "tags": [`+q+`]}}`, 201, 409, 422)
			h.hostile("PATCH", users+"/u1", `{"properties": {`+q+`: 1}}`, 422)
			h.hostile("PATCH", users+"/u1", `{"relations": {`+q+`: `+q+`}}`, 422)
			h.hostile("PATCH", users+"/u1", `{"relations": {"manager": `+q+`}}`, 200, 404, 422) // some of them are legal identifiers
			h.hostile("POST", "/v1/blueprints", `{"identifier": `+q+`, "title": `+q+`, "schema": {"properties": {`+q+`: {"type": "string", "enum": [`+q+`]}}, "required": [`+q+`]}, "relations": {`+q+`: {"target": `+q+`}}}`, 201, 404, 422)
			h.hostile("PATCH", "/v1/blueprints/okta_group/properties/size/rename", `{"newPropertyName": `+q+`}`, 200, 404, 409, 422)
			h.hostile("POST", "/v1/webhooks", `{"identifier": `+q+`, "title": "T", "mappings": [{"blueprint": `+q+`, "entity": {"identifier": `+q+`}}]}`, 201, 409, 422)
		}
		h.call("PATCH", users+"/u1", `{"relations": {"manager": null}}`).want(200, "")
		if after := h.call("GET", users+"/u1", "").body; after != before {
			h.Errorf("the entity has changed:\n%s%s", before, after)
		}
	})
}

// A value that a program makes, deeper than databases read, must not make searches fail.
func TestDeepValuesOfProgramsDoNotBreakSearches(t *testing.T) {
	check(t, rules.IDs("1.4-26", "6.3-4"), func(h *house) {
		h.okta()
		for i, depth := range []int{200, 900, 995, 999} {
			h.events(fmt.Sprintf(`{"blueprint": "okta_user", "entity": {"identifier": ".body.id", "properties": {"status": "'ACTIVE'", "profile": "{a: reduce range(%d) as $i (null; [.])}"}}}`, depth), fmt.Sprintf(`{"id": "u%d"}`, i))
		}
		h.finds(`{"property": "status", "operator": "=", "value": "ACTIVE"}`, "u0", "u1", "u2", "u3")
		h.find(`{"property": "profile", "operator": "isNotEmpty"}`)
	})
}
