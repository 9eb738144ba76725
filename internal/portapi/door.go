package portapi

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"strings"

	"longshore/internal/access"
	"longshore/internal/auth"
	"longshore/internal/catalog"
)

// enter lets a caller who is known through a route: it checks what the route needs, says to those below who calls, and
// sees to it that a write leaves an entry in the audit log, whether it is done or refused.
func (a *API) enter(w http.ResponseWriter, r *request, route *route) error {
	digest := &digest{sha256.New()}
	digest.add(r.URL.EscapedPath() + "?" + r.URL.RawQuery + "\n")
	ctx := access.WithCall(auth.With(r.Context(), r.who), access.Call{Route: route.String(), Digest: digest.sum})
	if r.who.User != "" {
		ctx = catalog.WithAsker(ctx, catalog.Asker{User: r.who.User, Teams: a.Teams.TeamsIn})
	}
	r.Request = r.WithContext(ctx)
	if route.needs == needRead && r.Body != nil {
		r.Body = &digested{r.Body, digest}
	}
	if err := a.permits(r, route); err != nil {
		a.refused(r, route, err)
		return err
	}
	if !route.writes() {
		return route.handle(w, r)
	}
	return a.write(w, r, route)
}

// permits checks what the route needs, and that records are shown to those alone from whom nothing is kept.
func (a *API) permits(r *request, route *route) error {
	if err := route.demand(r.who); err != nil {
		return err
	}
	if route.needs == needRecords && a.Permissions != nil {
		return a.Permissions.SeesAll(r.Context())
	}
	return nil
}

// writes reports whether the route changes something.
func (t *route) writes() bool {
	return t.method != http.MethodGet && t.needs != anybody && t.needs != needRead && t.needs != needRecords
}

// String is the route as the table has it.
func (t *route) String() string { return t.method + " /" + strings.Join(t.segments, "/") }

// digest is a hash of what a call asks.
type digest struct{ hash hash.Hash }

func (d *digest) add(text string) { _, _ = io.WriteString(d.hash, text) } // never fails

func (d *digest) sum() string { return hex.EncodeToString(d.hash.Sum(nil)[:16]) }

// digested is a body that is hashed as it is read.
type digested struct {
	io.ReadCloser
	digest *digest
}

func (b *digested) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	_, _ = b.digest.hash.Write(p[:n]) // never fails
	return n, err
}
