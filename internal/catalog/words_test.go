package catalog_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"longshore/internal/catalog"
)

func TestGlobalSearchFindsByTheBeginningOfWords(t *testing.T) {
	hidden := strings.Replace(strings.Replace(other, `"other"`, `"hidden"`, 1), `"title"`, `"includeInGlobalSearch":false,"title"`, 1)
	events := strings.Replace(strings.Replace(other, `"other"`, `"events"`, 1), `"title"`, `"history":false,"title"`, 1)
	told := strings.Replace(strings.Replace(other, `"other"`, `"told"`, 1), `"title"`, `"history":false,"includeInGlobalSearch":true,"title"`, 1)
	b := newBench(t, thing, other, hidden, events, told)
	write := func(blueprint, id, title, properties string) {
		c := call(t, blueprint, id, properties)
		if title != "" {
			c.Title = fmt.Appendf(nil, "%q", title)
		}
		b.write(c)
	}
	write("thing", "00u1", "Ann Example", `{"s":"ann@example.com","o":{"city":"Zürich"},"l":["Größe","2024-01-02T03:04:05Z"],"t":"2024-01-02T03:04:05Z"}`)
	write("thing", "00u2", "", `{"s":"https://acme.example/annex","o":{"deep":[{"er":"annika's 'own' \"way\" (😀)"}]}}`)
	write("other", "annabel", "", `{"s":"x"}`)
	write("hidden", "ann", "", `{}`)
	write("events", "ann", "", `{}`)
	write("told", "told-ann", "", `{}`)
	b.index()
	find := func(text string) string {
		t.Helper()
		list, err := b.FindWords(t.Context(), text, 0)
		if err != nil {
			t.Fatalf("find %q: %v", text, err)
		}
		var ids []string
		for _, e := range list {
			ids = append(ids, e.Identifier)
		}
		return strings.Join(ids, " ")
	}
	for text, want := range map[string]string{
		"ann": "00u1 annabel told-ann 00u2", "ANN": "00u1 annabel told-ann 00u2", "ann exam": "00u1", "annabel": "annabel", "zür": "00u1", "größe": "00u1", "2024": "", "acme": "",
		"": "", "  ": "", "'": "", `"ann" OR x`: "", "00u": "00u2 00u1", "00u1": "00u1", "way own": "00u2", "nn": "", "*": "", "NEAR(ann": "",
	} {
		if got := find(text); got != want {
			t.Errorf("%q finds %q, want %q", text, got, want)
		}
	}
	write("thing", "00u1", "Bob", `{"s":null,"o":null,"l":null}`)
	c := call(t, "other", "annabel", `{}`)
	c.Op = catalog.OpDelete
	b.write(c)
	if _, err := b.PatchBlueprint(t.Context(), "hidden", []byte(`{"includeInGlobalSearch":true}`), catalog.Writer{}); err != nil {
		t.Fatal(err)
	}
	b.index()
	for text, want := range map[string]string{"ann": "ann told-ann 00u2", "bob": "00u1", "zür": ""} {
		if got := find(text); got != want {
			t.Errorf("after the change %q finds %q, want %q", text, got, want)
		}
	}
}

// index takes all that changed into the index of words.
func (b *bench) index() {
	b.t.Helper()
	for {
		n, err := b.store.IndexWords(b.t.Context())
		if err != nil {
			b.t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

func TestWordsAreCutAlike(t *testing.T) {
	for text, want := range map[string]string{
		"Ann  ann ANN": "ann", "a@b.c": "a b c", "Größe-2": "größe 2", "日本語 テスト": "日本語 テスト", "e\u0301a": "e\u0301a", "\xff\xfea": "a", "": "", "😀": "",
		strings.Repeat("x", 50): strings.Repeat("x", 40),
	} {
		if got := catalog.Words(text); strings.Join(got, " ") != want {
			t.Errorf("words of %q are %q, want %q", text, got, want)
		}
	}
	var many strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&many, "w%d ", i)
	}
	if got := catalog.WordsOf(catalog.Entity{Identifier: "e", Properties: []byte(`{"s":"` + many.String() + `","t":"x"}`)}); len(got) != 256 || slices.Contains(got, "x") {
		t.Errorf("an entity has %d words, want 256", len(got))
	}
}

// TestManyWordsThatBeginAlike has more of them than are looked for at once, and an entity that only the last of them finds.
func TestManyWordsThatBeginAlike(t *testing.T) {
	b := newBench(t, `{"identifier":"thing","title":"Thing","schema":{"properties":{"s":{"type":"string"}},"required":[]}}`)
	var changes []catalog.Change
	for i := range 300 {
		changes = append(changes, catalog.Change{
			Blueprint: "thing", Identifier: fmt.Sprintf("w%04d", i), Lenient: true,
			Properties: []catalog.Field{{Name: "s", Value: fmt.Appendf(nil, `"half%d x%d"`, i%2, i)}},
		})
	}
	changes = append(changes, catalog.Change{Blueprint: "thing", Identifier: "wzzz", Lenient: true, Properties: []catalog.Field{{Name: "s", Value: []byte(`"rare"`)}}})
	b.apply(changes...)
	b.index()
	for text, want := range map[string]int{"w": 100, "rare w": 1, "rar w": 1, "half1 w": 100, "half1 x29": 6, "half w0299": 1, "half1 rare": 0} {
		list, err := b.FindWords(t.Context(), text, 100)
		if err != nil || len(list) != want {
			t.Errorf("%q finds %d entities, want %d: %v", text, len(list), want, err)
		}
	}
}
