package store

import (
	"strconv"
	"strings"
)

// postgres reads JSON kept as TEXT too: as json, not jsonb, which alters numbers and refuses large ones.
var postgres = dialect{
	key:    func(name string) string { return "'" + strings.ReplaceAll(name, "'", "''") + "'" },
	keyArg: func(name string) string { return strings.ReplaceAll(name, "\x00", "") },
	text: func(c, k string) string {
		return "CASE " + pgType(c, k) + " WHEN 'string' THEN " + pgText(c, k) + " END"
	},
	num: func(c, k string) string {
		return "CASE " + pgType(c, k) + " WHEN 'number' THEN longshore_number(" + pgText(c, k) + ") END"
	},
	truth: func(c, k string) string {
		return "CASE " + pgType(c, k) + " WHEN 'boolean' THEN CASE " + pgText(c, k) + " WHEN 'true' THEN 1 ELSE 0 END END"
	},
	json: func(c, k string) string {
		return "CASE WHEN " + pgType(c, k) + " IN ('array','object') THEN " + pgText(c, k) + " END"
	},
	isText:   func(c, k string) string { return pgType(c, k) + " = 'string'" },
	isList:   func(c, k string) string { return pgType(c, k) + " = 'array'" },
	there:    func(c, k string) string { return pgType(c, k) + " <> 'null'" },
	indexed:  func(c, k string) string { return "left(" + pgText(c, k) + ", 300) COLLATE \"C\"" },
	cut:      300,
	textList: func(list string) string { return "json_array_elements_text(" + list + "::json) AS l(value)" },
	elements: func(c, k string) string {
		return "json_array_elements(CASE " + pgType(c, k) + " WHEN 'array' THEN " + pgValue(c, k) + " ELSE '[]' END) AS el(value)"
	},
	elementText:  "CASE json_typeof(el.value) WHEN 'string' THEN el.value #>> '{}' END",
	elementNum:   "CASE json_typeof(el.value) WHEN 'number' THEN longshore_number(el.value #>> '{}') END",
	elementTruth: "CASE json_typeof(el.value) WHEN 'boolean' THEN CASE el.value #>> '{}' WHEN 'true' THEN 1 ELSE 0 END END",
	millis:       func(text string) string { return "longshore_millis(" + text + ")" },
	position:     func(text, part string) string { return "strpos(" + text + ", " + part + ")" },
	suffix: func(text, ending string) string {
		return "(right(" + text + ", length(" + ending + ")) = " + ending + ")"
	},
	binary:   ` COLLATE "C"`,
	wordsID:  "entity_id",
	putWords: `INSERT INTO entity_words (entity_id, words) SELECT r.id, array_to_tsvector(string_to_array(r.words, ' ')) FROM (VALUES %s) AS r(id, words)`,
	wordsLike: func(query string) string {
		return "SELECT f.entity_id AS id FROM entity_words f WHERE f.words @@ CAST(" + query + " AS tsquery)"
	},
	wordsQuery: func(words []string, ends [][]string) string {
		return quotedWords(words, ends, "'", ":*", " & ", " | ")
	},
	wordsText: func(words []string) string { return strings.Join(words, " ") },
	// One that could not be finished is left behind and does not serve: it goes first.
	indexProperty: indexPostgres,
	indexesLike: `SELECT count(*), count(*) FILTER (WHERE c.relname = $3 AND i.indisvalid) FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
		WHERE left(c.relname, $1) = $2 AND pg_table_is_visible(c.oid)`,
	placeholders: keyByKey,
	// What a search costs is overrated where it walks, or where there are no statistics: compiling it to machine code then takes
	// a hundred times longer than it does.
	beforeSearch: `SET LOCAL jit = off`,
}

// indexPostgres makes an index by the expressions that searches compare, and statistics of them: those of a partial index
// the planner does not read, and without it takes a range for a third of all there is.
func indexPostgres(d *dialect, u use) []string {
	key := d.key(u.property)
	by := "left(" + pgText("properties", key) + `, 300) COLLATE "C"`
	switch u.kind {
	case numberIndex:
		by = d.num("properties", key)
	case timeIndex:
		by = d.millis("(" + d.text("properties", key) + ")")
	}
	return []string{
		"DROP INDEX CONCURRENTLY IF EXISTS " + u.name(),
		"CREATE INDEX CONCURRENTLY " + u.name() + " ON " + u.table() + " ((" + by + "), identifier) WHERE blueprint_id = " + strconv.FormatInt(u.blueprint, 10),
		"CREATE STATISTICS IF NOT EXISTS " + u.name() + "_s ON (" + by + ") FROM " + u.table(),
		"ANALYZE " + u.table(),
	}
}

func pgValue(c, k string) string {
	if k == "" {
		return "(" + c + ")::json"
	}
	return "((" + c + ")::json -> " + k + ")"
}

func pgType(c, k string) string { return "json_typeof(" + pgValue(c, k) + ")" }

func pgText(c, k string) string {
	if k == "" {
		return "((" + c + ")::json #>> '{}')"
	}
	return "((" + c + ")::json ->> " + k + ")"
}
