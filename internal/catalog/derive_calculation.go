package catalog

import (
	"encoding/json"
	"errors"
	"regexp"
	"sync"
	"time"

	"longshore/internal/jq"
)

// calculation is a calculation property: a jq program over the entity as it is answered. A program that does not compile
// or fails, and a value that is not of the property's type, give no value.
type calculation struct {
	name    string
	typ     string
	source  string
	whole   bool // it looks at .properties as a whole
	compile func() (*jq.Program, error)
}

// readCalculation reads a definition. The program is compiled when it is first run.
func readCalculation(name string, def json.RawMessage) *calculation {
	var w struct {
		Calculation string `json:"calculation"`
		Type        string `json:"type"`
	}
	_ = json.Unmarshal(def, &w) // what is no program does not compile
	x := &calculation{name: name, typ: w.Type, source: w.Calculation}
	x.compile = sync.OnceValues(func() (*jq.Program, error) { return jq.Compile(x.source, jq.Options{}) })
	x.whole = len(propertiesWord.FindAllString(x.source, -1)) != len(oneProperty.FindAllString(x.source, -1))
	return x
}

var (
	propertiesWord = regexp.MustCompile(`\bproperties\b|(^|[|(,;:]\s*)\.\s*($|[|),;}])|\.\[\]|\.\.|\.\s+as\b|_entries|tojson|tostring|tostream|@\w+|paths|getpath|walk|map_values`)
	oneProperty    = regexp.MustCompile(`\.properties(\.[A-Za-z_][A-Za-z0-9_]*|\.?\["[^"\\]*"\]|\."[^"\\]*")`)
)

// mentions reports whether the program may look at a property of that name.
func (x *calculation) mentions(name string) bool {
	at := regexp.MustCompile(`(^|[^A-Za-z0-9_$])` + regexp.QuoteMeta(name) + `($|[^A-Za-z0-9_])`)
	return at.MatchString(x.source)
}

func (x *calculation) derive(d *deriving, name string, nodes []*node) error {
	program, err := x.compile()
	if err != nil {
		for _, n := range nodes {
			n.fail(name, "jq", "it does not compile: %s", explained(err))
		}
		return nil
	}
	if err := d.complete(nodes); err != nil {
		return err
	}
	own := d.model.plan(nodes[0].Blueprint).byName[name].own
	var in jq.Input
	r := d.model.rules[nodes[0].Blueprint]
	for _, n := range nodes {
		if d.spent > maxCalculating || d.timeouts[x] >= maxTimeouts {
			n.fail(name, "time", "the calculations of this page have taken too long")
			continue
		}
		in.SetText(n.answer(r, own))
		begun := time.Now()
		value, err := program.Run(d.ctx, &in)
		d.spent += time.Since(begun)
		var failure *jq.RunError
		switch {
		case errors.As(err, &failure):
			if failure.Timeout {
				if d.timeouts == nil {
					d.timeouts = map[*calculation]int{}
				}
				d.timeouts[x]++
			}
			n.fail(name, "jq", "%s", failure.Message)
			continue
		case err != nil:
			return err
		case isNull(value):
			n.set(name, nil)
			continue
		}
		value, _, err = canonical(nil, value)
		if err != nil {
			n.fail(name, "jq", "%v", err)
			continue
		}
		if got := kindOf(value); x.typ != "" && got != x.typ {
			n.fail(name, "type", "want %s, got %s %s", x.typ, got, excerpt(value))
			continue
		}
		n.set(name, value)
	}
	return nil
}

// kindOf is the JSON type of a value, by the names that properties have for it.
func kindOf(value []byte) string {
	switch value[0] {
	case '"':
		return "string"
	case '{':
		return "object"
	case '[':
		return "array"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	return "number"
}

// answer writes the entity as it is answered, with those of its derived properties.
func (n *node) answer(r *rules, own []string) []byte {
	out := make([]byte, 0, 256+len(n.Properties)+len(n.Relations))
	out = appendMember(append(out, '{'), "identifier", appendText(nil, n.Identifier))
	out = appendMember(out, "title", appendText(nil, n.title()))
	out = appendMember(out, "blueprint", appendText(nil, n.Blueprint))
	for _, name := range []string{"icon", "team"} {
		value := orNull(n.meta("$" + name))
		if name == "team" && isNull(value) {
			value = []byte("[]")
		}
		out = appendMember(out, name, value)
	}
	for _, name := range []string{"createdAt", "createdBy", "updatedAt", "updatedBy"} {
		out = appendMember(out, name, orNull(n.meta("$"+name)))
	}
	out = append(appendText(append(out, ','), "properties"), ':')
	out = append(out, n.answerProperties(r, own)...)
	out = append(appendText(append(out, ','), "relations"), ':')
	return append(append(out, n.answerRelations(r)...), '}')
}

func (n *node) answerProperties(r *rules, own []string) []byte {
	out := []byte{'{'}
	stored := make(map[string][]byte, len(r.Properties))
	members(n.Properties, func(name string, value []byte) { stored[name] = value })
	for _, p := range r.Properties {
		out = appendMember(out, p.Name, orNull(stored[p.Name]))
	}
	for _, name := range own {
		out = appendMember(out, name, orNull(n.values[name]))
	}
	return append(out, '}')
}

func (n *node) answerRelations(r *rules) []byte {
	out := []byte{'{'}
	stored := make(map[string][]byte, len(r.Relations))
	members(n.Relations, func(name string, value []byte) { stored[name] = value })
	for _, rel := range r.Relations {
		value := orNull(stored[rel.Name])
		if rel.Many && isNull(value) {
			value = []byte("[]")
		}
		out = appendMember(out, rel.Name, value)
	}
	return append(out, '}')
}
