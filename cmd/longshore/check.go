package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

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
		Long: `Check probes the org endpoint by endpoint, also those of optional streams, then the bucket (write, read, list, delete) and the
database, and prints what each gap costs and how to mend it. Exit 0 when every chosen stream can be read, 1 when one cannot, or
something else is missing. What a credential needs is told in docs/okta-access.md.`,
		Example: `  longshore check
  longshore check --streams +apps,+devices   # two optional streams must be readable too
  longshore check --credentials              # also show the keys of the embedded S3 endpoint and of the API`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runCheck(cmd, asJSON, credentials) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&credentials, "credentials", false, "show the keys made on first start")
	return cmd
}

// checkReport is what check found.
type checkReport struct {
	Org      string            `json:"org"`
	Okta     okta.Capabilities `json:"okta"`
	OktaErr  string            `json:"oktaError,omitempty"`
	OktaCure string            `json:"oktaCure,omitempty"`
	Bucket   string            `json:"bucket"`
	Rights   []rightLine       `json:"bucketRights"`
	Database string            `json:"database"`
	OK       bool              `json:"ok"`
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
	open := openToRead
	if cfg.isNew() {
		open = openApp // a check may come before everything else
	}
	a, openErr := open(ctx, cfg, newLog(cmd.ErrOrStderr()))
	if openErr == nil {
		defer a.Close()
		if err := a.sameOrg(ctx); err != nil {
			if credentials {
				err = errors.Join(a.printKeys(ctx, cmd.OutOrStdout()), err)
			}
			return err
		}
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
	if notice := source.Notice(); notice != "" {
		r.Org += ", " + notice
	}
	r.Okta, err = source.Check(ctx, true)
	if r.OK = err == nil && r.Okta.OK(); err != nil {
		r.OktaErr, r.OktaCure = err.Error(), fault.HintOf(err)
	}
	if openErr != nil {
		_ = r.print(cmd.OutOrStdout(), asJSON) // what is known already is worth seeing
		return openErr
	}
	if r.Database, err = a.databaseLine(ctx); err != nil {
		return err
	}
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

// databaseLine says which database it is and how long a write to it takes.
func (a *app) databaseLine(ctx context.Context) (string, error) {
	server, took, err := a.store.Probe(ctx)
	if err != nil {
		return "", err
	}
	if server == "" {
		return "SQLite in " + a.cfg.data + ": opened and migrated", nil
	}
	return fmt.Sprintf("%s, %s: opened and migrated, a write takes %s", server, a.store.Name(), took.Round(100*time.Microsecond)), nil
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
	var b strings.Builder
	fmt.Fprintf(&b, "Okta: %s\n", r.Org)
	writeMatrix(&b, r.Okta, r.OktaErr != "")
	if r.OktaErr != "" {
		writeWrapped(&b, "  FAILED ", "         ", r.OktaErr)
		writeCure(&b, r.OktaCure)
	}
	if r.Bucket != "" {
		fmt.Fprintf(&b, "Bucket: %s\n", r.Bucket)
	}
	for _, right := range r.Rights {
		mark := "yes  "
		if !right.OK {
			mark = "NO   "
		}
		writeWrapped(&b, "  "+mark, "       ", strings.TrimSuffix(right.Name+": "+right.Problem, ": "))
	}
	if r.Database != "" {
		fmt.Fprintf(&b, "Database: %s\n", r.Database)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printCredentials shows what first start showed once, and the event hook's URI and secret.
func (a *app) printCredentials(ctx context.Context, w io.Writer) error {
	if err := a.printKeys(ctx, w); err != nil {
		return err
	}
	return a.printHook(ctx, w)
}

// printKeys shows the keys made on first start.
func (a *app) printKeys(ctx context.Context, w io.Writer) error {
	id, secret, err := a.apiCredentials(ctx)
	if err != nil {
		return err
	}
	if a.s3url != "" {
		fmt.Fprintf(w, "S3 endpoint %s   bucket %s   access key %s   secret key %s\n", a.s3url, a.bucket.Name(), a.s3keys.access, a.s3keys.secret)
	}
	_, err = fmt.Fprintf(w, "API client id %s   client secret %s\n", id, secret)
	return err
}
