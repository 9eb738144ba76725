package main

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"longshore/internal/auth"
	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// firstCredential is the title of the credential that is made on first start.
const firstCredential = "made on first start"

func newCredential() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "credential",
		Short: "list, add, disable and rotate API credentials",
		Long: `Credentials let machines call the APIs. Each has a role:

  admin   everything; may sign in to the screens too
  editor  reads, and writes entities
  viewer  reads
  ingest  writes entities by upsert and bulk, and reads nothing

A secret is printed once, when it is made. A longshore that is running takes changes over within a second: the tokens of a
credential that is disabled, has expired or got another secret end with it.`,
		Example: "  longshore credential list\n  longshore credential add --role viewer --title dashboards --expires 90d\n  longshore credential rotate client_ABC",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().Bool("json", false, "print JSON")
	cmd.AddCommand(newCredentialList(), newCredentialAdd(), newCredentialDisable(true), newCredentialDisable(false), newCredentialRotate())
	return cmd
}

// withClients opens the data folder, alone or beside the process that works on it, and gives fn its credentials.
func withClients(cmd *cobra.Command, fn func(a *app, clients *auth.Clients) error) error {
	return withDatabase(cmd, func(a *app) error {
		clients, err := a.clients(cmd.Context())
		if err != nil {
			return err
		}
		return fn(a, clients)
	})
}

// changeClient adds or changes a credential, and leaves an entry in the audit log in the same transaction.
func (a *app) changeClient(ctx context.Context, action, actor string, change func(*auth.Clients) (auth.Client, error)) error {
	key, err := a.signingKey(ctx)
	if err != nil {
		return err
	}
	return a.store.InTx(ctx, func(tx *sql.Tx) error {
		clients := auth.NewClients(a.store.Clients(time.Now).Within(tx), key, nil)
		list, err := clients.List(ctx)
		if err != nil {
			return err
		}
		c, err := change(clients)
		if err != nil {
			return err
		}
		e := catalog.AuditEntry{
			At: time.Now().UTC().Truncate(time.Millisecond), Kind: "credential", Action: action, Identifier: c.ID, Actor: actor, Source: "longshore/" + version(),
		}
		for _, before := range list {
			if before.ID == c.ID {
				if e.Before, err = json.Marshal(toWireCredential(before, "")); err != nil {
					return err
				}
			}
		}
		if e.After, err = json.Marshal(toWireCredential(c, "")); err != nil {
			return err
		}
		return a.entities.Tx(tx).AddHistory(ctx, []catalog.AuditEntry{e})
	})
}

// wireCredential is a credential as it is printed: never with what its secret is told by.
type wireCredential struct {
	ID        string     `json:"id"`
	Role      auth.Role  `json:"role"`
	Title     string     `json:"title,omitempty"`
	User      string     `json:"user,omitempty"`
	State     string     `json:"state"` // active, disabled, expired, settings
	CreatedAt *time.Time `json:"createdAt"`
	CreatedBy string     `json:"createdBy,omitempty"`
	LastUsed  *time.Time `json:"lastUsed"`
	Expires   *time.Time `json:"expires"`
	RotatedAt *time.Time `json:"rotatedAt"`
	Secret    string     `json:"secret,omitempty"` // only when it was just made
}

func toWireCredential(c auth.Client, secret string) wireCredential {
	at := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	state := "active"
	switch {
	case c.Disabled:
		state = "disabled"
	case !c.Live(time.Now()):
		state = "expired"
	}
	return wireCredential{c.ID, c.Role, c.Title, c.User, state, at(c.CreatedAt), c.CreatedBy, at(c.LastUsed), at(c.Expires), at(c.RotatedAt), secret}
}

func newCredentialList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "list credentials", Args: cobra.NoArgs, Example: "  longshore credential list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withClients(cmd, func(a *app, clients *auth.Clients) error {
				list, err := clients.List(cmd.Context())
				if err != nil {
					return err
				}
				all := []wireCredential{}
				if a.cfg.clientID != "" && a.cfg.clientSecret != "" {
					all = append(all, wireCredential{ID: a.cfg.clientID, Role: auth.Admin, Title: "LONGSHORE_CLIENT_ID", State: "settings"})
				}
				for _, c := range list {
					all = append(all, toWireCredential(c, ""))
				}
				if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
					return printJSON(cmd.OutOrStdout(), map[string]any{"credentials": all})
				}
				return printCredentials(cmd.OutOrStdout(), all)
			})
		},
	}
}

func printCredentials(w io.Writer, list []wireCredential) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tROLE\tSTATE\tLAST USED\tEXPIRES\tTITLE")
	day := func(t *time.Time) string {
		if t == nil {
			return "-"
		}
		return t.UTC().Format("2006-01-02 15:04")
	}
	for _, c := range list {
		title := c.Title
		if c.User != "" {
			title = strings.TrimSpace(title + " (" + c.User + ")")
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", c.ID, c.Role, c.State, day(c.LastUsed), day(c.Expires), cmp.Or(title, "-"))
	}
	return t.Flush()
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func newCredentialAdd() *cobra.Command {
	var n auth.NewClient
	var role, expires string
	cmd := &cobra.Command{
		Use: "add", Short: "make a credential and print its secret, once", Args: cobra.NoArgs,
		Example: "  longshore credential add --role ingest --title \"HR feed\"\n  longshore credential add --role viewer --user jane@acme.example --expires 90d",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if n.Role, err = auth.ParseRole(role); err != nil {
				return &usageError{err}
			}
			if n.Expires, err = parseExpiry(expires, time.Now()); err != nil {
				return &usageError{err}
			}
			return withClients(cmd, func(a *app, _ *auth.Clients) error {
				var c auth.Client
				var secret string
				err := a.changeClient(cmd.Context(), "CREATE", auth.BrowserID, func(clients *auth.Clients) (_ auth.Client, err error) {
					c, secret, err = clients.Add(cmd.Context(), n, auth.BrowserID)
					return c, err
				})
				if err != nil {
					return err
				}
				return printSecret(cmd, c, secret)
			})
		},
	}
	cmd.Flags().StringVar(&role, "role", "", "admin, editor, viewer or ingest")
	cmd.Flags().StringVar(&n.ID, "id", "", "client id (default: made)")
	cmd.Flags().StringVar(&n.Title, "title", "", "what it is for")
	cmd.Flags().StringVar(&n.User, "user", "", "e-mail address of the person it stands for: permissions of users and teams then count")
	cmd.Flags().StringVar(&expires, "expires", "", "when it ends: a date (2026-12-31), or days from now (90d)")
	return cmd
}

func printSecret(cmd *cobra.Command, c auth.Client, secret string) error {
	if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
		return printJSON(cmd.OutOrStdout(), toWireCredential(c, secret))
	}
	fmt.Fprintf(cmd.OutOrStdout(), "client id      %s\nclient secret  %s\nrole           %s\n", c.ID, secret, c.Role)
	fmt.Fprintln(cmd.ErrOrStderr(), "The secret is not shown again.")
	return nil
}

// parseExpiry reads a date, a time, or a number of days.
func parseExpiry(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 && n <= 36_500 {
			return now.Add(time.Duration(n) * 24 * time.Hour), nil
		}
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fault.Errorf(fault.Invalid, "expiry %q: want a date (2026-12-31), a time (2026-12-31T10:00:00Z) or days from now (90d)", text)
}

func newCredentialDisable(disable bool) *cobra.Command {
	use, short := "disable ID", "end a credential and its tokens"
	if !disable {
		use, short = "enable ID", "let a disabled credential in again"
	}
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1), Example: "  longshore credential " + strings.Replace(use, "ID", "client_ABC", 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withClients(cmd, func(a *app, _ *auth.Clients) error {
				if err := a.notOfSettings(args[0]); err != nil {
					return err
				}
				var c auth.Client
				err := a.changeClient(cmd.Context(), "UPDATE", auth.BrowserID, func(clients *auth.Clients) (_ auth.Client, err error) {
					c, err = clients.Disable(cmd.Context(), args[0], disable, auth.BrowserID)
					return c, err
				})
				if err != nil {
					return err
				}
				if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
					return printJSON(cmd.OutOrStdout(), toWireCredential(c, ""))
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is %s\n", c.ID, toWireCredential(c, "").State)
				return err
			})
		},
	}
}

func newCredentialRotate() *cobra.Command {
	return &cobra.Command{
		Use: "rotate ID", Short: "give a credential another secret and print it, once", Args: cobra.ExactArgs(1),
		Example: "  longshore credential rotate client_ABC",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withClients(cmd, func(a *app, _ *auth.Clients) error {
				if err := a.notOfSettings(args[0]); err != nil {
					return err
				}
				var c auth.Client
				var secret string
				err := a.changeClient(cmd.Context(), "UPDATE", auth.BrowserID, func(clients *auth.Clients) (_ auth.Client, err error) {
					c, secret, err = clients.Rotate(cmd.Context(), args[0], auth.BrowserID)
					return c, err
				})
				if err != nil {
					return err
				}
				if err := a.keepRotated(cmd.Context(), c.ID, secret); err != nil {
					return err
				}
				return printSecret(cmd, c, secret)
			})
		},
	}
}

// keepRotated keeps what check --credentials shows true: the credential that was made on first start.
func (a *app) keepRotated(ctx context.Context, id, secret string) error {
	if kept, err := a.store.Setting(ctx, "client-id"); err != nil || kept == "" {
		return err
	}
	first, err := a.made(ctx, "client-id", func() string { return "" })
	if err != nil || first != id {
		return err
	}
	return a.keep(ctx, "client-secret", secret)
}

// notOfSettings refuses to change the credential that the settings give.
func (a *app) notOfSettings(id string) error {
	if id == "" || id != a.cfg.clientID || a.cfg.clientSecret == "" {
		return nil
	}
	return fault.Errorf(fault.Invalid, "the credential %q is given by the settings", id).
		WithHint("change LONGSHORE_CLIENT_ID and LONGSHORE_CLIENT_SECRET, and start again")
}
