// Package waiting is the room in which people wait who have no technician on the
// phone yet.
//
// Who waits says a name, a sentence and perhaps a telephone number, and holds a token
// that nobody else knows: it shows the place in the queue and who comes, and ends the
// waiting. It gives access to nothing, to nobody: a technician who takes somebody has
// to be read the code of that person's app, as ever (DESIGN §4).
//
// The room is in memory. What was said in it is gone with whoever said it, or becomes
// a ticket when a technician takes it; a server that starts anew has an empty room,
// and its pages say so. Everything that strangers can do is bounded ([Limits]).
package waiting

import (
	"crypto/rand"
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/signaling/limit"
)

// Bounds of what somebody says, in characters; more is cut.
const (
	MaxName    = 80
	MaxTrouble = 250
	MaxPhone   = 40
)

// Limits of a room. A field that is 0 takes its default.
type Limits struct {
	All        int           // waiting at once; 200
	AtAddress  int           // of them from one address; 20: an office behind one
	Address    limit.Every   // who come from one address; 30 in 10 min
	Everywhere limit.Every   // who come at all; 600 in 1 h: each is a line of the log
	Unseen     time.Duration // after which somebody whose page is not there any more has gone; 3 min
	Life       time.Duration // of waiting; 2 h
	Taken      time.Duration // for which who was taken can still read by whom; 30 min
}

// Errors of a room.
var (
	ErrSaid    = errors.New("waiting: a name and a sentence are needed")
	ErrPhone   = errors.New("waiting: that is no telephone number")
	ErrFull    = errors.New("waiting: the room is full")
	ErrLimited = errors.New("waiting: too many came from there")
	ErrGone    = errors.New("waiting: nobody of this id waits")
)

// Person is somebody who waits. Texts are hostile.
type Person struct {
	ID      string // by which technicians know them
	Name    string
	Trouble string // one line
	Phone   string // may be empty
	Lang    string // "en" or "fr"
	Ticket  string // number of the ticket whose link they came by; may be empty
	Since   time.Time

	Appointment string // id of the appointment that they came for; may be empty
}

// View is what somebody who waits sees.
type View struct {
	Person
	Place   int    // from 1; 0: they were taken
	Waiting int    // how many wait
	By      string // name of the technician who took them; empty while they wait
}

// Gone is somebody who waits no more and was not taken.
type Gone struct {
	Person
	Reason string // "LEFT", "UNSEEN", "TOO_LONG"
	Waited time.Duration
}

// Room is safe for concurrent use.
type Room struct {
	limits              Limits
	address, everywhere *limit.Keyed

	mu   sync.Mutex
	list []*entry // by Since
}

type entry struct {
	Person
	token  string
	addr   string
	seen   time.Time
	comes  bool // Come is not written down yet: nobody is told
	taking bool // Take is not
	by     string
	taken  time.Time
	line   chan struct{} // told when the view changes; nil: nobody listens
	viewed View          // as it was told last
}

// New makes an empty room.
func New(l Limits) *Room {
	num := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	dur := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	lim := func(e *limit.Every, n int, in time.Duration) {
		if e.In == 0 {
			*e = limit.Every{N: n, In: in}
		}
	}
	num(&l.All, 200)
	num(&l.AtAddress, 20)
	lim(&l.Address, 30, 10*time.Minute)
	lim(&l.Everywhere, 600, time.Hour)
	dur(&l.Unseen, 3*time.Minute)
	dur(&l.Life, 2*time.Hour)
	dur(&l.Taken, 30*time.Minute)
	return &Room{limits: l, address: limit.New(l.Address, 20_000), everywhere: limit.New(l.Everywhere, 1)}
}

var phone = regexp.MustCompile(`^[0-9+()./ #x-]*$`)

// Clean makes what somebody says fit to be shown, and refuses what says nothing:
// ErrSaid, ErrPhone.
func Clean(p Person) (Person, error) {
	p.Name, p.Trouble = wire.CleanLine(p.Name, MaxName), wire.CleanLine(p.Trouble, MaxTrouble)
	p.Phone, p.Ticket = wire.CleanLine(p.Phone, MaxPhone), wire.Clean(p.Ticket)
	if p.Lang != "fr" {
		p.Lang = "en"
	}
	switch {
	case p.Name == "" || p.Trouble == "":
		return p, ErrSaid
	case !phone.MatchString(p.Phone) || p.Phone != "" && !strings.ContainsAny(p.Phone, "0123456789"):
		return p, ErrPhone
	}
	return p, nil
}

// Come takes somebody to the door who said p, which Clean passed; ID and Since are set
// here. It returns the token and how many wait then. They are in the room, and others
// are told, once [Room.Admit] says that it was written down; [Room.Forget] sends them
// away. Errors: ErrLimited, ErrFull.
func (r *Room) Come(from netip.Addr, p Person, now time.Time) (Person, string, int, error) {
	key := limit.AddressKey(from)
	r.mu.Lock()
	defer r.mu.Unlock()
	waiting, near := 0, 0
	for _, e := range r.list {
		if e.by != "" {
			continue
		}
		waiting++ // also who is at the door
		if e.addr == key {
			near++
		}
	}
	switch {
	case near >= r.limits.AtAddress || !r.address.Take(key, now):
		return Person{}, "", 0, ErrLimited
	// Those who were taken are still read about; they may not fill the memory either.
	case waiting >= r.limits.All || len(r.list) >= 4*r.limits.All || !r.everywhere.Take("", now):
		return Person{}, "", 0, ErrFull
	}
	p.ID, p.Since = ulid.Make().String(), now
	e := &entry{Person: p, token: rand.Text(), addr: key, seen: now, comes: true}
	r.list = append(r.list, e)
	return p, e.token, waiting + 1, nil
}

// Admit lets somebody in who came: the log has it.
func (r *Room) Admit(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.list {
		if e.ID == id {
			e.comes = false
			r.tell()
			return
		}
	}
}

// See is what the holder of a token sees; it keeps them in the room.
func (r *Room) See(token string, now time.Time) (View, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.holder(token)
	if e == nil {
		return View{}, false
	}
	e.seen = now
	return r.view(e), true
}

// Speak changes the language in which the holder of a token reads.
func (r *Room) Speak(token, lang string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.holder(token); e != nil && (lang == "en" || lang == "fr") {
		e.Lang = lang
	}
}

// Listen tells the holder of a token when the view changes. A new listener takes the
// place of the one before, whose channel is closed. stop ends it.
func (r *Room) Listen(token string) (changes <-chan struct{}, stop func(), ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.holder(token)
	if e == nil {
		return nil, nil, false
	}
	if e.line != nil {
		close(e.line)
	}
	line := make(chan struct{}, 1)
	e.line, e.viewed = line, r.view(e)
	return line, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if e.line == line {
			e.line = nil
			close(line)
		}
	}, true
}

// Leave is the holder's own going; ok is false for who is not there, or was taken.
func (r *Room) Leave(token string, now time.Time) (Gone, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.holder(token)
	if e == nil {
		return Gone{}, false
	}
	r.drop(e)
	return Gone{e.Person, "LEFT", now.Sub(e.Since)}, e.by == "" && !e.taking
}

// Forget takes somebody out as if they had never come: the log did not take it.
func (r *Room) Forget(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.list {
		if e.ID == id {
			r.drop(e)
			return
		}
	}
}

// List is who waits, the longest first.
func (r *Room) List() []Person {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := []Person{}
	for _, e := range r.list {
		if e.waits() {
			out = append(out, e.Person)
		}
	}
	return out
}

// Take gives somebody who waits to a technician of that name, once. They wait on, and
// nobody is told, until done says that it was written down; if it was not, they still
// wait. done must be called.
func (r *Room) Take(id, technician string, now time.Time) (p Person, done func(written bool), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.list {
		if e.ID != id || !e.waits() || e.taking {
			continue
		}
		e.taking = true
		return e.Person, func(written bool) {
			r.mu.Lock()
			defer r.mu.Unlock()
			e.taking = false
			if written {
				e.by, e.taken = technician, now
				r.tell()
			}
		}, nil
	}
	return Person{}, nil, ErrGone
}

// Sweep takes out who is not seen any more, and who waited too long.
func (r *Room) Sweep(now time.Time) (out []Gone) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range slices.Clone(r.list) {
		reason := ""
		switch {
		case e.by != "" && now.Sub(e.taken) > r.limits.Taken:
			r.drop(e)
			continue
		case !e.waits() || e.taking:
			continue
		case now.Sub(e.seen) > r.limits.Unseen:
			reason = "UNSEEN"
		case now.Sub(e.Since) > r.limits.Life:
			reason = "TOO_LONG"
		default:
			continue
		}
		r.drop(e)
		out = append(out, Gone{e.Person, reason, now.Sub(e.Since)})
	}
	return out
}

// Close ends every line, so that the listener can stop.
func (r *Room) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.list {
		if e.line != nil {
			close(e.line)
			e.line = nil
		}
	}
}

// waits tells who is in the room and was not taken. The lock is held.
func (e *entry) waits() bool { return e.by == "" && !e.comes }

// holder finds who holds a token. The lock is held.
func (r *Room) holder(token string) *entry {
	for _, e := range r.list {
		if e.token == token {
			return e
		}
	}
	return nil
}

// drop takes an entry out and tells the others. The lock is held.
func (r *Room) drop(e *entry) {
	r.list = slices.DeleteFunc(r.list, func(o *entry) bool { return o == e })
	if e.line != nil {
		close(e.line)
		e.line = nil
	}
	r.tell()
}

// view of one entry. The lock is held.
func (r *Room) view(e *entry) View {
	v := View{Person: e.Person, By: e.by}
	for _, o := range r.list {
		if !o.waits() {
			continue
		}
		v.Waiting++
		if o == e {
			v.Place = v.Waiting
		}
	}
	return v
}

// tell pokes those whose view is not as it was. The lock is held.
func (r *Room) tell() {
	for _, e := range r.list {
		if e.line == nil {
			continue
		}
		if v := r.view(e); v != e.viewed {
			e.viewed = v
			select {
			case e.line <- struct{}{}:
			default: // it is going to look already
			}
		}
	}
}
