package okta

import (
	"net"
	"net/netip"
	"net/url"
	"strings"

	"longshore/internal/fault"
)

// maxOrgURLBytes is longer than any host name (253 bytes) with scheme, port and a pasted path.
const maxOrgURLBytes = 2048

// oktaDomains are the domains under which Okta gives an org its host.
var oktaDomains = []string{"okta.com", "oktapreview.com", "okta-emea.com", "okta-gov.com", "okta.mil", "trexcloud.com", "dne-okta.com"}

// ParseOrgURL returns the base URL (scheme and host alone) of an org named in any of the usual ways: the subdomain
// "acme", a host, or a URL pasted from the browser, with path, port or the admin console's "acme-admin" host. The
// notice, if not "", says what was mended. Plain http is kept where it is written out, and is the default for a
// loopback address. Errors are fault.Invalid.
func ParseOrgURL(text string) (org *url.URL, notice string, err error) {
	given := strings.TrimSpace(text)
	refuse := func(why string) (*url.URL, string, error) {
		text := withoutUser(given)
		if len(text) > 100 {
			text = text[:100] + "…"
		}
		return nil, "", fault.Errorf(fault.Invalid, "Okta org URL %q: %s", text, why).
			WithHint("Give the host that people sign in at, such as https://acme.okta.com, or only acme.")
	}
	if given == "" {
		return refuse("is empty")
	}
	if len(given) > maxOrgURLBytes {
		return refuse("is too long")
	}
	scheme, rest, found := strings.Cut(given, "://")
	if !found {
		scheme, rest = "", strings.TrimPrefix(given, "//")
	}
	if end := strings.IndexAny(rest, "/?#\\"); end >= 0 {
		rest = rest[:end]
	}
	if strings.Contains(rest, "@") {
		return refuse("holds a user name or is a mail address")
	}
	host, port, err := splitPort(rest)
	if err != nil {
		return refuse(err.Error())
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	loopback := isLoopback(host)
	switch scheme = strings.ToLower(scheme); {
	case scheme == "" && loopback:
		scheme = "http"
	case scheme == "":
		scheme = "https"
	case scheme != "http" && scheme != "https":
		return refuse("its scheme is neither https nor http")
	}
	if !loopback && !strings.Contains(host, ".") && !strings.Contains(host, ":") && port == "" {
		host += ".okta.com"
	}
	if why := hostFlaw(host); why != "" {
		return refuse(why)
	}
	if mended, ok := withoutAdmin(host); ok {
		notice = "using " + mended + ": " + host + " is the admin console, the API answers at the org's own host"
		host = mended
	}
	if scheme == "http" && port == "80" || scheme == "https" && port == "443" {
		port = ""
	}
	return &url.URL{Scheme: scheme, Host: joinPort(host, port)}, notice, nil
}

// withoutUser hides what stands before an @ unless it looks like a mail address: it can be a password, which may hold
// slashes that are not escaped.
func withoutUser(text string) string {
	at := strings.LastIndexByte(text, '@')
	begin := 0
	if i := strings.Index(text, "//"); i >= 0 {
		begin = i + len("//")
	}
	if at < begin || begin == 0 && !strings.Contains(text[:at], ":") {
		return text
	}
	return text[:begin] + "…" + text[at:]
}

// splitPort cuts host[:port]; an IPv6 address stands in brackets.
func splitPort(hostport string) (host, port string, err error) {
	host = hostport
	if strings.HasPrefix(hostport, "[") || strings.Count(hostport, ":") == 1 {
		if strings.HasSuffix(hostport, "]") {
			return strings.Trim(hostport, "[]"), "", nil
		}
		if host, port, err = net.SplitHostPort(hostport); err != nil {
			return "", "", fault.Errorf(fault.Invalid, "its host and port cannot be told apart")
		}
		if n, ok := parsePort(port); !ok || n == 0 {
			return "", "", fault.Errorf(fault.Invalid, "its port is no number from 1 to 65535")
		}
	}
	return host, port, nil
}

func parsePort(text string) (n int, ok bool) {
	if text == "" || len(text) > 5 {
		return 0, false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, n <= 65535
}

func joinPort(host, port string) string {
	if port != "" {
		return net.JoinHostPort(host, port)
	}
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// hostFlaw says why a lower-case host cannot be one, or "".
func hostFlaw(host string) string {
	if _, err := netip.ParseAddr(host); err == nil {
		return ""
	}
	if len(host) > 253 {
		return "its host is too long"
	}
	for _, domain := range oktaDomains {
		if host == domain || host == "www."+domain || host == "login."+domain || host == "developer."+domain {
			return "names no org: put the org's name before " + domain
		}
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return "is no host name"
		}
		for _, c := range label {
			if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
				return "is no host name"
			}
		}
	}
	return ""
}

// withoutAdmin turns the admin console's host of an org under one of Okta's domains into the org's own.
func withoutAdmin(host string) (string, bool) {
	name, domain, ok := strings.Cut(host, ".")
	if !ok || !isOktaDomain(domain) {
		return host, false
	}
	org, ok := strings.CutSuffix(name, "-admin")
	return org + "." + domain, ok && org != ""
}

func isOktaDomain(domain string) bool {
	for _, d := range oktaDomains {
		if domain == d {
			return true
		}
	}
	return false
}

// adminTwin returns the host[:port] of the admin console beside an org's own.
func adminTwin(hostport string) string {
	name, rest, ok := strings.Cut(hostport, ".")
	if !ok {
		return hostport
	}
	return name + "-admin." + rest
}
