package supervise

import (
	"errors"
	"slices"
	"sync"
	"time"
)

// Ask is a supervisor's wish to watch a session. Who leads the session now hears of
// it, and nobody else.
type Ask struct {
	Session    string
	Supervisor string // user id
	Name       string // of the supervisor
	At         time.Time
	State      State

	told string // user id of the one who was told of it last
}

// State of an Ask.
type State string

// States of an Ask.
const (
	Asked    State = "asked"
	Invited  State = "invited"  // the technician made an invite code, and passes it on
	Declined State = "declined" // the technician would rather not now
)

// Leads is the user id of who leads a session now; open is false where it is over.
type Leads func(session string) (user string, open bool)

// Errors of wishes.
var (
	ErrMany = errors.New("supervise: too many would like to watch")
	ErrDone = errors.New("supervise: nobody waits for this answer")
)

// Bounds of wishes: one a session and supervisor, for as long as a code lives.
const (
	askLife = 10 * time.Minute
	maxAsks = 1000
)

// Asks are the wishes that stand, of sessions that are open. They are in memory only:
// whoever wants to watch after a restart asks again. Safe for concurrent use.
type Asks struct {
	change sync.Mutex // held while a change is written down; taken before mu
	mu     sync.Mutex
	list   []Ask // the oldest first
}

// Put takes a wish once log has written it down; one that the supervisor has of the
// session already is replaced. Errors: ErrMany, before anything is written down, and
// that of log, after which nothing has changed.
func (a *Asks) Put(ask Ask, leads Leads, log func() error) error {
	a.change.Lock()
	defer a.change.Unlock()
	same := func(o Ask) bool { return o.Session == ask.Session && o.Supervisor == ask.Supervisor }
	a.mu.Lock()
	a.tidy(ask.At, leads)
	full := len(a.list) >= maxAsks && !slices.ContainsFunc(a.list, same)
	a.mu.Unlock()
	if full {
		return ErrMany
	}
	if err := log(); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(slices.DeleteFunc(a.list, same), ask)
	return nil
}

// Answer is the technician's, to every wish that stands for the session, once log has
// written it down. It returns those that it was an answer to. Errors: ErrDone, before
// anything is written down, and that of log, after which nothing has changed.
func (a *Asks) Answer(session, technician string, answer State, now time.Time, leads Leads, log func() error) (to []Ask, err error) {
	a.change.Lock()
	defer a.change.Unlock()
	waits := func(o Ask) bool { return o.Session == session && o.State == Asked }
	a.mu.Lock()
	a.tidy(now, leads)
	lead, _ := leads(session)
	some := lead == technician && slices.ContainsFunc(a.list, waits)
	a.mu.Unlock()
	if !some {
		return nil, ErrDone
	}
	if err := log(); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.list {
		if o := &a.list[i]; waits(*o) {
			o.State = answer
			to = append(to, *o)
		}
	}
	return to, nil
}

// Of are the wishes that concern a user: those that he has, and those that he is
// asked to answer.
func (a *Asks) Of(user string, now time.Time, leads Leads) (mine, forMe []Ask) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tidy(now, leads)
	for _, o := range a.list {
		if o.Supervisor == user {
			mine = append(mine, o)
		}
		if lead, _ := leads(o.Session); lead == user && o.State == Asked {
			forMe = append(forMe, o)
		}
	}
	return mine, forMe
}

// Tell returns who has to be told of a wish now, each once: who leads a session and
// was not told yet, for the wish is new or somebody else led it until now.
func (a *Asks) Tell(now time.Time, leads Leads) (users []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tidy(now, leads)
	for i := range a.list {
		o := &a.list[i]
		lead, _ := leads(o.Session)
		if o.State != Asked || lead == "" || lead == o.told {
			continue
		}
		o.told = lead
		if !slices.Contains(users, lead) {
			users = append(users, lead)
		}
	}
	return users
}

// tidy drops what is too old, and what is of a session that is over. The lock is held.
func (a *Asks) tidy(now time.Time, leads Leads) {
	a.list = slices.DeleteFunc(a.list, func(o Ask) bool {
		_, open := leads(o.Session)
		return !open || now.Sub(o.At) > askLife
	})
}
