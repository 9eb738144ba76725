package okta

import (
	"net/url"
	"strconv"
	"strings"

	"longshore/internal/fault"
)

const (
	// maxLinkBytes bounds a link that is followed. Okta's longest, a sorted search's cursor, stay under 1 kB.
	maxLinkBytes = 4096
	// apiPrefix begins every path that a link may lead to, but for clientsPrefix.
	apiPrefix = "/api/v1/"
	// clientsPrefix begins the paths of what Okta keeps of OAuth clients, which is outside of the rest of the API.
	clientsPrefix = "/oauth2/v1/clients/"
	// minLimit is the smallest page that a failing listing is shrunk to.
	minLimit = 25
)

// linkTarget returns the target of the first link with the relation. Each value is a Link header line, or several
// joined by commas as proxies do; targets hold commas and semicolons too, so they are cut out first.
func linkTarget(values []string, rel string) (string, bool) {
	for _, value := range values {
		for {
			open := strings.IndexByte(value, '<')
			if open < 0 {
				break
			}
			length := strings.IndexByte(value[open:], '>')
			if length < 0 {
				break
			}
			target := value[open+1 : open+length]
			params, rest := cutParams(value[open+length+1:])
			if hasRel(params, rel) {
				return target, true
			}
			value = rest
		}
	}
	return "", false
}

// cutParams cuts at the comma that ends a link's parameters; one inside quotes does not.
func cutParams(text string) (params, rest string) {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			if quoted {
				i++
			}
		case '"':
			quoted = !quoted
		case ',':
			if !quoted {
				return text[:i], text[i+1:]
			}
		}
	}
	return text, ""
}

func hasRel(params, rel string) bool {
	for param := range strings.SplitSeq(params, ";") {
		name, value, ok := strings.Cut(param, "=")
		if !ok || !strings.EqualFold(strings.TrimSpace(name), "rel") {
			continue
		}
		for _, r := range strings.Fields(strings.Trim(strings.TrimSpace(value), `"`)) {
			if strings.EqualFold(r, rel) {
				return true
			}
		}
	}
	return false
}

// splitLink parses a link into its host ("" when relative) and the path and query to ask the configured host for.
func splitLink(link string) (host, path string, err error) {
	if len(link) > maxLinkBytes {
		return "", "", fault.Errorf(fault.Invalid, "a link of %d bytes is longer than %d", len(link), maxLinkBytes)
	}
	u, err := url.Parse(link)
	if err != nil || u.Opaque != "" || u.User != nil || !strings.HasPrefix(u.Path, apiPrefix) && !strings.HasPrefix(u.Path, clientsPrefix) || strings.Contains(u.Path, "/../") {
		return "", "", fault.Errorf(fault.Invalid, "link %q leads to no page of the API", shown(link))
	}
	path = u.EscapedPath()
	if u.RawQuery != "" {
		path += "?" + u.RawQuery
	}
	host = strings.ToLower(u.Host)
	if usual := map[string]string{"https": ":443", "http": ":80"}[u.Scheme]; usual != "" {
		host = strings.TrimSuffix(host, usual)
	}
	return host, path, nil
}

// cursorKey is what two requests for the same page have in common, in whatever order and with whatever limit.
func cursorKey(path string) string {
	path, query, _ := strings.Cut(path, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return path + "?" + query
	}
	values.Del("limit")
	return path + "?" + values.Encode()
}

// hasCursor reports whether a request asks for what lies behind a cursor.
func hasCursor(path string) bool {
	_, query, _ := strings.Cut(path, "?")
	for pair := range strings.SplitSeq(query, "&") {
		if strings.HasPrefix(pair, "after=") {
			return true
		}
	}
	return false
}

// limitOf returns the limit that a request asks for, 0 for none.
func limitOf(path string) int {
	_, query, _ := strings.Cut(path, "?")
	for pair := range strings.SplitSeq(query, "&") {
		if text, ok := strings.CutPrefix(pair, "limit="); ok {
			n, err := strconv.Atoi(text)
			if err == nil && n > 0 {
				return n
			}
		}
	}
	return 0
}

// withLimit returns the request with another limit; the rest of its query stays as it stands.
func withLimit(path string, limit int) string {
	before, query, _ := strings.Cut(path, "?")
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		if strings.HasPrefix(pair, "limit=") {
			pairs[i] = "limit=" + strconv.Itoa(limit)
		}
	}
	return before + "?" + strings.Join(pairs, "&")
}

// loopGuard notices that a chain of cursors comes round again, in constant memory: it holds one cursor and moves on
// to the newest after 1, 2, 4, … steps (Brent's cycle detection), so a loop of n pages is seen within 3n of its start.
type loopGuard struct {
	anchor       string
	steps, power int
}

// repeats reports whether the cursor was met before, as far as the guard can see.
func (g *loopGuard) repeats(cursor string) bool {
	if g.power > 0 && cursor == g.anchor {
		return true
	}
	if g.steps == g.power {
		g.anchor, g.steps, g.power = cursor, 0, max(1, 2*g.power)
	}
	g.steps++
	return false
}
