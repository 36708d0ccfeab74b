package limit

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

var start = time.Unix(1_700_000_000, 0)

func TestAttemptsAreCountedForEachKey(t *testing.T) {
	k := New(Every{5, 10 * time.Minute}, 100)
	for i := range 5 {
		if !k.Take("a", start) {
			t.Fatalf("attempt %d refused", i+1)
		}
	}
	if k.Take("a", start) {
		t.Error("a sixth attempt was allowed")
	}
	if w := k.Wait("a", start); w < time.Minute || w > 3*time.Minute {
		t.Errorf("the next attempt is said to come in %v; one in two minutes is the rate", w)
	}
	if !k.Take("b", start) {
		t.Error("b pays for a")
	}
	if k.Take("a", start.Add(time.Minute)) {
		t.Error("an attempt came back too early")
	}
	if !k.Take("a", start.Add(3*time.Minute)) {
		t.Error("no attempt came back")
	}
}

func TestRefundGivesOneBackAndNoMore(t *testing.T) {
	k := New(Every{2, time.Hour}, 100)
	k.Take("a", start)
	k.Take("a", start)
	k.Refund("a", start)
	if !k.Take("a", start) {
		t.Fatal("the refund was lost")
	}
	for range 10 {
		k.Refund("a", start)
	}
	n := 0
	for k.Take("a", start) {
		n++
	}
	if n != 2 {
		t.Errorf("%d attempts after many refunds, 2 is the most", n)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	k := New(Every{1, time.Hour}, 10)
	for i := range 1000 {
		k.Take(fmt.Sprint(i), start)
	}
	if len(k.byKey) != 10 || k.recent.Len() != 10 {
		t.Errorf("%d keys are held, 10 is the most", len(k.byKey))
	}
	if k.Take("999", start) {
		t.Error("the key used last was forgotten")
	}
}

func TestAnAddressIsItsNetwork(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"192.0.2.1", "192.0.2.1"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{"fe80::1%eth0", "fe80::/64"},
	} {
		if got := AddressKey(netip.MustParseAddr(c.in)); got != c.want {
			t.Errorf("%s: %s, want %s", c.in, got, c.want)
		}
	}
}
