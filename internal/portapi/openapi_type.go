package portapi

import "strings"

// parseType reads a type of openapi.txt as a JSON Schema. It panics on what is none: that is a mistake in this package.
func parseType(text string) object {
	p := typeParser{text}
	schema := p.either()
	if p.rest != "" {
		panic("portapi: a type of the description does not end: " + text)
	}
	return schema
}

type typeParser struct{ rest string }

func (p *typeParser) skip() { p.rest = strings.TrimLeft(p.rest, " ") }

// take steps over a mark, if it comes next.
func (p *typeParser) take(mark string) bool {
	p.skip()
	var ok bool
	p.rest, ok = strings.CutPrefix(p.rest, mark)
	p.skip()
	return ok
}

func (p *typeParser) must(mark string) {
	if !p.take(mark) {
		panic("portapi: a type of the description wants " + mark + " before " + p.rest)
	}
}

// either is one type, or several with bars between.
func (p *typeParser) either() object {
	all := []any{p.one()}
	for p.take("|") {
		all = append(all, p.one())
	}
	if len(all) == 1 {
		one, _ := all[0].(object)
		return one
	}
	return object{"anyOf": all}
}

func (p *typeParser) one() object {
	switch {
	case p.take("["):
		items := p.either()
		p.must("]")
		return object{"type": "array", "items": items}
	case p.take("{"):
		return p.members()
	case p.take(`"`):
		constant, rest, _ := strings.Cut(p.rest, `"`)
		p.rest = rest
		return object{"const": constant}
	}
	switch name := p.word(); name {
	case "any":
		return object{}
	case "time":
		return object{"type": "string", "format": "date-time"}
	case "string", "number", "integer", "boolean", "object", "null":
		return object{"type": name}
	default:
		return object{"$ref": "#/components/schemas/" + name}
	}
}

// members are those of an object, after its brace.
func (p *typeParser) members() object {
	if p.take("*:") {
		values := p.either()
		p.must("}")
		return object{"type": "object", "additionalProperties": values}
	}
	properties, required := object{}, []any{}
	for !p.take("}") {
		name := p.word()
		if !p.take("?") {
			required = append(required, name)
		}
		p.must(":")
		properties[name] = p.either()
		p.take(",")
	}
	return object{"type": "object", "properties": properties, "required": required}
}

func (p *typeParser) word() string {
	p.skip()
	n := strings.IndexFunc(p.rest, func(r rune) bool {
		return !(r == '_' || r == '$' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	})
	if n < 0 {
		n = len(p.rest)
	}
	if n == 0 {
		panic("portapi: a type of the description wants a name before " + p.rest)
	}
	word := p.rest[:n]
	p.rest = p.rest[n:]
	p.skip()
	return word
}
