package mapping

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"longshore/internal/catalog"
	"longshore/internal/fault"
	"longshore/internal/jq"
)

// compiled is one mapping.
type compiled struct {
	lane             catalog.Lane
	blueprint        string
	op               catalog.Op
	deleteDependents bool
	filter           *expression // nil passes everything
	clauses          []clause
	items            *expression // nil runs once
	itemName         string
	identifier       *node // nil when the mapping has none
	title, icon      *node
	team             *node
	properties       []field
	relations        []field
	where            string // before the names of fields: the resource of an Ocean config
	kind             string // of an Ocean config: the stream; "" for a webhook's mapping
	topLevel         bool   // of an Ocean config: the record's members stay reachable beside the item
	createMissing    bool
	blueprintNode    *node       // of an Ocean config
	broken           *expression // a part that is no jq but does not work either, such as an unknown operation
}

// clause is an operand of a filter's "and".
type clause struct {
	program *jq.Program
	shown   string // its text as verdicts show it
	shared  int    // its place among the set's distinct clauses
}

// field is a property or relation with the expression that makes its value.
type field struct {
	where string // before its name in explanations
	name  string
	value *node
}

// expression is one jq text of a mapping; program is nil when it does not compile, and message says why.
type expression struct {
	field   string
	text    string
	shown   string // the text as verdicts show it: they are kept for each record
	program *jq.Program
	message string
}

// node is a value of a mapping: a jq text, an object or list whose leaves are jq, or a constant (a JSON number,
// boolean or null, which Port's documents do not have but cannot be misread).
type node struct {
	expression *expression
	literal    []byte
	isList     bool
	members    []nodeMember // of an object or list
}

// maxShownBytes is how much of an expression a verdict shows.
const maxShownBytes = 240

type nodeMember struct {
	key   []byte // quoted, of an object's member
	value *node
}

type compiler struct {
	set     *Set
	mapping int
	places  map[string]int // of the set's distinct clauses, by their text
	where   string         // before the names of fields
}

func (c *compiler) compile(text json.RawMessage) (compiled, error) {
	members, ok := objectMembers(text)
	if !ok {
		return compiled{}, fault.Errorf(fault.Invalid, "want an object, got %s", kindOfJSON(text))
	}
	m := compiled{op: catalog.OpMerge, itemName: "item"}
	var operation, filter, items, entity json.RawMessage
	for _, member := range members {
		switch member.name {
		case "blueprint":
			m.blueprint, _ = stringOf(member.value)
		case "operation":
			operation = member.value
		case "filter":
			filter = member.value
		case "itemsToParse":
			items = member.value
		case "itemsToParseName":
			if name, ok := stringOf(member.value); ok && name != "" {
				m.itemName = name
			}
		case "entity":
			entity = member.value
		}
	}
	if m.blueprint == "" {
		return compiled{}, fault.Errorf(fault.Invalid, "it names no blueprint").
			WithHint("add \"blueprint\": the identifier of the blueprint that its entities belong to")
	}
	c.operation(&m, operation)
	if m.filter = c.optional("filter", filter); m.filter != nil && m.filter.program != nil {
		m.clauses = c.clauses(m.filter.program)
	}
	m.items = c.optional("itemsToParse", items)
	c.entity(&m, entity)
	return m, nil
}

// clauses gives equal clauses of the set's mappings one place, so that a record is asked once for all of them. A clause
// whose answer may change while the record is mapped has a place of its own.
func (c *compiler) clauses(filter *jq.Program) []clause {
	programs := filter.Clauses()
	list := make([]clause, len(programs))
	for i, p := range programs {
		key := p.Source()
		if c.where != "" { // it looks at another input
			key = "ocean\x00" + key
		}
		place, known := c.places[key]
		if !known || !p.Steady() {
			place = c.set.distinct
			c.places[key] = place
			c.set.distinct++
		}
		list[i] = clause{program: p, shown: jq.Shorten(p.Source(), maxShownBytes), shared: place}
	}
	return list
}

// operation reads "create", "upsert", "delete" and the object form of each.
func (c *compiler) operation(m *compiled, text json.RawMessage) {
	if absent(text) {
		return
	}
	name, ok := stringOf(text)
	form := struct {
		Type             string `json:"type"`
		DeleteDependents *bool  `json:"deleteDependents"`
	}{}
	if !ok && json.Unmarshal(text, &form) == nil {
		name = form.Type
	}
	switch name {
	case "create", "upsert":
	case "delete":
		m.op = catalog.OpDelete
		m.deleteDependents = form.DeleteDependents == nil || *form.DeleteDependents
	default:
		m.broken = &expression{field: "operation", text: string(text), message: "want create, upsert or delete"}
		c.problem(m.broken, `write "create", "delete" or {"type": "delete", "deleteDependents": false}`)
	}
}

func (c *compiler) entity(m *compiled, text json.RawMessage) {
	members, ok := objectMembers(text)
	if !ok && !absent(text) {
		m.broken = &expression{field: "entity", text: jq.Excerpt(text), message: "want an object, got " + kindOfJSON(text)}
		c.problem(m.broken, "")
	}
	for _, member := range members {
		switch member.name {
		case "identifier":
			m.identifier = c.node("identifier", member.value)
		case "title":
			m.title = c.node("title", member.value)
		case "icon":
			m.icon = c.node("icon", member.value)
		case "team":
			m.team = c.node("team", member.value)
		case "properties":
			m.properties = c.fields(m, "properties", member.value)
		case "relations":
			m.relations = c.fields(m, "relations", member.value)
		}
	}
	if m.identifier == nil && m.broken == nil {
		m.broken = &expression{field: c.where + "identifier", message: "the mapping has no identifier"}
		c.problem(m.broken, "add \"identifier\" to its entity, such as .body.id")
	}
}

func (c *compiler) fields(m *compiled, name string, text json.RawMessage) []field {
	if absent(text) {
		return nil
	}
	members, ok := objectMembers(text)
	if !ok {
		m.broken = &expression{field: c.where + name, text: jq.Excerpt(text), message: "want an object, got " + kindOfJSON(text)}
		c.problem(m.broken, "")
		return nil
	}
	fields := make([]field, 0, len(members))
	for _, member := range members {
		fields = append(fields, field{where: c.where, name: member.name, value: c.node(name+"."+member.name, member.value)})
	}
	return fields
}

// optional compiles an expression that may be left out; blank text and null count as left out.
func (c *compiler) optional(name string, text json.RawMessage) *expression {
	if absent(text) {
		return nil
	}
	source, ok := stringOf(text)
	switch {
	case !ok: // true and the like: JSON is jq
		return c.expression(name, string(text))
	case strings.TrimSpace(source) == "":
		return nil
	}
	return c.expression(name, source)
}

func (c *compiler) expression(name, source string) *expression {
	e := &expression{field: c.where + name, text: source, shown: jq.Shorten(source, maxShownBytes)}
	var err error
	e.program, err = jq.Compile(source, jq.Options{Timeout: c.set.opts.ProgramTimeout, MaxOutputBytes: c.set.opts.MaxValueBytes})
	if err != nil {
		e.message = err.Error()
		c.problem(e, fault.HintOf(err))
	}
	return e
}

func (c *compiler) problem(e *expression, hint string) {
	e.shown = jq.Shorten(e.text, maxShownBytes)
	c.set.problems = append(c.set.problems, Problem{Mapping: c.mapping, Field: e.field, Expression: e.text, Message: e.message, Hint: hint})
}

// node compiles a value: each string in it is jq. A combinator may also be the bare word.
func (c *compiler) node(name string, text json.RawMessage) *node {
	if source, ok := stringOf(text); ok {
		if word := strings.TrimSpace(source); (word == "and" || word == "or") && strings.HasSuffix(name, ".combinator") {
			return &node{literal: []byte(strconv.Quote(word))}
		}
		return &node{expression: c.expression(name, source)}
	}
	if members, ok := objectMembers(text); ok {
		n := &node{}
		for _, member := range members {
			key, _ := json.Marshal(member.name) // a string always encodes
			n.members = append(n.members, nodeMember{key: key, value: c.node(name+"."+member.name, member.value)})
		}
		return n
	}
	n := &node{isList: true}
	isList := jq.Elements(text, func(i int, element []byte) bool {
		n.members = append(n.members, nodeMember{value: c.node(name+"."+strconv.Itoa(i), element)})
		return true
	})
	if isList {
		return n
	}
	return &node{literal: bytes.Clone(text)}
}

// constant returns the text that the node's expression always is, if it is a string as it stands.
func (n *node) constant() (string, bool) {
	if n.expression == nil {
		return "", false
	}
	source := strings.TrimSpace(n.expression.text)
	if inner := strings.Trim(source, "'"); len(source) == len(inner)+2 && !strings.ContainsAny(inner, "\"\\ \t\r\n") {
		return inner, inner != ""
	}
	text, ok := stringOf(json.RawMessage(source))
	return text, ok && !strings.Contains(n.expression.text, `\(`)
}

// isSearch reports whether the node is a search object, not one expression.
func (n *node) isSearch() bool { return n.expression == nil && n.literal == nil }
