package pairing

import "testing"

// A host is hostile: what it says twice a supervisor sees once, since when it was said first.
func TestALiveSessionHasEachTroubleOnce(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	for _, data := range []string{
		`{"reason":"LINE_SLOW","participant":"1"}`, `{"reason":"LINE_SLOW","participant":"1"}`, `{"reason":"LINE_SLOW","participant":"2"}`,
	} {
		h.event("session.degraded", "ok", data)
	}
	h.acked(t, 3)
	live := func() []Trouble {
		list := b.desk.Live()
		if len(list) != 1 {
			t.Fatalf("%d sessions are open", len(list))
		}
		return list[0].Trouble
	}
	if got := live(); len(got) != 2 || got[0].Participant != "1" || got[1].Participant != "2" {
		t.Errorf("what is wrong: %+v", got)
	}
	h.event("session.restored", "ok", `{"reason":"LINE_SLOW","participant":"1"}`)
	h.acked(t, 4)
	if got := live(); len(got) != 1 || got[0].Participant != "2" {
		t.Errorf("what is still wrong: %+v", got)
	}
}
