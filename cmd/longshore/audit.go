package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"longshore/internal/fault"
	"longshore/internal/store"
)

// maxHeadBytes is far above a kept head.
const maxHeadBytes = 64 << 10

func newAudit() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "verify the audit log",
		Long: `Every entry of the audit log bears a hash of itself and of the entry before it, and the database refuses to change or delete any.
Whoever can get round that, by writing to the database directly, is told by a walk along the log; whoever writes all of it
anew, by a head that is kept elsewhere.`,
		Example: "  longshore audit verify\n  longshore audit head > head.json; longshore audit verify --head head.json",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAuditVerify(), newAuditHead())
	return cmd
}

func newAuditVerify() *cobra.Command {
	var asJSON bool
	var headFile string
	cmd := &cobra.Command{
		Use: "verify", Short: "walk the audit log and name the first entry that does not fit: exit 0 only if all do", Args: cobra.NoArgs,
		Example: "  longshore audit verify\n  longshore audit verify --head head.json --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			kept, err := readHead(headFile)
			if err != nil {
				return err
			}
			return withDatabase(cmd, func(a *app) error {
				report, err := a.store.VerifyAudit(cmd.Context(), kept)
				if err != nil {
					return err
				}
				if asJSON {
					err = printJSON(cmd.OutOrStdout(), report)
				} else {
					err = printAudit(cmd.OutOrStdout(), report, kept)
				}
				if err == nil && !report.OK() {
					err = errSilent
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&headFile, "head", "", "file of a head that was kept: it must be part of the log")
	return cmd
}

// readHead reads a kept head; nil without a file.
func readHead(path string) (*store.AuditHead, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // none was given
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "read the kept head: %w", err)
	}
	defer f.Close()
	var head store.AuditHead
	if err := json.NewDecoder(io.LimitReader(f, maxHeadBytes)).Decode(&head); err != nil || head.Hash == "" {
		return nil, fault.Errorf(fault.Invalid, "%s holds no head of an audit log", path).WithHint("keep one with: longshore audit head > head.json")
	}
	return &head, nil
}

func printAudit(w io.Writer, r store.AuditReport, kept *store.AuditHead) error {
	older := ""
	if r.Older > 0 {
		older = fmt.Sprintf("; %d older ones have no hashes", r.Older)
	}
	var err error
	switch {
	case !r.OK():
		_, err = fmt.Fprintf(w, "BROKEN at entry %d: %s\n%d entries before it fit%s\n", r.Broken, r.Problem, r.Rows, older)
	case kept != nil:
		_, err = fmt.Fprintf(w, "ok: %d entries fit, the kept entry %d among them%s\nhead: %d %s\n", r.Rows, kept.ID, older, r.Head.ID, r.Head.Hash)
	default:
		_, err = fmt.Fprintf(w, "ok: %d entries fit%s\nhead: %d %s\n", r.Rows, older, r.Head.ID, r.Head.Hash)
	}
	return err
}

func newAuditHead() *cobra.Command {
	return &cobra.Command{
		Use: "head", Short: "print the end of the audit log as JSON, to be kept elsewhere", Args: cobra.NoArgs, Example: "  longshore audit head > head.json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withDatabase(cmd, func(a *app) error {
				head, err := a.store.AuditHead(cmd.Context())
				if err != nil {
					return err
				}
				return printJSON(cmd.OutOrStdout(), head)
			})
		},
	}
}
