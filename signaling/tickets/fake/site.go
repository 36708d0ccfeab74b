package fake

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"

	"github.com/mainforte/mainforte/signaling/tickets"
)

// Credentials of the accounts that every fake of a vendor's desk knows: one that
// works on tickets, one more that does, and one that may only read. Where a desk
// wants a name too, it is that of the account.
const (
	Worker = "worker-0123456789abcdef"
	Other  = "other-0123456789abcdef"
	Reader = "reader-0123456789abcdef"
)

// accounts by secret; the ids are those of users in the desk.
var accounts = map[string]account{Worker: {21, "worker", true}, Other: {22, "other", true}, Reader: {23, "reader", false}}

type account struct {
	id    int64
	name  string
	write bool
}

// Subject is a ticket of a vendor's desk.
type Subject struct {
	ID        int64
	Title     string
	Requester string
	French    bool // the requester reads French
	Closed    bool
	Priority  int64  // the desk's own number; 0: what it gives when nothing is said
	Due       string // as the desk writes it; empty: not set
}

// Written is a note as a vendor's desk stores it.
type Written struct {
	ID      int64
	Author  account
	Subject string // of desks whose notes have one
	Body    string // markup of the desk
	Public  bool
	Minutes int
	Files   []tickets.File
}

// Site is what all fakes of a vendor's desk keep.
type Site struct {
	mu      sync.Mutex
	tickets map[int64]*Subject
	notes   map[int64][]*Written
	last    int64
}

// Add makes a ticket known.
func (s *Site) Add(t Subject) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tickets == nil {
		s.tickets, s.notes = map[int64]*Subject{}, map[int64][]*Written{}
	}
	s.tickets[t.ID] = &t
}

// Rename changes what a ticket is about.
func (s *Site) Rename(id int64, title string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tickets[id].Title = title
}

// Close closes a ticket.
func (s *Site) Close(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tickets[id].Closed = true
}

// Say writes a note of somebody else.
func (s *Site) Say(id int64, body string) {
	s.write(id, &Written{Author: accounts[Other], Body: body})
}

// Notes are those of a ticket, in order.
func (s *Site) Notes(id int64) (list []Written) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.notes[id] {
		c := *n
		c.Files = slices.Clone(n.Files)
		list = append(list, c)
	}
	return list
}

func (s *Site) write(id int64, n *Written) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	n.ID = s.last
	s.notes[id] = append(s.notes[id], n)
}

// remove takes a note back.
func (s *Site) remove(ticket, id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes[ticket] = slices.DeleteFunc(s.notes[ticket], func(n *Written) bool { return n.ID == id })
}

func (s *Site) ticket(id int64) (Subject, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tickets[id]
	if !ok {
		return Subject{}, false
	}
	return *t, true
}

// all tickets, by id.
func (s *Site) all() (list []Subject) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tickets {
		list = append(list, *t)
	}
	slices.SortFunc(list, func(a, b Subject) int { return int(a.ID - b.ID) })
	return list
}

// answer writes JSON.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// strict reads a JSON body into v: its type must be told, and no field unknown.
func strict(r *http.Request, v any) bool {
	if r.Header.Get("Content-Type") != "application/json" {
		return false
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if d.Decode(v) != nil {
		return false
	}
	_, err := d.Token()
	return err == io.EOF
}

// known tells whether each parameter of a request is one of names, once.
func known(r *http.Request, names ...string) bool {
	for k, v := range r.URL.Query() {
		if len(v) != 1 || !slices.Contains(names, k) {
			return false
		}
	}
	return true
}

// sessions are tokens that a desk gave to accounts.
type sessions struct {
	mu    sync.Mutex
	live  map[string]account
	given int
}

func (s *sessions) open(who account) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live == nil {
		s.live = map[string]account{}
	}
	s.given++
	token := fmt.Sprintf("session-%032d", s.given)
	s.live[token] = who
	return token
}

func (s *sessions) who(token string) (account, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	who, ok := s.live[token]
	return who, ok
}

func (s *sessions) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.live)
}
