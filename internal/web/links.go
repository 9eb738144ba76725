package web

import (
	"fmt"
	"net/url"
	"path"
	"strings"
)

// entityURL returns an entity's page. Slashes of the identifier stay slashes; one that a path cannot carry unchanged
// (a doubled slash, a dot as a whole step) goes into the query.
func entityURL(blueprint, identifier string) string {
	base := "/entity/" + url.PathEscape(blueprint) + "/"
	if identifier == "" || path.Clean("/"+identifier) != "/"+identifier {
		return base + "?id=" + url.QueryEscape(identifier)
	}
	steps := strings.Split(identifier, "/")
	for i, s := range steps {
		steps[i] = url.PathEscape(s)
	}
	return base + strings.Join(steps, "/")
}

func recordURL(objectID, line int64) string { return fmt.Sprintf("/record/%d/%d", objectID, line) }

// tableURL returns a blueprint's table with the rules given: property, operator word, value, and so on.
func tableURL(blueprint string, rules ...string) string {
	q := url.Values{}
	for i := 0; i+2 < len(rules); i += 3 {
		q.Add("f", tableRule{Subject: rules[i], Op: rules[i+1], Value: rules[i+2]}.String())
	}
	return withQuery("/catalog/"+url.PathEscape(blueprint), q)
}

// pathWith returns the path with a query of names and values; empty and zero values are left out.
func pathWith(base string, pairs ...any) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if v := fmt.Sprint(pairs[i+1]); v != "" && v != "0" {
			q.Set(fmt.Sprint(pairs[i]), v)
		}
	}
	return withQuery(base, q)
}

func withQuery(base string, q url.Values) string {
	if len(q) == 0 {
		return base
	}
	return base + "?" + q.Encode()
}
