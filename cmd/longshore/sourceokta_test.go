package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"longshore/internal/airbyte"
	"longshore/internal/source/okta/emulator"
)

// airbyteStreams are the streams of Airbyte's own source, with what its discover tells: modes, cursor and key.
var airbyteStreams = map[string]struct {
	cursor string
	key    string // where it is not ours
	ours   string
}{
	"users": {"lastUpdated", `[["id"]]`, ""}, "groups": {"lastUpdated", `[["id"]]`, ""}, "group_members": {"", `[["groupId"],["id"]]`, ""},
	"group_role_assignments": {"", `[["groupId"],["id"]]`, ""}, "custom_roles": {"", `[["id"]]`, ""}, "resource_sets": {"", `[["id"]]`, ""}, "logs": {"published", `[["uuid"]]`, ""},
	"user_role_assignments": {"", `[["userId"],["id"]]`, `[["userId"],["assignmentType"],["id"],["_links","assignee","href"]]`},
	"permissions":           {"", `[["label"]]`, `[["roleId"],["label"]]`},
}

// connectorBench runs longshore source-okta in this process, against a stand-in org over HTTP.
type connectorBench struct {
	t      *testing.T
	dir    string
	config string
}

func newConnectorBench(t *testing.T, handler http.Handler, token string, more string) *connectorBench {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	b := &connectorBench{t: t, dir: t.TempDir()}
	b.config = b.file("config.json", fmt.Sprintf(`{"domain":%q,"credentials":{"auth_type":"api_token","api_token":%q}%s}`, server.URL, token, more))
	return b
}

// pagedOrg is a small org, and a setting that makes it many pages.
func pagedOrg(t *testing.T) *connectorBench {
	org := emulator.New(emulator.Options{Users: 60, Days: 3, EventsPerDay: 40, Token: "right", Now: time.Now().Add(-time.Minute)})
	return newConnectorBench(t, org, "right", `,"page_limit":25,"share":1`)
}

func (b *connectorBench) file(name, text string) string {
	path := filepath.Join(b.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// run runs one command and validates its output, line by line.
func (b *connectorBench) run(code int, args ...string) (*airbyte.Validator, string) {
	b.t.Helper()
	var out, errs bytes.Buffer
	got := run(b.t.Context(), append([]string{"source-okta"}, args...), strings.NewReader(""), &out, &errs)
	v := &airbyte.Validator{}
	if err := v.Read(bytes.NewReader(out.Bytes())); err != nil {
		b.t.Fatalf("%q: %v", args, err)
	}
	if got != code {
		b.t.Fatalf("%q: exit %d, want %d; errors %q, standard error %s", args, got, code, v.Errors, errs.String())
	}
	return v, out.String()
}

func (b *connectorBench) catalog(mode string, streams ...string) string {
	list := make([]string, len(streams))
	for i, name := range streams {
		list[i] = fmt.Sprintf(`{"stream":{"name":%q,"json_schema":{},"supported_sync_modes":["full_refresh"]},"sync_mode":%q,"destination_sync_mode":"append"}`, name, mode)
	}
	return b.file("catalog.json", `{"streams":[`+strings.Join(list, ",")+`]}`)
}

// line is a message, as far as these tests look into it.
type line struct {
	Type   string
	Record struct {
		Stream string
		Data   json.RawMessage
	}
	State struct {
		Stream struct {
			Descriptor struct{ Name string } `json:"stream_descriptor"`
			State      json.RawMessage       `json:"stream_state"`
		}
	}
}

func linesOf(t *testing.T, output string) []line {
	t.Helper()
	var all []line
	for text := range strings.Lines(output) {
		if !strings.HasSuffix(text, "\n") {
			break // the process was cut off in the middle of it
		}
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("line %q: %v", text, err)
		}
		all = append(all, l)
	}
	return all
}

// account is what a platform has once it took these lines: the records, and the newest state of each stream.
func account(lines []line) (records []string, states map[string]json.RawMessage) {
	states = map[string]json.RawMessage{}
	for _, l := range lines {
		switch l.Type {
		case "RECORD":
			records = append(records, l.Record.Stream+" "+string(l.Record.Data))
		case "STATE":
			states[l.State.Stream.Descriptor.Name] = l.State.Stream.State
		}
	}
	return records, states
}

func (b *connectorBench) states(states map[string]json.RawMessage) string {
	list := []string{}
	for _, name := range slices.Sorted(maps.Keys(states)) {
		list = append(list, fmt.Sprintf(`{"type":"STREAM","stream":{"stream_descriptor":{"name":%q},"stream_state":%s}}`, name, states[name]))
	}
	return b.file("state.json", "["+strings.Join(list, ",")+"]")
}

func TestSourceOktaDiscoverIsThatOfAirbytesSource(t *testing.T) {
	b := pagedOrg(t)
	_, out := b.run(exitOK, "discover", "--config", b.config)
	var told struct{ Catalog airbyte.Catalog }
	if err := json.Unmarshal([]byte(out), &told); err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, s := range told.Catalog.Streams {
		want, theirs := airbyteStreams[s.Name]
		if !theirs {
			continue
		}
		found++
		modes, cursor := []string{"full_refresh"}, []string(nil)
		if want.cursor != "" {
			modes, cursor = append(modes, "incremental"), []string{want.cursor}
		}
		key, _ := json.Marshal(s.PrimaryKey)
		if want.ours != "" {
			want.key = want.ours
		}
		if string(key) != want.key || !slices.Equal(s.Modes, modes) || !slices.Equal(s.DefaultCursor, cursor) || s.SourceCursor != (cursor != nil) {
			t.Errorf("%s: key %s, modes %q, cursor %q; want %s, %q, %q", s.Name, key, s.Modes, s.DefaultCursor, want.key, modes, cursor)
		}
		var schema struct{ Properties map[string]any }
		if err := json.Unmarshal(s.Schema, &schema); err != nil || len(schema.Properties) == 0 {
			t.Errorf("%s: the schema has no properties: %v", s.Name, err)
		}
		for _, path := range s.PrimaryKey {
			if schema.Properties[path[0]] == nil {
				t.Errorf("%s: the schema does not tell the key's member %q", s.Name, path[0])
			}
		}
	}
	if found != len(airbyteStreams) {
		t.Errorf("%d of Airbyte's %d streams are offered", found, len(airbyteStreams))
	}
}

func TestSourceOktaReadGoesOnFromEachOfItsStates(t *testing.T) {
	b := pagedOrg(t)
	var streams []string
	for name := range airbyteStreams {
		streams = append(streams, name)
	}
	slices.Sort(streams)
	catalog := b.catalog("full_refresh", streams...)
	v, clean := b.run(exitOK, "read", "--config="+b.config, "--catalog="+catalog)
	lines := linesOf(t, clean)
	want, _ := account(lines)
	for name := range airbyteStreams {
		if v.Records[name] == 0 || v.Ends[name] != "COMPLETE" {
			t.Errorf("%s: %d records, %s; want some, and COMPLETE", name, v.Records[name], v.Ends[name])
		}
	}
	var ends []int
	for i, l := range lines {
		if l.Type == "STATE" {
			ends = append(ends, i+1)
		}
	}
	if !strings.Contains(clean, `"estimate":{"name":"users","type":"STREAM","row_estimate":`) {
		t.Error("no estimate of users is told")
	}
	resumes := 20
	if testing.Short() {
		resumes = 5
	}
	step := max(1, len(ends)/resumes)
	for i := 0; i < len(ends); i += step {
		taken, states := account(lines[:ends[i]])
		_, rest := b.run(exitOK, "read", "--config", b.config, "--catalog", catalog, "--state", b.states(states))
		more, _ := account(linesOf(t, rest))
		if got := append(taken, more...); !sameRecords(got, want) {
			t.Errorf("resumed behind state %d of %d (%s): %d records, want %d: %s", i, len(ends), states, len(got), len(want), firstDifference(got, want))
		}
	}
}

func sameRecords(got, want []string) bool {
	got, want = slices.Clone(got), slices.Clone(want)
	slices.Sort(got)
	slices.Sort(want)
	return slices.Equal(got, want)
}

func firstDifference(got, want []string) string {
	count := map[string]int{}
	for _, r := range got {
		count[r]++
	}
	for _, r := range want {
		count[r]--
	}
	for r, n := range count {
		if n != 0 {
			return fmt.Sprintf("%+d of %.150s", n, r)
		}
	}
	return "the same records"
}

// tornPipe takes so many bytes, and then its reader is gone.
type tornPipe struct {
	bytes.Buffer
	left int
}

func (p *tornPipe) Write(b []byte) (int, error) {
	n := min(len(b), p.left)
	p.left -= n
	p.Buffer.Write(b[:n])
	if n < len(b) {
		return n, io.ErrClosedPipe
	}
	return n, nil
}

func TestSourceOktaReadTornOffAnywhereIsMadeWholeFromItsLastState(t *testing.T) {
	b := pagedOrg(t)
	catalog := b.catalog("full_refresh", "users", "group_members", "user_role_assignments", "logs")
	_, clean := b.run(exitOK, "read", "--config", b.config, "--catalog", catalog)
	want, _ := account(linesOf(t, clean))
	step := 1
	if testing.Short() {
		step = 4
	}
	for i := 1; i < 10; i += step {
		pipe := &tornPipe{left: len(clean) * i / 10}
		if code := run(t.Context(), []string{"source-okta", "read", "--config", b.config, "--catalog", catalog}, strings.NewReader(""), pipe, io.Discard); code == exitOK {
			t.Fatalf("torn off after %d bytes: exit 0", pipe.Len())
		}
		lines := linesOf(t, pipe.String())
		taken, states := account(lines)
		_, rest := b.run(exitOK, "read", "--config", b.config, "--catalog", catalog, "--state", b.states(states))
		more, _ := account(linesOf(t, rest))
		got := append(taken, more...)
		behind := 0 // records behind the last state may come twice
		for j := len(lines) - 1; j >= 0 && lines[j].Type != "STATE"; j-- {
			if lines[j].Type == "RECORD" {
				behind++
			}
		}
		if len(got) > len(want)+behind {
			t.Errorf("torn off at %d/10: %d records, of %d; want at most %d more", i, len(got), len(want), behind)
		}
		slices.Sort(got)
		if got = slices.Compact(got); !sameRecords(got, slices.Compact(slices.Sorted(slices.Values(want)))) {
			t.Errorf("torn off at %d/10: %s", i, firstDifference(got, want))
		}
	}
}

func TestSourceOktaTakesOverAStateOfAirbytesSource(t *testing.T) {
	b := pagedOrg(t)
	_, clean := b.run(exitOK, "read", "--config", b.config, "--catalog", b.catalog("full_refresh", "users", "groups", "logs"))
	for stream, cursor := range map[string]string{"users": "lastUpdated", "groups": "lastUpdated", "logs": "published"} {
		var times []string
		byTime := map[string]string{}
		for _, l := range linesOf(t, clean) {
			var data map[string]any
			if l.Type != "RECORD" || l.Record.Stream != stream || json.Unmarshal(l.Record.Data, &data) != nil {
				continue
			}
			at, _ := data[cursor].(string)
			if moved, ok := data["lastMembershipUpdated"].(string); ok && moved > at {
				at = moved
			}
			times = append(times, at)
			byTime[string(l.Record.Data)] = at
		}
		slices.Sort(times)
		bound := times[len(times)/2]
		if stream == "logs" {
			bound = bound[:len("2006-01-02T15:04:05")] + "Z"
		}
		state := b.states(map[string]json.RawMessage{stream: json.RawMessage(fmt.Sprintf(`{%q:%q}`, cursor, bound))})
		v, out := b.run(exitOK, "read", "--config", b.config, "--catalog", b.catalog("incremental", stream), "--state", state)
		records, states := account(linesOf(t, out))
		for record, at := range byTime {
			if at >= bound && !slices.Contains(records, stream+" "+record) {
				t.Errorf("%s from %s: the record of %s is missing", stream, bound, at)
			}
		}
		if len(records) == 0 || len(records) >= len(byTime) || v.Ends[stream] != "COMPLETE" {
			t.Errorf("%s from %s: %d records of %d, %s; want those since", stream, bound, len(records), len(byTime), v.Ends[stream])
		}
		// And Airbyte's source finds its own member in ours.
		var back map[string]any
		if err := json.Unmarshal(states[stream], &back); err != nil {
			t.Fatal(err)
		}
		layout := map[string]string{"lastUpdated": "2006-01-02T15:04:05.000Z", "published": "2006-01-02T15:04:05Z"}[cursor]
		told, _ := back[cursor].(string)
		if _, err := time.Parse(layout, told); err != nil || told < bound {
			t.Errorf("%s: the state %s has the %s %q, want a time such as %s that is not before %s", stream, states[stream], cursor, told, layout, bound)
		}
		_, again := b.run(exitOK, "read", "--config", b.config, "--catalog", b.catalog("incremental", stream), "--state", b.states(states))
		if rest, _ := account(linesOf(t, again)); len(rest) > 0 && stream != "logs" && len(rest) >= len(records) {
			t.Errorf("%s: reading on from %s gives %d records again", stream, states[stream], len(rest))
		}
	}
}

func TestSourceOktaStateOfAHalfReadStreamSkipsNothing(t *testing.T) {
	b := pagedOrg(t)
	_, out := b.run(exitOK, "read", "--config", b.config, "--catalog", b.catalog("incremental", "users"))
	states := 0
	for _, l := range linesOf(t, out) {
		if l.Type != "STATE" {
			continue
		}
		states++
		var st struct {
			LastUpdated string
			Done        bool
		}
		if err := json.Unmarshal(l.State.Stream.State, &st); err != nil || st.Done != (st.LastUpdated != "") {
			t.Errorf("state %s: want lastUpdated when it is done, and not before", l.State.Stream.State)
		}
	}
	if states < 3 {
		t.Errorf("%d states, want one a page", states)
	}
}

func TestSourceOktaCheckTellsAndEndsWell(t *testing.T) {
	org := emulator.New(emulator.Options{Users: 40, Token: "right"})
	for token, want := range map[string]string{"right": `"status":"SUCCEEDED"`, "wrong-secret": `"status":"FAILED"`} {
		b := newConnectorBench(t, org, token, "")
		if _, out := b.run(exitOK, "check", "--config", b.config); !strings.Contains(out, want) || strings.Contains(out, "wrong-secret") {
			t.Errorf("token %q: %s", token, out)
		}
	}
}

func TestSourceOktaReadTellsAStreamThatIsRefusedAndReadsTheOthers(t *testing.T) {
	org := emulator.New(emulator.Options{Users: 40, Token: "right", Faults: emulator.Faults{{Prefix: "/api/v1/iam", Status: 403}}})
	b := newConnectorBench(t, org, "right", "")
	v, out := b.run(exitFailed, "read", "--config", b.config, "--catalog", b.catalog("full_refresh", "users", "custom_roles", "groups"))
	if v.Ends["users"] != "COMPLETE" || v.Ends["custom_roles"] != "INCOMPLETE" || v.Ends["groups"] != "COMPLETE" || !strings.Contains(out, "403") || !strings.Contains(out, `"config_error"`) {
		t.Errorf("ends %v, errors %q", v.Ends, v.Errors)
	}
}

func TestSourceOktaTakesOlderConfigurations(t *testing.T) {
	org := emulator.New(emulator.Options{Users: 40, Token: "right"})
	b := newConnectorBench(t, org, "right", "")
	var config map[string]any
	text, err := os.ReadFile(b.config)
	if err != nil || json.Unmarshal(text, &config) != nil {
		t.Fatal(err)
	}
	old := b.file("old.json", fmt.Sprintf(`{"base_url":%q,"token":"right","start_date":"2026-01-01T00:00:00Z"}`, config["domain"]))
	v, out := b.run(exitOK, "check", "--config", old)
	if v.Counts["CONTROL"] != 1 || !strings.Contains(out, `"credentials":{"api_token":"right","auth_type":"api_token"}`) || !strings.Contains(out, `"SUCCEEDED"`) {
		t.Errorf("%s", out)
	}
}

func TestSourceOktaStoppedByASignalEndsWithWholeLines(t *testing.T) {
	org := emulator.New(emulator.Options{Users: 200, Token: "right"})
	ctx, stop := context.WithCancelCause(t.Context())
	requests := 0
	b := newConnectorBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests++; requests == 4 {
			stop(errors.New("terminated"))
		}
		org.ServeHTTP(w, r)
	}), "right", `,"page_limit":25`)
	var out, errs bytes.Buffer
	code := run(ctx, []string{"source-okta", "read", "--config", b.config, "--catalog", b.catalog("full_refresh", "users", "groups")}, strings.NewReader(""), &out, &errs)
	v := &airbyte.Validator{}
	if err := v.Read(&out); err != nil || code != exitFailed || v.Ends["users"] != "INCOMPLETE" || v.Ends["groups"] != "" || v.States["users"] == nil {
		t.Errorf("exit %d, %v, ends %v, states %s", code, err, v.Ends, v.States)
	}
}

// A platform tries a failed read again from the states of the first try: that must not come out as complete.
func TestSourceOktaReadOfAStreamWithAGapStaysIncompleteWhenItIsTriedAgain(t *testing.T) {
	org := emulator.New(emulator.Options{Users: 60, Token: "right"})
	group := ""
	for line := range org.Truth("group_members") {
		var member struct{ GroupID string }
		if err := json.Unmarshal(line, &member); err != nil {
			t.Fatal(err)
		}
		group = member.GroupID
	}
	org.SetFaults(emulator.Faults{{Prefix: "/api/v1/groups/" + group + "/users", Status: 403}})
	b := newConnectorBench(t, org, "right", `,"share":1`)
	args := []string{"read", "--config", b.config, "--catalog", b.catalog("full_refresh", "group_members")}
	_, out := b.run(exitFailed, args...)
	first, states := account(linesOf(t, out))
	for range 2 {
		v, out := b.run(exitFailed, append(args, "--state", b.states(states))...)
		again, next := account(linesOf(t, out))
		if v.Ends["group_members"] != "INCOMPLETE" || len(again) != len(first) {
			t.Fatalf("tried again: %v, %d records, want it incomplete with %d", v.Ends, len(again), len(first))
		}
		states = next
	}
	org.SetFaults(nil)
	if v, _ := b.run(0, append(args, "--state", b.states(states))...); v.Ends["group_members"] != "COMPLETE" {
		t.Errorf("once all may be read: %v", v.Ends)
	}
}
