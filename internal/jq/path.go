package jq

import (
	"encoding/json"
	"strings"

	"github.com/itchyny/gojq"
)

// leadingPath returns the object keys that the expression begins with: ["body" "id"] of .body.id | startswith("cr").
// plain says that the expression is no more than this path.
func leadingPath(q *gojq.Query) (keys []string, plain, ok bool) {
	if len(q.FuncDefs) > 0 || q.Meta != nil || len(q.Imports) > 0 {
		return nil, false, false
	}
	if q.Term == nil {
		if q.Left == nil {
			return nil, false, false
		}
		keys, _, ok = leadingPath(q.Left)
		return keys, false, ok
	}
	switch t := q.Term; t.Type {
	case gojq.TermTypeQuery:
		keys, plain, ok = leadingPath(t.Query)
		if !plain {
			return keys, false, ok
		}
		return suffixKeys(keys, t.SuffixList)
	case gojq.TermTypeIdentity:
		return suffixKeys(nil, t.SuffixList)
	case gojq.TermTypeIndex:
		key, isKey := indexKey(t.Index)
		if !isKey {
			return nil, false, true
		}
		return suffixKeys([]string{key}, t.SuffixList)
	}
	return nil, false, false
}

func suffixKeys(keys []string, suffixes []*gojq.Suffix) (all []string, plain, ok bool) {
	for _, s := range suffixes {
		key, isKey := "", false
		if s.Index != nil {
			key, isKey = indexKey(s.Index)
		}
		if !isKey {
			return keys, false, true
		}
		keys = append(keys[:len(keys):len(keys)], key)
	}
	return keys, true, true
}

// indexKey returns the key of .name, ."name" and .["name"].
func indexKey(i *gojq.Index) (string, bool) {
	switch {
	case i.Name != "":
		return i.Name, true
	case i.Str != nil:
		return i.Str.Str, i.Str.Queries == nil
	case i.IsSlice || i.Start == nil:
		return "", false
	}
	t := i.Start.Term
	if t == nil || t.Type != gojq.TermTypeString || len(t.SuffixList) > 0 || t.Str.Queries != nil || len(i.Start.FuncDefs) > 0 {
		return "", false
	}
	return t.Str.Str, true
}

// pathText writes keys as jq does: .body."first name".
func pathText(keys []string) string {
	var b strings.Builder
	for _, key := range keys {
		b.WriteByte('.')
		if isName(key) {
			b.WriteString(key)
			continue
		}
		quoted, _ := json.Marshal(key) // a string always encodes
		b.Write(quoted)
	}
	return b.String()
}

func isName(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}
