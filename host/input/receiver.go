package input

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// Channel is the data channel that a message came by.
type Channel uint8

const (
	In     Channel = iota // "in": reliable, ordered
	InFast                // "in-fast": unordered, no retransmits
)

func (c Channel) String() string {
	if c == In {
		return wire.LabelInput
	}
	return wire.LabelInputFast
}

// Sentinels of the Receiver; each has a reason for [wire.Reason].
var (
	// ErrForbidden: an event of this kind may not come by this channel.
	ErrForbidden error = wire.NewError(mfpb.Reason_REASON_PROTOCOL, "input: event on the wrong channel")
	// ErrOutOfOrder: the reliable channel skipped or repeated a number.
	ErrOutOfOrder error = wire.NewError(mfpb.Reason_REASON_PROTOCOL, "input: event out of order")
	// ErrTooFarAhead: more events wait for a missing one than anybody types.
	ErrTooFarAhead error = wire.NewError(mfpb.Reason_REASON_PROTOCOL, "input: too many events wait for a missing one")
	// ErrClosed: the Receiver was closed.
	ErrClosed = errors.New("input: receiver closed")
)

const (
	window       = 4096                  // events that may wait for a missing one
	inboxSize    = 256                   // messages between the channels and the hands
	releaseAfter = time.Second           // C35
	heldCheck    = 50 * time.Millisecond // how often a held key's focus is looked at
	noticeEvery  = time.Second           // at most one notice of a code in this time
	textChunk    = 16                    // characters typed between two looks at Gate and Guard
	buttonCount  = int(Forward) + 1
)

// Counts is what the log may know of a technician's input: how much, never what.
type Counts struct {
	Keys       int64 // keys pressed
	Clicks     int64 // buttons pressed
	Wheel      int64 // wheel events
	Characters int64 // characters that arrived as text
	Refused    int64 // events that Gate or Guard refused
}

// Receiver applies the input events of one connection. Its methods may be
// called from any goroutine; one goroutine of its own calls the Injector.
type Receiver struct {
	inj    Injector
	guard  Guard
	gate   Gate
	notify func(mfpb.NoticeCode)

	inbox chan arrival
	calls chan func()
	stop  chan struct{} // closed by Close or the first failure
	done  chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex
	err     error // why it stopped
	stopped bool
	ack     func(msg []byte)
	counts  Counts

	// The rest belongs to the goroutine.
	order     order
	motion    uint32 // the newest motion applied or overtaken
	pending   *wire.InputEvent
	x, y      int      // where the pointer was sent last
	keys      []uint16 // usages that are down, in the order they were pressed
	buttons   [buttonCount]bool
	pressX    [buttonCount]int // where each button went down
	pressY    [buttonCount]int
	told      map[mfpb.NoticeCode]time.Time
	refusing  bool // a refusal was told and not yet taken back
	lastAcked []byte
}

type arrival struct {
	channel Channel
	event   wire.InputEvent
}

// NewReceiver starts a Receiver for one pair of channels; a new connection needs
// a new one. notify tells the technician something and runs on the Receiver's
// goroutine, as does gate: neither may call back into the Receiver or block. The
// Injector stays the caller's; while the Receiver lives nobody else may call it.
func NewReceiver(inj Injector, guard Guard, gate Gate, notify func(mfpb.NoticeCode)) *Receiver {
	r := &Receiver{
		inj: inj, guard: guard, gate: gate, notify: notify,
		inbox: make(chan arrival, inboxSize),
		calls: make(chan func()),
		stop:  make(chan struct{}),
		done:  make(chan struct{}),
		order: order{next: 1, waiting: make(map[uint32]wire.InputEvent)},
		told:  make(map[mfpb.NoticeCode]time.Time),
	}
	go r.run()
	return r
}

// OnAck sets what sends an acknowledgement: send gets the whole message for
// in-fast and may not keep it. Set it before the first Handle.
func (r *Receiver) OnAck(send func(msg []byte)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ack = send
}

// Handle takes one message. An error ends the session with [wire.Reason] of it;
// after one, every call returns it. On In it waits while the hands are busy, so
// that the channel's own flow control holds the technician back; on InFast it
// drops what does not fit, as a network would.
func (r *Receiver) Handle(channel Channel, msg []byte) error {
	var ev wire.InputEvent
	err := wire.ParseInput(msg, &ev)
	if errors.Is(err, wire.ErrSkip) {
		return nil
	}
	if err == nil && !mayCome(channel, ev.Kind) {
		err = ErrForbidden
	}
	if err != nil {
		r.fail(fmt.Errorf("input on %s: %w", channel, err))
		return r.Err()
	}
	select {
	case <-r.stop:
		return r.Err()
	default:
	}
	if channel == InFast {
		select {
		case r.inbox <- arrival{channel, ev}:
		case <-r.stop:
			return r.Err()
		default:
		}
		return nil
	}
	select {
	case r.inbox <- arrival{channel, ev}:
		return nil
	case <-r.stop:
		return r.Err()
	}
}

// mayCome tells which kinds come by which channel, PROTOCOL.md §1.9.
func mayCome(channel Channel, kind wire.InputKind) bool {
	switch kind {
	case wire.InputMotion:
		return channel == InFast
	case wire.InputText:
		return channel == In
	case wire.InputAck:
		return false
	}
	return true
}

// ReleaseAll lets go of everything that is down (C34) and returns when it is
// done. It is also a barrier: what is applied after it was asked of the Gate
// after it was called. So on revoke and before a question is shown: first close
// the gate, then call ReleaseAll, holding no lock that the gate takes.
func (r *Receiver) ReleaseAll() { r.call(r.letGo) }

// Prepare calls the Injector's Prepare: when control is granted.
func (r *Receiver) Prepare() error {
	err := ErrClosed
	r.call(func() { err = r.inj.Prepare() })
	return err
}

// Restore lets everything go and calls the Injector's Restore: when control ends.
func (r *Receiver) Restore() error {
	err := ErrClosed
	r.call(func() { r.letGo(); err = r.inj.Restore() })
	return err
}

// call runs f on the goroutine and waits for it, unless that has ended.
func (r *Receiver) call(f func()) {
	ran := make(chan struct{})
	select {
	case r.calls <- func() { f(); close(ran) }:
		<-ran
	case <-r.done:
	}
}

// Counts so far.
func (r *Receiver) Counts() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts
}

// Done is closed when the Receiver has stopped and everything is released.
func (r *Receiver) Done() <-chan struct{} { return r.done }

// Err is why it stopped: nil while it runs, ErrClosed after Close, else what
// ends the session.
func (r *Receiver) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Close releases everything that is down and waits for the goroutine. The
// Injector stays open.
func (r *Receiver) Close() error {
	r.fail(ErrClosed)
	<-r.done
	return nil
}

// fail stops the Receiver; the first reason stands.
func (r *Receiver) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return
	}
	r.stopped, r.err = true, err
	close(r.stop)
}

func (r *Receiver) count(add func(*Counts)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	add(&r.counts)
}

func (r *Receiver) run() {
	defer close(r.done)
	defer r.letGo()
	watchdog := time.NewTimer(releaseAfter)
	defer watchdog.Stop()
	held := time.NewTimer(heldCheck)
	defer held.Stop()
	for {
		if r.pending != nil && len(r.inbox) == 0 {
			ev := r.pending
			r.pending = nil
			r.check(r.applyMotion(ev))
		}
		select {
		case <-r.stop:
			return
		default:
		}
		select {
		case <-r.stop:
			return
		case f := <-r.calls:
			f()
		case a := <-r.inbox:
			r.check(r.take(a))
			watchdog.Reset(releaseAfter)
			if len(r.keys) > 0 {
				held.Reset(heldCheck)
			}
		case <-watchdog.C:
			r.letGo() // C35: nobody holds what a silent connection left down
		case <-held.C:
			r.checkHeld()
			if len(r.keys) > 0 {
				held.Reset(heldCheck)
			}
		}
	}
}

// check ends the Receiver on an error that is more than one key that cannot be.
func (r *Receiver) check(err error) {
	switch {
	case errors.Is(err, ErrCannotType):
		r.tell(mfpb.NoticeCode_NOTICE_CODE_KEY_NOT_TYPED)
	case errors.Is(err, ErrReserved):
		r.tell(mfpb.NoticeCode_NOTICE_CODE_KEY_RESERVED)
	case err != nil:
		r.fail(err)
	}
}

// take sorts one message in.
func (r *Receiver) take(a arrival) error {
	switch a.event.Kind {
	case wire.InputAlive:
		return nil // it came: the watchdog heard it
	case wire.InputMotion:
		if a.event.Seq > r.motion { // an older one never moves the pointer back
			r.motion = a.event.Seq
			r.pending = &a.event
		}
		return nil
	}
	if err := r.order.add(a.channel, a.event); err != nil {
		return err
	}
	for ev, ok := r.order.pop(); ok; ev, ok = r.order.pop() {
		if err := r.apply(ev); errors.Is(err, ErrCannotType) || errors.Is(err, ErrReserved) {
			r.check(err)
		} else if err != nil {
			return err
		}
	}
	r.sendAck()
	return nil
}

// sendAck says how far events are done. A repeated event is answered too: the
// acknowledgement before may have been lost.
func (r *Receiver) sendAck() {
	r.mu.Lock()
	send := r.ack
	r.mu.Unlock()
	if send != nil {
		r.lastAcked = wire.AppendInputAck(r.lastAcked[:0], r.order.next-1)
		send(r.lastAcked)
	}
}

// tell sends a notice unless the same was sent a moment ago; it tells whether.
func (r *Receiver) tell(code mfpb.NoticeCode) bool {
	if code == mfpb.NoticeCode_NOTICE_CODE_UNSPECIFIED {
		return false
	}
	now := time.Now()
	if last, ok := r.told[code]; ok && now.Sub(last) < noticeEvery {
		return false
	}
	r.told[code] = now
	r.notify(code)
	return true
}
