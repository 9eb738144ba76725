package main

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"longshore/internal/fault"
	"longshore/internal/store"
)

// openKeys reads the folder's keys, or makes them for a new folder.
func openKeys(cfg config) (*store.Sealer, error) {
	path := filepath.Join(cfg.data, "keys.json")
	_, noKeys := os.Stat(path)
	if errors.Is(noKeys, os.ErrNotExist) && cfg.database == "" && !cfg.isNew() {
		return nil, fault.Errorf(fault.NotFound, "%s is gone, and without it the secrets in this data folder cannot be read", path).
			WithHint("restore it from a backup; or move longshore.db away and run longshore ingest: the catalog comes back from the lake, with new keys")
	}
	return store.OpenSealer(path)
}

// embeddedKeys returns the embedded endpoint's keys, made on first start and kept sealed.
func (a *app) embeddedKeys(ctx context.Context) (s3Keys, error) {
	access, err := a.made(ctx, "s3-access-key", func() string { return "LS" + randomBase32(18) })
	if err != nil {
		return s3Keys{}, err
	}
	secret, err := a.made(ctx, "s3-secret-key", randomSecret)
	return s3Keys{access, secret}, err
}

// apiCredentials returns the client id and secret of the API: those of the settings, or made on first start.
func (a *app) apiCredentials(ctx context.Context) (id, secret string, err error) {
	if a.cfg.clientID != "" && a.cfg.clientSecret != "" {
		return a.cfg.clientID, a.cfg.clientSecret, nil
	}
	if id, err = a.made(ctx, "client-id", func() string { return "client_" + randomBase32(20) }); err != nil {
		return "", "", err
	}
	secret, err = a.made(ctx, "client-secret", randomSecret)
	return id, secret, err
}

// made returns the sealed setting of that name, making it with value when there is none.
func (a *app) made(ctx context.Context, name string, value func() string) (string, error) {
	kept, err := a.store.Setting(ctx, name)
	if err != nil {
		return "", err
	}
	if kept == "" {
		sealed, err := a.seal.Seal([]byte(value()), "setting/"+name)
		if err != nil {
			return "", err
		}
		// Another process may have made it meanwhile: the first one holds.
		if kept, err = a.store.FirstSetting(ctx, name, base64.StdEncoding.EncodeToString(sealed)); err != nil {
			return "", err
		}
	}
	sealed, err := base64.StdEncoding.DecodeString(kept)
	if err != nil {
		return "", fmt.Errorf("read setting %s: %w", name, err)
	}
	plain, err := a.seal.Open(sealed, "setting/"+name)
	return string(plain), err
}

// keep seals the value of a setting.
func (a *app) keep(ctx context.Context, name, plain string) error {
	sealed, err := a.seal.Seal([]byte(plain), "setting/"+name)
	if err != nil {
		return err
	}
	return a.store.SetSetting(ctx, name, base64.StdEncoding.EncodeToString(sealed))
}

func randomBase32(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return base32.StdEncoding.EncodeToString(b)[:n]
}

func randomSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}
