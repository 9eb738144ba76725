package portapi

import (
	"net/http"
	"net/url"
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
	return nil, nil, fault.Errorf(fault.NotFound, "the route %s /%s is not served yet", r.Method, strings.Join(segments, "/")).
		WithCode("not_found", map[string]any{"resource": "Route"}).WithHint("docs/compat/port.md lists the routes that are")
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
