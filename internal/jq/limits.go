package jq

import (
	"encoding/json"
	"math/big"
)

type limit int

const (
	limitNone limit = iota
	limitSize
	limitDepth
)

// withinLimits measures a value before it is written. Values share parts, so a small one in memory may be endless as
// text ([.,.] sixty times over): the walk ends as soon as the budget is spent.
func withinLimits(v any, maxBytes int) limit {
	budget := maxBytes
	return measure(v, &budget, MaxDepth)
}

func measure(v any, budget *int, depth int) limit {
	switch v := v.(type) {
	case string:
		*budget -= len(v) + 2
	case json.Number:
		*budget -= len(v)
	case *big.Int:
		*budget -= v.BitLen() * 3 / 10
	case []any:
		*budget -= 2
		if depth == 0 {
			return limitDepth
		}
		for _, e := range v {
			*budget--
			if l := measure(e, budget, depth-1); l != limitNone {
				return l
			}
		}
	case map[string]any:
		*budget -= 2
		if depth == 0 {
			return limitDepth
		}
		for k, e := range v {
			*budget -= len(k) + 4
			if l := measure(e, budget, depth-1); l != limitNone {
				return l
			}
		}
	default:
		*budget--
	}
	if *budget < 0 {
		return limitSize
	}
	return limitNone
}
