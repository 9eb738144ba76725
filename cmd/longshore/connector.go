package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"longshore/internal/airbyte"
)

// protocolConnector is a connector of the Airbyte protocol as a command with a subcommand for each of the protocol's.
type protocolConnector struct {
	name, short, long, example string
	commands                   []protocolCommand
	run                        func(ctx context.Context, name string, files airbyte.Files, debug bool, in io.Reader, out io.Writer) (bool, error)
}

// protocolCommand is one command of the protocol, and the files that it takes.
type protocolCommand struct {
	name, short string
	files       []string
}

func newConnector(c protocolConnector) *cobra.Command {
	var names []string
	for _, command := range c.commands {
		names = append(names, command.name)
	}
	last := len(names) - 1
	there := strings.Join(names[:last], ", ") + " and " + names[last]
	cmd := &cobra.Command{
		Use: c.name + " COMMAND", Short: c.short, Long: c.long, Example: c.example, Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return &usageError{fmt.Errorf("%s has no command %q: there are %s", c.name, args[0], there)}
		},
	}
	for _, command := range c.commands {
		cmd.AddCommand(c.command(command))
	}
	return cmd
}

// command is one command of the protocol. Its --config is the connector's, not that of longshore.
func (c protocolConnector) command(p protocolCommand) *cobra.Command {
	paths := map[string]*string{"config": new(string), "catalog": new(string), "state": new(string)}
	var debug bool
	cmd := &cobra.Command{
		Use: p.name, Short: p.short, Example: "  longshore " + c.name + " " + p.name, Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return &usageError{fmt.Errorf("%s %s takes flags alone, not %q", c.name, p.name, args[0])}
			}
			for _, file := range p.files {
				if *paths[file] == "" && file != "state" {
					return &usageError{fmt.Errorf("%s %s needs --%s FILE", c.name, p.name, file)}
				}
			}
			files := airbyte.Files{Config: *paths["config"], Catalog: *paths["catalog"], State: *paths["state"]}
			ok, err := c.run(cmd.Context(), p.name, files, debug, cmd.InOrStdin(), cmd.OutOrStdout())
			if err != nil {
				return err
			}
			if !ok {
				return errSilent
			}
			return nil
		},
	}
	for _, file := range p.files {
		cmd.Flags().StringVar(paths[file], file, "", "the "+file+" file (JSON)")
		cmd.Example += " --" + file + " " + file + ".json"
	}
	cmd.Flags().BoolVar(&debug, "debug", false, "also tell what only helps to find faults")
	return cmd
}
