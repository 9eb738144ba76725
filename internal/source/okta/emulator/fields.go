package emulator

import (
	"bytes"
	"encoding/json"
	"strings"
)

// fields is what fields= asks for: members by name, and of those with parentheses only some. The id is always kept.
type fields map[string]fields

// parseFields reads id,status,profile:(login,email). "" is nil, which keeps all; what it cannot read it passes over, as
// with unknown names.
func parseFields(source string) fields {
	if source == "" {
		return nil
	}
	f := fields{"id": nil}
	for rest := source; rest != ""; {
		var name string
		at := strings.IndexAny(rest, ",:")
		if at < 0 {
			f[strings.TrimSpace(rest)] = nil
			break
		}
		name, rest = strings.TrimSpace(rest[:at]), rest[at:]
		inner, below := strings.CutPrefix(rest, ":(")
		if !below {
			f[name] = nil
			rest = rest[1:]
			continue
		}
		list, after, _ := strings.Cut(inner, ")")
		sub := fields{}
		for part := range strings.SplitSeq(list, ",") {
			sub[strings.TrimSpace(part)] = nil
		}
		f[name], rest = sub, strings.TrimPrefix(after, ",")
	}
	return f
}

// project keeps of an object what is asked for, in the object's order.
func (f fields) project(object []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		return object
	}
	t := text{}
	t.object("")
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return object
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return object
		}
		key, _ := name.(string)
		sub, wanted := f[key]
		if !wanted {
			continue
		}
		if sub != nil && value[0] == '{' {
			value = sub.project(value)
		}
		t.raw(key, string(value))
	}
	t.end()
	return t.b
}

// projectAll is project for objects joined by commas.
func (f fields) projectAll(items []byte) []byte {
	var all []json.RawMessage
	if err := json.Unmarshal(append(append([]byte("["), items...), ']'), &all); err != nil {
		return items
	}
	kept := make([][]byte, 0, len(all))
	for _, item := range all {
		kept = append(kept, f.project(item))
	}
	return bytes.Join(kept, []byte(","))
}
