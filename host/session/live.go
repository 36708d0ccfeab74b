package session

import (
	"bytes"
	"crypto/ed25519"
	"strconv"
	"strings"
	"time"

	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/pake"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// live is a session, from Opened to its end. It belongs to the loop.
type live struct {
	h          *Host
	id         string
	token      []byte // resumes this session on a new line to the server
	since      time.Time
	technician *ui.Technician
	techID     string
	ticket     *ui.Ticket
	keys       *pake.Keys
	signing    ed25519.PrivateKey

	grants   []*grant
	question *question
	asks     int // questions put to the person so far
	wishes   int // grants that the viewer asked for
	gate     gate
	hands    hands
	desk     *desktop
	link     *link // of the newest attach; down when it is lost
	journal  journal
	counted  input.Counts // what input summaries have told already

	over bool
	why  mfpb.Reason
}

// opened is the server's word that the session stands in the log: from now on
// the technician may connect, and the person is asked.
func (h *Host) opened(m *mfpb.Opened) {
	c := h.claim
	if c == nil || c.paired == nil || !bytes.Equal(c.id, m.GetClaim()) {
		return
	}
	if !validSession(m.GetSession()) || len(m.GetResumeToken()) != wire.ResumeSize {
		h.fault(errProtocol)
		return
	}
	h.drop()
	h.cancelAlarm("open")
	l := &live{
		h: h, id: m.Session, token: bytes.Clone(m.ResumeToken), since: h.clock.Now(),
		technician: c.technician, techID: c.techID, ticket: c.ticket,
		keys: c.paired, signing: h.code.signing,
		grants: []*grant{{name: grantView}, {name: grantControl}},
	}
	h.live = l
	h.code.secret = ""
	h.show(ui.Event{Name: "session", Server: h.server, Session: l.id, Technician: l.technician, Ticket: l.ticket})
	l.awaitViewer(mfpb.Reason_REASON_NO_ROUTE)
	h.alarm("summary", summaryTime, l.summary)
	h.put(l.grants[0])
}

// validSession tells whether s can be a session's id: it stands in the log, in
// the receipt and in what the host signs.
func validSession(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	return strings.Trim(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-") == ""
}

// awaitViewer ends the session unless a viewer is connected in time. While the
// server is away nobody can attach, so it waits for the server's return.
func (l *live) awaitViewer(why mfpb.Reason) {
	l.h.alarm("viewer", viewerTime, func() {
		if l.h.line == nil || !l.h.line.ready {
			l.awaitViewer(why)
			return
		}
		l.h.end(why)
	})
}

// linkLost is the end of the connection to the viewer, which may come back.
func (h *Host) linkLost(l *link) {
	s := h.live
	if s == nil || s.over || s.link != l || l.down {
		return
	}
	h.log.Info("connection to the viewer lost", "epoch", l.epoch)
	s.dropLink()
	why := mfpb.Reason_REASON_NO_ROUTE
	if l.proven {
		why = mfpb.Reason_REASON_VIEWER_GONE
		s.note("session.paused", "ok", map[string]any{"epoch": l.epoch}, nil)
		h.status("status.viewer_away")
	}
	s.awaitViewer(why)
}

// dropLink takes down the present link, if any: picture first, then the keys.
func (l *live) dropLink() {
	k := l.link
	if k == nil || k.down {
		return
	}
	l.h.cancelAlarm("proof")
	if l.desk != nil {
		l.desk.detach(k)
	}
	k.takeDown(nil)
}

// attach starts an epoch at the viewer's wish.
func (h *Host) attach(m *mfpb.Attach) {
	s := h.live
	if s.over {
		return
	}
	nonce := pake.NewNonce()
	sealed, err := s.keys.Attach(pake.RoleHost, m.GetEpoch(), m.GetNonce(), nonce) // C22
	if err != nil {
		h.refused("viewer", err)
		return
	}
	if s.link != nil && !s.link.down {
		s.dropLink()
		if s.link.proven {
			s.note("session.paused", "ok", map[string]any{"epoch": s.link.epoch}, nil)
		}
		s.awaitViewer(mfpb.Reason_REASON_VIEWER_GONE)
	}
	k, err := h.newLink(m.Epoch, sealed)
	if err != nil {
		h.log.Error("no peer connection", "error", err)
		h.end(mfpb.Reason_REASON_INTERNAL)
		return
	}
	s.link = k
	h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Attach{Attach: &mfpb.Attach{Epoch: m.Epoch, Nonce: nonce}}})
}

// sealed is one relayed body.
func (h *Host) sealed(m *mfpb.Sealed) {
	s := h.live
	if s.over {
		return
	}
	if s.link == nil {
		h.refused("viewer", errProtocol)
		return
	}
	plain, err := s.link.sealed.Open(m) // C22, C23, C24
	if err != nil {
		h.refused("viewer", err)
		return
	}
	body := new(mfpb.SealedBody)
	err = wire.Decode(plain, wire.MaxSealed, body)
	if err == nil {
		err = wire.Unknown(body)
	}
	if err == wire.ErrSkip || s.link.down && err == nil {
		return
	}
	if err != nil {
		h.refused("viewer", err)
		return
	}
	switch b := body.Body.(type) {
	case *mfpb.SealedBody_Description:
		err = s.link.describe(b.Description)
	case *mfpb.SealedBody_Candidate:
		err = s.link.candidate(b.Candidate)
	case *mfpb.SealedBody_Bye:
		h.end(fromViewer(b.Bye.GetReason()))
	}
	if err != nil {
		h.refused("viewer", err)
	}
}

// refused is a message in the session that may not stand: the session ends with
// its reason, on both sides and in the log.
func (h *Host) refused(from string, err error) {
	why := wire.Reason(err)
	h.log.Warn("message refused", "from", from, "reason", wire.Name(why), "error", err)
	if h.live == nil || h.live.over {
		return
	}
	h.live.note("session.refused", "fail", map[string]any{"from": from, "reason": wire.Name(why)}, nil)
	h.end(why)
}

// fromViewer keeps the viewer from speaking in anybody else's name.
func fromViewer(why mfpb.Reason) mfpb.Reason {
	switch why {
	case mfpb.Reason_REASON_CERTIFICATE_MISMATCH, mfpb.Reason_REASON_NO_ROUTE, mfpb.Reason_REASON_PROTOCOL,
		mfpb.Reason_REASON_VERSION, mfpb.Reason_REASON_TOO_LARGE, mfpb.Reason_REASON_UNKNOWN_MESSAGE,
		mfpb.Reason_REASON_TAMPERED, mfpb.Reason_REASON_OLD_EPOCH, mfpb.Reason_REASON_INTERNAL,
		mfpb.Reason_REASON_VIEWER_GONE, mfpb.Reason_REASON_SIGNED_OUT:
		return why
	}
	return mfpb.Reason_REASON_TECHNICIAN_ENDED
}

// viewerState is what the server says about the viewer's line to it. The
// connection between viewer and host does not need that line.
func (h *Host) viewerState(connected bool) {
	h.log.Info("the viewer's line to the server", "connected", connected)
	if s := h.live; s.link != nil && !connected {
		s.link.spoilt = true
	}
}

// lineLost: the session goes on without the server, for the time it granted.
func (l *live) lineLost() {
	if l.over {
		return
	}
	if _, counting := l.h.alarms["grace"]; !counting {
		l.h.status("status.server_away")
	}
	l.notice(mfpb.NoticeCode_NOTICE_CODE_SERVER_AWAY)
	if l.link != nil {
		// Sealed bodies may be lost on the way: what is not connected yet has
		// to attach again, what is connected needs none.
		l.link.spoilt = true
		if !l.link.proven {
			l.dropLink()
			l.awaitViewer(mfpb.Reason_REASON_NO_ROUTE)
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
	if l.over {
		return
	}
	l.h.status("status.server_back")
	l.notice(mfpb.NoticeCode_NOTICE_CODE_SERVER_BACK)
}

// notice tells the viewer something short.
func (l *live) notice(code mfpb.NoticeCode) {
	if l.link != nil && l.link.proven && !l.link.down {
		l.link.control(&mfpb.Control{Optional: true, Body: &mfpb.Control_Notice{Notice: &mfpb.Notice{Code: code}}})
	}
}

// protect keeps input away from a window of ours, now and when the desktop opens.
func (h *Host) protect(window string) {
	id, err := strconv.ParseUint(window, 0, 64)
	if err != nil || len(h.windows) >= 64 {
		h.log.Warn("not a window", "window", window, "error", err)
		return
	}
	h.windows = append(h.windows, id)
	if h.live != nil && h.live.desk != nil && h.live.desk.guard != nil {
		h.live.desk.guard.Protect(id)
	}
}
