package conform_test

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"longshore/internal/portapi/rules"
)

func TestIngestIsUnderTheOriginThatTheWebhookNames(t *testing.T) {
	check(t, rules.IDs("1.1-1"), func(h *house) {
		a := h.call("POST", "/v1/webhooks", `{"title": "Door"}`).want(201, "")
		at := a.text("integration", "url")
		path, ok := strings.CutPrefix(at, origin)
		if !ok {
			h.Fatalf("url %q is not under %s", at, origin)
		}
		h.call("POST", path, `{}`, "Authorization:").want(202, "")
		h.call("GET", "//v1/organization", "").want(200, "") // a base URL with a slash at its end
	})
}

// hardIdentifiers hold what a path must not be cleaned of.
var hardIdentifiers = []string{
	"https://acme.okta.com/api/v1/iam/roles/cr0/permissions/okta.users.read", "a//b", "/a", "a/", "a/../b", "...", ".a", "a+b", "a@b.example",
	`back\slash`, "a=b", "größe", "имя", "名前", "2Fb", "x:y:z",
}

func TestIdentifiersAreReachedThroughEscapedPaths(t *testing.T) {
	check(t, rules.IDs("1.2-1", "1.2-3", "3.2-1"), func(h *house) {
		h.blueprint(`{"identifier": "thing", "title": "Thing", "schema": {"properties": {"n": {"type": "number"}}, "required": []}}`)
		for _, id := range hardIdentifiers {
			path := "/v1/blueprints/thing/entities/" + strings.ReplaceAll(url.PathEscape(id), ":", "%3A")
			h.call("POST", "/v1/blueprints/thing/entities", `{"identifier": `+quoted(id)+`}`).want(201, "").is(quoted(id), "entity", "identifier")
			h.call("GET", path, "").want(200, "").is(quoted(id), "entity", "identifier")
			h.call("PATCH", path, `{"properties": {"n": 1}}`).want(200, "").is(quoted(id), "entity", "identifier")
			h.call("PUT", path, `{"properties": {"n": 2}}`).want(200, "").is("2", "entity", "properties", "n")
			h.call("DELETE", path, "").want(200, "")
			h.call("GET", path, "").want(404, "not_found")
		}
		h.call("POST", "/v1/blueprints/thing/entities", `{"identifier": "a+b"}`).want(201, "")
		h.call("GET", "/v1/blueprints/thing/entities/a+b", "").want(200, "").is(`"a+b"`, "entity", "identifier")
		h.call("GET", "/v1/blueprints/thing/entities/a%2Bb", "").want(200, "")
	})
}

func TestPathsAreNotCleaned(t *testing.T) {
	check(t, rules.IDs("1.2-2"), func(h *house) {
		for _, path := range []string{"/v1//organization", "/v1/./organization", "/v1/x/../organization", "/v1/blueprints//entities", "/v1/blueprints/%2E%2E/entities", "/v1/blueprints/a%2Fb%2Fc"} {
			a := h.call("GET", path, "")
			a.want(404, "not_found")
			if to := a.header.Get("Location"); to != "" {
				h.Errorf("%s redirects to %s", path, to)
			}
		}
	})
}

func TestAccessTokenTakesTwoMembersAndNothingElse(t *testing.T) {
	check(t, rules.IDs("1.3-1", "1.3-2", "1.3-3", "1.4-6", "1.4-8"), func(h *house) {
		const path = "/v1/auth/access_token"
		a := h.call("POST", path, `{"clientId":"client_1","clientSecret":"s3cret"}`, "Authorization:").want(200, "").is(`"Bearer"`, "tokenType")
		if a.text("accessToken") == "" || a.at("expiresIn") == "" {
			h.Errorf("no token or no expiresIn: %s", a.body)
		}
		for _, body := range []string{`{"clientId":"client_1"}`, `{"clientSecret":"s3cret"}`, `{}`, `{"clientId":1,"clientSecret":2}`, `{"clientId":"client_1","clientSecret":"s3cret","more":1}`, `[]`} {
			h.call("POST", path, body, "Authorization:").want(422, "invalid_request")
		}
		h.call("POST", path, `{"clientId":`, "Authorization:").want(400, "bad_request")
		for _, body := range []string{`{"clientId":"client_1","clientSecret":"wrong"}`, `{"clientId":"nobody","clientSecret":"s3cret"}`} {
			if a := h.call("POST", path, body, "Authorization:").want(401, "invalid_credentials"); strings.Contains(a.body, "s3cret") {
				h.Errorf("the answer holds the secret: %s", a.body)
			}
		}
	})
}

func TestTokenLivesThreeHoursAndIsHandedOutAgain(t *testing.T) {
	check(t, rules.IDs("1.3-4", "9-11"), func(h *house) {
		token := func() (string, int64) {
			a := h.call("POST", "/v1/auth/access_token", `{"clientId":"client_1","clientSecret":"s3cret"}`, "Authorization:").want(200, "")
			left, err := strconv.ParseInt(a.at("expiresIn"), 10, 64)
			if err != nil {
				h.Fatalf("expiresIn: %v", err)
			}
			return a.text("accessToken"), left
		}
		first, left := token()
		if left != 10800 {
			h.Errorf("expiresIn %d at first, want 10800", left)
		}
		h.clock.move(time.Hour)
		if again, left := token(); again != first || left != 7200 {
			h.Errorf("an hour later: the same token %t, expiresIn %d; want the same with 7200", again == first, left)
		}
		h.clock.move(2*time.Hour + time.Second)
		if later, _ := token(); later == first {
			h.Error("a token that has run out is handed out again")
		}
	})
}

func TestTokenIsAJWTOfAMachine(t *testing.T) {
	check(t, rules.IDs("1.3-5", "1.3-6"), func(h *house) {
		parts := strings.Split(h.token, ".")
		if len(parts) != 3 {
			h.Fatalf("the token has %d parts, want 3", len(parts))
		}
		var claims struct {
			IsMachine *bool  `json:"isMachine"`
			OrgID     string `json:"orgId"`
			IAT, EXP  int64
		}
		for i, part := range parts {
			text, err := base64.RawURLEncoding.DecodeString(part)
			if err != nil {
				h.Fatalf("part %d is not base64url: %v", i, err)
			}
			if i == 1 {
				if err := json.Unmarshal(text, &claims); err != nil {
					h.Fatal(err)
				}
			}
		}
		if claims.IsMachine == nil || !*claims.IsMachine || claims.OrgID == "" || claims.EXP-claims.IAT != 10800 {
			h.Errorf("claims %+v: want isMachine true, orgId, and 3 hours", claims)
		}
		h.blueprint(`{"identifier": "made", "title": "Made", "schema": {"properties": {}, "required": []}}`)
		if by := h.call("GET", "/v1/blueprints/made", "").text("blueprint", "createdBy"); by == "" || strings.Contains(by, "@") {
			h.Errorf("createdBy %q, want the client's id, without @", by)
		}
	})
}

func TestBadTokensAreUnauthorized(t *testing.T) {
	check(t, rules.IDs("1.3-7", "1.4-8"), func(h *house) {
		for _, header := range []string{"Authorization:", "Authorization: Bearer", "Authorization: Bearer x.y.z", "Authorization: Basic abc", "Authorization: Bearer " + h.token + "x"} {
			for _, path := range []string{"/v1/organization", "/v1/blueprints", "/v1/blueprints/none/entities/none"} {
				h.call("GET", path, "", header).want(401, "unauthorized")
			}
		}
		h.clock.move(3*time.Hour + time.Second)
		h.call("GET", "/v1/organization", "").want(401, "unauthorized")
		h.signIn()
		h.call("GET", "/v1/organization", "").want(200, "")
	})
}

func TestTokensAreCheapAndUnlimited(t *testing.T) {
	check(t, rules.IDs("1.3-8", "1.5-2", "9-13", "1.4-22"), func(h *house) {
		for range 300 { // call checks that no header speaks of a limit
			h.call("POST", "/v1/auth/access_token", `{"clientId":"client_1","clientSecret":"s3cret"}`, "Authorization:").want(200, "")
		}
	})
}

// Every call of this suite is checked for envelope, content type and trace id (see sound): here they are provoked where
// handlers are not reached.
func TestEnvelopeIsEverywhere(t *testing.T) {
	check(t, rules.IDs("1.4-1", "1.4-2", "1.4-5", "1.5-1", "1.4-26"), func(h *house) {
		h.call("GET", "/v1/nothing/here", "").want(404, "not_found")
		h.call("PATCH", "/v1/organization/nothing", "{}").want(404, "not_found")
		h.call("TRACE", "/v1/blueprints", "").want(405, "method_not_allowed")
		h.call("DELETE", "/v1/blueprints/none", "").want(404, "not_found").says("none")
		h.call("POST", "/v1/blueprints", "{").want(400, "bad_request")
		h.call("POST", "/v1/blueprints", "").want(400, "bad_request")
		h.call("POST", "/v1/blueprints", "null").want(422, "invalid_request")
	})
}

func TestErrorNamesThingAndRule(t *testing.T) {
	check(t, rules.IDs("1.4-5", "1.4-12", "1.4-16"), func(h *house) {
		h.call("GET", "/v1/blueprints/team_x", "").want(404, "not_found").says("team_x", "Blueprint").
			is(`"Blueprint"`, "details", "resource").is(`"team_x"`, "details", "withValue").is(`"identifier"`, "details", "relevantField")
		h.okta()
		h.call("GET", users+"/nobody", "").want(404, "not_found").says("nobody")
		h.call("POST", users, `{"identifier": "a", "properties": {"status": "GONE"}}`).want(422, "blueprint_schema_mismatch").says("status", "GONE")
		h.call("POST", users, `{"identifier": "a", "properties": {"status": "ACTIVE", "nope": 1}}`).want(422, "blueprint_schema_mismatch").says("nope")
		h.call("POST", users, `{"identifier": "a"}`).want(422, "blueprint_schema_mismatch").says("status")
		h.call("POST", users, `{"identifier": "a", "properties": {"status": "ACTIVE", "logins": "many"}}`).want(422, "blueprint_schema_mismatch").says("logins", "number", "many")
		h.call("POST", users, `{"identifier": "a", "properties": {"status": "ACTIVE"}, "relations": {"boss": "x"}}`).want(422, "blueprint_schema_mismatch").says("boss")
	})
}

func TestStatusesOfSuccess(t *testing.T) {
	check(t, rules.IDs("1.4-3", "3.1-1", "3.6-2"), func(h *house) {
		h.okta()
		h.call("POST", groups, `{"identifier": "g1"}`).want(201, "")
		h.call("POST", groups+"?upsert=true", `{"identifier": "g1"}`).want(200, "")
		h.call("POST", groups+"?upsert=true", `{"identifier": "g2"}`).want(201, "")
		h.call("POST", groups+"/bulk?upsert=true", `{"entities": [{"identifier": "g1"}, {"identifier": "a b"}]}`).want(207, "")
		h.call("POST", groups+"/bulk?upsert=true", `{"entities": [{"identifier": "a b"}]}`).want(207, "")
		h.call("POST", groups+"/bulk?upsert=true", `{"entities": [{"identifier": "g1"}]}`).want(200, "")
		h.call("GET", groups, "").want(200, "")
		h.call("DELETE", groups+"/g1", "").want(200, "")
		h.call("POST", "/v1/entities/search", `{"combinator": "and", "rules": []}`).want(200, "")
	})
}

func TestSearchIsCompressedWhenTheClientAccepts(t *testing.T) {
	check(t, rules.IDs("1.4-4"), func(h *house) {
		h.okta()
		for i := range 60 {
			h.call("POST", groups, `{"identifier": "group-`+strconv.Itoa(i)+`"}`).want(201, "")
		}
		const all = `{"combinator": "and", "rules": []}`
		plain := h.call("POST", "/v1/entities/search", all).want(200, "")
		for _, call := range [][2]string{{"/v1/entities/search", all}, {groups + "/search", `{}`}} {
			a := h.call("POST", call[0], call[1], "Accept-Encoding: gzip, deflate, br")
			if a.status != 200 || a.header.Get("Content-Encoding") != "gzip" || a.header.Get("Content-Type") != "application/json" {
				h.Fatalf("%s: %d with %v, want gzip", a.call, a.status, a.header)
			}
			z, err := gzip.NewReader(strings.NewReader(a.body))
			if err != nil {
				h.Fatal(err)
			}
			text, err := io.ReadAll(z)
			if err != nil {
				h.Fatal(err)
			}
			if call[0] == "/v1/entities/search" && string(text) != plain.body {
				h.Errorf("%s: unpacked, the answer is another: %s", a.call, excerpt(string(text)))
			}
		}
		for _, accept := range []string{"identity", "gzip;q=0", "br"} {
			if a := h.call("POST", "/v1/entities/search", all, "Accept-Encoding: "+accept); a.header.Get("Content-Encoding") != "" || a.body != plain.body {
				h.Errorf("Accept-Encoding %s: answered %q", accept, a.header.Get("Content-Encoding"))
			}
		}
	})
}

// There are no action runs here, so none is finished: a run_id is taken and means nothing.
func TestRunIDNamesNoFinishedRun(t *testing.T) {
	check(t, rules.IDs("1.4-7", "1.6-3"), func(h *house) {
		h.okta()
		h.call("POST", groups+"?run_id=&upsert=", `{"identifier": "g1"}`).want(201, "")
		h.call("PATCH", groups+"/g1?run_id=r_1", `{}`).want(200, "")
		h.call("POST", groups+"?upsert=&run_id=", `{"identifier": "g1"}`).want(409, "identifier_taken")
		h.call("GET", groups+"?include=&exclude=", "").want(200, "").is(`"g1"`, "entities", "0", "title")
	})
}

func TestTakenIdentifiersAreConflicts(t *testing.T) {
	check(t, rules.IDs("1.4-13", "1.4-25", "2.5-1", "3.3-1"), func(h *house) {
		h.okta()
		h.call("POST", "/v1/blueprints", groupBlueprint).want(409, "identifier_taken").says("okta_group")
		h.call("POST", groups, `{"identifier": "g1"}`).want(201, "")
		h.call("POST", groups, `{"identifier": "g2"}`).want(201, "")
		h.call("POST", groups, `{"identifier": "g1"}`).want(409, "identifier_taken").says("g1")
		h.call("PUT", groups+"/g1", `{"identifier": "g2"}`).want(409, "identifier_taken")
		h.call("PATCH", groups+"/g1", `{"identifier": "g2"}`).want(409, "identifier_taken")
		h.call("PUT", "/v1/blueprints/okta_group", strings.Replace(groupBlueprint, `"okta_group"`, `"okta_user"`, 1)).want(409, "identifier_taken")
		h.call("POST", "/v1/webhooks", `{"identifier": "w", "title": "W"}`).want(201, "")
		h.call("POST", "/v1/webhooks", `{"identifier": "w", "title": "W"}`).want(409, "identifier_taken")
	})
}

func TestBodiesThatDoNotFit(t *testing.T) {
	check(t, rules.IDs("1.4-6", "1.4-15", "1.4-26"), func(h *house) {
		h.okta()
		for _, call := range [][2]string{
			{"POST", "/v1/blueprints"},
			{"PUT", "/v1/blueprints/okta_group"},
			{"PATCH", "/v1/blueprints/okta_group"},
			{"POST", groups},
			{"PUT", groups + "/g"},
			{"PATCH", groups + "/g"},
			{"POST", groups + "/bulk"},
			{"POST", "/v1/blueprints/okta_group/bulk/entities/delete"},
			{"POST", groups + "/search"},
			{"POST", "/v1/entities/search"},
			{"POST", "/v1/blueprints/entities/datasource-entities"},
			{"POST", "/v1/webhooks"},
		} {
			h.call(call[0], call[1], `{"a":`).want(400, "bad_request")
			h.call(call[0], call[1], `"text"`).want(422, "invalid_request")
			h.call(call[0], call[1], `[1]`).want(422, "invalid_request")
		}
		h.call("POST", groups, `{"properties": []}`).want(422, "invalid_request")
		h.call("POST", groups, `{"identifier": 1}`).want(422, "invalid_request")
		h.call("POST", groups, `{"relations": "x"}`).want(422, "invalid_request")
		h.call("POST", groups+"/search", `{"limit": "many"}`).want(422, "invalid_request")
		h.call("POST", groups+"/search", `{"from": 1}`).want(422, "invalid_request")
		h.call("POST", groups+"/search", `{"from": "no cursor of ours"}`).want(422, "invalid_request")
	})
}

func TestListParametersHaveTwoSpellings(t *testing.T) {
	check(t, rules.IDs("1.6-1"), func(h *house) {
		h.okta()
		h.call("POST", users, `{"identifier": "u1", "title": "Ann", "properties": {"status": "ACTIVE", "logins": 1}}`).want(201, "")
		repeated := h.call("GET", users+"/u1?include=title&include=properties.status", "").want(200, "")
		joined := h.call("GET", users+"/u1?include=title,properties.status", "").want(200, "")
		mixed := h.call("GET", users+"/u1?include=title,properties.status&include=", "").want(200, "")
		if repeated.body != joined.body || joined.body != mixed.body {
			h.Errorf("the spellings differ:\n%s%s%s", repeated.body, joined.body, mixed.body)
		}
		repeated.is(`{"status":"ACTIVE"}`, "entity", "properties").is("", "entity", "relations").is(`"Ann"`, "entity", "title")
	})
}

func TestOddBooleansAreTheDefault(t *testing.T) {
	check(t, rules.IDs("1.6-2"), func(h *house) {
		h.okta()
		h.call("POST", "/v1/entities/search?exclude_calculated_properties=0xc0004a2b18&include=identifier", `{"combinator": "and", "rules": []}`).want(200, "")
		h.call("POST", groups+"?upsert=0xc0004a2b18&merge=yes", `{"identifier": "g1"}`).want(201, "")
		h.call("POST", groups+"?upsert=1", `{"identifier": "g1"}`).want(409, "identifier_taken") // 1 is not true
		h.call("POST", "/v1/blueprints?create_catalog_page=0xc000", `{"identifier": "odd", "title": "Odd", "schema": {"properties": {}, "required": []}}`).want(201, "")
		h.call("GET", users+"?attach_title_to_relation=maybe&unknown=1", "").want(200, "")
	})
}

func TestOrganizationHasNoFeatureFlags(t *testing.T) {
	check(t, rules.IDs("1.7-1", "1.7-7"), func(h *house) {
		a := h.call("GET", "/v1/organization", "").want(200, "").is("[]", "organization", "featureFlags")
		if a.text("organization", "id") == "" || a.text("organization", "name") == "" {
			h.Errorf("organization %s, want id and name", a.body)
		}
	})
}

func TestKafkaCredentialsAreNotServed(t *testing.T) {
	check(t, rules.IDs("1.7-5"), func(h *house) {
		h.call("GET", "/v1/kafka-credentials", "").want(404, "not_found")
	})
}
