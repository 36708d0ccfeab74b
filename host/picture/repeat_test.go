package picture

import (
	"bytes"
	"errors"
	"image"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/internal/wire"
)

// join is what a viewer makes of parts of one update.
func join(t *testing.T, parts [][]byte, number, generation uint32) []byte {
	t.Helper()
	var b []byte
	for i, m := range parts {
		p, err := wire.ParsePart(m)
		if err != nil {
			t.Fatal(err)
		}
		if p.Update != number || p.Generation != generation || int(p.Offset) != len(b) || p.Last != (i == len(parts)-1) {
			t.Fatalf("part %d of %d: update %d, generation %d, offset %d, last %v", i, len(parts), p.Update, p.Generation, p.Offset, p.Last)
		}
		b = append(b, p.Data...)
	}
	return b
}

func random(n int, seed byte) []byte {
	b := make([]byte, n)
	x := uint32(seed) + 1
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

const usual = 50 * time.Millisecond // of acks

// slowStart is a history of acks that brought credit.
func slowStart(r *repeats) (now time.Time) {
	now = time.Unix(1000, 0)
	for n := range uint32(40) {
		r.sent(n, random(2000, 1), now)
		now = now.Add(50 * time.Millisecond)
		r.acked(n, false, usual, now)
	}
	return now
}

func TestAnUpdateWhoseAckIsLateIsRepeated(t *testing.T) {
	var r repeats
	r.began(7)
	now := slowStart(&r)
	data := random(3000, 2)
	at := r.sent(100, data, now)
	if late := at.Sub(now); late < usual+repeatAfter || late > 2*usual+lateBy {
		t.Errorf("late after %v on a line whose acks take 50 ms", late)
	}
	if parts, again := r.due(at.Add(-time.Millisecond), nil); len(parts) != 0 || !again.Equal(at) {
		t.Errorf("%d parts before it is late, again at %v", len(parts), again)
	}
	parts, again := r.due(at, nil)
	if got := join(t, parts, 100, 7); !bytes.Equal(got, data) {
		t.Error("the parts are not the update")
	}
	for times := 1; times < maxRepeats; times++ {
		if again.IsZero() || again.Sub(at) < leastLate {
			t.Fatalf("repeat %d comes at %v", times+1, again.Sub(at))
		}
		at = again
		if parts, again = r.due(at, parts[:0]); len(parts) == 0 {
			t.Fatalf("no repeat %d", times+1)
		}
	}
	if !again.IsZero() {
		t.Errorf("more than %d repeats", maxRepeats)
	}
}

func TestAnUpdateThatIsAcknowledgedIsNotRepeated(t *testing.T) {
	var r repeats
	now := slowStart(&r)
	at := r.sent(100, random(100, 1), now)
	r.acked(100, false, usual, now.Add(usual))
	if parts, again := r.due(at, nil); len(parts) != 0 || !again.IsZero() {
		t.Errorf("%d parts, again at %v", len(parts), again)
	}
}

// TestOnALineThatLosesRepeatsDoNotWait, until it lost nothing for a while.
func TestOnALineThatLosesRepeatsDoNotWait(t *testing.T) {
	var r repeats
	now := slowStart(&r)
	r.sent(100, random(100, 1), now)
	r.acked(100, true, usual, now)
	if d := r.sent(101, random(100, 1), now).Sub(now); d != repeatAfter {
		t.Errorf("repeated after %v", d)
	}
	r.acked(101, false, usual, now)
	now = now.Add(lossyFor)
	if d := r.sent(102, random(100, 1), now).Sub(now); d < leastLate {
		t.Errorf("repeated after %v on a line that lost nothing for %v", d, lossyFor)
	}
}

// TestWhatWaitsBehindALateUpdateIsRepeatedWithIt: the channel holds it back.
func TestWhatWaitsBehindALateUpdateIsRepeatedWithIt(t *testing.T) {
	var r repeats
	r.began(1)
	now := slowStart(&r)
	at := r.sent(100, random(500, 1), now)
	second := random(700, 2)
	r.sent(101, second, now.Add(30*time.Millisecond))
	parts, _ := r.due(at, nil)
	if len(parts) != 2 || !bytes.Equal(join(t, parts[1:], 101, 1), second) {
		t.Errorf("%d parts", len(parts))
	}
}

func TestRepeatsCostNoMoreThanTheLineCarried(t *testing.T) {
	var r repeats
	start := time.Unix(1000, 0)
	r.credited = start
	now := start
	sent := 0
	for n := range uint32(100) { // nothing is acknowledged
		at := r.sent(n, random(10_000, 1), now)
		parts, _ := r.due(at, nil)
		for _, p := range parts {
			sent += len(p) - wire.PartHeader
		}
		now = now.Add(10 * time.Millisecond)
	}
	if most := int(now.Sub(start).Seconds()*repeatFloor) + repeatFloor/8; sent > most {
		t.Errorf("%d bytes were repeated in a second on a line that carries nothing", sent)
	}
}

func TestWhatIsNeverRepeated(t *testing.T) {
	var r repeats
	now := slowStart(&r)
	if at := r.sent(100, random(maxRepeated+1, 1), now); !at.IsZero() {
		t.Error("an update that is too large is repeated")
	}
	at := r.sent(101, random(100, 1), now)
	r.began(2)
	if parts, again := r.due(at, nil); len(parts) != 0 || !again.IsZero() {
		t.Error("an update of the picture before is repeated")
	}
	for n := range uint32(3 * maxUnacked) { // the oldest ones are forgotten
		at = r.sent(200+n, random(100, 1), now)
	}
	if parts, _ := r.due(at.Add(time.Second), nil); len(parts) > maxUnacked {
		t.Errorf("%d updates are held", len(parts))
	}
}

// bothWays is a sink with a fast way.
type bothWays struct {
	pieces int
	fast   [][]byte
}

func (b *bothWays) Send([]byte) error { b.pieces++; return nil }
func (b *bothWays) SendFast(msg []byte) error {
	b.fast = append(b.fast, bytes.Clone(msg))
	return nil
}

// stalled is a stream that sent an update that nobody acknowledges, and is late.
func stalled(t *testing.T) (*Stream, *bothWays) {
	t.Helper()
	sink := &bothWays{}
	s := NewStream(sink)
	t.Cleanup(s.Close)
	if err := s.Handle(wire.AppendHello(nil)); err != nil {
		t.Fatal(err)
	}
	const side = 64
	f := capture.Frame{Pix: make([]uint32, side*side), Width: side, Height: side, Damage: image.Rect(0, 0, side, side)}
	f.Pix[9] = 0xff00ff
	if err := s.Frame(f); err != nil {
		t.Fatal(err)
	}
	if sink.pieces < 2 {
		t.Fatalf("%d messages: no picture", sink.pieces)
	}
	s.repeat.timing.Lock()
	s.repeat.timer.Stop() // the test rings itself
	s.repeat.timing.Unlock()
	s.repeat.mu.Lock()
	for i := range s.repeat.updates {
		s.repeat.updates[i].at = time.Now().Add(-time.Hour)
	}
	s.repeat.credit = repeatCredit
	s.repeat.mu.Unlock()
	return s, sink
}

func TestAStreamRepeatsWhatIsLate(t *testing.T) {
	s, sink := stalled(t)
	s.repeat.rung()
	if len(sink.fast) == 0 {
		t.Fatal("nothing was repeated")
	}
	join(t, sink.fast, 1, 1)
}

// TestNoRepeatLeavesAStreamThatIsStopped: what may not be seen any more is not
// sent once more either (C27).
func TestNoRepeatLeavesAStreamThatIsStopped(t *testing.T) {
	s, sink := stalled(t)
	s.Suspend()
	s.repeat.rung()
	if len(sink.fast) != 0 {
		t.Errorf("%d parts left a stream that was suspended", len(sink.fast))
	}
	s, sink = stalled(t)
	s.Close()
	s.repeat.rung()
	if len(sink.fast) != 0 {
		t.Errorf("%d parts left a stream that was closed", len(sink.fast))
	}
}

func TestOnTilesFastAViewerOnlyAcknowledges(t *testing.T) {
	s := NewStream(&bothWays{})
	defer s.Close()
	for _, msg := range [][]byte{wire.AppendHello(nil), wire.AppendRestart(nil)} {
		if err := s.HandleFast(msg); !errors.Is(err, ErrAnswer) {
			t.Errorf("%x: %v", msg, err)
		}
	}
	s, _ = stalled(t)
	if err := s.HandleFast(wire.AppendAckOfParts(nil, 1)); err != nil {
		t.Error(err)
	}
	if s.Waits() != 0 {
		t.Error("an ack on tiles-fast counts for nothing")
	}
	if err := s.Handle(wire.AppendAck(nil, 1)); err != nil { // the same, by the other channel
		t.Error(err)
	}
}
