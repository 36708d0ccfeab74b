package session

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/track"
	"github.com/mainforte/mainforte/internal/pake"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

const (
	maxOffers     = 16  // in one epoch: the first and its ICE restarts
	maxCandidates = 128 // in one epoch

	// SCTP takes a lost packet for congestion: at 2 % loss and a round trip of 50 ms
	// pion would carry 1.3 Mbit/s. How much may be under way is for the picture's own
	// rate to say, so congestion control is only kept from choking it. In bytes of
	// packets of 1,200.
	leastWindow  = 48 * 1200 // of the congestion window: 9 Mbit/s at 50 ms
	windowStep   = 16 * 1200 // by which it grows a round trip
	repairWindow = 64 * 1200 // that is retransmitted at once
	// retransmitAtMost bounds the timer of a packet that was lost twice; pion's is at
	// least a second otherwise. Beyond a round trip as long as this, packets are sent
	// twice. While a way is interrupted the timer backs off no further either: after
	// another was found the picture does not wait for it.
	retransmitAtMost = 400 * time.Millisecond
)

// link is one attach: the sealed signaling of its epoch and, once that has met,
// one peer connection with its channels. Fields without a note belong to
// the loop.
type link struct {
	h      *Host
	p      *participant
	sealed *pake.Link
	cert   []byte // our DTLS certificate, DER

	pc                             *webrtc.PeerConnection
	ctl, in, fast, cursor, tileDCs *webrtc.DataChannel
	tilesFast                      *webrtc.DataChannel
	bulk                           map[uint16]*webrtc.DataChannel // those of the tools; not written after newLink
	recv                           *input.Receiver

	proved chan struct{} // closed when the viewer's certificate proof has passed
	ready  chan struct{} // closed when the tools know of it
	gone   chan struct{} // closed when the link is taken down

	offers, candidates int
	spoilt             bool // sealed bodies may have been lost: none is sent any more
	offered            bool // our own proof was sent
	proven             bool // as proved, for the loop
	greeted            bool // the viewer's Hello was accepted
	told               bool // the tools know of this connection
	down               bool
	nonce              []byte // the viewer's, of the newest attach
	opened             bool   // a sealed body of the newest epoch was opened: the viewer has its keys
	moved              bool   // our addresses changed, and the viewer has not been told
	shapes             shapes
	displays           []capture.Display // that the viewer was told

	film     *track.Viewer // nil: this host has no video
	tiles    tileEnd
	failed   atomic.Bool   // the data channel takes no picture any more
	given    atomic.Uint64 // bytes of picture that it took
	pace     pace
	measured measured
	watched  *uint32 // the display that the viewer looks at; nil: all of them
	route    string  // as the log knows it, see routed
}

// newLink prepares a peer connection for the viewer's offer.
func (h *Host) newLink(p *participant, sealed *pake.Link) (*link, error) {
	cert, der, err := newCertificate()
	if err != nil {
		return nil, err
	}
	l := &link{
		h: h, p: p, sealed: sealed, cert: der,
		proved: make(chan struct{}), ready: make(chan struct{}), gone: make(chan struct{}),
	}
	var se webrtc.SettingEngine
	// UDP only and nothing that listens: no TCP, no multicast DNS (P6). The
	// browser hides its address behind a .local name; it finds ours.
	se.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	se.DisableActiveTCP(true)
	se.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	se.SetICETimeouts(4*time.Second, 6*time.Second, 2*time.Second)
	se.SetSCTPMaxMessageSize(wire.MaxCursor)
	se.SetSCTPRTOMax(retransmitAtMost)
	se.SetSCTPMinCwnd(leastWindow)
	se.SetSCTPCwndCAStep(windowStep)
	se.SetSCTPFastRtxWnd(repairWindow)
	se.LoggerFactory = pionLog{h.log}
	se.SetIncludeLoopbackCandidate(loopback(h.server))
	se.SetICEProxyDialer(h.relayDialer())
	if h.cfg.ICE != nil {
		h.cfg.ICE(&se)
	}
	var me webrtc.MediaEngine // what joinFilm registers, and no more
	var interceptors interceptor.Registry
	if err := l.joinFilm(&me, &interceptors); err != nil {
		return nil, err
	}
	api := webrtc.NewAPI(webrtc.WithSettingEngine(se), webrtc.WithMediaEngine(&me), webrtc.WithInterceptorRegistry(&interceptors))
	if l.pc, err = api.NewPeerConnection(webrtc.Configuration{
		Certificates: []webrtc.Certificate{cert}, ICEServers: h.iceServers(),
	}); err != nil {
		l.leaveFilm()
		return nil, err
	}
	if err := errors.Join(l.openChannels(), l.offerFilm()); err != nil {
		l.leaveFilm()
		_ = l.pc.Close()
		return nil, err
	}
	l.recv = input.NewReceiver(&h.live.hands, &h.live.hands, &p.gate, func(code mfpb.NoticeCode) {
		l.control(&mfpb.Control{Optional: true, Body: &mfpb.Control_Notice{Notice: &mfpb.Notice{Code: code}}})
	})
	l.recv.OnAck(func(msg []byte) { _ = l.fast.Send(msg) })
	h.spawn(func() {
		<-l.recv.Done()
		if err := l.recv.Err(); err != nil && !errors.Is(err, input.ErrClosed) {
			l.post(func() { h.refused(p, "input", err) })
		}
	})
	l.pc.OnDataChannel(func(dc *webrtc.DataChannel) {
		_ = dc.Close() // C26
	})
	l.pc.OnICECandidate(func(c *webrtc.ICECandidate) {
		l.post(func() { l.trickle(c) })
	})
	l.pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		l.post(func() { l.state(state) })
	})
	return l, nil
}

// newCertificate makes the DTLS certificate of one peer connection.
func newCertificate() (webrtc.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return webrtc.Certificate{}, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return webrtc.Certificate{}, nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: wire.Protocol},
		NotBefore: now.AddDate(0, 0, -1), NotAfter: now.AddDate(0, 1, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return webrtc.Certificate{}, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return webrtc.Certificate{}, nil, err
	}
	return webrtc.CertificateFromX509(key, cert), der, nil
}

// openChannels creates our side of the negotiated channels.
func (l *link) openChannels() error {
	handlers := map[uint16]func(webrtc.DataChannelMessage) error{
		wire.ChannelControl:   l.onControl,
		wire.ChannelInput:     func(m webrtc.DataChannelMessage) error { return l.recv.Handle(input.In, m.Data) },
		wire.ChannelInputFast: l.onFast,
		wire.ChannelCursor:    func(webrtc.DataChannelMessage) error { return errProtocol },
		wire.ChannelTiles:     func(m webrtc.DataChannelMessage) error { return l.tiles.handle(m.Data) },
		wire.ChannelTilesFast: func(m webrtc.DataChannelMessage) error { return l.tiles.handleFast(m.Data) },
	}
	l.bulk = make(map[uint16]*webrtc.DataChannel)
	places := map[uint16]**webrtc.DataChannel{
		wire.ChannelControl: &l.ctl, wire.ChannelInput: &l.in, wire.ChannelInputFast: &l.fast,
		wire.ChannelCursor: &l.cursor, wire.ChannelTiles: &l.tileDCs, wire.ChannelTilesFast: &l.tilesFast,
	}
	yes, protocol, zero := true, wire.Protocol, uint16(0)
	for _, c := range wire.Channels() {
		init := &webrtc.DataChannelInit{Negotiated: &yes, ID: &c.ID, Protocol: &protocol, Ordered: &c.Reliable}
		if !c.Reliable {
			init.MaxRetransmits = &zero
		}
		dc, err := l.pc.CreateDataChannel(c.Label, init)
		if err != nil {
			return fmt.Errorf("channel %s: %w", c.Label, err)
		}
		limit, handle := c.Max, handlers[c.ID]
		if handle == nil {
			handle = l.hearTool(c.ID)
		}
		if c.ID == wire.ChannelTiles || c.ID == wire.ChannelTilesFast {
			limit = wire.MaxTileAnswer
		}
		dc.OnMessage(func(m webrtc.DataChannelMessage) {
			if c.ID != wire.ChannelControl && !l.held() { // C25
				return
			}
			err := error(wire.ErrTooLarge)
			if m.IsString {
				err = errProtocol
			} else if len(m.Data) <= limit {
				err = handle(m)
			}
			if err != nil {
				l.post(func() { l.h.refused(l.p, "viewer", fmt.Errorf("channel %s: %w", c.Label, err)) })
			}
		})
		if place := places[c.ID]; place != nil {
			*place = dc
		} else {
			l.bulk[c.ID] = dc
			dc.OnOpen(func() { l.post(l.toolsUp) })
		}
	}
	l.ctl.OnOpen(func() { l.post(l.prove) })
	l.tileDCs.OnBufferedAmountLow(func() { // nothing is on the network any more
		if s := l.stream(); s != nil {
			s.Arrived()
		}
	})
	l.cursor.OnOpen(func() { l.post(func() { l.h.showCursor(l.p); l.h.showPlace(l.p) }) })
	return nil
}

// held keeps a message on its channel until the viewer's proof has passed; the
// channel's own flow control holds what comes after it. It returns false when
// the link ends first.
func (l *link) held() bool {
	select {
	case <-l.proved:
		return true
	default:
	}
	select {
	case <-l.proved:
		return true
	case <-l.gone:
		return false
	}
}

// post gives the loop something to do with this link, as long as it stands.
func (l *link) post(f func()) {
	l.h.post(l.gone, func() {
		if !l.down && l.h.live != nil && !l.h.live.over {
			f()
		}
	})
}

// seal sends one body to the viewer by way of the server.
func (l *link) seal(body *mfpb.SealedBody) {
	if l.spoilt || l.h.line == nil || !l.h.line.ready {
		return
	}
	b, err := wire.Encode(body, wire.MaxSealed)
	if err != nil {
		l.h.log.Error("body not sealed", "error", err)
		return
	}
	m := l.sealed.Seal(b)
	m.Participant = l.p.id
	l.h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Sealed{Sealed: m}})
}

// rekey gives the sealed bodies of a standing connection the keys of a new epoch.
func (l *link) rekey(sealed *pake.Link) {
	l.sealed, l.opened = sealed, false
	l.spoilt, l.offers, l.candidates = false, 0, 0
}

// describe answers the viewer's offer: the first, or that of an ICE restart.
func (l *link) describe(d *mfpb.Description) error {
	if d.GetType() != "offer" || l.offers >= maxOffers {
		return errProtocol
	}
	l.offers++
	if err := acceptable(d.GetSdp()); err != nil { // C50
		return err
	}
	if err := l.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: d.GetSdp()}); err != nil {
		return fmt.Errorf("%w: %v", errProtocol, err)
	}
	answer, err := l.pc.CreateAnswer(nil)
	if err != nil {
		return fmt.Errorf("%w: %v", errProtocol, err)
	}
	if err := l.pc.SetLocalDescription(answer); err != nil {
		return fmt.Errorf("%w: %v", errProtocol, err)
	}
	l.seal(&mfpb.SealedBody{Body: &mfpb.SealedBody_Description{Description: &mfpb.Description{Type: "answer", Sdp: answer.SDP}}})
	return nil
}

// candidate is one of the viewer's addresses.
func (l *link) candidate(c *mfpb.Candidate) error {
	if l.offers == 0 || l.candidates >= maxCandidates {
		return errProtocol
	}
	l.candidates++
	mid, line := c.GetSdpMid(), uint16(min(c.GetSdpMlineIndex(), 0xffff))
	err := l.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: c.GetCandidate(), SDPMid: &mid, SDPMLineIndex: &line})
	if err != nil {
		// One address that this version cannot read is no reason to end.
		l.h.log.Info("candidate not used", "error", err)
	}
	return nil
}

// trickle sends one of our addresses; nil is the end of them.
func (l *link) trickle(c *webrtc.ICECandidate) {
	m := new(mfpb.Candidate)
	if c != nil {
		init := c.ToJSON()
		m.Candidate = init.Candidate
		if init.SDPMid != nil {
			m.SdpMid = *init.SDPMid
		}
		if init.SDPMLineIndex != nil {
			m.SdpMlineIndex = uint32(*init.SDPMLineIndex)
		}
	}
	l.seal(&mfpb.SealedBody{Body: &mfpb.SealedBody_Candidate{Candidate: m}})
}

// state follows the peer connection.
func (l *link) state(s webrtc.PeerConnectionState) {
	l.h.log.Info("peer connection", "epoch", l.sealed.Epoch(), "state", s.String())
	switch s {
	case webrtc.PeerConnectionStateConnected:
		l.routed()
		if !l.proven {
			l.h.alarm(l.p.alarmed("proof"), proofTime, func() { l.h.refused(l.p, "viewer", pake.ErrCertificate) })
		}
	case webrtc.PeerConnectionStateDisconnected:
		l.recv.ReleaseAll() // C34
	case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
		l.h.linkLost(l)
	}
}

// prove sends our proof: the first message on ctl, once. The channel's opening
// and the viewer's own proof both call for it, and either may be first.
func (l *link) prove() {
	if l.offered {
		return
	}
	l.offered = true
	viewer := l.pc.SCTP().Transport().GetRemoteCertificate()
	mac := l.sealed.Proof(pake.RoleHost, viewer, l.cert)
	l.control(&mfpb.Control{Body: &mfpb.Control_Proof{Proof: &mfpb.CertificateProof{Mac: mac}}})
}

// control sends one message on ctl, from any goroutine.
func (l *link) control(m *mfpb.Control) {
	b, err := wire.Encode(m, wire.MaxControl)
	if err == nil {
		err = l.ctl.Send(b)
	}
	if err != nil {
		l.h.log.Info("control message not sent", "error", err)
	}
}

// onControl reads one message on ctl and leaves it to the loop.
func (l *link) onControl(m webrtc.DataChannelMessage) error {
	c := new(mfpb.Control)
	err := wire.DecodeEnvelope(m.Data, wire.MaxControl, c)
	if errors.Is(err, wire.ErrSkip) {
		c, err = nil, nil
	}
	if err != nil {
		return err
	}
	l.post(func() {
		if err := l.heard(c); err != nil {
			l.h.refused(l.p, "viewer", err)
		}
	})
	return nil
}

// heard is one message on ctl; nil is one that this version does not know.
func (l *link) heard(c *mfpb.Control) error {
	if !l.proven {
		viewer := l.pc.SCTP().Transport().GetRemoteCertificate()
		if err := l.sealed.CheckProof(pake.RoleViewer, c.GetProof().GetMac(), viewer, l.cert); err != nil { // C25
			return err
		}
		l.accept()
		return nil
	}
	if c == nil {
		return nil
	}
	if hello, ok := c.Body.(*mfpb.Control_Hello); ok {
		if l.greeted || hello.Hello.GetKind() != mfpb.Kind_KIND_VIEWER {
			return errProtocol
		}
		if _, err := wire.Negotiate(hello.Hello); err != nil {
			return err
		}
		l.greeted = true
		return nil
	}
	if !l.greeted {
		return errProtocol
	}
	switch b := c.Body.(type) {
	case *mfpb.Control_Ask:
		return l.h.asksFor(l.p, b.Ask.GetName())
	case *mfpb.Control_GiveBack:
		l.h.givesBack(l.p, b.GiveBack.GetName())
	case *mfpb.Control_AskInvite:
		return l.h.asksInvite(l.p, b.AskInvite.GetKind())
	case *mfpb.Control_CancelInvite:
		l.h.cancelInvite(l.p)
	case *mfpb.Control_HandOver:
		return l.h.handsOver(l.p, b.HandOver.GetParticipant())
	case *mfpb.Control_Watch:
		return l.h.watches(l.p, b.Watch.Display)
	case *mfpb.Control_Measure:
		return l.h.measures(l.p, b.Measure.GetOn())
	case *mfpb.Control_Notice:
		return l.h.noticed(l.p, b.Notice)
	case *mfpb.Control_Bye:
		l.h.saysBye(l.p, b.Bye.GetReason())
	default:
		return errProtocol // what only the host says
	}
	return nil
}

// accept: the other end of this connection is the other side of the pairing.
func (l *link) accept() {
	s, p := l.h.live, l.p
	l.prove()
	l.proven = true
	close(l.proved)
	l.h.cancelAlarm(p.alarmed("proof"))
	l.h.cancelAlarm(p.alarmed("viewer"))
	hello := wire.Versions(&mfpb.Hello{Kind: mfpb.Kind_KIND_HOST, Lang: l.h.texts.Lang, Software: l.h.cfg.Software})
	l.control(&mfpb.Control{Body: &mfpb.Control_Hello{Hello: hello}})
	p.sendGrants()
	if p.met {
		s.note("session.resumed", "ok", map[string]any{"epoch": l.sealed.Epoch(), "participant": p.id}, nil)
		l.h.statusOf("status.viewer_back", p, "duration", l.h.texts.Duration(l.h.clock.Now().Sub(p.lost).Seconds()))
	}
	p.met, p.lost = true, time.Time{}
	s.tellParticipants()
	l.h.startPicture(p)
	l.toolsUp()
}

// toolsUp tells the tools that this connection stands, once it is proven and all
// their channels are open: what is sent on one that is not open yet is lost.
func (l *link) toolsUp() {
	if l.told || !l.proven {
		return
	}
	for _, dc := range l.bulk {
		if dc.ReadyState() != webrtc.DataChannelStateOpen {
			return // its opening calls again
		}
	}
	l.told = true
	for _, t := range l.h.live.tools {
		t.connected(l.p)
	}
	close(l.ready)
}

// takeDown ends the link for good: nothing is read or sent after it, but for
// bye, which gets a moment to arrive.
func (l *link) takeDown(bye *mfpb.Control) {
	if l.down {
		return
	}
	l.down = true
	if bye != nil && l.proven {
		l.control(bye)
	} else {
		bye = nil
	}
	close(l.gone)
	l.leaveFilm()
	_ = l.recv.Close() // C34
	l.h.live.retire(l.recv)
	l.h.spawn(func() {
		for until := time.Now().Add(byeTime); bye != nil && l.ctl.BufferedAmount() > 0 && time.Now().Before(until); {
			time.Sleep(2 * time.Millisecond)
		}
		if err := l.pc.GracefulClose(); err != nil {
			l.h.log.Info("peer connection not closed cleanly", "error", err)
		}
	})
}
