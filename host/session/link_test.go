package session_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/session"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/gopeer"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// spoil changes what goes from the viewer to the host.
func (s *relay) spoil(change func(*mfpb.ViewerMessage) *mfpb.ViewerMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.toHost = change
}

// spoiled pairs, lets the server do its worst, and expects the reason.
func spoiled(t *testing.T, why mfpb.Reason, change func(s *relay) func(*mfpb.ViewerMessage) *mfpb.ViewerMessage) {
	t.Helper()
	r := start(t)
	l := r.server.accept()
	l.welcome()
	l.plate(nameplate)
	v, s := r.pair(l)
	s.spoil(change(s))
	r.window.Answer(t, "view", "allow")
	_ = v.Attach(ctx(t))
	r.ends(v, s, why)
	if n, _ := v.Received(wire.ChannelTiles); n > 0 {
		t.Errorf("%d picture messages", n)
	}
	s.event("session.refused")
}

func TestAnotherEpochIsRefused(t *testing.T) { // C22
	t.Run("attach again", func(t *testing.T) {
		spoiled(t, mfpb.Reason_REASON_OLD_EPOCH, func(s *relay) func(*mfpb.ViewerMessage) *mfpb.ViewerMessage {
			return func(m *mfpb.ViewerMessage) *mfpb.ViewerMessage {
				if a := m.GetAttach(); a != nil {
					s.to().send(proto.Clone(a))
				}
				return m
			}
		})
	})
	t.Run("attach ahead", func(t *testing.T) {
		spoiled(t, mfpb.Reason_REASON_OLD_EPOCH, func(s *relay) func(*mfpb.ViewerMessage) *mfpb.ViewerMessage {
			return func(m *mfpb.ViewerMessage) *mfpb.ViewerMessage {
				if a := m.GetAttach(); a != nil {
					a.Epoch = 2
				}
				return m
			}
		})
	})
	t.Run("sealed", func(t *testing.T) {
		spoiled(t, mfpb.Reason_REASON_OLD_EPOCH, func(s *relay) func(*mfpb.ViewerMessage) *mfpb.ViewerMessage {
			return func(m *mfpb.ViewerMessage) *mfpb.ViewerMessage {
				if b := m.GetSealed(); b != nil {
					b.Epoch = 2
				}
				return m
			}
		})
	})
}

func TestARepeatedOrMissingBodyIsRefused(t *testing.T) { // C23
	t.Run("repeated", func(t *testing.T) {
		spoiled(t, mfpb.Reason_REASON_TAMPERED, func(s *relay) func(*mfpb.ViewerMessage) *mfpb.ViewerMessage {
			return func(m *mfpb.ViewerMessage) *mfpb.ViewerMessage {
				if b := m.GetSealed(); b != nil {
					s.to().send(proto.Clone(b))
				}
				return m
			}
		})
	})
	t.Run("missing", func(t *testing.T) {
		spoiled(t, mfpb.Reason_REASON_TAMPERED, func(s *relay) func(*mfpb.ViewerMessage) *mfpb.ViewerMessage {
			return func(m *mfpb.ViewerMessage) *mfpb.ViewerMessage {
				if b := m.GetSealed(); b != nil && b.Counter == 0 {
					return nil
				}
				return m
			}
		})
	})
}

func TestAChangedBodyIsRefused(t *testing.T) { // C24
	spoiled(t, mfpb.Reason_REASON_TAMPERED, func(s *relay) func(*mfpb.ViewerMessage) *mfpb.ViewerMessage {
		return func(m *mfpb.ViewerMessage) *mfpb.ViewerMessage {
			if b := m.GetSealed(); b != nil {
				b.Box[0] ^= 1
			}
			return m
		}
	})
}

func TestAWrongCertificateProofEndsTheSession(t *testing.T) { // C25
	for name, spoil := range map[string]func([]byte) []byte{
		"flipped": func(mac []byte) []byte { mac[0] ^= 1; return mac },
		"empty":   func([]byte) []byte { return []byte{} },
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			l := r.server.accept()
			l.welcome()
			l.plate(nameplate)
			v, s := r.pair(l, func(o *gopeer.Options) { o.Proof = spoil })
			r.window.Answer(t, "view", "allow")
			_ = v.Attach(ctx(t))
			r.ends(v, s, mfpb.Reason_REASON_CERTIFICATE_MISMATCH)
			if n, _ := v.Received(wire.ChannelTiles); n > 0 {
				t.Errorf("%d picture messages reached a connection that proved nothing", n)
			}
		})
	}
}

// unproven is a second attach of a viewer with view and control, that keeps its
// proof to itself.
func unproven(t *testing.T, options ...func(*rig, *session.Config)) (*rig, *gopeer.Viewer, *relay) {
	t.Helper()
	r := start(t, options...)
	var silent bool
	v, s := r.live(func(o *gopeer.Options) {
		o.Proof = func(mac []byte) []byte {
			if silent {
				return nil
			}
			return mac
		}
	})
	r.control(v)
	silent = true
	r.hands.Take()
	ok(t, v.Connect(ctx(t)))
	ok(t, v.WaitChannels(ctx(t)))
	return r, v, s
}

func TestNothingIsBelievedBeforeTheProof(t *testing.T) { // C25
	t.Run("input and picture", func(t *testing.T) {
		r, v, s := unproven(t, withClock)
		must[uint32](t)(v.Key(0x04, "a", true))
		ok(t, v.SendRaw(wire.ChannelTiles, wire.AppendHello(nil)))
		unseen(t, v)
		if ops := r.hands.Ops(); len(ops) > 0 {
			t.Errorf("input of a connection that proved nothing: %v", ops)
		}
		if n, _ := v.Received(wire.ChannelControl); n != 1 {
			t.Errorf("%d messages on ctl, want the host's proof alone", n)
		}
		r.clock.Advance(16 * time.Second)
		r.ends(v, s, mfpb.Reason_REASON_CERTIFICATE_MISMATCH)
	})
	t.Run("control", func(t *testing.T) {
		r, v, s := unproven(t)
		ok(t, v.GiveBack("control"))
		r.ends(v, s, mfpb.Reason_REASON_CERTIFICATE_MISMATCH)
	})
}

func TestNothingLeavesBeforeTheProof(t *testing.T) { // C25
	r := start(t)
	l := r.server.accept()
	l.welcome()
	l.plate(nameplate)
	v, s := r.pair(l, func(o *gopeer.Options) { o.Proof = func([]byte) []byte { return nil } })
	ok(t, v.Connect(ctx(t)))
	ok(t, v.WaitChannels(ctx(t)))
	limit := ctx(t)
	for n := 0; n == 0; n, _ = v.Received(wire.ChannelControl) { // the host's proof: it could speak now
		ok(t, limit.Err())
		time.Sleep(time.Millisecond)
	}
	r.window.Answer(t, "view", "allow")
	s.event("consent.granted")
	r.screen.SetCursor(capture.Cursor{Width: 1, Height: 1, RGBA: []byte{9, 9, 9, 255}})
	unseen(t, v)
	if n, _ := v.Received(wire.ChannelControl); n != 1 {
		t.Errorf("%d messages on ctl, want the host's proof alone", n)
	}
}

func TestAnotherChannelIsClosedAtOnce(t *testing.T) { // C26
	r := start(t)
	v, _ := r.live()
	dc := must[*webrtc.DataChannel](t)(v.PeerConnection().CreateDataChannel("more", nil))
	closed := make(chan struct{})
	dc.OnClose(func() { close(closed) })
	select {
	case <-closed:
	case <-time.After(5 * time.Second):
		t.Error("it stays open")
	}
	r.paint(1, 1, 0x112233)
	r.sees(v, 1, 1, 0x112233)
}

func TestHostileMessagesEndWithTheirReason(t *testing.T) {
	hello := wire.Versions(&mfpb.Hello{Kind: mfpb.Kind_KIND_VIEWER})
	control := func(m *mfpb.Control) []byte { return must[[]byte](t)(wire.Encode(m, wire.MaxControl)) }
	for name, c := range map[string]struct {
		channel uint16
		msg     []byte
		why     mfpb.Reason
	}{
		"ctl: large":            {wire.ChannelControl, make([]byte, wire.MaxControl+1), mfpb.Reason_REASON_TOO_LARGE},
		"ctl: no message":       {wire.ChannelControl, []byte{0xff, 0xff}, mfpb.Reason_REASON_PROTOCOL},
		"ctl: unknown":          {wire.ChannelControl, []byte{0xfa, 0x07, 0x00}, mfpb.Reason_REASON_UNKNOWN_MESSAGE},
		"ctl: what a host says": {wire.ChannelControl, control(&mfpb.Control{Body: &mfpb.Control_Grants{Grants: &mfpb.Grants{}}}), mfpb.Reason_REASON_PROTOCOL},
		"ctl: second hello":     {wire.ChannelControl, control(&mfpb.Control{Body: &mfpb.Control_Hello{Hello: hello}}), mfpb.Reason_REASON_PROTOCOL},
		"ctl: second proof":     {wire.ChannelControl, control(&mfpb.Control{Body: &mfpb.Control_Proof{Proof: &mfpb.CertificateProof{}}}), mfpb.Reason_REASON_PROTOCOL},
		"in: large":             {wire.ChannelInput, make([]byte, wire.MaxInput+1), mfpb.Reason_REASON_TOO_LARGE},
		"in: short":             {wire.ChannelInput, []byte{4}, mfpb.Reason_REASON_PROTOCOL},
		"in: unknown":           {wire.ChannelInput, []byte{99, 0, 0, 0, 1, 0, 0, 0}, mfpb.Reason_REASON_UNKNOWN_MESSAGE},
		"in-fast: text":         {wire.ChannelInputFast, must[[]byte](t)(wire.AppendInput(nil, &wire.InputEvent{Kind: wire.InputText, Seq: 1, Text: "x"})), mfpb.Reason_REASON_PROTOCOL},
		"cursor":                {wire.ChannelCursor, []byte{0}, mfpb.Reason_REASON_PROTOCOL},
		"tiles: large":          {wire.ChannelTiles, make([]byte, wire.MaxTileAnswer+1), mfpb.Reason_REASON_TOO_LARGE},
		"tiles: second hello":   {wire.ChannelTiles, wire.AppendHello(nil), mfpb.Reason_REASON_PROTOCOL},
		"tiles: never sent":     {wire.ChannelTiles, wire.AppendAck(nil, 1<<30), mfpb.Reason_REASON_PROTOCOL},
		"tiles-fast: large":     {wire.ChannelTilesFast, make([]byte, wire.MaxTileAnswer+1), mfpb.Reason_REASON_TOO_LARGE},
		"tiles-fast: restart":   {wire.ChannelTilesFast, wire.AppendRestart(nil), mfpb.Reason_REASON_PROTOCOL},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			v, s := r.live()
			must[uint32](t)(v.WaitUpdate(ctx(t), 0))
			ok(t, v.SendRaw(c.channel, c.msg))
			r.ends(v, s, c.why)
			s.event("session.refused")
		})
	}
}

func TestAnUnknownOptionalControlMessageIsSkipped(t *testing.T) {
	r := start(t)
	v, _ := r.live()
	ok(t, v.SendRaw(wire.ChannelControl, []byte{0x08, 0x01, 0xfa, 0x07, 0x00}))
	r.control(v)
}

func TestSealedBodiesThatMayNotStandEndTheSession(t *testing.T) {
	for name, body := range map[string]*mfpb.SealedBody{
		"answer":    {Body: &mfpb.SealedBody_Description{Description: &mfpb.Description{Type: "answer"}}},
		"no sdp":    {Body: &mfpb.SealedBody_Description{Description: &mfpb.Description{Type: "offer", Sdp: strings.Repeat("x", 40<<10)}}},
		"empty sdp": {Body: &mfpb.SealedBody_Description{Description: &mfpb.Description{Type: "offer"}}},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			v, s := r.live()
			ok(t, v.Seal(body))
			r.ends(v, s, mfpb.Reason_REASON_PROTOCOL)
		})
	}
	t.Run("candidates without end", func(t *testing.T) {
		r := start(t)
		v, s := r.live()
		for range 130 {
			if v.Seal(&mfpb.SealedBody{Body: &mfpb.SealedBody_Candidate{Candidate: &mfpb.Candidate{Candidate: "nonsense"}}}) != nil {
				break
			}
		}
		r.ends(v, s, mfpb.Reason_REASON_PROTOCOL)
	})
	t.Run("bye", func(t *testing.T) {
		r := start(t)
		v, s := r.live()
		ok(t, v.Seal(&mfpb.SealedBody{Body: &mfpb.SealedBody_Bye{Bye: &mfpb.Bye{Reason: mfpb.Reason_REASON_PERSON_STOPPED}}}))
		r.ends(v, s, mfpb.Reason_REASON_TECHNICIAN_ENDED)
	})
}

func TestStopIsAtOnce(t *testing.T) { // P5
	r := start(t)
	v, s := r.live()
	r.control(v)
	ok(t, v.WaitAck(ctx(t), must[uint32](t)(v.Key(0x04, "a", true))))
	stop := make(chan struct{})
	painting := make(chan struct{})
	go func() {
		defer close(painting)
		for i := uint32(0); ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
				r.paint(int(i%64), 7, i)
			}
		}
	}()
	defer func() { close(stop); <-painting }()
	n := must[uint32](t)(v.WaitUpdate(ctx(t), 0))
	must[uint32](t)(v.WaitUpdate(ctx(t), n+5))
	said := time.Now()
	r.window.Say(ui.Command{Do: "stop"})
	r.window.Wait(t, "ended")
	if took := time.Since(said); took > 250*time.Millisecond {
		t.Errorf("it took %v", took)
	}
	last, _ := v.Received(wire.ChannelTiles)
	r.logged(s, mfpb.Reason_REASON_PERSON_STOPPED)
	time.Sleep(moment)
	if n, _ := v.Received(wire.ChannelTiles); n > last+64 {
		t.Errorf("%d picture messages after the end", n-last)
	}
	frames := r.screen.Frames()
	time.Sleep(moment)
	if n := r.screen.Frames(); n != frames {
		t.Errorf("%d frames were captured after the end", n-frames)
	}
	if ops := r.hands.Ops(); !slices.Contains(ops, "key 04 up") || !slices.Contains(ops, "restore") {
		t.Errorf("not let go and put back: %v", ops)
	}
}

func TestAViewerThatComesBackFindsItsGrants(t *testing.T) {
	r := start(t)
	v, s := r.live()
	r.control(v)
	seq := must[uint32](t)(v.Key(0x04, "a", true))
	ok(t, v.WaitAck(ctx(t), seq))
	v.Cut()
	s.event("session.paused")
	if down := r.hands.Down(); len(down) > 0 { // C34
		t.Errorf("still down after the connection was lost: %v", down)
	}
	ok(t, v.Attach(ctx(t)))
	s.event("session.resumed")
	ok(t, v.WaitGrant(ctx(t), "control", gopeer.Allowed))
	r.paint(2, 2, 0x445566)
	r.sees(v, 2, 2, 0x445566)
	if ops := r.click(v); !slices.Contains(ops, "left down") {
		t.Errorf("control is allowed and nothing happens: %v", ops)
	}
	r.window.Say(ui.Command{Do: "stop"})
	r.ends(v, s, mfpb.Reason_REASON_PERSON_STOPPED)
}

func TestAViewerThatAttachesAgainReplacesItsFormerConnection(t *testing.T) {
	r := start(t)
	v, s := r.live()
	for range 3 {
		ok(t, v.Attach(ctx(t)))
	}
	r.paint(2, 2, 0x445566)
	r.sees(v, 2, 2, 0x445566)
	s.event("session.resumed")
}

func TestAViewerThatStaysAwayEndsTheSession(t *testing.T) {
	r := start(t, withClock)
	v, s := r.live()
	v.Cut()
	s.event("session.paused")
	r.clock.Advance(10*time.Minute + time.Second)
	r.ends(v, s, mfpb.Reason_REASON_VIEWER_GONE)
}

func TestAViewerThatFindsNoWayEndsTheSession(t *testing.T) {
	r := start(t, withClock)
	l := r.server.accept()
	l.welcome()
	l.plate(nameplate)
	v, s := r.pair(l)
	r.window.Answer(t, "view", "allow")
	r.window.Wait(t, "participants")
	s.event("consent.granted")
	r.clock.Advance(31 * time.Second)
	r.ends(v, s, mfpb.Reason_REASON_NO_ROUTE)
}

func TestALostScreenEndsTheSession(t *testing.T) {
	r := start(t)
	v, s := r.live()
	must[uint32](t)(v.WaitUpdate(ctx(t), 0))
	r.screen.Lose()
	r.ends(v, s, mfpb.Reason_REASON_CAPTURE_LOST)
}

func TestLostHandsEndTheSession(t *testing.T) {
	r := start(t)
	v, s := r.live()
	r.control(v)
	r.hands.Lose(input.ErrLost)
	must[uint32](t)(v.Key(0x04, "a", true))
	r.ends(v, s, mfpb.Reason_REASON_CAPTURE_LOST)
}

func TestTheHostListensNowhere(t *testing.T) { // P6
	r := start(t)
	before := listening(t)
	v, _ := r.live()
	must[uint32](t)(v.WaitUpdate(ctx(t), 0))
	for socket := range listening(t) {
		if !before[socket] {
			t.Errorf("a listening socket: %s", socket)
		}
	}
}

// listening lists this system's listening TCP sockets and multicast DNS sockets.
func listening(t *testing.T) map[string]bool {
	t.Helper()
	found := make(map[string]bool)
	for file, isOpen := range map[string]func(local, state string) bool{
		"tcp":  func(_, state string) bool { return state == "0A" },
		"tcp6": func(_, state string) bool { return state == "0A" },
		"udp":  func(local, _ string) bool { return strings.HasSuffix(local, ":14E9") },
		"udp6": func(local, _ string) bool { return strings.HasSuffix(local, ":14E9") },
	} {
		b, err := os.ReadFile("/proc/self/net/" + file)
		if err != nil {
			t.Skipf("no list of sockets on this system: %v", err)
		}
		for line := range bytes.Lines(b) {
			f := strings.Fields(string(line))
			if len(f) > 9 && isOpen(f[1], f[3]) && mine(f[9]) {
				found[file+" "+f[1]] = true
			}
		}
	}
	return found
}

// mine tells whether a socket belongs to this process: others come and go.
func mine(inode string) bool {
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && to == "socket:["+inode+"]" {
			return true
		}
	}
	return false
}
