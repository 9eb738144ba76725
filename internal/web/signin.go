package web

import "net/http"

// signIn is the page of a browser that is not signed in.
type signIn struct {
	Wrong bool // the credential that it sent was refused
	Role  bool // it is not an admin's
}

// guard lets signed-in browsers through and shows the others how to sign in. Assets are for everybody.
func (s *site) guard(next http.Handler) http.Handler {
	if s.SignedIn == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if public(r) || s.SignedIn(r) {
			next.ServeHTTP(w, r)
			return
		}
		s.handle(func(w http.ResponseWriter, r *http.Request) error {
			return s.render(w, r, "signin", page{
				Title: "Sign in", Status: http.StatusUnauthorized, Bare: true,
				Data: signIn{Wrong: r.URL.Query().Get("signin") == "wrong", Role: r.URL.Query().Get("signin") == "role"},
			})
		}).ServeHTTP(w, r)
	})
}

func public(r *http.Request) bool {
	return r.Method == http.MethodGet && len(r.URL.Path) > len("/assets/") && r.URL.Path[:len("/assets/")] == "/assets/"
}
