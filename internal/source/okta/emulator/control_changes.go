package emulator

import "net/http"

// changeRoutes are the routes of Control that change the org's data.
func (o *Org) changeRoutes() map[string]http.HandlerFunc { return map[string]http.HandlerFunc{} }
