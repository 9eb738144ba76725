package conform_test

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"longshore/internal/store"
)

// fuzzHouse is one server for all inputs of a target.
func fuzzHouse(f *testing.F) *house {
	f.Helper()
	s, err := store.Open(f.Context(), filepath.Join(f.TempDir(), "longshore.db"))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := s.Close(); err != nil {
			f.Error(err)
		}
	})
	h := newHouse(f, s)
	h.okta()
	return h
}

// survives fails the test unless the call is answered in time, by no failure of ours, in the envelope.
func (h *house) survives(t *testing.T, method string, u *url.URL, body string) {
	t.Helper()
	r := httptest.NewRequest(method, origin+"/", strings.NewReader(body))
	r.URL = u
	r.Header.Set("Authorization", "Bearer "+h.token)
	w := httptest.NewRecorder()
	start := time.Now()
	h.handler.ServeHTTP(w, r)
	var envelope struct {
		OK      *bool  `json:"ok"`
		Error   string `json:"error"`
		Message string `json:"message"`
	}
	err := json.Unmarshal(w.Body.Bytes(), &envelope)
	switch {
	case w.Code >= 500:
		t.Errorf("%s %s with %q: %d %s", method, u, body, w.Code, excerpt(w.Body.String()))
	case err != nil || envelope.OK == nil || *envelope.OK != (w.Code < 300) || !*envelope.OK && (envelope.Error == "" || envelope.Message == ""):
		t.Errorf("%s %s with %q: %d without the envelope: %s", method, u, body, w.Code, excerpt(w.Body.String()))
	case time.Since(start) > maxAnswerTime:
		t.Errorf("%s %s with %q took %v", method, u, body, time.Since(start))
	}
}

// at is a path of ours.
func at(path string) *url.URL { return &url.URL{Path: path} }

func FuzzSearch(f *testing.F) {
	for _, rule := range []string{
		`{"property":"status","operator":"=","value":"ACTIVE"}`, `{"property":"lastLogin","operator":"between","value":{"preset":"today"}}`, `{"operator":"relatedTo","blueprint":"okta_user","value":["u"],"direction":"upstream"}`,
		`{"operator":"matchAny","property":{"path":["manager",{"relation":"manager","maxHops":3}],"fromBlueprint":"okta_user"},"value":"u"}`, `{"propertySchema":{"type":"array","items":{"type":"string"}},"operator":"contains","value":"x"}`,
		`{"property":{"context":"user","property":"$identifier"},"operator":"=","value":1e400}`, `{"property":"$team","operator":"in","value":["My Teams",null,1,true,{}]}`, `{"combinator":"or","rules":[{"property":"logins","operator":"notBetween"}]}`,
		`{"property":"tags","operator":"containsAny","value":["\u0000","\ud800"]}`, `{"relation":"manager","targetProperty":"$title","operator":"=","value":"x"}`, `{"property":"isActive","operator":"=","value":true}`,
	} {
		f.Add(`{"combinator":"and","rules":[` + rule + `]}`)
	}
	h := fuzzHouse(f)
	h.user("u", "")
	f.Fuzz(func(t *testing.T, query string) {
		h.survives(t, "POST", at("/v1/entities/search"), query)
		h.survives(t, "POST", at(users+"/search"), `{"limit":3,"query":`+query+`}`)
		h.survives(t, "POST", at(users+"/search/count"), `{"query":`+query+`}`)
		h.survives(t, "PATCH", at(users+"/u"), `{"relations":{"groups":`+query+`}}`)
	})
}

func FuzzBlueprint(f *testing.F) {
	for _, doc := range []string{
		groupBlueprint, userBlueprint, badgeBlueprint, `{"identifier":"x","title":"X","schema":{"properties":{"a":{"type":"string","pattern":"(a{900}){900}","$ref":"#"}},"required":["b"]}}`,
		`{"title":"X","schema":{"properties":{"a":{"type":"array","items":{"type":"array","items":{"$ref":"http://x.example/y"}}}},"required":[]},"ownership":{"type":"Inherited","path":"r.r"}}`,
		`{"identifier":"x","title":"X","schema":{"properties":{"n":{"type":"number","multipleOf":1e-999999999,"enum":[1e999999999]}},"required":[]}}`,
		`{"identifier":"x","title":"X","schema":{"properties":{},"required":[]},"aggregationProperties":{"n":{"title":"N","target":"x","calculationSpec":{"func":"average","calculationBy":"entities","averageOf":"day"},"pathFilter":[{"path":["a"]}]}},"calculationProperties":{"c":{"type":"string","calculation":"def f: f; f"}}}`,
	} {
		f.Add(doc)
	}
	h := fuzzHouse(f)
	kept := h.blueprints()
	f.Fuzz(func(t *testing.T, doc string) {
		h.TB = t
		h.survives(t, "POST", at("/v1/blueprints"), `{"identifier":"fuzzed","title":"F","schema":{"properties":{"a":{"type":"string"}},"required":[]}}`)
		h.survives(t, "PATCH", at("/v1/blueprints/fuzzed"), doc)
		h.survives(t, "POST", at("/v1/blueprints"), doc)
		made := slices.DeleteFunc(h.blueprints(), func(id string) bool { return slices.Contains(kept, id) })
		for _, id := range made {
			h.survives(t, "POST", below(id, "/entities"), `{"identifier":"e","properties":{"a":"x","n":1,"status":"ACTIVE"}}`)
		}
		// What an input has made goes, or each would be slower than the one before.
		for _, id := range made {
			h.survives(t, "PUT", below(id, ""), `{"title":"F","schema":{"properties":{},"required":[]}}`)
		}
		for _, id := range made {
			u := below(id, "/all-entities")
			u.RawQuery = "delete_blueprint=true"
			h.survives(t, "DELETE", u, "")
		}
		if left := h.blueprints(); !slices.Equal(left, kept) {
			t.Errorf("after %q there are the blueprints %q, want %q", doc, left, kept)
		}
	})
}

// blueprints are the identifiers of all there are.
func (h *house) blueprints() []string {
	h.Helper()
	var all struct{ Blueprints []struct{ Identifier string } }
	if err := json.Unmarshal([]byte(h.call("GET", "/v1/blueprints", "").want(200, "").body), &all); err != nil {
		h.Fatal(err)
	}
	var ids []string
	for _, b := range all.Blueprints {
		ids = append(ids, b.Identifier)
	}
	slices.Sort(ids)
	return ids
}

// below is a path below a blueprint of any identifier.
func below(id, rest string) *url.URL {
	return &url.URL{Path: "/v1/blueprints/" + id + rest, RawPath: "/v1/blueprints/" + url.PathEscape(id) + rest}
}

func FuzzEntity(f *testing.F) {
	for _, doc := range []string{
		`{"identifier":"u","title":"","icon":null,"team":["a"],"properties":{"status":"ACTIVE","logins":1e400,"tags":["\u0000"],"profile":{"a":{}}},"relations":{"manager":"u","groups":["g"]}}`, `{"identifier":{"combinator":"and","rules":[]},"properties":{}}`,
		`{"identifier":"u","properties":{"status":"ACTIVE","lastLogin":"9999-12-31T23:59:59.999999999+23:59"}}`, `{"identifier":"\ud800","team":{"combinator":"or","rules":[{"property":"$title","operator":"=","value":null}]}}`, `{"relations":{"manager":{"combinator":"and","rules":[{"property":"$identifier","operator":"in","value":["u"]}]}}}`,
		`{"properties":{"status":"ACTIVE","logins":-0.00e-0}}`, `{"identifier":"u","identifier":"v","properties":{"status":"STAGED","status":"ACTIVE"}}`,
	} {
		f.Add(doc)
	}
	h := fuzzHouse(f)
	h.user("there", "")
	f.Fuzz(func(t *testing.T, doc string) {
		h.survives(t, "POST", &url.URL{Path: users, RawQuery: "upsert=true&create_missing_related_entities=true"}, doc)
		h.survives(t, "PUT", at(users+"/there"), doc)
		h.survives(t, "PATCH", at(users+"/there"), doc)
		h.survives(t, "POST", &url.URL{Path: users + "/bulk", RawQuery: "upsert=true&merge=true"}, `{"entities":[`+doc+`,`+doc+`]}`)
		h.survives(t, "GET", at(users+"/there"), "")
	})
}

func FuzzWebhookCall(f *testing.F) {
	for _, body := range []string{`{"id":"g","name":"x","size":3}`, `[{"id":1}]`, `"x"`, `{"id":{"a":[1e400]}}`, `{"id":"\ud800","size":"\u0000"}`, `{"id":null}`, "\xff", `{"list":[1,2,3]}`} {
		f.Add(body, "a=1&a=2", "value")
	}
	h := fuzzHouse(f)
	door := h.door(`{"title":"W","mappings":[` + groupMapping + `,{"blueprint":"okta_group","itemsToParse":".body.list","entity":{"identifier":".item|tostring","title":".headers.\"x-fuzz\"","properties":{"size":".queryParams.a|tonumber"}}},
		{"blueprint":"okta_user","operation":"delete","filter":".body.gone == true","entity":{"identifier":".body.id"}}]}`)
	f.Fuzz(func(t *testing.T, body, query, header string) {
		h.TB = t
		h.survives(t, "POST", &url.URL{Path: door, RawQuery: query}, body)
		h.work()
		h.survives(t, "POST", &url.URL{Path: "/v1/webhooks"}, body)
		h.survives(t, "GET", at(groups), "")
	})
}

func FuzzPath(f *testing.F) {
	for _, path := range []string{"/v1/blueprints/%2F/entities/%00", "//v1//", "/v1/blueprints/okta_user/entities/a%2Fb?include=%00&limit=-1", "/v1/audit-log?from=x&limit=9999999999", "/ingest/%2e%2e", "/v1/longshore/objects/1/lines/-1", "/v1/blueprints/okta_user/entities/search/count", "/v1/longshore/verdicts?code=%ff&mapping=1e9", "/v1/../v1/organization", "/v1/blueprints/okta_user/all-entities"} {
		f.Add("GET", path)
		f.Add("DELETE", path)
	}
	h := fuzzHouse(f)
	f.Fuzz(func(t *testing.T, method, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil || !strings.HasPrefix(u.Path, "/v1/") && !strings.HasPrefix(u.Path, "/ingest/") {
			return
		}
		for _, r := range method {
			if r <= ' ' || r > '~' || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r) {
				return // no client can send it
			}
		}
		if method == "" || method == "HEAD" {
			return
		}
		h.survives(t, method, u, "{}")
	})
}
