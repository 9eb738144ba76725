//go:build clients

package clients

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"longshore/internal/source/okta/emulator"
)

// An airbyteConnector is a connector of Airbyte's as PyPI has it.
type airbyteConnector struct{ distribution, version, program string }

var (
	airbyteOkta  = airbyteConnector{"airbyte-source-okta", "0.3.26", "source-okta"}
	airbyteFaker = airbyteConnector{"airbyte-source-faker", "7.2.1", "source-faker"}
)

// install makes a virtual environment with the connector, once; it is kept in the user's cache.
func (c airbyteConnector) install(t *testing.T) (program string) {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	dir := filepath.Join(cache, "longshore-clients", c.distribution+"-"+c.version)
	program = filepath.Join(dir, "bin", c.program)
	if exec.Command(program, "spec").Run() == nil {
		return program
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	python := oceanVersion{python: "3.11"}.find(t)
	for _, step := range [][]string{
		{python, "-m", "venv", "--clear", dir},
		{filepath.Join(dir, "bin", "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", c.distribution + "==" + c.version},
	} {
		if out, err := exec.CommandContext(ctx, step[0], step[1:]...).CombinedOutput(); err != nil {
			t.Skipf("%s %s cannot be installed: %v: %s", c.distribution, c.version, err, bytes.TrimSpace(out))
		}
	}
	return program
}

// oktaDotCom lets programs find the org at https://acme.okta.com: a proxy that answers for that host itself. It returns
// what their environment needs for that.
func oktaDotCom(t *testing.T, org http.Handler) (env []string) {
	t.Helper()
	certificate, authority := certify(t, "acme.okta.com")
	site := httptest.NewUnstartedServer(org)
	site.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	site.StartTLS()
	t.Cleanup(site.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	write(t, ca, string(authority))
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != "acme.okta.com:443" {
			http.Error(w, "only acme.okta.com is here", http.StatusForbidden)
			return
		}
		back, err := net.Dial("tcp", site.Listener.Addr().String())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer back.Close()
		front, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer front.Close()
		_, _ = io.WriteString(front, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() { _, _ = io.Copy(back, front); back.Close() }()
		_, _ = io.Copy(front, back)
	}))
	t.Cleanup(proxy.Close)
	return []string{"HTTPS_PROXY=" + proxy.URL, "REQUESTS_CA_BUNDLE=" + ca, "SSL_CERT_FILE=" + ca}
}

// certify makes a certificate for a host that is its own authority.
func certify(t *testing.T, host string) (certificate tls.Certificate, authority []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// read runs a source's read and returns the records of each stream, as they were written.
func read(t *testing.T, env []string, program string, args ...string) (records map[string][]json.RawMessage, states []json.RawMessage) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(os.Environ(), env...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	records = map[string][]json.RawMessage{}
	newest := map[string]json.RawMessage{}
	var tail []string
	for in := bufio.NewReaderSize(out, 1<<20); ; {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			var m struct {
				Type   string
				Record struct {
					Stream string
					Data   json.RawMessage
				}
				State struct {
					Stream struct {
						Descriptor struct{ Name string } `json:"stream_descriptor"`
					}
				}
			}
			if json.Unmarshal(line, &m) != nil {
				t.Logf("no message: %.300s", line)
				continue
			}
			switch m.Type {
			case "RECORD":
				records[m.Record.Stream] = append(records[m.Record.Stream], bytes.Clone(m.Record.Data))
			case "STATE":
				var whole struct{ State json.RawMessage }
				_ = json.Unmarshal(line, &whole)
				newest[m.State.Stream.Descriptor.Name] = whole.State
			case "LOG", "TRACE":
				tail = append(tail[max(0, len(tail)-20):], string(bytes.TrimSpace(line)))
			}
		}
		if err != nil {
			break
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%s %s: %v\n%s\n%s", program, strings.Join(args, " "), err, strings.Join(tail, "\n"), errs.String())
	}
	for _, name := range slices.Sorted(maps.Keys(newest)) {
		states = append(states, newest[name])
	}
	return records, states
}

// canonical is a record with its members in order.
func canonical(t *testing.T, record json.RawMessage, change func(map[string]any)) string {
	t.Helper()
	var members map[string]any
	d := json.NewDecoder(bytes.NewReader(record))
	d.UseNumber()
	if err := d.Decode(&members); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(members)
	}
	out, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestAirbytesOktaSource reads one org with Airbyte's own source and with ours: what it finds, ours finds too, in the
// same words, and each goes on from the other's state.
func TestAirbytesOktaSource(t *testing.T) {
	theirs := airbyteOkta.install(t)
	org := emulator.New(emulator.Options{BaseURL: "https://acme.okta.com", Users: 60, Days: 3, EventsPerDay: 60})
	t.Cleanup(org.Close)
	env := oktaDotCom(t, org)
	dir := t.TempDir()
	config, logConfig := filepath.Join(dir, "config.json"), filepath.Join(dir, "log.json")
	settings := `{"domain":"acme","start_date":%q,"credentials":{"auth_type":"api_token","api_token":%q}}`
	write(t, config, fmt.Sprintf(settings, "2000-01-01T00:00:00Z", emulator.DefaultToken))
	write(t, logConfig, fmt.Sprintf(settings, "2026-10-15T00:00:00Z", emulator.DefaultToken)) // Okta refuses to look back further than 90 days

	catalog, logCatalog := filepath.Join(dir, "catalog.json"), filepath.Join(dir, "logcatalog.json")
	// Airbyte's source fails for good on the group whose members nobody may list, and on the last page of resource sets.
	write(t, catalog, configured(t, env, theirs, config, "group_members", "resource_sets", "logs"))
	write(t, logCatalog, configured(t, env, theirs, config, slices.DeleteFunc(slices.Clone(airbyteStreams), func(s string) bool { return s == "logs" })...))
	want, _ := read(t, env, theirs, "read", "--config", config, "--catalog", catalog)
	got, _ := read(t, env, binary, "source-okta", "read", "--config", config, "--catalog", catalog)
	log, theirStates := read(t, env, theirs, "read", "--config", logConfig, "--catalog", logCatalog)
	maps.Copy(want, log)
	log, ourStates := read(t, env, binary, "source-okta", "read", "--config", logConfig, "--catalog", logCatalog)
	maps.Copy(got, log)

	for stream, records := range want {
		have := map[string]int{}
		for _, r := range got[stream] {
			have[canonical(t, r, asAirbyte(stream))]++
		}
		var lost []string
		for _, r := range records {
			c := canonical(t, r, asAirbyte(stream))
			if have[c] == 0 {
				lost = append(lost, c)
			}
			have[c]--
		}
		t.Logf("%s: %d of Airbyte's, %d of ours", stream, len(records), len(got[stream]))
		if len(lost) > 0 {
			t.Errorf("%s: %d of %d records that Airbyte's source reads are not among ours, such as %.600s\nwe have %.600s", stream, len(lost), len(records), lost[0], got[stream][0])
		}
	}
	if len(want["users"]) == 0 || len(want["logs"]) == 0 || len(want["user_role_assignments"]) == 0 {
		t.Fatalf("Airbyte's source read nothing of streams that hold something: %v", counts(want))
	}

	mine, yours := filepath.Join(dir, "mine.json"), filepath.Join(dir, "yours.json")
	write(t, mine, list(ourStates))
	write(t, yours, list(theirStates))
	again, _ := read(t, env, binary, "source-okta", "read", "--config", logConfig, "--catalog", logCatalog, "--state", yours)
	if n := len(again["logs"]); n > len(want["logs"])/2 {
		t.Errorf("from Airbyte's state on ours reads %d log events, of %d in all", n, len(want["logs"]))
	}
	again, _ = read(t, env, theirs, "read", "--config", logConfig, "--catalog", logCatalog, "--state", mine)
	if n := len(again["logs"]); n > len(want["logs"])/2 {
		t.Errorf("from our state on Airbyte's reads %d log events, of %d in all", n, len(want["logs"]))
	}
}

var airbyteStreams = []string{"users", "groups", "group_members", "group_role_assignments", "user_role_assignments", "custom_roles", "permissions", "resource_sets", "logs"}

// asAirbyte takes from a record what only one of both says: nulls and fractions of seconds, which Airbyte's leaves out, and
// what ours leaves out as a secret.
func asAirbyte(stream string) func(map[string]any) {
	return func(r map[string]any) {
		dropNulls(r)
		switch stream {
		case "users":
			if credentials, ok := r["credentials"].(map[string]any); ok {
				delete(credentials, "recovery_question")
			}
		case "logs":
			if at, ok := r["published"].(string); ok {
				if parsed, err := time.Parse(time.RFC3339Nano, at); err == nil {
					r["published"] = parsed.Truncate(time.Second).UTC().Format(time.RFC3339)
				}
			}
		case "permissions":
			delete(r, "roleId")
		}
	}
}

func dropNulls(value any) {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if member == nil {
				delete(v, name)
			}
			dropNulls(member)
		}
	case []any:
		for _, element := range v {
			dropNulls(element)
		}
	}
}

// configured is the catalog of the streams that a source discovers, the log read incrementally.
func configured(t *testing.T, env []string, program, config string, without ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, "discover", "--config", config)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(out) {
		var m struct {
			Type    string
			Catalog struct{ Streams []json.RawMessage }
		}
		if json.Unmarshal(line, &m) != nil || m.Type != "CATALOG" {
			continue
		}
		var streams []string
		for i, s := range m.Catalog.Streams {
			mode := "full_refresh"
			var named struct{ Name string }
			if err := json.Unmarshal(s, &named); err != nil {
				t.Fatal(err)
			}
			switch {
			case slices.Contains(without, named.Name):
				continue
			case named.Name == "logs":
				mode = "incremental"
			}
			streams = append(streams, fmt.Sprintf(`{"stream":%s,"sync_mode":%q,"destination_sync_mode":"append","generation_id":%d,"minimum_generation_id":0,"sync_id":1}`, s, mode, i))
		}
		return `{"streams":[` + strings.Join(streams, ",") + `]}`
	}
	t.Fatalf("%s discovers nothing: %s", program, out)
	return ""
}

func list(values []json.RawMessage) string {
	return "[" + string(bytes.Join(func() (out [][]byte) {
		for _, v := range values {
			out = append(out, v)
		}
		return out
	}(), []byte(","))) + "]"
}

func counts(records map[string][]json.RawMessage) map[string]int {
	n := map[string]int{}
	for stream, r := range records {
		n[stream] = len(r)
	}
	return n
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
