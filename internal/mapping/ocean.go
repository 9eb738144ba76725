package mapping

import (
	"encoding/json"
	"fmt"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// Ocean's integrations have a dialect of their own for the same thing, the port-app-config:
//
//	resources:
//	  - kind: users                    # the stream
//	    selector: {query: .status == "ACTIVE"}
//	    port:
//	      itemsToParse: .groups        # optional; an element is .item, or what itemsToParseName says
//	      entity:
//	        mappings: {identifier: .id, blueprint: '"okta_user"', title: .name, properties: {}, relations: {}}
//
// The record stands at the root, not under .body. mappings may be a list. Every value is jq, the blueprint too; where it
// or the identifier comes out null or empty, the entity is skipped, with a verdict.
type oceanConfig struct {
	CreateMissing *bool             `json:"createMissingRelatedEntities"` // default true
	Merge         *bool             `json:"enableMergeEntity"`            // default true
	Resources     []json.RawMessage `json:"resources"`
}

type oceanResource struct {
	Kind     string `json:"kind"`
	Selector struct {
		Query json.RawMessage `json:"query"`
	} `json:"selector"`
	Port struct {
		Entity struct {
			Mappings json.RawMessage `json:"mappings"`
		} `json:"entity"`
		Items     json.RawMessage `json:"itemsToParse"`
		ItemsName string          `json:"itemsToParseName"`
		TopLevel  *bool           `json:"itemsToParseTopLevelTransform"` // default true
	} `json:"port"`
}

// IsOcean reports whether a document is one of Ocean's: an object with resources, and no mappings.
func IsOcean(document json.RawMessage) bool {
	members, _ := objectMembers(document)
	ocean := false
	for _, m := range members {
		switch m.name {
		case "mappings":
			return false
		case "resources":
			ocean = true
		}
	}
	return ocean
}

// addOcean compiles the resources of an Ocean config, behind the mappings that the set has already.
func (s *Set) addOcean(config json.RawMessage, places map[string]int) error {
	if absent(config) {
		return nil
	}
	var doc oceanConfig
	if err := json.Unmarshal(config, &doc); err != nil {
		return fault.Errorf(fault.Invalid, "config: want an object with a list of resources: %w", err).
			WithHint(`{"resources": [{"kind": "users", "selector": {"query": "true"}, "port": {"entity": {"mappings": {"identifier": ".id", "blueprint": "\"okta_user\""}}}}]}`)
	}
	for i, text := range doc.Resources {
		var r oceanResource
		if err := json.Unmarshal(text, &r); err != nil {
			return fault.Errorf(fault.Invalid, "config: resources[%d]: %w", i, err)
		}
		if r.Kind == "" {
			return fault.Errorf(fault.Invalid, "config: resources[%d]: it names no kind", i).WithHint("kind is the stream whose records it maps")
		}
		where := fmt.Sprintf("resources[%d](%s).", i, r.Kind)
		list := []json.RawMessage{r.Port.Entity.Mappings}
		if _, ok := objectMembers(r.Port.Entity.Mappings); !ok && json.Unmarshal(r.Port.Entity.Mappings, &list) != nil {
			return fault.Errorf(fault.Invalid, "config: %sport.entity.mappings: want an object or a list of them, got %s", where, kindOfJSON(r.Port.Entity.Mappings))
		}
		for _, entity := range list {
			if len(s.mappings) >= maxMappings {
				return fault.Errorf(fault.Invalid, "config: %smore than %d mappings", where, maxMappings)
			}
			c := compiler{set: s, mapping: len(s.mappings), places: places, where: where}
			m, err := c.ocean(&r, entity)
			if err != nil {
				return fmt.Errorf("config: %s%w", where, err)
			}
			m.createMissing = doc.CreateMissing == nil || *doc.CreateMissing
			if doc.Merge != nil && !*doc.Merge {
				m.op = catalog.OpReplace
			}
			s.add(m)
		}
	}
	return nil
}

// ocean compiles one entity of a resource.
func (c *compiler) ocean(r *oceanResource, entity json.RawMessage) (compiled, error) {
	m := compiled{op: catalog.OpMerge, itemName: "item", kind: r.Kind, where: c.where, topLevel: r.Port.TopLevel == nil || *r.Port.TopLevel}
	if r.Port.ItemsName != "" {
		m.itemName = r.Port.ItemsName
	}
	if m.filter = c.optional("selector.query", r.Selector.Query); m.filter != nil && m.filter.program != nil {
		m.clauses = c.clauses(m.filter.program)
	}
	m.items = c.optional("itemsToParse", r.Port.Items)
	members, ok := objectMembers(entity)
	if !ok {
		return compiled{}, fault.Errorf(fault.Invalid, "port.entity.mappings: want an object, got %s", kindOfJSON(entity))
	}
	for _, member := range members {
		if member.name == "blueprint" {
			m.blueprintNode = c.node("blueprint", member.value)
		}
	}
	if m.blueprintNode == nil {
		m.broken = &expression{field: c.where + "blueprint", message: "the mapping has no blueprint"}
		c.problem(m.broken, `add "blueprint" to its entity: jq, a constant as '"okta_user"'`)
	} else if name, ok := m.blueprintNode.constant(); ok {
		m.blueprint = name
	}
	c.entity(&m, entity)
	return m, nil
}
