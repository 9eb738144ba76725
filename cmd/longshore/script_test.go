package main

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"io"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gofrs/flock"
	"github.com/rogpeppe/go-internal/testscript"

	"longshore/internal/source/okta/emulator"
)

// Each script runs the program as processes of their own: an embedded S3 endpoint takes its whole process.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"longshore": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("LONGSHORE_DATA", filepath.Join(env.WorkDir, "data"))
			env.Setenv("LONGSHORE_S3_LISTEN", "127.0.0.1:0")
			env.Setenv("LONGSHORE_LISTEN", "127.0.0.1:0")
			env.Setenv("HOME", env.WorkDir)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"org": org, "hold": hold, "derived": derived, "newer": newer, "cutline": cutLine, "alterline": alterLine, "countlines": countLines,
		},
	})
}

// org starts a small stand-in org and points the settings at it: org [TOKEN]. The org's own token is "right".
func org(ts *testscript.TestScript, neg bool, args []string) {
	token := "right"
	if len(args) == 1 {
		token = args[0]
	}
	s := httptest.NewServer(emulator.New(emulator.Options{Users: 40, Days: 3, EventsPerDay: 30, Token: "right"}))
	ts.Defer(s.Close)
	ts.Setenv("OKTA_CLIENT_ORGURL", s.URL)
	ts.Setenv("OKTA_CLIENT_TOKEN", token)
}

// hold takes the lock of the data folder, as another process would, until the script ends.
func hold(ts *testscript.TestScript, _ bool, _ []string) {
	dir := ts.Getenv("LONGSHORE_DATA")
	ts.Check(os.MkdirAll(dir, 0o700))
	lock := flock.New(filepath.Join(dir, "lock"))
	got, err := lock.TryLock()
	ts.Check(err)
	if !got {
		ts.Fatalf("the folder is locked already")
	}
	ts.Check(os.WriteFile(filepath.Join(dir, "owner.pid"), []byte("4242\n"), 0o600))
	ts.Defer(func() { ts.Check(lock.Unlock()) })
}

// newer makes the database look as if a newer program had written it.
func newer(ts *testscript.TestScript, _ bool, _ []string) {
	db, err := sql.Open("sqlite", filepath.Join(ts.Getenv("LONGSHORE_DATA"), "longshore.db"))
	ts.Check(err)
	defer db.Close()
	_, err = db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
	ts.Check(err)
}

// cutLine takes the last line out of an object of the stream, on the disk: cutline STREAM.
func cutLine(ts *testscript.TestScript, _ bool, args []string) {
	rewrite(ts, args[0], func(lines []string) []string { return lines[:len(lines)-1] })
}

// alterLine changes one letter of an object of the stream, and leaves the number of lines: alterline STREAM.
func alterLine(ts *testscript.TestScript, _ bool, args []string) {
	rewrite(ts, args[0], func(lines []string) []string {
		lines[0] = strings.Replace(lines[0], "ACTIVE", "ACTIVF", 1)
		return lines
	})
}

func rewrite(ts *testscript.TestScript, stream string, edit func([]string) []string) {
	var object string
	ts.Check(filepath.WalkDir(filepath.Join(ts.Getenv("LONGSHORE_DATA"), "lake"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.Contains(filepath.ToSlash(path), "/okta/"+stream+"/") && strings.HasSuffix(path, ".jsonl.gz") {
			object = path
		}
		return err
	}))
	if object == "" {
		ts.Fatalf("the lake has no object of %s", stream)
	}
	packed, err := os.ReadFile(object)
	ts.Check(err)
	z, err := gzip.NewReader(bytes.NewReader(packed))
	ts.Check(err)
	text, err := io.ReadAll(z)
	ts.Check(err)
	lines := edit(strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"))
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err = io.WriteString(w, strings.Join(lines, "\n")+"\n")
	ts.Check(err)
	ts.Check(w.Close())
	// In place: what the endpoint noted beside the object stays.
	ts.Check(os.WriteFile(object, b.Bytes(), 0o600))
}

// countLines checks how many lines a file has: countlines FILE N.
func countLines(ts *testscript.TestScript, _ bool, args []string) {
	if n := strings.Count(ts.ReadFile(args[0]), "\n"); args[1] != strconv.Itoa(n) {
		ts.Fatalf("%s has %d lines, want %s", args[0], n, args[1])
	}
}
