package catalog

import (
	"encoding/json"
	"slices"

	"longshore/internal/fault"
)

// Limits of the search for how two blueprints are connected.
const (
	maxChainSteps = 5
	maxChains     = 16
	maxTrails     = 10_000 // looked at in one search
)

// chains returns how entities of one blueprint are connected with those of another when nothing says it: by every chain
// of up to 5 relations that are all followed from holder to target, or all from target to holder, without a blueprint
// twice on the way. Where there is none, by the shortest that go either way. The shorter first, at most 16.
func (m *model) chains(from, to string) [][]step {
	out := m.trails(from, to, func(s step, trail []step) bool { return len(trail) == 0 || trail[0].back == s.back })
	if len(out) > 0 {
		return out
	}
	out = m.trails(from, to, func(step, []step) bool { return true })
	for i, chain := range out {
		if len(chain) > len(out[0]) {
			return out[:i]
		}
	}
	return out
}

// trails searches breadth first, so that short chains come first.
func (m *model) trails(from, to string, allowed func(s step, trail []step) bool) [][]step {
	var out [][]step
	queue := [][]step{nil}
	for looked := 0; len(queue) > 0 && looked < maxTrails && len(out) < maxChains; looked++ {
		trail := queue[0]
		queue = queue[1:]
		at := from
		if len(trail) > 0 {
			at = trail[len(trail)-1].to()
		}
		for _, s := range m.steps(at) {
			next := append(slices.Clone(trail), s)
			switch {
			case !allowed(s, trail):
			case s.to() == to:
				out = append(out, next)
			case s.to() == from || len(next) == maxChainSteps || slices.ContainsFunc(trail, func(t step) bool { return t.to() == s.to() }):
			default:
				queue = append(queue, next)
			}
		}
	}
	return out[:min(len(out), maxChains)]
}

// steps lists every step from a blueprint: along its relations, then back along those that point at it.
func (m *model) steps(at string) []step {
	var out []step
	for _, back := range []bool{false, true} {
		for _, id := range m.order {
			if !back && id != at {
				continue
			}
			for _, rel := range m.rules[id].Relations {
				if rel.InverseOf != "" || back && rel.Target != at || m.rules[rel.Target] == nil {
					continue
				}
				out = append(out, step{holder: id, relation: rel.Name, target: rel.Target, back: back, many: back || rel.Many})
			}
		}
	}
	return out
}

// path resolves a path of relations as clients write it: names, or {"relation","maxHops"} once for a relation of a
// blueprint to itself. It returns the steps and the blueprint that they lead to.
func (m *model) path(from string, raw []json.RawMessage) ([]step, string, error) {
	const maxHops = 15
	var out []step
	at, repeated := from, false
	for _, part := range raw {
		var w struct {
			Relation string `json:"relation"`
			MaxHops  int    `json:"maxHops"`
		}
		if json.Unmarshal(part, &w.Relation) != nil && json.Unmarshal(part, &w) != nil {
			return nil, at, fault.Errorf(fault.Invalid, "%s is no step of a path", excerpt(part))
		}
		r := m.rules[at]
		if r == nil {
			return nil, at, fault.Errorf(fault.Invalid, "there is no blueprint %q", at)
		}
		s, ok := r.step(w.Relation)
		if !ok {
			return nil, at, fault.Errorf(fault.Invalid, "%q is no relation of %q", w.Relation, at)
		}
		if w.MaxHops != 0 {
			if w.MaxHops < 1 || w.MaxHops > maxHops || repeated || s.to() != at {
				return nil, at, fault.Errorf(fault.Invalid, "maxHops of %q: want 1 to %d, once, on a relation of %q to itself", w.Relation, maxHops, at)
			}
			s.hops, repeated = w.MaxHops, true
		}
		out = append(out, s)
		at = s.to()
	}
	return out, at, nil
}

// reversed is the way back.
func (m *model) reversed(steps []step) []step {
	out := slices.Clone(steps)
	slices.Reverse(out)
	for i := range out {
		s := &out[i]
		s.back = !s.back
		s.many = true
		if !s.back {
			rel := m.rules[s.holder].relations[s.relation]
			s.many = rel == nil || rel.Many
		}
	}
	return out
}
