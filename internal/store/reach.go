package store

import (
	"encoding/json"
	"strconv"
	"strings"

	"longshore/internal/catalog"
)

// relation reads a relation's value: what the entity's JSON holds; for an inverse one, who points back.
func (q *query) relation(s catalog.Subject) subject {
	var r subject
	if s.Rel != nil && s.Rel.InverseOf != "" {
		r = q.inverse(s.Rel)
	} else {
		r = q.member("e.relations", q.text(q.sql.keyArg(s.Name)))
		if s.Rel != nil && s.Rel.Many {
			r.text, r.millis = none, none
		}
	}
	if s.Titles {
		r = q.titles(r, s.Rel.Target)
	}
	return r
}

// pointing compares a relation with identifiers by the index of who points where; "" is for other conditions.
func (q *query) pointing(r catalog.Rule) string {
	s := r.Subject
	if s.Kind != catalog.RelationValue || s.Rel == nil || s.Rel.InverseOf != "" || s.Titles || len(r.Values) == 0 {
		return ""
	}
	decides := s.Rel.Many && (r.Operator == catalog.OpIn || r.Operator == catalog.OpContains)
	if !decides && (s.Rel.Many || r.Operator != catalog.OpIn && r.Operator != catalog.OpEqual) {
		return ""
	}
	target, known := q.names.blueprints[s.Rel.Target]
	id, stored := q.names.relations[relationName{s.Of, s.Name}]
	if !known || !stored {
		return ""
	}
	texts := make([]string, len(r.Values))
	for i, v := range r.Values {
		if v.Kind != catalog.TextValue {
			return ""
		}
		texts[i] = v.Text
	}
	found := "e.id IN (SELECT r.entity_id FROM " + q.names.ofRelation(id).relations + " r WHERE r.target_blueprint_id = " + strconv.FormatInt(target, 10) + " AND r.target_identifier IN " +
		q.texts(texts) + " AND r.relation_id = " + strconv.FormatInt(id, 10) + ")"
	if decides {
		return found
	}
	if r.Operator == catalog.OpIn {
		return "(" + found + " AND " + q.in(q.subject(s), r.Values) + ")"
	}
	return "(" + found + " AND " + q.equal(q.subject(s), r.Values[0]) + ")"
}

// inverse reads a relation from its other side.
func (q *query) inverse(rel *catalog.Relation) subject {
	id, ok := q.names.relations[relationName{rel.Target, rel.InverseOf}]
	if !ok {
		return subject{missing: "1 = 1"}
	}
	in := q.names.ofRelation(id)
	from := `FROM ` + in.relations + ` r CROSS JOIN ` + in.entities + ` s WHERE r.target_blueprint_id = e.blueprint_id AND r.target_identifier = e.identifier AND r.relation_id = ` +
		strconv.FormatInt(id, 10) + ` AND s.id = r.entity_id`
	out := subject{missing: "NOT EXISTS (SELECT 1 " + from + ")"}
	if !rel.Many {
		out.text = "(SELECT min(s.identifier) " + from + ")"
		out.millis = q.sql.millis(out.text)
		return out
	}
	out.list, out.elementText = "(SELECT s.identifier AS value "+from+") AS el", "el.value"
	out.equalsList = func(values string) string { // it is sorted, and each is there once
		ids, ok := sortedTexts(values)
		if !ok || len(ids) == 0 {
			return "1 = 0"
		}
		n := q.integer(int64(len(ids)))
		return "((SELECT count(*) " + from + ") = " + n + " AND (SELECT count(*) " + from + " AND s.identifier IN " + q.texts(ids) + ") = " + n + ")"
	}
	return out
}

// sortedTexts reads a JSON list of texts that are in order, each once.
func sortedTexts(list string) ([]string, bool) {
	var ids []string
	if json.Unmarshal([]byte(list), &ids) != nil {
		return nil, false
	}
	for i := 1; i < len(ids); i++ {
		if ids[i-1] >= ids[i] {
			return nil, false
		}
	}
	return ids, !strings.Contains(list, "null")
}

// titles reads the titles of what a relation names. An entity that is not there goes by its identifier.
func (q *query) titles(r subject, target string) subject {
	id, ok := q.names.blueprints[target]
	if !ok {
		return r
	}
	title := func(identifier string) string {
		return "coalesce((SELECT coalesce(nullif(t.title, ''), t.identifier) FROM " + q.names.of(id).entities + " t WHERE t.blueprint_id = " + strconv.FormatInt(id, 10) +
			" AND t.identifier = " + identifier + "), " + identifier + ")"
	}
	if r.text != none {
		r.text = title("(" + r.text + ")")
		r.millis = q.sql.millis("(" + r.text + ")")
	}
	if r.list != "" {
		r.elementText = title("(" + r.elementText + ")")
	}
	r.num, r.truth, r.json, r.elementNum, r.elementTruth, r.equalsList = none, none, none, none, none, nil
	return r
}

// reach compiles a walk to a query of the ids of the entities that it meets. Each hop begins at what was found before:
// CROSS JOIN keeps SQLite to that order.
func (q *query) reach(r *catalog.Reach) string {
	id, ok := q.names.blueprints[r.Blueprint]
	if !ok || len(r.Identifiers) == 0 {
		return "SELECT b.id FROM entities b WHERE 1 = 0"
	}
	found := "SELECT b.id FROM " + q.names.of(id).entities + " b WHERE b.blueprint_id = " + strconv.FormatInt(id, 10) + " AND b.identifier IN " + q.texts(r.Identifiers)
	for _, hop := range r.Hops {
		found = q.hop(found, hop)
	}
	return found
}

func (q *query) hop(found string, hop catalog.Hop) string {
	along := ""
	if hop.Relations != nil {
		ids := make([]string, 0, len(hop.Relations))
		for _, r := range hop.Relations {
			if id, ok := q.names.relations[relationName{r.Blueprint, r.Relation}]; ok {
				ids = append(ids, strconv.FormatInt(id, 10))
			}
		}
		along = " AND " + idIn("r.relation_id", ids)
	}
	// once walks one hop from w, and adds columns of w.
	once := func(from, more string) []string {
		var terms []string
		for _, in := range q.hopPlaces(hop) {
			if q.sql.indexProperty != nil {
				terms = append(terms, onceByIndex(from, more, in, hop.Against, along))
				continue
			}
			if hop.Against {
				terms = append(terms, "SELECT r.entity_id AS id"+more+" FROM "+from+" w CROSS JOIN "+in.entities+" s CROSS JOIN "+in.relations+" r WHERE s.id = w.id"+
					" AND r.target_blueprint_id = s.blueprint_id AND r.target_identifier = s.identifier"+along)
				continue
			}
			terms = append(terms, "SELECT t.id AS id"+more+" FROM "+from+" w CROSS JOIN "+in.relations+" r CROSS JOIN "+in.entities+" t WHERE r.entity_id = w.id"+
				" AND t.blueprint_id = r.target_blueprint_id AND t.identifier = r.target_identifier"+along)
		}
		return terms
	}
	const union = " UNION "
	begun, start := "("+found+")", ""
	if len(q.hopPlaces(hop)) > 1 { // named, for it is written more than once
		q.walks++ // a walk stands within the next one's start
		begun = "start" + strconv.Itoa(q.walks)
		start = begun + "(id) AS (" + found + ")"
	}
	switch {
	case hop.Max == 1 && start == "":
		return once(begun, "")[0]
	case hop.Max == 1:
		return "WITH " + start + " " + strings.Join(once(begun, ""), union)
	}
	if start != "" {
		start += ", "
	}
	if hop.Max == 0 {
		return "WITH RECURSIVE " + start + "walk(id) AS (" + strings.Join(append(once(begun, ""), once("walk", "")...), union) + ") SELECT id FROM walk"
	}
	further := once("walk", ", w.hops + 1")
	for i := range further {
		further[i] += " AND w.hops < " + strconv.Itoa(hop.Max)
	}
	return "WITH RECURSIVE " + start + "walk(id, hops) AS (" + strings.Join(append(once(begun, ", 1"), further...), union) + ") SELECT id FROM walk"
}

// onceByIndex walks one hop on PostgreSQL. It cannot know how many a walk meets, takes it for much of the table, and would read
// that whole: what stands in LATERAL with an OFFSET is looked up one by one.
func onceByIndex(from, more string, in site, against bool, along string) string {
	if against {
		return "SELECT r.id" + more + " FROM " + from + " w CROSS JOIN LATERAL (SELECT s.blueprint_id, s.identifier FROM " + in.entities + " s WHERE s.id = w.id OFFSET 0) s" +
			" CROSS JOIN LATERAL (SELECT r.entity_id AS id FROM " + in.relations + " r WHERE r.target_blueprint_id = s.blueprint_id AND r.target_identifier = s.identifier" + along +
			" OFFSET 0) r WHERE 1 = 1"
	}
	return "SELECT t.id" + more + " FROM " + from + " w CROSS JOIN LATERAL (SELECT r.target_blueprint_id, r.target_identifier FROM " + in.relations + " r WHERE r.entity_id = w.id" + along +
		" OFFSET 0) r CROSS JOIN LATERAL (SELECT t.id FROM " + in.entities + " t WHERE t.blueprint_id = r.target_blueprint_id AND t.identifier = r.target_identifier OFFSET 0) t WHERE 1 = 1"
}

// hopPlaces are the tables that a hop goes through: of relations, and of the entities that these name. SQLite reads views
// of two tables within a walk row by row, so there each pair of tables is a term; PostgreSQL takes a single term that names
// the walk, and reads views well.
func (q *query) hopPlaces(hop catalog.Hop) []site {
	relations := q.names.every()
	if hop.Relations != nil {
		relations = here
		for i, r := range hop.Relations {
			in := q.names.of(q.names.blueprints[r.Blueprint])
			if i > 0 && in != relations {
				in = both
			}
			relations = in
		}
	}
	entities := q.names.every()
	if q.sql.indexProperty != nil {
		return []site{{entities: entities.entities, relations: relations.relations}}
	}
	var pairs []site
	for _, r := range relations.tables() {
		for _, e := range entities.tables() {
			pairs = append(pairs, site{entities: e.entities, relations: r.relations})
		}
	}
	return pairs
}
