package emulator

import "maps"

// Stats are what the org has answered so far, and what became of its noise.
type Stats struct {
	Requests    map[string]int         `json:"requests"`    // of clients, by bucket; those that got a 429 too
	Statuses    map[int]int            `json:"statuses"`    // by HTTP status
	Throttled   int                    `json:"throttled"`   // 429 answers because a window was used up
	Crowded     int                    `json:"crowded"`     // 429 answers because too much was in flight
	MaxInFlight int                    `json:"maxInFlight"` // of clients
	Tokens      int                    `json:"tokens"`      // access tokens given out
	Bytes       int64                  `json:"bytes"`       // of bodies
	Clients     map[string]ClientStats `json:"clients"`     // by client id, APIToken, or Nobody
	Noise       map[string]NoiseStats  `json:"noise"`       // by name
	Displaced   int                    `json:"displaced"`   // 429s that noise got only because of what clients had used: a considerate client keeps it at 0
	Foreign     int                    `json:"foreign"`     // requests sent to a host that only a ForeignLink names
	Leaked      int                    `json:"leaked"`      // of them those that brought a credential along
}

// ClientStats are one client's part of Stats.
type ClientStats struct {
	Requests     map[string]int `json:"requests"`     // by bucket
	MostInWindow map[string]int `json:"mostInWindow"` // by bucket: the most requests let through in one window
	Statuses     map[int]int    `json:"statuses"`     // by HTTP status
	Throttled    int            `json:"throttled"`
	Crowded      int            `json:"crowded"`
	Planned      int            `json:"planned"` // 429 answers that a fault made
	MaxInFlight  int            `json:"maxInFlight"`
	Bytes        int64          `json:"bytes"`

	flying int
}

// NoiseStats are what became of one noisy consumer's requests.
type NoiseStats struct {
	Sent      int `json:"sent"`
	Throttled int `json:"throttled"` // got a 429
	Displaced int `json:"displaced"` // of them those that would have been let through, had clients sent nothing
}

// Nobody names in Stats who has not said who they are: at the token endpoint, or with a credential that is not let in.
const Nobody = "nobody"

const maxClients = 1000 // counted one by one; the others count as Nobody

// Stats returns a copy of the counters.
func (o *Org) Stats() Stats {
	now := o.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.makeNoise(now)
	s := o.stats
	s.Requests, s.Statuses = maps.Clone(s.Requests), maps.Clone(s.Statuses)
	s.Clients = make(map[string]ClientStats, len(o.clients))
	for name, c := range o.clients {
		one := *c
		one.Requests, one.MostInWindow, one.Statuses = maps.Clone(c.Requests), maps.Clone(c.MostInWindow), maps.Clone(c.Statuses)
		s.Clients[name] = one
	}
	s.Noise = make(map[string]NoiseStats, len(o.noise))
	for _, n := range o.noise {
		one := s.Noise[n.Name]
		one.Sent += n.stats.Sent
		one.Throttled += n.stats.Throttled
		one.Displaced += n.stats.Displaced
		s.Noise[n.Name] = one
		s.Displaced += n.stats.Displaced
	}
	return s
}

// resetStats lets the counters begin anew, those of noise too. What is in flight stays counted.
func (o *Org) resetStats() error {
	now := o.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.makeNoise(now)
	o.stats = Stats{Requests: make(map[string]int), Statuses: make(map[int]int), MaxInFlight: o.flying}
	for name, old := range o.clients {
		delete(o.clients, name)
		o.statsOf(name).flying = old.flying
	}
	for _, n := range o.noise {
		n.stats = NoiseStats{}
	}
	return nil
}

// statsOf are a client's counters. Org.mu is held.
func (o *Org) statsOf(client string) *ClientStats {
	if o.clients[client] == nil {
		if len(o.clients) >= maxClients {
			client = Nobody
		}
		if o.clients[client] == nil {
			o.clients[client] = &ClientStats{Requests: make(map[string]int), MostInWindow: make(map[string]int), Statuses: make(map[int]int)}
		}
	}
	return o.clients[client]
}

// tally changes a client's counters.
func (o *Org) tally(client string, change func(*ClientStats)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(o.statsOf(client))
}

// begin counts a request in and returns its number.
func (o *Org) begin() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flying++
	o.stats.MaxInFlight = max(o.stats.MaxInFlight, o.flying)
	o.requests++
	return o.requests
}

func (o *Org) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flying--
}

// enter counts a request of a client in, leave out.
func (o *Org) enter(client string) {
	o.tally(client, func(s *ClientStats) {
		s.flying++
		s.MaxInFlight = max(s.MaxInFlight, s.flying)
	})
}

func (o *Org) leave(client string) { o.tally(client, func(s *ClientStats) { s.flying-- }) }

func (o *Org) count(client string, status, bodyBytes int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stats.Statuses[status]++
	o.stats.Bytes += int64(bodyBytes)
	s := o.statsOf(client)
	s.Statuses[status]++
	s.Bytes += int64(bodyBytes)
}
