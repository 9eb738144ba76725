package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"longshore/internal/airbyte"
	"longshore/internal/source/okta/connector"
)

func newSourceOkta() *cobra.Command {
	return newConnector(protocolConnector{
		name: "source-okta", short: "run the Okta source as an Airbyte connector",
		long: `Source-okta speaks the Airbyte protocol: standard output holds one JSON message a line and nothing else. It takes the settings,
catalogs and states of Airbyte's own Okta source (0.3.21), and either can go on from the other's state.`,
		example: `  longshore source-okta spec
  longshore source-okta check --config config.json
  longshore source-okta discover --config config.json
  longshore source-okta read --config config.json --catalog catalog.json --state state.json`,
		commands: []protocolCommand{
			{"spec", "tell what the configuration looks like", nil},
			{"check", "tell whether the configuration works", []string{"config"}},
			{"discover", "tell the streams and their schemas", []string{"config"}},
			{"read", "read the streams of a configured catalog, from their states on", []string{"config", "catalog", "state"}},
		},
		run: func(ctx context.Context, name string, files airbyte.Files, debug bool, _ io.Reader, out io.Writer) (bool, error) {
			return connector.New(connector.Options{Version: version()}).Run(ctx, name, files, debug, out)
		},
	})
}
