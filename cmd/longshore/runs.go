package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/user"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"longshore/internal/fault"
	"longshore/internal/pipeline"
)

func newRuns() *cobra.Command {
	var name string
	var limit int
	var asJSON, log bool
	cmd := &cobra.Command{
		Use:   "runs [ID]",
		Short: "the timeline of syncs: what ran, who began it, how it went",
		Long: `Runs lists the syncs of all connections, the newest first, and when each connection runs next. With the number of a run it tells that run
whole: attempts, streams, and with --log the lines of its log. Runs are kept for ever.`,
		Example: `  longshore runs --connection okta --limit 50
  longshore runs 12 --log
  longshore runs cancel 12`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withRuns(cmd, func(a *app) error {
				if len(args) == 0 {
					return a.listRuns(cmd.Context(), cmd.OutOrStdout(), name, limit, asJSON)
				}
				id, err := strconv.ParseInt(args[0], 10, 64)
				if err != nil {
					return &usageError{fmt.Errorf("%q is no number of a run", args[0])}
				}
				return a.tellOneRun(cmd.Context(), cmd.OutOrStdout(), id, log, asJSON)
			})
		},
	}
	cmd.Flags().StringVar(&name, "connection", "", "only those of the connection of that name or id")
	cmd.Flags().IntVar(&limit, "limit", 20, "how many, at most")
	cmd.Flags().BoolVar(&log, "log", false, "with a number: the lines of the run's log too")
	cmd.PersistentFlags().BoolVar(&asJSON, "json", false, "print JSON, a line each")
	cmd.AddCommand(newRunsCancel())
	return cmd
}

func newRunsCancel() *cobra.Command {
	return &cobra.Command{
		Use:     "cancel ID",
		Short:   "end a run that is under way",
		Long:    "Cancel ends a run. What it has brought into the lake stays; the connection's next run is as its schedule says.",
		Example: "  longshore runs cancel 12",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return &usageError{fmt.Errorf("%q is no number of a run", args[0])}
			}
			return withRuns(cmd, func(a *app) error {
				if err := a.openQueue(cmd.Context()); err != nil {
					return err
				}
				a.syncs.RunBy(a.queue)
				if err := a.syncs.Cancel(cmd.Context(), id, localUser()); err != nil {
					return err
				}
				run, err := a.syncs.Run(cmd.Context(), id)
				if err == nil {
					fmt.Fprintf(cmd.OutOrStdout(), "Sync %d: %s\n", id, cancelWords(run))
				}
				return err
			})
		},
	}
}

func cancelWords(run pipeline.Run) string {
	if run.Status == pipeline.Running {
		return "asked to end; its worker ends it"
	}
	return string(run.Status)
}

// localUser is who sits at this machine.
func localUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "the command line"
}

// withRuns gives fn the database alone, beside the process that works on it if there is one.
func withRuns(cmd *cobra.Command, fn func(a *app) error) error {
	return withDatabase(cmd, func(a *app) error {
		a.openNouns()
		return fn(a)
	})
}

// runLine is a run as --json prints it.
type runLine struct {
	ID           int64           `json:"id"`
	Connection   string          `json:"connection"`
	ConnectionID string          `json:"connectionId"`
	Type         string          `json:"type"`
	Status       pipeline.Status `json:"status"`
	JobStatus    string          `json:"jobStatus"`
	Cause        string          `json:"cause"`
	Actor        string          `json:"actor,omitempty"`
	CancelledBy  string          `json:"cancelledBy,omitempty"`
	StartedAt    string          `json:"startedAt"`
	FinishedAt   string          `json:"finishedAt,omitempty"`
	Rows         int64           `json:"rows"`
	Bytes        int64           `json:"bytes"`
	Error        string          `json:"error,omitempty"`
	Calls        json.RawMessage `json:"calls,omitempty"` // of the source: made, throttled, waited
	Streams      []streamLine    `json:"streams,omitempty"`
	Attempts     []attemptLine   `json:"attempts,omitempty"`
	Log          []logLine       `json:"log,omitempty"`
}

type streamLine struct {
	Stream     string          `json:"stream"`
	Mode       string          `json:"mode"`
	Generation int64           `json:"generation"`
	Minimum    int64           `json:"minimumGeneration"`
	Status     pipeline.Status `json:"status"`
	Pages      int64           `json:"pages"`
	Rows       int64           `json:"rows"`
	Bytes      int64           `json:"bytes"`
	Error      string          `json:"error,omitempty"`
	StartedAt  string          `json:"startedAt,omitempty"`
	FinishedAt string          `json:"finishedAt,omitempty"`
}

type attemptLine struct {
	Number     int             `json:"number"`
	Status     pipeline.Status `json:"status"`
	StartedAt  string          `json:"startedAt"`
	FinishedAt string          `json:"finishedAt,omitempty"`
	Rows       int64           `json:"rows"`
	Bytes      int64           `json:"bytes"`
	Error      string          `json:"error,omitempty"`
}

type logLine struct {
	At     string `json:"at"`
	Level  string `json:"level"`
	Stream string `json:"stream,omitempty"`
	Text   string `json:"text"`
}

func lineOf(run pipeline.Run) runLine {
	rows, bytes := run.Rows()
	l := runLine{
		ID: run.ID, Connection: run.Connection.Name, ConnectionID: run.Connection.UUID, Type: run.Type, Status: run.Status, JobStatus: run.JobStatus(),
		Cause: run.Cause, Actor: run.Actor, CancelledBy: run.CancelBy, StartedAt: clockText(run.StartedAt), FinishedAt: clockText(run.FinishedAt),
		Rows: rows, Bytes: bytes, Error: run.Error,
	}
	for _, s := range run.Streams {
		l.Streams = append(l.Streams, streamLine{
			s.Stream, s.Mode, s.Generation, s.Minimum, s.Status, s.Pages, s.LakeRows, s.LakeBytes, s.Error, clockText(s.StartedAt), clockText(s.FinishedAt),
		})
	}
	for _, a := range run.Attempts {
		l.Attempts = append(l.Attempts, attemptLine{a.Number, a.Status, clockText(a.StartedAt), clockText(a.FinishedAt), a.Rows, a.Bytes, a.Error})
	}
	return l
}

// clockText is a time to the second; "" for none.
func clockText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func (a *app) listRuns(ctx context.Context, out io.Writer, name string, limit int, asJSON bool) error {
	if limit < 1 || limit > 10_000 {
		return &usageError{fmt.Errorf("--limit is 1 to 10000, not %d", limit)}
	}
	runs, err := a.runsOf(ctx, name, limit)
	if err != nil {
		return err
	}
	if asJSON {
		enc := json.NewEncoder(out)
		for _, r := range runs {
			if err := enc.Encode(lineOf(r)); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "RUN\tCONNECTION\tTYPE\tSTATUS\tBY\tBEGAN\tTOOK\tROWS\tBYTES\tATTEMPTS\tERROR")
	for _, r := range runs {
		rows, bytes := r.Rows()
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\n", r.ID, r.Connection.Name, r.Type, r.Status, byWhom(r), clockText(r.StartedAt),
			took(r, time.Now()), rows, bytes, len(r.Attempts), r.Error)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return a.tellSchedules(ctx, out)
}

// runsOf lists the runs of a connection, by name or id, or of all.
func (a *app) runsOf(ctx context.Context, name string, limit int) ([]pipeline.Run, error) {
	if name == "" {
		return a.syncs.Runs(ctx, limit)
	}
	conn, err := a.byName(ctx, name)
	if err != nil {
		return nil, err
	}
	return a.syncs.RunsOf(ctx, conn.ID, limit)
}

// byName is the connection of that name or id; one that is deleted can be named by its id alone.
func (a *app) byName(ctx context.Context, name string) (pipeline.Connection, error) {
	all, err := a.syncs.Connections(ctx)
	if err != nil {
		return pipeline.Connection{}, err
	}
	var names []string
	var found []pipeline.Connection
	for _, c := range all {
		names = append(names, c.Name)
		if c.UUID == name {
			return c, nil
		}
		if c.Name == name {
			found = append(found, c)
		}
	}
	switch len(found) {
	case 0:
		if c, err := a.syncs.Connection(ctx, name); err == nil {
			return c, nil
		}
		return pipeline.Connection{}, fault.Errorf(fault.NotFound, "no connection is called %q", name).WithHint("%s", connectionsHint(names))
	case 1:
		return found[0], nil
	}
	var ids []string
	for _, c := range found {
		ids = append(ids, c.UUID)
	}
	return pipeline.Connection{}, fault.Errorf(fault.Invalid, "%d connections are called %q", len(found), name).WithHint("name one by its id: %s", strings.Join(ids, ", "))
}

func byWhom(r pipeline.Run) string {
	if r.Actor == "" {
		return r.Cause
	}
	return r.Cause + " (" + r.Actor + ")"
}

func took(r pipeline.Run, now time.Time) string {
	if r.FinishedAt.IsZero() {
		return now.Sub(r.StartedAt).Round(time.Second).String() + " so far"
	}
	return r.FinishedAt.Sub(r.StartedAt).Round(100 * time.Millisecond).String()
}

// tellSchedules says when each connection runs next.
func (a *app) tellSchedules(ctx context.Context, out io.Writer) error {
	all, err := a.syncs.Connections(ctx)
	if err != nil {
		return err
	}
	next, err := a.syncs.NextRuns(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(out)
	for _, c := range all {
		when := "runs " + c.Schedule.String()
		if c.Status != pipeline.Active {
			when = "is " + string(c.Status)
		} else if at, ok := next[c.ID]; ok {
			when += ", next at " + clockText(at)
		}
		fmt.Fprintf(out, "%s %s\n", c.Name, when)
		notices, err := a.syncs.Notices(ctx, c.ID, 3)
		if err != nil {
			return err
		}
		for _, n := range notices {
			fmt.Fprintf(out, "  %s %s %s%s\n", clockText(n.At), n.Kind, streamWord(n.Stream), n.Text)
		}
	}
	return nil
}

func streamWord(stream string) string {
	if stream == "" {
		return ""
	}
	return stream + ": "
}

func (a *app) tellOneRun(ctx context.Context, out io.Writer, id int64, log, asJSON bool) error {
	run, err := a.syncs.Run(ctx, id)
	if err != nil {
		return err
	}
	l := lineOf(run)
	calls, err := a.callsOf(ctx, id)
	if err != nil {
		return err
	}
	if calls != nil {
		if l.Calls, err = json.Marshal(calls); err != nil {
			return err
		}
	}
	if log {
		lines, err := a.syncs.LogOf(ctx, id)
		if err != nil {
			return err
		}
		for _, line := range lines {
			l.Log = append(l.Log, logLine{line.At.UTC().Format(time.RFC3339), line.Level, line.Stream, line.Text})
		}
	}
	if asJSON {
		return json.NewEncoder(out).Encode(l)
	}
	fmt.Fprintf(out, "Run %d of %s: %s %s, by %s, %s, took %s: %d rows, %d bytes\n", run.ID, run.Connection.Name, run.Type, run.Status, byWhom(run),
		clockText(run.StartedAt), took(run, time.Now()), l.Rows, l.Bytes)
	if calls != nil {
		fmt.Fprintf(out, "%d calls (%d throttled, %d retried)\n", calls.Made, calls.Throttled, calls.Retried)
	}
	if run.Error != "" {
		fmt.Fprintf(out, "%s\n", run.Error)
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "\nATTEMPT\tSTATUS\tBEGAN\tENDED\tROWS\tERROR")
	for _, at := range l.Attempts {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\t%s\n", at.Number, at.Status, at.StartedAt, at.FinishedAt, at.Rows, at.Error)
	}
	fmt.Fprintln(w, "\nSTREAM\tMODE\tGENERATION\tSTATUS\tPAGES\tROWS\tBYTES\tERROR")
	for _, s := range l.Streams {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%d\t%d\t%d\t%s\n", s.Stream, s.Mode, s.Generation, s.Status, s.Pages, s.Rows, s.Bytes, s.Error)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for i, line := range l.Log {
		if i == 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "%s %-5s %s%s\n", line.At, line.Level, streamWord(line.Stream), line.Text)
	}
	return nil
}
