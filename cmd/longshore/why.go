package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"longshore/internal/fault"
	"longshore/internal/story"
)

func newWhy() *cobra.Command {
	var asJSON bool
	var limit int
	cmd := &cobra.Command{
		Use:   "why ID",
		Short: "the story of one Okta id or entity: page, object and line, verdicts, entity, changes",
		Long: `Why looks an id up everywhere: the entities of that identifier with their history, and the records in the lake that
hold the id, with the verdict of each mapping and the clause, property or value that decided.`,
		Example: "  longshore why 00u1abc\n  longshore why --json user/00u1abc/SUPER_ADMIN",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			a, err := openToRead(cmd.Context(), cfg, newLog(cmd.ErrOrStderr()))
			if err != nil {
				return err
			}
			defer a.Close()
			t := &story.Teller{Objects: a.objects, Runs: a.syncs, Catalog: a.catalog, Bucket: a.bucket}
			s, err := t.Tell(cmd.Context(), args[0], limit)
			if err != nil {
				return err
			}
			if asJSON {
				err = json.NewEncoder(cmd.OutOrStdout()).Encode(s)
			} else {
				err = s.Print(cmd.OutOrStdout())
			}
			if err != nil {
				return fmt.Errorf("print: %w", err)
			}
			if len(s.Entities) == 0 && len(s.Records) == 0 && s.More == 0 {
				return fault.Errorf(fault.NotFound, "%q is neither in the catalog nor in the lake", args[0]).
					WithHint("is it spelled rightly? A record that Okta has but the lake has not: longshore check shows what the credential cannot see")
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().IntVar(&limit, "records", 10, "how many records of the lake to tell; the others are counted")
	return cmd
}
