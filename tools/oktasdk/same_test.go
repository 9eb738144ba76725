package oktasdk

import (
	"encoding/json"
	"testing"
)

func TestCompareTellsEveryLoss(t *testing.T) {
	for _, c := range []struct {
		served, decoded string
		lost            int
	}{
		{`{"a":1,"b":null}`, `{"a":1,"c":2}`, 0},
		{`{"at":"2026-01-02T03:04:05.000Z"}`, `{"at":"2026-01-02T03:04:05Z"}`, 0},
		{`{"at":"2026-01-02T03:04:05.000Z"}`, `{"at":"2026-01-02T03:04:06Z"}`, 1},
		{`{"a":{"b":"x"}}`, `{"a":{}}`, 1},
		{`{"a":{"b":"x"}}`, `{}`, 1},
		{`[{"a":true},{"a":false}]`, `[{"a":true}]`, 1},
		{`{"a":1.5,"b":"x"}`, `{"a":1,"b":"y"}`, 2},
	} {
		var want, got any
		if err := json.Unmarshal([]byte(c.served), &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(c.decoded), &got); err != nil {
			t.Fatal(err)
		}
		var lost []string
		compare("", want, got, &lost)
		if len(lost) != c.lost {
			t.Errorf("%s decoded to %s: told %q, want %d losses", c.served, c.decoded, lost, c.lost)
		}
	}
}
