package input_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/input/fake"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// bench is a Receiver between a technician's messages and a fake desktop. It
// lives inside a synctest bubble, so its clock is false and Wait is exact.
type bench struct {
	t       *testing.T
	r       *input.Receiver
	inj     *fake.Injector
	guard   fake.Guard
	gate    fake.Gate
	notices []mfpb.NoticeCode
	acks    []uint32
	seq     uint32
}

// onBench runs f with an open gate.
func onBench(t *testing.T, f func(*bench)) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, inj: fake.New(t)}
		b.gate.Open()
		b.r = input.NewReceiver(b.inj, &b.guard, &b.gate, func(c mfpb.NoticeCode) { b.notices = append(b.notices, c) })
		b.r.OnAck(func(msg []byte) {
			var ev wire.InputEvent
			if err := wire.ParseInput(msg, &ev); err != nil || ev.Kind != wire.InputAck {
				t.Errorf("acknowledgement %x: %v", msg, err)
			}
			b.acks = append(b.acks, ev.Seq)
		})
		f(b)
		b.r.Close()
		if down := b.inj.Down(); len(down) > 0 {
			t.Errorf("down after Close: %v", down)
		}
	})
}

func encode(t *testing.T, ev wire.InputEvent) []byte {
	t.Helper()
	msg, err := wire.AppendInput(nil, &ev)
	if err != nil {
		t.Fatalf("%+v: %v", ev, err)
	}
	return msg
}

// give hands one event over and waits until it is dealt with.
func (b *bench) give(ch input.Channel, ev wire.InputEvent) error {
	b.t.Helper()
	err := b.r.Handle(ch, encode(b.t, ev))
	synctest.Wait()
	return err
}

// send is give on the reliable channel with the next number.
func (b *bench) send(ev wire.InputEvent) {
	b.t.Helper()
	b.seq++
	ev.Seq = b.seq
	if err := b.give(input.In, ev); err != nil {
		b.t.Fatalf("%+v: %v", ev, err)
	}
}

func (b *bench) want(ops ...string) {
	b.t.Helper()
	if got := b.inj.Take(); !slices.Equal(got, ops) {
		b.t.Errorf("the desktop got\n\t%s\nwant\n\t%s", strings.Join(got, ", "), strings.Join(ops, ", "))
	}
}

func (b *bench) wantNotices(codes ...mfpb.NoticeCode) {
	b.t.Helper()
	if !slices.Equal(b.notices, codes) {
		b.t.Errorf("notices %v, want %v", b.notices, codes)
	}
	b.notices = nil
}

func (b *bench) wantAck(seq uint32) {
	b.t.Helper()
	if len(b.acks) == 0 || b.acks[len(b.acks)-1] != seq {
		b.t.Errorf("acknowledgements %v, want the last to be %d", b.acks, seq)
	}
}

func key(usage uint16, down bool, text string) wire.InputEvent {
	return wire.InputEvent{Kind: wire.InputKey, Usage: usage, Down: down, Text: text}
}

func button(n uint8, down bool, x, y uint16) wire.InputEvent {
	return wire.InputEvent{Kind: wire.InputButton, Button: n, Down: down, X: x, Y: y}
}

func wheel(dy int16, x, y uint16) wire.InputEvent {
	return wire.InputEvent{Kind: wire.InputWheel, DY: dy, X: x, Y: y}
}

func text(s string) wire.InputEvent { return wire.InputEvent{Kind: wire.InputText, Text: s} }

const (
	question  = mfpb.NoticeCode_NOTICE_CODE_INPUT_HELD_QUESTION
	ownWindow = mfpb.NoticeCode_NOTICE_CODE_INPUT_HELD_OWN_WINDOW
	resumed   = mfpb.NoticeCode_NOTICE_CODE_INPUT_RESUMED
	notTyped  = mfpb.NoticeCode_NOTICE_CODE_KEY_NOT_TYPED
)

func TestEveryKindOfEventReachesTheDesktop(t *testing.T) {
	onBench(t, func(b *bench) {
		b.give(input.InFast, wire.InputEvent{Kind: wire.InputMotion, Seq: 1, X: 5, Y: 6})
		b.send(button(wire.ButtonRight, true, 7, 8))
		b.send(button(wire.ButtonRight, false, 9, 10))
		b.send(wire.InputEvent{Kind: wire.InputWheel, X: 1, Y: 2, DX: -30, DY: 120})
		b.send(key(0x04, true, "a"))
		b.send(key(0x04, false, "a"))
		b.send(text("Où ?"))
		b.want("move 5 6", "move 7 8", "right down", "move 5 6", "move 9 10", "right up", "move 5 6",
			"move 1 2", "wheel -30 120", "move 5 6", "key 04 down a", "key 04 up", "text Où ?")
		b.wantAck(6)
		b.wantNotices()
	})
}

// C36
func TestEventsApplyOnceAndInOrderByWhicheverChannel(t *testing.T) {
	onBench(t, func(b *bench) {
		events := make([]wire.InputEvent, 60)
		var ops []string
		for i := range events {
			events[i] = key(uint16(0x04+i/2), i%2 == 0, "")
			events[i].Seq = uint32(i + 1)
			ops = append(ops, fmt.Sprintf("key %02x %s", 0x04+i/2, map[bool]string{true: "down", false: "up"}[i%2 == 0]))
		}
		// The fast channel brings each event three times, in any order, and
		// loses a third; the reliable one brings each once, later.
		var fast []int
		for i := range events {
			for range 3 {
				fast = append(fast, i)
			}
		}
		rnd := rand.New(rand.NewPCG(1, 2))
		rnd.Shuffle(len(fast), func(i, j int) { fast[i], fast[j] = fast[j], fast[i] })
		reliable := 0
		for _, i := range fast {
			if i%3 == 0 {
				continue // lost
			}
			if err := b.give(input.InFast, events[i]); err != nil {
				t.Fatal(err)
			}
			if rnd.IntN(3) == 0 && reliable < len(events) {
				if err := b.give(input.In, events[reliable]); err != nil {
					t.Fatal(err)
				}
				reliable++
			}
		}
		for ; reliable < len(events); reliable++ {
			if err := b.give(input.In, events[reliable]); err != nil {
				t.Fatal(err)
			}
		}
		b.want(ops...)
		b.wantAck(60)
	})
}

func TestALateRepeatIsAcknowledgedAgain(t *testing.T) {
	onBench(t, func(b *bench) {
		b.send(key(0x04, true, ""))
		n := len(b.acks)
		b.give(input.InFast, wire.InputEvent{Kind: wire.InputKey, Seq: 1, Usage: 0x04, Down: true})
		if len(b.acks) != n+1 || b.acks[n] != 1 {
			t.Errorf("acknowledgements %v: the one before may have been lost", b.acks)
		}
		b.want("key 04 down")
	})
}

func TestAGapIsNotAcknowledged(t *testing.T) {
	onBench(t, func(b *bench) {
		ev := key(0x04, true, "")
		ev.Seq = 2
		b.give(input.InFast, ev)
		b.wantAck(0)
		b.want()
		ev = key(0x05, true, "")
		ev.Seq = 1
		b.give(input.InFast, ev)
		b.wantAck(2)
		b.want("key 05 down", "key 04 down")
	})
}

func TestBadInputEndsTheSessionWithAReason(t *testing.T) {
	ack := wire.AppendInputAck(nil, 1)
	unknown := []byte{99, 0, 0, 0, 1, 0, 0, 0}
	numbered := func(seq uint32) []byte { return encode(t, wire.InputEvent{Kind: wire.InputRelease, Seq: seq}) }
	for name, test := range map[string]struct {
		channel input.Channel
		msg     []byte
		is      error
		reason  mfpb.Reason
	}{
		"empty":                     {input.In, nil, wire.ErrMalformed, mfpb.Reason_REASON_PROTOCOL},
		"too large":                 {input.In, make([]byte, wire.MaxInput+1), wire.ErrTooLarge, mfpb.Reason_REASON_TOO_LARGE},
		"unknown":                   {input.InFast, unknown, wire.ErrUnknownMessage, mfpb.Reason_REASON_UNKNOWN_MESSAGE},
		"motion on in":              {input.In, encode(t, wire.InputEvent{Kind: wire.InputMotion, Seq: 1}), input.ErrForbidden, mfpb.Reason_REASON_PROTOCOL},
		"text on in-fast":           {input.InFast, encode(t, wire.InputEvent{Kind: wire.InputText, Seq: 1, Text: "x"}), input.ErrForbidden, mfpb.Reason_REASON_PROTOCOL},
		"acknowledgement to a host": {input.InFast, ack, input.ErrForbidden, mfpb.Reason_REASON_PROTOCOL},
		"gap on in":                 {input.In, numbered(2), input.ErrOutOfOrder, mfpb.Reason_REASON_PROTOCOL},
		"far ahead on in-fast":      {input.InFast, numbered(4097), input.ErrTooFarAhead, mfpb.Reason_REASON_PROTOCOL},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.give(input.InFast, wire.InputEvent{Kind: wire.InputAlive})
				b.r.Handle(test.channel, test.msg)
				synctest.Wait()
				select {
				case <-b.r.Done():
				default:
					t.Fatal("the receiver goes on")
				}
				if err := b.r.Err(); !errors.Is(err, test.is) || wire.Reason(err) != test.reason {
					t.Errorf("error %v with reason %v, want %v with %v", err, wire.Reason(err), test.is, test.reason)
				}
				if err := b.r.Handle(input.In, numbered(1)); !errors.Is(err, test.is) {
					t.Errorf("the next message gets %v", err)
				}
			})
		})
	}
}

func TestARepeatOnTheReliableChannelIsOutOfOrder(t *testing.T) {
	onBench(t, func(b *bench) {
		b.send(key(0x04, true, ""))
		b.give(input.In, wire.InputEvent{Kind: wire.InputRelease, Seq: 1})
		if !errors.Is(b.r.Err(), input.ErrOutOfOrder) {
			t.Errorf("error %v", b.r.Err())
		}
	})
}

func TestAnUnknownOptionalEventIsSkipped(t *testing.T) {
	onBench(t, func(b *bench) {
		if err := b.r.Handle(input.In, []byte{99, wire.FlagOptional, 0, 0, 1, 0, 0, 0, 7}); err != nil {
			t.Fatal(err)
		}
		b.send(key(0x04, true, ""))
		b.want("key 04 down")
	})
}

func TestAnOldMotionNeverMovesThePointerAfterAClick(t *testing.T) {
	onBench(t, func(b *bench) {
		motion := func(seq uint32, x uint16) wire.InputEvent {
			return wire.InputEvent{Kind: wire.InputMotion, Seq: seq, X: x}
		}
		click := button(wire.ButtonLeft, true, 50, 0)
		click.Motion = 5
		b.send(click)
		b.want("move 50 0", "left down")
		b.give(input.InFast, motion(4, 40)) // sent before the click, late
		b.give(input.InFast, motion(5, 50))
		b.want()
		b.give(input.InFast, motion(7, 70))
		b.give(input.InFast, motion(6, 60)) // overtaken
		b.want("move 70 0")
		up := button(wire.ButtonLeft, false, 65, 0) // sent before motion 7, late
		up.Motion = 6
		b.send(up)
		b.want("move 65 0", "left up", "move 70 0")
	})
}

func TestOfWaitingMotionsOnlyTheLatestIsApplied(t *testing.T) {
	onBench(t, func(b *bench) {
		for i := range 100 {
			msg := encode(t, wire.InputEvent{Kind: wire.InputMotion, Seq: uint32(i + 1), X: uint16(i)})
			if err := b.r.Handle(input.InFast, msg); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		ops := b.inj.Take()
		if len(ops) == 0 || ops[len(ops)-1] != "move 99 0" {
			t.Errorf("ended with %v", ops)
		}
	})
}

// C34
func TestEverythingGoesUpOnBlurRevokeAndEnd(t *testing.T) {
	for name, end := range map[string]func(*bench){
		"blur":    func(b *bench) { b.send(wire.InputEvent{Kind: wire.InputRelease}) },
		"revoke":  func(b *bench) { b.r.ReleaseAll() },
		"end":     func(b *bench) { b.r.Close() },
		"failure": func(b *bench) { b.r.Handle(input.In, nil); synctest.Wait() },
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.send(key(0xE0, true, ""))
				b.send(key(0x06, true, "c"))
				b.send(button(wire.ButtonBack, true, 3, 4))
				b.inj.Take()
				end(b)
				b.want("key 06 up", "key e0 up", "back up")
			})
		})
	}
}

// C35
func TestASilentConnectionHoldsNothingDown(t *testing.T) {
	onBench(t, func(b *bench) {
		b.guard.Own(image.Rect(0, 0, 0, 0))
		b.send(key(0xE1, true, ""))
		b.send(button(wire.ButtonLeft, true, 3, 4))
		b.inj.Take()
		for range 10 { // ten seconds of "still held"
			time.Sleep(900 * time.Millisecond)
			b.give(input.InFast, wire.InputEvent{Kind: wire.InputAlive})
		}
		b.want()
		time.Sleep(1001 * time.Millisecond)
		b.want("key e1 up", "left up")
		b.send(key(0xE1, false, ""))
		b.send(button(wire.ButtonLeft, false, 3, 4))
		b.want("move 3 4") // up already
	})
}

func TestAKeyUpWithoutADownIsIgnored(t *testing.T) {
	onBench(t, func(b *bench) {
		b.send(key(0x04, false, "a"))
		b.send(button(wire.ButtonLeft, false, 1, 1))
		b.want("move 1 1")
	})
}

func TestARepeatedDownIsARepeatOfOneKey(t *testing.T) {
	onBench(t, func(b *bench) {
		b.send(key(0x04, true, "a"))
		b.send(key(0x04, true, "a"))
		b.send(key(0x04, false, "a"))
		b.send(button(wire.ButtonLeft, true, 1, 1))
		b.send(button(wire.ButtonLeft, true, 1, 1))
		b.want("key 04 down a", "key 04 down a", "key 04 up", "move 1 1", "left down", "move 1 1")
		if c := b.r.Counts(); c.Keys != 1 || c.Clicks != 1 {
			t.Errorf("counts %+v", c)
		}
	})
}

func TestWhatCannotBeTypedIsToldAndTheSessionGoesOn(t *testing.T) {
	onBench(t, func(b *bench) {
		b.inj.CannotType("☃")
		b.send(key(0x04, true, "☃"))
		b.send(text("a☃b"))
		b.wantNotices(notTyped)
		time.Sleep(1001 * time.Millisecond)
		b.send(text("☃"))
		b.wantNotices(notTyped)
		b.send(key(0x05, true, "b"))
		if b.r.Err() != nil {
			t.Error(b.r.Err())
		}
	})
}

func TestKeysThatTheSystemKeepsAreToldAndTheRestGoesOn(t *testing.T) {
	onBench(t, func(b *bench) {
		b.inj.Reserve(0x4C)
		b.send(key(0x4C, true, ""))
		b.send(key(0x4C, false, ""))
		b.wantNotices(mfpb.NoticeCode_NOTICE_CODE_KEY_RESERVED)
		b.send(key(0x04, true, "a"))
		b.send(key(0x04, false, ""))
		b.want("key 4c up", "key 04 down a", "key 04 up")
		b.wantAck(4)
	})
}

func TestALostDesktopEndsTheReceiver(t *testing.T) {
	onBench(t, func(b *bench) {
		b.inj.Lose(fmt.Errorf("connection reset: %w", input.ErrLost))
		b.send(key(0x04, true, "a"))
		<-b.r.Done()
		if err := b.r.Err(); !errors.Is(err, input.ErrLost) || wire.Reason(err) != mfpb.Reason_REASON_CAPTURE_LOST {
			t.Errorf("error %v with reason %v", err, wire.Reason(err))
		}
	})
}

func TestPrepareAndRestoreRunBetweenEvents(t *testing.T) {
	onBench(t, func(b *bench) {
		if err := b.r.Prepare(); err != nil {
			t.Fatal(err)
		}
		b.send(key(0x04, true, "a"))
		if err := b.r.Restore(); err != nil {
			t.Fatal(err)
		}
		b.want("prepare", "key 04 down a", "key 04 up", "restore")
		b.r.Close()
		if err := b.r.Prepare(); !errors.Is(err, input.ErrClosed) {
			t.Errorf("Prepare after Close: %v", err)
		}
		b.r.ReleaseAll() // returns
	})
}

func TestTheLogGetsNumbersOnly(t *testing.T) {
	onBench(t, func(b *bench) {
		b.send(key(0x04, true, "a"))
		b.send(text("çà"))
		b.send(wheel(1, 1, 1))
		b.send(button(0, true, 1, 1))
		if c, want := b.r.Counts(), (input.Counts{Keys: 1, Clicks: 1, Wheel: 1, Characters: 2}); c != want {
			t.Errorf("counts %+v, want %+v", c, want)
		}
	})
}

// FuzzReceiver: whatever a technician sends, the host neither panics nor leaves
// anything down, and the strict fake finds nothing to complain about. The first
// byte of each piece chooses the channel, the second its length.
func FuzzReceiver(f *testing.F) {
	piece := func(channel byte, msg []byte) []byte { return append([]byte{channel, byte(len(msg))}, msg...) }
	down, _ := wire.AppendInput(nil, &wire.InputEvent{Kind: wire.InputKey, Seq: 1, Usage: 4, Down: true})
	click, _ := wire.AppendInput(nil, &wire.InputEvent{Kind: wire.InputButton, Seq: 2, Down: true, X: 9})
	f.Add(append(piece(0, down), piece(1, click)...))
	f.Add(binary.LittleEndian.AppendUint64([]byte{1, 8}, 7))
	f.Fuzz(func(t *testing.T, data []byte) {
		inj := fake.New(t)
		var gate fake.Gate
		gate.Open()
		r := input.NewReceiver(inj, new(fake.Guard), &gate, func(mfpb.NoticeCode) {})
		for len(data) >= 2 {
			n := min(int(data[1]), len(data)-2)
			if r.Handle(input.Channel(data[0]&1), data[2:2+n]) != nil {
				break
			}
			data = data[2+n:]
		}
		r.Close()
		if down := inj.Down(); len(down) > 0 {
			t.Errorf("left down: %v", down)
		}
	})
}
