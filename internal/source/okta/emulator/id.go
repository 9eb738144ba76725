package emulator

import "strings"

// kind is what an id names. Its text is the prefix that Okta's ids of that kind begin with.
type kind string

const (
	kindUser        kind = "00u"
	kindGroup       kind = "00g"
	kindOrg         kind = "00o"
	kindToken       kind = "00T"
	kindApp         kind = "0oa"
	kindUserType    kind = "oty"
	kindSchema      kind = "osc"
	kindRealm       kind = "guo"
	kindDirect      kind = "ra1" // a standard role assigned to a user
	kindGroupRole   kind = "gra" // a standard role assigned to a group
	kindBinding     kind = "irb" // a custom role assigned to anyone
	kindRole        kind = "cr0"
	kindResourceSet kind = "iam"
	kindResource    kind = "ire"
	kindSystem      kind = "spr"
	kindPolicy      kind = "00p"
	kindRule        kind = "0pr"
	kindShare       kind = "prl"
)

const (
	base62     = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" // in byte order: ids sort by index
	idStride   = 1 << 18
	idOrdered  = 8 // characters that grow with the index
	idKeyed    = 6 // characters that only the seed explains
	idLength   = 20
	pow62to7   = 62 * 62 * 62 * 62 * 62 * 62 * 62
	idFirst    = 36 * pow62to7
	maxObjects = 100_000_000
)

func (k kind) salt() salt {
	return saltID + salt(k[0])<<8 + salt(k[1])<<16 + salt(k[2])<<24
}

// id names the index-th object of a kind: 20 characters, of which the first after the prefix grow with the index, as
// real ids grow with time, and the last three are the same in the whole org.
func (o *Org) id(k kind, index int) string {
	d := newDraw(o.seed, k.salt(), index)
	n := o.idBase(k) + uint64(index)*idStride + uint64(d.below(idStride))
	var b [idLength]byte
	copy(b[:], k)
	for i := idOrdered - 1; i >= 0; i-- {
		b[3+i] = base62[n%62]
		n /= 62
	}
	for i := range idKeyed {
		b[3+idOrdered+i] = base62[d.below(62)]
	}
	copy(b[idLength-3:], o.cell)
	return string(b[:])
}

func (o *Org) idBase(k kind) uint64 {
	d := newDraw(o.seed, k.salt(), -1)
	return idFirst + uint64(d.below(20))*pow62to7 + d.next()%pow62to7
}

// indexOf is the inverse of id: false when no object of the kind, among the first count, has the id.
func (o *Org) indexOf(k kind, id string, count int) (int, bool) {
	if len(id) != idLength || id[:3] != string(k) {
		return 0, false
	}
	var n uint64
	for i := range idOrdered {
		digit := strings.IndexByte(base62, id[3+i])
		if digit < 0 {
			return 0, false
		}
		n = n*62 + uint64(digit)
	}
	base := o.idBase(k)
	if n < base {
		return 0, false
	}
	index := (n - base) / idStride
	if index >= uint64(min(count, maxObjects)) || o.id(k, int(index)) != id {
		return 0, false
	}
	return int(index), true
}
