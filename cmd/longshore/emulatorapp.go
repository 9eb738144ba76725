package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"longshore/internal/fault"
	"longshore/internal/source/okta/emulator"
)

// appFlags are the service app of the stand-in org.
type appFlags struct {
	file     string // of its private key
	kind     string
	scopes   []string
	dpop     bool
	apiNonce bool
	noRole   bool
	life     time.Duration
}

func (a *appFlags) add(f *pflag.FlagSet) {
	f.StringVar(&a.file, "oauth", "", "let a service app in (OAuth 2.0, private_key_jwt): the FILE for its private key, which is made when it is not there; its settings are printed")
	f.StringVar(&a.kind, "key-type", "RSA", "with --oauth: kind of a new key: RSA, P-256, P-384 or P-521")
	f.StringSliceVar(&a.scopes, "scopes", emulator.ReadScopes(), "with --oauth: scopes granted to the app, with commas between")
	f.BoolVar(&a.dpop, "dpop", false, "with --oauth: the app's access tokens must be bound to a key (DPoP)")
	f.BoolVar(&a.apiNonce, "dpop-nonce", false, "with --dpop: API calls need the nonce too")
	f.BoolVar(&a.noRole, "no-role", false, "with --oauth: the app holds no admin role, so that its lists are empty")
	f.DurationVar(&a.life, "token-life", time.Hour, "with --oauth: life of an access token")
}

func (a *appFlags) check(cmd *cobra.Command) error {
	for _, name := range []string{"key-type", "scopes", "dpop", "dpop-nonce", "no-role", "token-life"} {
		if a.file == "" && cmd.Flags().Changed(name) {
			return fmt.Errorf("--%s is about a service app: add --oauth FILE", name)
		}
	}
	if a.apiNonce && !a.dpop {
		return errors.New("--dpop-nonce goes with --dpop")
	}
	if !slices.Contains([]string{"RSA", "P-256", "P-384", "P-521"}, a.kind) {
		return fmt.Errorf("--key-type %q: want RSA, P-256, P-384 or P-521", a.kind)
	}
	if a.life < time.Second {
		return fmt.Errorf("--token-life %s: want a second at least", a.life)
	}
	if len(a.scopes) == 0 {
		return errors.New("--scopes names no scope: want such as okta.users.read,okta.roles.read")
	}
	for _, s := range a.scopes {
		if !strings.HasPrefix(s, "okta.") {
			return fmt.Errorf("--scopes: %q is none of Okta's: want such as okta.users.read", s)
		}
	}
	return nil
}

// key reads the app's private key, or makes it and writes it where only its owner reads it.
func (a *appFlags) key() (emulator.Key, error) {
	if a.file == "" {
		return emulator.Key{}, nil
	}
	text, err := os.ReadFile(a.file)
	if err == nil {
		key, err := emulator.ParseKey(text)
		if err != nil {
			return key, fault.Errorf(fault.Conflict, "%s is there, but holds no private key: %w", a.file, err).
				WithHint("name another file with --oauth: one that is there is not overwritten")
		}
		return key, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return emulator.Key{}, fmt.Errorf("read the app's key: %w", err)
	}
	key, err := emulator.NewKey(a.kind)
	if err != nil {
		return key, fmt.Errorf("make the app's key: %w", err)
	}
	if text, err = key.PEM(); err != nil {
		return key, fmt.Errorf("make the app's key: %w", err)
	}
	if err := os.WriteFile(a.file, text, 0o600); err != nil {
		return key, fault.Errorf(fault.Invalid, "write the app's key: %w", err).WithHint("name a file in a folder that is there with --oauth")
	}
	return key, nil
}

func (a *appFlags) oauth(key emulator.Key) emulator.OAuth {
	app := emulator.App{ClientID: emulator.DefaultClientID, Keys: key.JWKS(), Scopes: a.scopes, DPoP: a.dpop, NoRole: a.noRole}
	return emulator.OAuth{Apps: []emulator.App{app}, TokenLife: a.life, NonceAtAPI: a.apiNonce}
}

// tell prints the settings of a client of the app, as Okta's own clients read them from the environment.
func (a *appFlags) tell(out io.Writer, orgURL string, key emulator.Key) {
	file := a.file
	if whole, err := filepath.Abs(file); err == nil {
		file = whole // the client may run in another folder
	}
	for _, line := range [][2]string{
		{"ORGURL", orgURL},
		{"AUTHORIZATIONMODE", "PrivateKey"},
		{"CLIENTID", emulator.DefaultClientID},
		{"SCOPES", strings.Join(a.scopes, ",")},
		{"PRIVATEKEY", file},
		{"PRIVATEKEYID", key.ID},
	} {
		fmt.Fprintf(out, "OKTA_CLIENT_%s=%s\n", line[0], line[1])
	}
}
