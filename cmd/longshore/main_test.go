package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
)

// A signal may arrive at any moment; a context that is over before the start is the earliest one.
func TestSignalEndsUpWell(t *testing.T) {
	for _, name := range []string{"OKTA_CLIENT_ORGURL", "OKTA_ORG_URL", "OKTA_CLIENT_TOKEN", "OKTA_API_TOKEN"} {
		t.Setenv(name, "") // the demo org
	}
	for _, c := range []struct {
		name  string
		args  []string
		code  int
		tells string // on standard error; "" is nothing
	}{
		{"up runs until it is stopped", []string{"up"}, exitOK, ""},
		{"up once was not done", []string{"up", "--once"}, exitFailed, "stopped by a signal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			var out, errs bytes.Buffer
			args := append(c.args, "--data", filepath.Join(t.TempDir(), "data"), "--listen", "127.0.0.1:0", "--s3-listen", "127.0.0.1:0")
			if code := run(ctx, args, strings.NewReader(""), &out, &errs); code != c.code {
				t.Errorf("exit %d, want %d; standard error: %s", code, c.code, errs.String())
			}
			if c.tells == "" && errs.Len() > 0 || !strings.Contains(errs.String(), c.tells) || strings.Contains(errs.String(), "context canceled") {
				t.Errorf("standard error %q, want %q in it", errs.String(), c.tells)
			}
		})
	}
}

func TestEncryptedOrg(t *testing.T) {
	for orgURL, refused := range map[string]bool{
		"": false, "acme": false, "https://acme.okta.com": false, "127.0.0.1:8090": false, "http://localhost:8090": false,
		"http://[::1]:8090": false, "http://acme.okta.com": true, "http://10.0.0.7:8090": true,
	} {
		if err := encryptedOrg(orgURL); (err != nil) != refused {
			t.Errorf("org %q: error %v, want refused %v", orgURL, err, refused)
		}
	}
}
