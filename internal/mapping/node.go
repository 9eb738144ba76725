package mapping

import (
	"context"

	"longshore/internal/jq"
	"longshore/internal/verdict"
)

// evaluate returns the JSON text of the node's value, or nil when its expression gave nothing. In an object or list
// every leaf is evaluated; one that gives nothing is left out, and one that fails makes the whole fail.
func (r *Runner) evaluate(ctx context.Context, n *node) (value []byte, failure *verdict.Detail, err error) {
	switch {
	case n.expression != nil:
		return r.run(ctx, n.expression)
	case n.literal != nil:
		return n.literal, nil, nil
	}
	open, end := byte('{'), byte('}')
	if n.isList {
		open, end = '[', ']'
	}
	out := []byte{open}
	for _, m := range n.members {
		value, failure, err := r.evaluate(ctx, m.value)
		if failure != nil || err != nil {
			return nil, failure, err
		}
		if value == nil {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		if !n.isList {
			out = append(append(out, m.key...), ':')
		}
		out = append(out, value...)
	}
	return append(out, end), nil, nil
}

// shown is what a verdict shows of the node's jq text.
func (n *node) shown() string { return jq.Shorten(n.text(), maxShownBytes) }

// text returns the node's jq text, or "" for an object, list or constant.
func (n *node) text() string {
	if n == nil || n.expression == nil {
		return ""
	}
	return n.expression.text
}

// subject returns the path that the node's expression looks at first, and what is there.
func (n *node) subject(in *jq.Input) (path string, value []byte) {
	if n.expression == nil || n.expression.program == nil {
		return "", nil
	}
	return n.expression.program.Subject(in)
}
