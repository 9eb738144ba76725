package jq

import (
	"maps"
	"slices"

	"github.com/itchyny/gojq"
)

// guarded returns the query as it is compiled.
func guarded(q *gojq.Query) *gojq.Query { return q }

func sortedKeys(object map[string]any) []any {
	keys := slices.Sorted(maps.Keys(object))
	list := make([]any, len(keys))
	for i, k := range keys {
		list[i] = k
	}
	return list
}
