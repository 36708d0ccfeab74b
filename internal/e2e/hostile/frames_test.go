package hostile_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/gorilla/websocket"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/hostile"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// Frames that no honest server sends. Body 127 is one that this version does not
// know; field 1 is `optional`.
var (
	tooLarge        = make([]byte, wire.MaxFrame+1)
	rubbish         = []byte{0xff, 0xff, 0xff}
	unknown         = []byte{0xfa, 0x07, 0x00}
	unknownOptional = []byte{0x08, 0x01, 0xfa, 0x07, 0x00}
)

// What is no message, too large, unknown or out of its place ends what is under
// way, on the side that received it and in words on both; what is unknown and
// optional changes nothing.
func TestFramesThatNoServerSends(t *testing.T) {
	suffers(t, []attack{
		{
			name: "to a waiting host: a frame that is too large", does: hostWaits(binary(tooLarge)),
			runs: nobody, person: "error TOO_LARGE",
		},
		{
			name: "to a waiting host: rubbish", does: hostWaits(binary(rubbish)),
			runs: nobody, person: "error PROTOCOL",
		},
		{
			name: "to a waiting host: text", does: hostWaits(func(l *hostile.Line) { l.Raw(websocket.TextMessage, unknownOptional) }),
			runs: nobody, person: "error PROTOCOL",
		},
		{
			name: "to a waiting host: an unknown message", does: hostWaits(binary(unknown)),
			runs: nobody, person: "error UNKNOWN_MESSAGE",
		},
		{
			name: "to a waiting host: another nameplate, unasked", does: hostWaits(func(l *hostile.Line) { l.Say(&mfpb.Plate{Nameplate: "483"}) }),
			runs: nobody, person: "error PROTOCOL",
		},
		{
			name: "to a waiting host: a sealed body", does: hostWaits(func(l *hostile.Line) { l.Say(&mfpb.Sealed{Epoch: 1}) }),
			runs: nobody, person: "error PROTOCOL",
		},
		{
			name: "to a waiting host: an attach", does: hostWaits(func(l *hostile.Line) { l.Say(&mfpb.Attach{Epoch: 1, Nonce: make([]byte, wire.NonceSize)}) }),
			runs: nobody, person: "error PROTOCOL",
		},
		{
			name: "to a waiting host: a tag and a session out of nowhere", does: hostWaits(func(l *hostile.Line) {
				l.Say(&mfpb.Confirm{Claim: make([]byte, wire.ClaimSize), Tag: make([]byte, wire.TagSize)})
				l.Say(&mfpb.Opened{Session: "01INVENTED", ResumeToken: make([]byte, wire.ResumeSize), Claim: make([]byte, wire.ClaimSize)})
			}),
			person: "ask view", technician: "live", // ignored
		},
		{
			name: "to a waiting host: an unknown optional message", does: hostWaits(binary(unknownOptional)),
			person: "ask view", technician: "live",
		},
		{
			name: "to a claiming viewer: a frame that is too large", does: viewerClaims(binary(tooLarge)),
			person: "status waiting", technician: "code TOO_LARGE", browser: true,
		},
		{
			name: "to a claiming viewer: rubbish", does: viewerClaims(binary(rubbish)),
			person: "status waiting", technician: "code PROTOCOL", browser: true,
		},
		{
			name: "to a claiming viewer: text", does: viewerClaims(func(l *hostile.Line) { l.Raw(websocket.TextMessage, []byte("hello")) }),
			person: "status waiting", technician: "code PROTOCOL", browser: true,
		},
		{
			name: "to a claiming viewer: an unknown message", does: viewerClaims(binary(unknown)),
			person: "status waiting", technician: "code UNKNOWN_MESSAGE", browser: true,
		},
		{
			name: "to a claiming viewer: an attach", does: viewerClaims(func(l *hostile.Line) { l.Say(&mfpb.Attach{Epoch: 1, Nonce: make([]byte, wire.NonceSize)}) }),
			person: "status waiting", technician: "code PROTOCOL", browser: true,
		},
		{
			name: "to a claiming viewer: an unknown optional message",
			does: func(*scene) hostile.Attack {
				return hostile.ViewerSays(func(from *hostile.Line, _ *mfpb.Claim) bool { binary(unknownOptional)(from); return true })
			},
			person: "ask view", technician: "live", browser: true,
		},
		{
			name: "in a session, to the host: a frame that is too large", does: opens(func(host, _ *hostile.Line) { binary(tooLarge)(host) }),
			// The host's line is beyond use: its last word does not get through.
			runs:   waits(hostile.Heard[*mfpb.Attach], hostile.Heard[*mfpb.HostEvent]),
			person: "ended TOO_LARGE", technician: "ended NO_ROUTE", browser: true,
		},
		{
			name: "in a session, to the host: an unknown message", does: opens(func(host, _ *hostile.Line) { binary(unknown)(host) }),
			person: "ended UNKNOWN_MESSAGE", technician: "ended UNKNOWN_MESSAGE",
		},
		{
			name: "in a session, to the host: sealed before an attach", does: opens(func(host, _ *hostile.Line) { host.Say(&mfpb.Sealed{Epoch: 1, Participant: "1"}) }),
			person: "ended PROTOCOL", technician: "ended PROTOCOL",
		},
		{
			name: "in a session, to the host: an event that it never sent", does: opens(func(host, _ *hostile.Line) { host.Say(&mfpb.EventAck{Seq: 1000}) }),
			person: "ended PROTOCOL", technician: "ended PROTOCOL",
		},
		{
			name: "in a session, to the viewer: an unknown message", does: opens(func(_, viewer *hostile.Line) { binary(unknown)(viewer) }),
			runs:   waits(hostile.Heard[*mfpb.Attach], hostile.Heard[*mfpb.HostEvent]),
			person: "ended NO_ROUTE", technician: "ended UNKNOWN_MESSAGE", browser: true,
		},
		{
			name: "in a session, to the viewer: sealed before an attach", does: opens(func(_, viewer *hostile.Line) { viewer.Say(&mfpb.Sealed{Epoch: 1}) }),
			person: "ended PROTOCOL", technician: "ended PROTOCOL", browser: true,
		},
		{
			name: "in a session, to the viewer: a second PakeReply", does: opens(func(_, viewer *hostile.Line) { viewer.Say(&mfpb.PakeReply{}) }),
			person: "ended PROTOCOL", technician: "ended PROTOCOL", browser: true,
		},
	})
}

// Names come from the server and are hostile text: the person reads them on one
// line, in their order, in bounded length, and cannot be shown what is not there.
func TestHostileTextIsCleanBeforeThePersonReadsIt(t *testing.T) {
	const bidi = "\u202eyalbmerT sïanA\u202c \u2066\u200b\x00\x1b[31m\r\nAllow\u2028"
	long := strings.Repeat("Ạ\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308\u0309\u030a", 500)
	s := newScene(t, func(*scene) hostile.Attack {
		return hostile.All(
			hostile.HostHears(func(_ *hostile.Line, m *mfpb.Welcome) bool { m.Organisation = bidi + long; return true }),
			hostile.HostHears(func(_ *hostile.Line, m *mfpb.ClaimStart) bool {
				m.Technician = &mfpb.Technician{Id: bidi, Name: bidi + long, SignedIn: bidi, SignedInAt: -1 << 62}
				m.Ticket = &mfpb.Ticket{Id: bidi, Number: bidi, Subject: long}
				return true
			}),
			hostile.ViewerHears(func(_ *hostile.Line, m *mfpb.Welcome) bool { m.Organisation = bidi + long; return true }),
		)
	})
	p := openPage(t, s)
	p.claim(s.code())
	p.hears("live")
	e, err := s.person.await(s.ctx, func(e ui.Event) bool { return e.Name == "ask" })
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{e.Text, e.Technician.Name, e.Technician.Organisation, e.Technician.SignedIn, e.Technician.SignedInAt, e.Ticket.Number, e.Ticket.Subject, e.Server}
	for _, text := range shown {
		for _, r := range text {
			if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
				t.Errorf("the person is shown %U in %q", r, text)
			}
		}
		if n := len([]rune(text)); n > wire.NameLimit+100 {
			t.Errorf("the person is shown %d characters", n)
		}
	}
	if e.Server != hostile.PublicHost {
		t.Errorf("the person is shown the server %q", e.Server)
	}
	if !strings.Contains(e.Technician.Name, "Allow") || !strings.Contains(e.Ticket.Subject, "Ạ") {
		t.Errorf("what is harmless was not shown: %q", shown)
	}
}

// hostWaits does something to a host that shows its first code.
func hostWaits(do func(*hostile.Line)) func(*scene) hostile.Attack {
	return func(*scene) hostile.Attack {
		return hostile.HostHears(func(to *hostile.Line, m *mfpb.Plate) bool {
			to.Say(m)
			do(to)
			return false
		})
	}
}

// viewerClaims does something to a viewer instead of passing its claim on.
func viewerClaims(do func(*hostile.Line)) func(*scene) hostile.Attack {
	return func(*scene) hostile.Attack {
		return hostile.ViewerSays(func(from *hostile.Line, _ *mfpb.Claim) bool { do(from); return false })
	}
}

func binary(b []byte) func(*hostile.Line) {
	return func(l *hostile.Line) { l.Raw(websocket.BinaryMessage, b) }
}

// nobody types the code.
func nobody(*scene, victim) {}
