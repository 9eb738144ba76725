package main

import (
	"context"
	"io"
	"os"
	runtimedebug "runtime/debug"

	"github.com/spf13/cobra"

	"longshore/internal/airbyte"
	dest "longshore/internal/destination/s3"
	destconnector "longshore/internal/destination/s3/connector"
	"longshore/internal/fault"
	"longshore/internal/lake"
	lakes3 "longshore/internal/lake/s3"
)

// connectorMemory is what the collector keeps the process below, as far as lines of the input let it: one may have 100 MiB.
const connectorMemory = 192 << 20

func newDestinationS3() *cobra.Command {
	return newConnector(protocolConnector{
		name: "destination-s3", short: "run the S3 destination as an Airbyte connector",
		long: `Destination-s3 speaks the Airbyte protocol: write takes messages from standard input, and standard output holds one JSON message a line
and nothing else. It takes the settings and catalogs of Airbyte's own S3 destination, and gives a state back once every record before
it can be read in the bucket.`,
		example: `  longshore destination-s3 spec
  longshore destination-s3 check --config config.json
  longshore destination-s3 write --config config.json --catalog catalog.json < messages.jsonl`,
		commands: []protocolCommand{
			{"spec", "tell what the configuration looks like", nil},
			{"check", "tell whether the configuration works", []string{"config"}},
			{"write", "write the messages of standard input", []string{"config", "catalog"}},
		},
		run: func(ctx context.Context, name string, files airbyte.Files, debug bool, in io.Reader, out io.Writer) (bool, error) {
			if os.Getenv("GOMEMLIMIT") == "" {
				runtimedebug.SetMemoryLimit(connectorMemory)
			}
			c := destconnector.New(destconnector.Options{OpenBucket: openDestinationBucket, Connection: os.Getenv("WORKER_CONNECTION_ID")})
			return c.Run(ctx, name, files, debug, in, out)
		},
	})
}

// openDestinationBucket opens the bucket of a configured destination. Stores beside AWS want the bucket in the path.
func openDestinationBucket(ctx context.Context, s dest.Settings) (lake.Bucket, error) {
	if s.RoleARN != "" && s.AccessKey == "" {
		return nil, fault.Errorf(fault.Invalid, "role_arn is not supported yet").
			WithHint("Set access_key_id and secret_access_key, or leave all three out to use the credentials of the machine.")
	}
	return lakes3.Open(ctx, lakes3.Config{
		Endpoint: s.Endpoint, Region: s.Region, Bucket: s.Bucket, AccessKey: s.AccessKey, SecretKey: s.SecretKey, PathStyle: s.Endpoint != "",
	})
}
