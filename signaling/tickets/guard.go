package tickets

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// errForbiddenAddress is an address that a desk never has by accident.
var errForbiddenAddress = errors.New("leads to an address of this machine, its link or its cloud, which the configuration does not name")

// metadata are services that hand out credentials of the machine to whoever
// asks. Most clouds use a link-local address; these are the others.
var metadata = []netip.Addr{
	netip.MustParseAddr("100.100.100.200"), // Alibaba
	netip.MustParseAddr("168.63.129.16"),   // Azure
	netip.MustParseAddr("192.0.0.192"),     // Oracle
	netip.MustParseAddr("fd00:ec2::254"),   // Amazon
	netip.MustParseAddr("fd20:ce::254"),    // Google
}

var (
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8")
	nat64       = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour   = netip.MustParsePrefix("2002::/16")
)

// inner tells whether a is an address of this machine, of its link, of a group,
// or of a metadata service. Addresses of the organisation's network are not:
// desks live there.
func inner(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	switch {
	case nat64.Contains(a):
		b := a.As16()
		return inner(netip.AddrFrom4([4]byte(b[12:16])))
	case sixToFour.Contains(a):
		b := a.As16()
		return inner(netip.AddrFrom4([4]byte(b[2:6])))
	case a.IsLoopback(), a.IsUnspecified(), a.IsLinkLocalUnicast(), a.IsMulticast(), thisNetwork.Contains(a):
		return true
	}
	for _, m := range metadata {
		if a == m {
			return true
		}
	}
	return false
}

// guard refuses to connect to inner addresses. It looks at the address that is
// dialled, so that a name which resolves differently each time fools nobody.
type guard struct {
	host  string // of the configured url
	allow []netip.Prefix
	page  bool // host was typed on a page: that it names an address permits nothing
	plain bool // nothing hides what is sent
}

func (g guard) permits(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range g.allow {
		if p.Contains(a) {
			return true
		}
	}
	if g.page {
		return !inner(a) && !g.plain // C131
	}
	if !inner(a) {
		return true
	}
	named, err := netip.ParseAddr(g.host)
	return err == nil && named.Unmap() == a || g.host == "localhost" && a.IsLoopback()
}

// control is the hook of a net.Dialer, called for each address before connecting.
func (g guard) control(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return err
	}
	if !g.permits(a) {
		return fmt.Errorf("%s %w", g.host, errForbiddenAddress)
	}
	return nil
}

// literal refuses a host that is itself an address which would not be called: whoever
// types it is told at once. A name is looked at when it is dialled.
func (g guard) literal() error {
	if a, err := netip.ParseAddr(g.host); err == nil && !g.permits(a) {
		return fmt.Errorf("%w: %s %w", ErrConfig, g.host, errForbiddenAddress)
	}
	return nil
}
