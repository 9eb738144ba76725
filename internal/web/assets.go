package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"

	"longshore/internal/fault"
)

//go:embed assets
var assetFiles embed.FS

// assets serves the embedded files under names that hold a hash of their content, so that browsers may keep them for
// ever: app.css is served as app.1f0c….css.
type assets struct {
	files map[string]assetFile // by served name
	names map[string]string    // file name → served name
}

type assetFile struct {
	body []byte
	kind string // Content-Type
}

// assetURL matches what a style sheet loads from beside itself.
var assetURL = regexp.MustCompile(`url\("([^"/:]+)"\)`)

func loadAssets() (*assets, error) {
	a := &assets{files: map[string]assetFile{}, names: map[string]string{}}
	var sheets []string
	err := fs.WalkDir(assetFiles, "assets", func(file string, d fs.DirEntry, err error) error {
		name := strings.TrimPrefix(file, "assets/")
		if err != nil || d.IsDir() || mimeOf(name) == "" {
			return err
		}
		if path.Ext(name) == ".css" { // a sheet's own hash depends on the names of what it loads
			sheets = append(sheets, name)
			return nil
		}
		return a.add(name, func(b []byte) []byte { return b })
	})
	if err != nil {
		return nil, fmt.Errorf("load assets: %w", err)
	}
	for _, name := range sheets {
		err := a.add(name, func(b []byte) []byte {
			return assetURL.ReplaceAllFunc(b, func(m []byte) []byte {
				return []byte(`url("` + a.names[string(assetURL.FindSubmatch(m)[1])] + `")`)
			})
		})
		if err != nil {
			return nil, fmt.Errorf("load assets: %w", err)
		}
	}
	return a, nil
}

func (a *assets) add(name string, change func([]byte) []byte) error {
	body, err := assetFiles.ReadFile("assets/" + name)
	if err != nil {
		return err
	}
	body = change(body)
	sum := sha256.Sum256(body)
	ext := path.Ext(name)
	served := strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:8]) + ext
	a.names[name], a.files[served] = served, assetFile{body, mimeOf(name)}
	return nil
}

// mimeOf returns the type that a file is served as, "" for one that is not: licences and check sums lie there too.
func mimeOf(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".woff2":
		return "font/woff2"
	}
	return ""
}

// url returns where a file is served.
func (a *assets) url(name string) (string, error) {
	served, ok := a.names[name]
	if !ok {
		return "", fault.Errorf(fault.Internal, "no asset is called %q", name)
	}
	return "/assets/" + served, nil
}

func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := a.files[r.PathValue("file")]
	if !ok {
		http.Error(w, "no such asset", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", f.kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
}
