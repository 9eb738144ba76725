package okta

import (
	"encoding/binary"
	"hash/fnv"
	"slices"
	"sync"

	"longshore/internal/rawjson"
)

const (
	// maxSample is how many users without a known role are asked for roles at most.
	maxSample = 20
	// sampleShare is the part of the calls for role holders that may go to users without a known role.
	sampleShare = 0.01
	// sampleKept is how many users are kept to choose from: some of them will turn out to be known holders.
	sampleKept = 8 * maxSample
)

// userSample is a random choice of the org's active users, made on the way while they are listed anyway. It keeps the users
// whose ids have the smallest hashes, so that neither order nor repeats matter.
type userSample struct {
	seed uint64

	mu    sync.Mutex
	users []sampled // by hash
}

type sampled struct {
	hash uint64
	id   string
}

// add offers a user's record to the sample.
func (s *userSample) add(user []byte) {
	id := rawjson.GetString(user, "id")
	if id == "" {
		return
	}
	h := fnv.New64a()
	var seed [8]byte
	binary.LittleEndian.PutUint64(seed[:], s.seed)
	_, _ = h.Write(seed[:]) // a hash never fails
	_, _ = h.Write([]byte(id))
	entry := sampled{mix(h.Sum64()), id}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.users) == sampleKept && entry.hash >= s.users[sampleKept-1].hash || rawjson.GetString(user, "status") == "DEPROVISIONED" {
		return
	}
	at, known := slices.BinarySearchFunc(s.users, entry, func(a, b sampled) int {
		switch {
		case a.hash < b.hash:
			return -1
		case a.hash > b.hash:
			return 1
		}
		return 0
	})
	if known {
		return
	}
	s.users = slices.Insert(s.users, at, entry)
	s.users = s.users[:min(len(s.users), sampleKept)]
}

// pick returns at most n users of the sample that are not among the known ones.
func (s *userSample) pick(n int, known func(id string) bool) (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, user := range s.users {
		if len(ids) < n && !known(user.id) {
			ids = append(ids, user.id)
		}
	}
	return ids
}

func (s *userSample) empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.users) == 0
}

// mix spreads a hash whose low bits alone depend on the last letters (the finisher of SplitMix64).
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
