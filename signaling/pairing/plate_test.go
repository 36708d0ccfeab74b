package pairing

import (
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

func TestC7_ANameplateLivesTenMinutes(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.advance(10*time.Minute + time.Second)
	v.claim(h.plate, b.ticket.ID)
	v.refused(t, mfpb.Reason_REASON_CODE_EXPIRED)
	time.Sleep(30 * time.Millisecond) // swept up meanwhile: the answer stays
	v.claim(h.plate, b.ticket.ID)
	v.refused(t, mfpb.Reason_REASON_CODE_EXPIRED)
	quiet(t, h.peer)
	h.want(t)
	b.pair(h, v)
}

func TestC7_ANameplateWorksOnce(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	bob := b.viewer("bob")
	bob.claim(h.plate, b.ticket.ID)
	bob.refused(t, mfpb.Reason_REASON_NO_SUCH_CODE)
	quiet(t, h.peer)
	// Nor after the session: the host has to ask for another.
	h.close(mfpb.Reason_REASON_PERSON_STOPPED)
	b.ended(h.session)
	bob.claim(h.plate, b.ticket.ID)
	bob.refused(t, mfpb.Reason_REASON_NO_SUCH_CODE)
}

func TestC7_ANameplateRestsBeforeItIsGivenOutAgain(t *testing.T) {
	b := newBench(t)
	h := b.host()
	b.desk.mu.Lock()
	b.desk.retire(b.desk.plates[h.plate], b.clock.now(), false)
	b.desk.mu.Unlock()
	held := func() bool {
		b.desk.sweep()
		b.desk.mu.Lock()
		defer b.desk.mu.Unlock()
		return b.desk.plates[h.plate] != nil
	}
	b.advance(10*time.Minute - time.Second)
	if !held() {
		t.Error("free again before its rest was over")
	}
	b.advance(2 * time.Second)
	if held() {
		t.Error("still resting after one lifetime")
	}
}

func TestC7_ANameplateThatRanOutRestsToo(t *testing.T) {
	b := newBench(t)
	h := b.host() // and it never asks for another
	held := func() (waiting int, known bool) {
		b.desk.sweep()
		waiting, _ = b.desk.Waiting()
		b.desk.mu.Lock()
		defer b.desk.mu.Unlock()
		return waiting, b.desk.plates[h.plate] != nil
	}
	if n, known := held(); n != 1 || !known {
		t.Fatalf("%d hosts wait, nameplate held: %v", n, known)
	}
	b.advance(10*time.Minute + time.Second)
	if n, known := held(); n != 0 || !known {
		t.Errorf("after its life: %d hosts wait, nameplate held: %v", n, known)
	}
	b.advance(10*time.Minute + time.Second)
	if _, known := held(); known {
		t.Error("after its rest the number is still not free")
	}
	h.want(t)
}

func TestNameplatesAreShortAndDifferent(t *testing.T) {
	b := newBench(t)
	b.desk.mu.Lock()
	defer b.desk.mu.Unlock()
	seen := map[string]bool{}
	for i := range 1000 {
		p, err := b.desk.hang(&host{}, b.clock.now())
		if err != nil {
			t.Fatal(err)
		}
		if seen[p.number] || p.number[0] == '0' {
			t.Fatalf("nameplate %q", p.number)
		}
		seen[p.number] = true
		if n := len(p.number); i < 450 && n != 3 || i >= 450 && n != 4 {
			t.Fatalf("nameplate %d is %q", i, p.number)
		}
	}
}

// A hospital behind one address: as many hosts as may wait there get their codes,
// and new ones for as long as they wait.
func TestAllHostsOfOneAddressGetTheirNameplates(t *testing.T) {
	var c Config
	defaults(&c)
	perHour := int(time.Hour / c.Life)
	if need := c.Limits.HostsPerAddress * perHour; c.Limits.Plates.N < need || c.Limits.Plates.In != time.Hour {
		t.Errorf("%d hosts of one address need %d nameplates an hour, and get %d in %v", c.Limits.HostsPerAddress, need, c.Limits.Plates.N, c.Limits.Plates.In)
	}
}
