package session

import (
	"net"
	"net/netip"
	"slices"

	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

const (
	maxNotice    = 600_000 // ms that a viewer may complain of
	maxRelays    = 8
	maxRelayURLs = 8
	maxRelayText = 512
)

// relays is the server's word which relays this side may use. The newest counts,
// for connections to come and for ICE restarts of those that stand.
func (h *Host) relays(m *mfpb.Relay) {
	if len(m.GetServers()) > maxRelays {
		h.fault(errProtocol)
		return
	}
	for _, s := range m.GetServers() {
		if len(s.GetUrls()) > maxRelayURLs || len(s.GetUsername()) > maxRelayText || len(s.GetCredential()) > maxRelayText {
			h.fault(errProtocol)
			return
		}
	}
	h.relay = m
	secure := secureRelays(m)
	h.secureRelays.Store(&secure)
	for _, p := range h.live.participants {
		if p.link == nil || p.link.down {
			continue
		}
		if err := p.link.pc.SetConfiguration(webrtc.Configuration{ICEServers: h.iceServers()}); err != nil {
			h.log.Warn("the relays cannot be used", "error", err)
		}
	}
}

// iceServers are the relays as pion wants them. It takes all or none, so what it
// could not use is left out here: a session needs no relay to begin.
func (h *Host) iceServers() []webrtc.ICEServer {
	var list []webrtc.ICEServer
	for _, s := range h.relay.GetServers() {
		signed := s.GetUsername() != "" && s.GetCredential() != ""
		var urls []string
		for _, raw := range s.GetUrls() {
			u, err := stun.ParseURI(raw)
			if err == nil && (signed || u.Scheme == stun.SchemeTypeSTUN || u.Scheme == stun.SchemeTypeSTUNS) {
				urls = append(urls, raw)
			}
		}
		if len(urls) > 0 {
			list = append(list, webrtc.ICEServer{URLs: urls, Username: s.GetUsername(), Credential: s.GetCredential()})
		}
	}
	return list
}

// watchRoutes looks for a change of this computer's addresses: another network,
// a cable pulled, a VPN that came up.
func (l *live) watchRoutes() {
	around := l.h.around
	last := around.addresses()
	var look func()
	look = func() {
		if now := around.look(l.h.clock.Now()); now != nil && !slices.Equal(now, last) {
			last = now
			l.routesChanged(now)
		}
		l.h.alarm("routes", around.pause(), look)
	}
	l.h.alarm("routes", around.pause(), look)
}

// routesChanged finds other ways for all that goes over the network. A line that
// went by an address that is gone is dead, whatever TCP still hopes for.
func (l *live) routesChanged(now []netip.Addr) {
	l.h.log.Info("the computer's addresses changed", "count", len(now))
	for _, p := range l.participants {
		if p.link != nil {
			p.link.moved = true
		}
	}
	if line := l.h.line; line != nil {
		if local, err := netip.ParseAddrPort(line.conn.LocalAddr().String()); err == nil &&
			!local.Addr().IsLoopback() && !slices.Contains(now, local.Addr().Unmap()) {
			line.conn.Close() // its reader brings the loss
			return
		}
	}
	for _, p := range l.participants {
		if p.link != nil {
			p.link.tellRoute()
		}
	}
}

// tellRoute asks the viewer for an ICE restart after our addresses changed, as
// soon as a sealed body reaches it.
func (l *link) tellRoute() {
	if !l.moved || l.down || !l.proven || l.spoilt || l.h.line == nil || !l.h.line.ready {
		return
	}
	l.moved = false
	l.seal(&mfpb.SealedBody{Optional: true, Body: &mfpb.SealedBody_RouteChanged{RouteChanged: &mfpb.RouteChanged{}}})
}

// addresses are this computer's own, sorted; nil if they cannot be read.
func addresses() []netip.Addr {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	list := make([]netip.Addr, 0, len(all))
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			if ip := p.Addr().Unmap().WithZone(""); ip.IsGlobalUnicast() || ip.IsPrivate() {
				list = append(list, ip)
			}
		}
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return list
}

// noticed is what a viewer says about its own browser.
func (h *Host) noticed(p *participant, m *mfpb.Notice) error {
	if p.wishes++; p.wishes > maxWishes {
		return errProtocol
	}
	slow := m.GetCode() == mfpb.NoticeCode_NOTICE_CODE_BROWSER_SLOW
	if !slow && m.GetCode() != mfpb.NoticeCode_NOTICE_CODE_BROWSER_GOOD {
		return errProtocol // the others are the host's own
	}
	if slow == p.slowBrowser {
		return nil
	}
	p.slowBrowser = slow
	data := map[string]any{"reason": "BROWSER_SLOW", "participant": p.id}
	if !slow {
		h.live.note("session.restored", "ok", data, nil)
		return nil
	}
	data["value"] = min(m.GetValue(), maxNotice)
	h.live.note("session.degraded", "ok", data, nil)
	return nil
}
