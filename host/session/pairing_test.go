package session_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mainforte/mainforte/host/session"
	"github.com/mainforte/mainforte/internal/pake"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// guess is a technician who types a code, or a server that guesses one.
type guess struct {
	id []byte
	p  *pake.Viewer
}

// try sends a claim with a secret.
func (r *rig) try(l *hostLine, id byte, secret, plate string) *guess {
	r.t.Helper()
	p, err := pake.NewViewer(secret, "127.0.0.1", plate)
	if err != nil {
		r.t.Fatal(err)
	}
	g := &guess{bytes.Repeat([]byte{id}, wire.ClaimSize), p}
	l.send(&mfpb.ClaimStart{Claim: g.id, Sid: p.SID(), Share: p.Share(), Ad: p.AD(), Technician: &mfpb.Technician{Name: "T"}})
	return g
}

// wrong is a secret that is not the one given.
func wrong(secret string) string {
	b := []byte(secret)
	b[0] = '0' + (b[0]-'0'+1)%10
	return string(b)
}

// tag finishes the viewer's side.
func (g *guess) tag(t *testing.T, m *mfpb.PakeReply) []byte {
	t.Helper()
	_, tag, err := g.p.Finish(m.Share, m.Ad, m.Tag)
	if err != nil {
		t.Fatal(err)
	}
	return tag
}

// refused expects the host to refuse a claim.
func refused(l *hostLine, g *guess, why mfpb.Reason) {
	l.t.Helper()
	if m := expect[*mfpb.ClaimRefused](l); m.Reason != why || !bytes.Equal(m.Claim, g.id) {
		l.t.Fatalf("refused %x with %v, want %x with %v", m.Claim, m.Reason, g.id, why)
	}
}

// waiting is a host that shows a code on line l.
func waiting(t *testing.T, options ...func(*rig, *session.Config)) (r *rig, l *hostLine, secret string) {
	t.Helper()
	r = start(t, options...)
	l = r.server.accept()
	l.welcome()
	l.plate(nameplate)
	plate, secret := r.code()
	if plate != nameplate || !wire.ValidSecret(secret) {
		t.Fatalf("code %q %q", plate, secret)
	}
	return r, l, secret
}

func TestNoCodeForAServerWithAnotherName(t *testing.T) { // C10
	r := start(t)
	l := r.server.accept()
	expect[*mfpb.Hello](l)
	l.send(wire.Versions(&mfpb.Hello{Kind: mfpb.Kind_KIND_SERVER}))
	l.send(&mfpb.Welcome{PublicHost: "help.example.org"})
	if e := r.window.Wait(t, "error"); e.Reason != "SERVER_NAME" {
		t.Errorf("the person was told %+v", e)
	}
	<-l.over
	var close *websocket.CloseError
	if !errors.As(l.why, &close) || close.Text != "REASON_SERVER_NAME" {
		t.Errorf("the server was told %v", l.why)
	}
	if err := r.wait(); wire.Reason(err) != mfpb.Reason_REASON_SERVER_NAME {
		t.Errorf("Run: %v", err)
	}
	for _, e := range r.window.Events() {
		if e.Name == "code" {
			t.Error("a code was shown")
		}
	}
}

func TestTheFourthTryIsRefusedWhateverTheServerDoes(t *testing.T) { // C11, C12
	r, l, secret := waiting(t)
	for i := range byte(3) {
		g := r.try(l, i, wrong(secret), nameplate)
		expect[*mfpb.PakeReply](l)
		// Even a try that the server lets vanish was counted before the answer.
		l.send(&mfpb.ClaimFailed{Claim: g.id, Reason: mfpb.Reason_REASON_VIEWER_GONE})
	}
	if m := expect[*mfpb.PlateRequest](l); m.Why != mfpb.Reason_REASON_TOO_MANY_TRIES {
		t.Errorf("why: %v", m.Why)
	}
	refused(l, r.try(l, 9, secret, nameplate), mfpb.Reason_REASON_TOO_MANY_TRIES)
	l.send(&mfpb.Plate{Nameplate: "5555"})
	e := r.window.Wait(t, "code")
	if e.Reason != "TOO_MANY_TRIES" || e.Text == "" {
		t.Errorf("the person is not told why there is a new code: %+v", e)
	}
	plate, next, _ := wire.ParseCode(e.Code)
	if plate != "5555" || next == secret {
		t.Errorf("the code is not new: %q", e.Code)
	}
	g := r.try(l, 10, next, "5555")
	l.send(&mfpb.Confirm{Claim: g.id, Tag: g.tag(t, expect[*mfpb.PakeReply](l))})
	expect[*mfpb.Paired](l)
}

func TestAWrongTagIsAFailedTry(t *testing.T) { // C19
	r, l, secret := waiting(t)
	for i := range byte(3) {
		g := r.try(l, i, wrong(secret), nameplate)
		expect[*mfpb.PakeReply](l)
		l.send(&mfpb.Confirm{Claim: g.id, Tag: make([]byte, wire.TagSize)})
		refused(l, g, mfpb.Reason_REASON_WRONG_CODE)
		// The right tag would be too late now, and nothing opens a session.
		l.send(&mfpb.Opened{Session: sessionID, ResumeToken: make([]byte, wire.ResumeSize), Claim: g.id, Participant: "1"})
	}
	expect[*mfpb.PlateRequest](l)
	for _, e := range r.window.Events() {
		if e.Name == "session" || e.Name == "ask" {
			t.Errorf("the person was shown %+v", e)
		}
	}
}

func TestNoSessionOpensBeforeTheViewersTag(t *testing.T) { // C19
	r, l, secret := waiting(t)
	g := r.try(l, 1, wrong(secret), nameplate)
	expect[*mfpb.PakeReply](l)
	l.send(&mfpb.Opened{Session: sessionID, ResumeToken: make([]byte, wire.ResumeSize), Claim: g.id, Participant: "1"})
	l.quiet() // of a session it would write down that the person was asked
	for _, e := range r.window.Events() {
		if e.Name == "session" || e.Name == "ask" {
			t.Errorf("the person was shown %+v", e)
		}
	}
}

func TestAnOldCodeIsRefused(t *testing.T) { // C13
	r, l, secret := waiting(t, withClock)
	r.clock.Advance(session.CodeLife)
	if m := expect[*mfpb.PlateRequest](l); m.Why != mfpb.Reason_REASON_CODE_EXPIRED {
		t.Errorf("why: %v", m.Why)
	}
	refused(l, r.try(l, 1, secret, nameplate), mfpb.Reason_REASON_CODE_EXPIRED)
	l.send(&mfpb.Plate{Nameplate: "777"})
	if e := r.window.Wait(t, "code"); e.Reason != "CODE_EXPIRED" {
		t.Errorf("%+v", e)
	}
}

func TestACodeLivesTenMinutesAndNoLess(t *testing.T) {
	r, l, secret := waiting(t, withClock)
	r.clock.Advance(session.CodeLife - time.Second)
	g := r.try(l, 1, secret, nameplate)
	l.send(&mfpb.Confirm{Claim: g.id, Tag: g.tag(t, expect[*mfpb.PakeReply](l))})
	expect[*mfpb.Paired](l)
}

func TestACodeWorksOnce(t *testing.T) { // C14
	r, l, secret := waiting(t)
	g := r.try(l, 1, secret, nameplate)
	l.send(&mfpb.Confirm{Claim: g.id, Tag: g.tag(t, expect[*mfpb.PakeReply](l))})
	expect[*mfpb.Paired](l)
	refused(l, r.try(l, 2, secret, nameplate), mfpb.Reason_REASON_NO_SUCH_CODE)
	l.send(&mfpb.Opened{Session: sessionID, ResumeToken: make([]byte, wire.ResumeSize), Claim: g.id, Participant: "1"})
	r.window.Wait(t, "ask")
	expect[*mfpb.HostEvent](l)
	refused(l, r.try(l, 3, secret, nameplate), mfpb.Reason_REASON_NO_SUCH_CODE)
}

func TestTwoClaimsAtOnceDropBoth(t *testing.T) { // C15
	r, l, secret := waiting(t)
	first := r.try(l, 1, secret, nameplate)
	tag := first.tag(t, expect[*mfpb.PakeReply](l))
	second := r.try(l, 2, secret, nameplate)
	refused(l, second, mfpb.Reason_REASON_TWO_CLAIMS)
	refused(l, first, mfpb.Reason_REASON_TWO_CLAIMS)
	if m := expect[*mfpb.PlateRequest](l); m.Why != mfpb.Reason_REASON_TWO_CLAIMS {
		t.Errorf("why: %v", m.Why)
	}
	// The first knew the code; it is worth nothing any more, and nor is the code.
	l.send(&mfpb.Confirm{Claim: first.id, Tag: tag})
	refused(l, r.try(l, 3, secret, nameplate), mfpb.Reason_REASON_TWO_CLAIMS)
	l.send(&mfpb.Plate{Nameplate: "777"})
	if e := r.window.Wait(t, "code"); e.Reason != "TWO_CLAIMS" || e.Text == "" {
		t.Errorf("%+v", e)
	}
	l.quiet()
}

func TestSharesAndRolesNoHonestViewerSends(t *testing.T) { // C16, C18
	for name, spoil := range map[string]func(*mfpb.ClaimStart){
		"role":          func(m *mfpb.ClaimStart) { m.Ad = wire.AppendLV(nil, []byte("mf/1 host")) },
		"no role":       func(m *mfpb.ClaimStart) { m.Ad = nil },
		"neutral share": func(m *mfpb.ClaimStart) { m.Share = make([]byte, wire.ShareSize) },
		"invalid share": func(m *mfpb.ClaimStart) { m.Share = bytes.Repeat([]byte{0xff}, wire.ShareSize) },
		"short share":   func(m *mfpb.ClaimStart) { m.Share = m.Share[:31] },
		"short sid":     func(m *mfpb.ClaimStart) { m.Sid = m.Sid[:15] },
	} {
		t.Run(name, func(t *testing.T) {
			r, l, secret := waiting(t)
			p, err := pake.NewViewer(secret, "127.0.0.1", nameplate)
			if err != nil {
				t.Fatal(err)
			}
			m := &mfpb.ClaimStart{Claim: make([]byte, wire.ClaimSize), Sid: p.SID(), Share: p.Share(), Ad: p.AD()}
			spoil(m)
			for range 3 {
				l.send(m)
				if m := expect[*mfpb.ClaimRefused](l); m.Reason != mfpb.Reason_REASON_PROTOCOL {
					t.Errorf("reason %v", m.Reason)
				}
			}
			// Each was a try.
			expect[*mfpb.PlateRequest](l)
			_ = r
		})
	}
}

func TestTheHostsOwnAnswerSentBackOpensNothing(t *testing.T) { // C17, C19
	r, l, secret := waiting(t)
	g := r.try(l, 1, wrong(secret), nameplate)
	m := expect[*mfpb.PakeReply](l)
	l.send(&mfpb.Confirm{Claim: g.id, Tag: m.Tag})
	refused(l, g, mfpb.Reason_REASON_WRONG_CODE)
}

func TestAClaimWithoutVerdictIsATry(t *testing.T) {
	r, l, secret := waiting(t, withClock)
	for i := range byte(3) {
		g := r.try(l, i, secret, nameplate)
		expect[*mfpb.PakeReply](l)
		r.clock.Advance(time.Minute)
		refused(l, g, mfpb.Reason_REASON_VIEWER_GONE)
	}
	if m := expect[*mfpb.PlateRequest](l); m.Why != mfpb.Reason_REASON_TOO_MANY_TRIES {
		t.Errorf("why: %v", m.Why)
	}
}

func TestALogThatCannotBeWrittenOpensNoSession(t *testing.T) {
	r, l, secret := waiting(t)
	g := r.try(l, 1, secret, nameplate)
	l.send(&mfpb.Confirm{Claim: g.id, Tag: g.tag(t, expect[*mfpb.PakeReply](l))})
	expect[*mfpb.Paired](l)
	l.send(&mfpb.End{Reason: mfpb.Reason_REASON_LOG_UNAVAILABLE})
	if e := r.window.Wait(t, "error"); e.Reason != "LOG_UNAVAILABLE" || e.Text == "" {
		t.Errorf("%+v", e)
	}
	if m := expect[*mfpb.PlateRequest](l); m.Why != mfpb.Reason_REASON_LOG_UNAVAILABLE {
		t.Errorf("why: %v", m.Why)
	}
	refused(l, r.try(l, 2, secret, nameplate), mfpb.Reason_REASON_NO_SUCH_CODE)
}

func TestAServerThatNeverOpensTheSessionIsNotWaitedForInSilence(t *testing.T) {
	r, l, secret := waiting(t, withClock)
	g := r.try(l, 1, secret, nameplate)
	l.send(&mfpb.Confirm{Claim: g.id, Tag: g.tag(t, expect[*mfpb.PakeReply](l))})
	expect[*mfpb.Paired](l)
	r.clock.Advance(time.Minute)
	if e := r.window.Wait(t, "error"); e.Reason != "LOG_UNAVAILABLE" || e.Text == "" {
		t.Errorf("%+v", e)
	}
	if m := expect[*mfpb.PlateRequest](l); m.Why != mfpb.Reason_REASON_LOG_UNAVAILABLE {
		t.Errorf("why: %v", m.Why)
	}
}

func TestALostLineMeansAnotherCode(t *testing.T) {
	r, l, secret := waiting(t)
	l.conn.Close()
	l = r.server.accept()
	l.welcome()
	l.plate("9999")
	if plate, next := r.code(); plate != "9999" || next == secret {
		t.Errorf("the code is not new: %s %s", plate, next)
	}
}

func TestAServerThatBreaksTheProtocolIsLeft(t *testing.T) {
	hello := wire.Versions(&mfpb.Hello{Kind: mfpb.Kind_KIND_SERVER})
	welcome := &mfpb.Welcome{PublicHost: "127.0.0.1"}
	for name, c := range map[string]struct {
		say func(l *hostLine)
		why mfpb.Reason
	}{
		"welcome before hello": {func(l *hostLine) { l.send(welcome) }, mfpb.Reason_REASON_PROTOCOL},
		"two hellos":           {func(l *hostLine) { l.send(hello); l.send(hello) }, mfpb.Reason_REASON_PROTOCOL},
		"hello of a viewer": {func(l *hostLine) {
			l.send(wire.Versions(&mfpb.Hello{Kind: mfpb.Kind_KIND_VIEWER}))
		}, mfpb.Reason_REASON_PROTOCOL},
		"another version": {func(l *hostLine) {
			l.send(&mfpb.Hello{Kind: mfpb.Kind_KIND_SERVER, MinVersion: 2, MaxVersion: 3})
		}, mfpb.Reason_REASON_VERSION},
		"plate before welcome": {func(l *hostLine) { l.send(hello); l.send(&mfpb.Plate{Nameplate: "123"}) }, mfpb.Reason_REASON_PROTOCOL},
		"plate unasked": {func(l *hostLine) {
			l.send(hello)
			l.send(welcome)
			l.send(&mfpb.Plate{Nameplate: "123"})
			l.send(&mfpb.Plate{Nameplate: "456"})
		}, mfpb.Reason_REASON_PROTOCOL},
		"plate of letters": {func(l *hostLine) { l.send(hello); l.send(welcome); l.send(&mfpb.Plate{Nameplate: "12a"}) }, mfpb.Reason_REASON_PROTOCOL},
		"attach without session": {func(l *hostLine) {
			l.send(hello)
			l.send(welcome)
			l.send(&mfpb.Attach{Epoch: 1, Nonce: make([]byte, 16)})
		}, mfpb.Reason_REASON_PROTOCOL},
		"short claim": {func(l *hostLine) { l.send(hello); l.send(welcome); l.send(&mfpb.ClaimStart{Claim: []byte{1}}) }, mfpb.Reason_REASON_PROTOCOL},
		"no message":  {func(l *hostLine) { l.raw(websocket.BinaryMessage, []byte{0xff, 0xff, 0xff}) }, mfpb.Reason_REASON_PROTOCOL},
		"text":        {func(l *hostLine) { l.raw(websocket.TextMessage, nil) }, mfpb.Reason_REASON_PROTOCOL},
		"unknown":     {func(l *hostLine) { l.raw(websocket.BinaryMessage, []byte{0xfa, 0x07, 0x00}) }, mfpb.Reason_REASON_UNKNOWN_MESSAGE},
		"too large":   {func(l *hostLine) { l.raw(websocket.BinaryMessage, make([]byte, wire.MaxFrame+1)) }, mfpb.Reason_REASON_TOO_LARGE},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			l := r.server.accept()
			expect[*mfpb.Hello](l)
			c.say(l)
			if e := r.window.Wait(t, "error"); e.Reason != wire.Name(c.why) || e.Text == "" {
				t.Errorf("the person was told %+v, want %v", e, c.why)
			}
			if err := r.wait(); wire.Reason(err) != c.why {
				t.Errorf("Run: %v", err)
			}
			<-l.over
			var close *websocket.CloseError
			if errors.As(l.why, &close) && close.Text != c.why.String() && close.Code != websocket.CloseMessageTooBig {
				t.Errorf("the server was told %v", l.why)
			}
		})
	}
}

func TestAnUnknownOptionalMessageIsSkipped(t *testing.T) {
	_, l, _ := waiting(t)
	l.raw(websocket.BinaryMessage, []byte{0x08, 0x01, 0xfa, 0x07, 0x00})
	l.quiet()
}
