package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"longshore/internal/fault"
	"longshore/internal/ingest"
	"longshore/internal/job"
	"longshore/internal/store"
)

func newDB() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "db",
		Short: "move the catalog between SQLite and PostgreSQL",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDBCopy())
	return cmd
}

func newDBCopy() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "copy FROM TO",
		Short: "copy a whole catalog into a new database, and check the copy",
		Long: `Copy takes everything of one database into a new, empty one: catalog, history, ledger, runs, webhooks, settings. Of the job queue
what is still to be done is queued anew. The copy is read back and compared, table by table. The lake and keys.json stay where
they are: secrets in the database open with the keys.json of the data folder it was made with.

FROM and TO are each a data folder, a SQLite file, env:NAME or file:PATH (a variable or file that holds a postgres:// URL), or such a
URL without a password. No Longshore may work on either meanwhile.`,
		Example: `  createdb longshore
  longshore db copy ./longshore-data env:LONGSHORE_DATABASE_URL   # then set that variable for longshore up --data ./longshore-data
  longshore db copy env:LONGSHORE_DATABASE_URL ./back             # and back; put keys.json beside it`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return runDBCopy(cmd, args[0], args[1], asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// end is one side of a copy: open, and its data folder locked where it has one.
type end struct {
	store  *store.Store
	folder *app // only its lock
}

func (e *end) Close() error {
	var errs []error
	if e.store != nil {
		errs = append(errs, e.store.Close())
	}
	if e.folder != nil {
		errs = append(errs, e.folder.Close())
	}
	return errors.Join(errs...)
}

func runDBCopy(cmd *cobra.Command, from, to string, asJSON bool) error {
	ctx := cmd.Context()
	source, err := openEnd(ctx, cmd, from, false)
	if err != nil {
		return fmt.Errorf("from %s: %w", asNamed(from), err)
	}
	defer source.Close()
	target, err := openEnd(ctx, cmd, to, true)
	if err != nil {
		return fmt.Errorf("to %s: %w", asNamed(to), err)
	}
	defer target.Close()
	say := newSayer(cmd, asJSON)
	told := time.Now()
	done, err := store.Copy(ctx, source.store, target.store, func(table string, rows int64) {
		if time.Since(told) > 5*time.Second {
			told = time.Now()
			say.f("%s: %d rows\n", table, rows)
		}
	})
	if err != nil {
		return err
	}
	queued, err := queueAgain(ctx, target.store)
	if err != nil {
		return fmt.Errorf("the copy is whole, but its work could not be queued: %w", err)
	}
	if asJSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]any{"tables": done, "queued": queued})
	}
	var rows, mended int64
	for _, c := range done {
		fmt.Fprintf(cmd.OutOrStdout(), "%-20s %12d  %.16s\n", c.Table, c.Rows, c.Digest)
		rows, mended = rows+c.Rows, mended+c.Mended
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%d rows copied and read back: all the same. %d jobs queued.\n", rows, queued)
	if mended > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "In %d texts U+FFFD stands for what PostgreSQL cannot hold (U+0000, or bytes that are no UTF-8).\n", mended)
	}
	return nil
}

// asNamed is an argument for messages: never a URL, whatever it holds.
func asNamed(arg string) string {
	if store.IsURL(arg) {
		return "the URL"
	}
	return fmt.Sprintf("%q", arg)
}

// openEnd opens what an argument names. The source must be there and up to date; a target folder is made.
func openEnd(ctx context.Context, cmd *cobra.Command, arg string, isTarget bool) (_ *end, err error) {
	where, err := whereIs(arg)
	if err != nil {
		return nil, &usageError{err}
	}
	e := &end{}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Close())
		}
	}()
	if !store.IsURL(where) {
		if !isTarget {
			if _, err := os.Stat(where); errors.Is(err, fs.ErrNotExist) {
				return nil, fault.Errorf(fault.NotFound, "there is no database %s", where).WithHint("name a data folder, its longshore.db, or env:VARIABLE with a postgres:// URL")
			}
		}
		e.folder = newApp(config{data: filepath.Dir(where)}, newLog(cmd.ErrOrStderr()))
		if err := e.folder.takeFolder(); err != nil {
			return nil, err
		}
	}
	if !isTarget {
		e.store, err = store.Attach(ctx, where)
	} else {
		e.store, err = store.OpenBare(ctx, where)
	}
	var older *fault.Error
	if errors.As(err, &older) && older.Code == store.OlderSchema { // nobody else works on it: it may be brought up to date
		e.store, err = store.Open(ctx, where)
	}
	if err != nil {
		return nil, err
	}
	if e.store.Listener() != nil {
		alone, err := job.Alone(ctx, e.store.Writer())
		if err != nil {
			return nil, e.store.Explain(err)
		}
		if !alone {
			return nil, fault.Errorf(fault.Conflict, "another longshore works on it").WithHint("stop it first: what it writes meanwhile would be in one of the databases alone")
		}
	}
	return e, nil
}

// whereIs reads an argument: what store.Open takes.
func whereIs(arg string) (string, error) {
	if name, ok := strings.CutPrefix(arg, "env:"); ok {
		return hidden(os.Getenv(name), "the variable "+name)
	}
	if path, ok := strings.CutPrefix(arg, "file:"); ok {
		text, err := os.ReadFile(path)
		if err != nil {
			return "", fault.Errorf(fault.NotFound, "read the database URL: %w", err)
		}
		return hidden(strings.TrimSpace(string(text)), path)
	}
	if store.IsURL(arg) {
		u, err := url.Parse(arg)
		if err != nil {
			return "", fault.Errorf(fault.Invalid, "the database URL cannot be read").WithHint("write postgres://USER@HOST:PORT/DATABASE")
		}
		if _, has := u.User.Password(); has || u.Query().Has("password") {
			return "", fault.Errorf(fault.Denied, "a password among the arguments can be read in the process list").
				WithHint("put the URL into a variable and write env:NAME, or into a file and write file:PATH")
		}
		return arg, nil
	}
	path, err := filepath.Abs(arg)
	if err != nil {
		return "", fault.Errorf(fault.Invalid, "path %q: %w", arg, err)
	}
	if strings.HasSuffix(path, ".db") {
		return path, nil
	}
	return databasePath(path), nil
}

// hidden is a URL that was read from somewhere.
func hidden(text, from string) (string, error) {
	if !store.IsURL(text) {
		return "", fault.Errorf(fault.Invalid, "%s holds no postgres:// URL", from)
	}
	return text, nil
}

// queueAgain queues what the copied database has still to do: objects to take, and runs under way.
func queueAgain(ctx context.Context, s *store.Store) (int, error) {
	a := &app{store: s}
	if err := a.openQueue(ctx); err != nil {
		return 0, err
	}
	a.openNouns()
	n, err := a.objects.Again(ctx, ingest.ObjectFilter{States: []ingest.State{ingest.Queued, ingest.Reading}})
	if err != nil {
		return n, err
	}
	runs, err := a.syncs.Requeue(ctx) // a feed's job is made when up begins
	return n + runs, err
}
