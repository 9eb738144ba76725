package store

import (
	"regexp"

	"longshore/internal/catalog"
)

// subject is how to read what a condition looks at: SQL that is NULL where there is nothing of that kind. list is a
// FROM item of its elements, "" when it is never a list.
type subject struct {
	text, num, truth, json, millis, list  string
	elementText, elementNum, elementTruth string
	missing, empty                        string // not there; there, but an empty list ("" for never)
	equalsList                            func(values string) string
	dated                                 bool // date-times are equal when they are the same instant
}

const none = ""

// propertyName is what a property's name must be to be written into SQL; blueprints allow no other.
var propertyName = regexp.MustCompile(`^[A-Za-z0-9@_=\\-]{1,100}$`)

func (q *query) subject(s catalog.Subject) subject {
	switch {
	case s.Kind == catalog.RelationValue:
		return q.relation(s)
	case s.Kind == catalog.ValueProperty && propertyName.MatchString(s.Name):
		p := q.member("e.properties", q.sql.key(s.Name))
		p.dated = true
		return p
	case s.Kind != catalog.MetaProperty: // no entity has it
		return subject{missing: "1 = 1"}
	}
	column := func(expr string) subject {
		return subject{text: expr, millis: q.sql.millis(expr), missing: "(" + expr + ") IS NULL"}
	}
	switch s.Name {
	case "$identifier":
		return column("e.identifier")
	case "$title":
		return column("coalesce(nullif(e.title, ''), e.identifier)")
	case "$blueprint":
		return column("(SELECT n.name FROM blueprint_names n WHERE n.id = e.blueprint_id)")
	case "$icon":
		return column("nullif(e.icon, '')")
	case "$createdBy":
		return column("nullif(e.created_by, '')")
	case "$updatedBy":
		return column("nullif(e.updated_by, '')")
	case "$datasource":
		return column("nullif(e.source, '')")
	case "$createdAt", "$updatedAt":
		name := "e.created_at"
		if s.Name == "$updatedAt" {
			name = "e.updated_at"
		}
		return subject{millis: name, missing: "1 = 0"}
	}
	team := q.member("e.team", "")
	team.missing, team.empty = "e.team IS NULL", "e.team = '[]'"
	return team
}

func (q *query) member(column, key string) subject {
	d := q.sql
	return subject{
		text: d.text(column, key), num: d.num(column, key), truth: d.truth(column, key), json: d.json(column, key),
		millis: d.millis("(" + d.text(column, key) + ")"), list: d.elements(column, key),
		elementText: d.elementText, elementNum: d.elementNum, elementTruth: d.elementTruth,
		missing: "NOT coalesce(" + d.there(column, key) + ", 1 = 0)", empty: "(" + d.json(column, key) + ") = '[]'",
	}
}

// instant is what is compared with an instant for equality.
func (s subject) instant() string {
	if s.text != none && !s.dated {
		return none
	}
	return s.millis
}
