package org

import (
	"encoding/json"
	"testing"
	"time"
)

func TestRingKeepsTheNewest(t *testing.T) {
	rows := func(list ...string) (out []json.RawMessage) {
		for _, s := range list {
			out = append(out, json.RawMessage(s))
		}
		return out
	}
	for name, c := range map[string]struct {
		rows        []json.RawMessage
		most, bytes int
		want        int
		first       string
	}{
		"room for all":     {rows("1", "2", "3"), 5, 100, 3, "1"},
		"too many":         {rows("1", "2", "3"), 2, 100, 2, "2"},
		"too large":        {rows("1", "22", "33"), 5, 4, 2, "22"},
		"the newest alone": {rows("1", "2", "333333"), 5, 4, 0, ""},
		"nothing":          {nil, 5, 4, 0, ""},
	} {
		r := ring{Rows: c.rows}
		r.trim(c.most, c.bytes)
		if len(r.Rows) != c.want || c.want > 0 && string(r.Rows[0]) != c.first {
			t.Errorf("%s: %s, want %d from %s on", name, r.Rows, c.want, c.first)
		}
	}
}

func TestRequestsRiseThoughTheClockStands(t *testing.T) {
	at := time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)
	var i integrationDoc
	i.resync(at, false)
	first := *i.Resync
	i.resync(at, true)
	if *i.Resync != first {
		t.Errorf("a skipped request is one: %+v", i.Resync)
	}
	i.resync(at.Add(-time.Hour), false)
	if !i.Resync.UpdatedAt.After(first.UpdatedAt) || i.Resync.ID == first.ID {
		t.Errorf("the second request %+v does not come after the first %+v", *i.Resync, first)
	}
}
