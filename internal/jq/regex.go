package jq

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/itchyny/gojq"
)

// The interpreter's own regular expressions count characters anew for each match, in one step that nothing interrupts: a long
// text would hold a worker for minutes. These take time by the length of the text, and have limits.
const (
	maxPatternBytes = 8 << 10
	maxMatches      = 1 << 16
	// maxMatchWork is the product of the text's bytes and the pattern's instructions.
	maxMatchWork = 1 << 26
	maxPatterns  = 64 // compiled patterns that a program keeps
)

// regexPrelude defines jq's functions over _matches and _pieces.
var regexPrelude = func() []*gojq.FuncDef {
	q, err := gojq.Parse(`
def match($re; $flags): _matches($re; $flags; false)[];
def match($re): if $re | type == "array" then match($re[0]; $re[1]) else match($re; null) end;
def test($re; $flags): _matches($re; $flags; true);
def test($re): if $re | type == "array" then test($re[0]; $re[1]) else test($re; null) end;
def capture($re; $flags): match($re; $flags) | .captures | _captures;
def capture($re): if $re | type == "array" then capture($re[0]; $re[1]) else capture($re; null) end;
def scan($re; $flags): match($re; $flags + "g") | if .captures == [] then .string else [.captures[].string] end;
def scan($re): scan($re; null);
def splits($re; $flags): _pieces($re; $flags + "g") as [$m, $rest] | $m[][0], $rest;
def splits($re): splits($re; null);
def sub($re; str; $flags): . as $s | _pieces($re; $flags) as [$m, $rest] | [$m[] as [$before, $c] | [$c | $before + str]] | _joined($rest)[] // $s;
def sub($re; str): sub($re; str; null);
def gsub($re; str; $flags): sub($re; str; $flags + "g");
def gsub($re; str): sub($re; str; "g");
def split($re; $flags): [splits($re; $flags)];
.`)
	if err != nil {
		panic("jq: the regular expressions' definitions: " + err.Error())
	}
	return q.FuncDefs
}()

// regexFunctions are the functions of regexPrelude's definitions, for one program.
func regexFunctions() []gojq.CompilerOption {
	var known patterns
	return []gojq.CompilerOption{
		gojq.WithFunction("_matches", 3, 3, func(v any, args []any) any {
			m, err := known.find(v, args)
			switch {
			case err != nil:
				return err
			case args[2] == true:
				return len(m.places) > 0
			}
			return m.list()
		}),
		gojq.WithFunction("_pieces", 2, 2, func(v any, args []any) any {
			m, err := known.find(v, append(args, false))
			if err != nil {
				return err
			}
			return m.pieces()
		}),
		gojq.WithFunction("_joined", 1, 1, joined),
	}
}

// patterns are the compiled regular expressions of a program.
type patterns struct {
	mu    sync.Mutex
	known map[[2]string]*pattern
}

type pattern struct {
	*regexp.Regexp
	names        []any // of the groups; nil for none
	instructions int
	all, filled  bool // every match; only those that are not empty
}

// found is what a pattern found in a text.
type found struct {
	text   string
	p      *pattern
	places [][]int
}

func (s *patterns) find(v any, args []any) (found, error) {
	text, isText := v.(string)
	re, isPattern := args[0].(string)
	flags, isFlags := args[1].(string)
	if !isText || !isPattern || !isFlags && args[1] != nil {
		return found{}, fmt.Errorf("%s (%s) cannot be matched, as it is not a string", gojq.TypeOf(v), gojq.Preview(v))
	}
	p, err := s.compiled(re, flags)
	if err != nil {
		return found{}, err
	}
	if len(text) > 1<<12 && len(text) > maxMatchWork/p.instructions {
		return found{}, limitError{fmt.Sprintf("the text of %d bytes is too long for a regular expression of %d instructions", len(text), p.instructions)}
	}
	if args[2] == true && !p.filled {
		if p.MatchString(text) {
			return found{p: p, places: [][]int{nil}}, nil
		}
		return found{}, nil
	}
	n := 1
	if p.all || p.filled {
		n = maxMatches + 1
	}
	f := found{text, p, p.FindAllStringSubmatchIndex(text, n)}
	if len(f.places) > maxMatches {
		return found{}, limitError{fmt.Sprintf("the regular expression matches more than %d times", maxMatches)}
	}
	if p.filled {
		f.places = slices.DeleteFunc(f.places, func(m []int) bool { return m[0] == m[1] })
		if !p.all {
			f.places = f.places[:min(1, len(f.places))]
		}
	}
	return f, nil
}

func (s *patterns) compiled(re, flags string) (*pattern, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := [2]string{re, flags}
	if p := s.known[key]; p != nil {
		return p, nil
	}
	if len(re) > maxPatternBytes {
		return nil, limitError{fmt.Sprintf("the regular expression has %d bytes, at most %d are allowed", len(re), maxPatternBytes)}
	}
	p, err := compilePattern(re, flags)
	if err != nil {
		return nil, err
	}
	if len(s.known) >= maxPatterns || s.known == nil {
		s.known = map[[2]string]*pattern{}
	}
	s.known[key] = p
	return p, nil
}

// compilePattern reads jq's flags: g all matches, i any case, x white space and comments do not count, n no empty matches, p the dot
// matches line ends too, l the longest of the alternatives. s is how it always is.
func compilePattern(re, flags string) (*pattern, error) {
	p := &pattern{}
	options, longest := "", false
	text := re
	for _, flag := range flags {
		switch flag {
		case 'g':
			p.all = true
		case 'n':
			p.filled = true
		case 'i':
			options += "(?i)"
		case 'p', 'm':
			options += "(?s)"
		case 'x':
			text = withoutSpace(text)
		case 'l':
			longest = true
		case 's':
		default:
			return nil, fmt.Errorf("unsupported regular expression flag: %q", flags)
		}
	}
	parsed, err := syntax.Parse(options+text, syntax.Perl)
	var program *syntax.Prog
	if err == nil {
		program, err = syntax.Compile(parsed.Simplify())
	}
	if err != nil {
		return nil, fmt.Errorf("invalid regular expression %q: %s", Shorten(re, 100), Shorten(err.Error(), 150))
	}
	p.instructions = len(program.Inst)
	if p.Regexp, err = regexp.Compile(options + text); err != nil {
		return nil, fmt.Errorf("invalid regular expression %q: %s", Shorten(re, 100), Shorten(err.Error(), 150))
	}
	if longest {
		p.Longest()
	}
	for _, name := range p.SubexpNames() {
		if name == "" {
			p.names = append(p.names, nil)
		} else {
			p.names = append(p.names, name)
		}
	}
	return p, nil
}

// withoutSpace takes white space and comments out of a pattern, but for what is escaped or in a class.
func withoutSpace(re string) string {
	var b strings.Builder
	class := false
	for i := 0; i < len(re); i++ {
		switch c := re[i]; {
		case c == '\\' && i+1 < len(re):
			b.WriteString(re[i : i+2])
			i++
		case class || !strings.ContainsRune(" \t\r\n\f\v#", rune(c)):
			b.WriteByte(c)
			class = c == '[' || class && c != ']'
		case c == '#':
			for i+1 < len(re) && re[i+1] != '\n' {
				i++
			}
		}
	}
	return b.String()
}

// list is the matches as jq tells them, offsets and lengths in characters.
func (f found) list() []any {
	at, runes := 0, 0
	place := func(m []int) (offset, length int) {
		if m[0] < at { // a group stands before the end of its match
			at, runes = 0, 0
		}
		runes += utf8.RuneCountInString(f.text[at:m[0]])
		at = m[0]
		return runes, utf8.RuneCountInString(f.text[m[0]:m[1]])
	}
	all := make([]any, len(f.places))
	for i, m := range f.places {
		offset, length := place(m[:2])
		from, before := at, runes
		captures := make([]any, 0, len(m)/2-1)
		for g := 1; g < len(m)/2; g++ {
			one := map[string]any{"offset": -1, "length": 0, "string": nil, "name": f.p.names[g]}
			if m[2*g] >= 0 {
				one["string"] = f.text[m[2*g]:m[2*g+1]]
				at, runes = from, before // groups need not come in order
				one["offset"], one["length"] = place(m[2*g : 2*g+2])
			}
			captures = append(captures, one)
		}
		at, runes = from, before
		all[i] = map[string]any{"offset": offset, "length": length, "string": f.text[m[0]:m[1]], "captures": captures}
	}
	return all
}

// pieces is [[[text before a match, its named groups], ...], text after the last].
func (f found) pieces() []any {
	all := make([]any, len(f.places))
	at := 0
	for i, m := range f.places {
		groups := map[string]any{}
		for g := 1; g < len(m)/2; g++ {
			if name, ok := f.p.names[g].(string); ok {
				groups[name] = nil
				if m[2*g] >= 0 {
					groups[name] = f.text[m[2*g]:m[2*g+1]]
				}
			}
		}
		all[i] = []any{f.text[at:m[0]], groups}
		at = m[1]
	}
	return []any{all, f.text[at:]}
}

// joined makes of [[a, b], [c, d]] the texts a+c+rest and b+d+rest.
func joined(v any, args []any) any {
	rest, _ := args[0].(string)
	var texts []*strings.Builder
	bytes := 0
	rows, _ := v.([]any)
	for _, row := range rows {
		cells, _ := row.([]any)
		for i, cell := range cells {
			if i == len(texts) {
				texts = append(texts, &strings.Builder{})
			}
			s, _ := cell.(string)
			if bytes += len(s); bytes > maxStringBytes {
				return limitError{fmt.Sprintf("the joined string is larger than %d bytes", maxStringBytes)}
			}
			texts[i].WriteString(s)
		}
	}
	all := make([]any, len(texts))
	for i, text := range texts {
		all[i] = text.String() + rest
	}
	return all
}
