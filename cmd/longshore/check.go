package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"longshore/internal/fault"
	lakes3 "longshore/internal/lake/s3"
	"longshore/internal/source/okta"
)

func newCheck() *cobra.Command {
	var asJSON, credentials bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "what this credential can and cannot see, and whether the bucket and the database work",
		Long: `Check probes the org endpoint by endpoint, the bucket (write, read, list, delete) and the database, and prints what each gap costs and
how to mend it. Exit 1 when something is missing.`,
		Example: "  longshore check\n  longshore check --credentials   # also show the keys of the embedded S3 endpoint and of the API",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runCheck(cmd, asJSON, credentials) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&credentials, "credentials", false, "show the keys made on first start")
	return cmd
}

// checkReport is what check found.
type checkReport struct {
	Org      string       `json:"org"`
	Okta     []okta.Probe `json:"okta"`
	OktaErr  string       `json:"oktaError,omitempty"`
	Bucket   string       `json:"bucket"`
	Rights   []rightLine  `json:"bucketRights"`
	Database string       `json:"database"`
	OK       bool         `json:"ok"`
}

type rightLine struct {
	Name    string `json:"right"`
	OK      bool   `json:"ok"`
	Problem string `json:"problem,omitempty"`
}

func runCheck(cmd *cobra.Command, asJSON, credentials bool) error {
	ctx := cmd.Context()
	cfg, err := loadConfig(cmd)
	if err != nil {
		return err
	}
	r := checkReport{OK: true}
	source, org, err := newSource(cfg, newLog(cmd.ErrOrStderr()))
	if err != nil {
		return err
	}
	r.Org = source.OrgURL().String()
	if org != nil {
		r.Org += " (demo org)"
	}
	r.probeOkta(ctx, source)
	open := openToRead
	if _, err := os.Stat(databasePath(cfg.data)); errors.Is(err, os.ErrNotExist) {
		open = openApp // a check may come before everything else
	}
	a, err := open(ctx, cfg, newLog(cmd.ErrOrStderr()))
	if err != nil {
		_ = r.print(cmd.OutOrStdout(), asJSON) // what is known already is worth seeing
		return err
	}
	defer a.Close()
	r.Database = "SQLite in " + cfg.data + ": opened and migrated"
	r.Bucket = a.bucket.Name()
	if bucket, ok := a.bucket.(*lakes3.Bucket); ok {
		for _, right := range bucket.Check(ctx, cfg.s3Prefix) {
			line := rightLine{Name: right.Name, OK: right.Err == nil}
			if right.Err != nil {
				line.Problem = withHint(right.Err)
				r.OK = false
			}
			r.Rights = append(r.Rights, line)
		}
	}
	if err := r.print(cmd.OutOrStdout(), asJSON); err != nil {
		return err
	}
	if credentials {
		if err := a.printCredentials(ctx, cmd.OutOrStdout()); err != nil {
			return err
		}
	}
	if !r.OK {
		return errSilent
	}
	return nil
}

func (r *checkReport) probeOkta(ctx context.Context, source *okta.Source) {
	probes, err := source.Check(ctx)
	r.Okta = probes
	for _, p := range probes {
		r.OK = r.OK && (p.OK || p.Skipped)
	}
	if err != nil {
		r.OK, r.OktaErr = false, withHint(err)
	}
}

func withHint(err error) string {
	if hint := fault.HintOf(err); hint != "" {
		return err.Error() + " (" + hint + ")"
	}
	return err.Error()
}

func (r *checkReport) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	var errs []error
	line := func(w io.Writer, format string, args ...any) {
		_, err := fmt.Fprintf(w, format, args...)
		errs = append(errs, err)
	}
	line(w, "Okta: %s\n", r.Org)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range r.Okta {
		mark := "yes"
		switch {
		case p.Skipped:
			mark = "not asked"
		case !p.OK:
			mark = "NO"
		}
		line(tw, "  %s\t%s\t%s\n", mark, p.Endpoint, strings.Join(p.Streams, ", "))
	}
	errs = append(errs, tw.Flush())
	for _, p := range r.Okta {
		if p.OK {
			continue
		}
		line(w, "  %s: %s\n", p.Endpoint, p.Problem)
		if p.Cost != "" && !p.Skipped {
			line(w, "    what it costs: %s\n", p.Cost)
		}
		if p.Mend != "" {
			line(w, "    how to mend it: %s\n", p.Mend)
		}
	}
	if r.OktaErr != "" {
		line(w, "  %s\n", r.OktaErr)
	}
	if r.Bucket != "" {
		line(w, "Bucket: %s\n", r.Bucket)
	}
	for _, right := range r.Rights {
		if right.OK {
			line(w, "  yes  %s\n", right.Name)
		} else {
			line(w, "  NO   %s: %s\n", right.Name, right.Problem)
		}
	}
	if r.Database != "" {
		line(w, "Database: %s\n", r.Database)
	}
	return errors.Join(errs...)
}

// printCredentials shows what first start showed once.
func (a *app) printCredentials(ctx context.Context, w io.Writer) error {
	id, secret, err := a.apiCredentials(ctx)
	if err != nil {
		return err
	}
	if a.s3url != "" {
		fmt.Fprintf(w, "S3 endpoint %s   bucket %s   access key %s   secret key %s\n", a.s3url, a.bucket.Name(), a.s3keys.access, a.s3keys.secret)
	}
	fmt.Fprintf(w, "API client id %s   client secret %s\n", id, secret)
	return a.printHook(ctx, w)
}
