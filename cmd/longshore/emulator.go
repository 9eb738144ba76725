package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"longshore/internal/fault"
	"longshore/internal/source/okta/emulator"
)

func newEmulator() *cobra.Command {
	var listen string
	var o emulator.Options
	var faults []string
	cmd := &cobra.Command{
		Use:   "okta-emulator",
		Short: "serve a stand-in Okta org on a port",
		Long: `Okta-emulator serves an org that looks like a real one to any client that reads: users, groups, roles, IAM and the System Log, with
Okta's paging, errors and rate limits. Its data follows from the seed alone. The token is taken from OKTA_CLIENT_TOKEN; without it,
it is "` + emulator.DefaultToken + `".`,
		Example: `  longshore okta-emulator --users 2000 --seed 7
  longshore okta-emulator --fault /api/v1/iam=403 --fault /api/v1/users=429/3
  OKTA_CLIENT_ORGURL=http://127.0.0.1:8090 OKTA_CLIENT_TOKEN=` + emulator.DefaultToken + ` longshore up`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.Faults, err = parseFaults(faults); err != nil {
				return &usageError{err}
			}
			o.Token = os.Getenv("OKTA_CLIENT_TOKEN")
			return runEmulator(cmd, listen, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:8090", "address to serve on")
	f.IntVar(&o.Users, "users", 500, "people of the org")
	f.Uint64Var(&o.Seed, "seed", 1, "what all data follows from")
	f.IntVar(&o.EventsPerDay, "events-per-day", 400, "log events a day, of the whole org")
	f.IntVar(&o.Days, "days", 30, "days of log history, at most 90")
	f.StringArrayVar(&faults, "fault", nil, "trouble to make: PREFIX=KIND or PREFIX=KIND/N (each N-th request); KIND is a status, or truncate, malformed, empty, repeat, concurrency, or a duration such as 3s")
	return cmd
}

func runEmulator(cmd *cobra.Command, listen string, o emulator.Options) error {
	ctx := cmd.Context()
	if insecure, _ := cmd.Flags().GetBool("insecure"); !insecure {
		if err := loopbackOnly(listen); err != nil {
			return err
		}
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return fault.Errorf(fault.Conflict, "listen on %s: %w", listen, err).WithHint("another program has this port: choose one with --listen")
	}
	token := o.Token
	if token == "" {
		token = emulator.DefaultToken
	}
	shown := token
	if token != emulator.DefaultToken {
		shown = strings.Repeat("*", 8)
	}
	s := &http.Server{Handler: emulator.New(o), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	fmt.Fprintf(cmd.OutOrStdout(), "Stand-in org on http://%s, token %s. Stop with Ctrl-C.\n", l.Addr(), shown)
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		stopped <- s.Shutdown(stop)
	}()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return <-stopped
}

// parseFaults reads PREFIX=KIND[/N].
func parseFaults(texts []string) (emulator.Faults, error) {
	var all emulator.Faults
	for _, text := range texts {
		prefix, kind, ok := strings.Cut(text, "=")
		if !ok || !strings.HasPrefix(prefix, "/") {
			return nil, fmt.Errorf("--fault %q: want PATH-PREFIX=KIND, for example /api/v1/iam=403", text)
		}
		f := emulator.Fault{Prefix: prefix}
		if k, every, ok := strings.Cut(kind, "/"); ok {
			n, err := strconv.Atoi(every)
			if err != nil || n < 1 {
				return nil, fmt.Errorf("--fault %q: %q is no count", text, every)
			}
			kind, f.Every = k, n
		}
		switch kind {
		case "truncate":
			f.Truncate = true
		case "malformed":
			f.Malformed = true
		case "empty":
			f.Empty = true
		case "repeat":
			f.RepeatCursor = true
		case "concurrency":
			f.Status, f.Concurrency = http.StatusTooManyRequests, true
		default:
			status, err := strconv.Atoi(kind)
			if err == nil && status >= 400 && status <= 599 {
				f.Status = status
				break
			}
			if f.Latency, err = time.ParseDuration(kind); err != nil {
				return nil, fmt.Errorf("--fault %q: %q is no status from 400 to 599, no duration, and none of truncate, malformed, empty, repeat, concurrency", text, kind)
			}
		}
		all = append(all, f)
	}
	return all, nil
}
