package runner

import (
	"crypto/sha256"
	"slices"
	"strconv"

	"longshore/internal/airbyte"
	"longshore/internal/rawjson"
)

// digest tells states apart by what they mean: programs that pass JSON on write its members, numbers and texts in other
// ways. Numbers are the same when they are as float64: that is what some programs make of all of them.
type digest [sha256.Size]byte

// digestOf is the digest of what a source says in the body of a STATE, counts apart.
func digestOf(kind string, body []byte) digest {
	var b []byte
	switch kind {
	case airbyte.StreamType:
		state, _ := rawjson.Get(body, "stream", "stream_state")
		b = appendMeaning(b, state)
	case airbyte.GlobalType:
		shared, _ := rawjson.Get(body, "global", "shared_state")
		b = append(appendMeaning(b, shared), ';')
		list, _ := rawjson.Get(body, "global", "stream_states")
		var states []string
		for entry := range elements(list) {
			descriptor, _ := rawjson.Get(entry, "stream_descriptor")
			state, _ := rawjson.Get(entry, "stream_state")
			states = append(states, string(appendMeaning(append(marshal(descriptorOf(descriptor)), ':'), state)))
		}
		slices.Sort(states)
		for _, s := range states {
			b = append(append(b, s...), ';')
		}
	default:
		data, _ := rawjson.Get(body, "data")
		b = appendMeaning(b, data)
	}
	return sha256.Sum256(b)
}

// appendMeaning appends a JSON value in one spelling. What is absent is null.
func appendMeaning(dst, span []byte) []byte {
	if len(span) == 0 {
		return append(dst, "null"...)
	}
	switch span[0] {
	case '{':
		members := map[string][]byte{}
		for name, value := range rawjson.Members(span) {
			text, _ := rawjson.String(name)
			members[text] = value
		}
		names := make([]string, 0, len(members))
		for name := range members {
			names = append(names, name)
		}
		slices.Sort(names)
		dst = append(dst, '{')
		for _, name := range names {
			dst = append(rawjson.AppendString(dst, name), ':')
			dst = append(appendMeaning(dst, members[name]), ',')
		}
		return append(dst, '}')
	case '[':
		dst = append(dst, '[')
		for element := range elements(span) {
			dst = append(appendMeaning(dst, element), ',')
		}
		return append(dst, ']')
	case '"':
		text, _ := rawjson.String(span)
		return rawjson.AppendString(dst, text)
	case 't', 'f', 'n':
		return append(dst, span...)
	}
	number, err := strconv.ParseFloat(string(span), 64)
	if err != nil { // beyond float64
		return append(dst, span...)
	}
	if number == 0 {
		number = 0 // not -0
	}
	return strconv.AppendFloat(dst, number, 'g', -1, 64)
}
