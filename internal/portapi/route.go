package portapi

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"longshore/internal/auth"
	"longshore/internal/fault"
)

// request is a request with what the route made of it.
type request struct {
	*http.Request
	names map[string]string // the named segments, unescaped
	who   auth.Principal
}

type handler func(w http.ResponseWriter, r *request) error

// route is a method and a path, whose segments are literal or {names}.
type route struct {
	method   string
	segments []string
	needs    right
	handle   handler
}

type router struct{ list []route }

func (t *router) add(pattern string, h handler, options ...option) {
	method, path, _ := strings.Cut(pattern, " ")
	r := route{method: method, segments: strings.Split(path[1:], "/"), handle: h}
	for _, o := range options {
		o.set(&r)
	}
	t.list = append(t.list, r)
}

func (t *router) open(pattern string, h handler) { t.add(pattern, h, anybody) }

// find returns the route of a request and its named segments. The path is split as it was escaped, then each segment is
// unescaped; one slash at the end is passed over, since no identifier is empty.
func (t *router) find(r *http.Request) (*route, map[string]string, error) {
	path := strings.TrimSuffix(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	segments := strings.Split(path, "/")
	for i, s := range segments {
		plain, err := url.PathUnescape(s)
		if err != nil {
			return nil, nil, fault.Errorf(fault.Invalid, "the path segment %q is not percent-encoded text", s).WithCode("invalid_request", nil)
		}
		segments[i] = plain
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var others []string
	for i := range t.list {
		names, ok := t.list[i].fits(segments)
		if ok && t.list[i].method == method {
			return &t.list[i], names, nil
		}
		if ok {
			others = append(others, t.list[i].method)
		}
	}
	if len(others) > 0 {
		return nil, nil, &statusError{
			status: http.StatusMethodNotAllowed, code: "method_not_allowed", allow: strings.Join(others, ", "),
			message: "this path does not take " + r.Method + ", only " + strings.Join(others, ", "),
		}
	}
	err := fault.Errorf(fault.NotFound, "there is no route %s /%s", r.Method, strings.Join(segments, "/")).WithCode("not_found", map[string]any{"resource": "Route"})
	if near := t.nearest(segments); near != "" {
		return nil, nil, err.WithHint("is %s meant? GET /v1/openapi.json lists all routes", near)
	}
	return nil, nil, err.WithHint("GET /v1/openapi.json lists all routes")
}

// nearest is the path of ours that a mistyped one most likely means, or "".
func (t *router) nearest(segments []string) string {
	for k, mistyped := range segments {
		var meant []string
		for i := range t.list {
			like := slices.Clone(segments)
			if k >= len(t.list[i].segments) || t.list[i].segments[k][0] == '{' {
				continue
			}
			like[k] = t.list[i].segments[k]
			if _, ok := t.list[i].fits(like); ok {
				meant = append(meant, like[k])
			}
		}
		if near := fault.Misspelt(mistyped, meant); near != "" {
			like := slices.Clone(segments)
			like[k] = near
			return "/" + strings.Join(like, "/")
		}
	}
	return ""
}

func (t *route) fits(segments []string) (map[string]string, bool) {
	if len(segments) != len(t.segments) {
		return nil, false
	}
	var names map[string]string
	for i, want := range t.segments {
		if want[0] != '{' {
			if segments[i] != want {
				return nil, false
			}
			continue
		}
		if segments[i] == "" {
			return nil, false
		}
		if names == nil {
			names = map[string]string{}
		}
		names[want[1:len(want)-1]] = segments[i]
	}
	return names, true
}
