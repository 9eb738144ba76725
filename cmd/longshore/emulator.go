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
	"golang.org/x/sync/errgroup"

	"longshore/internal/fault"
	"longshore/internal/source/okta/emulator"
)

const (
	minEmulatedUsers   = 40 // the people of its stories
	maxEmulatedUsers   = 5_000_000
	maxEmulatedChanges = 1000 // a second
)

// emulatorFlags are what the command line says of the stand-in org; what is more than a value is still text.
type emulatorFlags struct {
	listen, control       string
	options               emulator.Options
	faults, noise, limits []string
	hooks, withdrawals    []string
	changes               float64 // a second
	app                   appFlags
}

func newEmulator() *cobra.Command {
	var e emulatorFlags
	cmd := &cobra.Command{
		Use:   "okta-emulator",
		Short: "serve a stand-in Okta org on a port",
		Long: `Okta-emulator serves an org that looks like a real one to any Okta client: users, groups, roles, IAM and the System Log, with Okta's
paging, errors and rate limits. Its data follows from the seed alone. The API token is taken from OKTA_CLIENT_TOKEN; without it, it is
"` + emulator.DefaultToken + `". With --oauth a service app can sign in too.

It makes trouble on demand. --fault PREFIX=WORD,... names the requests by the beginning of their path, what goes wrong, and when:

  what   a status such as 503, or with an error code 401:E0000015; html (with a status: no JSON); a wait such as 3s,
         lognormal:300ms, per-item:2ms (larger pages take longer), stall:40s (in the middle of a body); truncate, truncate-gzip,
         reset, drop; malformed; empty (a page whose next link has the items), nothing ([] as for an app without a role),
         duplicate and vanish (a record twice or never across a page boundary), repeat and restart (next links that lead
         back), foreign or foreign:HOST (a next link to another host), expired-cursor; concurrency (the other kind of 429),
         no-rate-headers, skew:-5m (the server's clock); expired-token, new-nonce
  when   every:N or /N, at:N (the N-th request alone), per-mille:N, from:N, times:N, has:TEXT (in the path), after:2m, for:30s

All of it can be changed while the org runs, over the control API of --control-listen; GET /_emu/ there lists what it can.`,
		Example: `  longshore okta-emulator --users 2000 --seed 7
  longshore okta-emulator --fault /api/v1/iam=403 --fault /api/v1/users=429/3
  longshore okta-emulator --fault /api/v1=lognormal:250ms --fault /api/v1/users=503,per-mille:20
  longshore okta-emulator --users 100000 --limits workforce --share 50 --noise /users=40%
  longshore okta-emulator --withdraw okta.groups.read,client:SSWS,after:100
  longshore okta-emulator --limits free --window 5s --control-listen 127.0.0.1:8091
  longshore okta-emulator --changes 0.5 --index-lag 1s --log-lag 1s --hooks dropped=30%,doubled=20%,shuffled=100%
  longshore okta-emulator --oauth app.pem --dpop --scopes okta.users.read,okta.roles.read
  OKTA_CLIENT_ORGURL=http://127.0.0.1:8090 OKTA_CLIENT_TOKEN=` + emulator.DefaultToken + ` longshore up`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := e.read(cmd); err != nil {
				return &usageError{err}
			}
			return e.run(cmd)
		},
	}
	o := &e.options
	f := cmd.Flags()
	f.StringVar(&e.listen, "listen", "127.0.0.1:8090", "address to serve on; port 0 takes any free one and tells it")
	f.StringVar(&e.control, "control-listen", "", "address of this machine for the control API under /_emu/ (default: none)")
	f.IntVar(&o.Users, "users", 500, "people of the org, from 40 to 5000000")
	f.Uint64Var(&o.Seed, "seed", 1, "what all data follows from")
	f.IntVar(&o.EventsPerDay, "events-per-day", 400, "log events a day, of the whole org; -1 for none")
	f.IntVar(&o.Days, "days", 30, "days of log history, at most 90")
	f.StringArrayVar(&e.faults, "fault", nil, "trouble to make: PREFIX=WORD,... as told above; may be repeated")

	f.Float64Var(&e.changes, "changes", 0, "let the org change by itself, so many times a second on average: people come, go, and get and lose roles")
	f.DurationVar(&o.IndexLag, "index-lag", 0, "how long filter and search of users and groups still show what was (real orgs: about 1s)")
	f.DurationVar(&o.LogLag, "log-lag", 0, "time between a change and its events being in the log, for half of them (real orgs: 1s)")
	f.StringSliceVar(&e.hooks, "hooks", nil, "what goes wrong with event hooks: dropped=30%, doubled=20%, shuffled=100%, delay=2s, with commas between")

	f.StringArrayVar(&e.withdrawals, "withdraw", nil, "take something away while the org runs: token, app, role or a scope, then ,after:N (requests) or ,at:90s, and ,client:ID (SSWS for the API token), such as okta.logs.read,after:40; may be repeated")

	f.StringVar(&o.RateLimits.Profile, "limits", "generous", "rate limits of an org: "+strings.Join(emulator.Profiles(), ", "))
	f.StringArrayVar(&e.limits, "limit", nil, "requests a window of one bucket, over --limits: BUCKET=N, such as /iam=100; may be repeated")
	f.DurationVar(&o.RateLimits.Window, "window", time.Minute, "length of a rate limit's window, at least 2s: shorter ones make tests quick")
	f.IntVar(&o.RateLimits.Share, "share", 100, "per cent of each bucket that one token or app may use (real orgs: 50)")
	f.BoolVar(&o.RateLimits.ShowShare, "show-share", false, "rate headers show the token's share, not the org's ceiling")
	f.IntVar(&o.RateLimits.Concurrency, "concurrency", 75, "requests in flight that the org bears")
	f.IntVar(&o.RateLimits.ConcurrencyShare, "concurrency-share", 100, "per cent of them that one token or app may use (real orgs: 50)")
	f.StringArrayVar(&e.noise, "noise", nil, "another consumer in the background: BUCKET=PER-CENT% or BUCKET=N requests a window, with /BURST so many at once, such as /users=40%/20; may be repeated")
	e.app.add(f)
	return cmd
}

// read turns the flags' texts into options.
func (e *emulatorFlags) read(cmd *cobra.Command) (err error) {
	o := &e.options
	if o.Users < minEmulatedUsers || o.Users > maxEmulatedUsers {
		return fmt.Errorf("--users %d: want a number from %d to %d", o.Users, minEmulatedUsers, maxEmulatedUsers)
	}
	if o.Days < 1 || o.Days > 90 {
		return fmt.Errorf("--days %d: want a number from 1 to 90; Okta keeps its log for 90 days", o.Days)
	}
	for _, line := range e.faults {
		f, err := emulator.ParseFault(line)
		if err != nil {
			return fmt.Errorf("--fault: %w", err)
		}
		o.Faults = append(o.Faults, f)
	}
	for _, line := range e.withdrawals {
		w, err := emulator.ParseWithdrawal(line)
		if err != nil {
			return fmt.Errorf("--withdraw: %w", err)
		}
		o.Withdrawals = append(o.Withdrawals, w)
	}
	if o.RateLimits.Buckets, err = parseLimits(e.limits); err != nil {
		return err
	}
	if err := checkLimits(cmd, o.RateLimits); err != nil {
		return err
	}
	if o.Noise, err = parseNoise(e.noise); err != nil {
		return err
	}
	if err := parseHooks(e.hooks, &o.Hooks); err != nil {
		return err
	}
	if e.changes < 0 || e.changes > maxEmulatedChanges {
		return fmt.Errorf("--changes %v: want a number from 0 to %d a second", e.changes, maxEmulatedChanges)
	}
	if o.IndexLag < 0 || o.LogLag < 0 {
		return errors.New("--index-lag and --log-lag: want a duration from 0 on, such as 2s")
	}
	if e.control != "" {
		if err := loopbackOnly(e.control); err != nil {
			return fmt.Errorf("--control-listen: whoever reaches the control API changes the org, so it stays on this machine: want 127.0.0.1:PORT, not %q", e.control)
		}
	}
	o.Token = os.Getenv("OKTA_CLIENT_TOKEN")
	return e.app.check(cmd)
}

// checkLimits refuses numbers that would silently mean the default.
func checkLimits(cmd *cobra.Command, limits emulator.RateLimits) error {
	for _, c := range []struct {
		flag string
		n    int
		most int
	}{{"share", limits.Share, 100}, {"concurrency-share", limits.ConcurrencyShare, 100}, {"concurrency", limits.Concurrency, 1_000_000}} {
		if c.n < 1 || c.n > c.most {
			return fmt.Errorf("--%s %d: want a number from 1 to %d", c.flag, c.n, c.most)
		}
	}
	if cmd.Flags().Changed("window") && limits.Window <= 0 {
		return fmt.Errorf("--window %s: want a duration of 2s at least", limits.Window)
	}
	return limits.Check()
}

func parseLimits(texts []string) (map[string]int, error) {
	buckets := make(map[string]int)
	for _, text := range texts {
		bucket, number, _ := strings.Cut(text, "=")
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("--limit %q: want BUCKET=N with N from 1 on, such as /iam=100", text)
		}
		buckets[bucket] = n
	}
	return buckets, nil
}

// parseNoise reads BUCKET=N or BUCKET=N%, with /BURST after it.
func parseNoise(texts []string) (all []emulator.Noise, err error) {
	for _, text := range texts {
		bucket, amount, _ := strings.Cut(text, "=")
		amount, burst, bursts := strings.Cut(amount, "/")
		n := emulator.Noise{Bucket: bucket, Name: bucket}
		part, isShare := strings.CutSuffix(amount, "%")
		number, err := strconv.Atoi(part)
		if err == nil && bursts {
			n.Burst, err = strconv.Atoi(burst)
		}
		if err != nil || number < 1 || bursts && n.Burst < 1 {
			return nil, fmt.Errorf("--noise %q: want BUCKET=PER-CENT%% or BUCKET=REQUESTS, such as /users=40%% or /logs=30/10", text)
		}
		if n.Requests = number; isShare {
			n.PerCent, n.Requests = number, 0
		}
		if err := n.Check(); err != nil {
			return nil, fmt.Errorf("--noise %q: %w", text, err)
		}
		all = append(all, n)
	}
	return all, nil
}

// parseHooks reads NAME=PER-CENT% and delay=DURATION.
func parseHooks(texts []string, hooks *emulator.HookOptions) (err error) {
	shares := map[string]*int{"dropped": &hooks.Dropped, "doubled": &hooks.Duplicated, "shuffled": &hooks.Shuffled}
	for _, text := range texts {
		name, value, _ := strings.Cut(text, "=")
		if perMille, known := shares[name]; known {
			percent, ok := strings.CutSuffix(value, "%")
			n, err := strconv.Atoi(percent)
			if err != nil || !ok || n < 0 || n > 100 {
				return fmt.Errorf("--hooks %q: want a per cent, such as %s=20%%", text, name)
			}
			*perMille = n * 10
			continue
		}
		if name != "delay" {
			return fmt.Errorf("--hooks %q: want dropped=, doubled=, shuffled= or delay=", text)
		}
		if hooks.Delay, err = time.ParseDuration(value); err != nil || hooks.Delay < 0 {
			return fmt.Errorf("--hooks %q: want a duration, such as delay=2s", text)
		}
	}
	return nil
}

func (e *emulatorFlags) run(cmd *cobra.Command) error {
	ctx := cmd.Context()
	if insecure, _ := cmd.Flags().GetBool("insecure"); !insecure {
		if err := loopbackOnly(e.listen); err != nil {
			return &usageError{err}
		}
	}
	listener, err := listenAt(ctx, e.listen, "--listen")
	if err != nil {
		return err
	}
	defer listener.Close()
	var control net.Listener
	if e.control != "" {
		if control, err = listenAt(ctx, e.control, "--control-listen"); err != nil {
			return err
		}
		defer control.Close()
	}
	key, err := e.app.key()
	if err != nil {
		return err
	}
	if e.app.file != "" {
		e.options.OAuth = e.app.oauth(key)
	}
	org := emulator.New(e.options)
	defer org.Close()
	if err := org.Live(e.options.Seed, e.changes); err != nil {
		return fmt.Errorf("let the org change: %w", err)
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "Stand-in org on http://%s, token %s. Stop with Ctrl-C.\n", listener.Addr(), e.shownToken())
	if control != nil {
		fmt.Fprintf(out, "Control API on http://%s/_emu/\n", control.Addr())
	}
	if e.app.file != "" {
		e.app.tell(out, "http://"+listener.Addr().String(), key)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return serveUntil(ctx, listener, org) })
	if control != nil {
		group.Go(func() error { return serveUntil(ctx, control, org.Control()) })
	}
	return group.Wait()
}

// shownToken is the API token as it may be printed: only the one that everybody knows.
func (e *emulatorFlags) shownToken() string {
	switch e.options.Token {
	case "", emulator.DefaultToken:
		return emulator.DefaultToken
	}
	return strings.Repeat("*", 8)
}

func listenAt(ctx context.Context, address, flag string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fault.Errorf(fault.Conflict, "listen on %s: %w", address, err).WithHint("another program has this port, or the address is not this machine's: choose one with %s", flag)
	}
	return l, nil
}

// serveUntil serves until the context ends, and for a few seconds more what is being answered.
func serveUntil(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		err := s.Shutdown(stop)
		if errors.Is(err, context.DeadlineExceeded) { // a fault holds answers back for longer
			err = s.Close()
		}
		stopped <- err
	}()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return <-stopped
}
