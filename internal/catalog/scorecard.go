package catalog

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of scorecards.
const (
	maxScorecards     = 100 // of a blueprint
	maxScorecardRules = 100
	maxLevels         = 20
)

// scorecard is what of a scorecard's document decides about entities.
type scorecard struct {
	Identifier string
	Filter     json.RawMessage // entities that do not match have no place in it; nil takes all
	Levels     []string        // titles, lowest first
	Rules      []scorecardRule // in document order
}

type scorecardRule struct {
	Identifier string          `json:"identifier"`
	Title      string          `json:"title"`
	Level      string          `json:"level"`
	Query      json.RawMessage `json:"query"`
}

// defaultLevels are the levels of a scorecard that has none of its own.
const defaultLevels = `[{"title":"Basic","color":"paleBlue"},{"title":"Bronze","color":"bronze"},{"title":"Silver","color":"silver"},{"title":"Gold","color":"gold"}]`

// completed is a scorecard's document with what it must have, without what the server sets.
func completed(doc json.RawMessage) (json.RawMessage, error) {
	list, err := ordered(doc)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(m orderedMember) bool { return serverMembers[m.Name] || m.Name == "blueprint" })
	if v, _ := lookup(list, "levels"); isNull(v) || string(v) == "[]" {
		list = withMember(list, "levels", json.RawMessage(defaultLevels))
	}
	if v, _ := lookup(list, "rules"); isNull(v) {
		list = withMember(list, "rules", json.RawMessage("[]"))
	}
	return render(list), nil
}

// parseScorecard reads a document that is completed. Errors: fault.Invalid, naming the rule or level.
func parseScorecard(doc json.RawMessage, now time.Time) (scorecard, error) {
	var w struct {
		Identifier string          `json:"identifier"`
		Title      string          `json:"title"`
		Filter     json.RawMessage `json:"filter"`
		Levels     []struct {
			Title string `json:"title"`
			Color string `json:"color"`
		} `json:"levels"`
		Rules []scorecardRule `json:"rules"`
	}
	if err := json.Unmarshal(doc, &w); err != nil {
		return scorecard{}, invalidRequest("scorecard: %w", err)
	}
	s := scorecard{Identifier: w.Identifier, Rules: w.Rules}
	switch {
	case !legalBlueprintID(w.Identifier):
		return s, invalidRequest("scorecard identifier %q: want 1 to 100 letters, digits or @_.+:\\/-", w.Identifier)
	case w.Title == "" || utf8.RuneCountInString(w.Title) > 100:
		return s, invalidRequest("scorecard %q: title: want 1 to 100 characters", w.Identifier)
	case len(w.Levels) > maxLevels || len(w.Rules) > maxScorecardRules:
		return s, invalidRequest("scorecard %q: at most %d levels and %d rules", w.Identifier, maxLevels, maxScorecardRules)
	}
	for _, level := range w.Levels {
		if level.Title == "" || slices.Contains(s.Levels, level.Title) {
			return s, invalidRequest("scorecard %q: level %q: want titles, each once", w.Identifier, level.Title)
		}
		s.Levels = append(s.Levels, level.Title)
	}
	if !isNull(w.Filter) {
		s.Filter = w.Filter
		if err := checkScorecardQuery(w.Filter, now); err != nil {
			return s, invalidRequest("scorecard %q: filter: %w", w.Identifier, err)
		}
	}
	seen := map[string]bool{}
	for _, r := range w.Rules {
		switch {
		case r.Identifier == "" || seen[r.Identifier]:
			return s, invalidRequest("scorecard %q: rule %q: want identifiers, each once", w.Identifier, r.Identifier)
		case !slices.Contains(s.Levels, r.Level):
			return s, invalidRequest("scorecard %q: rule %q: level %q: want one of %s", w.Identifier, r.Identifier, r.Level, strings.Join(s.Levels, ", "))
		}
		seen[r.Identifier] = true
		if err := checkScorecardQuery(r.Query, now); err != nil {
			return s, invalidRequest("scorecard %q: rule %q: %w", w.Identifier, r.Identifier, err)
		}
	}
	return s, nil
}

// checkScorecardQuery refuses a query that cannot be read, or that hangs on scorecards itself.
func checkScorecardQuery(query json.RawMessage, now time.Time) error {
	r, err := ParseQuery(query, now)
	if err == nil && r.asksScorecards() {
		err = invalidRequest("query: a scorecard cannot look at scorecards")
	}
	return err
}

// asksScorecards reports whether a condition looks at a level or at a rule's status.
func (r *Rule) asksScorecards() bool {
	return r.Subject.Kind == ScorecardValue || slices.ContainsFunc(r.Rules, func(sub Rule) bool { return sub.asksScorecards() })
}

// The statuses of a rule.
const (
	ruleSuccess = "SUCCESS"
	ruleFailure = "FAILURE"
)

// standing is where an entity stands in a scorecard.
type standing struct {
	Level string         `json:"level,omitempty"`
	Rules []ruleStanding `json:"rules"`
}

type ruleStanding struct {
	Identifier string `json:"identifier"`
	Status     string `json:"status"`
	Level      string `json:"level"`
}

// standing climbs the levels: an entity has the highest level that has rules and at which, as at all below it, every
// rule passes; without one, the lowest level. passed is by rule.
func (s *scorecard) standing(passed []bool) standing {
	out := standing{Rules: make([]ruleStanding, len(s.Rules))}
	failed, ruled := map[string]bool{}, map[string]bool{}
	for i, r := range s.Rules {
		out.Rules[i] = ruleStanding{r.Identifier, ruleSuccess, r.Level}
		ruled[r.Level] = true
		if !passed[i] {
			out.Rules[i].Status, failed[r.Level] = ruleFailure, true
		}
	}
	for i, level := range s.Levels {
		if failed[level] {
			break
		}
		if i == 0 || ruled[level] {
			out.Level = level
		}
	}
	if out.Level == "" && len(s.Levels) > 0 {
		out.Level = s.Levels[0]
	}
	return out
}
