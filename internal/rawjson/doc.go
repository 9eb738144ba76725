// Package rawjson finds and cuts values in JSON text without decoding it.
//
// A value is a span of the text that it was found in: number text, key order, escapes and spacing stay as they
// came. What a span means is what encoding/json says: the same texts are valid, and of two members with one name
// the last counts. The one difference is depth: text nested deeper than [MaxDepth] is refused here.
//
//	for record, err := range rawjson.Elements(body) { … }     // the elements of an array, one by one
//	for name, value := range rawjson.Members(record) { … }    // the members of an object, in their order
//	id, ok := rawjson.Get(record, "profile", "login")         // the span of one member
//	login, ok := rawjson.String(id)                           // its text
//	line = rawjson.AppendMember(line, record, "userId", id)   // the object with one more member
//
// Spans alias their text: they are valid, and unchanged, for as long as it is.
package rawjson
