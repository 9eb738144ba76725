package web

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"reflect"
	"strings"

	"longshore/internal/ingest"
	"longshore/internal/pipeline"
)

//go:embed templates/*.html
var templateFiles embed.FS

// parsePages makes one template set a page: the shared pieces (files whose name begins with an underscore) and the
// page's own file, which defines "main".
func (s *site) parsePages() (map[string]*template.Template, error) {
	funcs := s.funcs()
	shared, err := template.New("").Funcs(funcs).ParseFS(templateFiles, "templates/_*.html")
	if err != nil {
		return nil, fmt.Errorf("parse templates: %w", err)
	}
	names, err := fs.Glob(templateFiles, "templates/[a-z]*.html")
	if err != nil {
		return nil, err
	}
	pages := map[string]*template.Template{}
	for _, file := range names {
		set, err := shared.Clone()
		if err == nil {
			set, err = set.ParseFS(templateFiles, file)
		}
		if err != nil {
			return nil, fmt.Errorf("parse templates: %w", err)
		}
		pages[strings.TrimSuffix(path.Base(file), ".html")] = set
	}
	return pages, nil
}

func (s *site) funcs() template.FuncMap {
	return template.FuncMap{
		"asset":     s.assets.url,
		"n":         grouped,
		"bytes":     humanBytes,
		"when":      func(t any) (moment, error) { return momentOf(t, s.Now()) },
		"host":      func(url string) string { return strings.TrimPrefix(strings.TrimPrefix(url, "https://"), "http://") },
		"plural":    plural,
		"runWord":   runWord,
		"entityURL": entityURL,
		"tableURL":  tableURL,
		"recordURL": recordURL,
		"code":      explain,
		"tone":      toneOf,
		"flag":      flagSentence,
		"shortKey":  shortKey,
		"f":         trimmedFloat,
		"json":      highlight,
		"short":     func(n int, text string) string { return shorten(text, n) },
		"add":       func(a, b int) int { return a + b },
		"sum":       func(a, b float64) float64 { return a + b },
		"sub":       func(a, b float64) float64 { return a - b },
		"len64":     func(list any) int64 { return int64(reflect.ValueOf(list).Len()) },
		"verdictsURL": func(pairs ...any) string {
			return pathWith("/verdicts", pairs...)
		},
		"objectsURL": func(pairs ...any) string {
			return pathWith("/objects", pairs...)
		},
		"homeURL": func(pairs ...any) string {
			return pathWith("/", pairs...)
		},
	}
}

// toneOf is the tone of a sync's, a stream's or an object's status.
func toneOf(v any) string {
	switch t := v.(type) {
	case pipeline.Status:
		return runTone(t)
	case ingest.State:
		return objectTone(t)
	}
	return toneGrey
}
