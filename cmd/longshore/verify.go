package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"longshore/internal/fault"
	"longshore/internal/lake"
	lakes3 "longshore/internal/lake/s3"
	"longshore/internal/receipt"
)

type verifyOptions struct {
	key        string
	folder     string
	connection string
	asJSON     bool
}

func newVerify() *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify RECEIPT",
		Short: "check a signed receipt against the bucket alone",
		Long: `Verify takes a signed receipt (a file, - for standard input, or the number of a sync whose receipt lies in the bucket) and holds it
against the bucket: its signature, the bytes and the lines of every object, the manifests, the generations of earlier runs, and
the receipt's own sums. It asks neither Okta nor a catalog: with LONGSHORE_S3_BUCKET set, or --folder for a copy of the bucket,
no data folder is needed. Exit 1 when something differs, or when the receipt itself says that something does not add up.

Give the public key with --key, as who keeps the catalog printed it (longshore receipt --key). Without it the key is the one
that the receipt names: that shows damage, but not who signed.`,
		Example: `  longshore verify receipt.json --key ed25519:MCow…
  longshore verify 12
  longshore verify 12 --folder ./copy-of-the-bucket`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runVerify(cmd, args[0], o) },
	}
	cmd.Flags().StringVar(&o.key, "key", "", "public key that the receipt must be signed with")
	cmd.Flags().StringVar(&o.folder, "folder", "", "a copy of the bucket as a folder, instead of the bucket of the settings")
	cmd.Flags().StringVar(&o.connection, "connection", connectionName, "with a number: the connection of the sync")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print what was found as JSON")
	return cmd
}

func runVerify(cmd *cobra.Command, name string, o verifyOptions) error {
	ctx := cmd.Context()
	if o.key != "" {
		if _, err := receipt.ParsePublic(o.key); err != nil {
			return &usageError{err}
		}
	}
	// Files first: the embedded endpoint works in a folder of its own.
	id, err := strconv.ParseInt(name, 10, 64)
	inBucket := err == nil
	var e receipt.Envelope
	if !inBucket {
		if e, err = readReceipt(cmd.InOrStdin(), name); err != nil {
			return err
		}
	}
	bucket, closing, err := verifiedBucket(cmd, o.folder)
	if err != nil {
		return err
	}
	defer closing()
	if inBucket {
		if e, err = receiptOf(ctx, bucket, id, o.connection); err != nil {
			return err
		}
	}
	statement, err := e.Open(o.key)
	if err != nil {
		return err
	}
	v, err := receipt.Verify(ctx, bucket, statement)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if o.asJSON {
		err = json.NewEncoder(out).Encode(v)
	} else {
		if o.key != "" {
			fmt.Fprintf(out, "Signed by the key given.\n")
		} else {
			fmt.Fprintf(out, "Signed by %s, the key that the receipt names; whose that is, --key shows.\n", e.PublicKey)
		}
		err = v.Print(out)
	}
	if err != nil {
		return fmt.Errorf("print: %w", err)
	}
	if !v.OK {
		return errSilent
	}
	return nil
}

// verifiedBucket opens the bucket alone where it can be had without a data folder.
func verifiedBucket(cmd *cobra.Command, folder string) (lake.Bucket, func(), error) {
	nothing := func() {}
	if folder != "" {
		if info, err := os.Stat(folder); err != nil || !info.IsDir() {
			return nil, nothing, fault.Errorf(fault.NotFound, "there is no folder %s", folder)
		}
		b, err := lake.OpenFolder(folder)
		return b, nothing, err
	}
	cfg, err := loadConfig(cmd)
	if err != nil {
		return nil, nothing, err
	}
	if cfg.s3Bucket != "" {
		b, err := lakes3.Open(cmd.Context(), lakes3.Config{Endpoint: cfg.s3Endpoint, Region: cfg.s3Region, Bucket: cfg.s3Bucket, PathStyle: cfg.s3Endpoint != ""})
		return b, nothing, err
	}
	a, err := openToRead(cmd.Context(), cfg, newLog(cmd.ErrOrStderr()))
	if err != nil {
		return nil, nothing, err
	}
	return a.bucket, func() { _ = a.Close() }, nil
}

// maxReceiptBytes bounds a receipt that is read from a file.
const maxReceiptBytes = 64 << 20

// receiptOf reads the signed receipt of a sync from the bucket.
func receiptOf(ctx context.Context, bucket lake.Bucket, id int64, connection string) (receipt.Envelope, error) {
	e, err := receipt.Load(ctx, bucket, receipt.Key(connection, id))
	if fault.Is(err, fault.NotFound) {
		return e, fault.Errorf(fault.NotFound, "the bucket has no receipt of sync %d of the connection %q", id, connection).
			WithHint("it is drawn when the run and the ingest of its objects have ended; --connection names another connection")
	}
	return e, err
}

// readReceipt reads a signed receipt from a file, or from standard input for "-".
func readReceipt(stdin io.Reader, name string) (receipt.Envelope, error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return receipt.Envelope{}, fault.Errorf(fault.NotFound, "read the receipt: %w", err)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxReceiptBytes))
	if err != nil {
		return receipt.Envelope{}, fmt.Errorf("read the receipt: %w", err)
	}
	return receipt.Decode(text)
}
