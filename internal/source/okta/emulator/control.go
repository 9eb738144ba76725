package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Control is what a test or an operator steers the org with while it runs: an API of its own, under /_emu/, which knows
// no credential and so belongs on a port of its own that only this machine reaches.
//
//	GET            /_emu/             the routes
//	GET            /_emu/status       the clock, the size, counters, and what is set
//	DELETE         /_emu/stats        counters begin anew
//	GET PUT DELETE /_emu/faults       {"faults":["/api/v1/users=500/3"]}, lines as ParseFault reads them
//	GET PUT        /_emu/limits       {"profile":"workforce","share":50,"window":"10s","buckets":{"/logs":20}}
//	GET PUT DELETE /_emu/noise        {"noise":[{"bucket":"/users","perCent":40}]}
//	GET POST DELETE /_emu/withdrawals {"client":"0oa...","scope":"okta.logs.read","after":20,"at":"90s"}; DELETE takes all back
//	POST           /_emu/nonce        {"grace":false}: a new DPoP nonce
//
// What is sent must be JSON; members left out have their defaults, and unknown ones are refused. Errors are
// {"error":"..."} with 400. The routes that change the org's data stand beside these.
func (o *Org) Control() http.Handler {
	mux := http.NewServeMux()
	routes := map[string]http.HandlerFunc{
		"GET /_emu/status":         steer(func(struct{}) (any, error) { return o.status(), nil }),
		"DELETE /_emu/stats":       steer(func(struct{}) (any, error) { return nil, o.resetStats() }),
		"GET /_emu/faults":         steer(func(struct{}) (any, error) { return o.faultLines(), nil }),
		"PUT /_emu/faults":         steer(o.putFaults),
		"DELETE /_emu/faults":      steer(func(struct{}) (any, error) { return o.putFaults(faultLines{}) }),
		"GET /_emu/limits":         steer(func(struct{}) (any, error) { return wireLimitsOf(o.Limits()), nil }),
		"PUT /_emu/limits":         steer(o.putLimits),
		"GET /_emu/noise":          steer(func(struct{}) (any, error) { return wireNoise{o.Noise()}, nil }),
		"PUT /_emu/noise":          steer(o.putNoise),
		"DELETE /_emu/noise":       steer(func(struct{}) (any, error) { return o.putNoise(wireNoise{}) }),
		"GET /_emu/withdrawals":    steer(func(struct{}) (any, error) { return o.listWithdrawals(), nil }),
		"POST /_emu/withdrawals":   steer(o.addWithdrawal),
		"DELETE /_emu/withdrawals": steer(func(struct{}) (any, error) { o.Restore(); return o.listWithdrawals(), nil }),
		"POST /_emu/nonce": steer(func(in struct {
			Grace bool `json:"grace"`
		},
		) (any, error) {
			o.RotateNonce(in.Grace)
			return nil, nil
		}),
	}
	maps.Copy(routes, o.changeRoutes())
	for pattern, h := range routes {
		mux.HandleFunc(pattern, h)
	}
	index := slices.Sorted(maps.Keys(routes))
	mux.HandleFunc("GET /_emu/{$}", steer(func(struct{}) (any, error) {
		return map[string]any{"routes": index, "bodies": controlBodies()}, nil
	}))
	// A page in a browser must not steer the org that runs beside it.
	return http.NewCrossOriginProtection().Handler(mux)
}

const maxControlBytes = 1 << 20

// controlBodies are examples of what the routes take, for who asks at /_emu/.
func controlBodies() map[string]json.RawMessage {
	return map[string]json.RawMessage{
		"PUT /_emu/faults":       json.RawMessage(`{"faults":["/api/v1/users=500/3"]}`),
		"PUT /_emu/limits":       json.RawMessage(`{"profile":"workforce","share":50,"window":"10s","buckets":{"/logs":20}}`),
		"PUT /_emu/noise":        json.RawMessage(`{"noise":[{"bucket":"/users","perCent":40}]}`),
		"POST /_emu/withdrawals": json.RawMessage(`{"client":"SSWS","refuse":true,"scope":"okta.logs.read","role":true,"after":20,"at":"90s"}`),
		"POST /_emu/nonce":       json.RawMessage(`{"grace":false}`),
		"POST /_emu/mutate":      json.RawMessage(`[{"what":"grant","user":"00u...","role":"HELP_DESK_ADMIN"},{"what":"join","user":"00u...","group":"00g..."}]`),
		"POST /_emu/workload":    json.RawMessage(`{"seed":1,"perSecond":2}`),
		"POST /_emu/clock":       json.RawMessage(`{"advance":"1h30m"}`),
	}
}

// steer makes a handler of what takes a JSON body, possibly empty, and answers with a value; 204 for nil.
func steer[In any](do func(In) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxControlBytes))
		d.DisallowUnknownFields()
		err := d.Decode(&in)
		if errors.Is(err, io.EOF) {
			err = nil
		}
		var out any
		if err == nil {
			out, err = do(in)
		}
		status := http.StatusOK
		switch {
		case err != nil:
			status, out = http.StatusBadRequest, map[string]string{"error": err.Error()}
		case out == nil:
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		_ = e.Encode(out) // the caller may have gone; there is nobody to tell
	}
}

type orgStatus struct {
	Now         time.Time        `json:"now"`
	Seed        uint64           `json:"seed"`
	Users       int              `json:"users"`
	Faults      []string         `json:"faults"`
	Limits      wireLimits       `json:"limits"`
	Noise       []Noise          `json:"noise"`
	Withdrawals []wireWithdrawal `json:"withdrawals"`
	Stats       Stats            `json:"stats"`
}

func (o *Org) status() orgStatus {
	return orgStatus{
		Now: o.Now(), Seed: o.options.Seed, Users: o.options.Users, Faults: o.faultLines().Faults, Limits: wireLimitsOf(o.Limits()),
		Noise: o.Noise(), Withdrawals: o.listWithdrawals().Withdrawals, Stats: o.Stats(),
	}
}

type faultLines struct {
	Faults []string `json:"faults"`
}

func (o *Org) faultLines() faultLines {
	lines := faultLines{Faults: []string{}}
	for _, f := range o.Faults() {
		lines.Faults = append(lines.Faults, f.String())
	}
	return lines
}

func (o *Org) putFaults(in faultLines) (any, error) {
	var faults Faults
	for _, line := range in.Faults {
		f, err := ParseFault(line)
		if err != nil {
			return nil, err
		}
		faults = append(faults, f)
	}
	o.SetFaults(faults)
	return o.faultLines(), nil
}

// wireSpan is a duration as people write it: "90s".
type wireSpan time.Duration

func (s wireSpan) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }

func (s *wireSpan) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration such as 90s", text)
	}
	*s = wireSpan(d)
	return nil
}

type wireLimits struct {
	Profile          string         `json:"profile"`
	Buckets          map[string]int `json:"buckets,omitempty"`
	Window           wireSpan       `json:"window"`
	Share            int            `json:"share"`
	ShowShare        bool           `json:"showShare"`
	Concurrency      int            `json:"concurrency"`
	ConcurrencyShare int            `json:"concurrencyShare"`
}

func wireLimitsOf(l RateLimits) wireLimits {
	return wireLimits{l.Profile, l.Buckets, wireSpan(l.Window), l.Share, l.ShowShare, l.Concurrency, l.ConcurrencyShare}
}

func (o *Org) putLimits(in wireLimits) (any, error) {
	limits := RateLimits{in.Profile, in.Buckets, time.Duration(in.Window), in.Share, in.ShowShare, in.Concurrency, in.ConcurrencyShare}
	if err := limits.Check(); err != nil {
		return nil, err
	}
	o.SetLimits(limits)
	return wireLimitsOf(o.Limits()), nil
}

type wireNoise struct {
	Noise []Noise `json:"noise"`
}

func (o *Org) putNoise(in wireNoise) (any, error) {
	for _, n := range in.Noise {
		if err := n.Check(); err != nil {
			return nil, err
		}
	}
	o.SetNoise(in.Noise)
	return wireNoise{o.Noise()}, nil
}

type wireWithdrawal struct {
	Client string   `json:"client,omitempty"`
	Scope  string   `json:"scope,omitempty"`
	Role   bool     `json:"role,omitempty"`
	Refuse bool     `json:"refuse,omitempty"`
	After  int      `json:"after,omitempty"`
	At     wireSpan `json:"at,omitzero"`
	Done   bool     `json:"done"`
}

type wireWithdrawals struct {
	Withdrawals []wireWithdrawal `json:"withdrawals"`
}

func (o *Org) listWithdrawals() wireWithdrawals {
	now := o.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.withdrawDue(now, "")
	all := wireWithdrawals{Withdrawals: []wireWithdrawal{}}
	for _, w := range o.withdrawals {
		all.Withdrawals = append(all.Withdrawals, wireWithdrawal{w.Client, w.Scope, w.Role, w.Refuse, w.After, wireSpan(w.At), w.done})
	}
	return all
}

func (o *Org) addWithdrawal(in wireWithdrawal) (any, error) {
	if in.Client != "" && in.Client != APIToken && o.appByID(in.Client) == nil {
		return nil, fmt.Errorf("client: the org has no app %q; want its client id, or %s for the API token", in.Client, APIToken)
	}
	if in.Scope != "" && !strings.HasPrefix(in.Scope, "okta.") {
		return nil, fmt.Errorf("scope: %q is none of Okta's, such as okta.users.read", in.Scope)
	}
	o.Withdraw(Withdrawal{Client: in.Client, Scope: in.Scope, Role: in.Role, Refuse: in.Refuse, After: in.After, At: time.Duration(in.At)})
	return o.listWithdrawals(), nil
}
