package store

import "strings"

// dialect is what differs between the databases in the SQL of the catalog. A column holds a JSON object as text, a key is
// what key gives for a member of it, "" the column's whole value. Every expression is NULL where the value is not there or
// of another kind.
type dialect struct {
	key    func(name string) string        // a member's name as the others take it, as a literal; the name is a checked one
	keyArg func(name string) string        // the same as the value of a parameter, for any name
	text   func(column, key string) string // a string's text
	num    func(column, key string) string // a number
	truth  func(column, key string) string // 1 or 0 for a boolean
	json   func(column, key string) string // the canonical text of a list or object
	isText func(column, key string) string // whether it is a string
	isList func(column, key string) string // whether it is a list
	there  func(column, key string) string // whether there is something, null not counted

	// indexed is what an expression index on a member holds: a string's text, a list's JSON, cut to so many characters.
	indexed  func(column, key string) string
	cut      int                      // 0: not cut
	textList func(list string) string // a FROM item of the texts, named value, of a JSON list

	// elements is a FROM item of a list's elements; elementText, elementNum and elementTruth read one.
	elements                              func(column, key string) string
	elementText, elementNum, elementTruth string

	millis   func(text string) string         // Unix milliseconds of a date-time text
	position func(text, part string) string   // where part begins in text, 0 for nowhere
	suffix   func(text, ending string) string // whether text ends so
	binary   string                           // collation by bytes, after a text in an order

	// The index of words: wordsID names its key, wordsLike selects the ids that a query of wordsQuery finds, putWords adds
	// rows of an id and what wordsText gives.
	wordsID, putWords string
	wordsLike         func(query string) string
	wordsText         func(words []string) string
	wordsQuery        func(words []string, ends [][]string) string
	wordsFrom         string // the words from $1 on and before $2, at most $3; "" where the index itself reads few of a beginning's

	// indexProperty are statements that make an expression index on a property of one blueprint, beside writers; nil where its
	// values are rows of property_values. indexesLike counts the indexes whose names begin with $2 ($1 signs), and those of the
	// name $3 that serve.
	indexProperty func(d *dialect, u use) []string
	indexesLike   string

	beforeSearch string // statement, once in a transaction that searches; "" for none

	// placeholders rewrites $1, $2, … and their arguments into what the database takes fastest.
	placeholders func(query string, args []any) (string, []any)
}

// sqlite reads JSON kept as TEXT. longshore_number and longshore_millis are this program's own functions.
var sqlite = dialect{
	key:    path,
	keyArg: jsonPath,
	text: func(c, k string) string {
		return "CASE " + jsonType(c, k) + " WHEN 'text' THEN " + extract(c, k) + " END"
	},
	num: func(c, k string) string {
		// A number of few digits is read alike by all; others are read by Go.
		text := c + " -> " + whole(k)
		return "CASE WHEN " + jsonType(c, k) + " IN ('integer','real') THEN CASE WHEN length(" + text + ") < 17 THEN CAST(" + extract(c, k) +
			" AS REAL) ELSE longshore_number(" + text + ") END END"
	},
	truth: func(c, k string) string {
		return "CASE " + jsonType(c, k) + " WHEN 'true' THEN 1 WHEN 'false' THEN 0 END"
	},
	json: func(c, k string) string {
		return "CASE WHEN " + jsonType(c, k) + " IN ('array','object') THEN " + extract(c, k) + " END"
	},
	isText:   func(c, k string) string { return jsonType(c, k) + " = 'text'" },
	isList:   func(c, k string) string { return jsonType(c, k) + " = 'array'" },
	there:    func(c, k string) string { return jsonType(c, k) + " <> 'null'" },
	indexed:  extract,
	textList: func(list string) string { return "json_each(" + list + ")" },
	elements: func(c, k string) string {
		return "json_each(CASE " + jsonType(c, k) + " WHEN 'array' THEN " + extract(c, k) + " ELSE '[]' END) AS el"
	},
	elementText: "CASE el.type WHEN 'text' THEN el.value END",
	elementNum: "CASE WHEN el.type IN ('integer','real') THEN CASE typeof(el.value) WHEN 'integer' THEN CAST(el.value AS REAL) " +
		"ELSE longshore_number(el.json -> el.fullkey) END END",
	elementTruth: "CASE el.type WHEN 'true' THEN 1 WHEN 'false' THEN 0 END",
	millis:       func(text string) string { return "longshore_millis(" + text + ")" },
	position:     func(text, part string) string { return "instr(" + text + ", " + part + ")" },
	suffix: func(text, ending string) string {
		return "(length(" + ending + ") = 0 AND (" + text + ") IS NOT NULL OR substr(" + text + ", -length(" + ending + ")) = " + ending + ")"
	},
	wordsID:  "rowid",
	putWords: `INSERT INTO entity_words (rowid, words) VALUES %s`,
	wordsLike: func(query string) string {
		return "SELECT rowid AS id FROM entity_words WHERE entity_words MATCH " + query
	},
	wordsQuery: func(words []string, ends [][]string) string {
		return quotedWords(words, ends, `"`, "*", " AND ", " OR ")
	},
	wordsFrom:    `SELECT term FROM entity_terms WHERE term >= $1 AND term < $2 LIMIT $3`,
	wordsText:    func(words []string) string { return strings.Join(words, " ") },
	placeholders: func(query string, args []any) (string, []any) { return bare(query), args },
}

func jsonType(c, k string) string { return "json_type(" + c + "," + whole(k) + ")" }

func extract(c, k string) string { return "json_extract(" + c + "," + whole(k) + ")" }

func whole(key string) string {
	if key == "" {
		return "'$'"
	}
	return key
}

// path is a SQL literal of the JSON path of a property.
func path(name string) string { return "'" + strings.ReplaceAll(jsonPath(name), "'", "''") + "'" }

func jsonPath(name string) string {
	return `$."` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\x00", "").Replace(name) + `"`
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
