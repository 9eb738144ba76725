package airbyte

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"longshore/internal/fault"
)

func TestMessagesAreTakenApart(t *testing.T) {
	m, ok := ParseMessage([]byte(` {"type":"RECORD","x":1,"record":{"stream":"users","namespace":null,"data":{"n":12345678901234567890},"emitted_at":1741338302034.0,"meta":{"changes":[{"field":"a"}]}}} `))
	if !ok || m.Type != "RECORD" {
		t.Fatalf("parsed as %+v, %t", m, ok)
	}
	r, err := m.Record()
	if err != nil {
		t.Fatal(err)
	}
	if r.Stream != (Descriptor{Name: "users"}) || string(r.Data) != `{"n":12345678901234567890}` || r.EmittedAt.UnixMilli() != 1741338302034 || string(r.Changes) != `[{"field":"a"}]` {
		t.Errorf("the record is %+v, data %s, changes %s", r, r.Data, r.Changes)
	}
	m, ok = ParseMessage([]byte(`{"type":"TRACE","trace":{"type":"STREAM_STATUS","emitted_at":1.5,"stream_status":{"stream_descriptor":{"name":"a","namespace":"n"},"status":"COMPLETE"}}}`))
	if d, status, is := m.StreamStatus(); !ok || !is || d != (Descriptor{"a", "n"}) || status != StatusComplete {
		t.Errorf("the status is %v %q, %t", d, status, is)
	}
}

func TestWhatIsNoMessageIsLogText(t *testing.T) {
	for _, line := range []string{"", "starting", "[]", `{"type":"NEW","new":{}}`, `{"type":"RECORD"}`, `{"type":"RECORD","record":3}`, `{"type":"STATE","state":{}`, `{"record":{}}`} {
		if m, ok := ParseMessage([]byte(line)); ok {
			t.Errorf("%q is a message: %+v", line, m)
		}
	}
}

func TestBrokenBodiesAreRefused(t *testing.T) {
	for _, line := range []string{
		`{"type":"RECORD","record":{"data":{},"emitted_at":1}}`,
		`{"type":"RECORD","record":{"stream":"a","data":[],"emitted_at":1}}`,
		`{"type":"RECORD","record":{"stream":"a","data":{}}}`,
		`{"type":"RECORD","record":{"stream":"a","data":{},"emitted_at":"now"}}`,
	} {
		m, ok := ParseMessage([]byte(line))
		if _, err := m.Record(); !ok || !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want invalid", line, err)
		}
	}
	for _, line := range []string{`{"type":"STATE","state":{"type":"STREAM"}}`, `{"type":"STATE","state":{"type":"OTHER"}}`} {
		m, _ := ParseMessage([]byte(line))
		if _, err := m.State(); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want invalid", line, err)
		}
	}
}

// What a source said in a state stands as it was, byte for byte, behind the destination's count.
func TestStateIsGivenBackAsItCame(t *testing.T) {
	m, _ := ParseMessage([]byte(`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":{"__ab_x":1e400,"b":12345678901234567890,"a":"é\u2028"}},"sourceStats":{"recordCount":412.0}},"id":7}`))
	want := `{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":{"__ab_x":1e400,"b":12345678901234567890,"a":"é\u2028"}},"sourceStats":{"recordCount":412.0},"destinationStats":{"recordCount":411.0}},"id":7}`
	if got := string(m.WithDestinationStats(411)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for state, want := range map[string]State{
		`{"data":{"users":{}}}`:      {Type: LegacyType},
		`{"type":"GLOBAL"}`:          {Type: GlobalType},
		`{"type":"LEGACY","data":1}`: {Type: LegacyType},
		`{"type":"STREAM","stream":{"stream_descriptor":{"name":"a","namespace":null}}}`: {StreamType, Descriptor{Name: "a"}},
	} {
		m, _ := ParseMessage([]byte(`{"type":"STATE","state":` + state + `}`))
		if got, err := m.State(); err != nil || got != want {
			t.Errorf("%s is %+v, %v; want %+v", state, got, err, want)
		}
	}
}

func TestLinesOfAnyLength(t *testing.T) {
	long := strings.Repeat("x", 3*outBytes)
	lines := NewLines(strings.NewReader("a\n\n" + long + "\nlast"))
	for _, want := range []string{"a", "", long, "last"} {
		got, err := lines.Next()
		if err != nil || string(got) != want {
			t.Fatalf("line %d has %d bytes, %v; want %d", lines.Count(), len(got), err, len(want))
		}
	}
	if _, err := lines.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last line: %v", err)
	}
	if _, err := NewLines(io.LimitReader(endless{}, 2*MaxLineBytes)).Next(); !fault.Is(err, fault.Invalid) {
		t.Errorf("a line without an end: %v, want invalid", err)
	}
}

// endless is a line that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func FuzzParseMessage(f *testing.F) {
	f.Add([]byte(`{"type":"RECORD","record":{"stream":"users","data":{},"emitted_at":1}}`))
	f.Add([]byte(`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"a"}}}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		m, ok := ParseMessage(line)
		if !ok {
			return
		}
		_, _ = m.Record()
		if _, err := m.State(); err == nil && m.Type == "STATE" {
			back, ok := ParseMessage(m.WithDestinationStats(3))
			if !ok || back.Type != "STATE" {
				t.Errorf("%s is given back as %s", line, m.WithDestinationStats(3))
			}
		}
		m.StreamStatus()
	})
}

// A long line is gathered in pieces, and put together once.
func TestLongLineStandsInMemoryTwiceAtMost(t *testing.T) {
	const length = 32 << 20
	lines := NewLines(io.MultiReader(io.LimitReader(endless{}, length), strings.NewReader("\n")))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	line, err := lines.Next()
	runtime.ReadMemStats(&after)
	if err != nil || len(line) != length {
		t.Fatalf("read %d bytes, %v", len(line), err)
	}
	if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(2*length+8<<20); got > limit {
		t.Errorf("a line of %d bytes took %d bytes of memory, want %d at most", length, got, limit)
	}
}
