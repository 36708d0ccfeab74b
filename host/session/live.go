package session

import (
	"bytes"
	"crypto/ed25519"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/track"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/pake"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// live is a session, from Opened to its end. It belongs to the loop.
type live struct {
	h       *Host
	id      string
	token   []byte // resumes this session on a new line to the server
	since   time.Time
	ticket  *ui.Ticket
	signing ed25519.PrivateKey

	participants []*participant // those who are in it, in the order in which they came
	ever         int            // how many there were
	goneSince    []*mfpb.ParticipantGone
	invite       *invite // whose code is out, or is being made
	question     *question
	queue        []*question
	asking       atomic.Bool // question is not nil, for the gates
	hands        hands
	first        personFirst
	toil         toil
	desk         *desktop
	tools        []tool
	film         *track.Track // what moves, for all of them; nil: this host has no video
	journal      journal
	lineGone     time.Time       // when the server was lost last
	counted      input.Counts    // what input summaries have told already
	chat         mfpb.TalkRecord // where what is written stays
	receipt      string          // path of the receipt's page on the server; may be empty
	abuse        string          // where abuse is reported besides; may be empty
	done         deeds
	bounds       bounds

	over bool
	why  mfpb.Reason
}

// opened is the server's word that the session, or its new participant, stands
// in the log: from now on the technician may connect, and the person is asked.
func (h *Host) opened(m *mfpb.Opened) {
	c := h.claim
	if c == nil || c.paired == nil || !bytes.Equal(c.id, m.GetClaim()) {
		return
	}
	if !validSession(m.GetSession()) || !validParticipant(m.GetParticipant()) {
		h.fault(errProtocol)
		return
	}
	if h.live != nil {
		h.joined(c, m)
		return
	}
	narrowed, err := narrowing(m, h.clock.Now())
	if err != nil || len(m.GetResumeToken()) != wire.ResumeSize {
		h.fault(errProtocol)
		return
	}
	h.drop()
	h.cancelAlarm("open")
	l := &live{
		h: h, id: m.Session, token: bytes.Clone(m.ResumeToken), since: h.clock.Now(),
		ticket: c.ticket, signing: h.code.signing, chat: recordOf(m.GetChat()),
		receipt: receiptPath(m.GetReceipt()), abuse: reportAddress(m.GetAbuse()), bounds: narrowed,
	}
	h.live = l
	h.code.secret = ""
	l.start(c.technician)
	l.join(c, m.Participant, lead)
}

// start opens what a session needs besides its participants.
func (l *live) start(technician *ui.Technician) {
	h := l.h
	l.openFilm()
	l.openTools()
	h.showPrivate()
	h.show(ui.Event{Name: "session", Server: h.server, Session: l.id, Technician: technician, Ticket: l.ticket})
	h.alarm("summary", summaryTime, l.summary)
	l.watchRoutes()
	h.alarm("quality", qualityTime, l.watchQuality)
	l.watchTime()
}

// joined: another participant stands in the log. What it may be is what the
// host's own invite said.
func (h *Host) joined(c *claim, m *mfpb.Opened) {
	s := h.live
	if m.Session != s.id || s.participant(m.Participant) != nil {
		h.fault(errProtocol)
		return
	}
	h.drop()
	h.cancelAlarm("open")
	in := s.invite
	if in == nil { // ended in this moment
		c.paired.Wipe()
		s.tellGone(&mfpb.ParticipantGone{Participant: m.Participant, Reason: mfpb.Reason_REASON_CODE_EXPIRED})
		return
	}
	h.endInvite(0)
	s.join(c, m.Participant, in.kind)
}

// validParticipant tells whether s can be a participant's id: it stands in the log.
func validParticipant(s string) bool {
	return s != "" && len(s) <= 8 && strings.Trim(s, "0123456789") == ""
}

// validSession tells whether s can be a session's id: it stands in the log, in
// the receipt and in what the host signs.
func validSession(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	return strings.Trim(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-") == ""
}

// awaitViewer takes a participant out unless it is connected in time. While the
// server is away nobody can attach, so it waits for the server's return.
func (l *live) awaitViewer(p *participant, why mfpb.Reason, in time.Duration) {
	l.h.alarm(p.alarmed("viewer"), in, func() {
		if l.h.line == nil || !l.h.line.ready {
			l.awaitViewer(p, why, viewerTime)
			return
		}
		l.h.leave(p, why, true)
	})
}

// linkLost is the end of the connection to a viewer, which may come back.
func (h *Host) linkLost(k *link) {
	s, p := h.live, k.p
	if s == nil || s.over || p.out || p.link != k || k.down {
		return
	}
	h.log.Info("connection to the viewer lost", "participant", p.id, "epoch", k.sealed.Epoch())
	s.dropLink(p)
	s.missing(p, k.proven)
}

// missing begins the wait for a viewer whose connection is gone.
func (l *live) missing(p *participant, stood bool) {
	if stood {
		p.lost = l.h.clock.Now()
		l.note("session.paused", "ok", map[string]any{"epoch": p.link.sealed.Epoch(), "participant": p.id}, nil)
		l.h.statusOf("status.viewer_away", p)
		l.tellParticipants()
	}
	if p.met {
		l.awaitViewer(p, mfpb.Reason_REASON_VIEWER_GONE, returnTime-l.h.clock.Now().Sub(p.lost))
	} else {
		l.awaitViewer(p, mfpb.Reason_REASON_NO_ROUTE, viewerTime)
	}
}

// dropLink takes down a participant's present link, if any: picture first, then
// the keys.
func (l *live) dropLink(p *participant) {
	k := p.link
	if k == nil || k.down {
		return
	}
	l.h.cancelAlarm(p.alarmed("proof"))
	if k.pace.slow { // the next one is another line
		l.note("session.restored", "ok", map[string]any{"reason": "LINE_SLOW", "participant": p.id}, nil)
	}
	if l.desk != nil {
		l.desk.detach(k)
	}
	k.takeDown(nil)
}

// attach starts an epoch at the viewer's wish.
func (h *Host) attach(m *mfpb.Attach) {
	s := h.live
	p := s.participant(m.GetParticipant())
	if s.over || p == nil { // C41
		return
	}
	nonce := pake.NewNonce()
	sealed, err := p.keys.Attach(pake.RoleHost, m.GetEpoch(), m.GetNonce(), nonce)                          // C22
	if k := p.link; err != nil && k != nil && k.spoilt && !k.opened && bytes.Equal(k.nonce, m.GetNonce()) { // C47
		sealed, err = p.keys.Again(m.GetEpoch(), m.GetNonce(), nonce)
	}
	if err != nil {
		h.refused(p, "viewer", err)
		return
	}
	answer := &mfpb.Attach{Epoch: m.Epoch, Nonce: nonce, Participant: p.id, Returned: p.keys.Salt()}
	if m.GetKeep() && p.up() { // C46
		answer.Keep = true
		p.link.rekey(sealed)
	} else {
		if p.link != nil && !p.link.down {
			stood := p.link.proven
			s.dropLink(p)
			s.missing(p, stood)
		}
		k, err := h.newLink(p, sealed)
		if err != nil {
			h.log.Error("no peer connection", "error", err)
			h.leave(p, mfpb.Reason_REASON_INTERNAL, true)
			return
		}
		p.link = k
	}
	p.link.nonce = bytes.Clone(m.GetNonce())
	h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Attach{Attach: answer}})
	if answer.Keep {
		p.link.tellRoute()
	}
}

// sealed is one relayed body.
func (h *Host) sealed(m *mfpb.Sealed) {
	s := h.live
	p := s.participant(m.GetParticipant())
	if s.over || p == nil { // C41
		return
	}
	if p.link == nil {
		h.refused(p, "viewer", errProtocol)
		return
	}
	plain, err := p.link.sealed.Open(m) // C22, C23, C24
	if err != nil {
		h.refused(p, "viewer", err)
		return
	}
	p.link.opened = true
	body := new(mfpb.SealedBody)
	err = wire.DecodeEnvelope(plain, wire.MaxSealed, body)
	if err == wire.ErrSkip || p.link.down && err == nil {
		return
	}
	if err != nil {
		h.refused(p, "viewer", err)
		return
	}
	switch b := body.Body.(type) {
	case *mfpb.SealedBody_Description:
		err = p.link.describe(b.Description)
	case *mfpb.SealedBody_Candidate:
		err = p.link.candidate(b.Candidate)
	case *mfpb.SealedBody_Bye:
		h.saysBye(p, b.Bye.GetReason())
	default:
		err = errProtocol // what only the host says
	}
	if err != nil {
		h.refused(p, "viewer", err)
	}
}

// saysBye is a viewer's own end: of its part, or of the session if it leads.
func (h *Host) saysBye(p *participant, why mfpb.Reason) {
	if why == mfpb.Reason_REASON_LEFT || p.kind != lead {
		h.leave(p, fromViewer(why), true)
		return
	}
	h.end(fromViewer(why))
}

// refused is a message of a participant's that may not stand: it is out with its
// reason, on both sides and in the log.
func (h *Host) refused(p *participant, from string, err error) {
	why := wire.Reason(err)
	h.log.Warn("message refused", "participant", p.id, "from", from, "reason", wire.Name(why), "error", err)
	if h.live == nil || h.live.over || p.out {
		return
	}
	h.live.note("session.refused", "fail", map[string]any{"from": from, "reason": wire.Name(why), "participant": p.id}, nil)
	h.leave(p, why, true)
}

// fromViewer keeps the viewer from speaking in anybody else's name.
func fromViewer(why mfpb.Reason) mfpb.Reason {
	switch why {
	case mfpb.Reason_REASON_CERTIFICATE_MISMATCH, mfpb.Reason_REASON_NO_ROUTE, mfpb.Reason_REASON_PROTOCOL,
		mfpb.Reason_REASON_VERSION, mfpb.Reason_REASON_TOO_LARGE, mfpb.Reason_REASON_UNKNOWN_MESSAGE,
		mfpb.Reason_REASON_TAMPERED, mfpb.Reason_REASON_OLD_EPOCH, mfpb.Reason_REASON_INTERNAL,
		mfpb.Reason_REASON_VIEWER_GONE, mfpb.Reason_REASON_SIGNED_OUT, mfpb.Reason_REASON_LEFT, mfpb.Reason_REASON_RELAY_REFUSED:
		return why
	}
	return mfpb.Reason_REASON_TECHNICIAN_ENDED
}

// viewerState is what the server says about a viewer's line to it. The
// connection between viewer and host does not need that line.
func (h *Host) viewerState(m *mfpb.ViewerState) {
	h.log.Info("the viewer's line to the server", "participant", m.GetParticipant(), "connected", m.GetConnected())
	if p := h.live.participant(m.GetParticipant()); p != nil && p.link != nil && !m.GetConnected() {
		p.link.spoilt = true
	}
}

// lineLost: the session goes on without the server, for the time it granted.
func (l *live) lineLost() {
	if l.over {
		return
	}
	if _, counting := l.h.alarms["grace"]; !counting {
		l.lineGone = l.h.clock.Now()
		l.h.status("status.server_away")
	}
	l.h.asked = false
	l.h.endInvite(mfpb.Reason_REASON_SERVER_GONE)
	for _, p := range l.participants {
		p.notice(mfpb.NoticeCode_NOTICE_CODE_SERVER_AWAY, 0)
		if p.link == nil {
			continue
		}
		// Sealed bodies may be lost on the way: what is not connected yet has
		// to attach again, what is connected gets fresh keys when it is back.
		p.link.spoilt = true
		if !p.link.proven && !p.link.down {
			l.dropLink(p)
			l.missing(p, false)
		}
	}
	if _, counting := l.h.alarms["grace"]; counting {
		return // lost again before it was back
	}
	grace := min(time.Duration(l.h.welcome.GetGraceS())*time.Second, maxGrace)
	l.h.alarm("grace", grace, func() { l.h.end(mfpb.Reason_REASON_SERVER_GONE) })
}

// lineBack: the server is back; it gets what it has not acknowledged.
func (l *live) lineBack() {
	l.h.cancelAlarm("grace")
	l.again()
	for _, m := range l.goneSince {
		l.h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Gone{Gone: m}})
	}
	if l.over {
		return
	}
	if l.lineGone.IsZero() { // the first line after a return
		return
	}
	l.h.status("status.server_back", "duration", l.h.texts.Duration(l.h.clock.Now().Sub(l.lineGone).Seconds()))
	for _, p := range l.participants {
		p.notice(mfpb.NoticeCode_NOTICE_CODE_SERVER_BACK, 0)
	}
}

// notice tells the viewer something short.
func (p *participant) notice(code mfpb.NoticeCode, value uint32) {
	if p.up() {
		p.link.control(&mfpb.Control{Optional: true, Body: &mfpb.Control_Notice{Notice: &mfpb.Notice{Code: code, Value: value}}})
	}
}

// Own is what the window told of itself in this run: windows of ours, with those of the
// Config, and what is in it. It tells once and not again, so the next run is given it.
// Own may be called when Run has returned.
func (h *Host) Own() (windows []uint64, near string) { return slices.Clone(h.windows), h.nearby }

// protect keeps input away from a window of ours, now and when the desktop opens, and
// keeps what is drawn from lying over it.
func (h *Host) protect(window string) {
	id, err := strconv.ParseUint(window, 0, 64)
	if err != nil || len(h.windows) >= 64 {
		h.log.Warn("not a window", "window", window, "error", err)
		return
	}
	if slices.Contains(h.windows, id) { // of an earlier run
		return
	}
	h.windows = append(h.windows, id)
	if h.live != nil && h.live.desk != nil && h.live.desk.guard != nil {
		h.live.desk.guard.Protect(id)
	}
	if h.live != nil {
		h.live.tellAsked(h.live.question != nil) // C75: marks that stand spare it as well
	}
}
