package pairing

import (
	"crypto/ed25519"
	"crypto/rand"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/limit"
)

func TestC8_MessagesStayWithinTheirClaim(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	v.claim(h.plate, b.ticket.ID)
	claim := want[*mfpb.ClaimStart](t, h.peer).Claim
	h.reply(claim)
	want[*mfpb.PakeReply](t, v.peer)

	for name, act := range map[string]func(*viewerPeer){
		"confirm":         func(e *viewerPeer) { e.confirm(claim) },
		"verdict":         func(e *viewerPeer) { e.verdict(claim, mfpb.Reason_REASON_WRONG_CODE) },
		"sealed":          func(e *viewerPeer) { e.sealed(0, []byte("x")) },
		"attach":          func(e *viewerPeer) { e.attach(1) },
		"end":             func(e *viewerPeer) { e.end(mfpb.Reason_REASON_TECHNICIAN_ENDED) },
		"an invented one": func(e *viewerPeer) { e.confirm(make([]byte, 16)) },
	} {
		e := b.viewer("bob")
		act(e)
		t.Run(name, func(t *testing.T) { wantEnd(t, e.peer, mfpb.Reason_REASON_PROTOCOL, true) })
	}
	for name, act := range map[string]func(*hostPeer){
		"reply":  func(e *hostPeer) { e.reply(claim) },
		"paired": func(e *hostPeer) { e.paired(claim) },
		"sealed": func(e *hostPeer) { e.sealed(0, []byte("x")) },
		"attach": func(e *hostPeer) { e.attach(1) },
		"event":  func(e *hostPeer) { e.event("consent.granted", "ok", "{}") },
		"close":  func(e *hostPeer) { e.close(mfpb.Reason_REASON_PERSON_STOPPED) },
		"refused": func(e *hostPeer) {
			e.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_ClaimRefused{ClaimRefused: &mfpb.ClaimRefused{Claim: claim, Reason: mfpb.Reason_REASON_WRONG_CODE}}})
		},
	} {
		e := b.host()
		act(e)
		t.Run("host "+name, func(t *testing.T) { wantEnd(t, e.peer, mfpb.Reason_REASON_PROTOCOL, true) })
	}
	quiet(t, h.peer)
	quiet(t, v.peer)
	v.confirm(claim)
	want[*mfpb.Confirm](t, h.peer)
}

func TestC8_AMessageNamesItsOwnClaim(t *testing.T) {
	b := newBench(t)
	h1, v1, h2, v2 := b.host(), b.viewer("ann"), b.host(), b.viewer("bob")
	open := func(h *hostPeer, v *viewerPeer) []byte {
		v.claim(h.plate, b.ticket.ID)
		return want[*mfpb.ClaimStart](t, h.peer).Claim
	}
	first, second := open(h1, v1), open(h2, v2)
	h1.reply(second) // has a claim of its own, and answers another's
	wantEnd(t, h1.peer, mfpb.Reason_REASON_PROTOCOL, true)
	v1.refused(t, mfpb.Reason_REASON_HOST_GONE)
	h2.reply(second)
	want[*mfpb.PakeReply](t, v2.peer)
	h3 := b.host()
	third := open(h3, v1)
	h3.reply(third)
	want[*mfpb.PakeReply](t, v1.peer)
	v1.confirm(second)
	wantEnd(t, v1.peer, mfpb.Reason_REASON_PROTOCOL, true)
	if f := want[*mfpb.ClaimFailed](t, h3.peer); string(f.Claim) != string(third) {
		t.Errorf("the host was told %v", f)
	}
	v2.confirm(second) // undisturbed
	want[*mfpb.Confirm](t, h2.peer)
	v2.verdict(first, mfpb.Reason_REASON_WRONG_CODE)
	wantEnd(t, v2.peer, mfpb.Reason_REASON_PROTOCOL, true)
}

func TestC8_MessagesStayWithinTheirSession(t *testing.T) {
	b := newBench(t)
	h1, v1, h2, v2 := b.host(), b.viewer("ann"), b.host(), b.viewer("bob")
	b.pair(h1, v1)
	b.pair(h2, v2)
	v1.attach(1)
	h1.attach(1)
	want[*mfpb.Attach](t, h1.peer)
	want[*mfpb.Attach](t, v1.peer)
	v1.sealed(0, []byte("from ann"))
	h1.sealed(0, []byte("to ann"))
	if m := want[*mfpb.Sealed](t, h1.peer); string(m.Box) != "from ann" || m.Epoch != 1 {
		t.Errorf("relayed as %v", m)
	}
	if m := want[*mfpb.Sealed](t, v1.peer); string(m.Box) != "to ann" {
		t.Errorf("relayed as %v", m)
	}
	quiet(t, h2.peer)
	quiet(t, v2.peer)
}

func TestC8_NothingIsRelayedBeforeOpened(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.confirmed(h, v)
	v.sealed(0, []byte("early"))
	wantEnd(t, v.peer, mfpb.Reason_REASON_PROTOCOL, true)
	if f := want[*mfpb.ClaimFailed](t, h.peer); f.Reason != mfpb.Reason_REASON_VIEWER_GONE {
		t.Errorf("the host was told %v", f)
	}
}

func TestC8_NothingIsRelayedWhileTheSessionIsWrittenDown(t *testing.T) {
	for _, early := range []string{"host", "viewer"} {
		t.Run(early, func(t *testing.T) {
			b := newBench(t)
			h, v := b.host(), b.viewer("ann")
			claim := b.confirmed(h, v)
			defer b.store.shut()()
			h.paired(claim)
			quiet(t, h.peer)
			if early == "host" {
				h.sealed(0, []byte("early"))
				wantEnd(t, h.peer, mfpb.Reason_REASON_PROTOCOL, true)
				quiet(t, v.peer)
			} else {
				v.sealed(0, []byte("early"))
				wantEnd(t, v.peer, mfpb.Reason_REASON_PROTOCOL, true)
				quiet(t, h.peer)
			}
		})
	}
}

func TestWrongHostMessages(t *testing.T) {
	b := newBench(t)
	t.Run("a plate in a session", func(t *testing.T) {
		h, v := b.host(), b.viewer("ann")
		b.pair(h, v)
		h.ask(0)
		wantEnd(t, h.peer, mfpb.Reason_REASON_PROTOCOL, true)
	})
	t.Run("too many plates", func(t *testing.T) {
		few := newBench(t, func(c *Config) { c.Limits.Plates = limit.Every{N: 2, In: time.Hour} })
		h := few.host()
		h.want(t)
		h.ask(0)
		wantEnd(t, h.peer, mfpb.Reason_REASON_RATE_LIMITED, true)
	})
	claimed := func(t *testing.T) (*hostPeer, *viewerPeer, []byte) {
		h, v := b.host(), b.viewer("ann")
		v.claim(h.plate, b.ticket.ID)
		return h, v, want[*mfpb.ClaimStart](t, h.peer).Claim
	}
	t.Run("a plate while a claim is open", func(t *testing.T) {
		h, v, _ := claimed(t)
		h.ask(mfpb.Reason_REASON_CODE_EXPIRED)
		want[*mfpb.Plate](t, h.peer)
		v.refused(t, mfpb.Reason_REASON_CODE_EXPIRED)
	})
	t.Run("a second reply", func(t *testing.T) {
		h, v, claim := claimed(t)
		h.reply(claim)
		want[*mfpb.PakeReply](t, v.peer)
		h.reply(claim)
		wantEnd(t, h.peer, mfpb.Reason_REASON_PROTOCOL, true)
		v.refused(t, mfpb.Reason_REASON_PROTOCOL)
	})
	t.Run("a reply of wrong sizes", func(t *testing.T) {
		h, v, claim := claimed(t)
		h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_PakeReply{PakeReply: &mfpb.PakeReply{Claim: claim, Share: make([]byte, 31), Tag: make([]byte, 64)}}})
		wantEnd(t, h.peer, mfpb.Reason_REASON_PROTOCOL, true)
		v.refused(t, mfpb.Reason_REASON_PROTOCOL)
	})
	t.Run("paired before the viewer confirmed", func(t *testing.T) {
		h, v, claim := claimed(t)
		h.reply(claim)
		want[*mfpb.PakeReply](t, v.peer)
		h.paired(claim)
		wantEnd(t, h.peer, mfpb.Reason_REASON_PROTOCOL, true)
		v.refused(t, mfpb.Reason_REASON_PROTOCOL)
	})
	t.Run("paired with another key than the PAKE's", func(t *testing.T) {
		h, v := b.host(), b.viewer("ann")
		claim := b.confirmed(h, v)
		other, _, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Paired{Paired: &mfpb.Paired{Claim: claim, SigningKey: other}}})
		wantEnd(t, h.peer, mfpb.Reason_REASON_PROTOCOL, true)
		v.refused(t, mfpb.Reason_REASON_PROTOCOL)
	})
	t.Run("refused", func(t *testing.T) {
		h, v, claim := claimed(t)
		h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_ClaimRefused{ClaimRefused: &mfpb.ClaimRefused{Claim: claim, Reason: mfpb.Reason_REASON_TOO_MANY_TRIES}}})
		v.refused(t, mfpb.Reason_REASON_TOO_MANY_TRIES)
		h.reply(claim) // it crossed the news
		h.want(t)
		b.pair(h, v)
	})
	t.Run("no answer", func(t *testing.T) {
		h, v, claim := claimed(t)
		b.advance(21 * time.Second)
		v.refused(t, mfpb.Reason_REASON_HOST_GONE)
		if f := want[*mfpb.ClaimFailed](t, h.peer); f.Reason != mfpb.Reason_REASON_VIEWER_GONE || string(f.Claim) != string(claim) {
			t.Errorf("the host was told %v", f)
		}
	})
}

func TestWrongViewerMessages(t *testing.T) {
	b := newBench(t)
	t.Run("a claim of wrong sizes", func(t *testing.T) {
		v := b.viewer("ann")
		v.send(&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Claim{Claim: &mfpb.Claim{Nameplate: "123", TicketId: b.ticket.ID, Sid: make([]byte, 15), Share: make([]byte, 32)}}})
		wantEnd(t, v.peer, mfpb.Reason_REASON_PROTOCOL, true)
	})
	t.Run("a second claim", func(t *testing.T) {
		h, other, v := b.host(), b.host(), b.viewer("ann")
		v.claim(h.plate, b.ticket.ID)
		want[*mfpb.ClaimStart](t, h.peer)
		v.claim(other.plate, b.ticket.ID)
		v.refused(t, mfpb.Reason_REASON_PROTOCOL)
		quiet(t, other.peer)
	})
	t.Run("a claim in a session", func(t *testing.T) {
		h, other, v := b.host(), b.host(), b.viewer("ann")
		b.pair(h, v)
		v.claim(other.plate, b.ticket.ID)
		v.refused(t, mfpb.Reason_REASON_PROTOCOL)
		quiet(t, other.peer)
	})
	t.Run("confirm before the host's half", func(t *testing.T) {
		h, v := b.host(), b.viewer("ann")
		v.claim(h.plate, b.ticket.ID)
		v.confirm(want[*mfpb.ClaimStart](t, h.peer).Claim)
		wantEnd(t, v.peer, mfpb.Reason_REASON_PROTOCOL, true)
		want[*mfpb.ClaimFailed](t, h.peer)
	})
	t.Run("confirm twice", func(t *testing.T) {
		h, v := b.host(), b.viewer("ann")
		v.confirm(b.confirmed(h, v))
		wantEnd(t, v.peer, mfpb.Reason_REASON_PROTOCOL, true)
		want[*mfpb.ClaimFailed](t, h.peer)
	})
	t.Run("an attach of wrong size", func(t *testing.T) {
		h, v := b.host(), b.viewer("ann")
		b.pair(h, v)
		v.send(&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Attach{Attach: &mfpb.Attach{Epoch: 1, Nonce: make([]byte, 15)}}})
		wantEnd(t, v.peer, mfpb.Reason_REASON_PROTOCOL, true)
	})
}
