package catalog_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

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

const sensor = `{"identifier":"sensor","title":"Sensor","schema":{"properties":{"a":{"type":"number"},"s":{"type":"string"},"o":{"type":"object"}},"required":[]},
	"relations":{"next":{"target":"sensor"},"all":{"target":"sensor","many":true}},
	"mirrorProperties":{"nextA":{"path":"next.a"},"nextSum":{"path":"next.sum"}},
	"calculationProperties":{
		"late":{"type":"string","calculation":".properties.sum | tostring"},
		"sum":{"type":"number","calculation":"(.properties.a // 0) + (.properties.nextA // 0)"},
		"chained":{"type":"number","calculation":".properties.nextSum"},
		"who":{"type":"string","calculation":"'x' + \" \" + .identifier + \" \" + .title + \" \" + .blueprint"},
		"unset":{"type":"array","calculation":"[.properties | to_entries[] | select(.value == null) | .key] - [\"late\"]"},
		"rel":{"type":"object","calculation":"{r: .relations, t: .team}"},
		"big":{"type":"number","calculation":".properties.a"},
		"wrong":{"type":"string","calculation":".properties.a"},
		"fails":{"type":"number","calculation":".properties.s + 1"},
		"broken":{"type":"number","calculation":"test-rel.$identifier"},
		"first":{"type":"number","calculation":"1,2,3"},
		"none":{"type":"number","calculation":"empty"},
		"now":{"type":"boolean","calculation":"now > 0"},
		"forever":{"type":"number","calculation":"last(range(1e18))"},
		"selfish":{"type":"number","calculation":".properties.selfless"},
		"selfless":{"type":"number","calculation":".properties.selfish"}}}`

func TestCalculations(t *testing.T) {
	b := newBench(t, sensor)
	b.write(relate(t, "sensor", "s1", `{"a":1,"s":"x"}`, `{}`))
	b.write(relate(t, "sensor", "s2", `{"a":12345678901234567890}`, `{"next":"s1","all":["s1"]}`))
	b.derivedIs("sensor", "s1", `{"big":1,"first":1,"late":"1","now":true,"rel":{"r":{"all":[],"next":null},"t":[]},"sum":1,"unset":["nextA","nextSum","o"],"who":"x s1 s1 sensor"}`)
	b.derivedIs("sensor", "s2", `{"big":12345678901234567890,"chained":1,"fails":1,"first":1,"late":"12345678901234567891","nextA":1,"nextSum":1,"now":true,"rel":{"r":{"all":["s1"],"next":"s1"},"t":[]},"sum":12345678901234567891,"unset":["o","s"],"who":"x s2 s2 sensor"}`)
	why := map[string]string{}
	for _, f := range b.entity("sensor", "s1").Underived {
		why[f.Property] = f.Rule
	}
	want := map[string]string{"wrong": "type", "fails": "jq", "broken": "jq", "forever": "jq", "selfish": "cycle", "selfless": "cycle"}
	if !maps.Equal(why, want) {
		t.Errorf("reasons %v, want %v", why, want)
	}
}

// A calculation of the entities that a mirror leads to may itself use mirrors, but no property is derived from itself.
func TestDerivedOfDerived(t *testing.T) {
	b := newBench(t, `{"identifier":"n","title":"N","schema":{"properties":{"v":{"type":"number"}},"required":[]},"relations":{"up":{"target":"n"}},
		"mirrorProperties":{"upDepth":{"path":"up.depth"},"upTwice":{"path":"up.twice"}},
		"calculationProperties":{"depth":{"type":"number","calculation":"(.properties.upDepth // 0) + 1"},"twice":{"type":"number","calculation":"2 * .properties.v"}}}`)
	b.write(relate(t, "n", "a", `{"v":1}`, `{}`))
	b.write(relate(t, "n", "b", `{"v":2}`, `{"up":"a"}`))
	b.derivedIs("n", "b", `{"twice":4,"upTwice":2}`)
	if got := b.entity("n", "b").Underived; len(got) != 2 || got[0].Rule != "cycle" || got[1].Rule != "cycle" {
		t.Errorf("reasons %+v, want cycles of depth and upDepth", got)
	}
}

func TestCalculationsOfAPageHaveATimeLimit(t *testing.T) {
	b := newBench(t, `{"identifier":"slow","title":"S","schema":{"properties":{},"required":[]},"calculationProperties":{
		"forever":{"type":"number","calculation":"last(range(1e18))"},"quick":{"type":"number","calculation":"1"}}}`)
	for i := range 50 {
		b.apply(record(t, "slow", fmt.Sprintf("e%02d", i), 1, `{}`))
	}
	begun := time.Now()
	page, err := b.Search(t.Context(), catalog.SearchRequest{Blueprint: "slow"})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("a page took %s", took)
	}
	if last := page.Entities[49]; string(last.Derived) != `{"quick":1}` || last.Underived[0].Rule != "time" {
		t.Errorf("derived %s, reasons %+v", last.Derived, last.Underived)
	}
}

func TestDerivingIsSafeForConcurrentUse(t *testing.T) {
	b := townBench(t)
	fresh := catalog.New(b.store, time.Now) // nothing is known yet: plans are made while others ask
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for range 3 {
				e, err := fresh.Entity(t.Context(), "person", "p2")
				if err != nil || !strings.Contains(string(e.Derived), `"townName":"Bonn"`) {
					t.Errorf("derived %s, %v", e.Derived, err)
				}
			}
		})
	}
	readers.Wait()
}
