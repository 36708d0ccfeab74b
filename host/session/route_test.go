package session_test

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/host/session"
	"github.com/mainforte/mainforte/internal/e2e/gopeer"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// moves lets a test change the computer's addresses.
type moves struct {
	mu   sync.Mutex
	list []netip.Addr
}

func (m *moves) now() []netip.Addr {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.list
}

func (m *moves) to(list ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = nil
	for _, a := range list {
		m.list = append(m.list, netip.MustParseAddr(a))
	}
}

// begun counts the pictures that began: a restart of ICE begins none.
func begun(v *gopeer.Viewer) int { return v.Starts() }

func TestAnICERestartKeepsTheConnection(t *testing.T) {
	r := start(t)
	v, s := r.live()
	r.paint(1, 1, 0x111111)
	r.sees(v, 1, 1, 0x111111)
	n, pc := begun(v), v.PeerConnection()
	before := must[string](t)(v.Ufrag())
	ok(t, v.Restart())
	ok(t, v.WaitUfrag(ctx(t), before))
	r.paint(1, 1, 0x222222)
	r.sees(v, 1, 1, 0x222222)
	if v.PeerConnection() != pc || begun(v) != n {
		t.Error("the picture began anew")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if e.Type == "session.paused" {
			t.Error("the session was paused by an ICE restart")
		}
	}
}

func TestFreshKeysForAStandingConnection(t *testing.T) { // C46
	r := start(t)
	v, s := r.live()
	r.paint(1, 1, 0x111111)
	r.sees(v, 1, 1, 0x111111)
	n := begun(v)
	// The server went and came back: sealed bodies may be lost.
	s.to().conn.Close()
	r.back(s)
	ok(t, v.WaitNotice(ctx(t), mfpb.NoticeCode_NOTICE_CODE_SERVER_BACK))
	if kept := must[bool](t)(v.Keep(ctx(t))); !kept {
		t.Fatal("the host keeps nothing")
	}
	before := must[string](t)(v.Ufrag())
	ok(t, v.Restart())
	ok(t, v.WaitUfrag(ctx(t), before))
	r.paint(1, 1, 0x222222)
	r.sees(v, 1, 1, 0x222222)
	if begun(v) != n {
		t.Error("the picture began anew")
	}
}

func TestNothingIsKeptThatWasNotProven(t *testing.T) { // C46
	r := start(t)
	l := r.server.accept()
	l.welcome()
	l.plate(nameplate)
	v, s := r.pair(l, func(o *gopeer.Options) { o.Proof = func([]byte) []byte { return nil } })
	r.window.Answer(t, "view", "allow")
	ok(t, v.Connect(ctx(t)))
	ok(t, v.WaitState(ctx(t), "connected"))
	if kept := must[bool](t)(v.Keep(ctx(t))); kept {
		t.Error("a connection without a proof is kept")
	}
	r.paint(1, 1, 0x111111)
	time.Sleep(100 * time.Millisecond)
	if n, _ := v.Received(wire.ChannelTiles); n > 0 {
		t.Errorf("%d picture messages without a proof", n)
	}
	_ = s
}

func TestAnotherAddressIsAnotherRoute(t *testing.T) {
	m := new(moves)
	m.to("192.0.2.7")
	r := start(t, func(_ *rig, cfg *session.Config) { cfg.Addresses = m.now })
	v, _ := r.live()
	m.to("192.0.2.7", "198.51.100.9") // a cable was plugged in
	ok(t, v.WaitRoute(ctx(t), 1))
	m.to("198.51.100.9")
	ok(t, v.WaitRoute(ctx(t), 2))
}

func TestAChangeOfAddressIsToldOnceTheKeysStand(t *testing.T) {
	m := new(moves)
	m.to("192.0.2.7")
	r := start(t, func(_ *rig, cfg *session.Config) { cfg.Addresses = m.now })
	v, s := r.live()
	s.to().conn.Close()
	ok(t, v.WaitNotice(ctx(t), mfpb.NoticeCode_NOTICE_CODE_SERVER_AWAY))
	m.to("198.51.100.9")
	time.Sleep(2 * session.LookTime)
	r.back(s)
	if kept := must[bool](t)(v.Keep(ctx(t))); !kept {
		t.Fatal("the host keeps nothing")
	}
	ok(t, v.WaitRoute(ctx(t), 1))
}

func TestRelaysAreBounded(t *testing.T) {
	for name, m := range map[string]*mfpb.Relay{
		"servers": {Servers: make([]*mfpb.IceServer, 9)},
		"urls":    {Servers: []*mfpb.IceServer{{Urls: make([]string, 9)}}},
		"secret":  {Servers: []*mfpb.IceServer{{Credential: string(make([]byte, 513))}}},
	} {
		t.Run(name, func(t *testing.T) {
			for i, s := range m.Servers {
				if s == nil {
					m.Servers[i] = &mfpb.IceServer{}
				}
			}
			r := start(t)
			v, s := r.live()
			s.to().send(m)
			r.ends(v, s, mfpb.Reason_REASON_PROTOCOL)
		})
	}
}

func TestARelayThatCannotBeUsedKeepsNobodyApart(t *testing.T) {
	r := start(t)
	v, s := r.live()
	s.to().send(&mfpb.Relay{Servers: []*mfpb.IceServer{
		{Urls: []string{"turn:", "http://help.example.org", "turn:help.example.org:port"}, Username: "u", Credential: "c"},
		{Urls: []string{"turn:127.0.0.1:9?transport=udp"}}, // no credential
	}})
	ok(t, v.Attach(ctx(t)))
	r.paint(2, 2, 0x445566)
	r.sees(v, 2, 2, 0x445566)
}

func TestASlowBrowserStandsInTheLog(t *testing.T) {
	r := start(t)
	v, s := r.live()
	say := func(code mfpb.NoticeCode, value uint32) {
		ok(t, v.Control(&mfpb.Control{Optional: true, Body: &mfpb.Control_Notice{Notice: &mfpb.Notice{Code: code, Value: value}}}))
	}
	say(mfpb.NoticeCode_NOTICE_CODE_BROWSER_SLOW, 400)
	say(mfpb.NoticeCode_NOTICE_CODE_BROWSER_SLOW, 500)
	say(mfpb.NoticeCode_NOTICE_CODE_BROWSER_GOOD, 0)
	if e := s.event("session.degraded"); string(e.Data) != `{"participant":"1","reason":"BROWSER_SLOW","value":400}` {
		t.Errorf("logged %s", e.Data)
	}
	s.event("session.restored")
	say(mfpb.NoticeCode_NOTICE_CODE_SERVER_AWAY, 0) // that is the host's to say
	r.ends(v, s, mfpb.Reason_REASON_PROTOCOL)
}

// The viewer's line broke while the host's half of an attach was on its way.
func TestALostAnswerToAnAttachIsGivenAgain(t *testing.T) { // C47
	r := start(t)
	v, s := r.live()
	var said *mfpb.Attach
	s.mu.Lock()
	s.losing = true
	n := s.attaches
	s.mu.Unlock()
	s.spoil(func(m *mfpb.ViewerMessage) *mfpb.ViewerMessage {
		if a := m.GetAttach(); a != nil {
			said = proto.CloneOf(a)
		}
		return m
	})
	kept := make(chan bool, 1)
	go func() {
		k, err := v.Keep(ctx(t))
		kept <- k && err == nil
	}()
	s.until("an answer that is lost", func() bool { return s.attaches == n+1 })
	s.mu.Lock()
	s.losing = false
	s.mu.Unlock()
	s.to().send(&mfpb.ViewerState{})
	s.to().send(&mfpb.ViewerState{Connected: true})
	s.to().send(said)
	if !<-kept {
		t.Fatal("the connection was not kept")
	}
	before := must[string](t)(v.Ufrag())
	ok(t, v.Restart())
	ok(t, v.WaitUfrag(ctx(t), before))
	// Now the viewer has the keys: the same again is somebody else's.
	s.to().send(&mfpb.ViewerState{})
	s.to().send(said)
	r.ends(v, s, mfpb.Reason_REASON_OLD_EPOCH)
}

func TestALostAnswerIsGivenToNobodyElse(t *testing.T) { // C47
	r := start(t)
	v, s := r.live()
	s.mu.Lock()
	s.losing = true
	n := s.attaches
	s.mu.Unlock()
	go func() { _, _ = v.Keep(ctx(t)) }()
	s.until("an answer that is lost", func() bool { return s.attaches == n+1 })
	s.to().send(&mfpb.ViewerState{})
	s.to().send(&mfpb.Attach{Epoch: 2, Nonce: make([]byte, 16)})
	r.ends(v, s, mfpb.Reason_REASON_OLD_EPOCH)
}
