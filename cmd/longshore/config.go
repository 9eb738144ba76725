package main

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"longshore/internal/fault"
	"longshore/internal/source/okta"
	"longshore/internal/store"
)

// setting is one setting: its name in longshore.yaml, the variables that set it (the first that is set wins), and its
// flag. Secrets have no flag: a flag's value can be read in the process list.
type setting struct {
	name  string
	env   []string
	def   string
	flag  bool
	usage string
}

var settings = []setting{
	{"data", []string{"LONGSHORE_DATA"}, "./longshore-data", true, "folder of the embedded database, lake and keys"},
	{"listen", []string{"LONGSHORE_LISTEN"}, "127.0.0.1:8080", true, "address of the UI and the APIs"},
	{"s3-listen", []string{"LONGSHORE_S3_LISTEN"}, "127.0.0.1:9000", true, "address of the embedded S3 endpoint"},
	{"database-url", []string{"LONGSHORE_DATABASE_URL"}, "", false, ""},
	{"s3-endpoint", []string{"LONGSHORE_S3_ENDPOINT"}, "", true, "endpoint of an outside S3 bucket (empty with a bucket: AWS)"},
	{"s3-bucket", []string{"LONGSHORE_S3_BUCKET"}, "", true, "outside bucket (default: the embedded one, org-demo)"},
	{"s3-region", []string{"LONGSHORE_S3_REGION"}, "us-east-1", true, "region of the outside bucket"},
	{"s3-prefix", []string{"LONGSHORE_S3_PREFIX"}, "data/", true, "bucket path of the lake"},
	{"okta-url", []string{"OKTA_CLIENT_ORGURL", "OKTA_ORG_URL"}, "", true, "the org, in any spelling of its domain (default: the demo org)"},
	{"okta-token", []string{"OKTA_CLIENT_TOKEN", "OKTA_API_TOKEN"}, "", false, ""},
	{"okta-authorization-mode", []string{"OKTA_CLIENT_AUTHORIZATIONMODE"}, "", false, ""},
	{"okta-client-id", []string{"OKTA_CLIENT_CLIENTID"}, "", false, ""},
	{"okta-private-key", []string{"OKTA_CLIENT_PRIVATEKEY"}, "", false, ""},
	{"okta-private-key-id", []string{"OKTA_CLIENT_PRIVATEKEYID"}, "", false, ""},
	{"okta-scopes", []string{"OKTA_CLIENT_SCOPES"}, "", false, ""},
	{"okta-client-secret", []string{"OKTA_CLIENT_CLIENTSECRET"}, "", false, ""},
	{"okta-refresh-token", []string{"OKTA_CLIENT_REFRESHTOKEN"}, "", false, ""},
	{settingDPoP, []string{"LONGSHORE_OKTA_DPOP"}, "auto", true, "bind access tokens to a key of this process: auto (once Okta demands it) or always"},
	{settingShare, []string{"LONGSHORE_OKTA_SHARE"}, "50", true, "part of each of Okta's rate limits to use, per cent"},
	{settingLimitOf, []string{"LONGSHORE_OKTA_LIMIT_OF"}, "", true, "whose limit Okta's rate headers show: org or client (default: found out)"},
	{settingStreams, []string{"LONGSHORE_OKTA_STREAMS"}, "", true, "streams to read, with commas: just these, or +NAME to add to the default ones"},
	{"changelog-local", []string{"LONGSHORE_CHANGELOG_LOCAL"}, "false", true, "let changelog destinations be addresses of this machine, and plain http: true or false"},
	{"client-id", []string{"LONGSHORE_CLIENT_ID"}, "", false, ""},
	{"client-secret", []string{"LONGSHORE_CLIENT_SECRET"}, "", false, ""},
}

func addSettingFlags(flags *pflag.FlagSet) {
	flags.String("config", "", "settings file (default: longshore.yaml here, if there is one)")
	for _, s := range settings {
		if s.flag {
			flags.String(s.name, s.def, fmt.Sprintf("%s [%s]", s.usage, strings.Join(s.env, ", ")))
		}
	}
	flags.Bool("insecure", false, "allow listening beyond loopback, or an org by plain http, without TLS")
}

// config is the settings of one run: defaults, then longshore.yaml, then the environment, then flags.
type config struct {
	data, listen, s3Listen                   string
	s3Endpoint, s3Bucket, s3Region, s3Prefix string
	oktaURL, clientID, clientSecret          string
	database                                 string // URL of a PostgreSQL database; "": SQLite in the data folder
	changelogLocal                           bool
	okta                                     okta.Config // as the settings have it; without an org the demo org is meant
}

// loadConfig reads the settings and refuses those that this version cannot honour: that is wrong usage.
func loadConfig(cmd *cobra.Command) (config, error) {
	c, err := readConfig(cmd)
	if err != nil {
		return c, &usageError{err}
	}
	return c, nil
}

func readConfig(cmd *cobra.Command) (config, error) {
	k := koanf.New(".")
	values := map[string]any{}
	for _, s := range settings {
		values[s.name] = s.def
	}
	if err := k.Load(confmap.Provider(values, "."), nil); err != nil {
		return config{}, err
	}
	if err := loadFile(cmd, k); err != nil {
		return config{}, err
	}
	over := map[string]any{}
	for _, s := range settings {
		for _, name := range s.env {
			if v, ok := os.LookupEnv(name); ok && v != "" {
				over[s.name] = v
				break
			}
		}
		if f := cmd.Flags().Lookup(s.name); f != nil && f.Changed {
			over[s.name] = f.Value.String()
		}
	}
	if err := k.Load(confmap.Provider(over, "."), nil); err != nil {
		return config{}, err
	}
	c := config{
		data: k.String("data"), listen: k.String("listen"), s3Listen: k.String("s3-listen"), s3Endpoint: k.String("s3-endpoint"),
		s3Bucket: k.String("s3-bucket"), s3Region: k.String("s3-region"), s3Prefix: k.String("s3-prefix"), oktaURL: k.String("okta-url"),
		changelogLocal: k.String("changelog-local") == "true",
		clientID:       k.String("client-id"), clientSecret: k.String("client-secret"),
	}
	// The embedded S3 endpoint works in a folder of its own: every path must be absolute from here on.
	var err error
	if c.data, err = filepath.Abs(c.data); err != nil {
		return c, fault.Errorf(fault.Invalid, "data folder %q: %w", k.String("data"), err)
	}
	if c.database = k.String("database-url"); c.database != "" && !store.IsURL(c.database) {
		return c, fault.Errorf(fault.Invalid, "LONGSHORE_DATABASE_URL is no PostgreSQL URL"). // nor shown: it may hold a password
													WithHint("write postgres://USER:PASSWORD@HOST:PORT/DATABASE; without it the catalog is SQLite in the --data folder")
	}
	if local := k.String("changelog-local"); local != "true" && local != "false" {
		return c, fault.Errorf(fault.Invalid, "setting changelog-local (LONGSHORE_CHANGELOG_LOCAL): want true or false, got %q", local)
	}
	if c.okta, err = oktaConfig(k); err != nil {
		return c, err
	}
	if insecure, _ := cmd.Flags().GetBool("insecure"); !insecure {
		if err := encryptedOrg(c.oktaURL); err != nil {
			return c, err
		}
		for _, address := range []string{c.listen, c.s3Listen} {
			if err := loopbackOnly(address); err != nil {
				return c, err
			}
		}
	}
	return c, nil
}

func loadFile(cmd *cobra.Command, k *koanf.Koanf) error {
	path, _ := cmd.Flags().GetString("config")
	if path == "" {
		path = "longshore.yaml"
		if _, err := os.Stat(path); err != nil {
			return nil //nolint:nilerr // this file is optional
		}
	}
	if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
		return fault.Errorf(fault.Invalid, "read settings from %s: %w", path, err).WithHint("it is YAML, a line a setting: listen: 127.0.0.1:8080")
	}
	known := map[string]bool{}
	for _, s := range settings {
		known[s.name] = true
	}
	for _, name := range k.Keys() {
		if !known[name] {
			names := slices.Sorted(maps.Keys(known))
			if near := fault.Misspelt(name, names); near != "" {
				return fault.Errorf(fault.Invalid, "%s: unknown setting %q", path, name).WithHint("is %q meant?", near)
			}
			return fault.Errorf(fault.Invalid, "%s: unknown setting %q", path, name).WithHint("the settings are %s", strings.Join(names, ", "))
		}
	}
	return nil
}

// encryptedOrg refuses an org beyond this machine over plain http: every request carries the token. A URL that cannot be
// read is told by who opens it.
func encryptedOrg(orgURL string) error {
	if orgURL == "" {
		return nil
	}
	u, _, err := okta.ParseOrgURL(orgURL)
	if err != nil || u.Scheme != "http" {
		return nil //nolint:nilerr // who opens it tells of it
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fault.Errorf(fault.Denied, "the org %s would get the token over the network unencrypted", u).
		WithHint("write https://%s, or say --insecure if you mean it", u.Host)
}

// loopbackOnly refuses an address that others can reach: there is no TLS in front of it.
func loopbackOnly(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fault.Errorf(fault.Invalid, "listen address %q: %w", address, err).WithHint("write host:port, for example 127.0.0.1:8080")
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fault.Errorf(fault.Denied, "listening on %s would send credentials over the network unencrypted", address).
		WithHint("listen on 127.0.0.1 behind a TLS proxy, or say --insecure if you mean it")
}
