package tally

import (
	"encoding/json"
	"testing"
)

func TestSumTellsOneRecord(t *testing.T) {
	a, b, c := []byte(`{"id":1}`), []byte(`{"id":2}`), []byte(`{"id":3}`)
	whole := Of([][]byte{a, b, c})
	if got := Of([][]byte{c, a, b}); got != whole {
		t.Errorf("in another order the sum is %s, want %s", got, whole)
	}
	for name, records := range map[string][][]byte{
		"removed": {a, b}, "doubled": {a, b, c, c}, "altered": {a, b, []byte(`{"id":4}`)}, "one doubled for another": {a, b, b},
	} {
		if got := Of(records); got == whole || Differ(whole, got) == "" {
			t.Errorf("%s: the sum is %s still", name, got)
		}
	}
	if Differ(whole, whole) != "" {
		t.Error("equal sums differ")
	}
	text, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	var back Sum
	if err := json.Unmarshal(text, &back); err != nil || back != whole {
		t.Errorf("%s is read back as %s, %v", text, back, err)
	}
	if err := json.Unmarshal([]byte(`"nonsense"`), &back); err == nil {
		t.Error("nonsense is read as a sum")
	}
}
