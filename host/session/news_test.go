package session

import (
	"net/netip"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/beat"
)

// TestAChangeOfAddressIsNewsUntilALookIsAnswered: a look that fails loses nothing, and
// where nothing is told there is one in time all the same.
func TestAChangeOfAddressIsNewsUntilALookIsAnswered(t *testing.T) {
	told, looks := false, 0
	var list []netip.Addr
	s := surroundings{
		addresses: func() []netip.Addr { looks++; return list },
		news:      &news{told: func() bool { was := told; told = false; return was }},
	}
	now := time.Unix(1, 0)
	look := func(wantLooks int, what string) {
		t.Helper()
		if s.look(now); looks != wantLooks {
			t.Errorf("%s: %d looks, want %d", what, looks, wantLooks)
		}
		now = now.Add(lookTime)
	}
	list = []netip.Addr{}
	look(1, "the first")
	look(1, "nothing was told")
	told, list = true, nil
	look(2, "a change was told, and the look failed")
	list = []netip.Addr{}
	look(3, "after a look that failed")
	look(3, "after the one that was answered")
	look(3, "still nothing was told")
	look(3, "still nothing was told")
	look(3, "still nothing was told")
	look(4, "nothing was told for two seconds")

	if lookTime%beat.Every != 0 {
		t.Error("the looks are not at the beat's moments")
	}
}
