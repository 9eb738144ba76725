package receipt

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"longshore/internal/fault"
)

// An Envelope is a signed statement in the form of DSSE (github.com/secure-systems-lab/dsse): the payload as it was
// signed, byte for byte, and the signature over its type and bytes.
type Envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     []byte      `json:"payload"` // base64 in JSON
	Signatures  []Signature `json:"signatures"`
	// PublicKey says which key to ask for. It proves nothing: who alters a receipt can sign with a key of his own.
	PublicKey string `json:"publicKey"`
}

// Signature is a signature and the id of its key.
type Signature struct {
	KeyID string `json:"keyid"`
	Sig   []byte `json:"sig"`
}

const (
	payloadType = "application/vnd.longshore.receipt+json"
	keyPrefix   = "_longshore/keys/"
	publicWord  = "ed25519:" // before the base64 of a public key
)

// Signer signs statements.
type Signer struct{ key ed25519.PrivateKey }

// NewSigner is the signer of a seed of 32 bytes.
func NewSigner(seed []byte) (Signer, error) {
	if len(seed) != ed25519.SeedSize {
		return Signer{}, fault.Errorf(fault.Invalid, "the key of receipts has %d bytes, want %d", len(seed), ed25519.SeedSize)
	}
	return Signer{ed25519.NewKeyFromSeed(seed)}, nil
}

func (s Signer) public() ed25519.PublicKey {
	return s.key.Public().(ed25519.PublicKey) //nolint:forcetypeassert // by its contract
}

// Public is the public key as people hand it on.
func (s Signer) Public() string {
	return publicWord + base64.StdEncoding.EncodeToString(s.public())
}

// ID names the key: the beginning of the SHA-256 of its public half.
func (s Signer) ID() string { return keyID(s.public()) }

func keyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:8])
}

// Sign signs a statement.
func (s Signer) Sign(statement Statement) (Envelope, error) {
	payload, err := json.Marshal(statement)
	if err != nil {
		return Envelope{}, fmt.Errorf("sign receipt: %w", err)
	}
	return Envelope{
		PayloadType: payloadType, Payload: payload, PublicKey: s.Public(),
		Signatures: []Signature{{s.ID(), ed25519.Sign(s.key, preAuth(payloadType, payload))}},
	}, nil
}

// preAuth is what is signed: DSSE's pre-authentication encoding.
func preAuth(kind string, payload []byte) []byte {
	return append([]byte("DSSEv1 "+strconv.Itoa(len(kind))+" "+kind+" "+strconv.Itoa(len(payload))+" "), payload...)
}

// Encode is the envelope as a document.
func (e Envelope) Encode() ([]byte, error) {
	text, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write receipt: %w", err)
	}
	return append(text, '\n'), nil
}

// Decode reads an envelope. It checks no signature.
func Decode(text []byte) (Envelope, error) {
	var e Envelope
	if err := json.Unmarshal(text, &e); err != nil {
		return e, fault.Errorf(fault.Invalid, "this is no signed receipt: %w", err)
	}
	if e.PayloadType != payloadType {
		return e, fault.Errorf(fault.Invalid, "this is no signed receipt: its type is %q, want %q", e.PayloadType, payloadType)
	}
	return e, nil
}

// ParsePublic reads a public key as [Signer.Public] writes it; base64 alone will do.
func ParsePublic(text string) (ed25519.PublicKey, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(strings.TrimSpace(text), publicWord))
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, fault.Errorf(fault.Invalid, "%q is no public key", text).WithHint("a public key is %s and 44 characters of base64; longshore receipt --key prints it", publicWord)
	}
	return key, nil
}

// Open checks the signature with the public key ("": the one that the envelope names, which shows only that nothing was
// damaged) and returns the statement.
func (e Envelope) Open(public string) (Statement, error) {
	var s Statement
	if public == "" {
		public = e.PublicKey
	}
	key, err := ParsePublic(public)
	if err != nil {
		return s, err
	}
	signed := false
	for _, sig := range e.Signatures {
		signed = signed || ed25519.Verify(key, preAuth(e.PayloadType, e.Payload), sig.Sig)
	}
	if !signed {
		return s, fault.Errorf(fault.Denied, "the receipt is not signed with the key %s, or was altered after it was signed", keyID(key)).
			WithHint("it names the key %s; ask who keeps the catalog for theirs: longshore receipt --key", e.named())
	}
	if err := json.Unmarshal(e.Payload, &s); err != nil {
		return s, fault.Errorf(fault.Invalid, "the receipt cannot be read: %w", err)
	}
	if s.Version < 1 || s.Version > StatementVersion {
		return s, fault.Errorf(fault.Invalid, "the receipt's version is %d, this program reads up to %d", s.Version, StatementVersion).WithHint("check it with a newer longshore")
	}
	return s, nil
}

// named is the id of the key that the envelope names.
func (e Envelope) named() string {
	if key, err := ParsePublic(e.PublicKey); err == nil {
		return keyID(key)
	}
	return "of nobody"
}
