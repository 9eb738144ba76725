// Command longshore keeps a catalog of who holds which admin power in Okta, and what happened. This package builds
// everything ([app] in wire.go) and has one file a subcommand; it decides nothing itself.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"longshore/internal/fault"
)

// Exit codes of every command.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run runs one command line and returns its exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errSilent):
		return exitFailed
	case interrupted(ctx, err):
		fmt.Fprintf(stderr, "longshore: stopped by a signal before it was done\n  what to do: nothing is lost; the same command goes on from there\n")
		return exitFailed
	case errors.As(err, &usage):
		tell(stderr, err)
		return exitUsage
	}
	tell(stderr, err)
	return exitFailed
}

// tell prints an error, and what can be done about it.
func tell(w io.Writer, err error) {
	fmt.Fprintf(w, "longshore: %v\n", err)
	var usage *usageError
	if errors.As(err, &usage) {
		err = usage.err
	}
	if hint := fault.HintOf(err); hint != "" {
		fmt.Fprintf(w, "  what to do: %s\n", hint)
	}
}

// interrupted reports whether err only says that ctx was cancelled, as a signal does: something else that failed
// meanwhile is still worth telling.
func interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx)))
}

// errSilent ends a command with exit 1 when what went wrong has been told already.
var errSilent = errors.New("failed")

// usageError is a command line that makes no sense: exit 2.
type usageError struct{ err error }

func (u *usageError) Error() string { return u.err.Error() }
func (u *usageError) Unwrap() error { return u.err }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "longshore",
		Short: "who holds which admin power in Okta, and what happened: complete, explained and current",
		Long: `Longshore reads an Okta org, keeps every record in a lake (S3, gzip JSON Lines), maps it into a catalog of
entities and relations, and accounts for each record: nothing is lost, everything is explained.

Start with:  longshore up`,
		SilenceUsage: true, SilenceErrors: true,
		// Completion scripts come with cobra: longshore completion bash|zsh|fish|powershell.
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	})
	addSettingFlags(root.PersistentFlags())
	root.AddCommand(newUp(), newServe(), newSync(), newRuns(), newClear(), newIngest(), newMap(), newWhy(), newReceipt(), newVerify(), newCheck(), newExport(), newDB(), newCredential(), newAudit(), newSourceOkta(), newDestinationS3(), newEmulator(), newVersion())
	for _, c := range root.Commands() {
		wrongArgsAreUsage(c)
	}
	root.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			var names []string
			for _, c := range cmd.Commands() {
				names = append(names, c.Name())
			}
			meant := ""
			if near := fault.Misspelt(args[0], names); near != "" {
				meant = fmt.Sprintf(" (is %s meant?)", near)
			}
			return &usageError{fmt.Errorf("unknown command %q%s; see longshore --help", args[0], meant)}
		}
		return nil
	}
	root.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return root
}

// wrongArgsAreUsage makes arguments that a command does not take wrong usage, and those of its subcommands.
func wrongArgsAreUsage(c *cobra.Command) {
	check := c.Args
	c.Args = func(cmd *cobra.Command, args []string) error {
		if check == nil {
			return nil
		}
		if err := check(cmd, args); err != nil {
			if len(args) > 0 && !strings.Contains(cmd.Use, " ") {
				err = fmt.Errorf("%s takes no argument, not %q", cmd.CommandPath(), args[0])
			} else {
				err = fmt.Errorf("write %s, and not %d arguments", strings.TrimSuffix(cmd.UseLine(), " [flags]"), len(args))
			}
			return &usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
		}
		return nil
	}
	for _, sub := range c.Commands() {
		wrongArgsAreUsage(sub)
	}
}
