package input

import (
	"testing"

	"github.com/mainforte/mainforte/internal/wire"
)

func TestOrderForgetsWhatIsApplied(t *testing.T) {
	o := order{next: 1, waiting: make(map[uint32]wire.InputEvent)}
	for seq := uint32(1); seq <= 3*window; seq++ {
		for _, channel := range []Channel{InFast, In, InFast} {
			if err := o.add(channel, wire.InputEvent{Seq: seq}); err != nil {
				t.Fatal(err)
			}
		}
		if ev, ok := o.pop(); !ok || ev.Seq != seq {
			t.Fatalf("popped %d, %v; want %d", ev.Seq, ok, seq)
		}
		if _, ok := o.pop(); ok || len(o.waiting) != 0 {
			t.Fatalf("event %d is still there", seq)
		}
	}
}
