package store

// postgres reads JSON kept as TEXT by casting it. An empty key means the column itself is the list.
var postgres = dialect{
	text: func(c, k string) string {
		return "CASE jsonb_typeof(" + at(c, k) + ") WHEN 'string' THEN (" + at(c, k) + ` #>> '{}') COLLATE "C" END`
	},
	num: func(c, k string) string {
		return "CASE jsonb_typeof(" + at(c, k) + ") WHEN 'number' THEN (" + at(c, k) + " #>> '{}')::double precision END"
	},
	truth: func(c, k string) string {
		return "CASE " + at(c, k) + " WHEN 'true'::jsonb THEN 1 WHEN 'false'::jsonb THEN 0 END"
	},
	json: func(c, k string) string { // of type json, not jsonb: that keeps the text as it is
		inner := "(" + c + ")::json"
		if k != "" {
			inner = "(" + inner + " -> " + literal(k) + ")"
		}
		return "CASE WHEN jsonb_typeof(" + at(c, k) + ") IN ('array', 'object') THEN (" + inner + `)::text COLLATE "C" END`
	},
	kind: func(c, k string) string {
		return "CASE jsonb_typeof(" + at(c, k) + ") WHEN 'string' THEN 'text' WHEN 'null' THEN NULL ELSE jsonb_typeof(" + at(c, k) + ") END"
	},
	equalText: func(c, k, text string) string {
		return "(jsonb_typeof(" + at(c, k) + ") = 'string' AND (" + at(c, k) + " #>> '{}') = " + text + ")"
	},
	elements: func(c, k string) string {
		return "jsonb_array_elements(CASE jsonb_typeof(" + at(c, k) + ") WHEN 'array' THEN " + at(c, k) + " ELSE '[]'::jsonb END) AS el(value)"
	},
	elementText:  "CASE jsonb_typeof(el.value) WHEN 'string' THEN (el.value #>> '{}') COLLATE \"C\" END",
	elementNum:   "CASE jsonb_typeof(el.value) WHEN 'number' THEN (el.value #>> '{}')::double precision END",
	elementTruth: "CASE el.value WHEN 'true'::jsonb THEN 1 WHEN 'false'::jsonb THEN 0 END",
	millis:       func(text string) string { return "longshore_millis(" + text + ")" },
	position:     "strpos",
	placeholders: func(query string) string { return query },
}

// at is a member's place in a column, as jsonb.
func at(column, key string) string {
	if key == "" {
		return "((" + column + ")::jsonb)"
	}
	return "((" + column + ")::jsonb -> " + literal(key) + ")"
}

// literal is a SQL text literal.
func literal(s string) string {
	quoted := make([]byte, 0, len(s)+2)
	quoted = append(quoted, '\'')
	for i := range len(s) {
		switch s[i] {
		case '\'':
			quoted = append(quoted, '\'')
		case 0:
			continue
		}
		quoted = append(quoted, s[i])
	}
	return string(append(quoted, '\''))
}
