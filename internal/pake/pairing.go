package pake

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"io"
	"strings"

	"github.com/gtank/ristretto255"

	"github.com/mainforte/mainforte/internal/wire"
)

// parameters checks what both sides must have and builds PRS and CI.
func parameters(secret, server, nameplate string) (prs, ci []byte, err error) {
	if !wire.ValidSecret(secret) || !wire.ValidNameplate(nameplate) || server == "" || strings.Contains(server, "|") {
		return nil, nil, ErrParameters
	}
	return []byte(secret), []byte(wire.Protocol + "|viewer|host|" + server + "|" + nameplate), nil
}

// scalar draws a scalar, uniform to 2⁻²⁵⁰, from 64 bytes of random.
func scalar(random io.Reader) (*ristretto255.Scalar, error) {
	var b [64]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return nil, err
	}
	return ristretto255.NewScalar().SetUniformBytes(b[:])
}

// Viewer is the viewer's side of one guess: the initiator A.
type Viewer struct {
	run *run
}

// NewViewer begins a pairing. server is Welcome.public_host, secret the last
// six digits of the code. It returns ErrParameters if one of them is none.
func NewViewer(secret, server, nameplate string) (*Viewer, error) {
	return newViewer(rand.Reader, secret, server, nameplate)
}

func newViewer(random io.Reader, secret, server, nameplate string) (*Viewer, error) {
	prs, ci, err := parameters(secret, server, nameplate)
	if err != nil {
		return nil, err
	}
	sid := make([]byte, wire.SIDSize)
	if _, err := io.ReadFull(random, sid); err != nil {
		return nil, err
	}
	y, err := scalar(random)
	if err != nil {
		return nil, err
	}
	return &Viewer{newRun(y, prs, ci, sid, wire.ViewerAD())}, nil
}

// SID is Claim.sid, Share is Claim.share, AD is Claim.ad.
func (v *Viewer) SID() []byte   { return bytes.Clone(v.run.sid) }
func (v *Viewer) Share() []byte { return bytes.Clone(v.run.share) }
func (v *Viewer) AD() []byte    { return bytes.Clone(v.run.ad) }

// Finish takes the host's PakeReply and returns the keys and the tag to send
// in Confirm. It returns ErrPeer for a share or role that no honest host sends,
// ErrWrongCode for a wrong tag (the caller sends a ClaimVerdict and nothing
// else), ErrUsed the second time.
func (v *Viewer) Finish(hostShare, hostAD, hostTag []byte) (*Keys, []byte, error) {
	key, err := wire.ParseHostAD(hostAD)
	if err != nil { // C20: not the host's role and one key
		v.run.y = nil
		return nil, nil, ErrPeer
	}
	s, err := v.run.agree(true, hostShare, hostAD)
	if err != nil {
		return nil, nil, err
	}
	if !hmac.Equal(s.theirs, hostTag) { // C21: before our tag is let out
		return nil, nil, ErrWrongCode
	}
	return &Keys{role: RoleViewer, isk: s.isk, hostKey: key}, s.ours, nil
}

// Host is the host's side of one guess: the responder B.
type Host struct {
	secret, server, nameplate string
	signing                   ed25519.PublicKey
	random                    io.Reader
	answered                  bool
	secrets                   *secrets
}

// NewHost prepares the answer to one claim. server is the name the host
// dialled, as wire.ServerName gives it; signing the key that will sign the
// session's close.
func NewHost(secret, server, nameplate string, signing ed25519.PublicKey) *Host {
	return &Host{secret: secret, server: server, nameplate: nameplate, signing: bytes.Clone(signing), random: rand.Reader}
}

// Answer takes a ClaimStart and returns what PakeReply carries. The host has
// counted the try before. It returns ErrPeer for a sid, share or role that no
// honest viewer sends, ErrParameters if the host itself was made of wrong
// parts, ErrUsed the second time.
func (h *Host) Answer(sid, share, ad []byte) (hostShare, hostAD, hostTag []byte, err error) {
	if h.answered {
		return nil, nil, nil, ErrUsed
	}
	h.answered = true
	prs, ci, err := parameters(h.secret, h.server, h.nameplate)
	if err != nil || len(h.signing) != ed25519.PublicKeySize {
		return nil, nil, nil, ErrParameters
	}
	if len(sid) != wire.SIDSize {
		return nil, nil, nil, ErrPeer
	}
	if !bytes.Equal(ad, wire.ViewerAD()) { // C16: not the viewer's role
		return nil, nil, nil, ErrPeer
	}
	y, err := scalar(h.random)
	if err != nil {
		return nil, nil, nil, err
	}
	r := newRun(y, prs, ci, bytes.Clone(sid), wire.HostAD(h.signing))
	if h.secrets, err = r.agree(false, share, ad); err != nil {
		return nil, nil, nil, err
	}
	return r.share, r.ad, h.secrets.ours, nil
}

// Confirm takes the viewer's tag. It returns ErrWrongCode if it is wrong, and
// ErrUsed the second time, before Answer, or after an Answer that failed.
func (h *Host) Confirm(viewerTag []byte) (*Keys, error) {
	s := h.secrets
	h.secrets = nil
	if s == nil {
		return nil, ErrUsed
	}
	if !hmac.Equal(s.theirs, viewerTag) { // C19: before anything else is believed
		return nil, ErrWrongCode
	}
	return &Keys{role: RoleHost, isk: s.isk, hostKey: bytes.Clone(h.signing)}, nil
}
