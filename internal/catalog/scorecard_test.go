package catalog

import (
	"testing"
	"time"
)

func TestStandingClimbsUntilARuleFails(t *testing.T) {
	levels := []string{"Basic", "Bronze", "Silver", "Gold"}
	for name, c := range map[string]struct {
		rules  []string // levels
		passed []bool
		want   string
	}{
		"no rules":                      {nil, nil, "Basic"},
		"all pass":                      {[]string{"Bronze", "Silver", "Gold"}, []bool{true, true, true}, "Gold"},
		"the lowest fails":              {[]string{"Bronze", "Silver", "Gold"}, []bool{false, true, true}, "Basic"},
		"one of two of a level fails":   {[]string{"Bronze", "Silver", "Silver"}, []bool{true, true, false}, "Bronze"},
		"a level without rules between": {[]string{"Bronze", "Gold"}, []bool{true, true}, "Gold"},
		"a level without rules on top":  {[]string{"Bronze", "Silver"}, []bool{true, true}, "Silver"},
		"a rule of the lowest fails":    {[]string{"Basic", "Gold"}, []bool{false, true}, "Basic"},
	} {
		card := scorecard{Levels: levels}
		for _, level := range c.rules {
			card.Rules = append(card.Rules, scorecardRule{Identifier: level, Level: level})
		}
		if got := card.standing(c.passed); got.Level != c.want || len(got.Rules) != len(c.rules) {
			t.Errorf("%s: %+v, want level %s", name, got, c.want)
		}
	}
}

func FuzzScorecard(f *testing.F) {
	f.Add(`{"identifier":"a","title":"A","rules":[{"identifier":"r","level":"Gold","query":{"combinator":"and","conditions":[{"property":"x","operator":"isNotEmpty"}]}}]}`)
	f.Add(`{"identifier":"a","title":"A","filter":{"combinator":"or","rules":[]},"levels":[{"title":"x"}]}`)
	f.Add(`{"levels":null,"rules":[null]}`)
	now := time.Unix(0, 0)
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := completed([]byte(text))
		if err != nil {
			return
		}
		card, err := parseScorecard(doc, now)
		if err != nil {
			return
		}
		again, err := completed(doc)
		if err != nil || string(again) != string(doc) {
			t.Errorf("%q completed again is %q (%v), was %q", text, again, err, doc)
		}
		if s := card.standing(make([]bool, len(card.Rules))); len(s.Rules) != len(card.Rules) || s.Level == "" {
			t.Errorf("%q: standing %+v", text, s)
		}
	})
}
