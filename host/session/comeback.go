package session

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/host/comeback"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/pake"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// grantReconnect is the person's yes to coming back once after a restart of the
// computer, to this session and to nobody else.
const grantReconnect = "reconnect"

// noChannel is where a tool hears that says nothing itself.
const noChannel = 0xffff

// keepTime is how long a disk may take to write down how the session stands: its
// events wait for that.
const keepTime = 10 * time.Second

// vanishTime is how long a window that went without a word may have gone with the
// whole system, which then tells this process too.
const vanishTime = time.Second

// ErrGoingDown as the cause of Run's context tells that the system stops: who may
// come back does, and does not end the session.
var ErrGoingDown = errors.New("session: the system goes down")

// comebacks is the tool of a return after a restart (PROTOCOL.md §3.2). While the
// grant stands everything that a return needs is on the disk, an event before it is
// sent to the server: whatever happens to this computer, no number is used twice.
type comebacks struct {
	l       *live
	returns map[*participant]pake.Return
	keep    *keeping // nil: nothing is kept
	until   time.Time
	told    bool // it stands on the disk, and the log says so
	away    bool // the system goes down: what is kept stays
}

// keeping is one time that something is kept. Its goroutine writes and removes.
type keeping struct {
	mu   sync.Mutex
	next *standing // to be written; nil: nothing new
	stay bool      // when it is over
	wake chan struct{}
	over chan struct{} // closed by the loop
	done <-chan struct{}
}

// standing is how the session stands after an event.
type standing struct {
	state []byte
	seq   uint64
}

func newComebacks(l *live) tool {
	if l.h.cfg.OpenReturn == nil {
		return nil
	}
	return &comebacks{l: l, returns: map[*participant]pake.Return{}}
}

func (*comebacks) channel() uint16          { return noChannel }
func (*comebacks) grants() []string         { return []string{grantReconnect} }
func (*comebacks) hear(*link, []byte) error { return errProtocol }
func (*comebacks) connected(*participant)   {}
func (*comebacks) command(ui.Command) bool  { return false }

// settled implements tool.
func (c *comebacks) settled(p *participant, _ string, allowed bool) {
	if !allowed {
		c.left(p)
		return
	}
	r, err := p.keys.Keep()
	if err != nil {
		c.l.h.log.Error("nothing can be kept for a return", "error", err)
		return
	}
	c.returns[p] = r
	if c.keep == nil {
		c.begin()
	}
	c.touch()
}

// left implements tool: without anybody who may come back, nothing is kept.
func (c *comebacks) left(p *participant) {
	delete(c.returns, p)
	if len(c.returns) == 0 {
		c.end() // C83
	} else {
		c.touch()
	}
}

// close implements tool: a session that ends is not come back to.
func (c *comebacks) close() { c.end() }

// begin opens what is kept, for at most comeback.Life.
func (c *comebacks) begin() {
	h := c.l.h
	k := &keeping{wake: make(chan struct{}, 1), over: make(chan struct{})}
	c.keep, c.told, c.until = k, false, h.clock.Now().Add(comeback.Life)
	c.l.journal.held, c.l.journal.written = true, 0
	until := c.until
	k.done = h.lend(func() { c.write(k, until) })
	h.alarm("return", comeback.Life, c.expire)
}

// end takes away what is kept, and lets the events flow again.
func (c *comebacks) end() {
	k := c.keep
	if k == nil {
		return
	}
	h := c.l.h
	c.keep, c.l.journal.held = nil, c.away // what is not written down by now is not sent either
	h.cancelAlarm("return")
	h.cancelAlarm("keep")
	k.mu.Lock()
	k.stay = c.away
	k.mu.Unlock()
	close(k.over)
	late := time.NewTimer(removeTime)
	defer late.Stop()
	select {
	case <-k.done:
	case <-late.C:
		h.log.Warn("a disk does not answer; what was kept goes as soon as it does")
	}
	c.l.flow()
}

// touch writes down how the session stands now.
func (c *comebacks) touch() {
	k := c.keep
	if k == nil {
		return
	}
	state, err := json.Marshal(c.state())
	if err != nil {
		c.l.h.log.Error("how the session stands cannot be written down", "error", err)
		return
	}
	k.mu.Lock()
	waits := k.next != nil
	k.next = &standing{state, c.l.journal.seq}
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default:
	}
	if !waits {
		c.l.h.alarm("keep", keepTime, func() { c.failed(k, errors.New("the disk does not answer")) })
	}
}

// write is the goroutine of one keeping: nothing else touches its file.
func (c *comebacks) write(k *keeping, until time.Time) {
	h := c.l.h
	h.touch("keep")
	file, err := h.cfg.OpenReturn(until)
	for err == nil {
		over := false
		select {
		case <-k.wake:
		case <-k.over:
			over = true
		}
		k.mu.Lock()
		now, stay := k.next, k.stay
		k.next = nil
		k.mu.Unlock()
		if now != nil && (!over || stay) {
			h.touch("keep")
			err = file.Write(now.state)
		}
		if over {
			if !stay {
				if err := file.Remove(); err != nil { // C83
					h.log.Warn("what was kept for a return could not be removed", "error", err)
				}
			}
			return
		}
		if err == nil && now != nil {
			h.post(k.over, func() { c.wrote(k, now.seq) })
		}
	}
	if file != nil {
		err = errors.Join(err, file.Remove())
	}
	h.post(k.over, func() { c.failed(k, err) })
}

// wrote: everything up to an event is on the disk, so it may be sent.
func (c *comebacks) wrote(k *keeping, seq uint64) {
	if c.keep != k {
		return
	}
	h := c.l.h
	j := &c.l.journal
	j.written = max(j.written, seq)
	k.mu.Lock()
	if k.next == nil {
		h.cancelAlarm("keep")
	}
	k.mu.Unlock()
	if !c.told {
		c.told = true
		c.l.note("reconnect.kept", "ok", map[string]any{"seconds": int(comeback.Life / time.Second)}, nil)
		h.status("status.return_kept", "time", ui.Clock(c.until))
	}
	c.l.flow()
}

// failed: nothing can be kept, so nobody may come back.
func (c *comebacks) failed(k *keeping, err error) {
	if c.keep != k {
		return
	}
	c.l.h.log.Warn("nothing can be kept for a return", "error", err)
	c.takeBack("host")
	c.l.h.status("status.return_failed")
}

// expire: the quarter of an hour is over.
func (c *comebacks) expire() {
	c.l.note("reconnect.expired", "ok", nil, nil)
	c.takeBack("time")
	c.l.h.status("status.return_expired")
}

func (c *comebacks) takeBack(by string) {
	for _, p := range c.l.participants {
		if p.allowed(grantReconnect) {
			c.l.h.settle(p, p.grant(grantReconnect), mfpb.GrantState_GRANT_STATE_REVOKED, by)
		}
	}
	c.end()
}

// comebacks is the tool of a return, or nil where there is none.
func (l *live) comebacks() *comebacks {
	for _, t := range l.tools {
		if c, ok := t.(*comebacks); ok {
			return c
		}
	}
	return nil
}

// goesDown tells whether the session can be come back to after the restart that
// begins now; Run then ends without its end.
func (h *Host) goesDown() bool {
	if h.live == nil || h.live.over {
		return false
	}
	c := h.live.comebacks()
	if c == nil || c.keep == nil {
		return false
	}
	h.live.summary()
	c.touch()
	c.away = true
	h.log.Info("the system goes down, and this session may be come back to")
	h.finish(ErrQuit)
	return true
}

// vanished is the end of the window. One that goes without a word may go with the
// whole system.
func (h *Host) vanished() {
	quit := func() { h.command(ui.Command{Do: "quit"}) }
	if h.live != nil && !h.live.over {
		if c := h.live.comebacks(); c != nil && c.keep != nil {
			h.alarm("vanished", vanishTime, quit)
			return
		}
	}
	quit()
}

// What is kept, as JSON. Its reader trusts no field.
type keptSession struct {
	Server  string       `json:"server"` // wss://name:port
	Lang    string       `json:"lang"`
	Session string       `json:"session"`
	Token   []byte       `json:"token"`
	Signing []byte       `json:"signing"` // seed of the key that signs the close
	Since   time.Time    `json:"since"`
	Ticket  *ui.Ticket   `json:"ticket,omitempty"`
	Chat    int32        `json:"chat"`
	Receipt string       `json:"receipt"`
	Abuse   string       `json:"abuse"`
	Ever    int          `json:"ever"`
	Acked   uint64       `json:"acked"`
	Events  [][]byte     `json:"events"` // mfpb.HostEvent, from Acked on
	Done    deeds        `json:"done"`
	Ruled   []string     `json:"ruled_out,omitempty"` // by the server's policy
	Ends    time.Time    `json:"ends,omitzero"`       // as the policy says; zero: no such time
	Back    []keptPerson `json:"back"`                // who comes back
	Gone    []keptGone   `json:"gone"`                // who is out, or does not come back
	Away    time.Time    `json:"away"`                // when it was written
}

type keptPerson struct {
	ID         string        `json:"id"`
	Kind       string        `json:"kind"`
	Technician ui.Technician `json:"technician"`
	TechID     string        `json:"tech_id"`
	Salt       []byte        `json:"salt"`
	Secret     []byte        `json:"secret"`
	Grants     []string      `json:"grants"` // that stood, for the question
}

type keptGone struct {
	ID     string `json:"id"`
	Reason int32  `json:"reason"`
}

// state is the session as it stands.
func (c *comebacks) state() keptSession {
	l := c.l
	h := l.h
	s := keptSession{
		Server: h.cfg.Server.Scheme + "://" + h.cfg.Server.Host, Lang: h.texts.Lang, Session: l.id, Token: l.token,
		Signing: l.signing.Seed(), Since: l.since, Ticket: l.ticket, Chat: int32(l.chat), Receipt: l.receipt, Abuse: l.abuse,
		Ever: l.ever, Acked: l.journal.acked, Done: l.done, Away: h.clock.Now(),
		Ruled: l.bounds.ruledOut, Ends: l.bounds.ends,
	}
	for _, e := range l.journal.kept {
		b, err := proto.Marshal(e)
		if err != nil { // it was made here
			h.log.Error("an event cannot be written down", "error", err)
		}
		s.Events = append(s.Events, b)
	}
	for _, g := range l.goneSince {
		s.Gone = append(s.Gone, keptGone{g.GetParticipant(), int32(g.GetReason())})
	}
	for _, p := range l.participants {
		r, ok := c.returns[p]
		if !ok {
			s.Gone = append(s.Gone, keptGone{p.id, int32(mfpb.Reason_REASON_HOST_GONE)})
			continue
		}
		k := keptPerson{ID: p.id, Kind: kindNames[p.kind], Technician: *p.technician, TechID: p.techID, Salt: r.Salt, Secret: r.Secret}
		for _, g := range p.grants {
			if g.state == mfpb.GrantState_GRANT_STATE_ALLOWED && askedTogether(g.name) {
				k.Grants = append(k.Grants, g.name)
			}
		}
		s.Back = append(s.Back, k)
	}
	return s
}

// askedTogether tells whether a grant may stand again by the one yes after a restart:
// not one that comes with a choice, or that is asked by the system as well.
func askedTogether(name string) bool {
	switch name {
	case grantFileIn, grantElevate, grantReconnect:
		return false
	}
	return true
}

// Return is a session that a host comes back to.
type Return struct {
	Server *url.URL
	Lang   string
	kept   keptSession
	people []*participant
	events []*mfpb.HostEvent
	gone   []*mfpb.ParticipantGone
}

// ErrReturn is returned by ReadReturn for what is no session that can be come back to.
var ErrReturn = errors.New("session: this is no session to come back to")

// ReadReturn reads what Config.OpenReturn was given to keep. It returns ErrReturn for
// what this engine did not write.
func ReadReturn(b []byte) (*Return, error) {
	bad := func(what string) (*Return, error) { return nil, fmt.Errorf("%w: %s", ErrReturn, what) }
	r := new(Return)
	k := &r.kept
	if err := json.Unmarshal(b, k); err != nil {
		return bad(err.Error())
	}
	server, err := ParseServer(k.Server)
	if err != nil {
		return bad("the server")
	}
	r.Server, r.Lang = server, ui.Load(k.Lang).Lang
	if !validSession(k.Session) || len(k.Token) != wire.ResumeSize || len(k.Signing) != ed25519.SeedSize || k.Since.IsZero() {
		return bad("the session")
	}
	if k.Ever < 1 || k.Ever > maxEver || len(k.Back) == 0 || len(k.Back) > maxParticipants || len(k.Gone) > maxEver {
		return bad("the participants")
	}
	if len(k.Events) > maxKept {
		return bad("the events")
	}
	if len(k.Ruled) > maxRuledOut || slices.Contains(k.Ruled, grantView) {
		return bad("the policy")
	}
	if k.Ticket != nil {
		k.Ticket = &ui.Ticket{Number: wire.Clean(k.Ticket.Number), Subject: wire.Clean(k.Ticket.Subject)}
	}
	k.Receipt, k.Abuse = receiptPath(k.Receipt), reportAddress(k.Abuse)
	public := ed25519.NewKeyFromSeed(k.Signing).Public().(ed25519.PublicKey)
	seen := map[string]bool{}
	for _, p := range k.Back {
		keys, err := pake.Returned(pake.Return{Salt: p.Salt, Secret: p.Secret}, public)
		kind := mfpb.ParticipantKind(0)
		for of, name := range kindNames {
			if name == p.Kind {
				kind = of
			}
		}
		if err != nil || !validParticipant(p.ID) || seen[p.ID] || kind == 0 || kind == observer || !slices.Contains(p.Grants, grantView) || len(p.Grants) > maxQueue {
			return bad("a participant")
		}
		seen[p.ID] = true
		t := p.Technician
		r.people = append(r.people, &participant{id: p.ID, kind: kind, keys: keys, techID: wire.Clean(p.TechID), met: true,
			technician: &ui.Technician{Name: wire.Clean(t.Name), Organisation: wire.Clean(t.Organisation), SignedIn: wire.Clean(t.SignedIn), SignedInAt: wire.Clean(t.SignedInAt)}})
	}
	for _, g := range k.Gone {
		if !validParticipant(g.ID) || seen[g.ID] {
			return bad("who is out")
		}
		seen[g.ID] = true
		r.gone = append(r.gone, &mfpb.ParticipantGone{Participant: g.ID, Reason: fromServer(mfpb.Reason(g.Reason))})
	}
	for i, b := range k.Events {
		e := new(mfpb.HostEvent)
		if err := proto.Unmarshal(b, e); err != nil || e.Seq != k.Acked+uint64(i)+1 {
			return bad("an event")
		}
		r.events = append(r.events, e)
	}
	return r, nil
}

// comesBack takes a session up where it was when the computer was restarted. Nothing
// is seen or touched before the person says yes again, to each participant. C85
func (h *Host) comesBack(r *Return) {
	k := &r.kept
	now := h.clock.Now()
	l := &live{
		h: h, id: k.Session, token: k.Token, since: k.Since, ticket: k.Ticket, signing: ed25519.NewKeyFromSeed(k.Signing),
		chat: mfpb.TalkRecord(k.Chat), receipt: k.Receipt, abuse: k.Abuse, ever: k.Ever, goneSince: r.gone, done: k.Done,
		bounds: bounds{k.Ruled, k.Ends},
	}
	for _, g := range r.gone {
		for i := range l.done.People {
			if a := &l.done.People[i]; a.ID == g.GetParticipant() && a.To.IsZero() {
				a.To = k.Away
			}
		}
	}
	l.journal = journal{seq: k.Acked + uint64(len(r.events)), acked: k.Acked, sent: k.Acked, kept: r.events}
	h.live = l
	l.start(r.people[0].technician)
	for _, p := range r.people {
		p.h, p.lost, p.grants = h, now, l.everyGrant()
		p.gate.question, p.gate.first = &l.asking, &l.first
		l.participants = append(l.participants, p)
	}
	if !slices.ContainsFunc(l.participants, func(p *participant) bool { return p.kind == lead }) {
		l.participants[0].kind = lead // as for the server, which hears who is out
	}
	l.note("reconnect.returned", "ok", map[string]any{"away_ms": max(0, now.Sub(k.Away).Milliseconds())}, nil)
	h.alarm("grace", maxGrace, func() { h.end(mfpb.Reason_REASON_SERVER_GONE) })
	for i, p := range r.people {
		l.awaitViewer(p, mfpb.Reason_REASON_VIEWER_GONE, returnTime)
		h.putAgain(p, p.grant(grantView), k.Back[i].Grants)
	}
	l.tellParticipants()
}

// allowAgain lets stand again what the person was asked about together with view.
func (h *Host) allowAgain(p *participant, names []string) {
	for _, name := range names {
		g := p.grant(name)
		if h.live.over || g == nil || name == grantView || !askedTogether(name) || !p.allowed(grantView) || h.live.rulesOut(name) {
			continue
		}
		to := mfpb.GrantState_GRANT_STATE_ALLOWED
		if name == grantControl {
			if p.trusted = h.live.desk != nil && h.live.desk.drivable(); !p.trusted {
				to = mfpb.GrantState_GRANT_STATE_DENIED
			}
		}
		h.settle(p, g, to, "person")
	}
}
