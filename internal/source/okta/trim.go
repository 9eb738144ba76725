package okta

import (
	"bytes"
	"strings"

	"longshore/internal/rawjson"
)

// trim says what of an object stays out of the lake. The rest stays as it came, byte for byte: nothing is decoded, and
// an object that holds none of it is not even copied. The zero value leaves out nothing.
type trim struct {
	only []string        // the members that stay, of those in no other list; nil for all
	drop []string        // members that do not stay
	in   map[string]trim // members whose own members are trimmed
	deep bool            // at any depth, members whose name tells of a secret do not stay
}

// secretWords are what names of secrets have in common, in small letters and without separators.
var secretWords = []string{"secret", "password", "passphrase", "privatekey", "apikey", "accesskey"} // read only

// apply returns the object without what does not stay: the object itself when there is no such thing in it.
func (t trim) apply(object []byte) []byte {
	if !t.touches(object) {
		return object
	}
	return t.append(make([]byte, 0, len(object)), object)
}

// touches reports whether anything in the value does not stay.
func (t trim) touches(value []byte) bool {
	if t.none() {
		return false
	}
	for name, member := range rawjson.Members(value) {
		inside, stays := t.of(name)
		if !stays || inside.touches(member) {
			return true
		}
	}
	for _, element := range t.elements(value) {
		if t.touches(element) {
			return true
		}
	}
	return false
}

func (t trim) append(dst, value []byte) []byte {
	switch {
	case !t.touches(value):
		return append(dst, value...)
	case !rawjson.IsObject(value):
		dst = append(dst, '[')
		for i, element := range t.elements(value) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = t.append(dst, element)
		}
		return append(dst, ']')
	}
	dst = append(dst, '{')
	first := true
	for name, member := range rawjson.Members(value) {
		inside, stays := t.of(name)
		if !stays {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(dst, name...), ':')
		dst = inside.append(dst, member)
	}
	return append(dst, '}')
}

func (t trim) none() bool { return t.only == nil && t.drop == nil && t.in == nil && !t.deep }

// of tells how a member is trimmed, and whether it stays at all.
func (t trim) of(quoted []byte) (inside trim, stays bool) {
	for name, inside := range t.in {
		if rawjson.NameIs(quoted, name) {
			return inside, true
		}
	}
	for _, name := range t.drop {
		if rawjson.NameIs(quoted, name) {
			return trim{}, false
		}
	}
	if t.deep && soundsSecret(quoted) {
		return trim{}, false
	}
	stays = t.only == nil
	for _, name := range t.only {
		stays = stays || rawjson.NameIs(quoted, name)
	}
	return trim{deep: t.deep}, stays
}

// elements are those of an array whose objects are looked into.
func (t trim) elements(value []byte) (list [][]byte) {
	if value = bytes.TrimSpace(value); !t.deep || len(value) == 0 || value[0] != '[' {
		return nil
	}
	for element, err := range rawjson.Elements(value) {
		if err != nil {
			return nil
		}
		list = append(list, element)
	}
	return list
}

func soundsSecret(quoted []byte) bool {
	name, ok := rawjson.String(quoted)
	if !ok {
		return true
	}
	name = strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(name))
	for _, word := range secretWords {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
