package pairing

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// plate is a nameplate: in use while a host waits under it, then resting.
type plate struct {
	number  string
	host    *host     // nil: resting
	until   time.Time // end of its life, or of its rest
	expired bool      // rests because its time was over
	claim   *claim    // the open one

	session *session             // that is joined under it; nil: one will be opened
	invite  mfpb.ParticipantKind // as what
}

const (
	shortest = 3
	longest  = 9
)

var errFull = errors.New("pairing: no nameplate is free")

// hang gives a host a free nameplate: random, and as short as it can be while at
// most half of the numbers of that length are taken. No number begins with 0:
// people drop it when they read aloud.
func (d *Desk) hang(h *host, now time.Time) (*plate, error) {
	for n := shortest; n <= longest; n++ {
		first := pow10(n - 1)
		room := 9 * first
		if int64(d.byLength[n]) >= room/2 {
			continue
		}
		for {
			r, err := rand.Int(rand.Reader, big.NewInt(room))
			if err != nil {
				return nil, fmt.Errorf("pairing: %w", err)
			}
			number := fmt.Sprint(first + r.Int64())
			if d.plates[number] != nil {
				continue // half are free: two draws on average
			}
			p := &plate{number: number, host: h, until: now.Add(d.cfg.Life)}
			d.plates[number] = p
			d.byLength[n]++
			h.plate = p
			return p, nil
		}
	}
	return nil, errFull
}

func pow10(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}

// takeDown lays a host's plate to rest, if it has one; the claim that is open on
// it ends with that reason; one that is none counts as the end of its time.
func (d *Desk) takeDown(h *host, why mfpb.Reason) {
	if h.open != nil {
		told := why
		if _, known := mfpb.Reason_name[int32(why)]; !known || why == 0 {
			told = mfpb.Reason_REASON_CODE_EXPIRED
		}
		d.drop(h.open, told, 0)
	}
	d.retire(h.plate, d.cfg.Now(), why == mfpb.Reason_REASON_CODE_EXPIRED)
}

// retire lays a plate to rest for one lifetime (C7): somebody may still read the
// old code aloud when the number is another host's.
func (d *Desk) retire(p *plate, now time.Time, expired bool) {
	if p == nil || p.host == nil {
		return
	}
	p.host.plate = nil
	p.host, p.expired = nil, expired
	p.until = now.Add(d.cfg.Life)
}

func (d *Desk) sweepPlates(now time.Time) {
	for number, p := range d.plates {
		switch {
		case now.Before(p.until):
		case p.host == nil:
			delete(d.plates, number)
			d.byLength[len(number)]--
		case p.claim == nil: // an open claim is finished first; it takes seconds
			d.retire(p, now, true)
		}
	}
}
