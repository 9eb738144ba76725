package emulator

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// expression is a compiled filter or search: get returns the values of an attribute, none when it is null.
type expression func(get func(string) []string) bool

// rules are what an endpoint's expressions may say.
type rules struct {
	operators  map[string][]string // by attribute; "" holds those of all others
	prefixes   []string            // attributes that begin so are known too
	anyCase    bool                // values compare without regard to case
	not        bool                // "not" is understood
	everything bool                // any attribute is known
}

func (r rules) knows(name string) bool {
	_, named := r.operators[name]
	return named && name != "" || r.everything || slices.ContainsFunc(r.prefixes, func(p string) bool { return strings.HasPrefix(name, p) && len(name) > len(p) })
}

func (r rules) allows(name, operator string) bool {
	if !r.knows(name) {
		return false
	}
	allowed, named := r.operators[name]
	if !named {
		allowed = r.operators[""]
	}
	return slices.Contains(allowed, operator)
}

var (
	equal     = []string{"eq"}
	ordered   = []string{"eq", "gt", "ge", "lt", "le"}
	searching = []string{"eq", "sw", "gt", "ge", "lt", "le", "pr"}
	finding   = []string{"eq", "sw", "gt", "ge", "lt", "le", "pr", "co"}
	logging   = []string{"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr"}

	userFilterRules = rules{operators: map[string][]string{
		"status": equal, "lastUpdated": ordered, "id": equal,
		"profile.login": equal, "profile.email": equal, "profile.firstName": equal, "profile.lastName": equal,
	}}
	userSearchRules = rules{anyCase: true, prefixes: []string{"profile."}, operators: map[string][]string{
		"":   searching,
		"id": searching, "status": searching, "created": searching, "activated": searching, "statusChanged": searching, "lastUpdated": searching, "type.id": searching,
		"profile.firstName": finding, "profile.lastName": finding, "profile.email": finding, "profile.login": finding,
	}}
	groupFilterRules = rules{operators: map[string][]string{"id": equal, "type": equal, "lastUpdated": ordered, "lastMembershipUpdated": ordered}}
	groupSearchRules = rules{anyCase: true, prefixes: []string{"profile."}, operators: map[string][]string{
		"":   finding,
		"id": searching, "type": searching, "created": searching, "lastUpdated": searching, "lastMembershipUpdated": searching,
	}}
	logFilterRules = rules{not: true, everything: true, operators: map[string][]string{"": logging, "published": nil}}
)

const (
	maxExpressionBytes = 8 << 10
	maxExpressionDepth = 50
)

// parseExpression reads the SCIM subset of the rules: attribute operator value, and, or, not, parentheses.
func parseExpression(source string, r rules) (expression, error) {
	e, _, err := parseBounded(source, r)
	return e, err
}

// parseBounded also tells what whoever matches is within.
func parseBounded(source string, r rules) (expression, bounds, error) {
	if len(source) > maxExpressionBytes {
		return nil, anything, fmt.Errorf("longer than %d bytes", maxExpressionBytes)
	}
	words, err := splitWords(source)
	if err != nil {
		return nil, anything, err
	}
	p := &parser{words: words, rules: r}
	e, within, err := p.either(0)
	if err != nil {
		return nil, anything, err
	}
	if p.at < len(p.words) {
		return nil, anything, fmt.Errorf("unexpected %s", p.words[p.at].text)
	}
	return e, within, nil
}

type word struct {
	text   string
	quoted bool
}

func splitWords(s string) ([]word, error) {
	var words []word
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == ' ' || c == '\t':
			i++
		case c == '(' || c == ')':
			words = append(words, word{text: string(c)})
			i++
		case c == '"':
			var b strings.Builder
			for i++; i < len(s) && s[i] != '"'; i++ {
				if s[i] == '\\' && i+1 < len(s) {
					i++
				}
				b.WriteByte(s[i])
			}
			if i >= len(s) {
				return nil, fmt.Errorf("a quote is not closed")
			}
			i++
			words = append(words, word{b.String(), true})
		default:
			end := i
			for end < len(s) && !strings.ContainsRune(" \t()\"", rune(s[end])) {
				end++
			}
			words = append(words, word{text: s[i:end]})
			i = end
		}
	}
	return words, nil
}

type parser struct {
	words []word
	at    int
	rules rules
}

func (p *parser) take(plain string) bool {
	if p.at < len(p.words) && !p.words[p.at].quoted && strings.EqualFold(p.words[p.at].text, plain) {
		p.at++
		return true
	}
	return false
}

func (p *parser) either(depth int) (expression, bounds, error) {
	left, within, err := p.both(depth)
	for err == nil && p.take("or") {
		var right expression
		var more bounds
		before := left
		right, more, err = p.both(depth)
		within = within.or(more)
		left = func(get func(string) []string) bool { return before(get) || right(get) }
	}
	return left, within, err
}

func (p *parser) both(depth int) (expression, bounds, error) {
	left, within, err := p.one(depth)
	for err == nil && p.take("and") {
		var right expression
		var more bounds
		before := left
		right, more, err = p.one(depth)
		within = within.and(more)
		left = func(get func(string) []string) bool { return before(get) && right(get) }
	}
	return left, within, err
}

func (p *parser) one(depth int) (expression, bounds, error) {
	if depth > maxExpressionDepth {
		return nil, anything, fmt.Errorf("nested deeper than %d", maxExpressionDepth)
	}
	if p.take("not") {
		if !p.rules.not {
			return nil, anything, fmt.Errorf("unsupported operator not")
		}
		inner, _, err := p.one(depth + 1)
		return func(get func(string) []string) bool { return !inner(get) }, anything, err
	}
	if p.take("(") {
		inner, within, err := p.either(depth + 1)
		if err == nil && !p.take(")") {
			err = fmt.Errorf("a parenthesis is not closed")
		}
		return inner, within, err
	}
	return p.comparison()
}

func (p *parser) comparison() (expression, bounds, error) {
	if p.at+1 >= len(p.words) {
		return nil, anything, fmt.Errorf("the expression ends too early")
	}
	name, operator := p.words[p.at].text, strings.ToLower(p.words[p.at+1].text)
	p.at += 2
	if !p.rules.allows(name, operator) {
		return nil, anything, fmt.Errorf("unsupported operator %s of %s", operator, name)
	}
	if operator == "pr" {
		return func(get func(string) []string) bool { return len(get(name)) > 0 }, anything, nil
	}
	if p.at >= len(p.words) {
		return nil, anything, fmt.Errorf("%s %s has no value", name, operator)
	}
	want := p.words[p.at].text
	p.at++
	compare := comparing(operator, want, p.rules.anyCase)
	if operator == "ne" {
		equals := comparing("eq", want, p.rules.anyCase)
		return func(get func(string) []string) bool { return !slices.ContainsFunc(get(name), equals) }, anything, nil
	}
	return func(get func(string) []string) bool { return slices.ContainsFunc(get(name), compare) }, boundsOf(name, operator, want), nil
}

// comparing returns the test of one value. Instants compare as such, whatever their precision; all else as text.
func comparing(operator, want string, anyCase bool) func(string) bool {
	instant, err := time.Parse(time.RFC3339, want)
	if anyCase {
		want = strings.ToLower(want)
	}
	return func(have string) bool {
		order := 0
		if at, e := time.Parse(time.RFC3339, have); err == nil && e == nil {
			order = at.Compare(instant)
		} else {
			if anyCase {
				have = strings.ToLower(have)
			}
			order = strings.Compare(have, want)
		}
		switch operator {
		case "eq":
			return order == 0
		case "gt":
			return order > 0
		case "ge":
			return order >= 0
		case "lt":
			return order < 0
		case "le":
			return order <= 0
		case "sw":
			return strings.HasPrefix(have, want)
		case "ew":
			return strings.HasSuffix(have, want)
		default: // co
			return strings.Contains(have, want)
		}
	}
}
