package input_test

import (
	"image"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/input/fake"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// C28
func TestNothingIsAppliedWithoutTheControlGrant(t *testing.T) {
	onBench(t, func(b *bench) {
		b.gate.Shut(0)
		b.give(input.InFast, wire.InputEvent{Kind: wire.InputMotion, Seq: 1, X: 5, Y: 6})
		b.send(button(wire.ButtonLeft, true, 1, 1))
		b.send(button(wire.ButtonLeft, false, 1, 1))
		b.send(wheel(120, 1, 1))
		b.send(key(0x04, true, "a"))
		b.send(key(0x04, false, "a"))
		b.send(text("x"))
		b.want()
		b.wantNotices()
		b.wantAck(6) // refused events are done too
		if c := b.r.Counts(); c.Keys+c.Clicks+c.Wheel+c.Characters != 0 || c.Refused != 7 {
			t.Errorf("counts %+v", c)
		}
	})
}

// C29
func TestNothingIsAppliedWhileAQuestionIsOpen(t *testing.T) {
	onBench(t, func(b *bench) {
		b.send(key(0xE1, true, ""))
		b.send(button(wire.ButtonLeft, true, 1, 1))
		b.want("key e1 down", "move 1 1", "left down")
		b.gate.Shut(question)
		b.r.ReleaseAll()
		b.want("key e1 up", "left up")
		b.send(key(0x28, true, "")) // Enter
		b.send(key(0x28, false, ""))
		b.wantNotices(question)
		b.gate.Open()
		b.send(key(0x04, true, "a"))
		b.want("key 04 down a")
		b.wantNotices(resumed)
	})
}

func TestAClosedGateReleasesEvenIfNobodyAsked(t *testing.T) {
	onBench(t, func(b *bench) {
		b.send(key(0x04, true, ""))
		b.gate.Shut(0)
		b.send(key(0x05, true, ""))
		b.want("key 04 down", "key 04 up")
	})
}

// closing is a gate that shuts after so many answers.
type closing struct{ open int }

func (g *closing) InputAllowed() (bool, mfpb.NoticeCode) {
	g.open--
	return g.open >= 0, question
}

// stealing is a guard whose focus goes to the own window after so many answers.
type stealing struct {
	fake.Guard
	allowed int
}

func (g *stealing) KeysAllowed() bool { g.allowed--; return g.allowed >= 0 }

func TestALongTextStopsInTheMiddle(t *testing.T) {
	long := strings.Repeat("0123456789abcdé|", 4)
	for name, test := range map[string]struct {
		gate  input.Gate
		guard input.Guard
	}{
		"a question opens":               {&closing{open: 3}, new(fake.Guard)}, // one for the event, two pieces
		"the own window takes the focus": {&closing{open: 99}, &stealing{allowed: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			inj := fake.New(t)
			r := input.NewReceiver(inj, test.guard, test.gate, func(mfpb.NoticeCode) {})
			ev := text(long)
			ev.Seq = 1
			if err := r.Handle(input.In, encode(t, ev)); err != nil {
				t.Fatal(err)
			}
			r.ReleaseAll()
			for end := time.Now().Add(5 * time.Second); r.Counts().Refused == 0 && time.Now().Before(end); {
				time.Sleep(time.Millisecond)
			}
			r.Close()
			if typed := inj.Typed(); typed != long[:len(long)/2] {
				t.Errorf("typed %q", typed)
			}
		})
	}
}

// C30
func TestTheOwnWindowGetsNoClicksAndNoKeys(t *testing.T) {
	onBench(t, func(b *bench) {
		b.guard.Own(image.Rect(100, 100, 200, 200))
		b.send(button(wire.ButtonLeft, true, 150, 150))
		b.send(button(wire.ButtonLeft, false, 150, 150))
		b.send(wheel(120, 150, 150))
		b.want("move 150 150", "move 150 150", "move 150 150")
		b.wantNotices(ownWindow)

		b.guard.SetFocus(true)
		b.send(key(0x28, true, ""))
		b.send(key(0x28, false, ""))
		b.send(text("allow"))
		b.want()
		b.wantNotices() // the same notice, less than a second ago
		b.wantAck(6)
		b.guard.SetFocus(false)
		b.send(button(wire.ButtonLeft, true, 99, 99))
		b.want("move 99 99", "left down")
		b.wantNotices(resumed)
	})
}

func TestADragIsNotDroppedOnTheOwnWindow(t *testing.T) {
	for _, by := range []string{"button up", "release", "ReleaseAll"} {
		onBench(t, func(b *bench) {
			b.guard.Own(image.Rect(100, 100, 200, 200))
			b.send(button(wire.ButtonLeft, true, 10, 20))
			b.give(input.InFast, wire.InputEvent{Kind: wire.InputMotion, Seq: 1, X: 150, Y: 150})
			b.inj.Take()
			switch by {
			case "button up":
				up := button(wire.ButtonLeft, false, 150, 150)
				up.Motion = 1
				b.send(up)
				b.want("move 150 150", "move 10 20", "left up")
			case "release":
				b.send(wire.InputEvent{Kind: wire.InputRelease})
				b.want("move 10 20", "left up")
			case "ReleaseAll":
				b.r.ReleaseAll()
				b.want("move 10 20", "left up")
			}
		})
	}
}

func TestAHeldKeyDoesNotRepeatIntoTheOwnWindow(t *testing.T) {
	onBench(t, func(b *bench) {
		b.send(key(0x28, true, ""))
		b.guard.SetFocus(true) // Alt+Tab, a window that opens
		time.Sleep(60 * time.Millisecond)
		b.want("key 28 down", "key 28 up")
	})
}

func TestAHeldKeyDoesNotRepeatThroughAClosedGate(t *testing.T) {
	onBench(t, func(b *bench) {
		b.send(key(0x28, true, ""))
		b.gate.Shut(question)
		time.Sleep(60 * time.Millisecond)
		b.want("key 28 down", "key 28 up")
	})
}
