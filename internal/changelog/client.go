package changelog

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// metadata are the addresses of cloud providers' metadata services that no range of special addresses covers.
var metadata = map[netip.Addr]bool{
	netip.MustParseAddr("100.100.100.200"): true, netip.MustParseAddr("fd00:ec2::254"): true, netip.MustParseAddr("192.0.0.192"): true,
	netip.MustParseAddr("168.63.129.16"): true,
}

// NewClient returns a client for destinations that somebody else names: it connects to no address of this machine or
// its link, nor to a metadata service, whatever name leads there, unless local is set. It follows no redirects and uses
// no proxy.
func NewClient(local bool) *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	if !local {
		// After the name was looked up, so that a name that changes its address leads nowhere else.
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil || !public(to.Addr()) {
				return fmt.Errorf("the destination's address is one of this machine, its link or a metadata service: not allowed")
			}
			return nil
		}
	}
	return &http.Client{
		Transport:     &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// public reports whether an address may be connected to. Private networks may: a receiver within the company is the rule.
func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return a.IsValid() && !a.IsLoopback() && !a.IsUnspecified() && !a.IsLinkLocalUnicast() && !a.IsMulticast() && !metadata[a] && !(a.Is4() && a.As4()[0] == 0)
}
