package store

import (
	"slices"
	"strconv"
	"strings"

	"longshore/internal/catalog"
)

// plain compiles what an index answers; "" is for the rest.
func (q *query) plain(r catalog.Rule) string {
	if r.Operator != catalog.OpEqual && r.Operator != catalog.OpIn || len(r.Values) == 0 {
		return ""
	}
	texts := make([]string, 0, len(r.Values))
	for _, v := range r.Values {
		if v.Kind == catalog.TextValue && !(v.IsTime && r.Subject.Kind == catalog.ValueProperty) {
			texts = append(texts, v.Text)
		}
	}
	switch {
	case r.Subject.Kind == catalog.ValueProperty && len(texts) == len(r.Values) && propertyName.MatchString(r.Subject.Name):
		return q.textProperty(r, texts)
	case r.Subject.Kind != catalog.MetaProperty:
		return ""
	case r.Subject.Name == "$identifier":
		return q.identifiers(texts)
	case r.Subject.Name == "$blueprint":
		ids := make([]string, 0, len(texts))
		for _, name := range texts {
			if id, ok := q.names.blueprints[name]; ok {
				ids = append(ids, strconv.FormatInt(id, 10))
			}
		}
		return idIn("e.blueprint_id", ids)
	}
	return ""
}

// idIn compares with numbers that are written out; one is compared by =, which partial indexes are known by.
func idIn(column string, ids []string) string {
	switch len(ids) {
	case 0:
		return column + " IS NULL" // it never is
	case 1:
		return column + " = " + ids[0]
	}
	return column + " IN (" + strings.Join(ids, ",") + ")"
}

// identifiers finds by identifier. The index begins with the blueprint: where none is given, every one is tried.
func (q *query) identifiers(texts []string) string {
	const maxTried = 500
	if len(texts) == 0 {
		return "1 = 0"
	}
	in := "e.identifier IN " + q.texts(texts)
	if q.scoped || len(q.names.blueprint) > maxTried {
		return in
	}
	ids := make([]string, 0, len(q.names.blueprint))
	for id := range q.names.blueprint {
		ids = append(ids, strconv.FormatInt(id, 10))
	}
	slices.Sort(ids)
	return "(" + idIn("e.blueprint_id", ids) + " AND " + in + ")"
}

// textProperty compares a property with texts, in terms that an expression index on the property answers. A list holds if
// an element does; lists are found by the bracket that their text begins with.
func (q *query) textProperty(r catalog.Rule, texts []string) string {
	d, key := q.sql, q.sql.key(r.Subject.Name)
	if q.scoped && !r.Negate {
		q.uses = append(q.uses, use{q.blueprint, r.Subject.Name})
	}
	held := d.indexed("e.properties", key)
	one := "(" + held + " IN " + q.texts(cutTexts(texts, d.cut)) + " AND " + d.isText("e.properties", key)
	if d.cut > 0 {
		one += " AND " + d.text("e.properties", key) + " IN " + q.texts(texts)
	}
	one += ")"
	if r.Operator == catalog.OpEqual {
		return one
	}
	if q.hasIndex != nil && q.scoped && !r.Negate && q.hasIndex(use{q.blueprint, r.Subject.Name}) {
		return q.unionOfTexts(r, texts)
	}
	// '\\' is the sign after '['.
	return "(" + one + " OR (" + held + " >= '[' AND " + held + " < '\\' AND " + q.among(q.member("e.properties", key), r.Values) + "))"
}

// unionOfTexts is textProperty for SQLite once there is an index: of two conditions joined by OR it would use neither's.
func (q *query) unionOfTexts(r catalog.Rule, texts []string) string {
	const column = "x.properties"
	d, key := q.sql, q.sql.key(r.Subject.Name)
	// By its own reckoning SQLite would rather read the whole blueprint.
	index := use{q.blueprint, r.Subject.Name}.name()
	from := "SELECT x.id FROM entities x INDEXED BY " + index + " WHERE x.blueprint_id = " + strconv.FormatInt(q.blueprint, 10) + " AND " + d.indexed(column, key)
	return "e.id IN (" + from + " IN " + q.texts(texts) + " AND " + d.isText(column, key) +
		" UNION ALL " + from + " >= '[' AND " + d.indexed(column, key) + " < '\\' AND " + q.among(q.member(column, key), r.Values) + ")"
}

// cutTexts cuts texts to so many characters; 0 leaves them as they are.
func cutTexts(texts []string, most int) []string {
	if most == 0 {
		return texts
	}
	out := make([]string, len(texts))
	for i, text := range texts {
		n := 0
		out[i] = text
		for at := range text {
			if n == most {
				out[i] = text[:at]
				break
			}
			n++
		}
	}
	return out
}
