package fault

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	names := []string{"blueprint", "filter", "identifier", "itemsToParse", "itemsToParseName"}
	for name, want := range map[string]string{
		"filtr": "filter", "identifer": "identifier", "ITEMSTOPARSE": "itemsToParse", "itemsToParsName": "itemsToParseName",
		"zzz": "", "": "", strings.Repeat("filter", 100): "",
	} {
		if got := Nearest(name, names); got != want {
			t.Errorf("Nearest(%.20q) = %q, want %q", name, got, want)
		}
	}
}
