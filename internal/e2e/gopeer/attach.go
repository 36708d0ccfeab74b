package gopeer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"

	"github.com/mainforte/mainforte/host/picture/tiletest"
	"github.com/mainforte/mainforte/internal/pake"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// attach is one epoch. Fields after picture are guarded by the viewer's mutex.
type attach struct {
	v        *Viewer
	link     *pake.Link // of the newest epoch; guarded by sealing
	pc       *webrtc.PeerConnection
	cert     [sha256.Size]byte
	channels [10]*webrtc.DataChannel
	sealing  sync.Mutex // a body reaches the line in the order it was sealed
	offering sync.Mutex // no candidate before the offer that it belongs to
	once     sync.Once
	closed   atomic.Bool
	mute     atomic.Bool   // a test withholds our proof: no hello of ours follows
	offered  chan struct{} // closed once our offer stands: an answer can be quicker

	picture  tiletest.Viewer
	updates  uint32
	starts   int
	messages [10]int
	bytes    [10]int
	proven   bool
	opened   int  // channels
	greeting bool // the hellos are being sent
	greeted  bool // they are sent
	state    webrtc.PeerConnectionState

	inputs sync.Mutex
	seq    uint32
	motion uint32
	acked  uint32 // guarded by the viewer's mutex
}

// Attach connects: a new epoch, a new peer connection, certificates proven both
// ways and both hellos exchanged. A former attach is closed.
func (v *Viewer) Attach(ctx context.Context) error {
	if err := v.Connect(ctx); err != nil {
		return err
	}
	return v.WaitProven(ctx)
}

// WaitProven waits until the host's proof was checked, and its hello and the grants heard.
func (v *Viewer) WaitProven(ctx context.Context) error {
	return v.wait(ctx, "the host's proof", func() bool { return v.at.greeted && v.host != nil && len(v.grants) > 0 })
}

// Connect sends Attach and the offer; the rest goes on in the background.
func (v *Viewer) Connect(ctx context.Context) error {
	v.Cut()
	link, _, err := v.nextEpoch(ctx, false)
	if err != nil {
		return err
	}
	at := &attach{v: v, link: link, offered: make(chan struct{})}
	if err := at.open(); err != nil {
		return err
	}
	v.update(func() { v.at = at })
	return at.offer(nil)
}

// Keep attaches anew and keeps the connection that stands, if the host does.
func (v *Viewer) Keep(ctx context.Context) (kept bool, err error) {
	if _, err := v.attached(); err != nil {
		return false, err
	}
	_, kept, err = v.nextEpoch(ctx, true)
	return kept, err
}

// Restart restarts ICE on the connection that stands, under the present epoch.
func (v *Viewer) Restart() error {
	at, err := v.attached()
	if err != nil {
		return err
	}
	return at.offer(&webrtc.OfferOptions{ICERestart: true})
}

// begin is an epoch of which the host has not answered yet.
type begin struct {
	nonce []byte
	keep  bool
	done  bool
	link  *pake.Link
	kept  bool
	err   error
}

// nextEpoch begins an epoch; kept says that the host keeps the connection.
func (v *Viewer) nextEpoch(ctx context.Context, keep bool) (link *pake.Link, kept bool, err error) {
	b := &begin{nonce: pake.NewNonce(), keep: keep}
	v.mu.Lock()
	v.epoch++
	epoch := v.epoch
	v.waiting[epoch] = b
	if !keep {
		v.host = nil
		clear(v.grants) // the host tells them anew
	}
	v.mu.Unlock()
	if err := v.line().Send(&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Attach{Attach: &mfpb.Attach{Epoch: epoch, Nonce: b.nonce, Keep: keep}}}); err != nil {
		return nil, false, err
	}
	if err := v.wait(ctx, "the host's attach", func() bool { return b.done }); err != nil {
		return nil, false, err
	}
	return b.link, b.kept, b.err
}

// attachedBy is the host's half of an epoch. A connection that both sides keep
// has its keys before the next body is read.
func (v *Viewer) attachedBy(theirs *mfpb.Attach) {
	v.mu.Lock()
	b, at := v.waiting[theirs.GetEpoch()], v.at
	delete(v.waiting, theirs.GetEpoch())
	v.mu.Unlock()
	if b == nil {
		return
	}
	var link *pake.Link
	var err error
	if salt := theirs.GetReturned(); len(salt) > 0 { // after a restart
		link, err = v.keys.AttachReturned(theirs.GetEpoch(), b.nonce, theirs.GetNonce(), salt)
	} else {
		link, err = v.keys.Attach(pake.RoleViewer, theirs.GetEpoch(), b.nonce, theirs.GetNonce())
	}
	kept := err == nil && b.keep && theirs.GetKeep() && at != nil
	if kept {
		at.sealing.Lock()
		at.link = link
		at.sealing.Unlock()
	}
	v.update(func() { b.done, b.link, b.kept, b.err = true, link, kept, err })
}

func (a *attach) open() error {
	var se webrtc.SettingEngine
	se.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	se.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	se.SetIncludeLoopbackCandidate(true)
	if a.v.opt.ICE != nil {
		a.v.opt.ICE(&se)
	}
	me, reg, err := a.v.media()
	if err != nil {
		return err
	}
	api := webrtc.NewAPI(webrtc.WithSettingEngine(se), webrtc.WithMediaEngine(me), webrtc.WithInterceptorRegistry(reg))
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return err
	}
	a.pc = pc
	if err := a.watch(); err != nil {
		return err
	}
	cert, err := hex.DecodeString(strings.ReplaceAll(fingerprint(pc), ":", ""))
	if err != nil || len(cert) != sha256.Size {
		return fmt.Errorf("gopeer: our own fingerprint: %w", err)
	}
	a.cert = [sha256.Size]byte(cert)
	yes, protocol, zero := true, wire.Protocol, uint16(0)
	for _, c := range wire.Channels() {
		init := &webrtc.DataChannelInit{Negotiated: &yes, ID: &c.ID, Protocol: &protocol, Ordered: &c.Reliable}
		if !c.Reliable {
			init.MaxRetransmits = &zero
		}
		dc, err := pc.CreateDataChannel(c.Label, init)
		if err != nil {
			return err
		}
		a.channels[c.ID] = dc
		dc.OnOpen(func() {
			if c.ID == wire.ChannelControl {
				a.prove()
			}
			a.v.update(func() { a.opened++ })
			a.greet()
		})
		dc.OnMessage(func(m webrtc.DataChannelMessage) { a.message(c.ID, m.Data) })
	}
	pc.OnICECandidate(func(c *webrtc.ICECandidate) {
		m := new(mfpb.Candidate)
		if c != nil {
			init := c.ToJSON()
			m.Candidate, m.SdpMid = init.Candidate, *init.SDPMid
		}
		a.offering.Lock()
		defer a.offering.Unlock()
		_ = a.Seal(&mfpb.SealedBody{Body: &mfpb.SealedBody_Candidate{Candidate: m}})
	})
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) { a.v.update(func() { a.state = s }) })
	return nil
}

func fingerprint(pc *webrtc.PeerConnection) string {
	for _, c := range pc.GetConfiguration().Certificates {
		if f, err := c.GetFingerprints(); err == nil && len(f) > 0 {
			return f[0].Value
		}
	}
	return ""
}

func (a *attach) offer(options *webrtc.OfferOptions) error {
	if options == nil {
		defer close(a.offered)
	}
	a.offering.Lock()
	defer a.offering.Unlock()
	offer, err := a.pc.CreateOffer(options)
	if err != nil {
		return err
	}
	sdp := offer.SDP
	if a.v.opt.Offer != nil {
		sdp = a.v.opt.Offer(sdp)
	}
	// Sealed before SetLocalDescription: that starts the candidates.
	if err := a.Seal(&mfpb.SealedBody{Body: &mfpb.SealedBody_Description{Description: &mfpb.Description{Type: "offer", Sdp: sdp}}}); err != nil {
		return err
	}
	return a.pc.SetLocalDescription(offer)
}

// epoch is that of the newest keys.
func (a *attach) epoch() uint32 {
	a.sealing.Lock()
	defer a.sealing.Unlock()
	return a.link.Epoch()
}

// Seal sends one body to the host.
func (a *attach) Seal(body *mfpb.SealedBody) error {
	b, err := wire.Encode(body, wire.MaxSealed)
	if err != nil {
		return err
	}
	a.sealing.Lock()
	defer a.sealing.Unlock()
	return a.v.line().Send(&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Sealed{Sealed: a.link.Seal(b)}})
}

func (a *attach) sealed(m *mfpb.Sealed) error {
	a.sealing.Lock()
	link := a.link
	a.sealing.Unlock()
	b, err := link.Open(m)
	if err != nil {
		return err
	}
	body := new(mfpb.SealedBody)
	if err := wire.Decode(b, wire.MaxSealed, body); err != nil {
		return err
	}
	<-a.offered
	switch b := body.Body.(type) {
	case *mfpb.SealedBody_Description:
		return a.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: b.Description.GetSdp()})
	case *mfpb.SealedBody_Candidate:
		mid := b.Candidate.GetSdpMid()
		_ = a.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: b.Candidate.GetCandidate(), SDPMid: &mid})
	case *mfpb.SealedBody_RouteChanged:
		a.v.update(func() { a.v.routes++ })
	case *mfpb.SealedBody_Bye:
		a.v.end(b.Bye.GetReason())
	}
	return nil
}

// hostCert is the SHA-256 of the certificate that the host uses.
func (a *attach) hostCert() [sha256.Size]byte {
	return sha256.Sum256(a.pc.SCTP().Transport().GetRemoteCertificate())
}

func (a *attach) prove() {
	mac := a.link.ProofOfHashes(pake.RoleViewer, a.cert, a.hostCert())
	if a.v.opt.Proof != nil {
		if mac = a.v.opt.Proof(mac); mac == nil {
			a.mute.Store(true)
			return
		}
	}
	_ = a.control(&mfpb.Control{Body: &mfpb.Control_Proof{Proof: &mfpb.CertificateProof{Mac: mac}}})
}

func (a *attach) control(m *mfpb.Control) error {
	b, err := wire.Encode(m, wire.MaxControl)
	if err != nil {
		return err
	}
	return a.channels[wire.ChannelControl].Send(b)
}

// message is one message of the host's.
func (a *attach) message(channel uint16, b []byte) {
	a.v.update(func() {
		a.messages[channel]++
		if channel == wire.ChannelTiles && len(b) > 0 && b[0] == wire.PictureStart {
			a.starts++
		}
		a.bytes[channel] += len(b)
	})
	var err error
	switch channel {
	case wire.ChannelControl:
		err = a.heard(b)
	case wire.ChannelInputFast:
		var ev wire.InputEvent
		if err = wire.ParseInput(b, &ev); err == nil && ev.Kind == wire.InputAck {
			a.v.update(func() { a.acked = max(a.acked, ev.Seq) })
		}
	case wire.ChannelTiles:
		err = a.tiles(b)
	case wire.ChannelClip:
		m := new(mfpb.ClipMessage)
		if err = wire.Decode(b, wire.MaxTool, m); err == nil {
			a.v.update(func() { a.v.clips = append(a.v.clips, m) })
		}
	case wire.ChannelFiles, wire.ChannelTalk, wire.ChannelMarks:
		if a.v.opt.Tool != nil {
			a.v.opt.Tool(channel, b)
		}
	case wire.ChannelCursor:
		m := new(mfpb.CursorUpdate)
		if err = wire.Decode(b, wire.MaxCursor, m); err == nil && m.GetPlace() != nil {
			a.v.update(func() { a.v.places = append(a.v.places, m.GetPlace()) })
		}
	}
	if err != nil && !a.closed.Load() {
		a.v.end(wire.Reason(err))
	}
}

// errUnproven is a message before the host's proof: a host that sends one is none.
var errUnproven = wire.NewError(mfpb.Reason_REASON_CERTIFICATE_MISMATCH, "gopeer: a message before the host's proof")

func (a *attach) heard(b []byte) error {
	m := new(mfpb.Control)
	if err := wire.Decode(b, wire.MaxControl, m); err != nil {
		return err
	}
	a.v.mu.Lock()
	proven := a.proven
	a.v.mu.Unlock()
	if !proven {
		if err := a.link.CheckProofOfHashes(pake.RoleHost, m.GetProof().GetMac(), a.cert, a.hostCert()); err != nil {
			return err
		}
		a.v.update(func() { a.proven = true })
		a.greet()
		return nil
	}
	a.v.update(func() {
		switch b := m.Body.(type) {
		case *mfpb.Control_Hello:
			a.v.host = b.Hello
		case *mfpb.Control_Grants:
			for _, g := range b.Grants.GetGrants() {
				a.v.grants[g.GetName()] = g.GetState()
			}
		case *mfpb.Control_Displays:
			a.v.shows = b.Displays
		case *mfpb.Control_Figures:
			a.v.figures = append(a.v.figures, b.Figures)
		case *mfpb.Control_Notice:
			a.v.notices = append(a.v.notices, b.Notice.GetCode())
		case *mfpb.Control_Participants:
			a.v.present = b.Participants.GetParticipants()
		case *mfpb.Control_Invite:
			a.v.invites = append(a.v.invites, b.Invite)
		case *mfpb.Control_Bye:
			if a.v.ended == nil {
				a.v.ended = &Refused{b.Bye.GetReason()}
			}
		}
	})
	return nil
}

// greet sends both hellos, once: when the host is proven and all channels are
// open. Nobody is told before they are sent: nothing may come before them.
func (a *attach) greet() {
	now := false
	a.v.update(func() {
		now = a.proven && a.opened == len(a.channels) && !a.greeting && !a.mute.Load()
		a.greeting = a.greeting || now
	})
	if !now {
		return
	}
	defer a.v.update(func() { a.greeted = true })
	hello := wire.Versions(&mfpb.Hello{Kind: mfpb.Kind_KIND_VIEWER, Lang: "en", Software: "gopeer"})
	_ = a.control(&mfpb.Control{Body: &mfpb.Control_Hello{Hello: hello}})
	_ = a.channels[wire.ChannelTiles].Send(wire.AppendHello(nil))
}

func (a *attach) tiles(b []byte) error {
	a.v.mu.Lock()
	proven := a.proven
	var done bool
	var err error
	if proven {
		done, err = a.picture.Message(b)
	}
	update := a.picture.Update
	a.v.mu.Unlock()
	if !proven {
		return errUnproven
	}
	if err != nil {
		return fmt.Errorf("%w: %w", wire.ErrMalformed, err)
	}
	if !done {
		return nil
	}
	a.v.update(func() { a.updates = update })
	if a.v.opt.Silent {
		return nil
	}
	_ = a.channels[wire.ChannelTiles].Send(wire.AppendAck(nil, update)) // fails when the host goes
	return nil
}

func (a *attach) close() {
	a.once.Do(func() {
		a.closed.Store(true)
		_ = a.pc.GracefulClose()
	})
}

// errDetached is the error of a viewer that has no peer connection.
var errDetached = errors.New("gopeer: not attached")

func (v *Viewer) attached() (*attach, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.at == nil {
		return nil, errDetached
	}
	return v.at, nil
}
