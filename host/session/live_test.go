package session_test

import (
	"crypto/ed25519"
	"slices"
	"strings"
	"testing"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

func TestASessionFromCodeToReceipt(t *testing.T) {
	r := start(t)
	v, s := r.live()

	ask := slices.IndexFunc(r.window.Events(), func(e ui.Event) bool { return e.Name == "ask" })
	if e := r.window.Events()[ask]; e.Server != "127.0.0.1" || e.Technician.Name != "Ana Tremblay" || e.Technician.Organisation != "Aide & Co" ||
		e.Ticket.Number != "INC1" || len(e.ID) != 32 || !strings.Contains(e.Text, "SEE") {
		t.Errorf("the question does not say who asks: %+v", e)
	}
	n, err := v.WaitUpdate(ctx(t), 0)
	if err != nil {
		t.Fatal(err)
	}
	r.paint(3, 2, 0xabcdef)
	if _, err := v.WaitUpdate(ctx(t), n); err != nil {
		t.Fatal(err)
	}
	if w, h, pix := v.Pixels(); w != 64 || h != 48 || pix[2*64+3] != 0xabcdef {
		t.Errorf("the picture is %d x %d", w, h)
	}
	if d, err := v.WaitDisplays(ctx(t)); err != nil || len(d.Displays) != 1 || d.Displays[0].Width != 64 {
		t.Errorf("displays: %v %v", d, err)
	}

	r.control(v)
	must[uint32](t)(v.Key(0x04, "a", true))
	seq := must[uint32](t)(v.Key(0x04, "a", false))
	if err := v.WaitAck(ctx(t), seq); err != nil {
		t.Fatal(err)
	}
	if r.hands.Typed() != "a" {
		t.Errorf("typed %q: %v", r.hands.Typed(), r.hands.Ops())
	}

	if err := v.Bye(mfpb.Reason_REASON_UNSPECIFIED); err != nil {
		t.Fatal(err)
	}
	r.ends(v, s, mfpb.Reason_REASON_TECHNICIAN_ENDED)
	c := s.closed()
	if !ed25519.Verify(s.key, wire.CloseMessage(sessionID, c.Reason, c.Events, c.DurationMs), c.Signature) ||
		!slices.Equal(s.key, v.HostKey()) {
		t.Error("the close is not signed by the key of the pairing")
	}
	if c.Events != uint64(len(s.events)) {
		t.Errorf("the host counted %d events, the server %d", c.Events, len(s.events))
	}
	var kinds []string
	for _, e := range s.events {
		if e.Type != "session.route" { // it comes when the connection stands, before or after the first answer
			kinds = append(kinds, e.Type)
		}
	}
	want := []string{"consent.shown", "consent.granted", "consent.shown", "consent.granted", "input.summary"}
	if !slices.Equal(kinds, want) {
		t.Errorf("events %v, want %v", kinds, want)
	}
	if e := s.event("input.summary"); !strings.Contains(string(e.Data), `"keys":1`) || strings.Contains(string(e.Data), `"a"`) {
		t.Errorf("summary: %s", e.Data)
	}
	if ops := r.hands.Ops(); ops[len(ops)-1] != "restore" && ops[len(ops)-2] != "restore" {
		t.Errorf("the keyboard was not put back: %v", ops)
	}
}
