package pairing

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
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
