package verdict

import "testing"

func TestNamesReadBack(t *testing.T) {
	all := All()
	if len(all) != 14 {
		t.Errorf("the closed set has %d codes, want 14", len(all))
	}
	for _, c := range all {
		if Parse(c.String()) != c || c.String() == "" {
			t.Errorf("code %d is called %q, which reads back as %d", c, c, Parse(c.String()))
		}
		if rank[c] == 0 {
			t.Errorf("%s has no rank", c)
		}
	}
	if Parse("nonsense") != None || Code(200).String() != "unknown" {
		t.Error("what is not of the set has a place in it")
	}
}

func TestRollUpIsTheMostTelling(t *testing.T) {
	for _, c := range []struct {
		codes []Code
		want  Code
	}{
		{nil, NoMappingMatched},
		{[]Code{Filtered, Filtered}, NoMappingMatched},
		{[]Code{Filtered, Unchanged}, Unchanged},
		{[]Code{Upserted, KeptWithFlags, Filtered}, KeptWithFlags},
		{[]Code{Upserted, SchemaReject}, SchemaReject},
		{[]Code{ExpressionError, SchemaReject}, ExpressionError},
		{[]Code{SupersededByNewer, Unchanged}, SupersededByNewer},
		{[]Code{Upserted, SupersededByNewer}, Upserted},
	} {
		if got := RollUp(c.codes); got != c.want {
			t.Errorf("roll-up of %v is %s, want %s", c.codes, got, c.want)
		}
		for i, j := 0, len(c.codes)-1; i < j; i, j = i+1, j-1 {
			c.codes[i], c.codes[j] = c.codes[j], c.codes[i]
		}
		if got := RollUp(c.codes); got != c.want {
			t.Errorf("roll-up of %v, turned round, is %s, want %s", c.codes, got, c.want)
		}
	}
}

func TestGroupLeavesOutWhatIsOneRecords(t *testing.T) {
	a := Detail{Property: "p", Rule: "type", Value: "1", Message: "want a string, got 1", More: []Detail{{Property: "q", Rule: "type", Value: "2"}}}
	b := Detail{Property: "p", Rule: "type", Value: "8", Message: "want a string, got 8", More: []Detail{{Property: "q", Rule: "type", Value: "9"}}}
	if a.Group().String() != b.Group().String() {
		t.Errorf("groups %s and %s, want one", a.Group(), b.Group())
	}
	if a.Value != "1" || a.More[0].Value != "2" {
		t.Errorf("grouping changed the detail to %+v", a)
	}
	if !(Detail{}).Empty() || a.Empty() {
		t.Error("only the zero detail is empty")
	}
}
