package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"longshore/internal/fault"
	"longshore/internal/pipeline"
	"longshore/internal/receipt"
)

func newReceipt() *cobra.Command {
	var asJSON, signed, key bool
	cmd := &cobra.Command{
		Use:   "receipt [SYNC]",
		Short: "print the receipt of a sync: what became of every record",
		Long: `Receipt prints the receipt of a sync, by default of the newest that has one. Receipts are signed, and lie in the bucket too, under
_longshore/receipts/. With --signed the signed document is printed: who has it, the bucket and the public key (--key) can check
it without this catalog: longshore verify. Exit 1 when a number does not add up.`,
		Example: `  longshore receipt
  longshore receipt 12 --json
  longshore receipt 12 --signed > receipt.json
  longshore receipt --key`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			id := int64(0)
			if len(args) == 1 {
				if id, err = strconv.ParseInt(args[0], 10, 64); err != nil || id < 1 {
					return &usageError{fmt.Errorf("%q is not the number of a sync", args[0])}
				}
			}
			a, err := openToRead(cmd.Context(), cfg, newLog(cmd.ErrOrStderr()))
			if err != nil {
				return err
			}
			defer a.Close()
			switch {
			case key:
				return a.printKey(cmd.Context(), cmd.OutOrStdout())
			case signed:
				return a.printSigned(cmd.Context(), cmd.OutOrStdout(), id)
			}
			return a.printKept(cmd.Context(), cmd.OutOrStdout(), id, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&signed, "signed", false, "print the signed document, as it lies in the bucket")
	cmd.Flags().BoolVar(&key, "key", false, "print the public key that receipts are signed with")
	cmd.MarkFlagsMutuallyExclusive("json", "signed", "key")
	return cmd
}

func (a *app) printKey(ctx context.Context, w io.Writer) error {
	signer, err := a.signer(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, signer.Public())
	return err
}

func (a *app) printSigned(ctx context.Context, w io.Writer, id int64) error {
	r, err := a.keptReceipt(ctx, id)
	if err != nil {
		return err
	}
	e, err := receipt.Load(ctx, a.bucket, receipt.Key(r.Connection, r.SyncID))
	if err != nil {
		return fmt.Errorf("the signed receipt of sync %d: %w", r.SyncID, err)
	}
	text, err := e.Encode()
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

func (a *app) printKept(ctx context.Context, w io.Writer, id int64, asJSON bool) error {
	r, err := a.keptReceipt(ctx, id)
	if err != nil {
		return err
	}
	if err := writeReceipt(w, r, asJSON); err != nil {
		return err
	}
	if !r.OK {
		return errSilent
	}
	return nil
}

// keptReceipt is the receipt of a sync as it was drawn; 0 is the newest that has one.
func (a *app) keptReceipt(ctx context.Context, id int64) (r receipt.Receipt, err error) {
	if id == 0 {
		if id, err = a.newestReceipt(ctx); err != nil {
			return r, err
		}
	}
	doc, err := a.syncs.Receipt(ctx, id)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(doc, &r); err != nil {
		return r, fmt.Errorf("read the receipt of sync %d: %w", id, err)
	}
	return r, nil
}

// newestReceipt finds the newest run with a receipt that is none of a feed's.
func (a *app) newestReceipt(ctx context.Context) (int64, error) {
	const newest = 100
	runs, err := a.syncs.Own(ctx, newest)
	if err != nil {
		return 0, err
	}
	for _, run := range runs {
		if run.Status == pipeline.Running || run.Cause == pipeline.CauseFeed {
			continue
		}
		if _, err := a.syncs.Receipt(ctx, run.ID); err == nil {
			return run.ID, nil
		} else if !fault.Is(err, fault.NotFound) {
			return 0, err
		}
	}
	return 0, fault.Errorf(fault.NotFound, "no sync has a receipt yet").WithHint("it is drawn when a run and the ingest of its objects have ended: longshore up --once")
}

// signer is what receipts are signed with, made on first use and kept sealed.
func (a *app) signer(ctx context.Context) (receipt.Signer, error) {
	text, err := a.made(ctx, "receipt-key", randomSecret)
	if err != nil {
		return receipt.Signer{}, err
	}
	seed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return receipt.Signer{}, fmt.Errorf("read the key of receipts: %w", err)
	}
	return receipt.NewSigner(seed)
}

// drawReceipt draws the receipt of a run, signs it, puts it into the bucket and keeps it.
func (a *app) drawReceipt(ctx context.Context, id int64) (receipt.Receipt, error) {
	r, err := receipt.Make(ctx, a.syncs, a.objects, a.catalog, id)
	if err != nil {
		return r, err
	}
	if r.Calls, err = a.callsOf(ctx, id); err != nil {
		return r, err
	}
	r.CountAnswers()
	if r.MissedByFeed, err = a.missed(ctx, id); err != nil {
		return r, err
	}
	statement, err := receipt.State(ctx, a.syncs, a.objects, a.bucket, r, time.Now())
	if err != nil {
		return r, err
	}
	signer, err := a.signer(ctx)
	if err != nil {
		return r, err
	}
	if _, err := receipt.Publish(ctx, a.bucket, statement, signer); err != nil {
		return r, err
	}
	doc, err := json.Marshal(r)
	if err != nil {
		return r, err
	}
	return r, a.syncs.SaveReceipt(ctx, id, string(doc))
}

// printReceipts draws, keeps and prints the receipts of runs; ok is false when one does not add up.
func (a *app) printReceipts(ctx context.Context, out io.Writer, ids []int64, asJSON bool) (ok bool, err error) {
	ok = true
	for _, id := range ids {
		r, err := a.drawReceipt(ctx, id)
		if err != nil {
			return false, err
		}
		ok = ok && r.OK
		if !asJSON {
			_, _ = fmt.Fprintln(out)
		}
		if err := writeReceipt(out, r, asJSON); err != nil {
			return false, err
		}
	}
	return ok, nil
}

func writeReceipt(out io.Writer, r receipt.Receipt, asJSON bool) error {
	if !asJSON {
		if err := r.Print(out); err != nil {
			return fmt.Errorf("print receipt: %w", err)
		}
		return nil
	}
	doc, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "%s\n", doc); err != nil {
		return fmt.Errorf("print receipt: %w", err)
	}
	return nil
}
