package main

import (
	"bufio"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
)

func newExport() *cobra.Command {
	var out, asOf string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "print the catalog as JSON lines",
		Long: `Export prints every entity as one JSON line, ordered by blueprint and identifier, without times of writing: the same lake and the
same mappings give the same bytes on any machine. With --as-of the catalog is rebuilt from what the lake had by then, under the
blueprints and mappings of today; entities that were written by the API alone are in no lake, and not in it. The number of entities and the SHA-256 of the lines go to standard error.`,
		Example: "  longshore export > catalog.jsonl\n  longshore export -o catalog.jsonl\n  longshore export --as-of 2026-11-01T00:00:00Z",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			var at time.Time
			if asOf != "" {
				if at, err = parseTime("--as-of", asOf, time.Now()); err != nil {
					return &usageError{err}
				}
			}
			cfg, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			if out != "" {
				f, err := os.Create(out)
				if err != nil {
					return fmt.Errorf("export: %w", err)
				}
				defer func() {
					if e := f.Close(); err == nil && e != nil {
						err = fmt.Errorf("export: %w", e)
					}
				}()
				w = f
			}
			a, err := openToRead(cmd.Context(), cfg, newLog(cmd.ErrOrStderr()))
			if err != nil {
				return err
			}
			defer a.Close()
			buffered := bufio.NewWriterSize(w, 1<<20)
			exported := a.catalog
			if asOf != "" {
				past, err := a.openPast(cmd.Context(), at)
				if err != nil {
					return fmt.Errorf("rebuild the catalog as of %s: %w", at.Format(time.RFC3339), err)
				}
				defer past.Close()
				exported = past.catalog
			}
			hash, n, err := exported.Export(cmd.Context(), buffered)
			if err != nil {
				return err
			}
			if err := buffered.Flush(); err != nil {
				return fmt.Errorf("export: %w", err)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%d entities, sha256 %s\n", n, hash)
			return nil
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "write to this file instead of standard output")
	cmd.Flags().StringVar(&asOf, "as-of", "", "the catalog as it was at this time, rebuilt from the lake (RFC 3339, or a duration such as 24h before now)")
	return cmd
}
