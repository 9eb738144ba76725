package store

import "strings"

// dialect is what differs between the databases in the SQL of the catalog. Keys are property names, columns hold JSON
// objects; every expression is NULL where the value is not there or of another kind.
type dialect struct {
	// value is the SQL of a member's place in a column: what the others take.
	text  func(column, key string) string // a string's text
	num   func(column, key string) string // a number
	truth func(column, key string) string // 1 or 0 for a boolean
	json  func(column, key string) string // the canonical text of a list or object
	kind  func(column, key string) string // 'text', 'number', 'boolean', 'array', 'object', NULL when not there or null
	// equalText compares a string member with a text, in the shape that an expression index on the member answers.
	equalText func(column, key, text string) string
	// elements is a FROM item of a list's elements; elementText, elementNum and elementTruth read one.
	elements                              func(column, key string) string
	elementText, elementNum, elementTruth string
	millis                                func(text string) string // Unix milliseconds of a date-time text
	position                              string                   // function: where the second text begins in the first, 0 for nowhere
	// placeholders rewrites $1, $2, … into what the driver binds fastest.
	placeholders func(query string) string
}

// sqlite reads JSON kept as TEXT. An empty key means the column itself is the list.
var sqlite = dialect{
	text: func(c, k string) string {
		return "CASE json_type(" + c + "," + path(k) + ") WHEN 'text' THEN json_extract(" + c + "," + path(k) + ") END"
	},
	num: func(c, k string) string {
		return "CASE WHEN json_type(" + c + "," + path(k) + ") IN ('integer','real') THEN CAST(json_extract(" + c + "," + path(k) + ") AS REAL) END"
	},
	truth: func(c, k string) string {
		return "CASE json_type(" + c + "," + path(k) + ") WHEN 'true' THEN 1 WHEN 'false' THEN 0 END"
	},
	json: func(c, k string) string {
		return "CASE WHEN json_type(" + c + "," + path(k) + ") IN ('array','object') THEN json_extract(" + c + "," + path(k) + ") END"
	},
	kind: func(c, k string) string {
		return "CASE json_type(" + c + "," + path(k) + ") WHEN 'integer' THEN 'number' WHEN 'real' THEN 'number' WHEN 'true' THEN 'boolean' " +
			"WHEN 'false' THEN 'boolean' WHEN 'null' THEN NULL ELSE json_type(" + c + "," + path(k) + ") END"
	},
	equalText: func(c, k, text string) string {
		return "(json_extract(" + c + "," + path(k) + ") = " + text + " AND json_type(" + c + "," + path(k) + ") = 'text')"
	},
	elements: func(c, k string) string {
		return "json_each(CASE json_type(" + c + "," + path(k) + ") WHEN 'array' THEN json_extract(" + c + "," + path(k) + ") ELSE '[]' END) AS el"
	},
	elementText:  "CASE el.type WHEN 'text' THEN el.value END",
	elementNum:   "CASE WHEN el.type IN ('integer','real') THEN CAST(el.value AS REAL) END",
	elementTruth: "CASE el.type WHEN 'true' THEN 1 WHEN 'false' THEN 0 END",
	millis: func(text string) string {
		return "CASE WHEN " + text + " GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:*' THEN " +
			"CAST(round(unixepoch(" + text + ",'subsec')*1000) AS INTEGER) END"
	},
	position:     "instr",
	placeholders: bare,
}

// bare writes ? for $1, $2, … where each occurs once and in order; any other query stays as it is. SQLite takes $1 for a
// name, and the driver looks every name up: that made binding the dearest part of a statement of many rows.
func bare(query string) string {
	var b strings.Builder
	want := 1
	for i := 0; i < len(query); i++ {
		if query[i] != '$' || i+1 == len(query) || query[i+1] < '0' || query[i+1] > '9' {
			b.WriteByte(query[i])
			continue
		}
		n := 0
		for i+1 < len(query) && query[i+1] >= '0' && query[i+1] <= '9' {
			i++
			n = n*10 + int(query[i]-'0')
		}
		if n != want {
			return query
		}
		want++
		b.WriteByte('?')
	}
	return b.String()
}

// path is a SQL literal of the JSON path of a key.
func path(key string) string {
	if key == "" {
		return "'$'"
	}
	r := strings.NewReplacer(`\`, `\\`, `"`, `\"`, `'`, `''`, "\x00", "")
	return `'$."` + r.Replace(key) + `"'`
}
