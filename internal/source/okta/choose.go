package okta

import "longshore/internal/pipeline"

// Choose returns the offered streams of these names, in the order to read them; no names means all. An unknown name
// is fault.Invalid with the nearest real one.
func (s *Source) Choose(names []string) ([]pipeline.Stream, error) {
	if len(names) == 0 {
		return s.Streams(), nil
	}
	wanted := map[string]bool{}
	for _, name := range names {
		if _, err := find(s.offered, name); err != nil {
			return nil, err
		}
		wanted[name] = true
	}
	var chosen []pipeline.Stream
	for _, st := range s.Streams() {
		if wanted[st.Name] {
			chosen = append(chosen, st)
		}
	}
	return chosen, nil
}
