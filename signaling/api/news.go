package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mainforte/mainforte/signaling/identity"
)

var errNotAStream = &problem{http.StatusNotAcceptable, "NOT_A_STREAM"}

// newsItem is what a console is told: that a ticket, or what else its kind says, is
// not as it was. What it is now the console asks for itself.
type newsItem struct {
	Ticket string `json:"ticket"`
	Kind   string `json:"kind"` // as in tickets.HookEvent, or newsSessions and so on
	Mine   bool   `json:"mine"` // it was given to the one who hears this

	user string // to whom it was given; empty: nobody here

	// Who alone hears it; all empty: everybody who listens.
	to   string        // user
	role identity.Role // of users

	among []string // users; empty: everybody
}

// Kinds of news that are of no ticket.
const (
	newsSessions = "sessions" // the sessions that are open are not as they were
	newsWatch    = "watch"    // somebody would like to watch a session that the hearer leads

	newsWaitingRoom = "waiting" // others wait than before

	newsWork         = "work"         // what is handed from one to another is not as it was
	newsAppointments = "appointments" // appointments are not as they were, or come near

	newsPeople = "people" // somebody says to be there, or to be away
)

// news carries items to the consoles that listen. A console keeps one line open
// and hears nothing while nothing happens: no page polls, and the page of a
// session is woken only by what concerns it.
type news struct {
	mu    sync.Mutex
	lines map[*newsLine]bool
	over  bool
}

type newsLine struct {
	items  chan newsItem
	signIn string
	user   string
	role   identity.Role
}

// Bounds of a line.
const (
	newsWaiting = 16 // items that a slow one may have waiting, before it is cut off and looks anew
	newsLines   = 6  // of one sign-in; browsers hold as many connections to a server
)

func newNews() *news { return &news{lines: map[*newsLine]bool{}} }

// join opens a line, or returns nil when the sign-in has enough of them or the
// server ends.
func (n *news) join(signIn, user string, role identity.Role) *newsLine {
	n.mu.Lock()
	defer n.mu.Unlock()
	of := 0
	for l := range n.lines {
		if l.signIn == signIn {
			of++
		}
	}
	if n.over || of >= newsLines {
		return nil
	}
	l := &newsLine{make(chan newsItem, newsWaiting), signIn, user, role}
	n.lines[l] = true
	return l
}

// listeners are the users who have a page open.
func (n *news) listeners() map[string]bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := map[string]bool{}
	for l := range n.lines {
		out[l.user] = true
	}
	return out
}

// leave closes a line; one that was cut off is left already.
func (n *news) leave(l *newsLine) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.lines[l] {
		delete(n.lines, l)
		close(l.items)
	}
}

// signedOut cuts the lines of sign-ins that ended: their pages come back, and learn
// it.
func (n *news) signedOut(ids []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for l := range n.lines {
		if slices.Contains(ids, l.signIn) {
			delete(n.lines, l)
			close(l.items)
		}
	}
}

func (n *news) tell(item newsItem) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for l := range n.lines {
		if item.to != "" && item.to != l.user || item.role != "" && item.role != l.role ||
			len(item.among) > 0 && !slices.Contains(item.among, l.user) {
			continue
		}
		item.Mine = item.user != "" && item.user == l.user
		select {
		case l.items <- item:
		default:
			delete(n.lines, l)
			close(l.items)
		}
	}
}

// close ends every line, so that the listener can stop.
func (n *news) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.over = true
	for l := range n.lines {
		delete(n.lines, l)
		close(l.items)
	}
}

// newsPattern is looked at without being used: a console that only listens is
// nobody at work, so it does not keep a sign-in alive.
const newsPattern = "GET /api/v1/news"

// newsBeat is how often a line that is silent is shown to be alive, to us and to
// what stands between, and whether who listens is still signed in.
const newsBeat = 30 * time.Second

// listen is the stream of server-sent events of a console.
func (s *Server) listen(w http.ResponseWriter, c *call) error {
	if !strings.Contains(c.Header.Get("Accept"), "text/event-stream") {
		return errNotAStream
	}
	l := s.news.join(c.in.ID, c.in.User.ID, c.in.User.Role)
	if l == nil {
		w.WriteHeader(http.StatusNoContent) // which tells an EventSource not to come back
		return nil
	}
	defer s.news.leave(l)
	return serveEvents(s, w, c, l.items, func(item newsItem, open bool) (text string, more bool) {
		if !open {
			return "", false
		}
		b, err := json.Marshal(item)
		return string(b), err == nil // only our own types
	}, func() bool {
		ok, err := s.house.users.Standing(c.Context(), c.in.ID)
		return ok || err != nil
	})
}
