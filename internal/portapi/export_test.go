package portapi

import "strings"

// RouteNeeds is a route and what it needs, for tests.
type RouteNeeds struct {
	Method, Path, Needs string
	Declared, Open      bool
}

// Routes lists the routes.
func (a *API) Routes() []RouteNeeds {
	var all []RouteNeeds
	for _, r := range a.routes.list {
		all = append(all, RouteNeeds{r.method, "/" + strings.Join(r.segments, "/"), r.needs.String(), r.needs != undeclared, r.needs == anybody})
	}
	return all
}
