package supervise

import (
	"slices"
	"sync"
	"time"
)

// Ask is a supervisor's wish to watch a session.
type Ask struct {
	Session    string
	Supervisor string // user id
	Name       string // of the supervisor
	Technician string // user id of who leads, and alone hears of it
	At         time.Time
	State      State
}

// State of an Ask.
type State string

// States of an Ask.
const (
	Asked    State = "asked"
	Invited  State = "invited"  // the technician made an invite code, and passes it on
	Declined State = "declined" // the technician would rather not now
)

// Bounds of wishes: one a session and supervisor, for as long as a code lives.
const (
	askLife = 10 * time.Minute
	maxAsks = 1000
)

// Asks are the wishes that stand. They are in memory only: whoever wants to watch
// after a restart asks again. Safe for concurrent use.
type Asks struct {
	mu   sync.Mutex
	list []Ask // the oldest first
}

// Put takes a wish; one that the supervisor has of the session already is replaced.
// It is false if there are too many.
func (a *Asks) Put(ask Ask) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tidy(ask.At)
	a.list = slices.DeleteFunc(a.list, func(o Ask) bool { return o.Session == ask.Session && o.Supervisor == ask.Supervisor })
	if len(a.list) >= maxAsks {
		return false
	}
	a.list = append(a.list, ask)
	return true
}

// Answer is the technician's, to every wish that stands for the session. It returns
// those that it was an answer to.
func (a *Asks) Answer(session, technician string, answer State, now time.Time) (to []Ask) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tidy(now)
	for i := range a.list {
		if o := &a.list[i]; o.Session == session && o.Technician == technician && o.State == Asked {
			o.State = answer
			to = append(to, *o)
		}
	}
	return to
}

// Of are the wishes that concern a user: those that he has, and those that he is
// asked to answer.
func (a *Asks) Of(user string, now time.Time) (mine, forMe []Ask) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tidy(now)
	for _, o := range a.list {
		if o.Supervisor == user {
			mine = append(mine, o)
		}
		if o.Technician == user && o.State == Asked {
			forMe = append(forMe, o)
		}
	}
	return mine, forMe
}

// tidy drops what is too old. The lock is held.
func (a *Asks) tidy(now time.Time) {
	a.list = slices.DeleteFunc(a.list, func(o Ask) bool { return now.Sub(o.At) > askLife })
}
