package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"sync"

	"longshore/internal/airbyte"
	"longshore/internal/fault"
	"longshore/internal/rawjson"
)

// Specification asks a connector what its configuration looks like: the body of its SPEC, whose member
// connectionSpecification is a JSON schema.
func (r *Runner) Specification(ctx context.Context, c Command) (json.RawMessage, error) {
	a, err := r.ask(ctx, Side{Command: c}, "spec", "SPEC")
	if err != nil {
		return nil, err
	}
	if schema, ok := rawjson.Get(a.body, "connectionSpecification"); !ok || !rawjson.IsObject(schema) {
		return nil, fault.Errorf(fault.Invalid, "the SPEC of %s has no connectionSpecification", c)
	}
	return a.body, nil
}

// Answer is what a connector says of a configuration.
type Answer struct {
	OK      bool
	Message string // why not
	// Config is to be kept in place of the configuration that was given; nil keeps that.
	Config json.RawMessage
	Log    []Line // what it said on the way, the last askedLines of it
}

// askedLines is how many lines of log an Answer has at most.
const askedLines = 200

// Check asks a connector whether a configuration works. That it does not is an Answer; an error says that there is none.
func (r *Runner) Check(ctx context.Context, s Side) (Answer, error) {
	a, err := r.ask(ctx, s, "check", "CONNECTION_STATUS")
	answer := Answer{Config: a.config, Log: a.lines}
	if err != nil {
		return answer, err
	}
	switch status := rawjson.GetString(a.body, "status"); status {
	case "SUCCEEDED", "FAILED":
		answer.OK, answer.Message = status == "SUCCEEDED", (&talk{mask: masker(s.Secrets)}).masked(rawjson.GetString(a.body, "message"))
	default:
		return answer, fault.Errorf(fault.Invalid, "%s answered with the status %q: want SUCCEEDED or FAILED", s.Command, status)
	}
	return answer, nil
}

// Discover asks a source for its streams, each as it describes it.
func (r *Runner) Discover(ctx context.Context, s Side) ([]json.RawMessage, Answer, error) {
	a, err := r.ask(ctx, s, "discover", "CATALOG")
	answer := Answer{OK: err == nil, Config: a.config, Log: a.lines}
	if err != nil {
		return nil, answer, err
	}
	list, _ := rawjson.Get(a.body, "streams")
	var streams []json.RawMessage
	if json.Unmarshal(list, &streams) != nil {
		return nil, answer, fault.Errorf(fault.Invalid, "the CATALOG of %s has no list of streams", s.Command)
	}
	for i, definition := range streams {
		if (Stream{Definition: definition}).Descriptor().Name == "" {
			return nil, answer, fault.Errorf(fault.Invalid, "stream %d in the CATALOG of %s has no name", i, s.Command)
		}
	}
	return streams, answer, nil
}

type asked struct {
	body   json.RawMessage
	config json.RawMessage
	lines  []Line
}

// ask runs one of the commands that answer with a single message, and returns its body.
func (r *Runner) ask(ctx context.Context, s Side, command, want string) (asked, error) {
	c := s.Command
	var a asked
	var mu sync.Mutex
	limits := c.Limits.withDefaults()
	t := &talk{limit: limits.LogLines, mask: masker(s.Secrets), log: func(l Line) {
		mu.Lock()
		defer mu.Unlock()
		if len(a.lines) == askedLines {
			a.lines = append(a.lines[:0], a.lines[1:]...)
		}
		a.lines = append(a.lines, l)
	}}
	dir, remove, err := r.folder()
	if err != nil {
		return a, err
	}
	defer remove()
	l := launch{command: c, args: []string{command}, role: "connector", env: environment(Job{})}
	if command != "spec" {
		if !rawjson.Valid(s.Config) || !rawjson.IsObject(s.Config) {
			return a, notObject(c)
		}
		l.files = map[string][]byte{"config": s.Config}
	}
	p, err := r.start(dir, l)
	if err != nil {
		return a, err
	}
	var ended sync.WaitGroup
	ended.Go(func() { t.stderr("", p.stderr) })
	tooLong := false
	ended.Go(func() {
		select {
		case <-ctx.Done():
		case <-r.clock().After(limits.Ask):
			mu.Lock()
			tooLong = true
			mu.Unlock()
		case <-p.exited:
			return
		}
		p.end()
	})
	bad := a.listen(t, p, want)
	if bad != nil {
		p.end()
		_, _ = io.Copy(io.Discard, p.stdout)
	}
	ended.Wait()
	exit := p.wait()
	p.close()
	switch {
	case ctx.Err() != nil:
		return a, fault.Errorf(fault.Unavailable, "%s of %s: %w", command, c, context.Cause(ctx))
	case tooLong:
		return a, fault.Errorf(fault.Unavailable, "%s of %s gave no answer within %s", command, c, limits.Ask)
	case bad != nil:
		return a, fault.Errorf(fault.Invalid, "%s of %s: %w", command, c, bad)
	case !exit.OK():
		return a, t.failed("", c.String()+" "+command, exit)
	case a.body == nil:
		return a, fault.Errorf(fault.Invalid, "%s of %s ended without a %s", command, c, want)
	}
	return a, nil
}

// listen reads the output to its end. Of two answers the last counts.
func (a *asked) listen(t *talk, p *process, want string) error {
	lines := airbyte.NewLines(p.stdout)
	for {
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		m, ok := airbyte.ParseMessage(line)
		switch {
		case !ok:
			t.junk("", line)
		case m.Type == want:
			a.body = bytes.Clone(m.Body)
		case m.Type == "CONTROL":
			if config, ok := configOf(m); ok {
				a.config = config
			}
		case m.Type == "LOG", m.Type == "TRACE":
			t.message("", m)
		default:
			t.say("", slog.LevelDebug, "an unexpected "+m.Type)
		}
	}
}
