package web

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// tableRule is one condition of a table's filter as the URL carries it: subject:op:value, for example
// status:is:ACTIVE. Subject is a property, a relation with ">" before it, or a meta-property such as $identifier.
type tableRule struct{ Subject, Op, Value string }

// maxRules bounds the conditions of one table.
const maxRules = 20

// ruleOp is an operator of the filter form: its word in the URL, what a person reads, and Port's operator.
type ruleOp struct {
	Word, Label, Port string
	Alone             bool // it takes no value
}

func ruleOps() []ruleOp {
	return []ruleOp{
		{"is", "is", "=", false},
		{"not", "is not", "!=", false},
		{"in", "is one of (a, b)", "in", false},
		{"has", "contains", "contains", false},
		{"hasnot", "does not contain", "doesNotContains", false},
		{"begins", "begins with", "beginsWith", false},
		{"ends", "ends with", "endsWith", false},
		{"gt", "is more than, after", ">", false},
		{"lt", "is less than, before", "<", false},
		{"empty", "is empty", "isEmpty", true},
		{"filled", "is not empty", "isNotEmpty", true},
	}
}

func opOf(word string) (ruleOp, bool) {
	for _, op := range ruleOps() {
		if op.Word == word {
			return op, true
		}
	}
	return ruleOp{}, false
}

func (r tableRule) String() string {
	text := url.QueryEscape(r.Subject) + ":" + r.Op
	if op, ok := opOf(r.Op); ok && op.Alone {
		return text
	}
	return text + ":" + r.Value
}

// Label is the rule as a person reads it.
func (r tableRule) Label() string {
	op, _ := opOf(r.Op)
	text := strings.TrimPrefix(strings.TrimPrefix(r.Subject, ">"), "$") + " " + strings.TrimSuffix(op.Label, " (a, b)")
	if op.Alone {
		return text
	}
	return text + " " + shorten(r.Value, 40)
}

func readRules(list []string) ([]tableRule, error) {
	if len(list) > maxRules {
		return nil, fault.Errorf(fault.Invalid, "%d rules, at most %d are allowed", len(list), maxRules)
	}
	var rules []tableRule
	for _, text := range list {
		subject, rest, _ := strings.Cut(text, ":")
		word, value, _ := strings.Cut(rest, ":")
		subject, err := url.QueryUnescape(subject)
		if _, known := opOf(word); err != nil || !known || subject == "" {
			return nil, fault.Errorf(fault.Invalid, "filter %q: want property:operator:value", text).WithHint("remove it from the address, or set the filter anew")
		}
		rules = append(rules, tableRule{subject, word, value})
	}
	return rules, nil
}

// portRule is a rule in the grammar of Port's search API.
type portRule struct {
	Property string `json:"property,omitempty"`
	Relation string `json:"relation,omitempty"`
	Operator string `json:"operator"`
	Value    any    `json:"value,omitempty"`
}

// queryOf writes rules as a search query; types tells how a property's value is spelled in JSON.
func queryOf(rules []tableRule, types map[string]string) json.RawMessage {
	if len(rules) == 0 {
		return nil
	}
	query := struct {
		Combinator string     `json:"combinator"`
		Rules      []portRule `json:"rules"`
	}{"and", nil}
	for _, r := range rules {
		op, _ := opOf(r.Op)
		out := portRule{Operator: op.Port}
		if name, ok := strings.CutPrefix(r.Subject, ">"); ok {
			out.Relation = name
		} else {
			out.Property = r.Subject
		}
		switch {
		case op.Alone:
		case op.Word == "in":
			values := []any{}
			for _, v := range strings.Split(r.Value, ",") {
				values = append(values, typed(strings.TrimSpace(v), types[r.Subject]))
			}
			out.Value = values
		default:
			out.Value = typed(r.Value, types[r.Subject])
		}
		query.Rules = append(query.Rules, out)
	}
	text, err := json.Marshal(query)
	if err != nil {
		panic("web: a query cannot be written: " + err.Error()) // strings, numbers and booleans always can
	}
	return text
}

// typed turns a typed-in value into that of the property's type; a value that does not read so stays text.
func typed(value, kind string) any {
	switch kind {
	case "number":
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			return n
		}
	case "boolean":
		if b, err := strconv.ParseBool(value); err == nil {
			return b
		}
	}
	return value
}

func typesOf(b catalog.Blueprint) map[string]string {
	types := map[string]string{}
	for _, p := range b.Properties {
		types[p.Name] = p.Type
	}
	return types
}
