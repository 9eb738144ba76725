package catalog_test

import (
	"encoding/json"
	"testing"

	"longshore/internal/catalog"
)

// relate is a strict change with relations.
func relate(t testing.TB, blueprint, id, properties, relations string) catalog.Change {
	c := call(t, blueprint, id, properties)
	c.Relations = fields(t, relations)
	return c
}

// derivedIs wants the derived properties of an entity to be that.
func (b *bench) derivedIs(blueprint, id, want string) {
	b.t.Helper()
	e := b.entity(blueprint, id)
	if got := string(e.Derived); got != want {
		b.t.Errorf("derived properties of %s %q:\n got %s\nwant %s\nwithout value: %+v", blueprint, id, got, want, e.Underived)
	}
}

const city = `{"identifier":"city","title":"City","schema":{"properties":{"name":{"type":"string"},"tags":{"type":"array"}},"required":[]}}`

const house = `{"identifier":"house","title":"House","schema":{"properties":{"rooms":{"type":"number"}},"required":[]},
	"relations":{"city":{"target":"city"}},"mirrorProperties":{"cityName":{"path":"city.name"},"cityTags":{"path":"city.tags"}}}`

const person = `{"identifier":"person","title":"Person","schema":{"properties":{"age":{"type":"number"}},"required":[]},
	"relations":{"home":{"target":"house"},"friends":{"target":"person","many":true},"likedBy":{"target":"person","many":true,"inverseOf":"friends"}},
	"mirrorProperties":{"town":{"path":"home.city.$title"},"townName":{"path":"home.cityName"},"rooms":{"path":"home.rooms"},
		"friendTowns":{"path":"friends.home.city.$identifier"},"friendTags":{"path":"friends.home.city.tags"},"fans":{"path":"likedBy.$identifier"},
		"friendAges":{"path":"friends.age"},"nothing":{"path":"home.nope.x"},"noProperty":{"path":"home.nope"}}}`

func townBench(t testing.TB, more ...string) *bench {
	b := newBench(t, append([]string{city, house, person}, more...)...)
	b.write(call(t, "city", "c1", `{"name":"Ulm","tags":["a","b"]}`))
	c2 := call(t, "city", "c2", `{"name":"Bonn","tags":["b"]}`)
	c2.Title = []byte(`"The city of Bonn"`)
	b.write(c2)
	b.write(relate(t, "house", "h1", `{"rooms":3}`, `{"city":"c1"}`))
	b.write(relate(t, "house", "h2", `{"rooms":12345678901234567890}`, `{"city":"c2"}`))
	b.write(relate(t, "house", "h3", `{}`, `{}`))
	b.write(relate(t, "person", "p1", `{"age":30}`, `{"home":"h1"}`))
	b.write(relate(t, "person", "p2", `{"age":40.5}`, `{"home":"h2","friends":["p1"]}`))
	b.write(relate(t, "person", "p3", `{}`, `{"home":"h3","friends":["p2","p1"]}`))
	return b
}

func TestMirrorFollowsItsPath(t *testing.T) {
	b := townBench(t)
	b.derivedIs("person", "p1", `{"fans":["p2","p3"],"friendAges":[],"friendTags":[],"friendTowns":[],"rooms":3,"town":"c1","townName":"Ulm"}`)
	b.derivedIs("person", "p2", `{"fans":["p3"],"friendAges":[30],"friendTags":["a","b"],"friendTowns":["c1"],"rooms":12345678901234567890,"town":"The city of Bonn","townName":"Bonn"}`)
	b.derivedIs("person", "p3", `{"fans":[],"friendAges":[40.5,30],"friendTags":["b","a","b"],"friendTowns":["c2","c1"]}`)
	page, err := b.Search(t.Context(), catalog.SearchRequest{Blueprint: "house"})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{`{"cityName":"Ulm","cityTags":["a","b"]}`, `{"cityName":"Bonn","cityTags":["b"]}`, `{}`} {
		if got := string(page.Entities[i].Derived); got != want {
			t.Errorf("%s: derived %s, want %s", page.Entities[i].Identifier, got, want)
		}
	}
	page, err = b.Search(t.Context(), catalog.SearchRequest{Blueprint: "house", Reading: catalog.Reading{Stored: true}})
	if err != nil || page.Entities[0].Derived != nil {
		t.Errorf("stored reading derived %s, %v", page.Entities[0].Derived, err)
	}
	e, err := b.EntityAs(t.Context(), "person", "p2", catalog.Reading{TitleIdentifiers: true})
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Town json.RawMessage }
	if err := json.Unmarshal(e.Derived, &got); err != nil || string(got.Town) != `{"identifier":"c2","title":"The city of Bonn"}` {
		t.Errorf("town with its identifier is %s, %v", got.Town, err)
	}
}
