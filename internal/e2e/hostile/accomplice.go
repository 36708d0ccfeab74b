package hostile

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"
	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/host/track"
	"github.com/mainforte/mainforte/internal/pake"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// Accomplice is a host inside the server that knows the code, and with it can
// do what no server can: seal. It stands for a connection that ends somewhere
// else than at the other side of the pairing, and for a host that lies. Its
// zero value is honest up to the first grant and shows no picture.
type Accomplice struct {
	// Secret is the code's.
	Secret string
	// Certificate names another certificate in the proof than the one in use.
	Certificate func(own [sha256.Size]byte) [sha256.Size]byte
	// Early says something on each channel, a moment before the proof.
	Early func(channel uint16, say func([]byte))

	mu       sync.Mutex
	to       *Line
	pake     *pake.Host
	claim    []byte
	keys     *pake.Keys
	link     *pake.Link
	pc       *webrtc.PeerConnection
	channels [10]*webrtc.DataChannel
	own      [sha256.Size]byte
	standing int // channels that are open
	heard    [10]int
	err      error
}

// Attack is a server that gives every viewer to the accomplice.
func (a *Accomplice) Attack() Attack {
	return Attack{FromViewer: func(from *Line, m *mfpb.ViewerMessage) []*mfpb.ViewerMessage {
		if m.GetHello() != nil {
			return Pass(m)
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		a.to = from
		if err := a.hear(m); err != nil && a.err == nil {
			a.err = err
		}
		return nil
	}}
}

// Close takes the connection down and returns what went wrong on this side.
func (a *Accomplice) Close() error {
	a.mu.Lock()
	pc := a.pc
	a.mu.Unlock()
	if pc != nil {
		_ = pc.GracefulClose()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

// Received counts the viewer's messages on a channel.
func (a *Accomplice) Received(channel uint16) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.heard[channel]
}

func (a *Accomplice) hear(m *mfpb.ViewerMessage) (err error) {
	switch b := m.Body.(type) {
	case *mfpb.ViewerMessage_Claim:
		key, _, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return err
		}
		a.claim = make([]byte, wire.ClaimSize)
		a.pake = pake.NewHost(a.Secret, PublicHost, b.Claim.GetNameplate(), key)
		share, ad, tag, err := a.pake.Answer(b.Claim.GetSid(), b.Claim.GetShare(), b.Claim.GetAd())
		if err != nil {
			return err
		}
		a.to.Say(&mfpb.PakeReply{Claim: a.claim, Share: share, Ad: ad, Tag: tag})
	case *mfpb.ViewerMessage_Confirm:
		if a.keys, err = a.pake.Confirm(b.Confirm.GetTag()); err != nil {
			return err
		}
		a.to.Say(&mfpb.Opened{Session: "01ACCOMPLICE", ResumeToken: make([]byte, wire.ResumeSize), Claim: a.claim,
			Participant: "1", Kind: mfpb.ParticipantKind_PARTICIPANT_KIND_LEAD})
	case *mfpb.ViewerMessage_Attach:
		nonce := pake.NewNonce()
		if a.link, err = a.keys.Attach(pake.RoleHost, b.Attach.GetEpoch(), b.Attach.GetNonce(), nonce); err != nil {
			return err
		}
		if err := a.open(); err != nil {
			return err
		}
		a.to.Say(&mfpb.Attach{Epoch: b.Attach.GetEpoch(), Nonce: nonce})
	case *mfpb.ViewerMessage_Sealed:
		plain, err := a.link.Open(b.Sealed)
		if err != nil {
			return err
		}
		body := new(mfpb.SealedBody)
		if err := wire.Decode(plain, wire.MaxSealed, body); err != nil {
			return err
		}
		return a.signal(body)
	}
	return nil
}

func (a *Accomplice) signal(m *mfpb.SealedBody) error {
	switch b := m.Body.(type) {
	case *mfpb.SealedBody_Description:
		if err := a.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: b.Description.GetSdp()}); err != nil {
			return err
		}
		answer, err := a.pc.CreateAnswer(nil)
		if err != nil {
			return err
		}
		a.seal(&mfpb.SealedBody{Body: &mfpb.SealedBody_Description{Description: &mfpb.Description{Type: "answer", Sdp: answer.SDP}}})
		return a.pc.SetLocalDescription(answer)
	case *mfpb.SealedBody_Candidate:
		mid := b.Candidate.GetSdpMid()
		_ = a.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: b.Candidate.GetCandidate(), SDPMid: &mid}) // another may do
	}
	return nil
}

// seal is called with a.mu held: bodies reach the line in the order of sealing.
func (a *Accomplice) seal(m *mfpb.SealedBody) { a.to.Say(a.link.Seal(Body(m))) }

func (a *Accomplice) open() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: wire.Protocol},
		NotBefore: time.Now().AddDate(0, 0, -1), NotAfter: time.Now().AddDate(0, 1, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	a.own = sha256.Sum256(der)
	var se webrtc.SettingEngine
	se.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	se.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	se.SetIncludeLoopbackCandidate(true)
	var me webrtc.MediaEngine
	if err := track.Decline(&me); err != nil {
		return err
	}
	api := webrtc.NewAPI(webrtc.WithSettingEngine(se), webrtc.WithMediaEngine(&me))
	a.pc, err = api.NewPeerConnection(webrtc.Configuration{Certificates: []webrtc.Certificate{webrtc.CertificateFromX509(key, cert)}})
	if err != nil {
		return err
	}
	yes, protocol, zero := true, wire.Protocol, uint16(0)
	for _, c := range wire.Channels() {
		init := &webrtc.DataChannelInit{Negotiated: &yes, ID: &c.ID, Protocol: &protocol, Ordered: &c.Reliable}
		if !c.Reliable {
			init.MaxRetransmits = &zero
		}
		dc, err := a.pc.CreateDataChannel(c.Label, init)
		if err != nil {
			return fmt.Errorf("channel %s: %w", c.Label, err)
		}
		a.channels[c.ID] = dc
		dc.OnOpen(a.opened)
		dc.OnMessage(func(m webrtc.DataChannelMessage) { a.message(c.ID, m.Data) })
	}
	a.pc.OnICECandidate(func(c *webrtc.ICECandidate) {
		if c == nil {
			return
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		init := c.ToJSON()
		a.seal(&mfpb.SealedBody{Body: &mfpb.SealedBody_Candidate{Candidate: &mfpb.Candidate{Candidate: init.Candidate, SdpMid: *init.SDPMid}}})
	})
	return nil
}

// head is how long what is said early goes ahead of the proof: both are read by
// different threads of the browser.
const head = 150 * time.Millisecond

// opened says what is to be said early once all channels stand, then the proof.
func (a *Accomplice) opened() {
	a.mu.Lock()
	a.standing++
	all := a.standing == len(a.channels)
	a.mu.Unlock()
	if !all {
		return
	}
	say := func(channel uint16) func([]byte) {
		return func(b []byte) { _ = a.channels[channel].Send(b) } // fails when the viewer goes
	}
	if a.Early != nil {
		for _, c := range wire.Channels() {
			a.Early(c.ID, say(c.ID))
		}
		time.Sleep(head)
	}
	own := a.own
	if a.Certificate != nil {
		own = a.Certificate(own)
	}
	viewer := sha256.Sum256(a.pc.SCTP().Transport().GetRemoteCertificate())
	mac := a.link.ProofOfHashes(pake.RoleHost, viewer, own)
	say(wire.ChannelControl)(Control(&mfpb.Control{Body: &mfpb.Control_Proof{Proof: &mfpb.CertificateProof{Mac: mac}}}))
}

// message answers the viewer's hello with ours and a grant that nobody gave.
func (a *Accomplice) message(channel uint16, b []byte) {
	a.mu.Lock()
	a.heard[channel]++
	a.mu.Unlock()
	m := new(mfpb.Control)
	if channel != wire.ChannelControl || proto.Unmarshal(b, m) != nil || m.GetHello() == nil {
		return
	}
	for _, m := range Greeting() {
		_ = a.channels[wire.ChannelControl].Send(m)
	}
}

// Greeting is a host's Hello and the grant to see, as they go on the channel ctl.
func Greeting() [][]byte {
	return [][]byte{
		Control(&mfpb.Control{Body: &mfpb.Control_Hello{Hello: wire.Versions(&mfpb.Hello{Kind: mfpb.Kind_KIND_HOST})}}),
		Control(&mfpb.Control{Body: &mfpb.Control_Grants{Grants: &mfpb.Grants{Grants: []*mfpb.Grant{
			{Name: "view", State: mfpb.GrantState_GRANT_STATE_ALLOWED}, {Name: "control", State: mfpb.GrantState_GRANT_STATE_ALLOWED},
		}}}}),
	}
}

// Control is a message of the channel ctl.
func Control(m *mfpb.Control) []byte {
	b, err := wire.Encode(m, wire.MaxControl)
	if err != nil {
		panic(err) // a message of our own that is none: the test is wrong
	}
	return b
}
