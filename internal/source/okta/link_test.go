package okta

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"longshore/internal/fault"
	"longshore/internal/rawjson"
)

func TestLinkTarget(t *testing.T) {
	const self, next = `<https://acme.okta.com/api/v1/users?limit=200>; rel="self"`, `<https://acme.okta.com/api/v1/users?after=00u3,x;y&limit=200>; rel="next"`
	const want = "https://acme.okta.com/api/v1/users?after=00u3,x;y&limit=200"
	for name, values := range map[string][]string{
		"separate lines":   {self, next},
		"joined":           {self + ", " + next},
		"joined, next 1st": {next + "," + self},
		"no quotes":        {strings.ReplaceAll(next, `"`, "")},
		"more parameters":  {`<x>; title="a, b; rel=\"next\""; rel=other, ` + strings.Replace(next, "rel", `type="a,b" ; Rel`, 1)},
		"several rels":     {strings.Replace(next, `"next"`, `"last NEXT"`, 1)},
	} {
		if got, ok := linkTarget(values, "next"); !ok || got != want {
			t.Errorf("%s: %q, %v, want %q", name, got, ok, want)
		}
	}
	for _, values := range [][]string{nil, {self}, {""}, {"<"}, {"<x"}, {`rel="next"`}, {`<x>; rel="nextish"`}, {`<x>; norel="next"`}, {`<x>, rel="next"`}} {
		if got, ok := linkTarget(values, "next"); ok {
			t.Errorf("%q gives %q, want none", values, got)
		}
	}
}

func TestSplitLink(t *testing.T) {
	for link, want := range map[string][2]string{
		"https://Acme.okta.com/api/v1/users?filter=status+eq+%22A%22&after=a%2Fb": {"acme.okta.com", "/api/v1/users?filter=status+eq+%22A%22&after=a%2Fb"},
		"http://127.0.0.1:80/api/v1/logs?after=1_1":                               {"127.0.0.1", "/api/v1/logs?after=1_1"},
		"/api/v1/groups/a%2Fb/users":                                              {"", "/api/v1/groups/a%2Fb/users"},
	} {
		host, path, err := splitLink(link)
		if err != nil || host != want[0] || path != want[1] {
			t.Errorf("splitLink(%q) = %q, %q, %v, want %q", link, host, path, err, want)
		}
	}
	for _, link := range []string{
		"", "x", "mailto:a@b", "https://acme.okta.com/", "https://acme.okta.com/login?x=/api/v1/", "https://u:p@acme.okta.com/api/v1/users",
		"https://acme.okta.com/api/v1/../../x", "%zz", "https://acme.okta.com/api/v1/" + strings.Repeat("a", maxLinkBytes),
	} {
		if host, path, err := splitLink(link); !fault.Is(err, fault.Invalid) {
			t.Errorf("splitLink(%.60q) = %q, %q, %v, want fault.Invalid", link, host, path, err)
		}
	}
}

func TestCursorKeyKnowsTheSamePage(t *testing.T) {
	if a, b := cursorKey("/api/v1/x?limit=200&filter=a+b&after=1"), cursorKey("/api/v1/x?after=1&filter=a%20b&limit=50"); a != b {
		t.Errorf("%q and %q differ", a, b)
	}
	if a, b := cursorKey("/api/v1/x?after=1"), cursorKey("/api/v1/x?after=2"); a == b {
		t.Errorf("two cursors are both %q", a)
	}
}

func FuzzLinks(f *testing.F) {
	f.Add(`<https://acme.okta.com/api/v1/users?limit=200>; rel="self", <https://acme.okta.com/api/v1/users?after=1>; rel="next"`)
	f.Add(`</api/v1/x>;rel=next;title="\"`)
	f.Add(`<//evil.test/api/v1/users>; rel=next`)
	f.Fuzz(func(t *testing.T, header string) {
		target, ok := linkTarget([]string{header}, "next")
		if ok && !strings.Contains(header, "<"+target+">") {
			t.Fatalf("target %q is not in %q", target, header)
		}
		host, path, err := splitLink(target)
		if err != nil {
			return
		}
		c := &client{base: mustParse(t, "https://acme.okta.com"), auth: token("t"), agent: "test"}
		request, err := c.request(t.Context(), path, true)
		if err == nil && (request.URL.Host != "acme.okta.com" || request.URL.Scheme != "https" || !strings.HasPrefix(request.URL.Path, apiPrefix)) {
			t.Fatalf("link %q (host %q) leads to %s", target, host, request.URL)
		}
		if again, path2, err := splitLink(path); err != nil || again != "" || path2 != path {
			t.Fatalf("path %q of %q does not survive a state: %q, %q, %v", path, target, again, path2, err)
		}
		_ = withLimit(path, max(1, limitOf(path)/2))
		_ = cursorKey(path)
	})
}

func FuzzParseState(f *testing.F) {
	f.Add([]byte(`{"v":1,"l":"/api/v1/users?after=1&limit=200","p":"00g1","c":"/api/v1/groups/00g1/users?after=2","r":"AAAA","t":"2026-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"v":1,"n":100,"b":"2026-01-02T03:04:05.000Z","s":"2026-01-01T03:04:05.000Z","f":"/api/v1/logs?after=1"}`))
	f.Add([]byte(`{"lastUpdated":"2026-01-02T03:04:05.000Z"}`))
	f.Add([]byte(`{"published":"2026-01-02T03:04:05Z"}`))
	f.Add([]byte(`{"__ab_full_refresh_sync_complete":true}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseState(data)
		if err != nil {
			return
		}
		encoded := s.encode()
		if again, err := parseState(encoded); len(encoded) <= maxStateBytes && (err != nil || again.Done != s.Done || again.bound() != s.bound() || !s.Done && again != s) {
			t.Fatalf("%s reads back as %+v, %v, want %+v", encoded, again, err, s)
		}
		newRecentUUIDs(s.Recent)
	})
}

func FuzzParseOrgURL(f *testing.F) {
	for _, seed := range []string{"acme", "https://acme-admin.okta.com/x", "[::1]:80", "a:1", "//x", "http://localhost"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		org, _, err := ParseOrgURL(text)
		if err != nil {
			return
		}
		again, notice, err := ParseOrgURL(org.String())
		if err != nil || again.String() != org.String() || notice != "" || mustParse(t, org.String()).Host != org.Host {
			t.Fatalf("%q gives %q, which gives %v, %q, %v", text, org, again, notice, err)
		}
	})
}

const samples = "../../../../shared/okta-samples/"

// sample reads a file of recorded answers, which are not part of this repository.
func sample(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(samples + name)
	if err != nil {
		t.Skipf("recorded answers are not here: %v", err)
	}
	return data
}

func TestRecordedLinksAreUnderstood(t *testing.T) {
	var next, total int
	for entry, err := range rawjson.Elements(sample(t, "link_headers.json")) {
		if err != nil {
			t.Fatal(err)
		}
		var recorded struct {
			Request string
			Link    []string
		}
		if err := json.Unmarshal(entry, &recorded); err != nil {
			t.Fatal(err)
		}
		for _, rel := range []string{"self", "next"} {
			target, ok := linkTarget(recorded.Link, rel)
			total++
			if want := strings.Contains(strings.Join(recorded.Link, ""), `rel="`+rel+`"`); ok != want {
				t.Errorf("%q has %s: %v, want %v", recorded.Link, rel, ok, want)
			}
			if ok && rel == "next" {
				next++
				_, requested, _ := strings.Cut(recorded.Request, " ")
				if _, path, err := splitLink(target); strings.Contains(target, "com/api/v1/") && (err != nil || cursorKey(path) == cursorKey(requested)) {
					t.Errorf("next of %s is %q, %v", recorded.Request, path, err)
				}
			}
		}
	}
	if next == 0 {
		t.Errorf("no next link in %d", total)
	}
}

func TestRecordedErrorsAreClassified(t *testing.T) {
	for entry, err := range rawjson.Elements(sample(t, "errors.json")) {
		if err != nil {
			t.Fatal(err)
		}
		var recorded struct {
			Status int
			Body   json.RawMessage
		}
		if err := json.Unmarshal(entry, &recorded); err != nil {
			t.Fatal(err)
		}
		e := classify(&answer{path: "/api/v1/users", status: recorded.Status, header: http.Header{}, body: recorded.Body})
		if e.Code == "" || !strings.Contains(e.Error(), e.Code) {
			t.Errorf("status %d, %s: code %q, %v", recorded.Status, recorded.Body, e.Code, e)
		}
		if want := map[int]fault.Kind{400: fault.Invalid, 401: fault.Denied, 403: fault.Denied, 404: fault.NotFound, 423: fault.Unavailable, 500: fault.Unavailable}[recorded.Status]; fault.KindOf(e) != want {
			t.Errorf("%v is %v, want %v", e, fault.KindOf(e), want)
		}
	}
}

func TestRecordedRecordsSurvive(t *testing.T) {
	for _, name := range []string{"logs.json", "users.json", "groups.json", "user_roles.json", "permissions.json"} {
		for record, err := range rawjson.Elements(sample(t, name)) {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			line := rawjson.OneLine(withMember([][]byte{record}, "userId", []byte(`"00u1"`))[0])
			var before, after map[string]any
			if err := json.Unmarshal(record, &before); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(line, &after); err != nil || strings.ContainsAny(string(line), "\r\n") || len(after) != len(before)+1 {
				t.Errorf("%s: %d members became %d, %v: %.200s", name, len(before), len(after), err, line)
			}
		}
	}
}
