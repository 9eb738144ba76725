package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"longshore/internal/airbyte"
	"longshore/internal/source/okta/connector"
)

func newSourceOkta() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "source-okta COMMAND",
		Short: "run the Okta source as an Airbyte connector",
		Long: `Source-okta speaks the Airbyte protocol: standard output holds one JSON message a line and nothing else. It takes the settings,
catalogs and states of Airbyte's own Okta source (0.3.21), and either can go on from the other's state.`,
		Example: `  longshore source-okta spec
  longshore source-okta check --config config.json
  longshore source-okta discover --config config.json
  longshore source-okta read --config config.json --catalog catalog.json --state state.json`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return &usageError{fmt.Errorf("source-okta has no command %q: there are spec, check, discover and read", args[0])}
		},
	}
	for _, c := range []struct {
		name, short string
		files       []string
	}{
		{"spec", "tell what the configuration looks like", nil},
		{"check", "tell whether the configuration works", []string{"config"}},
		{"discover", "tell the streams and their schemas", []string{"config"}},
		{"read", "read the streams of a configured catalog, from their states on", []string{"config", "catalog", "state"}},
	} {
		cmd.AddCommand(newProtocolCommand(c.name, c.short, c.files))
	}
	return cmd
}

// newProtocolCommand is one command of the protocol. Its --config is the connector's, not that of longshore.
func newProtocolCommand(name, short string, files []string) *cobra.Command {
	paths := map[string]*string{"config": new(string), "catalog": new(string), "state": new(string)}
	var debug bool
	cmd := &cobra.Command{
		Use: name, Short: short, Example: "  longshore source-okta " + name, Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return &usageError{fmt.Errorf("source-okta %s takes flags alone, not %q", name, args[0])}
			}
			for _, file := range files {
				if *paths[file] == "" && file != "state" {
					return &usageError{fmt.Errorf("source-okta %s needs --%s FILE", name, file)}
				}
			}
			c := connector.New(connector.Options{Version: version()})
			ok, err := c.Run(cmd.Context(), name, airbyte.Files{Config: *paths["config"], Catalog: *paths["catalog"], State: *paths["state"]}, debug, cmd.OutOrStdout())
			if err != nil {
				return err
			}
			if !ok {
				return errSilent
			}
			return nil
		},
	}
	for _, file := range files {
		cmd.Flags().StringVar(paths[file], file, "", "the "+file+" file (JSON)")
		cmd.Example += " --" + file + " " + file + ".json"
	}
	cmd.Flags().BoolVar(&debug, "debug", false, "also tell what only helps to find faults")
	return cmd
}
