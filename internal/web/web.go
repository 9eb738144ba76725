package web

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"longshore/internal/fault"
)

// Config is what the screens are made from.
type Config struct {
	Catalog Catalog
	Ledger  Ledger
	Syncs   Syncs
	Bucket  Bucket
	Search  Search // nil: a pasted id is looked up in the catalog alone, and the page says so

	// SignedIn says whether the request is of a browser that is signed in. nil: every request is.
	SignedIn func(*http.Request) bool

	// StartSync begins a run of the connection, or joins the one under way. nil: pages have no button for it.
	StartSync func(ctx context.Context, connection string) error

	Version string
	OrgURL  string           // the org that is read, for people
	Now     func() time.Time // nil means time.Now
	Log     *slog.Logger     // nil means slog.Default()
}

// site serves the screens.
type site struct {
	Config
	pages  map[string]*template.Template
	assets *assets
}

// contentPolicy lets a page load what this server serves and nothing else, and run nothing that stands in the page.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// New returns the handler of all screens and their assets.
func New(c Config) (http.Handler, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	s := &site{Config: c}
	var err error
	if s.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if s.pages, err = s.parsePages(); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", s.handle(s.home))
	mux.Handle("GET /catalog", s.handle(s.catalogList))
	mux.Handle("GET /catalog/{blueprint}", s.handle(s.table))
	mux.Handle("GET /catalog/{blueprint}/export", s.handle(s.export))
	mux.Handle("GET /entity/{blueprint}/{identifier...}", s.handle(s.entity))
	mux.Handle("GET /verdicts", s.handle(s.verdicts))
	mux.Handle("GET /record/{object}/{line}", s.handle(s.record))
	mux.Handle("GET /objects", s.handle(s.objects))
	mux.Handle("GET /pending", s.handle(s.pending))
	mux.Handle("GET /why", s.handle(s.why))
	mux.Handle("POST /sync", s.handle(s.startSync))
	mux.Handle("POST /theme", s.handle(s.setTheme))
	mux.Handle("GET /assets/{file...}", s.assets)
	mux.Handle("/", s.handle(func(http.ResponseWriter, *http.Request) error {
		return fault.Errorf(fault.NotFound, "there is no such page").WithHint("the address may be mistyped, or cut short")
	}))
	return secured(http.NewCrossOriginProtection().Handler(s.guard(mux))), nil
}

func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// handle turns an error into a page that says what is wrong and what to do.
func (s *site) handle(fn func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := fn(w, r)
		if err == nil || r.Context().Err() != nil {
			return
		}
		if err := s.fail(w, r, err); err != nil {
			s.Log.Error("page of an error cannot be shown", "path", r.URL.Path, "err", err)
			http.Error(w, "internal error", http.StatusInternalServerError)
		}
	})
}

type failure struct {
	Status  int
	Heading string
	Message string
	Hint    string
}

func (s *site) fail(w http.ResponseWriter, r *http.Request, err error) error {
	f := failure{Message: err.Error(), Hint: fault.HintOf(err)}
	switch fault.KindOf(err) {
	case fault.NotFound:
		f.Status, f.Heading = http.StatusNotFound, "Not here"
	case fault.Invalid:
		f.Status, f.Heading = http.StatusBadRequest, "That cannot be read"
	case fault.Denied:
		f.Status, f.Heading = http.StatusForbidden, "Not allowed"
	case fault.Conflict:
		f.Status, f.Heading = http.StatusConflict, "Already so"
	case fault.Unavailable:
		f.Status, f.Heading = http.StatusServiceUnavailable, "Does not answer"
	default:
		s.Log.Error("page failed", "path", r.URL.Path, "err", err)
		f = failure{http.StatusInternalServerError, "Something broke here", "internal error", "the server's log says what"}
	}
	return s.render(w, r, "error", page{Title: f.Heading, Status: f.Status, Data: f})
}

// page is what every template gets.
type page struct {
	Title  string
	Nav    string // the entry of the menu that is lit
	Status int    // 0 means 200
	Bare   bool   // without menu and org: the reader is not signed in
	Live   bool   // the page changes by itself: it is renewed every second
	Data   any

	Theme   string // light, dark or "" for the system's
	Here    string // this page's own path and query
	Version string
	OrgURL  string
	CanSync bool
}

// render shows a page; a request for its fragment gets the part that changes alone.
func (s *site) render(w http.ResponseWriter, r *http.Request, name string, p page) error {
	t := s.pages[name]
	if t == nil {
		return fmt.Errorf("no page is called %q", name)
	}
	if c, err := r.Cookie("theme"); err == nil && (c.Value == "light" || c.Value == "dark") {
		p.Theme = c.Value
	}
	p.Here, p.Version, p.OrgURL, p.CanSync = r.URL.RequestURI(), s.Version, s.OrgURL, s.StartSync != nil
	block := "layout"
	if r.Header.Get("X-Fragment") != "" {
		block = "main"
	}
	var out bytes.Buffer
	if err := t.ExecuteTemplate(&out, block, p); err != nil {
		return fmt.Errorf("make page %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Vary", "Cookie, X-Fragment")
	if p.Live {
		h.Set("X-Live", "1")
	}
	if p.Status != 0 {
		w.WriteHeader(p.Status)
	}
	_, _ = out.WriteTo(w) // the reader may be gone: that is no trouble of ours
	return nil
}

// setTheme remembers the choice for a year and goes back to where it was made.
func (s *site) setTheme(w http.ResponseWriter, r *http.Request) error {
	theme := r.FormValue("theme")
	c := http.Cookie{Name: "theme", Value: theme, Path: "/", MaxAge: 365 * 24 * 3600, SameSite: http.SameSiteLaxMode}
	switch theme {
	case "light", "dark":
	case "":
		c.MaxAge = -1
	default:
		return fault.Errorf(fault.Invalid, "theme %q: want light, dark or nothing", theme)
	}
	http.SetCookie(w, &c)
	http.Redirect(w, r, localPath(r.FormValue("back")), http.StatusSeeOther)
	return nil
}

// localPath returns the path when it leads to this server, else the home page.
func localPath(path string) string {
	if len(path) == 0 || path[0] != '/' || len(path) > 1 && (path[1] == '/' || path[1] == '\\') {
		return "/"
	}
	return path
}

func (s *site) startSync(w http.ResponseWriter, r *http.Request) error {
	if s.StartSync == nil {
		return fault.Errorf(fault.Denied, "this server starts no syncs").WithHint("run: longshore sync")
	}
	if err := s.StartSync(r.Context(), r.FormValue("connection")); err != nil {
		return fmt.Errorf("start a sync: %w", err)
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}
