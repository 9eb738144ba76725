package okta

import (
	"strings"

	"longshore/internal/fault"
	"longshore/internal/pipeline"
)

// addsToDefaults begins the name of a stream that is chosen beside the default ones.
const addsToDefaults = "+"

// maxNameBytes is how much of an unknown stream's name a message repeats.
const maxNameBytes = 100

// Choose returns the offered streams of these names, in the order to read them; no names means all but the optional
// ones. Names alone choose just these; a name with a plus in front ("+apps") adds a stream to the default ones. An
// unknown name is fault.Invalid with the nearest real one.
func (s *Source) Choose(names []string) ([]pipeline.Stream, error) {
	specs, err := chosen(s.offered, s.specs(), names)
	if err != nil {
		return nil, err
	}
	return streamsOf(specs), nil
}

// offer returns the streams that a source with the setting Config.Streams offers. With nil that is every stream,
// optional ones marked as such. A stream chosen by name is optional no more.
func offer(all []streamSpec, names []string) ([]streamSpec, error) {
	if names == nil {
		return all, nil
	}
	offered, err := chosen(all, all, names)
	if err != nil {
		return nil, err
	}
	for i := range offered {
		offered[i].Optional = false
	}
	return offered, nil
}

// chosen picks streams of specs by name, in their order. The streams of all are those that an unknown name is
// compared with.
func chosen(specs, all []streamSpec, names []string) ([]streamSpec, error) {
	wanted, defaults := map[string]bool{}, len(names) == 0
	for _, name := range names {
		name, adds := strings.CutPrefix(strings.TrimSpace(name), addsToDefaults)
		if _, err := find(specs, all, name); err != nil {
			return nil, err
		}
		wanted[name], defaults = true, defaults || adds
	}
	var picked []streamSpec
	for _, spec := range specs {
		if wanted[spec.Name] || defaults && !spec.Optional {
			picked = append(picked, spec)
		}
	}
	return picked, nil
}

func streamsOf(specs []streamSpec) []pipeline.Stream {
	streams := make([]pipeline.Stream, len(specs))
	for i, spec := range specs {
		streams[i] = spec.Stream
	}
	return streams
}

// find returns the stream of specs with the name. A name that is only among all is a stream that the settings leave
// out.
func find(specs, all []streamSpec, name string) (streamSpec, error) {
	for _, spec := range specs {
		if spec.Name == name {
			return spec, nil
		}
	}
	var names []string
	for _, spec := range all {
		if spec.Name == name {
			return streamSpec{}, fault.Errorf(fault.Invalid, "stream %q is not among the chosen ones", name).
				WithHint("Add it to the source's streams.")
		}
		names = append(names, spec.Name)
	}
	nearest := fault.Nearest(name, names)
	if len(name) > maxNameBytes {
		name = strings.ToValidUTF8(name[:maxNameBytes], "") + "…"
	}
	e := fault.Errorf(fault.Invalid, "no stream %q: there are %s", name, strings.Join(names, ", "))
	if nearest != "" {
		e = e.WithHint("Did you mean %q?", nearest)
	}
	return streamSpec{}, e
}
