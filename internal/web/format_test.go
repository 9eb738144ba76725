package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"longshore/internal/verdict"
)

func TestNumbersAndTimesAsPeopleReadThem(t *testing.T) {
	now := time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)
	for at, want := range map[string]string{
		"2026-03-04T09:59:58Z": "just now", "2026-03-04T09:58:00Z": "2 min ago", "2026-03-03T09:00:00Z": "25 h ago",
		"2026-02-25T10:00:00Z": "7 days ago", "2026-01-02T10:00:00Z": "2 Jan", "2024-01-02T10:00:00.123Z": "2 Jan 2024", "2026-03-04T12:00:00+01:00": "in 1 h",
	} {
		got, err := momentOf(at, now)
		if err != nil || got.Text != want {
			t.Errorf("momentOf(%s) = %q, %v; want %q", at, got.Text, err, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 12345678: "12,345,678", -1234: "−1,234"} {
		if got := grouped(n); got != want {
			t.Errorf("grouped(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1 kB", 84_900: "84.9 kB", 3_200_000: "3.2 MB"} {
		if got := humanBytes(n); got != want {
			t.Errorf("humanBytes(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestEveryVerdictHasWords(t *testing.T) {
	for _, c := range verdict.All() {
		e := explain(c)
		if e.Label == "" || e.Label == e.Name || !strings.HasSuffix(e.Means, ".") {
			t.Errorf("%s: label %q, sentence %q", c, e.Label, e.Means)
		}
		if (e.Tone == toneRed) != c.Lost() {
			t.Errorf("%s: tone %s, and lost is %t", c, e.Tone, c.Lost())
		}
		if (e.Tone == toneRed || e.Tone == toneAmber) && e.Fix == "" {
			t.Errorf("%s does not say what to do", c)
		}
	}
}

func TestRulesSurviveTheAddress(t *testing.T) {
	for _, r := range []tableRule{{"status", "is", "ACTIVE"}, {"a:b", "has", "x:y:z"}, {">user", "not", "00u1"}, {"$identifier", "in", "a, b"}, {"x", "empty", ""}} {
		got, err := readRules([]string{r.String()})
		if err != nil || len(got) != 1 || got[0] != r {
			t.Errorf("%+v comes back as %+v, %v", r, got, err)
		}
	}
}

func TestQueriesAreTyped(t *testing.T) {
	rules := []tableRule{{"n", "gt", "3"}, {"b", "is", "true"}, {"s", "is", "3"}, {">r", "in", "x, y"}, {"n", "is", "many"}, {"s", "empty", ""}}
	const want = `{"combinator":"and","rules":[{"property":"n","operator":"\u003e","value":3},{"property":"b","operator":"=","value":true},` +
		`{"property":"s","operator":"=","value":"3"},{"relation":"r","operator":"in","value":["x","y"]},{"property":"n","operator":"=","value":"many"},{"property":"s","operator":"isEmpty"}]}`
	if got := string(queryOf(rules, map[string]string{"n": "number", "b": "boolean", "s": "string"})); got != want {
		t.Errorf("query\n%s, want\n%s", got, want)
	}
}

func TestThePictureStaysInItsFrame(t *testing.T) {
	for _, sizes := range [][]int64{{1}, {1, 1_000_000}, {40, 12_000, 7, 500, 1851, 94, 15, 58, 3}, make([]int64, 40)} {
		p := &sankey{}
		lake := p.node(flowNode{Column: 1, labelAbove: true})
		for i, n := range sizes {
			if n == 0 {
				n = int64(i + 1)
			}
			mid := p.node(flowNode{Column: 2})
			p.link(p.node(flowNode{Column: 0, Anchor: "end"}), lake, n, toneKept, "", "")
			p.link(lake, mid, n, toneKept, "", "")
			p.link(mid, p.node(flowNode{Column: 3}), n, toneKept, "", "")
		}
		p.lay(flowWidth, flowHeight, flowColumns)
		for _, n := range p.Nodes {
			if math.IsNaN(n.Y) || n.Y < 0 || n.Y+n.H > p.Height+0.5 {
				t.Errorf("%d streams: a node stands at %.1f–%.1f of %.1f", len(sizes), n.Y, n.Y+n.H, p.Height)
			}
		}
		for _, l := range p.Links {
			if l.width < flowThinnest || strings.Contains(l.Path, "NaN") {
				t.Errorf("%d streams: a flow of %d is %.2f wide: %s", len(sizes), l.N, l.width, l.Path)
			}
		}
	}
}

func TestTreemapFillsItsFrame(t *testing.T) {
	parts := barOf(map[verdict.Code]int64{verdict.Upserted: 12_000, verdict.KeptWithFlags: 14, verdict.MalformedLine: 1, verdict.NoMappingMatched: 146})
	area := 0.0
	for _, c := range treemap(parts, 1100, 200) {
		if c.X < 0 || c.Y < 0 || c.X+c.W > 1100 || c.Y+c.H > 200 {
			t.Errorf("%s lies outside: %+v", c.Part.Code, c)
		}
		area += c.W * c.H
	}
	if share := area / (1100 * 200); share < 0.95 || share > 1 {
		t.Errorf("the cells cover %.2f of the frame", share)
	}
	if treemap(nil, 1100, 200) != nil {
		t.Error("no parts have cells")
	}
}

func TestVendoredFilesAreWhatTheySay(t *testing.T) {
	sums, err := assetFiles.ReadFile("assets/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(sums)) {
		want, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		body, err := assetFiles.ReadFile("assets/" + name)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := sha256.Sum256(body); hex.EncodeToString(got[:]) != want {
			t.Errorf("%s is not the file that SHA256SUMS names", name)
		}
	}
}

// FuzzHighlight: colouring a JSON text never changes it.
func FuzzHighlight(f *testing.F) {
	for _, text := range []string{`{"a":[1,-2.5e3,true,null,"x\"y\\"]}`, `"`, `{`, `"\u00e9"`, `[{"k":{}}]`, "\xff", `"a`, ``} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var laid bytes.Buffer
		want := strings.ToValidUTF8(string(text), "\uFFFD")
		if json.Indent(&laid, text, "", "  ") == nil {
			want = laid.String()
		}
		if len(want) > maxShownJSON || len(text) > maxShownJSON {
			return
		}
		var got strings.Builder
		for _, piece := range highlight(text) {
			got.WriteString(piece.Text)
		}
		if got.String() != want {
			t.Errorf("%q is shown as %q", want, got.String())
		}
	})
}

// FuzzEntityURL: the page of any identifier gets that identifier back.
func FuzzEntityURL(f *testing.F) {
	for _, id := range []string{"a", "a/b", "a//b", "..", "%2F", "x?y#z", "ü ✓", "/a", "a/", "."} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if id == "" {
			return
		}
		var got string
		mux := http.NewServeMux()
		mux.HandleFunc("GET /entity/{blueprint}/{identifier...}", func(_ http.ResponseWriter, r *http.Request) {
			if got = r.PathValue("identifier"); got == "" {
				got = r.FormValue("id")
			}
		})
		u, err := url.Parse(entityURL("b", id))
		if err != nil {
			t.Fatalf("%q: %v", id, err)
		}
		r := &http.Request{Method: http.MethodGet, URL: u, Host: "test"}
		mux.ServeHTTP(nil, r)
		if got != id {
			t.Errorf("%q comes back as %q", id, got)
		}
	})
}
