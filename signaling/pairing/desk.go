// Package pairing brings hosts that wait and viewers that claim together, relays
// what they say to each other, and keeps the session that comes of it.
//
// A [Desk] is the server's half of PROTOCOL.md §2. Hosts come by [Desk.ServeHost],
// viewers by [Desk.ServeViewer]; both are plain HTTP handlers. The desk chooses
// nameplates, counts claims, and passes messages only between the two sockets of
// one claim or one session. It never sees the secret and holds no key: what is
// sealed goes through as bytes.
//
// A session is opened in the log before either side hears of it, and ended there
// in one transaction with its row, a checkpoint and the note to its ticket. In
// between it survives the loss of any socket, and of the whole server, for the
// grace time ([Config].Grace): each side holds a token, the database its hash.
//
// A session may have several participants. Each pairs with the host under a
// nameplate that the host asked for in the session; what passes between host and
// viewers goes by the participant whose socket it came by.
//
// One mutex guards everything that waits, claims or lives; nothing blocks under
// it. What must be durable is done by the session's journal, in order, one
// goroutine for as long as there is work. Messages out are queued ([line]).
package pairing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/limit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// Log is the part of the audit log that pairing writes to.
type Log interface {
	AppendTx(tx store.Tx, events ...audit.Event) (first int64, err error)
	CheckpointTx(tx store.Tx) (audit.Checkpoint, error)
	// EventsTx reads a session's lines, with their sealed parts.
	EventsTx(tx store.Tx, session string) ([]audit.Record, error)
}

// SignIns is the part of identity that pairing asks.
type SignIns interface {
	// Alive tells whether a sign-in still stands, and counts as its use.
	Alive(ctx context.Context, id string) (bool, error)
	// MayControl tells whether it has proven who it is freshly enough to come to
	// control a host.
	MayControl(ctx context.Context, id string) (bool, error)
}

// Outbox is the part of tickets.Outbox that pairing writes to.
type Outbox interface {
	EnqueueTx(tx store.Tx, ticket string, n tickets.Note) error
	Wake()
}

// Limits of the desk. A field whose In is 0 takes its default.
type Limits struct {
	Account    limit.Every // failed claims of one account; 5 in 10 min
	AccountDay limit.Every // 30 in 24 h
	Address    limit.Every // of one address; 10 in 1 h
	All        limit.Every // of everybody: the breaker; 200 in 1 h
	Plates     limit.Every // nameplates given to one address; 4,000 in 1 h: HostsPerAddress of them, each a new one every 10 min
	Refusals   limit.Every // refused resumes of one address that are logged; 5 in 10 min

	Hosts           int // waiting in all; 15,000
	HostsPerAddress int // 500: a hospital behind one address
	ViewersPerUser  int // 16
}

// Config of a Desk. Store, Log, Tickets, Outbox and SignIns are required.
type Config struct {
	Store   store.Store
	Log     Log
	Tickets tickets.System
	Outbox  Outbox
	SignIns SignIns

	PublicHost   string // wire.ServerName form
	Organisation string
	Named        func() string // asked instead of Organisation at each line; nil: nobody changes it
	Software     string        // name and version, told in Hello
	// Policy says whether a session may go without a ticket, and who reads its note.
	// The zero value: it needs one, and the note is private.
	Policy tickets.Policy
	Wanted func() tickets.Policy // asked instead of Policy at each session; nil: nobody changes it
	// Bounds is what a session that begins now may be at most: grants that nobody gets,
	// and how long it is, 0: no limit. It is called with the desk's lock held: it must
	// neither block nor call the desk. nil: nothing is taken away.
	Bounds func() (ruledOut []string, life time.Duration)
	// Create makes a ticket of the embedded desk with an id, for a session that has
	// none and gets one: needed where the policy is tickets.TicketCreated.
	Create func(tx store.Tx, id, lang string) (tickets.Ticket, error)
	// Link is where a session's log can be read, for its note; nil: none.
	Link func(session string) string
	// Picture is where a picture that was attached to a session can be seen, for its
	// note; nil: nowhere.
	Picture func(session, attachment string) string
	// Receipt is the path of a session's receipt, with a token after #, for the host:
	// the person keeps it, and answers with it. nil: there is none.
	Receipt func(session string, opened time.Time) string
	// Changed is called when what Live tells is not as it was, with the desk's lock
	// held: it must neither block nor call the desk. nil: nobody wants to know.
	Changed func()
	// Abuse is where abuse is reported, an https or mailto address; may be empty.
	Abuse string

	// Relays gives one side of a session what it needs to use the relay: who is
	// RelayHost or the id of a participant, seen the address its line comes from.
	// ok is false where there is no relay for it. RelayDone ends what who may
	// relay; an empty who is the whole session. Both are called with the desk's
	// lock held: they must neither block nor call the desk. nil: there is no relay.
	Relays    func(session, who string, seen netip.Addr) (r *mfpb.Relay, ok bool)
	RelayDone func(session, who string)

	Now    func() time.Time
	Logger *slog.Logger
	Limits Limits
	Life   time.Duration // of a nameplate; 10 min
	// Grace is how long a session waits for a side, and both for the server: 10 min.
	Grace time.Duration
	// LogGrace is how long a session goes on whose log cannot be written: 30 s.
	LogGrace time.Duration
	Claim    time.Duration // from Claim to Paired; 20 s
	Closing  time.Duration // for the host's signed close after End; 3 s
	Tick     time.Duration // how often deadlines are looked at; 250 ms
}

// Desk is the meeting place. Make it with New, end it with Close.
type Desk struct {
	cfg Config

	account, accountDay, address, all, platesOf, refusals *limit.Keyed

	stop    chan struct{}
	loops   sync.WaitGroup // the desk's own goroutines
	lines   sync.WaitGroup // readers and writers of lines
	work    sync.WaitGroup // journals
	loose   *journal       // events outside sessions
	stopped context.Context
	cancel  context.CancelFunc

	mu       sync.Mutex
	closed   bool
	hosts    map[*host]struct{}
	viewers  map[*viewer]struct{}
	plates   map[string]*plate
	byLength map[int]int // plates, resting ones included
	claims   map[string]*claim
	sessions map[string]*session
	perAddr  map[string]int // host lines
	nextSlot int
}

// New makes a desk and takes up the sessions that a server before it left open:
// they wait for their sides as long as the grace time.
func New(ctx context.Context, cfg Config) (*Desk, error) {
	defaults(&cfg)
	d := &Desk{
		cfg:        cfg,
		account:    limit.New(cfg.Limits.Account, 20_000),
		accountDay: limit.New(cfg.Limits.AccountDay, 20_000),
		address:    limit.New(cfg.Limits.Address, 20_000),
		all:        limit.New(cfg.Limits.All, 1),
		platesOf:   limit.New(cfg.Limits.Plates, 20_000),
		refusals:   limit.New(cfg.Limits.Refusals, 20_000),
		stop:       make(chan struct{}),
		hosts:      map[*host]struct{}{},
		viewers:    map[*viewer]struct{}{},
		plates:     map[string]*plate{},
		byLength:   map[int]int{},
		claims:     map[string]*claim{},
		sessions:   map[string]*session{},
		perAddr:    map[string]int{},
	}
	d.stopped, d.cancel = context.WithCancel(context.Background())
	d.loose = &journal{desk: d}
	if err := d.takeUp(ctx); err != nil {
		return nil, fmt.Errorf("pairing: the sessions left open cannot be read: %w", err)
	}
	d.loops.Go(func() { d.every(cfg.Tick, d.sweep) })
	d.loops.Go(func() { d.every(pingEvery/pingSlots, d.pings()) })
	d.loops.Go(func() { d.every(time.Minute, d.checkSignIns) })
	return d, nil
}

func defaults(c *Config) {
	dur := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	dur(&c.Life, 10*time.Minute)
	dur(&c.Grace, 10*time.Minute)
	dur(&c.LogGrace, 30*time.Second)
	dur(&c.Claim, 20*time.Second)
	dur(&c.Closing, 3*time.Second)
	dur(&c.Tick, 250*time.Millisecond)
	lim := func(e *limit.Every, n int, in time.Duration) {
		if e.In == 0 {
			*e = limit.Every{N: n, In: in}
		}
	}
	lim(&c.Limits.Account, 5, 10*time.Minute)
	lim(&c.Limits.AccountDay, 30, 24*time.Hour)
	lim(&c.Limits.Address, 10, time.Hour)
	lim(&c.Limits.All, 200, time.Hour)
	lim(&c.Limits.Plates, 4000, time.Hour)
	lim(&c.Limits.Refusals, 5, 10*time.Minute)
	num := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	num(&c.Limits.Hosts, 15_000)
	num(&c.Limits.HostsPerAddress, 500)
	num(&c.Limits.ViewersPerUser, 16)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
}

// every runs f at an interval until the desk closes.
func (d *Desk) every(interval time.Duration, f func()) {
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		select {
		case <-d.stop:
			return
		case <-t.C:
			f()
		}
	}
}

// pingSlots spreads the pings of all lines over the interval.
const pingSlots = 25

func (d *Desk) pings() func() {
	now := 0
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		for h := range d.hosts {
			if h.slot == now {
				h.ping()
			}
		}
		for v := range d.viewers {
			if v.slot == now {
				v.ping()
			}
		}
		now = (now + 1) % pingSlots
	}
}

// ServeHost is /ws/host.
func (d *Desk) ServeHost(w http.ResponseWriter, r *http.Request) {
	// C1: a host is no browser. Whatever sends an Origin is a page, and no page
	// may speak as a host.
	if _, has := r.Header["Origin"]; has {
		http.Error(w, "hosts send no Origin", http.StatusForbidden)
		return
	}
	addr := limit.AddressKey(remote(r))
	d.mu.Lock()
	full := d.closed || len(d.hosts) >= d.cfg.Limits.Hosts
	crowded := d.perAddr[addr] >= d.cfg.Limits.HostsPerAddress
	if !full && !crowded {
		d.perAddr[addr]++
		d.lines.Add(1) // while the lock says that the desk is open
	}
	d.mu.Unlock()
	if full || crowded {
		busy(w, full)
		return
	}
	var h *host
	leave := func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if h != nil {
			delete(d.hosts, h)
		}
		if d.perAddr[addr]--; d.perAddr[addr] == 0 {
			delete(d.perAddr, addr)
		}
	}
	l, err := newLine(w, r, true, &d.lines)
	if err != nil { // it has answered
		leave()
		d.lines.Done()
		return
	}
	h = &host{line: l, desk: d}
	d.mu.Lock()
	d.hosts[h] = struct{}{}
	d.place(l)
	d.mu.Unlock()
	go func() {
		defer d.lines.Done()
		defer leave()
		defer h.gone()
		defer d.recovered("host", l)
		l.read(h.receive)
	}()
}

// ServeViewer is /ws/viewer for a technician who has signed in; that and the
// right to claim (C3) are checked by the caller. origin is the server's own, as
// the browser writes it: "https://help.example.com".
func (d *Desk) ServeViewer(w http.ResponseWriter, r *http.Request, in identity.SignIn, origin string) {
	// C2: CrossOriginProtection lets every GET pass and gorilla's own check lets
	// a missing Origin pass; here neither does.
	if got := r.Header["Origin"]; len(got) != 1 || got[0] != origin {
		http.Error(w, "the Origin is not this server's", http.StatusForbidden)
		return
	}
	d.mu.Lock()
	n := 0
	for v := range d.viewers {
		if v.in.User.ID == in.User.ID {
			n++
		}
	}
	full := d.closed
	crowded := n >= d.cfg.Limits.ViewersPerUser
	if !full && !crowded {
		d.lines.Add(1)
	}
	d.mu.Unlock()
	if full || crowded {
		busy(w, full)
		return
	}
	l, err := newLine(w, r, false, &d.lines)
	if err != nil {
		d.lines.Done()
		return
	}
	v := &viewer{line: l, desk: d, in: in}
	d.mu.Lock()
	d.viewers[v] = struct{}{}
	d.place(l)
	d.mu.Unlock()
	go func() {
		defer d.lines.Done()
		defer func() {
			d.mu.Lock()
			delete(d.viewers, v)
			d.mu.Unlock()
		}()
		defer v.gone()
		defer d.recovered("viewer", l)
		l.read(v.receive)
	}()
}

// place gives a line its second in the ping wheel, and turns away one that came
// while the desk was closing.
func (d *Desk) place(l *line) {
	l.slot = d.nextSlot
	d.nextSlot = (d.nextSlot + 1) % pingSlots
	if d.closed {
		l.close(closeAway)
	}
}

func busy(w http.ResponseWriter, full bool) {
	if full {
		w.Header().Set("Retry-After", "15")
		http.Error(w, "the server is full or stopping", http.StatusServiceUnavailable)
		return
	}
	http.Error(w, "too many connections", http.StatusTooManyRequests)
}

// recovered keeps a fault of ours in one line from ending the server. It must be
// deferred directly.
func (d *Desk) recovered(who string, l *line) {
	if p := recover(); p != nil {
		d.cfg.Logger.Error("a fault of ours ended a line", "side", who, "panic", fmt.Sprint(p))
		l.cut()
	}
}

// welcome answers Hello. It returns false if the line was ended instead.
func (d *Desk) welcome(l *line, hello *mfpb.Hello, kind mfpb.Kind) bool {
	if hello == nil || hello.Kind != kind {
		l.fault(mfpb.Reason_REASON_PROTOCOL)
		return false
	}
	if _, err := wire.Negotiate(hello); err != nil {
		l.fault(wire.Reason(err))
		return false
	}
	ours := wire.Versions(&mfpb.Hello{Kind: mfpb.Kind_KIND_SERVER, Software: d.cfg.Software})
	w := &mfpb.Welcome{
		PublicHost:   d.cfg.PublicHost,
		Organisation: d.organisation(),
		Now:          d.cfg.Now().UnixMilli(),
		GraceS:       uint32(d.cfg.Grace / time.Second),
	}
	if l.host {
		l.send(&mfpb.ServerToHost{Body: &mfpb.ServerToHost_Hello{Hello: ours}})
		l.send(&mfpb.ServerToHost{Body: &mfpb.ServerToHost_Welcome{Welcome: w}})
	} else {
		l.send(&mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_Hello{Hello: ours}})
		l.send(&mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_Welcome{Welcome: w}})
	}
	l.greet()
	return true
}

func (d *Desk) organisation() string {
	if d.cfg.Named != nil {
		return d.cfg.Named()
	}
	return d.cfg.Organisation
}

// sweep looks at every deadline.
func (d *Desk) sweep() {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.cfg.Now()
	d.sweepPlates(now)
	for _, c := range d.claims {
		if now.After(c.deadline) {
			d.drop(c, mfpb.Reason_REASON_HOST_GONE, mfpb.Reason_REASON_VIEWER_GONE)
		}
	}
	for _, s := range d.sessions {
		s.sweep(now)
	}
}

// SignedOut ends the lines of sign-ins that ended: their participants are out, and
// without anybody else who could help the session is over.
func (d *Desk) SignedOut(ids []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for v := range d.viewers {
		for _, id := range ids {
			if v.in.ID == id {
				v.signedOut()
			}
		}
	}
}

// checkSignIns finds the sign-ins that ended by themselves, and keeps those that
// are in use from ending for idleness.
func (d *Desk) checkSignIns() {
	d.mu.Lock()
	live := map[string]time.Time{}
	for v := range d.viewers {
		if v.session != nil {
			live[v.in.ID] = v.in.Expires
		}
	}
	now := d.cfg.Now()
	d.mu.Unlock()
	var over []string
	for id, expires := range live {
		ok, err := d.cfg.SignIns.Alive(d.stopped, id)
		if err != nil {
			// The database is away: that ends no session before its time.
			ok = now.Before(expires)
		}
		if !ok {
			over = append(over, id)
		}
	}
	d.SignedOut(over)
}

// Errors of End.
var (
	// ErrNoSession: there is no such session, or it is over.
	ErrNoSession = errors.New("pairing: no session of this id is open")
	// ErrNotYours: the technician does not lead this session.
	ErrNotYours = errors.New("pairing: the session is another technician's")
	// ErrNoWhy: who ends another's session says why.
	ErrNoWhy = errors.New("pairing: a session of somebody else's is ended with a reason")
)

// MaxWhy bounds the words with which a session is ended, in characters.
const MaxWhy = 500

// End ends a session for somebody who is not at its viewer: for a supervisor any
// session, for a technician the one that he leads. Nobody joins one this way. why
// is the reason in words, one line; it stands in the sealed part of the end in
// the log, and in the note. Only who leads the session owes nobody one.
// It returns ErrNoSession, ErrNotYours or ErrNoWhy, and nil once both sides were told.
func (d *Desk) End(id string, user identity.User, why string) error {
	why = wire.CleanLine(why, MaxWhy)

	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.sessions[id]
	if s == nil || s.state != open {
		return ErrNoSession
	}
	who := audit.Actor{Kind: string(user.Role), Ref: user.ID}
	switch lead := s.lead(nil); {
	case lead != nil && lead.tech.Ref == user.ID:
		s.why, s.endedBy = why, user.Name
		s.endAs(mfpb.Reason_REASON_TECHNICIAN_ENDED, byViewer, who)
	case user.Role == identity.Supervisor && why == "":
		return ErrNoWhy
	case user.Role == identity.Supervisor:
		s.why, s.endedBy = why, user.Name
		s.endAs(mfpb.Reason_REASON_SUPERVISOR_ENDED, bySupervisor, who)
	default:
		return ErrNotYours
	}
	return nil
}

// Waiting is how many hosts wait under a nameplate, Live how many sessions are
// open or waiting for a side to come back.
func (d *Desk) Waiting() (waiting, live int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.plates {
		if p.host != nil {
			waiting++
		}
	}
	return waiting, len(d.sessions)
}

// Close ends every line with "going away", finishes what is being written and
// returns when no goroutine of the desk is left, or with the error of ctx after
// cutting off what still runs. Sessions stay open in the database: host and
// viewer talk to each other directly, and come back within the grace time.
func (d *Desk) Close(ctx context.Context) error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	close(d.stop)
	for _, s := range d.sessions {
		if s.state == ending {
			s.finish()
		}
	}
	for h := range d.hosts {
		h.close(closeAway)
	}
	for v := range d.viewers {
		v.close(closeAway)
	}
	d.mu.Unlock()

	done := make(chan struct{})
	go func() {
		d.loops.Wait()
		d.lines.Wait() // before the work: a line that ends may still have something to write
		d.work.Wait()
		close(done)
	}()
	select {
	case <-done:
		d.cancel()
		return nil
	case <-ctx.Done():
	}
	d.cancel()
	d.mu.Lock()
	for h := range d.hosts {
		h.cut()
	}
	for v := range d.viewers {
		v.cut()
	}
	d.mu.Unlock()
	select {
	case <-done:
	case <-time.After(time.Second): // a database that hangs; the process ends without it
	}
	return errors.Join(errors.New("pairing: not everything ended by itself"), ctx.Err())
}

// policy of tickets, now.
func (d *Desk) policy() tickets.Policy {
	if d.cfg.Wanted != nil {
		return d.cfg.Wanted()
	}
	return d.cfg.Policy
}
