package store

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// manyKeys is a look-up by a list of identifiers or ids, each a parameter of its own: "e.identifier IN ($2,$3,$4)".
var manyKeys = regexp.MustCompile(`([a-z_.]*id|[a-z_.]*identifier) IN \((\$[0-9]+(?:,\$[0-9]+)+)\)`)

var (
	limited = regexp.MustCompile(` LIMIT [0-9]+$`)
	deletes = regexp.MustCompile(`^DELETE FROM ([a-z_]+(?: AS [a-z])?) WHERE `)
)

// keyByKey makes a look-up by many keys one that PostgreSQL carries out key after key by the index, and sends the keys as
// one array. Left to itself it plans by what it believes of the table: of one that was small when the plan was made, or has
// no statistics yet, it reads a whole blueprint and compares every row with every key. OFFSET 0 keeps the inner query what it is.
func keyByKey(query string, args []any) (string, []any) {
	const few = 4
	at := manyKeys.FindStringSubmatchIndex(query)
	if at == nil {
		return query, args
	}
	column, marks := query[at[2]:at[3]], strings.Split(query[at[4]:at[5]], ",")
	first, err := strconv.Atoi(marks[0][1:])
	if err != nil || len(marks) < few || strings.Contains(query, " ORDER BY ") || strings.Contains(query, "count(") && !strings.Contains(query, " GROUP BY ") {
		return query, args
	}
	keys, kind := keyArray(args[first-1 : first-1+len(marks)])
	if keys == nil {
		return query, args
	}
	rest := query[at[1]:]
	for i := first + len(marks); i <= len(args); i++ { // what follows the list moves up
		rest = strings.Replace(rest, placeholder(i), placeholder(i-len(marks)+1), 1)
	}
	short := append(append(append([]any{}, args[:first-1]...), keys), args[first-1+len(marks):]...)
	from := fmt.Sprintf("FROM (SELECT DISTINCT key FROM unnest(%s::%s[]) AS u(key)) AS k CROSS JOIN LATERAL (", placeholder(first), kind)
	one := query[:at[0]] + column + " = k.key" + rest
	if d := deletes.FindStringSubmatch(one); d != nil {
		table, _, _ := strings.Cut(d[1], " ")
		return "DELETE FROM " + table + " WHERE ctid = ANY (ARRAY(SELECT f.at " + from + "SELECT ctid AS at FROM " + one[len("DELETE FROM "):] + " OFFSET 0) AS f))", short
	}
	if !strings.HasPrefix(one, "SELECT ") || strings.Contains(one, "count(*)) ") {
		return query, args
	}
	limit := limited.FindString(one)
	return "SELECT f.* " + from + strings.TrimSuffix(one, limit) + " OFFSET 0) AS f" + limit, short
}

// keyArray is the keys as one argument, and their type; nil when they are of several.
func keyArray(args []any) (keys any, kind string) {
	switch args[0].(type) {
	case string:
		list := make([]string, 0, len(args))
		for _, a := range args {
			if s, ok := a.(string); ok {
				list = append(list, s)
			}
		}
		if len(list) == len(args) {
			return list, "text"
		}
	case int64:
		list := make([]int64, 0, len(args))
		for _, a := range args {
			if n, ok := a.(int64); ok {
				list = append(list, n)
			}
		}
		if len(list) == len(args) {
			return list, "bigint"
		}
	}
	return nil, ""
}
