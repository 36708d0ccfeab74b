package capture

import (
	"time"

	"github.com/mainforte/mainforte/host/beat"
)

const (
	// frameTime is the least time from one look at a lively desktop to the next.
	frameTime = 16 * time.Millisecond
	// lively is how long a desktop is watched closely after it changed, or was
	// about to: what follows a key or a click mostly follows within that time.
	lively = 500 * time.Millisecond
	// glanceTime is the least time from one look at a part of a still desktop to
	// the next, which comes with a beat; glanceMost the most where such a look is dear.
	glanceTime = beat.Every - 10*time.Millisecond
	glanceMost = 2*beat.Every - 10*time.Millisecond
	// glanceShare is the share of one core that glances may take: one in 100.
	glanceShare = 100
	// glances is the number of parts.
	glances = 4
	// settle is what a program is given to answer to input before a look.
	settle = 3 * time.Millisecond
	// remeasure is how often the desktop's size is asked, and relist how often the
	// monitors in it are listed where that stays the same.
	remeasure = time.Second
	relist    = 5 * time.Second
	// veilTime is how often it is asked whether the desktop is veiled: with each beat,
	// so that a veil is noticed within 300 ms.
	veilTime = beat.Every
)

// pace decides when a desktop that tells nothing of its changes is looked at,
// and how much of it. A look costs milliseconds. A lively desktop gets as many
// as fit into half of one core, at most one a frameTime unless a nudge asks for
// one sooner; a still one gets glances, each at another strip of it, and one whole look whenever a glance or
// anything else says that it is no longer still.
type pace struct {
	stirred time.Time     // when it was last known to be lively
	looked  time.Time     // when the last look ended
	due     time.Time     // when a nudge wants the next look, or zero
	cost    time.Duration // of the last whole look
	glance  time.Duration // the cost of the last glance
	strip   int           // the next glance's
}

// stir tells that the desktop changed, or may have.
func (p *pace) stir(now time.Time) { p.stirred = now }

// nudge tells that the desktop is about to change: the next look is a whole one
// and comes soon.
func (p *pace) nudge(now time.Time) {
	p.stirred = now
	if at := now.Add(settle); p.due.IsZero() || at.Before(p.due) {
		p.due = at
	}
}

// wait is how long to wait for the next look.
func (p *pace) wait(now time.Time) time.Duration {
	at := p.due
	switch {
	case !at.IsZero():
	case p.isLively(now):
		at = p.looked.Add(frameTime - p.cost)
	default:
		at = p.looked.Add(min(max(glanceTime, glanceShare*p.glance), glanceMost))
	}
	if least := p.looked.Add(p.cost); at.Before(least) {
		at = least
	}
	return max(0, at.Sub(now))
}

func (p *pace) isLively(now time.Time) bool { return now.Sub(p.stirred) < lively }

// rows says which rows of a picture of h rows to look at now.
func (p *pace) rows(now time.Time, h int) (from, to int) {
	if p.isLively(now) || h < glances {
		return 0, h
	}
	from, to = h*p.strip/glances, h*(p.strip+1)/glances
	p.strip = (p.strip + 1) % glances
	return from, to
}

// done tells that a look has ended, and whether it was a whole one.
func (p *pace) done(began, now time.Time, whole bool) {
	p.looked, p.due = now, time.Time{}
	if whole {
		p.cost = now.Sub(began)
	} else {
		p.glance = now.Sub(began)
	}
}
