package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sync/atomic"
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
	open  atomic.Bool // state is ALLOWED, for other goroutines than the loop: set last, cleared first
}

// question is put to the person, or waits until another one is answered. While
// one is open, no input is applied.
type question struct {
	id    string // once it is open
	by    *participant
	grant *grant
	again []string // after a restart: what stood before it, and stands again by the same yes
}

// maxQueue bounds the questions that wait: one a participant and grant.
const maxQueue = maxParticipants * 12

func (p *participant) grant(name string) *grant {
	for _, g := range p.grants {
		if g.name == name {
			return g
		}
	}
	return nil
}

func (p *participant) allowed(name string) bool { // C42
	g := p.grant(name)
	return g != nil && g.state == mfpb.GrantState_GRANT_STATE_ALLOWED
}

// holder is the participant that has control, or nil.
func (l *live) holder() *participant {
	for _, p := range l.participants {
		if p.allowed(grantControl) {
			return p
		}
	}
	return nil
}

// asksFor is the viewer's wish for a grant.
func (h *Host) asksFor(p *participant, name string) error {
	s := h.live
	if p.wishes++; p.wishes > maxWishes {
		return errProtocol
	}
	g := p.grant(name)
	if g == nil { // C32
		s.note("consent.denied", "deny", map[string]any{"grant": "unknown", "by": "host", "participant": p.id}, nil)
		p.sendGrants(&mfpb.Grant{Name: wire.Clean(name), State: mfpb.GrantState_GRANT_STATE_DENIED, Since: h.clock.Now().UnixMilli()})
		return nil
	}
	if g.state == mfpb.GrantState_GRANT_STATE_ALLOWED || g.state == mfpb.GrantState_GRANT_STATE_ASKED {
		p.sendGrants()
		return nil
	}
	if s.rulesOut(name) { // C124
		s.note("consent.denied", "deny", map[string]any{"grant": name, "by": "policy", "participant": p.id}, nil)
		p.sendGrants()
		return nil
	}
	if name != grantView && p.kind == observer { // C43
		h.settle(p, g, mfpb.GrantState_GRANT_STATE_DENIED, "host")
		return nil
	}
	if needsView(name) && !p.allowed(grantView) { // C33
		h.settle(p, g, mfpb.GrantState_GRANT_STATE_DENIED, "host")
		return nil
	}
	if len(s.queue) >= maxQueue || p.asks >= maxAsks || name == grantControl && (s.desk == nil || !s.desk.drivable()) {
		h.settle(p, g, mfpb.GrantState_GRANT_STATE_DENIED, "host")
		return nil
	}
	h.put(p, g)
	return nil
}

// put asks the person, at once or as soon as they have answered what is open.
func (h *Host) put(p *participant, g *grant) { h.putAgain(p, g, nil) }

func (h *Host) putAgain(p *participant, g *grant, again []string) {
	s := h.live
	p.asks++
	s.queue = append(s.queue, &question{by: p, grant: g, again: again})
	s.set(p, g, mfpb.GrantState_GRANT_STATE_ASKED)
	h.nextQuestion()
}

// nextQuestion opens the next question unless one is open. From here to the
// answer no input is applied.
func (h *Host) nextQuestion() {
	s := h.live
	if s.over || s.question != nil || len(s.queue) == 0 {
		return
	}
	q := s.queue[0]
	s.queue = s.queue[1:]
	p, g := q.by, q.grant
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails since Go 1.24
	q.id = hex.EncodeToString(raw[:])
	s.question = q
	s.asking.Store(true)
	s.release()
	s.tellAsked(true)
	id, text := h.texts.Question(g.name, kindNames[p.kind], *p.technician)
	if q.again != nil {
		id, text = h.texts.Again(q.again, *p.technician)
	}
	folder := ""
	if g.name == grantFileIn {
		folder = s.landing()
	}
	h.show(ui.Event{
		Name: "ask", ID: q.id, Grant: g.name, Folder: folder, Lang: h.texts.Lang, Text: text,
		Server: h.server, Technician: p.technician, Ticket: s.ticket, Participant: p.id, Kind: kindNames[p.kind],
	})
	sum := sha256.Sum256([]byte(text))
	s.note("consent.shown", "ok", map[string]any{
		"grant": g.name, "participant": p.id, "text": id, "lang": h.texts.Lang, "sha256": hex.EncodeToString(sum[:]),
	}, nil)
	h.alarm("question", AnswerTime, func() {
		h.show(ui.Event{Name: "withdrawn", ID: q.id, Grant: g.name, Participant: p.id})
		h.answered(q, mfpb.GrantState_GRANT_STATE_DENIED, "time", mfpb.Reason_REASON_NO_ANSWER)
	})
}

// answered closes the open question and does what follows. Without its first yes
// a participant is out, for the reason given.
func (h *Host) answered(q *question, to mfpb.GrantState, by string, why mfpb.Reason) {
	h.live.closeQuestion()
	if q.grant.name == grantControl && by == "person" {
		q.by.trusted = to == mfpb.GrantState_GRANT_STATE_ALLOWED
	}
	h.settle(q.by, q.grant, to, by)
	if to == mfpb.GrantState_GRANT_STATE_ALLOWED {
		h.allowAgain(q.by, q.again)
	}
	if q.by.asks == 1 && to != mfpb.GrantState_GRANT_STATE_ALLOWED {
		h.leave(q.by, why, true)
	}
	if h.live.over {
		return
	}
	h.nextQuestion()
}

// closeQuestion lets input through again, where control is allowed.
func (l *live) closeQuestion() {
	l.question = nil
	l.h.cancelAlarm("question")
	l.asking.Store(false)
	l.tellAsked(false)
}

// withdraw takes a participant's questions back: all, or those for one grant.
func (l *live) withdraw(p *participant, g *grant) {
	about := func(q *question) bool { return q != nil && q.by == p && (g == nil || q.grant == g) }
	l.queue = slices.DeleteFunc(l.queue, about)
	if q := l.question; about(q) {
		l.h.show(ui.Event{Name: "withdrawn", ID: q.id, Grant: q.grant.name, Participant: p.id})
		l.closeQuestion()
	}
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
		if q.grant.name == grantElevate {
			h.raises(q)
			return
		}
		if q.grant.name == grantFileIn {
			s.land(c.Folder)
		}
		h.answered(q, mfpb.GrantState_GRANT_STATE_ALLOWED, "person", 0)
	case "deny":
		h.answered(q, mfpb.GrantState_GRANT_STATE_DENIED, "person", mfpb.Reason_REASON_PERSON_DENIED)
	}
}

// revoke is the person's taking back, from one participant or from everybody.
func (h *Host) revoke(c ui.Command) {
	s := h.live
	if s.over {
		return
	}
	for _, p := range s.participants {
		if c.Participant != "" && p.id != c.Participant {
			continue
		}
		if c.Grant == grantControl {
			p.trusted = false
		}
		if p.allowed(c.Grant) {
			h.settle(p, p.grant(c.Grant), mfpb.GrantState_GRANT_STATE_REVOKED, "person")
		}
	}
}

// givesBack is the technician's laying down of a grant, or of a question.
func (h *Host) givesBack(p *participant, name string) {
	s := h.live
	g := p.grant(name)
	if g == nil {
		return
	}
	switch g.state {
	case mfpb.GrantState_GRANT_STATE_ASKED:
		if r := s.raiser(); r != nil && name == grantElevate {
			r.left(p)
		}
		s.withdraw(p, g)
		h.settle(p, g, mfpb.GrantState_GRANT_STATE_GIVEN_BACK, "technician")
		if p.asks == 1 {
			h.leave(p, mfpb.Reason_REASON_TECHNICIAN_ENDED, true)
		}
		if !s.over {
			h.nextQuestion()
		}
	case mfpb.GrantState_GRANT_STATE_ALLOWED:
		h.settle(p, g, mfpb.GrantState_GRANT_STATE_GIVEN_BACK, "technician")
	}
}

// handsOver is the holder's wish that another participant takes control.
func (h *Host) handsOver(p *participant, id string) error {
	s := h.live
	if p.wishes++; p.wishes > maxWishes {
		return errProtocol
	}
	to := s.participant(id)
	if !p.allowed(grantControl) || to == nil || to == p { // C45
		p.sendGrants()
		return nil
	}
	if !to.trusted || !to.allowed(grantView) { // C45: the person has not allowed it yet
		return h.asksFor(to, grantControl)
	}
	h.settle(to, to.grant(grantControl), mfpb.GrantState_GRANT_STATE_ALLOWED, "technician")
	return nil
}

// settle sets a grant, does what follows from it, and writes it down. What is
// taken away stops before anything else happens.
func (h *Host) settle(p *participant, g *grant, to mfpb.GrantState, by string) {
	s := h.live
	allowed := to == mfpb.GrantState_GRANT_STATE_ALLOWED
	if !allowed {
		g.open.Store(false)
		if t := s.toolFor(g.name); t != nil && g.state == mfpb.GrantState_GRANT_STATE_ALLOWED {
			t.settled(p, g.name, false)
		}
		switch g.name {
		case grantControl:
			p.gate.control.Store(false)
			if g.state == mfpb.GrantState_GRANT_STATE_ALLOWED {
				if err := s.restore(p); err != nil { // C34
					h.log.Warn("the keyboard could not be put back", "error", err)
				}
			}
		case grantView:
			s.pausePicture(p)
			for _, other := range p.grants { // C33
				if needsView(other.name) && p.allowed(other.name) {
					h.settle(p, other, to, by)
				}
			}
		}
	} else if g.name == grantControl {
		if from := s.holder(); from != nil && from != p { // C44
			h.settle(from, from.grant(grantControl), mfpb.GrantState_GRANT_STATE_HANDED_OVER, by)
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
	case mfpb.GrantState_GRANT_STATE_HANDED_OVER:
		kind, outcome = "control.handed_over", "ok"
	}
	s.note(kind, outcome, map[string]any{"grant": g.name, "by": by, "participant": p.id}, nil)
	if allowed && g.name == grantControl {
		if r := s.raiser(); r != nil {
			r.drives(p)
		}
		// Before the viewer is told: its first key must find the hands ready.
		if err := s.prepare(p); err != nil {
			h.log.Warn("the keyboard could not be made ready", "error", err)
		}
		p.gate.control.Store(true)
	}
	g.state, g.since = to, h.clock.Now()
	if allowed { // Before the viewer is told as well: it may act at once.
		g.open.Store(true)
		if !p.welcome {
			p.welcome = true
			for _, t := range s.tools {
				if w, ok := t.(welcomer); ok {
					w.welcomed(p)
				}
			}
		}
		if t := s.toolFor(g.name); t != nil {
			t.settled(p, g.name, true)
		}
	}
	s.tellGrants(p)
	if allowed && g.name == grantView {
		h.startPicture(p)
	}
}

// needsView tells what is only for who sees the screen.
func needsView(grant string) bool {
	switch grant {
	case grantControl, "annotate", grantElevate, grantScreenshot, grantReconnect:
		return true
	}
	return false
}

// set changes a grant's state and tells everybody.
func (l *live) set(p *participant, g *grant, to mfpb.GrantState) {
	g.state, g.since = to, l.h.clock.Now()
	l.tellGrants(p)
}

// tellGrants tells everybody what a participant may do now.
func (l *live) tellGrants(p *participant) {
	p.sendGrants()
	l.tellParticipants()
	l.h.weigh()
}

// wireGrants is the participant's list as it travels.
func (p *participant) wireGrants() []*mfpb.Grant {
	var list []*mfpb.Grant
	for _, g := range p.grants {
		m := &mfpb.Grant{Name: g.name, State: g.state}
		if !g.since.IsZero() {
			m.Since = g.since.UnixMilli()
		}
		list = append(list, m)
	}
	return list
}

// sendGrants tells the viewer its whole list, and what was just denied.
func (p *participant) sendGrants(also ...*mfpb.Grant) {
	if !p.up() {
		return
	}
	list := append(also, p.wireGrants()...)
	p.link.control(&mfpb.Control{Body: &mfpb.Control_Grants{Grants: &mfpb.Grants{Grants: list}}})
}
