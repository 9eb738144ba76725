package web_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/pipeline"
)

func get(t *testing.T, h http.Handler, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func post(t *testing.T, h http.Handler, path string, form url.Values, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func mustShow(t *testing.T, path, body string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(body, want) {
			t.Errorf("%s does not show %q", path, want)
		}
	}
}

func TestScreensShowTheData(t *testing.T) {
	w := newWorld(t, true)
	h := w.handler(t)
	cases := []struct {
		path  string
		wants []string
	}{
		{"/", []string{
			"Sync 1", "10 read = 10 verdicts", "Super admin assignments", `href="/catalog/okta_role_assignment?f=type%3Ais%3ASUPER_ADMIN"`,
			"Stream assignments is partial", "Expression failed", "line is no record in users", "okta_role_assignment.user waits for okta_user", "<svg class=\"sankey",
		}},
		{"/?sync=all", []string{"Everything in the lake", "Object unrouted"}},
		{"/catalog", []string{"Okta User", "A person.", "Empty thing"}},
		{"/catalog/okta_user", []string{"Ada Lovelace", "2 flags", "3 days ago", `aria-label="empty"`}},
		{"/catalog/okta_role_assignment?f=type:is:SUPER_ADMIN", []string{"SUPER_ADMIN of 00u1", "type is SUPER_ADMIN", "Ada Lovelace", "waiting", "<b>2</b> of"}},
		{"/catalog/okta_user?json&f=logins:gt:3", []string{"&#34;operator&#34;", "&#34;logins&#34;", "Ada Lovelace"}},
		{"/catalog/okta_user?q=nobody", []string{"No entity passes", "Remove the filter"}},
		{"/catalog/okta_user?cols=$title,greeting,roles", []string{"Hello Ada Lovelace", "Roles held"}},
		{"/catalog/okta_user?f=greeting:has:Ada", []string{"Ada Lovelace", "<b>1</b> of"}},
		{"/catalog/empty_thing", []string{"No entity yet"}},
		{"/entity/okta_user/00u1", []string{"Ada Lovelace", "changed by hand", "Last written by the API (someone)", "okta #1 → okta_user", "SUPER_ADMIN of 00u1", "class=\"ego", "users/…/4_1_0:1", "Written", "London", "Hello Ada Lovelace", "<small>derived</small>", "Next login"}},
		{"/entity/okta_user/00u3", []string{"Kept with flags", "required", "logins", "no value: cannot add"}},
		{"/entity/okta_role_assignment/00u-not-read/SUPER_ADMIN", []string{"waiting"}},
		{"/entity/okta_user/00u-not-read", []string{"not in the catalog", "Waiting for it", "Look for it in the lake"}},
		{"/verdicts", []string{"Kept with flags", "status (required)", "No mapping wanted it", "Not a record", "in identifier: .body.id", "class=\"treemap"}},
		{"/verdicts?code=over-limit", []string{"No verdict passes the filter"}},
		{"/verdicts?tone=red", []string{"Expression failed", "Not a record"}},
		{"/objects", []string{"users/…/4_1_0", "unrouted", "another writer"}},
		{"/objects?state=troubled", []string{"unrouted"}},
		{"/pending", []string{"00u-not-read", "1"}},
		{"/why?id=00u1", []string{"Ada Lovelace", "users/…/4_1_0", "<b>:1</b>"}},
		{"/why?id=00u-not-read", []string{"Who waits for it"}},
		{"/record/1/1", []string{"The line in the lake", "Ada Lovelace", "created", "passed it by"}},
		{"/record/1/6", []string{"no record", "not json at all", "Not a record"}},
		{"/record/1/5", []string{"Expression failed"}},
	}
	for _, c := range cases {
		got := get(t, h, c.path)
		if got.Code != http.StatusOK {
			t.Errorf("%s answers %d: %s", c.path, got.Code, got.Body)
			continue
		}
		mustShow(t, c.path, got.Body.String(), c.wants...)
	}
}

func TestScreensWithoutData(t *testing.T) {
	h := newWorld(t, false).handler(t)
	for path, want := range map[string]string{
		"/": "No sync has run yet", "/catalog": "no blueprint yet", "/verdicts": "No record has a verdict here",
		"/objects": "No object here", "/pending": "Nothing waits", "/why": "Why is it", "/why?id=00u9": "No entity has it",
	} {
		got := get(t, h, path)
		if got.Code != http.StatusOK {
			t.Errorf("%s answers %d: %s", path, got.Code, got.Body)
		}
		mustShow(t, path, got.Body.String(), want)
	}
}

func TestWhatIsNotThere(t *testing.T) {
	h := newWorld(t, true).handler(t)
	for path, want := range map[string]int{
		"/nope": 404, "/catalog/nope": 404, "/entity/nope/x": 404, "/entity/okta_user/nobody": 404, "/record/1/99": 404, "/record/99/1": 404,
		"/record/x/1": 400, "/?sync=x": 400, "/?sync=77": 404, "/verdicts?code=nope": 400, "/verdicts?mapping=x": 400, "/objects?state=nope": 400,
		"/catalog/okta_user?f=status": 400, "/catalog/okta_user?from=broken": 400, "/catalog/okta_user/export?format=xls": 400, "/assets/app.css": 404,
	} {
		got := get(t, h, path)
		if got.Code != want {
			t.Errorf("%s answers %d, want %d", path, got.Code, want)
		}
		if strings.HasPrefix(path, "/assets") {
			continue
		}
		mustShow(t, path, got.Body.String(), "<h1>")
	}
}

var hrefs = regexp.MustCompile(`(?:href|action|src)="([^"#]*)[^"]*"`)

// TestEveryLinkLeadsSomewhere follows all links from the home page.
func TestEveryLinkLeadsSomewhere(t *testing.T) {
	h := newWorld(t, true).handler(t)
	seen, queue := map[string]string{"/": ""}, []string{"/"}
	const most = 3000
	for len(queue) > 0 && len(seen) < most {
		path := queue[0]
		queue = queue[1:]
		got := get(t, h, path)
		if got.Code != http.StatusOK && got.Code != http.StatusSeeOther && path != "/sync" && path != "/theme" { // these two are posted to
			t.Errorf("%s (linked from %s) answers %d", path, seen[path], got.Code)
		}
		if !strings.HasPrefix(got.Header().Get("Content-Type"), "text/html") {
			continue
		}
		for _, m := range hrefs.FindAllStringSubmatch(got.Body.String(), -1) {
			next := html.UnescapeString(m[1])
			if next == "" {
				continue
			}
			if next[0] != '/' || strings.HasPrefix(next, "//") {
				t.Errorf("%s links out of this server: %s", path, next)
				continue
			}
			if _, ok := seen[next]; !ok {
				seen[next] = path
				queue = append(queue, next)
			}
		}
	}
	if len(seen) < 100 {
		t.Errorf("only %d addresses were found from the home page", len(seen))
	}
}

var (
	inlineScript = regexp.MustCompile(`(?i)<script(?:\s[^>]*)?>[^<]|\son[a-z]+="|\sstyle="|<style|javascript:`)
	headings     = regexp.MustCompile(`<h1[\s>]`)
	fields       = regexp.MustCompile(`<(?:input|select)\s[^>]*>`)
	attribute    = regexp.MustCompile(`([a-z-]+)="([^"]*)"`)
)

// pagesOfAllKinds are one address of each page.
var pagesOfAllKinds = []string{
	"/", "/catalog", "/catalog/okta_user", "/catalog/okta_user?json&q=a&f=status:is:ACTIVE", "/entity/okta_user/00u1", "/entity/okta_user/00u3",
	"/entity/okta_user/00u-not-read", "/verdicts", "/verdicts?code=upserted", "/objects", "/pending", "/why?id=00u1", "/record/1/1", "/record/1/6", "/nope",
}

func TestPagesBearAStrictPolicyAndNothingInline(t *testing.T) {
	h := newWorld(t, true).handler(t)
	for _, path := range pagesOfAllKinds {
		got := get(t, h, path)
		policy := got.Header().Get("Content-Security-Policy")
		if strings.Contains(policy, "unsafe") || !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s: policy %q", path, policy)
		}
		if found := inlineScript.FindString(got.Body.String()); found != "" {
			t.Errorf("%s has something inline: %q", path, found)
		}
	}
}

func TestPagesCanBeReadByAll(t *testing.T) {
	h := newWorld(t, true).handler(t)
	for _, path := range pagesOfAllKinds {
		body := get(t, h, path).Body.String()
		if n := len(headings.FindAllString(body, -1)); n != 1 {
			t.Errorf("%s has %d first headings, want 1", path, n)
		}
		mustShow(t, path, body, `<html lang="en"`, `<main id="main"`, `href="#main"`, `name="viewport"`, "<title>")
		for _, field := range fields.FindAllString(body, -1) {
			has := map[string]string{}
			for _, m := range attribute.FindAllStringSubmatch(field, -1) {
				has[m[1]] = m[2]
			}
			switch {
			case has["type"] == "hidden", has["type"] == "checkbox", has["data-auto"] != "" || strings.Contains(field, "data-auto"): // the latter two stand inside their label
			case has["id"] != "" && strings.Contains(body, `for="`+has["id"]+`"`):
			default:
				t.Errorf("%s: a field has no label: %s", path, field)
			}
		}
		ids := map[string]bool{}
		for _, m := range regexp.MustCompile(`\sid="([^"]*)"`).FindAllStringSubmatch(body, -1) {
			if ids[m[1]] {
				t.Errorf("%s: id %q is there twice", path, m[1])
			}
			ids[m[1]] = true
		}
	}
}

func TestOutsideTextStaysText(t *testing.T) {
	h := newWorld(t, true).handler(t)
	for _, path := range []string{
		"/catalog/okta_user", "/entity/okta_user/00u2", "/record/1/2", "/why?id=%3Cscript%3Ealert(1)", "/catalog/okta_user?q=%22%3E%3Cscript%3E",
		"/entity/okta_role_assignment/00u2/HELP_DESK", "/verdicts?stream=%22%3E%3Cscript%3E", "/catalog/okta_user?f=status:is:%3Cscript%3E",
	} {
		body := get(t, h, path).Body.String()
		if strings.Contains(body, "<script>") || strings.Contains(body, "<img src=x") {
			t.Errorf("%s lets outside text be markup", path)
		}
		mustShow(t, path, body, "&lt;script&gt;")
	}
}

func TestIdentifiersOfAnyShapeHaveAPage(t *testing.T) {
	w := newWorld(t, true)
	h := w.handler(t)
	for _, id := range []string{"a//b/../c", "a/b", ".", "..", "x?y#z", "per cent %2F", "ünï ✓", "/lead", "trail/", "a\\b"} {
		if _, err := w.catalog.Write(t.Context(), catalog.Change{
			Blueprint: "okta_user", Identifier: id, Title: []byte(`"Shape"`), Lenient: true, Actor: "test",
			Properties: []catalog.Field{{Name: "status", Value: []byte(`"ODD"`)}},
		}); err != nil {
			t.Logf("the catalog does not take %q: %v", id, err)
			continue
		}
		body := get(t, h, "/catalog/okta_user?f=$identifier:is:"+url.QueryEscape(id)).Body.String()
		link := regexp.MustCompile(`href="(/entity/okta_user/[^"]*)"`).FindStringSubmatch(body)
		if link == nil {
			t.Errorf("the table has no row for %q", id)
			continue
		}
		got := get(t, h, html.UnescapeString(link[1]))
		if got.Code != http.StatusOK || !strings.Contains(got.Body.String(), html.EscapeString(id)) {
			t.Errorf("%q: its page %s answers %d", id, link[1], got.Code)
		}
	}
}

func TestAssetsMayBeKeptForEver(t *testing.T) {
	h := newWorld(t, false).handler(t)
	body := get(t, h, "/").Body.String()
	found := regexp.MustCompile(`/assets/[a-z]+\.[0-9a-f]{16}\.(?:css|js|svg)`).FindAllString(body, -1)
	if len(found) != 3 {
		t.Fatalf("the page names %d hashed assets, want 3: %q", len(found), found)
	}
	for _, path := range found {
		got := get(t, h, path)
		if got.Code != 200 || !strings.Contains(got.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s answers %d, Cache-Control %q", path, got.Code, got.Header().Get("Cache-Control"))
		}
		if strings.HasSuffix(path, ".css") {
			font := regexp.MustCompile(`url\("([^"]+)"\)`).FindStringSubmatch(got.Body.String())
			if font == nil || get(t, h, "/assets/"+font[1]).Header().Get("Content-Type") != "font/woff2" {
				t.Errorf("the style sheet's font %q is not served", font)
			}
		}
	}
}

func TestTheFilterFormBecomesAnAddress(t *testing.T) {
	h := newWorld(t, true).handler(t)
	got := get(t, h, "/catalog/okta_user?q=ada&f=status%3Ais%3AACTIVE&fp=logins&fo=gt&fv=3")
	const want = "/catalog/okta_user?f=status%3Ais%3AACTIVE&f=logins%3Agt%3A3&q=ada"
	if got.Code != http.StatusSeeOther || got.Header().Get("Location") != want {
		t.Errorf("answers %d to %q, want %q", got.Code, got.Header().Get("Location"), want)
	}
	got = get(t, h, "/catalog/okta_user?col=$title&col=status")
	if got.Header().Get("Location") != "/catalog/okta_user?cols=%24title%2Cstatus" {
		t.Errorf("the chosen columns lead to %q", got.Header().Get("Location"))
	}
	body := get(t, h, got.Header().Get("Location")).Body.String()
	if strings.Contains(body, "Identifier</a>") || !strings.Contains(body, "Status</a>") {
		t.Error("the table does not show exactly the chosen columns")
	}
}

func TestTablesArePaged(t *testing.T) {
	w := newWorld(t, true)
	h := w.handler(t)
	for i := range 120 {
		_, err := w.catalog.Write(t.Context(), catalog.Change{Blueprint: "empty_thing", Identifier: fmt.Sprintf("thing-%03d", i), Actor: "test"})
		if err != nil {
			t.Fatal(err)
		}
	}
	link := func(body, rel string) string {
		m := regexp.MustCompile(`rel="` + rel + `" href="([^"]*)"`).FindStringSubmatch(body)
		if m == nil {
			return ""
		}
		return html.UnescapeString(m[1])
	}
	seen, path, pages := map[string]bool{}, "/catalog/empty_thing?sort=-$identifier", []string{}
	for path != "" {
		pages = append(pages, path)
		body := get(t, h, path).Body.String()
		for _, m := range regexp.MustCompile(`data-row>(thing-\d+)`).FindAllStringSubmatch(body, -1) {
			if seen[m[1]] {
				t.Errorf("%s is shown twice", m[1])
			}
			seen[m[1]] = true
		}
		path = link(body, "next")
	}
	if len(seen) != 120 || len(pages) != 3 {
		t.Fatalf("%d entities on %d pages, want 120 on 3", len(seen), len(pages))
	}
	back := link(get(t, h, pages[2]).Body.String(), "prev")
	if body := get(t, h, back).Body.String(); !strings.Contains(body, "thing-069") || strings.Contains(body, "thing-019") {
		t.Errorf("previous of page 3 (%s) is not page 2", back)
	}
	first := link(get(t, h, back).Body.String(), "prev")
	if body := get(t, h, first).Body.String(); !strings.Contains(body, "thing-119") {
		t.Errorf("previous of page 2 (%s) is not page 1", first)
	}
}

func TestExports(t *testing.T) {
	h := newWorld(t, true).handler(t)
	got := get(t, h, "/catalog/okta_role_assignment/export?format=csv&f=type:is:SUPER_ADMIN")
	rows, err := csv.NewReader(got.Body).ReadAll()
	if err != nil || len(rows) != 3 || strings.Join(rows[0], ",") != "title,user,type,identifier" {
		t.Errorf("CSV: %v, %q", err, rows)
	}
	got = get(t, h, "/catalog/okta_user/export?format=jsonl&sort=$identifier")
	lines := strings.Split(strings.TrimSpace(got.Body.String()), "\n")
	if len(lines) != 4 {
		t.Fatalf("JSON lines: %d, want 4", len(lines))
	}
	var first struct{ Identifier, Title, Blueprint string }
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil || first.Identifier != "00u1" || first.Blueprint != "okta_user" {
		t.Errorf("the first line is %+v, %v", first, err)
	}
	if kept := get(t, h, "/catalog/okta_user/export?format=csv&cols=$title,note").Body.String(); strings.Contains(kept, "\n=") {
		t.Errorf("a value can be read as a formula:\n%s", kept)
	}
}

func TestThemeIsRemembered(t *testing.T) {
	h := newWorld(t, false).handler(t)
	got := post(t, h, "/theme", url.Values{"theme": {"dark"}, "back": {"/catalog"}})
	if got.Code != http.StatusSeeOther || got.Header().Get("Location") != "/catalog" || !strings.Contains(got.Header().Get("Set-Cookie"), "theme=dark") {
		t.Errorf("answers %d to %q with %q", got.Code, got.Header().Get("Location"), got.Header().Get("Set-Cookie"))
	}
	mustShow(t, "/", get(t, h, "/", "Cookie", "theme=dark").Body.String(), `data-theme="dark"`)
	if body := get(t, h, "/", "Cookie", `theme="><script>`).Body.String(); strings.Contains(body, "data-theme=") {
		t.Error("a theme that is none is taken")
	}
	for _, back := range []string{"//evil.example", "https://evil.example", `/\evil.example`, ""} {
		if to := post(t, h, "/theme", url.Values{"theme": {"light"}, "back": {back}}).Header().Get("Location"); to != "/" {
			t.Errorf("back to %q leads to %q", back, to)
		}
	}
}

func TestASyncIsStartedFromThisSiteAlone(t *testing.T) {
	w := newWorld(t, true)
	h := w.handler(t)
	if got := post(t, h, "/sync", url.Values{"connection": {"okta"}}, "Sec-Fetch-Site", "cross-site"); got.Code != http.StatusForbidden || len(w.started) != 0 {
		t.Errorf("another site's form answers %d and started %q", got.Code, w.started)
	}
	if got := post(t, h, "/sync", url.Values{"connection": {"okta"}}, "Sec-Fetch-Site", "same-origin"); got.Code != http.StatusSeeOther || len(w.started) != 1 || w.started[0] != "okta" {
		t.Errorf("answers %d and started %q", got.Code, w.started)
	}
}

func TestARunningSyncIsRenewed(t *testing.T) {
	w := newWorld(t, true)
	h := w.handler(t)
	if got := get(t, h, "/"); got.Header().Get("X-Live") != "" {
		t.Error("a finished sync is renewed")
	}
	run := w.startRun(t)
	err := w.syncs.SaveStream(t.Context(), run, pipeline.StreamRun{Stream: "users", Status: pipeline.Running, StartedAt: now.Add(-time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, run, "users", records["users"][:2])
	got := get(t, h, "/", "X-Fragment", "main")
	body := got.Body.String()
	if got.Header().Get("X-Live") != "1" || strings.Contains(body, "<html") {
		t.Errorf("the fragment has X-Live %q and begins %.80q", got.Header().Get("X-Live"), body)
	}
	mustShow(t, "/", body, "still reading", "users, page", "1 object waits", "Syncing…")
	mustShow(t, "/", get(t, h, "/").Body.String(), "data-live", `<noscript><meta http-equiv="refresh"`)
}

// A feed is always under way: home is about the last sync, and tells of the feed in a line.
func TestHomeTellsOfTheFeedBesideTheSync(t *testing.T) {
	w := newWorld(t, true)
	conns, err := w.syncs.Connections(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	run, err := w.syncs.StartFeed(t.Context(), conns[0], []pipeline.Stream{{Name: "users"}})
	if err != nil {
		t.Fatal(err)
	}
	h := w.handler(t)
	body := get(t, h, "/").Body.String()
	for want, there := range map[string]bool{"feed</a> follows Okta": true, fmt.Sprintf(">Sync %d<", run.ID-1): true, fmt.Sprintf("Feed %d", run.ID): false} {
		if strings.Contains(body, want) != there {
			t.Errorf("home with a feed under way: %q is on it: %t, want %t", want, !there, there)
		}
	}
	body = get(t, h, fmt.Sprintf("/?sync=%d", run.ID)).Body.String()
	if want := fmt.Sprintf(">Feed %d<", run.ID); !strings.Contains(body, want) || strings.Contains(body, "</a> follows") {
		t.Errorf("the feed's own page does not say %q, or tells of itself beside", want)
	}
}
