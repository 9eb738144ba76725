package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"longshore/internal/fault"
)

// Sealer encrypts secrets at rest with a key that lies beside the database (0600), so that the database alone, a
// backup of it for one, tells none of them.
type Sealer struct {
	aead tink.AEAD
	path string // of the key, for messages
}

// OpenSealer reads the keyset file at path, or makes it.
func OpenSealer(path string) (*Sealer, error) {
	text, err := os.ReadFile(path)
	var handle *keyset.Handle
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if handle, err = newKeyset(path); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, fmt.Errorf("read the keys: %w", err)
	default:
		if handle, err = insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(text))); err != nil {
			return nil, fault.Errorf(fault.Invalid, "read the keys in %s: %w", path, err).
				WithHint("restore the file from a backup; without it, stored secrets cannot be read and must be entered again")
		}
	}
	a, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("use the keys in %s: %w", path, err)
	}
	return &Sealer{a, path}, nil
}

// newKeyset makes a key and puts its file in place whole.
func newKeyset(path string) (*keyset.Handle, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	var text bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&text)); err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("keep the key: %w", err)
	}
	part := path + ".part"
	if err := os.WriteFile(part, text.Bytes(), 0o600); err != nil {
		return nil, fmt.Errorf("keep the key: %w", err)
	}
	if err := os.Rename(part, path); err != nil {
		return nil, fmt.Errorf("keep the key: %w", err)
	}
	return handle, nil
}

// Seal encrypts. place names the row that the secret belongs to: it cannot be opened under another.
func (s *Sealer) Seal(secret []byte, place string) ([]byte, error) {
	return s.aead.Encrypt(secret, []byte(place))
}

// Open decrypts what Seal made for the same place.
func (s *Sealer) Open(sealed []byte, place string) ([]byte, error) {
	secret, err := s.aead.Decrypt(sealed, []byte(place))
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "the stored secret cannot be opened with the keys in %s", s.path).
			WithHint("put the keys.json there that belongs to this database (every process that works on it needs the same), or set the secret again")
	}
	return secret, nil
}
