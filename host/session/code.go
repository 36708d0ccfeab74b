package session

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"math/big"
	"time"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/pake"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// code is what the person reads aloud, and what was tried on it. A code that is
// spent stays here until the next nameplate comes, so that a claim in between
// is refused with the right reason.
type code struct {
	nameplate, secret string
	made              time.Time
	tries             int
	burned            bool // two claims came at once
	used              bool // a viewer paired
	signing           ed25519.PrivateKey
}

// claim is the one try that is open.
type claim struct {
	id         []byte
	pake       *pake.Host
	technician *ui.Technician
	techID     string
	ticket     *ui.Ticket
	paired     *pake.Keys // set once the viewer's tag was right
}

// newSecret draws exactly six digits, each set as likely.
func newSecret() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%06d", n), nil
}

// ask wants a nameplate; why is what was wrong with the last one.
func (h *Host) ask(why mfpb.Reason) {
	h.why = why
	if h.asked {
		return
	}
	h.asked = true
	m := &mfpb.PlateRequest{Why: why}
	if h.live != nil {
		m.Invite = h.live.invite.kind
	}
	h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_PlateRequest{PlateRequest: m}})
}

// plate is the nameplate asked for: it gets a fresh secret and is shown.
func (h *Host) plate(m *mfpb.Plate) {
	if !h.asked || !wire.ValidNameplate(m.GetNameplate()) {
		h.fault(errProtocol)
		return
	}
	h.asked = false
	s := h.live
	switch {
	case s == nil && m.GetInvite() != 0, s != nil && s.invite != nil && m.GetInvite() != s.invite.kind:
		h.fault(errProtocol)
		return
	case s != nil && s.invite == nil: // cancelled meanwhile
		h.giveBackPlate(mfpb.Reason_REASON_CODE_EXPIRED)
		return
	}
	secret, err := newSecret()
	if err != nil {
		h.log.Error("no secret", "error", err)
		h.fail(mfpb.Reason_REASON_INTERNAL)
		return
	}
	if s != nil {
		now := h.clock.Now()
		h.code = &code{nameplate: m.GetNameplate(), secret: secret, made: now, signing: s.signing}
		h.alarm("code", CodeLife, func() { h.rotate(mfpb.Reason_REASON_CODE_EXPIRED) })
		h.inviteMade(h.code, now.Add(CodeLife))
		return
	}
	_, signing, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		h.log.Error("no signing key", "error", err)
		h.fail(mfpb.Reason_REASON_INTERNAL)
		return
	}
	now := h.clock.Now()
	h.code = &code{nameplate: m.GetNameplate(), secret: secret, made: now, signing: signing}
	expires := now.Add(CodeLife)
	e := ui.Event{Name: "code", Server: h.server, Code: wire.FormatCode(h.code.nameplate, secret), Expires: &expires}
	if key := "code.new." + wire.Name(h.why); h.texts.Has(key) {
		e.Reason, e.Text = wire.Name(h.why), h.texts.T(key)
	}
	h.alarm("code", CodeLife, func() { h.rotate(mfpb.Reason_REASON_CODE_EXPIRED) })
	h.show(e)
	h.status("status.waiting")
}

// rotate makes the present code worthless and asks for another nameplate. An
// invite code has no successor: whoever wanted it is told why, and asks again.
func (h *Host) rotate(why mfpb.Reason) {
	if h.live != nil {
		h.endInvite(why)
		return
	}
	if h.claim != nil {
		h.refuse(h.claim.id, why)
		h.drop()
	}
	h.cancelAlarm("code")
	h.ask(why)
}

// dropCode forgets the code with the line it belongs to.
func (h *Host) dropCode() {
	h.drop()
	h.cancelAlarm("code")
	h.cancelAlarm("open")
	h.code, h.asked = nil, false
}

// drop forgets the open claim.
func (h *Host) drop() {
	h.claim = nil
	h.cancelAlarm("claim")
}

func (h *Host) refuse(id []byte, why mfpb.Reason) {
	h.log.Info("claim refused", "reason", wire.Name(why))
	h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_ClaimRefused{ClaimRefused: &mfpb.ClaimRefused{Claim: id, Reason: why}}})
}

// claimed is a technician's try. Only what passes every check is answered, and
// only after it was counted.
func (h *Host) claimed(m *mfpb.ClaimStart) {
	if len(m.GetClaim()) != wire.ClaimSize {
		h.fault(errProtocol)
		return
	}
	c := h.code
	if c == nil {
		h.refuse(m.Claim, mfpb.Reason_REASON_NO_SUCH_CODE)
		return
	}
	if c.used { // C14
		h.refuse(m.Claim, mfpb.Reason_REASON_NO_SUCH_CODE)
		return
	}
	if h.live != nil && (h.live.over || h.live.invite == nil) { // C39
		h.refuse(m.Claim, mfpb.Reason_REASON_NO_SUCH_CODE)
		return
	}
	if h.claim != nil { // C15
		h.refuse(m.Claim, mfpb.Reason_REASON_TWO_CLAIMS)
		c.burned = true
		h.rotate(mfpb.Reason_REASON_TWO_CLAIMS)
		return
	}
	if c.burned { // C15
		h.refuse(m.Claim, mfpb.Reason_REASON_TWO_CLAIMS)
		return
	}
	if h.clock.Now().Sub(c.made) >= CodeLife { // C13
		h.refuse(m.Claim, mfpb.Reason_REASON_CODE_EXPIRED)
		return
	}
	if c.tries >= MaxTries { // C12
		h.refuse(m.Claim, mfpb.Reason_REASON_TOO_MANY_TRIES)
		return
	}
	c.tries++ // C11
	cl := &claim{id: bytes.Clone(m.Claim), pake: pake.NewHost(c.secret, h.server, c.nameplate, c.signing.Public().(ed25519.PublicKey))}
	cl.technician, cl.techID, cl.ticket = h.who(m.GetTechnician(), m.GetTicket())
	share, ad, tag, err := cl.pake.Answer(m.GetSid(), m.GetShare(), m.GetAd()) // C16, C17, C18
	if err != nil {
		h.refuse(m.Claim, wire.Reason(err))
		h.failed()
		return
	}
	h.claim = cl
	if h.live == nil {
		h.status("status.claim")
	}
	h.alarm("claim", claimTime, func() {
		h.refuse(cl.id, mfpb.Reason_REASON_VIEWER_GONE)
		h.failed()
	})
	h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_PakeReply{PakeReply: &mfpb.PakeReply{Claim: cl.id, Share: share, Ad: ad, Tag: tag}}})
}

// failed is the end of a try that did not pair; the third takes the code with it.
func (h *Host) failed() {
	h.drop()
	if h.code.tries >= MaxTries {
		h.rotate(mfpb.Reason_REASON_TOO_MANY_TRIES)
		return
	}
	if h.live == nil {
		h.status("status.wrong_code")
	}
}

// current tells whether id is the open claim that has not paired.
func (h *Host) current(id []byte) bool {
	return h.claim != nil && h.claim.paired == nil && bytes.Equal(h.claim.id, id)
}

// claimFailed is the viewer's verdict, or its loss. It may cross our own refusal.
func (h *Host) claimFailed(m *mfpb.ClaimFailed) {
	switch {
	case h.current(m.GetClaim()):
		h.failed()
	case h.live != nil && h.claim != nil && bytes.Equal(h.claim.id, m.GetClaim()):
		h.unopened(m.GetReason()) // paired, and the log did not take the participant
	}
}

// confirm is the viewer's tag.
func (h *Host) confirm(m *mfpb.Confirm) {
	if !h.current(m.GetClaim()) {
		return
	}
	keys, err := h.claim.pake.Confirm(m.GetTag()) // C19
	if err != nil {
		h.refuse(m.Claim, wire.Reason(err))
		h.failed()
		return
	}
	h.code.used = true
	h.claim.paired = keys
	h.cancelAlarm("claim")
	h.cancelAlarm("code")
	key := h.code.signing.Public().(ed25519.PublicKey)
	h.alarm("open", openTime, func() { h.unopened(mfpb.Reason_REASON_LOG_UNAVAILABLE) })
	h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Paired{Paired: &mfpb.Paired{Claim: h.claim.id, SigningKey: key}}})
}

// unopened: both sides are paired, but no session came of it. The person is told
// why, and it begins again with another code.
func (h *Host) unopened(why mfpb.Reason) {
	if h.live == nil {
		h.show(ui.Event{Name: "error", Server: h.server, Reason: wire.Name(why), Text: h.texts.Reason(why)})
	}
	h.drop()
	h.cancelAlarm("open")
	h.rotate(why)
}

// who cleans the names that the server vouches for.
func (h *Host) who(t *mfpb.Technician, k *mfpb.Ticket) (*ui.Technician, string, *ui.Ticket) {
	tech := &ui.Technician{
		Name:         wire.Clean(t.GetName()),
		Organisation: wire.Clean(h.welcome.GetOrganisation()),
		SignedIn:     wire.Clean(t.GetSignedIn()),
	}
	if ms := t.GetSignedInAt(); ms > 0 {
		tech.SignedInAt = time.UnixMilli(ms).UTC().Format(time.RFC3339)
	}
	if k.GetNumber() == "" && k.GetSubject() == "" {
		return tech, wire.Clean(t.GetId()), nil // a session without a ticket
	}
	return tech, wire.Clean(t.GetId()), &ui.Ticket{Number: wire.Clean(k.GetNumber()), Subject: wire.Clean(k.GetSubject())}
}
