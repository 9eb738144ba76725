package main

import (
	"bufio"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func newExport() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "print the catalog as JSON lines",
		Long: `Export prints every entity as one JSON line, ordered by blueprint and identifier, without times of writing: the same lake and the
same mappings give the same bytes on any machine. The number of entities and the SHA-256 of the lines go to standard error.`,
		Example: "  longshore export > catalog.jsonl\n  longshore export -o catalog.jsonl",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
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
			hash, n, err := a.catalog.Export(cmd.Context(), buffered)
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
	return cmd
}
