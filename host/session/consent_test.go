package session_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"image"
	"slices"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/input"
	inputfake "github.com/mainforte/mainforte/host/input/fake"
	"github.com/mainforte/mainforte/host/session"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/gopeer"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

const moment = 300 * time.Millisecond // in which what must not happen would

// asked is a session whose viewer is connected and whose first question is open.
func asked(t *testing.T, options ...func(*rig, *session.Config)) (*rig, *gopeer.Viewer, *relay) {
	t.Helper()
	r := start(t, options...)
	l := r.server.accept()
	l.welcome()
	l.plate(nameplate)
	v, s := r.pair(l)
	if err := v.Attach(ctx(t)); err != nil {
		t.Fatal(err)
	}
	return r, v, s
}

// must fails on an error.
func must[T any](t *testing.T) func(T, error) T {
	return func(x T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// unseen fails if anything of the screen has reached the viewer.
func unseen(t *testing.T, v *gopeer.Viewer) {
	t.Helper()
	time.Sleep(moment)
	for _, c := range []uint16{wire.ChannelTiles, wire.ChannelCursor} {
		if n, b := v.Received(c); n > 0 {
			t.Errorf("%d messages, %d bytes came on channel %d", n, b, c)
		}
	}
}

func TestNothingIsSeenBeforeTheFirstYes(t *testing.T) { // C27
	r, v, s := asked(t)
	ask := r.window.Wait(t, "ask")
	unseen(t, v)
	if r.opened() != 0 {
		t.Error("the desktop was opened before the person said yes")
	}
	if v.Grant("view") != gopeer.Asked {
		t.Errorf("the viewer is told %v", v.Grant("view"))
	}
	r.window.Say(ui.Command{ID: ask.ID, Answer: "deny"})
	r.ends(v, s, mfpb.Reason_REASON_PERSON_DENIED)
	if r.opened() != 0 {
		t.Error("the desktop was opened although the person said no")
	}
	s.event("consent.denied")
}

func TestNoAnswerIsNo(t *testing.T) {
	r, v, s := asked(t, withClock)
	ask := r.window.Wait(t, "ask")
	r.clock.Advance(session.AnswerTime)
	if e := r.window.Wait(t, "withdrawn"); e.ID != ask.ID {
		t.Errorf("withdrawn: %+v", e)
	}
	r.ends(v, s, mfpb.Reason_REASON_NO_ANSWER)
	if r.opened() != 0 {
		t.Error("the desktop was opened")
	}
}

func TestWhatWasShownStandsInTheLog(t *testing.T) {
	r, _, s := asked(t)
	ask := r.window.Wait(t, "ask")
	var data struct{ Grant, Text, Lang, SHA256 string }
	if err := json.Unmarshal(s.event("consent.shown").Data, &data); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(ask.Text))
	if data.Grant != "view" || data.Text != "ask.view" || data.Lang != "en" || data.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("%+v does not prove %q", data, ask.Text)
	}
}

func TestOnlyTheOpenQuestionCanBeAnswered(t *testing.T) { // C31
	r, v, _ := asked(t)
	ask := r.window.Wait(t, "ask")
	for _, id := range []string{"", "0", ask.ID + "0", ask.ID[:31]} {
		r.window.Say(ui.Command{ID: id, Answer: "allow"})
	}
	r.window.Say(ui.Command{ID: ask.ID, Answer: "yes"})
	unseen(t, v)
	if r.opened() != 0 {
		t.Fatal("an answer to another question was taken")
	}
	r.window.Say(ui.Command{ID: ask.ID, Answer: "allow"})
	ok(t, v.WaitGrant(ctx(t), "view", gopeer.Allowed))

	// The answer that was right once answers nothing else.
	ok(t, v.Ask("control"))
	next := r.window.Wait(t, "ask")
	if next.ID == ask.ID {
		t.Fatal("two questions have one id")
	}
	r.window.Say(ui.Command{ID: ask.ID, Answer: "allow"})
	time.Sleep(moment)
	if v.Grant("control") != gopeer.Asked {
		t.Errorf("control is %v", v.Grant("control"))
	}
}

func TestAnUnknownGrantIsDeniedWithoutAQuestion(t *testing.T) { // C32
	r := start(t)
	v, s := r.live()
	ok(t, v.Ask("record"))
	ok(t, v.WaitGrant(ctx(t), "record", gopeer.Denied))
	s.event("consent.denied")
	for _, e := range r.window.Events() {
		if e.Name == "ask" && e.Grant != "view" {
			t.Errorf("the person was asked %+v", e)
		}
	}
}

func TestControlNeedsView(t *testing.T) { // C33
	r := start(t)
	v, _ := r.live()
	r.control(v)
	r.window.Say(ui.Command{Do: "revoke", Grant: "view"})
	ok(t, v.WaitGrant(ctx(t), "view", gopeer.Revoked))
	ok(t, v.WaitGrant(ctx(t), "control", gopeer.Revoked))
	before := len(r.window.Events())
	ok(t, v.Ask("control"))
	ok(t, v.WaitGrant(ctx(t), "control", gopeer.Denied))
	for _, e := range r.window.Events()[before:] {
		if e.Name == "ask" {
			t.Errorf("the person was asked %+v", e)
		}
	}
}

func TestRevokedViewShowsNothingMoreUntilAllowedAgain(t *testing.T) { // C27
	r := start(t)
	v, s := r.live()
	must[uint32](t)(v.WaitUpdate(ctx(t), 0))
	r.window.Say(ui.Command{Do: "revoke", Grant: "view"})
	ok(t, v.WaitGrant(ctx(t), "view", gopeer.Revoked))
	s.event("consent.revoked")
	tiles, _ := v.Received(wire.ChannelTiles)
	cursors, _ := v.Received(wire.ChannelCursor)
	r.paint(1, 1, 0x123456)
	r.screen.SetCursor(capture.Cursor{Width: 1, Height: 1, RGBA: []byte{9, 9, 9, 255}})
	time.Sleep(moment)
	if n, _ := v.Received(wire.ChannelTiles); n != tiles {
		t.Errorf("%d picture messages after view was revoked", n-tiles)
	}
	if n, _ := v.Received(wire.ChannelCursor); n != cursors {
		t.Errorf("%d pointer shapes after view was revoked", n-cursors)
	}
	ok(t, v.Ask("view"))
	r.window.Answer(t, "view", "allow")
	ok(t, v.WaitGrant(ctx(t), "view", gopeer.Allowed))
	r.sees(v, 1, 1, 0x123456)

	// A later no ends what was asked for, not the session.
	r.window.Say(ui.Command{Do: "revoke", Grant: "view"})
	ok(t, v.WaitGrant(ctx(t), "view", gopeer.Revoked))
	ok(t, v.Ask("view"))
	r.window.Answer(t, "view", "deny")
	ok(t, v.WaitGrant(ctx(t), "view", gopeer.Denied))
	r.window.Say(ui.Command{Do: "stop"})
	r.ends(v, s, mfpb.Reason_REASON_PERSON_STOPPED)
}

func TestNoDisplaysAreToldWithoutView(t *testing.T) { // C27
	r := start(t)
	v, s := r.live()
	must[uint32](t)(v.WaitUpdate(ctx(t), 0))
	r.window.Say(ui.Command{Do: "revoke", Grant: "view"})
	ok(t, v.WaitGrant(ctx(t), "view", gopeer.Revoked))
	s.event("consent.revoked")
	before := must[*mfpb.Displays](t)(v.WaitDisplays(ctx(t)))
	r.screen.Resize(80, 60)
	r.host.Look()
	time.Sleep(moment)
	if now := must[*mfpb.Displays](t)(v.WaitDisplays(ctx(t))); now != before {
		t.Errorf("told after view was revoked: %v", now)
	}
}

// moved sends a click and returns what the hands did once it was answered.
func (r *rig) click(v *gopeer.Viewer) []string {
	r.t.Helper()
	r.hands.Take()
	must[uint32](r.t)(v.Button(0, 5, 6, true))
	seq := must[uint32](r.t)(v.Button(0, 5, 6, false))
	ok(r.t, v.WaitAck(ctx(r.t), seq))
	return r.hands.Take()
}

func TestNoInputWithoutControl(t *testing.T) { // C28
	r := start(t)
	v, _ := r.live()
	if ops := r.click(v); len(ops) > 0 {
		t.Errorf("before control was asked for: %v", ops)
	}
	ok(t, v.Ask("control"))
	e := r.window.Wait(t, "ask")
	r.window.Say(ui.Command{ID: e.ID, Answer: "deny"})
	ok(t, v.WaitGrant(ctx(t), "control", gopeer.Denied))
	if ops := r.click(v); slices.Contains(ops, "left down") {
		t.Errorf("after control was denied: %v", ops)
	}
	r.control(v)
	if ops := r.click(v); !slices.Contains(ops, "left down") {
		t.Errorf("control is allowed and nothing happens: %v", ops)
	}
	ok(t, v.GiveBack("control"))
	ok(t, v.WaitGrant(ctx(t), "control", gopeer.GivenBack))
	if ops := r.click(v); slices.Contains(ops, "left down") {
		t.Errorf("after control was given back: %v", ops)
	}
}

func TestNoInputWhileAQuestionIsOpen(t *testing.T) { // C29
	r := start(t)
	v, _ := r.live()
	r.control(v)
	r.host.AddGrant("later")
	must[uint32](t)(v.Key(0x04, "a", true))
	seq := must[uint32](t)(v.Button(2, 5, 6, true)) // a drag: no timer of the receiver's looks at it
	ok(t, v.WaitAck(ctx(t), seq))
	ok(t, v.Ask("later"))
	ask := r.window.Wait(t, "ask")
	if down := r.hands.Down(); len(down) > 0 {
		t.Errorf("still down while the person is asked: %v", down)
	}
	if ops := r.click(v); len(ops) > 0 {
		t.Errorf("while the person is asked: %v", ops)
	}
	ok(t, v.WaitNotice(ctx(t), mfpb.NoticeCode_NOTICE_CODE_INPUT_HELD_QUESTION))
	r.window.Say(ui.Command{ID: ask.ID, Answer: "deny"})
	ok(t, v.WaitGrant(ctx(t), "later", gopeer.Denied))
	if ops := r.click(v); !slices.Contains(ops, "left down") {
		t.Errorf("after the answer: %v", ops)
	}
}

func TestWhatIsDownIsReleasedOnRevoke(t *testing.T) { // C34
	r := start(t)
	v, _ := r.live()
	r.control(v)
	seq := must[uint32](t)(v.Key(0x04, "a", true))
	ok(t, v.WaitAck(ctx(t), seq))
	r.window.Say(ui.Command{Do: "revoke", Grant: "control"})
	ok(t, v.WaitGrant(ctx(t), "control", gopeer.Revoked))
	if down := r.hands.Down(); len(down) > 0 {
		t.Errorf("still down: %v", down)
	}
	if ops := r.hands.Ops(); !slices.Contains(ops, "restore") {
		t.Errorf("the keyboard was not put back: %v", ops)
	}
}

func TestATechnicianWhoAsksWithoutEndIsSentAway(t *testing.T) {
	r := start(t)
	v, s := r.live()
	for range 1001 {
		if v.Ask("record") != nil {
			break
		}
	}
	r.ends(v, s, mfpb.Reason_REASON_PROTOCOL)
}

func TestAWithdrawnQuestionIsTakenOffTheScreen(t *testing.T) {
	r := start(t)
	v, _ := r.live()
	ok(t, v.Ask("control"))
	ask := r.window.Wait(t, "ask")
	ok(t, v.GiveBack("control"))
	if e := r.window.Wait(t, "withdrawn"); e.ID != ask.ID {
		t.Errorf("%+v", e)
	}
	r.window.Say(ui.Command{ID: ask.ID, Answer: "allow"})
	if ops := r.click(v); slices.Contains(ops, "left down") {
		t.Errorf("an answer to a withdrawn question counted: %v", ops)
	}
}

func TestNobodySpeaksInThePersonsName(t *testing.T) {
	for n := range mfpb.Reason_name {
		switch why := mfpb.Reason(n); why {
		case mfpb.Reason_REASON_PERSON_STOPPED, mfpb.Reason_REASON_PERSON_DENIED, mfpb.Reason_REASON_NO_ANSWER,
			mfpb.Reason_REASON_HOST_QUIT, mfpb.Reason_REASON_CAPTURE_LOST:
			if session.FromServer(why) == why || session.FromViewer(why) == why {
				t.Errorf("%v is believed", why)
			}
		}
	}
}

func TestInputNeverReachesTheHostsOwnWindow(t *testing.T) { // C30
	guard := new(inputfake.Guard)
	r := start(t, func(r *rig, cfg *session.Config) {
		cfg.OpenDesktop = func() (capture.Source, input.Injector, input.Guard, error) {
			return r.screen, r.hands, guard, nil
		}
	})
	r.window.Say(ui.Command{Window: "0x2a"}) // long before there is a desktop
	v, _ := r.live()
	r.control(v)
	if got := guard.Protected(); !slices.Equal(got, []uint64{0x2a}) {
		t.Errorf("protected: %x", got)
	}
	r.window.Say(ui.Command{Window: "43"}) // a dialog, in mid-session
	guard.Own(image.Rect(0, 0, 10, 10))
	if ops := r.click(v); slices.Contains(ops, "left down") {
		t.Errorf("a click on the host's own window: %v", ops)
	}
	ok(t, v.WaitNotice(ctx(t), mfpb.NoticeCode_NOTICE_CODE_INPUT_HELD_OWN_WINDOW))
	if got := guard.Protected(); !slices.Equal(got, []uint64{0x2a, 43}) {
		t.Errorf("protected: %x", got)
	}
	guard.SetFocus(true)
	r.hands.Take()
	seq := must[uint32](t)(v.Key(0x04, "a", true))
	ok(t, v.WaitAck(ctx(t), seq))
	if ops := r.hands.Take(); len(ops) > 0 {
		t.Errorf("a key for the host's own window: %v", ops)
	}
}
