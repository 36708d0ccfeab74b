// Package limit bounds how often somebody may try something: sign in, claim a
// nameplate, ask for one.
//
// A [Keyed] holds a token bucket for each key (an account, an address) and
// forgets the keys that were used least recently, so that no stranger can make
// it grow. Take before the attempt, Refund when it turned out to be none: taking
// afterwards would let many attempts run at once on the last token.
//
// [AddressKey] is how an address becomes a key: IPv6 callers own a whole /64.
package limit

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Every is n attempts in d; up to n at once. N of 0 means no limit.
type Every struct {
	N  int
	In time.Duration
}

// Keyed is a bounded set of token buckets. It is safe for concurrent use.
type Keyed struct {
	every Every
	max   int

	mu     sync.Mutex
	recent *list.List // of *bucket, most recently used first
	byKey  map[string]*list.Element
}

type bucket struct {
	key string
	lim *rate.Limiter
}

// New makes a Keyed that remembers at most max keys.
func New(every Every, max int) *Keyed {
	return &Keyed{every: every, max: max, recent: list.New(), byKey: map[string]*list.Element{}}
}

// Take uses one attempt of key, or returns false if none is left at now.
func (k *Keyed) Take(key string, now time.Time) bool {
	if k.every.N == 0 {
		return true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.bucket(key).lim.AllowN(now, 1)
}

// Refund gives one attempt of key back. A bucket never holds more than it began
// with.
func (k *Keyed) Refund(key string, now time.Time) {
	if k.every.N == 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	// rate.Limiter has no way to return a token that was used; taking a
	// negative number is one, and the burst caps it.
	k.bucket(key).lim.AllowN(now, -1)
}

// Wait says how long key must wait for its next attempt, zero if not at all.
func (k *Keyed) Wait(key string, now time.Time) time.Duration {
	if k.every.N == 0 {
		return 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	lim := k.bucket(key).lim
	missing := 1 - lim.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return time.Duration(missing / float64(lim.Limit()) * float64(time.Second))
}

// bucket is called with the lock held.
func (k *Keyed) bucket(key string) *bucket {
	if e, ok := k.byKey[key]; ok {
		k.recent.MoveToFront(e)
		return e.Value.(*bucket)
	}
	if k.recent.Len() >= k.max {
		old := k.recent.Remove(k.recent.Back()).(*bucket)
		delete(k.byKey, old.key)
	}
	b := &bucket{key: key, lim: rate.NewLimiter(rate.Limit(float64(k.every.N)/k.every.In.Seconds()), k.every.N)}
	k.byKey[key] = k.recent.PushFront(b)
	return b
}

// AddressKey is the key of a remote address: an IPv4 address, the /64 of an
// IPv6 one. An IPv4 address written as IPv6 is the same caller.
func AddressKey(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if !a.Is6() {
		return a.String()
	}
	p, err := a.Prefix(64)
	if err != nil {
		return a.String() // cannot be: 64 fits an IPv6 address
	}
	return p.String()
}
