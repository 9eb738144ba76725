package emulator

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"
)

const (
	maxStepsBytes = 16 << 20 // of a list of steps
	maxSteps      = 100_000  // in one request, listed or drawn
	maxAdvance    = 10 * 365 * 24 * time.Hour
)

// changeRoutes are the control API's routes for what changes:
//
//	POST /_emu/mutate          one Step, a list of them, or {"workload":{"seed":1,"changes":100}}: the new lines of the ledger
//	POST /_emu/workload        {"seed":1,"perSecond":2}: the org changes by itself, until it is 0; GET tells
//	GET  /_emu/steps           the names of all steps
//	GET  /_emu/clock           the org's time; POST {"advance":"1h30m"} sets it forward
//	GET  /_emu/truth/{kind}    JSON Lines of all live objects of a kind, and of all events
//	GET  /_emu/changes?after=n JSON Lines of the ledger, from the line after n
//	GET  /_emu/hooks           what became of deliveries
//	POST /_emu/reset           undoes all changes
func (o *Org) changeRoutes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"POST /_emu/mutate":      o.controlMutate,
		"POST /_emu/workload":    o.controlLive,
		"GET /_emu/workload":     func(w http.ResponseWriter, _ *http.Request) { controlJSON(w, http.StatusOK, o.living.status()) },
		"GET /_emu/steps":        func(w http.ResponseWriter, _ *http.Request) { controlJSON(w, http.StatusOK, Steps()) },
		"GET /_emu/clock":        o.controlClock,
		"POST /_emu/clock":       o.controlAdvance,
		"GET /_emu/truth/{kind}": o.controlTruth,
		"GET /_emu/changes":      o.controlChanges,
		"GET /_emu/hooks":        func(w http.ResponseWriter, _ *http.Request) { controlJSON(w, http.StatusOK, o.HookStats()) },
		"POST /_emu/reset": func(w http.ResponseWriter, _ *http.Request) {
			o.Reset()
			controlJSON(w, http.StatusOK, struct{}{})
		},
	}
}

func controlJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may have gone
}

func controlRefuse(w http.ResponseWriter, status int, why string) {
	controlJSON(w, status, map[string]string{"error": why})
}

type mutateBody struct {
	Step
	Workload *struct {
		Seed    uint64 `json:"seed"`
		Changes int    `json:"changes"`
	} `json:"workload"`
}

// controlMutate stops at the first step that is refused; those before it stay.
func (o *Org) controlMutate(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxStepsBytes))
	if err != nil {
		controlRefuse(w, http.StatusRequestEntityTooLarge, "the body is larger than "+strconv.Itoa(maxStepsBytes)+" bytes, or was cut short")
		return
	}
	steps, workload, err := readSteps(body)
	if err != nil {
		controlRefuse(w, http.StatusBadRequest, err.Error())
		return
	}
	before := o.changeCount()
	if workload != nil {
		life := o.Workload(workload.Workload.Seed)
		for range workload.Workload.Changes {
			if _, err = life.Step(); err != nil {
				break
			}
		}
	}
	for n := 0; n < len(steps) && err == nil; n++ {
		if _, err = o.Do(steps[n]); err != nil {
			err = errors.New("step " + strconv.Itoa(n+1) + ": " + err.Error())
		}
	}
	answer := struct {
		Changes []Change `json:"changes"`
		Error   string   `json:"error,omitempty"`
	}{Changes: o.changesAfter(before, maxSteps)}
	status := http.StatusOK
	if err != nil {
		answer.Error, status = err.Error(), http.StatusConflict
	}
	controlJSON(w, status, answer)
}

func readSteps(body []byte) (steps []Step, workload *mutateBody, err error) {
	if json.Unmarshal(body, &steps) == nil {
		if len(steps) > maxSteps {
			return nil, nil, errors.New("more than " + strconv.Itoa(maxSteps) + " steps")
		}
		return steps, nil, nil
	}
	var one mutateBody
	if err := json.Unmarshal(body, &one); err != nil {
		return nil, nil, errors.New("want a step, a list of steps or a workload: " + err.Error())
	}
	if one.Workload == nil {
		return []Step{one.Step}, nil, nil
	}
	if n := one.Workload.Changes; n < 1 || n > maxSteps {
		return nil, nil, errors.New("changes: want 1 to " + strconv.Itoa(maxSteps))
	}
	return nil, &one, nil
}

// changesAfter returns lines of the ledger after the n-th, at most that many.
func (o *Org) changesAfter(n, most int) []Change {
	o.world.mu.RLock()
	defer o.world.mu.RUnlock()
	n = min(max(n, 0), len(o.world.ledger))
	return append([]Change{}, o.world.ledger[n:min(len(o.world.ledger), n+most)]...)
}

func (o *Org) controlClock(w http.ResponseWriter, _ *http.Request) {
	controlJSON(w, http.StatusOK, map[string]string{"now": o.Now().UTC().Format(time.RFC3339Nano)})
}

func (o *Org) controlAdvance(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Advance string `json:"advance"`
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&body)
	d, bad := time.ParseDuration(body.Advance)
	if err != nil || bad != nil || d < 0 || d > maxAdvance {
		controlRefuse(w, http.StatusBadRequest, `want {"advance":"1h30m"}, at most `+maxAdvance.String()+", and never back")
		return
	}
	o.Advance(d)
	o.controlClock(w, r)
}

func (o *Org) controlLive(w http.ResponseWriter, r *http.Request) {
	var body livingBody
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&body)
	if err == nil {
		err = o.Live(body.Seed, body.PerSecond)
	}
	if err != nil {
		controlRefuse(w, http.StatusBadRequest, `want {"seed":1,"perSecond":2}: `+err.Error())
		return
	}
	controlJSON(w, http.StatusOK, o.living.status())
}

func (o *Org) controlTruth(w http.ResponseWriter, r *http.Request) {
	kind := r.PathValue("kind")
	if !slices.Contains(o.kinds(), kind) {
		controlRefuse(w, http.StatusNotFound, "there is no ledger of "+strconv.Quote(kind))
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	lines := bufio.NewWriter(w)
	for object := range o.Truth(kind) {
		_, _ = lines.Write(object)
		if lines.WriteByte('\n') != nil {
			return // the client has gone
		}
	}
	_ = lines.Flush()
}

func (o *Org) controlChanges(w http.ResponseWriter, r *http.Request) {
	after := 0
	if s := r.URL.Query().Get("after"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			controlRefuse(w, http.StatusBadRequest, "after: want the number of a change")
			return
		}
		after = n
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	lines := json.NewEncoder(w)
	for {
		batch := o.changesAfter(after, 1000)
		if len(batch) == 0 {
			return
		}
		for _, c := range batch {
			if lines.Encode(c) != nil {
				return
			}
		}
		after += len(batch)
	}
}
