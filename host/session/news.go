package session

import (
	"net/netip"
	"sync"
	"time"

	"github.com/mainforte/mainforte/host/beat"
)

const (
	// lookTime is how often the computer's addresses are looked at in a session:
	// that leaves room for all that must follow within three seconds.
	lookTime = 2 * beat.Every
	// sureTime is after how long they are looked at although nothing was told: what a
	// system tells may not be all. With looks at every second beat that is each two
	// seconds, also where one comes a little early: a session that must find other
	// ways has a second left of its three.
	sureTime = 5*lookTime - lookTime/2
)

// surroundings is how this computer's addresses are watched.
type surroundings struct {
	addresses func() []netip.Addr  // sorted; nil: they cannot be read
	pause     func() time.Duration // until the next look
	news      *news
}

// here watches the system's addresses.
func here() surroundings {
	return surroundings{addresses, func() time.Duration { return beat.Wait(lookTime) }, theNews}
}

// given watches those that a test gives: its clock has no beat, and nothing is told of
// them.
func given(addresses func() []netip.Addr) surroundings {
	return surroundings{addresses, func() time.Duration { return lookTime }, always()}
}

// look returns the addresses, if they may be others than at the look before and can be
// read.
func (s surroundings) look(now time.Time) []netip.Addr {
	if !s.news.came(now) {
		return nil
	}
	list := s.addresses()
	if list != nil {
		s.news.seen(now)
	}
	return list
}

// news is what a system tells of a change of its addresses. It is news until a look at
// them was answered.
type news struct {
	told func() bool // since it was asked last; also where the system cannot tell

	mu     sync.Mutex
	open   bool // it was told, and no look was answered since
	looked time.Time
}

// always is the news of a system that tells nothing.
func always() *news { return &news{told: func() bool { return true }} }

func (n *news) came(now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.told() {
		n.open = true
	}
	return n.open || now.Sub(n.looked) >= sureTime
}

func (n *news) seen(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.open, n.looked = false, now
}
