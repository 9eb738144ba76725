package okta

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"longshore/internal/fault"
)

var (
	testRSA = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	testEC  = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs8(key any) string { return pemOf("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key))) }

// jwkOf writes a private key as JWK, with more members.
func jwkOf(key any, more map[string]any) string {
	m := map[string]any{"use": "sig"}
	b64 := func(n *big.Int) string { return encode64(n.Bytes()) }
	switch key := key.(type) {
	case *rsa.PrivateKey:
		m["kty"], m["n"], m["e"], m["d"], m["p"], m["q"] = "RSA", b64(key.N), b64(big.NewInt(int64(key.E))), b64(key.D), b64(key.Primes[0]), b64(key.Primes[1])
	case *ecdsa.PrivateKey:
		public := must(key.PublicKey.Bytes())
		size := (len(public) - 1) / 2
		m["kty"], m["crv"], m["x"], m["y"], m["d"] = "EC", key.Curve.Params().Name, encode64(public[1:1+size]), encode64(public[1+size:]), encode64(must(key.Bytes()))
	}
	for k, v := range more {
		if v == nil {
			delete(m, k)
		} else {
			m[k] = v
		}
	}
	return string(must(json.Marshal(m)))
}

func TestKeysAreReadInEveryForm(t *testing.T) {
	rsaKey, ec := testRSA(), testEC()
	p384, p521 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)), must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	sec1 := pemOf("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(ec)))
	parameters := pemOf("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7})
	for name, c := range map[string]struct {
		text, id string
		key      crypto.Signer
		alg, kid string
	}{
		"PKCS1":               {text: pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey)), key: rsaKey, alg: "RS256"},
		"PKCS8 RSA":           {text: pkcs8(rsaKey), id: "k1", key: rsaKey, alg: "RS256", kid: "k1"},
		"PKCS8 EC":            {text: pkcs8(ec), key: ec, alg: "ES256"},
		"SEC1":                {text: sec1, key: ec, alg: "ES256"},
		"SEC1 of openssl":     {text: parameters + sec1, key: ec, alg: "ES256"},
		"P-384":               {text: pkcs8(p384), key: p384, alg: "ES384"},
		"P-521":               {text: pkcs8(p521), key: p521, alg: "ES512"},
		"literal line breaks": {text: strings.ReplaceAll(pkcs8(rsaKey), "\n", `\n`), key: rsaKey, alg: "RS256"},
		"quoted, CRLF":        {text: `"` + strings.ReplaceAll(sec1, "\n", `\r\n`) + `"`, key: ec, alg: "ES256"},
		"spaces":              {text: strings.ReplaceAll(pkcs8(rsaKey), "\n", " "), key: rsaKey, alg: "RS256"},
		"byte order mark":     {text: "\ufeff\n" + pkcs8(ec), key: ec, alg: "ES256"},
		"text around it":      {text: "Bag Attributes\n  friendlyName: x\n" + pkcs8(ec) + "\n", key: ec, alg: "ES256"},
		"JWK RSA":             {text: jwkOf(rsaKey, map[string]any{"kid": "j1", "alg": "RS256"}), key: rsaKey, alg: "RS256", kid: "j1"},
		"JWK RS512":           {text: jwkOf(rsaKey, map[string]any{"alg": "RS512"}), id: "j2", key: rsaKey, alg: "RS512", kid: "j2"},
		"JWK EC":              {text: jwkOf(ec, map[string]any{"kid": "j3"}), key: ec, alg: "ES256", kid: "j3"},
		"JWK P-521":           {text: jwkOf(p521, nil), key: p521, alg: "ES512"},
		"JWK set":             {text: `{"keys":[` + jwkOf(ec, map[string]any{"kid": "a"}) + `]}`, key: ec, alg: "ES256", kid: "a"},
		"JWK set of two":      {text: `{"keys":[` + jwkOf(ec, map[string]any{"kid": "a"}) + "," + jwkOf(rsaKey, map[string]any{"kid": "b"}) + `]}`, id: "b", key: rsaKey, alg: "RS256", kid: "b"},
	} {
		got, err := parseKey(c.text, c.id)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		same := got.private.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(c.key.Public())
		if !same || got.method.Alg() != c.alg || got.id != c.kid {
			t.Errorf("%s: the same key: %t, alg %s, kid %q, want alg %s, kid %q", name, same, got.method.Alg(), got.id, c.alg, c.kid)
		}
		if _, err := jwt.New(got.method).SignedString(got.private); err != nil {
			t.Errorf("%s: does not sign: %v", name, err)
		}
	}
}

func TestKeysThatCannotBeUsedSayWhy(t *testing.T) {
	rsaKey, ec := testRSA(), testEC()
	small := must(rsa.GenerateKey(rand.Reader, 1024))
	p224 := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	whole := pkcs8(rsaKey)
	for name, c := range map[string]struct{ text, id, want string }{
		"empty":          {"", "", "empty"},
		"a path":         {"/etc/keys/none.pem", "", "neither PEM nor JWK"},
		"encrypted":      {pemOf("ENCRYPTED PRIVATE KEY", []byte{1}), "", "passphrase"},
		"encrypted, old": {"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,AA\n\nAAAA\n-----END RSA PRIVATE KEY-----\n", "", "passphrase"},
		"public":         {pemOf("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(rsaKey.Public()))), "", "no private key"},
		"certificate":    {pemOf("CERTIFICATE", []byte{1}), "", "no private key"},
		"cut":            {whole[:len(whole)/2], "", "damaged"},
		"begin alone":    {"-----BEGIN", "", "damaged"},
		"garbage":        {pemOf("PRIVATE KEY", []byte("garbage")), "", "damaged"},
		"OpenSSH":        {pemOf("OPENSSH PRIVATE KEY", []byte("x")), "", "OPENSSH"},
		"1024 bits":      {pkcs8(small), "", "1024 bits"},
		"P-224":          {pkcs8(p224), "", "P-224"},
		"Ed25519":        {pkcs8(ed), "", "neither RSA nor EC"},
		"JSON":           {`{"kty":`, "", "JSON is damaged"},
		"public JWK":     {jwkOf(rsaKey, map[string]any{"d": nil}), "", "public key"},
		"RSA without p":  {jwkOf(rsaKey, map[string]any{"p": nil}), "", "damaged"},
		"RSA, wrong d":   {jwkOf(rsaKey, map[string]any{"d": "AQAB"}), "", "damaged"},
		"EC, wrong x":    {jwkOf(ec, map[string]any{"x": "AQAB"}), "", "damaged"},
		"EC, long d":     {jwkOf(ec, map[string]any{"d": encode64(make([]byte, 600))}), "", "damaged"},
		"secp256k1":      {jwkOf(ec, map[string]any{"crv": "secp256k1"}), "", "secp256k1"},
		"symmetric":      {`{"kty":"oct","k":"AAAA","d":"AAAA"}`, "", `"oct"`},
		"encryption":     {jwkOf(ec, map[string]any{"use": "enc"}), "", `use is "enc"`},
		"alg":            {jwkOf(ec, map[string]any{"alg": "RS256"}), "", "does not go with the key"},
		"PS256":          {jwkOf(rsaKey, map[string]any{"alg": "PS256"}), "", "does not go with the key"},
		"none":           {jwkOf(rsaKey, map[string]any{"alg": "none"}), "", "does not go with the key"},
		"two ids":        {jwkOf(ec, map[string]any{"kid": "a"}), "b", `kid is "a"`},
		"set of two":     {`{"keys":[` + jwkOf(ec, map[string]any{"kid": "a"}) + "," + jwkOf(ec, map[string]any{"kid": "b"}) + `]}`, "", "2 keys"},
		"set of none":    {`{"keys":[]}`, "", "empty"},
		"large":          {strings.Repeat(" ", maxKeyBytes+1), "", "larger"},
		"id":             {pkcs8(ec), "a\nb", "key id"},
	} {
		_, err := parseKey(c.text, c.id)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: %v, want fault.Invalid and %q", name, err, c.want)
		}
	}
}

func TestKeyIsNeverShown(t *testing.T) {
	key := must(parseKey(jwkOf(testEC(), nil), ""))
	secret := encode64(must(testEC().Bytes()))
	decimal := new(big.Int).SetBytes(must(testEC().Bytes())).String()
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(format, key); strings.Contains(got, secret) || strings.Contains(got, decimal) {
			t.Errorf("%s shows the key: %s", format, got)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add(pkcs8(testEC()), "")
	f.Add(jwkOf(testEC(), nil), "a")
	f.Add(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","d":"AQAB","p":"Aw","q":"BQ"}]}`, "")
	f.Add("-----BEGIN EC PRIVATE KEY----- AAAA -----END EC PRIVATE KEY-----", "")
	f.Fuzz(func(t *testing.T, text, id string) {
		key, err := parseKey(text, id)
		if err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("%v is no fault.Invalid", err)
		}
		if err == nil {
			if _, err := jwt.New(key.method).SignedString(key.private); err != nil {
				t.Errorf("a key that was taken does not sign: %v", err)
			}
		}
	})
}
