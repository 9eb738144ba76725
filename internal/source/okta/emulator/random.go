package emulator

import "math/bits"

// draw is a counter-based generator (SplitMix64): the numbers of one object, a pure function of (seed, kind, index).
// Only integers are drawn, so that every platform draws the same.
type draw struct{ state uint64 }

const golden = 0x9e3779b97f4a7c15

func mix(x uint64) uint64 {
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb
	return x ^ (x >> 31)
}

// salt tells the sequences of one seed apart.
type salt uint64

const (
	saltUser salt = iota + 1
	saltNames
	saltStatus
	saltDepartment
	saltGroup
	saltMember
	saltHolder
	saltIAM
	saltEvent
	saltClock
	saltError
	saltRequest
	saltFault
	saltID
)

func newDraw(seed uint64, s salt, index int) draw {
	return draw{mix(mix(seed+golden*uint64(s)) + golden*uint64(index))}
}

func (d *draw) next() uint64 {
	d.state += golden
	return mix(d.state)
}

// below returns a number in [0, n). n <= 0 gives 0.
func (d *draw) below(n int) int {
	if n <= 0 {
		return 0
	}
	high, _ := bits.Mul64(d.next(), uint64(n))
	return int(high)
}

// between returns a number in [from, to], or from when the range is empty.
func (d *draw) between(from, to int64) int64 {
	if to <= from {
		return from
	}
	high, _ := bits.Mul64(d.next(), uint64(to-from)+1)
	return from + int64(high)
}

// chance is true in perMille of 1000 draws.
func (d *draw) chance(perMille int) bool { return d.below(1000) < perMille }

func pick[T any](d *draw, from []T) T { return from[d.below(len(from))] }

// permutation is a keyed shuffle of [0, n) that needs no table and can be undone: a Feistel network over the next
// even power of two, walked until it lands inside.
type permutation struct {
	n    uint64
	half uint // bits of one half
	key  uint64
}

func newPermutation(seed uint64, s salt, n int) permutation {
	half := uint(1)
	for 1<<(2*half) < n {
		half++
	}
	return permutation{n: uint64(n), half: half, key: mix(seed + golden*uint64(s))}
}

const feistelRounds = 4

func (p permutation) round(i int, x uint64) uint64 {
	return mix(x+p.key+golden*uint64(i)) & (1<<p.half - 1)
}

// at returns where i goes.
func (p permutation) at(i int) int {
	x := uint64(i)
	for {
		left, right := x>>p.half, x&(1<<p.half-1)
		for r := range feistelRounds {
			left, right = right, left^p.round(r, right)
		}
		if x = left<<p.half | right; x < p.n {
			return int(x)
		}
	}
}

// from returns what at sends to i.
func (p permutation) from(i int) int {
	x := uint64(i)
	for {
		left, right := x>>p.half, x&(1<<p.half-1)
		for r := feistelRounds - 1; r >= 0; r-- {
			left, right = right^p.round(r, left), left
		}
		if x = left<<p.half | right; x < p.n {
			return int(x)
		}
	}
}
