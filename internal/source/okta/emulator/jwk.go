package emulator

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
)

// Key is a key pair, made for demos and tests: what the owner of a service app keeps, and what the org is told of it.
type Key struct {
	ID      string        // its kid
	Private crypto.Signer // *rsa.PrivateKey or *ecdsa.PrivateKey
}

const minRSABits = 2048

// NewKey makes a key pair: kind is "RSA" (2048 bits), "P-256", "P-384" or "P-521". Its id is its thumbprint.
func NewKey(kind string) (Key, error) {
	var private crypto.Signer
	var err error
	if kind == "RSA" {
		private, err = rsa.GenerateKey(rand.Reader, minRSABits)
	} else if curve, ok := curves[kind]; ok {
		private, err = ecdsa.GenerateKey(curve, rand.Reader)
	} else {
		err = fmt.Errorf("no such kind of key: %q; want RSA, P-256, P-384 or P-521", kind)
	}
	if err != nil {
		return Key{}, err
	}
	return keyOf(private)
}

// ParseKey reads a private key that PEM wrote.
func ParseKey(text []byte) (Key, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return Key{}, errors.New("no PEM block")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return Key{}, err
	}
	private, ok := parsed.(crypto.Signer)
	if !ok {
		return Key{}, fmt.Errorf("a %T cannot sign", parsed)
	}
	return keyOf(private)
}

func keyOf(private crypto.Signer) (Key, error) {
	public, err := parseJWK(wireKeyOf(private.Public()))
	if err != nil {
		return Key{}, err
	}
	return Key{ID: public.thumbprint, Private: private}, nil
}

// PEM is the private key as PKCS #8.
func (k Key) PEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.Private)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// JWKS is the public key as a JWK set, as App.Keys wants it.
func (k Key) JWKS() []byte {
	w := wireKeyOf(k.Private.Public())
	w.ID, w.Use = k.ID, "sig"
	b, _ := json.Marshal(wireKeySet{Keys: []wireKey{w}}) // strings alone: it cannot fail
	return b
}

// JWK is the private key as a JWK.
func (k Key) JWK() []byte {
	w := wireKeyOf(k.Private.Public())
	w.ID, w.Use = k.ID, "sig"
	switch private := k.Private.(type) {
	case *rsa.PrivateKey:
		private.Precompute()
		w.D = encodeInt(private.D)
		w.P, w.Q = encodeInt(private.Primes[0]), encodeInt(private.Primes[1])
		w.DP, w.DQ, w.QI = encodeInt(private.Precomputed.Dp), encodeInt(private.Precomputed.Dq), encodeInt(private.Precomputed.Qinv)
	case *ecdsa.PrivateKey:
		if d, err := private.Bytes(); err == nil {
			w.D = encode64(d)
		}
	}
	b, _ := json.Marshal(w) // strings alone: it cannot fail
	return b
}

// wireKey is a JWK (RFC 7517, 7518): an RSA or an elliptic curve key.
type wireKey struct {
	Type  string `json:"kty"`
	ID    string `json:"kid,omitempty"`
	Alg   string `json:"alg,omitempty"`
	Use   string `json:"use,omitempty"`
	Curve string `json:"crv,omitempty"`
	X     string `json:"x,omitempty"`
	Y     string `json:"y,omitempty"`
	N     string `json:"n,omitempty"`
	E     string `json:"e,omitempty"`
	D     string `json:"d,omitempty"` // a private key's, as are those below
	P     string `json:"p,omitempty"`
	Q     string `json:"q,omitempty"`
	DP    string `json:"dp,omitempty"`
	DQ    string `json:"dq,omitempty"`
	QI    string `json:"qi,omitempty"`
}

type wireKeySet struct {
	Keys []wireKey `json:"keys"`
}

// publicKey is a JWK that may verify signatures.
type publicKey struct {
	id, alg    string
	key        crypto.PublicKey // *rsa.PublicKey or *ecdsa.PublicKey
	thumbprint string           // RFC 7638, SHA-256, base64url
}

var curves = map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}

func parseKeySet(text []byte) ([]publicKey, error) {
	var set wireKeySet
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, err
	}
	var keys []publicKey
	for _, w := range set.Keys {
		k, err := parseJWK(w)
		if err != nil {
			return nil, fmt.Errorf("key %q: %w", w.ID, err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func parseJWK(w wireKey) (publicKey, error) {
	k := publicKey{id: w.ID, alg: w.Alg}
	if w.D != "" {
		return k, errors.New("it holds the private key")
	}
	members := map[string]string{"kty": w.Type} // those of the thumbprint, which are written in the order of their names
	switch w.Type {
	case "RSA":
		n, err := decodeInt(w.N)
		if err != nil {
			return k, fmt.Errorf("n: %w", err)
		}
		e, err := decodeInt(w.E)
		if err != nil || !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 {
			return k, errors.New("e is no exponent")
		}
		if n.BitLen() < minRSABits {
			return k, fmt.Errorf("%d bits are too few: want %d", n.BitLen(), minRSABits)
		}
		k.key = &rsa.PublicKey{N: n, E: int(e.Int64())}
		members["n"], members["e"] = encodeInt(n), encodeInt(e)
	case "EC":
		curve, ok := curves[w.Curve]
		if !ok {
			return k, fmt.Errorf("unknown curve %q", w.Curve)
		}
		x, errX := base64.RawURLEncoding.DecodeString(w.X)
		y, errY := base64.RawURLEncoding.DecodeString(w.Y)
		size := (curve.Params().BitSize + 7) / 8
		if errX != nil || errY != nil || len(x) != size || len(y) != size {
			return k, fmt.Errorf("x and y are no %d-byte numbers in base64url", size)
		}
		key, err := ecdsa.ParseUncompressedPublicKey(curve, append(append([]byte{4}, x...), y...))
		if err != nil {
			return k, err
		}
		k.key = key
		members["crv"], members["x"], members["y"] = w.Curve, w.X, w.Y
	default:
		return k, fmt.Errorf("unknown type %q", w.Type)
	}
	text, err := json.Marshal(members)
	if err != nil {
		return k, err
	}
	sum := sha256.Sum256(text)
	k.thumbprint = encode64(sum[:])
	return k, nil
}

func wireKeyOf(public crypto.PublicKey) wireKey {
	switch key := public.(type) {
	case *rsa.PublicKey:
		return wireKey{Type: "RSA", N: encodeInt(key.N), E: encodeInt(big.NewInt(int64(key.E)))}
	case *ecdsa.PublicKey:
		point, err := key.Bytes() // 4, x, y
		if err != nil {
			return wireKey{}
		}
		size := (len(point) - 1) / 2
		return wireKey{Type: "EC", Curve: key.Params().Name, X: encode64(point[1 : 1+size]), Y: encode64(point[1+size:])}
	}
	return wireKey{}
}

func encode64(b []byte) string    { return base64.RawURLEncoding.EncodeToString(b) }
func encodeInt(n *big.Int) string { return encode64(n.Bytes()) }

func decodeInt(s string) (*big.Int, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) == 0 {
		return nil, errors.New("no number in base64url")
	}
	return new(big.Int).SetBytes(b), nil
}
