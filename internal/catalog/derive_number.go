package catalog

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"strconv"
)

// maxNumberBytes bounds the text of a number, and the size of its exponent, that is taken into account: 1e999999999 is
// short as text and endless as a number.
const maxNumberBytes = 400

// total is an exact sum of JSON numbers.
type total struct {
	small int64    // the sum of small integers since the last carry
	large *big.Rat // the rest; nil for none
}

// add adds a number and reports whether it is one that can be added.
func (t *total) add(text []byte) bool {
	if n, ok := smallInteger(text); ok {
		if sum := t.small + n; (sum > t.small) == (n > 0) {
			t.small = sum
			return true
		}
	}
	r, ok := rational(text)
	if !ok {
		return false
	}
	if t.large == nil {
		t.large = new(big.Rat)
	}
	t.large.Add(t.large, r)
	return true
}

func (t *total) rat() *big.Rat {
	sum := new(big.Rat).SetInt64(t.small)
	if t.large != nil {
		sum.Add(sum, t.large)
	}
	return sum
}

func smallInteger(text []byte) (int64, bool) {
	if len(text) > 18 || bytes.ContainsAny(text, ".eE") {
		return 0, false
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	return n, err == nil
}

// rational reads a JSON number exactly.
func rational(text []byte) (*big.Rat, bool) {
	if len(text) == 0 || len(text) > maxNumberBytes || text[0] != '-' && (text[0] < '0' || text[0] > '9') {
		return nil, false
	}
	if at := bytes.IndexAny(text, "eE"); at >= 0 {
		if e, err := strconv.Atoi(string(bytes.TrimPrefix(text[at+1:], []byte("+")))); err != nil || e > maxNumberBytes || e < -maxNumberBytes {
			return nil, false
		}
	}
	return new(big.Rat).SetString(string(text))
}

// ratio is the text of r / n.
func ratio(r *big.Rat, n int64) []byte {
	return numberText(new(big.Rat).Quo(r, new(big.Rat).SetInt64(n)))
}

// numberText writes a number exactly where it has an end, and to the precision of a float otherwise.
func numberText(r *big.Rat) []byte {
	const maxDecimals = 30
	if r.IsInt() {
		return []byte(r.Num().String())
	}
	if n, exact := r.FloatPrec(); exact && n <= maxDecimals {
		return []byte(r.FloatString(n))
	}
	f, _ := r.Float64()
	if math.Abs(f) > 1<<53 {
		return []byte(r.FloatString(0))
	}
	text, err := json.Marshal(f)
	if err != nil {
		return nil
	}
	return text
}
