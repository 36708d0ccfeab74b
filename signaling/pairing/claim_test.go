package pairing

import (
	"crypto/ed25519"
	"crypto/rand"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/limit"
	"github.com/mainforte/mainforte/signaling/store"
)

func status(t *testing.T, url string, header http.Header) int {
	t.Helper()
	ws, resp, err := websocket.DefaultDialer.Dial(url, header)
	if err == nil {
		ws.Close()
	}
	if resp == nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

func TestC1_AHostSendsNoOrigin(t *testing.T) {
	b := newBench(t)
	if got := status(t, b.url("/ws/host"), nil); got != http.StatusSwitchingProtocols {
		t.Fatalf("without Origin: %d", got)
	}
	for _, o := range []string{"https://evil.example", b.srv.URL, "null", ""} {
		if got := status(t, b.url("/ws/host"), http.Header{"Origin": {o}}); got != http.StatusForbidden {
			t.Errorf("Origin %q: %d, want 403", o, got)
		}
	}
}

func TestC2_AViewerComesFromOurOwnPage(t *testing.T) {
	b := newBench(t)
	url := b.url("/ws/viewer?user=ann")
	if got := status(t, url, http.Header{"Origin": {b.srv.URL}}); got != http.StatusSwitchingProtocols {
		t.Fatalf("our own Origin: %d", got)
	}
	host := strings.TrimPrefix(b.srv.URL, "http://")
	for _, o := range []string{
		"https://evil.example", "null", "", "https://" + host, "http://" + host + ".evil.example",
		b.srv.URL + "/", "http://localhost:1", strings.ToUpper(b.srv.URL),
	} {
		if got := status(t, url, http.Header{"Origin": {o}}); got != http.StatusForbidden {
			t.Errorf("Origin %q: %d, want 403", o, got)
		}
	}
	if got := status(t, url, nil); got != http.StatusForbidden {
		t.Errorf("no Origin: %d, want 403", got)
	}
	if got := status(t, url, http.Header{"Origin": {b.srv.URL, "https://evil.example"}}); got != http.StatusForbidden {
		t.Errorf("two Origins: %d, want 403", got)
	}
}

func TestPairing(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	if len(h.plate) != 3 || h.plate[0] == '0' {
		t.Errorf("the nameplate is %q", h.plate)
	}
	sid, share := []byte("0123456789abcdef"), []byte("0123456789abcdef0123456789abcdef")
	v.send(&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Claim{Claim: &mfpb.Claim{
		Nameplate: h.plate, TicketId: b.ticket.ID, Sid: sid, Share: share, Ad: wire.ViewerAD(),
	}}})
	start := want[*mfpb.ClaimStart](t, h.peer)
	if string(start.Sid) != string(sid) || string(start.Share) != string(share) || string(start.Ad) != string(wire.ViewerAD()) {
		t.Errorf("the viewer's half was changed: %v", start)
	}
	if tech := start.Technician; tech.Id != "id-ann" || tech.Name != "ann" || tech.SignedIn != "password" || tech.SignedInAt == 0 {
		t.Errorf("the technician is told as %v", tech)
	}
	if tk := start.Ticket; tk.Id != b.ticket.ID || tk.Number != b.ticket.Number || tk.Subject != "Imprimante en panne" {
		t.Errorf("the ticket is told as %v", tk)
	}
	h.reply(start.Claim)
	if r := want[*mfpb.PakeReply](t, v.peer); string(r.Claim) != string(start.Claim) || len(r.Tag) != 64 {
		t.Errorf("the host's half was changed: %v", r)
	}
	v.confirm(start.Claim)
	want[*mfpb.Confirm](t, h.peer)
	h.paired(start.Claim)
	ho, vo := want[*mfpb.Opened](t, h.peer), want[*mfpb.Opened](t, v.peer)
	if ho.Session != vo.Session || len(ho.ResumeToken) != 32 || string(ho.ResumeToken) == string(vo.ResumeToken) {
		t.Errorf("opened as %v and %v", ho, vo)
	}
}

func TestC4_AClaimNeedsAnOpenTicket(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Limits.Account = limit.Every{N: 1, In: time.Hour} })
	h, v := b.host(), b.viewer("ann")
	for _, id := range []string{"01JUNKNOWN", strings.Repeat("x", 300)} {
		v.claim(h.plate, id)
		v.refused(t, mfpb.Reason_REASON_TICKET_CLOSED)
	}
	if _, err := b.local.Close(t.Context(), b.ticket.ID); err != nil {
		t.Fatal(err)
	}
	v.claim(h.plate, b.ticket.ID)
	v.refused(t, mfpb.Reason_REASON_TICKET_CLOSED)
	quiet(t, h.peer)
	if _, err := b.local.Open(t.Context(), b.ticket.ID); err != nil {
		t.Fatal(err)
	}
	b.pair(h, v) // and none of these was counted as a guess
}

// Without a ticket only an invite can be claimed. Whether a nameplate is one is
// worth a guess: else all of them could be tried at no cost.
func TestC4_AClaimWithoutATicketIsAGuess(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Limits.Account = limit.Every{N: 2, In: time.Hour} })
	h, v := b.host(), b.viewer("ann")
	v.claim(h.plate, "")
	v.refused(t, mfpb.Reason_REASON_TICKET_CLOSED)
	v.claim("999999999", "")
	v.refused(t, mfpb.Reason_REASON_NO_SUCH_CODE)
	v.claim(h.plate, "")
	v.refused(t, mfpb.Reason_REASON_RATE_LIMITED)
	quiet(t, h.peer)
}

func TestC5_ClaimsOfOneAccountAreLimited(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Limits.Account = limit.Every{N: 5, In: 10 * time.Minute} })
	h, v := b.host(), b.viewer("ann")
	for range 4 { // wrong codes, told or not
		v.claim(h.plate, b.ticket.ID)
		claim := want[*mfpb.ClaimStart](t, h.peer).Claim
		h.reply(claim)
		want[*mfpb.PakeReply](t, v.peer)
		v.verdict(claim, mfpb.Reason_REASON_WRONG_CODE)
		if f := want[*mfpb.ClaimFailed](t, h.peer); f.Reason != mfpb.Reason_REASON_WRONG_CODE {
			t.Fatalf("told the host %v", f)
		}
	}
	unknown := "999999999"
	v.claim(unknown, b.ticket.ID)
	v.refused(t, mfpb.Reason_REASON_NO_SUCH_CODE)
	v.claim(h.plate, b.ticket.ID)
	v.refused(t, mfpb.Reason_REASON_RATE_LIMITED)
	second := b.viewer("ann") // another tab of the same account
	second.claim(h.plate, b.ticket.ID)
	second.refused(t, mfpb.Reason_REASON_RATE_LIMITED)
	quiet(t, h.peer)
	b.advance(2*time.Minute + time.Second)
	b.pair(h, v)
	if log := b.output.String(); strings.Contains(log, h.plate) {
		t.Error("a nameplate stands in the server's output")
	}
}

func TestC5_ClaimsOfOneAddressAreLimited(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Limits.Address = limit.Every{N: 3, In: time.Hour} })
	h := b.host()
	for _, u := range []string{"ann", "bob", "ann"} {
		v := b.viewer(u)
		v.claim("999999999", b.ticket.ID)
		v.refused(t, mfpb.Reason_REASON_NO_SUCH_CODE)
	}
	v := b.viewer("bob")
	v.claim(h.plate, b.ticket.ID)
	v.refused(t, mfpb.Reason_REASON_RATE_LIMITED)
}

func TestC5_TheBreakerStopsEverybody(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Limits.All = limit.Every{N: 2, In: time.Hour} })
	h := b.host()
	for _, u := range []string{"ann", "bob"} {
		v := b.viewer(u)
		v.claim("999999999", b.ticket.ID)
		v.refused(t, mfpb.Reason_REASON_NO_SUCH_CODE)
	}
	v := b.viewer("ann")
	v.claim(h.plate, b.ticket.ID)
	v.refused(t, mfpb.Reason_REASON_RATE_LIMITED)
}

func TestC5_ClaimsOfOneAccountAreLimitedOverADay(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.Limits.Account = limit.Every{N: 5, In: 10 * time.Minute}
		c.Limits.AccountDay = limit.Every{N: 7, In: 24 * time.Hour}
	})
	h, v := b.host(), b.viewer("ann")
	for range 7 { // patient enough for the short limit
		v.claim("999999999", b.ticket.ID)
		v.refused(t, mfpb.Reason_REASON_NO_SUCH_CODE)
		b.advance(2 * time.Minute)
	}
	h.want(t)
	v.claim(h.plate, b.ticket.ID)
	v.refused(t, mfpb.Reason_REASON_RATE_LIMITED)
}

func TestC5_OnlyGuessesAreCounted(t *testing.T) {
	one := limit.Every{N: 1, In: 100 * time.Hour}
	b := newBench(t, func(c *Config) {
		c.Limits.Account, c.Limits.AccountDay, c.Limits.Address, c.Limits.All = one, one, one, one
	})
	v := b.viewer("ann")
	for range 2 {
		h := b.host()
		v.claim(h.plate, b.ticket.ID)
		want[*mfpb.ClaimStart](t, h.peer)
		h.ws.Close() // before anything could be guessed
		v.refused(t, mfpb.Reason_REASON_HOST_GONE)
	}
	for range 3 { // the right code, again and again
		h := b.host()
		b.pair(h, v)
		v.end(mfpb.Reason_REASON_TECHNICIAN_ENDED)
		wantEnd(t, v.peer, mfpb.Reason_REASON_TECHNICIAN_ENDED, false)
		h.close(mfpb.Reason_REASON_TECHNICIAN_ENDED)
		b.ended(h.session)
	}
	// A guess that was not told is a guess.
	h := b.host()
	v.claim(h.plate, b.ticket.ID)
	h.reply(want[*mfpb.ClaimStart](t, h.peer).Claim)
	want[*mfpb.PakeReply](t, v.peer)
	v.ws.Close()
	want[*mfpb.ClaimFailed](t, h.peer)
	v = b.viewer("ann")
	v.claim(h.plate, b.ticket.ID)
	v.refused(t, mfpb.Reason_REASON_RATE_LIMITED)
}

func TestC6_TwoClaimsDropBoth(t *testing.T) {
	b := newBench(t)
	h, ann, bob := b.host(), b.viewer("ann"), b.viewer("bob")
	ann.claim(h.plate, b.ticket.ID)
	claim := want[*mfpb.ClaimStart](t, h.peer).Claim
	h.reply(claim)
	want[*mfpb.PakeReply](t, ann.peer)
	bob.claim(h.plate, b.ticket.ID)
	bob.refused(t, mfpb.Reason_REASON_TWO_CLAIMS)
	ann.refused(t, mfpb.Reason_REASON_TWO_CLAIMS)
	if f := want[*mfpb.ClaimFailed](t, h.peer); f.Reason != mfpb.Reason_REASON_TWO_CLAIMS || string(f.Claim) != string(claim) {
		t.Fatalf("the host was told %v", f)
	}
	// The nameplate is used up, whatever the host does.
	ann.claim(h.plate, b.ticket.ID)
	ann.refused(t, mfpb.Reason_REASON_NO_SUCH_CODE)
	// What crossed the news is no fault.
	ann.confirm(claim)
	quiet(t, h.peer)
	old := h.plate
	h.want(t)
	if h.plate == old {
		t.Error("the host got the same nameplate again")
	}
	b.pair(h, ann)
}

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
			gate := make(chan struct{})
			b.store.gate.Store(&gate)
			defer close(gate)
			defer b.store.gate.Store(nil)
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

func TestC9_OpenedComesAfterTheLogHoldsTheSession(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	claim := b.confirmed(h, v)
	gate := make(chan struct{})
	b.store.gate.Store(&gate)
	h.paired(claim)
	quiet(t, h.peer)
	quiet(t, v.peer)
	b.store.gate.Store(nil)
	close(gate)
	id := want[*mfpb.Opened](t, h.peer).Session
	want[*mfpb.Opened](t, v.peer)
	if got := b.types(id); got != "session.requested session.paired ticket.linked" {
		t.Errorf("the log holds %q", got)
	}
}

func TestC9_NoSessionWithoutALog(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	claim := b.confirmed(h, v)
	b.store.full.Store(true)
	h.paired(claim)
	wantEnd(t, h.peer, mfpb.Reason_REASON_LOG_UNAVAILABLE, false)
	wantEnd(t, v.peer, mfpb.Reason_REASON_LOG_UNAVAILABLE, false)
	b.store.full.Store(false)
	if list, _, err := Records(t.Context(), b.store, Filter{}); err != nil || len(list) != 0 {
		t.Errorf("sessions: %v %v", list, err)
	}
	// Once there is room again, both go on with a new code.
	h.want(t)
	b.pair(h, v)
}

func TestC9_ALogThatDoesNotAnswerOpensNothing(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	claim := b.confirmed(h, v)
	gate := make(chan struct{})
	b.store.gate.Store(&gate)
	h.paired(claim)
	quiet(t, h.peer)
	b.advance(31 * time.Second)
	wantEnd(t, h.peer, mfpb.Reason_REASON_LOG_UNAVAILABLE, false)
	wantEnd(t, v.peer, mfpb.Reason_REASON_LOG_UNAVAILABLE, false)
	b.store.gate.Store(nil)
	close(gate)
	quiet(t, h.peer) // no Opened
	b.advance(5 * time.Second)
	list, _, err := Records(t.Context(), b.store, Filter{})
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if r := b.ended(list[0].ID); r.Reason != "LOG_UNAVAILABLE" {
		t.Errorf("ended with %s", r.Reason)
	}
}

func TestWrongHellos(t *testing.T) {
	b := newBench(t)
	plain := func(kind mfpb.Kind, lo, hi uint32) *mfpb.Hello {
		return &mfpb.Hello{Kind: kind, MinVersion: lo, MaxVersion: hi}
	}
	for name, c := range map[string]struct {
		hello *mfpb.Hello
		want  mfpb.Reason
	}{
		"of another kind": {plain(mfpb.Kind_KIND_SERVER, 1, 1), mfpb.Reason_REASON_PROTOCOL},
		"of no kind":      {plain(mfpb.Kind_KIND_UNSPECIFIED, 1, 1), mfpb.Reason_REASON_PROTOCOL},
		"too new":         {plain(mfpb.Kind_KIND_HOST, 2, 3), mfpb.Reason_REASON_VERSION},
		"no version":      {plain(mfpb.Kind_KIND_HOST, 0, 0), mfpb.Reason_REASON_PROTOCOL},
		"inside out":      {plain(mfpb.Kind_KIND_HOST, 2, 1), mfpb.Reason_REASON_PROTOCOL},
	} {
		t.Run(name, func(t *testing.T) {
			p := b.dial(true, "")
			p.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Hello{Hello: c.hello}})
			wantEnd(t, p, c.want, true)
		})
	}
	t.Run("a viewer as host", func(t *testing.T) {
		p := b.dial(false, "ann")
		p.hello(mfpb.Kind_KIND_HOST)
		wantEnd(t, p, mfpb.Reason_REASON_PROTOCOL, true)
	})
	t.Run("none", func(t *testing.T) {
		p := b.dial(true, "")
		p.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_PlateRequest{PlateRequest: &mfpb.PlateRequest{}}})
		wantEnd(t, p, mfpb.Reason_REASON_PROTOCOL, true)
		v := b.dial(false, "ann")
		v.send(&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Claim{Claim: &mfpb.Claim{}}})
		wantEnd(t, v, mfpb.Reason_REASON_PROTOCOL, true)
	})
	t.Run("two", func(t *testing.T) {
		h, v := b.host(), b.viewer("ann")
		h.hello(mfpb.Kind_KIND_HOST)
		wantEnd(t, h.peer, mfpb.Reason_REASON_PROTOCOL, true)
		v.hello(mfpb.Kind_KIND_VIEWER)
		wantEnd(t, v.peer, mfpb.Reason_REASON_PROTOCOL, true)
	})
}

func TestBadFrames(t *testing.T) {
	b := newBench(t)
	t.Run("too large", func(t *testing.T) {
		h, v := b.host(), b.viewer("ann")
		h.raw(websocket.BinaryMessage, make([]byte, wire.MaxFrame+1))
		wantEnd(t, h.peer, mfpb.Reason_REASON_TOO_LARGE, true)
		v.raw(websocket.BinaryMessage, make([]byte, 10<<20))
		wantEnd(t, v.peer, mfpb.Reason_REASON_TOO_LARGE, true)
	})
	t.Run("text", func(t *testing.T) {
		h := b.host()
		h.raw(websocket.TextMessage, []byte("hello"))
		wantEnd(t, h.peer, mfpb.Reason_REASON_PROTOCOL, true)
	})
	t.Run("not a message", func(t *testing.T) {
		h, v := b.host(), b.viewer("ann")
		h.raw(websocket.BinaryMessage, []byte{0xff, 0xff, 0xff})
		wantEnd(t, h.peer, mfpb.Reason_REASON_PROTOCOL, true)
		v.raw(websocket.BinaryMessage, []byte{0xff, 0xff, 0xff})
		wantEnd(t, v.peer, mfpb.Reason_REASON_PROTOCOL, true)
	})
	t.Run("unknown", func(t *testing.T) {
		h, v := b.host(), b.viewer("ann")
		h.send(&mfpb.HostMessage{})
		wantEnd(t, h.peer, mfpb.Reason_REASON_UNKNOWN_MESSAGE, true)
		v.send(&mfpb.ViewerMessage{})
		wantEnd(t, v.peer, mfpb.Reason_REASON_UNKNOWN_MESSAGE, true)
	})
	t.Run("unknown and optional", func(t *testing.T) {
		h, v := b.host(), b.viewer("ann")
		h.send(&mfpb.HostMessage{Optional: true})
		v.send(&mfpb.ViewerMessage{Optional: true})
		b.pair(h, v)
	})
	t.Run("a sealed body too large", func(t *testing.T) {
		h, v := b.host(), b.viewer("ann")
		b.pair(h, v)
		v.sealed(0, make([]byte, wire.MaxSealed+16))
		want[*mfpb.Sealed](t, h.peer)
		v.sealed(1, make([]byte, wire.MaxSealed+17))
		wantEnd(t, v.peer, mfpb.Reason_REASON_TOO_LARGE, true)
	})
	t.Run("a flood", func(t *testing.T) {
		h := b.host()
		for range maxAtOnce + 200 {
			h.send(&mfpb.HostMessage{Optional: true})
		}
		wantEnd(t, h.peer, mfpb.Reason_REASON_RATE_LIMITED, true)
	})
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

func TestC3_AClaimNeedsASignInThatStillStands(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.over.Store("signin-ann", true) // ran out while the socket was open
	v.claim(h.plate, b.ticket.ID)
	wantEnd(t, v.peer, mfpb.Reason_REASON_SIGNED_OUT, false)
	wantClosed(t, v.peer, websocket.CloseNormalClosure)
	quiet(t, h.peer)
}

func TestALineThatIsNotReadIsCut(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	h.deaf.Store(true)
	h.attach(1) // what the server answers next is the last that is read
	want[*mfpb.Attach](t, v.peer)
	box := make([]byte, wire.MaxSealed)
	for i := range 300 { // 14 MB: more than any socket buffer
		v.sealed(uint64(i), box)
	}
	// At once, by the bound of the queue; the deadline of a write would take 10 s.
	m, err := v.next(7 * time.Second)
	if s, ok := m.(*mfpb.ServerToViewer); err != nil || !ok || s.GetHost() == nil || s.GetHost().Connected {
		t.Errorf("got %v %v", m, err)
	}
}

func TestWaitingLinesArePinged(t *testing.T) {
	b := newBench(t)
	h := b.dialWithPings(t)
	ping := b.desk.pings()
	for range pingSlots {
		ping()
	}
	select {
	case <-h:
	case <-time.After(soon):
		t.Error("no ping came")
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Limits.HostsPerAddress, c.Limits.Hosts, c.Limits.ViewersPerUser = 2, 2, 1 })
	h := b.host()
	b.host()
	if got := status(t, b.url("/ws/host"), nil); got != http.StatusServiceUnavailable {
		t.Errorf("a third host: %d", got)
	}
	b.viewer("ann")
	b.viewer("bob")
	if got := status(t, b.url("/ws/viewer?user=ann"), http.Header{"Origin": {b.srv.URL}}); got != http.StatusTooManyRequests {
		t.Errorf("a second viewer of ann: %d", got)
	}
	h.ws.Close()
	for deadline := time.Now().Add(soon); status(t, b.url("/ws/host"), nil) != http.StatusSwitchingProtocols; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a place that became free is not given out")
		}
	}
}

func TestFailedClaimsStandInTheLog(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	v.claim("999999999", b.ticket.ID)
	v.refused(t, mfpb.Reason_REASON_NO_SUCH_CODE)
	v.claim(h.plate, "nothing")
	v.refused(t, mfpb.Reason_REASON_TICKET_CLOSED)
	v.claim(h.plate, b.ticket.ID)
	claim := want[*mfpb.ClaimStart](t, h.peer).Claim
	h.reply(claim)
	want[*mfpb.PakeReply](t, v.peer)
	v.verdict(claim, mfpb.Reason_REASON_WRONG_CODE)
	want[*mfpb.ClaimFailed](t, h.peer)
	wanted := "session.code_failed NO_SUCH_CODE, session.rejected TICKET_CLOSED, session.code_failed WRONG_CODE"
	for deadline := time.Now().Add(soon); ; time.Sleep(5 * time.Millisecond) {
		var got []string
		for _, e := range b.events("") {
			got = append(got, e.Type+" "+e.Data["reason"].(string))
			if e.Actor.Ref != "id-ann" || e.Personal["address"] != "127.0.0.1" {
				t.Fatalf("logged as %+v", e)
			}
			if strings.Contains(string(e.Leaf), "999999999") || strings.Contains(string(e.Leaf), h.plate+`"`) {
				t.Fatal("a nameplate stands in the log")
			}
		}
		if strings.Join(got, ", ") == wanted {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("logged %v", got)
		}
	}
}

func TestTheServerHoldsOnlyHashesOfTokens(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	err := b.store.View(t.Context(), func(tx store.Tx) error {
		var host, viewer []byte
		q := `select s.host_token, p.viewer_token from sessions s join session_participants p on p.session_id = s.id`
		if err := tx.QueryRow(q).Scan(&host, &viewer); err != nil {
			return err
		}
		if string(host) == string(h.token) || string(viewer) == string(v.token) || len(host) != 32 || len(viewer) != 32 {
			t.Error("a resume token stands in the database")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
