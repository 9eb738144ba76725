package ingest

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the algorithm that some senders sign with
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strings"

	"longshore/internal/fault"
)

// check holds a call against the webhook's signature, over the raw bytes of the body and in constant time. Without an
// algorithm or a secret there is nothing to check. Errors: fault.Denied.
func (s Security) check(call Call) error {
	if s.SignatureAlgorithm == "" || s.Secret == "" {
		return nil
	}
	header := call.Headers[strings.ToLower(s.SignatureHeaderName)]
	sent, prefixed := strings.CutPrefix(header, s.SignaturePrefix)
	ok := s.good(s.Secret, call.Body, sent)
	if s.previous != "" && s.good(s.previous, call.Body, sent) {
		ok = true
	}
	switch {
	case s.SignatureHeaderName == "":
		return fault.Errorf(fault.Denied, "the webhook asks for a signature and does not say in which header").WithCode("unauthorized", nil).
			WithHint("set security.signatureHeaderName of the webhook")
	case header == "":
		return fault.Errorf(fault.Denied, "the signature is missing: header %q is not there", s.SignatureHeaderName).WithCode("unauthorized", nil)
	case !prefixed:
		return fault.Errorf(fault.Denied, "the signature in header %q does not begin with %q", s.SignatureHeaderName, s.SignaturePrefix).WithCode("unauthorized", nil)
	case !ok:
		return fault.Errorf(fault.Denied, "the signature in header %q is not that of this body with the webhook's secret", s.SignatureHeaderName).WithCode("unauthorized", nil)
	}
	return nil
}

// Unchecked says why calls are taken whatever they are signed with, or "".
func (s Security) Unchecked() string {
	if s.SignatureAlgorithm != "" && s.Secret != "" {
		return ""
	}
	missing := "a secret"
	if s.SignatureAlgorithm == "" {
		missing = "security.signatureAlgorithm (sha1, sha256 or plain) and security.signatureHeaderName"
	}
	return "calls of this webhook are taken without a signature until it has " + missing
}

func (s Security) good(secret string, body []byte, sent string) bool {
	switch s.SignatureAlgorithm {
	case "plain":
		// Compared by their hashes, so that the time does not tell the secret's length.
		a, b := sha256.Sum256([]byte(sent)), sha256.Sum256([]byte(secret))
		return hmac.Equal(a[:], b[:])
	case "sha1":
		return signed(sha1.New, secret, body, sent)
	case "sha256":
		return signed(sha256.New, secret, body, sent)
	}
	return false
}

func signed(algorithm func() hash.Hash, secret string, body []byte, sent string) bool {
	got, err := hex.DecodeString(sent)
	if err != nil {
		return false
	}
	h := hmac.New(algorithm, []byte(secret))
	h.Write(body)
	return hmac.Equal(got, h.Sum(nil))
}

// secretWords mark the headers that may bear a secret.
var secretWords = []string{"authorization", "cookie", "api-key", "apikey", "token", "secret", "password", "signature", "credential", "session"}

// publicHeaders are the headers that may lie in the lake.
func publicHeaders(headers map[string]string, s Security) map[string]string {
	out := make(map[string]string, len(headers))
	for name, value := range headers {
		name = strings.ToLower(name)
		secret := name == strings.ToLower(s.SignatureHeaderName)
		for _, word := range secretWords {
			secret = secret || strings.Contains(name, word)
		}
		if !secret {
			out[name] = value
		}
	}
	return out
}
