package okta

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"longshore/internal/fault"
)

const (
	// maxKeyBytes is far above a JWK set of some RSA keys with 4096 bits (3 kB each).
	maxKeyBytes = 64 << 10
	// minRSABits is the least that Okta takes, maxRSABits what a signature still takes well under a second with.
	minRSABits, maxRSABits = 2048, 16384
	// maxKeyIDBytes is far above the 43 characters of Okta's own key ids.
	maxKeyIDBytes = 512
)

// signingKey is the key that a service app signs in with.
type signingKey struct {
	id      string // kid; "" when none is known, which Okta takes from an app with one key
	method  jwt.SigningMethod
	private crypto.Signer
}

// String keeps the key out of any text made of what holds it.
func (signingKey) String() string { return "private key" }

// GoString is String for %#v.
func (signingKey) GoString() string { return "private key" }

// parseKey reads a private key as people have it: PEM (PKCS #1, PKCS #8 or SEC 1), also on one line with \n written
// out or with spaces for line breaks, a JWK, or a JWK set. The id, if not "", is the key's; of a set it chooses the key.
// Errors are fault.Invalid and hold nothing of the key.
func parseKey(text, id string) (signingKey, error) {
	id = strings.TrimSpace(id)
	if len(id) > maxKeyIDBytes || strings.ContainsFunc(id, func(c rune) bool { return c < ' ' }) {
		return signingKey{}, badKey("its key id holds characters that no id has").WithHint("Copy the kid that the admin console shows beside the key.")
	}
	if len(text) > maxKeyBytes {
		return signingKey{}, badKey("it is larger than %d bytes", maxKeyBytes)
	}
	text = strings.Trim(strings.TrimSpace(strings.TrimPrefix(text, "\ufeff")), `"'`+"`")
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return signingKey{}, badKey("it is empty").WithHint("Set it to the key in PEM or JWK, or to the path of a file that holds one.")
	case strings.HasPrefix(text, "{"):
		return parseJWK([]byte(text), id)
	case strings.Contains(text, "-----BEGIN"):
		return parsePEM(text, id)
	}
	return signingKey{}, badKey("it is neither PEM nor JWK").
		WithHint("A PEM key begins with -----BEGIN PRIVATE KEY-----, a JWK with {. If it is the path of a file, the file is not there.")
}

func badKey(format string, args ...any) *fault.Error {
	e := fault.Errorf(fault.Invalid, "the Okta private key cannot be used: "+format, args...)
	e.Cause = nil
	return e
}

// parsePEM reads the first private key among the PEM blocks.
func parsePEM(text, id string) (signingKey, error) {
	rest := []byte(unfoldPEM(text))
	seen := ""
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
			return signingKey{}, badKey("it is encrypted with a passphrase").
				WithHint("Decrypt it first: openssl pkcs8 -in key.pem -out plain.pem, and guard the file.")
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			return parseDER(block, id)
		}
		seen = block.Type
	}
	if seen != "" {
		return signingKey{}, badKey("it is a %q and no private key", shown(seen)).
			WithHint("The public half stays in Okta; Longshore needs the private half of the same pair.")
	}
	return signingKey{}, badKey("its PEM is damaged").WithHint("Copy it whole, from -----BEGIN to -----END, or name its file.")
}

func parseDER(block *pem.Block, id string) (signingKey, error) {
	var key any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	default:
		return signingKey{}, badKey("it is a %q", shown(block.Type)).WithHint("Okta takes RSA keys and EC keys on P-256, P-384 and P-521.")
	}
	if err != nil {
		return signingKey{}, badKey("its PEM is damaged").WithHint("Copy it whole, from -----BEGIN to -----END, or name its file.")
	}
	return keyOf(key, id)
}

// unfoldPEM gives a PEM text its line breaks back: environments and secret stores write them as \n, or as spaces.
func unfoldPEM(text string) string {
	text = strings.NewReplacer(`\r`, "", `\n`, "\n", "\r", "").Replace(text)
	begin := strings.Index(text, "-----BEGIN")
	head := strings.Index(text[begin+len("-----BEGIN"):], "-----")
	if head < 0 {
		return text
	}
	head += begin + len("-----BEGIN") + len("-----")
	tail := strings.Index(text[head:], "-----END")
	if tail < 0 || strings.Contains(strings.TrimSpace(text[head:head+tail]), "\n") {
		return text
	}
	return text[begin:head] + "\n" + strings.Join(strings.Fields(text[head:head+tail]), "\n") + "\n" + text[head+tail:] + "\n"
}

// keyOf chooses the algorithm that goes with a key.
func keyOf(key any, id string) (signingKey, error) {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return signingKey{}, badKey("it has %d bits", bits).WithHint("Okta takes RSA keys from %d bits on: make a new one.", minRSABits)
		}
		return signingKey{id: id, method: jwt.SigningMethodRS256, private: key}, nil
	case *ecdsa.PrivateKey:
		method := map[elliptic.Curve]jwt.SigningMethod{
			elliptic.P256(): jwt.SigningMethodES256, elliptic.P384(): jwt.SigningMethodES384, elliptic.P521(): jwt.SigningMethodES512,
		}[key.Curve]
		if method == nil {
			return signingKey{}, badKey("it lies on the curve %s", key.Curve.Params().Name).WithHint("Okta takes EC keys on P-256, P-384 and P-521.")
		}
		return signingKey{id: id, method: method, private: key}, nil
	}
	return signingKey{}, badKey("it is neither RSA nor EC").WithHint("Okta takes RSA keys and EC keys on P-256, P-384 and P-521: make a new one of these.")
}

// jwk is a JSON Web Key (RFC 7517), or a set of them.
type jwk struct {
	Keys []jwk  `json:"keys"`
	Kty  string `json:"kty"`
	Kid  string `json:"kid"`
	Use  string `json:"use"`
	Alg  string `json:"alg"`
	Crv  string `json:"crv"`
	N    string `json:"n"`
	E    string `json:"e"`
	D    string `json:"d"`
	P    string `json:"p"`
	Q    string `json:"q"`
	X    string `json:"x"`
	Y    string `json:"y"`
}

func parseJWK(text []byte, id string) (signingKey, error) {
	var k jwk
	if json.Unmarshal(text, &k) != nil {
		return signingKey{}, badKey("its JSON is damaged").WithHint("Copy the JWK whole, from { to the last }, or name its file.")
	}
	if k.Keys != nil {
		chosen, err := oneOf(k.Keys, id)
		if err != nil {
			return signingKey{}, err
		}
		k = chosen
	}
	if id == "" {
		id = k.Kid
	} else if k.Kid != "" && k.Kid != id {
		return signingKey{}, badKey("its kid is %q, but the key id is set to %q", shown(k.Kid), shown(id)).
			WithHint("A JWK carries its own id: unset OKTA_CLIENT_PRIVATEKEYID, or set it to the same.")
	}
	if k.Use != "" && k.Use != "sig" {
		return signingKey{}, badKey("its use is %q", shown(k.Use)).WithHint("Take the app's signing key, which says \"use\":\"sig\".")
	}
	if k.D == "" {
		return signingKey{}, badKey("the JWK is a public key").WithHint("The private JWK has a member d. Okta shows it once, when it generates the key.")
	}
	key, err := k.private()
	if err != nil {
		return signingKey{}, err
	}
	signing, err := keyOf(key, id)
	if err != nil {
		return signingKey{}, err
	}
	return signing.withAlg(k.Alg)
}

// oneOf chooses a key of a set: the one with the id, or the only one.
func oneOf(keys []jwk, id string) (jwk, error) {
	var kids []string
	for _, k := range keys {
		if id != "" && k.Kid == id {
			return k, nil
		}
		kids = append(kids, k.Kid)
	}
	if len(keys) == 1 && (id == "" || keys[0].Kid == "") {
		return keys[0], nil
	}
	if len(keys) == 0 {
		return jwk{}, badKey("the JWK set is empty")
	}
	return jwk{}, badKey("the JWK set holds %d keys, none chosen", len(keys)).
		WithHint("Set OKTA_CLIENT_PRIVATEKEYID to one of their ids: %s.", shown(strings.Join(kids, ", ")))
}

func (k jwk) private() (any, error) {
	damaged := badKey("the JWK is damaged").WithHint("Copy the private JWK whole: kty, n, e, d, p and q for RSA, kty, crv, x, y and d for EC.")
	switch k.Kty {
	case "RSA":
		n, e, d, p, q := number(k.N), number(k.E), number(k.D), number(k.P), number(k.Q)
		if n == nil || e == nil || d == nil || p == nil || q == nil || !e.IsInt64() || e.Int64() > 1<<31-1 || n.BitLen() > maxRSABits {
			return nil, damaged
		}
		key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: int(e.Int64())}, D: d, Primes: []*big.Int{p, q}}
		if n.BitLen() >= minRSABits && key.Validate() != nil {
			return nil, damaged
		}
		key.Precompute()
		return key, nil
	case "EC":
		curve := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[k.Crv]
		if curve == nil {
			return nil, badKey("it lies on the curve %q", shown(k.Crv)).WithHint("Okta takes EC keys on P-256, P-384 and P-521.")
		}
		d := number(k.D)
		if d == nil || d.BitLen() > curve.Params().BitSize {
			return nil, damaged
		}
		key, err := ecdsa.ParseRawPrivateKey(curve, d.FillBytes(make([]byte, (curve.Params().BitSize+7)/8)))
		if err != nil {
			return nil, damaged
		}
		public, err := key.PublicKey.Bytes() // 4, x, y
		x, y := number(k.X), number(k.Y)
		if size := (len(public) - 1) / 2; err != nil || x == nil || y == nil || x.Cmp(new(big.Int).SetBytes(public[1:1+size])) != 0 || y.Cmp(new(big.Int).SetBytes(public[1+size:])) != 0 {
			return nil, damaged
		}
		return key, nil
	}
	return nil, badKey("its kty is %q", shown(k.Kty)).WithHint("Okta takes RSA keys and EC keys on P-256, P-384 and P-521.")
}

// number reads the unsigned integers of a JWK: base64url, with or without padding; nil for anything else and for 0.
func number(text string) *big.Int {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil || len(b) == 0 || len(b) > maxRSABits/8 {
		return nil
	}
	n := new(big.Int).SetBytes(b)
	if n.Sign() == 0 {
		return nil
	}
	return n
}

// withAlg takes the algorithm that a JWK names, as long as its key can do it.
func (k signingKey) withAlg(alg string) (signingKey, error) {
	method := jwt.GetSigningMethod(alg)
	switch {
	case alg == "" || alg == k.method.Alg():
		return k, nil
	case k.method == jwt.SigningMethodRS256 && (method == jwt.SigningMethodRS384 || method == jwt.SigningMethodRS512):
		k.method = method
		return k, nil
	}
	return signingKey{}, badKey("its alg is %q, which does not go with the key", shown(alg)).
		WithHint("Okta takes RS256, RS384 and RS512 of RSA keys, and of EC keys the one that goes with the curve.")
}
