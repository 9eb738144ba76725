package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"longshore/internal/catalog"
	"longshore/internal/store"
	"longshore/internal/store/storetest/pgserver"
)

func longshore(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &out, &errs)
	return out.String(), errs.String(), code
}

func TestDBCopyMovesACatalog(t *testing.T) {
	dir, back := folder(t), filepath.Join(t.TempDir(), "back")
	s, err := store.Open(t.Context(), databasePath(dir))
	if err != nil {
		t.Fatal(err)
	}
	c := catalog.New(s.Catalog(), time.Now)
	if _, err := c.CreateBlueprint(t.Context(), json.RawMessage(`{"identifier":"item","title":"Item","schema":{"properties":{}}}`), catalog.Writer{Actor: "t"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "url")
	url := pgserver.Database(t, nil)
	if err := os.WriteFile(file, []byte(url+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TARGET_DATABASE", url)
	if out, errs, code := longshore(t, "db", "copy", dir, "env:TARGET_DATABASE"); code != exitOK || !strings.Contains(out, "all the same") {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	if _, errs, code := longshore(t, "db", "copy", dir, "file:"+file); code != exitFailed || !strings.Contains(errs, "is not empty") {
		t.Errorf("copying over a catalog: exit %d, %s", code, errs)
	}
	if out, errs, code := longshore(t, "db", "copy", "file:"+file, back); code != exitOK {
		t.Fatalf("back: exit %d: %s%s", code, out, errs)
	}
	if s, err = store.Open(t.Context(), databasePath(back)); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := catalog.New(s.Catalog(), time.Now).Blueprint(t.Context(), "item"); err != nil {
		t.Errorf("what came back lacks the blueprint: %v", err)
	}
}

func TestDBCopyRefuses(t *testing.T) {
	dir, held := folder(t), folder(t)
	lock := flock.New(filepath.Join(held, "lock"))
	if got, err := lock.TryLock(); err != nil || !got {
		t.Fatal(got, err)
	}
	defer lock.Unlock()
	t.Setenv("NO_URL", "geheim")
	for _, c := range []struct {
		from, to, want string
		code           int
	}{
		{"postgres://u:geheim@h/db", dir, "process list", exitUsage},
		{dir, "postgres://u@h/db?password=geheim", "process list", exitUsage},
		{dir, "env:NO_URL", "holds no postgres:// URL", exitUsage},
		{held, filepath.Join(dir, "new.db"), "in use by another longshore", exitFailed},
		{filepath.Join(dir, "absent"), filepath.Join(dir, "new.db"), "there is no database", exitFailed},
	} {
		_, errs, code := longshore(t, "db", "copy", c.from, c.to)
		if code != c.code || !strings.Contains(errs, c.want) || strings.Contains(errs, "geheim") {
			t.Errorf("db copy %s %s: exit %d, %q; want exit %d and %q, without the password", c.from, c.to, code, errs, c.code, c.want)
		}
	}
}
