package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// Names of the grants that this host knows. Every other name is denied.
const (
	grantView    = "view"
	grantControl = "control"
)

// maxAsks bounds the questions of one session: after that, no is the answer to
// whoever goes on asking.
const maxAsks = 50

// maxWishes bounds what a viewer may ask for in one session, with or without a
// question: each is a line in the log.
const maxWishes = 1000

// grant is one capability as it stands.
type grant struct {
	name  string
	state mfpb.GrantState
	since time.Time
}

// question is open on the person's screen. While it is, no input is applied.
type question struct {
	id    string
	grant *grant
}

func (l *live) grant(name string) *grant {
	for _, g := range l.grants {
		if g.name == name {
			return g
		}
	}
	return nil
}

func (l *live) allowed(name string) bool {
	g := l.grant(name)
	return g != nil && g.state == mfpb.GrantState_GRANT_STATE_ALLOWED
}

// asksFor is the viewer's wish for a grant.
func (h *Host) asksFor(name string) error {
	s := h.live
	if s.wishes++; s.wishes > maxWishes {
		return errProtocol
	}
	g := s.grant(name)
	if g == nil { // C32
		s.note("consent.denied", "deny", map[string]any{"grant": "unknown", "by": "host"}, nil)
		s.sendGrants(&mfpb.Grant{Name: wire.Clean(name), State: mfpb.GrantState_GRANT_STATE_DENIED, Since: h.clock.Now().UnixMilli()})
		return nil
	}
	if g.state == mfpb.GrantState_GRANT_STATE_ALLOWED || g.state == mfpb.GrantState_GRANT_STATE_ASKED {
		s.sendGrants()
		return nil
	}
	if name == grantControl && !s.allowed(grantView) { // C33
		h.settle(g, mfpb.GrantState_GRANT_STATE_DENIED, "host")
		return nil
	}
	if s.question != nil || s.asks >= maxAsks || name == grantControl && (s.desk == nil || !s.desk.hands) {
		h.settle(g, mfpb.GrantState_GRANT_STATE_DENIED, "host")
		return nil
	}
	h.put(g)
	return nil
}

// put asks the person. From here to the answer no input is applied.
func (h *Host) put(g *grant) {
	s := h.live
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails since Go 1.24
	q := &question{id: hex.EncodeToString(raw[:]), grant: g}
	s.question = q
	s.asks++
	s.gate.question.Store(true)
	s.hands.release()
	id, text := h.texts.Question(g.name, *s.technician)
	h.show(ui.Event{
		Name: "ask", ID: q.id, Grant: g.name, Lang: h.texts.Lang, Text: text,
		Server: h.server, Technician: s.technician, Ticket: s.ticket,
	})
	sum := sha256.Sum256([]byte(text))
	s.note("consent.shown", "ok", map[string]any{
		"grant": g.name, "text": id, "lang": h.texts.Lang, "sha256": hex.EncodeToString(sum[:]),
	}, nil)
	s.set(g, mfpb.GrantState_GRANT_STATE_ASKED)
	h.alarm("question", AnswerTime, func() {
		h.show(ui.Event{Name: "withdrawn", ID: q.id, Grant: g.name})
		s.closeQuestion()
		h.settle(g, mfpb.GrantState_GRANT_STATE_DENIED, "time")
		if s.asks == 1 {
			h.end(mfpb.Reason_REASON_NO_ANSWER)
		}
	})
}

// closeQuestion lets input through again, if control is allowed.
func (l *live) closeQuestion() {
	l.question = nil
	l.h.cancelAlarm("question")
	l.gate.question.Store(false)
}

// answer is the person's answer. Only one that carries the id of the question
// that is open counts.
func (h *Host) answer(c ui.Command) {
	s := h.live
	if s == nil || s.over || s.question == nil {
		return
	}
	q := s.question
	if c.ID != q.id { // C31
		h.log.Warn("an answer to no open question was ignored")
		return
	}
	switch c.Answer {
	case "allow":
		s.closeQuestion()
		h.settle(q.grant, mfpb.GrantState_GRANT_STATE_ALLOWED, "person")
	case "deny":
		s.closeQuestion()
		h.settle(q.grant, mfpb.GrantState_GRANT_STATE_DENIED, "person")
		if s.asks == 1 { // without the first yes there is no session
			h.end(mfpb.Reason_REASON_PERSON_DENIED)
		}
	}
}

// revoke is the person's taking back.
func (h *Host) revoke(name string) {
	s := h.live
	if s.over {
		return
	}
	g := s.grant(name)
	if g == nil || g.state != mfpb.GrantState_GRANT_STATE_ALLOWED {
		return
	}
	h.settle(g, mfpb.GrantState_GRANT_STATE_REVOKED, "person")
}

// givesBack is the technician's laying down of a grant, or of a question.
func (h *Host) givesBack(name string) {
	s := h.live
	g := s.grant(name)
	if g == nil {
		return
	}
	switch g.state {
	case mfpb.GrantState_GRANT_STATE_ASKED:
		h.show(ui.Event{Name: "withdrawn", ID: s.question.id, Grant: name})
		s.closeQuestion()
		h.settle(g, mfpb.GrantState_GRANT_STATE_GIVEN_BACK, "technician")
		if s.asks == 1 {
			h.end(mfpb.Reason_REASON_TECHNICIAN_ENDED)
		}
	case mfpb.GrantState_GRANT_STATE_ALLOWED:
		h.settle(g, mfpb.GrantState_GRANT_STATE_GIVEN_BACK, "technician")
	}
}

// settle sets a grant, does what follows from it, and writes it down. What is
// taken away stops before anything else happens.
func (h *Host) settle(g *grant, to mfpb.GrantState, by string) {
	s := h.live
	if to != mfpb.GrantState_GRANT_STATE_ALLOWED {
		switch g.name {
		case grantControl:
			s.gate.control.Store(false)
			if err := s.hands.restore(); err != nil { // C34
				h.log.Warn("the keyboard could not be put back", "error", err)
			}
		case grantView:
			s.pausePicture()
			if s.allowed(grantControl) { // C33
				h.settle(s.grant(grantControl), to, by)
			}
		}
	}
	kind, outcome := "consent.denied", "deny"
	switch to {
	case mfpb.GrantState_GRANT_STATE_ALLOWED:
		kind, outcome = "consent.granted", "ok"
	case mfpb.GrantState_GRANT_STATE_REVOKED:
		kind, outcome = "consent.revoked", "ok"
	case mfpb.GrantState_GRANT_STATE_GIVEN_BACK:
		kind, outcome = "consent.given_back", "ok"
	}
	s.note(kind, outcome, map[string]any{"grant": g.name, "by": by}, nil)
	allowed := to == mfpb.GrantState_GRANT_STATE_ALLOWED
	if allowed && g.name == grantControl {
		// Before the viewer is told: its first key must find the hands ready.
		if err := s.hands.prepare(); err != nil {
			h.log.Warn("the keyboard could not be made ready", "error", err)
		}
		s.gate.control.Store(true)
	}
	s.set(g, to)
	if allowed && g.name == grantView {
		h.startPicture()
	}
}

// set changes a grant's state and tells both sides.
func (l *live) set(g *grant, to mfpb.GrantState) {
	g.state, g.since = to, l.h.clock.Now()
	l.sendGrants()
	l.h.show(ui.Event{Name: "participants", Session: l.id, Participants: []ui.Participant{
		{ID: "1", Technician: *l.technician, Kind: "lead", Connected: true, Grants: l.shown()},
	}})
}

// sendGrants tells the viewer the whole list, and what was just denied.
func (l *live) sendGrants(also ...*mfpb.Grant) {
	if l.link == nil || l.link.down || !l.link.proven {
		return
	}
	list := also
	for _, g := range l.grants {
		m := &mfpb.Grant{Name: g.name, State: g.state}
		if !g.since.IsZero() {
			m.Since = g.since.UnixMilli()
		}
		list = append(list, m)
	}
	l.link.control(&mfpb.Control{Body: &mfpb.Control_Grants{Grants: &mfpb.Grants{Grants: list}}})
}

// shown is the list as the person sees it: what was never asked is not there.
func (l *live) shown() []ui.Grant {
	names := map[mfpb.GrantState]string{
		mfpb.GrantState_GRANT_STATE_ASKED:      "asked",
		mfpb.GrantState_GRANT_STATE_ALLOWED:    "allowed",
		mfpb.GrantState_GRANT_STATE_DENIED:     "denied",
		mfpb.GrantState_GRANT_STATE_REVOKED:    "revoked",
		mfpb.GrantState_GRANT_STATE_GIVEN_BACK: "given_back",
	}
	var list []ui.Grant
	for _, g := range l.grants {
		if state, ok := names[g.state]; ok {
			list = append(list, ui.Grant{Name: g.name, State: state})
		}
	}
	return list
}
