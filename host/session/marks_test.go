package session_test

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/host/overlay"
	overlayfake "github.com/mainforte/mainforte/host/overlay/fake"
	"github.com/mainforte/mainforte/host/session"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/gopeer"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// slate is what a test's marks are drawn on: one overlay after the other.
type slate struct {
	t    *testing.T
	made chan *overlayfake.Overlay
}

func withSlate(b *slate) func(*rig, *session.Config) {
	return func(r *rig, cfg *session.Config) {
		b.t, b.made = r.t, make(chan *overlayfake.Overlay, 8)
		cfg.OpenOverlay = func() (overlay.Overlay, error) {
			o := overlayfake.New(r.t)
			b.made <- o
			return o, nil
		}
		cfg.Shot = func(context.Context) (*image.RGBA, error) { return image.NewRGBA(image.Rect(0, 0, 800, 600)), nil }
	}
}

// opened is the next overlay that the host opened.
func (b *slate) opened() *overlayfake.Overlay {
	b.t.Helper()
	select {
	case o := <-b.made:
		return o
	case <-time.After(patience):
		b.t.Fatal("no overlay was opened")
		return nil
	}
}

// say sends a message on marks.
func marking(t *testing.T, v *gopeer.Viewer, m *mfpb.MarkMessage) {
	t.Helper()
	b, err := proto.Marshal(m)
	ok(t, err)
	ok(t, v.SendRaw(wire.ChannelMarks, b))
}

func draw(kind mfpb.MarkKind, text string, more bool, points ...uint32) *mfpb.MarkMessage {
	return &mfpb.MarkMessage{Body: &mfpb.MarkMessage_Draw{Draw: &mfpb.MarkDrawn{Kind: kind, Points: points, Text: text, More: more}}}
}

func laser(x, y uint32) *mfpb.MarkMessage {
	return &mfpb.MarkMessage{Optional: true, Body: &mfpb.MarkMessage_Laser{Laser: &mfpb.MarkLaser{X: x, Y: y}}}
}

const (
	pen     = mfpb.MarkKind_MARK_KIND_PEN
	boxKind = mfpb.MarkKind_MARK_KIND_BOX
	words   = mfpb.MarkKind_MARK_KIND_TEXT
)

// annotate lets a participant ask, and the person allow it.
func (r *rig) annotate(v *gopeer.Viewer) {
	r.t.Helper()
	ok(r.t, v.Ask("annotate"))
	r.window.Answer(r.t, "annotate", "allow")
	ok(r.t, v.WaitGrant(ctx(r.t), "annotate", gopeer.Allowed))
}

func marks(n int) func(overlay.Scene) bool {
	return func(s overlay.Scene) bool { return len(s.Marks) == n && !s.Hidden }
}

func TestMarksNeedAnnotate(t *testing.T) { // C73
	var b slate
	r := start(t, withSlate(&b))
	v, s := r.live()
	marking(t, v, draw(pen, "", false, 1, 2, 3, 4)) // nobody allowed it
	marking(t, v, laser(5, 6))
	add := &mfpb.MarkMessage{Body: &mfpb.MarkMessage_AddSteps{AddSteps: &mfpb.StepsAdded{Texts: []string{"a"}}}}
	marking(t, v, add) // the channels have no order between them: this one has come so far
	r.steps("asked")
	r.annotate(v)
	o := b.opened()
	marking(t, v, draw(boxKind, "", false, 10, 10, 30, 30))
	scene := o.Wait("the box alone", func(s overlay.Scene) bool { return len(s.Marks) > 0 })
	if len(scene.Marks) != 1 || scene.Marks[0].Kind != overlay.Box {
		t.Errorf("drawn: %+v", scene.Marks)
	}
	if len(scene.Pointers) != 1 || scene.Pointers[0].Name != "Ana Tremblay" || scene.Pointers[0].At != image.Pt(30, 30) {
		t.Errorf("who draws: %+v", scene.Pointers)
	}
	r.window.Say(ui.Command{Do: "revoke", Grant: "annotate"})
	ok(t, v.WaitGrant(ctx(t), "annotate", mfpb.GrantState_GRANT_STATE_REVOKED))
	if scene, closed := o.Scene(); !closed || len(scene.Marks) > 0 {
		t.Errorf("after the revoke: %+v, closed %v", scene, closed)
	}
	marking(t, v, draw(pen, "", false, 1, 2)) // on the closed overlay: the fake would fail
	marking(t, v, add)
	r.steps("asked", "asked")
	r.annotate(v)
	o = b.opened()
	marking(t, v, draw(words, "Ici", false, 7, 7))
	if scene := o.Wait("the text alone", func(s overlay.Scene) bool { return len(s.Marks) > 0 }); len(scene.Marks) != 1 || scene.Marks[0].Text != "Ici" {
		t.Errorf("drawn: %+v", scene.Marks)
	}
	var counts map[string]any
	if err := json.Unmarshal(s.event("marks.summary").Data, &counts); err != nil || counts["boxes"] != 1.0 || counts["participant"] != "1" {
		t.Errorf("the log was told %v, %v", counts, err)
	}
	r.window.Say(ui.Command{Do: "stop"})
	r.ends(v, s, mfpb.Reason_REASON_PERSON_STOPPED)
	if scene, closed := o.Scene(); !closed || len(scene.Marks) > 0 {
		t.Errorf("after the end: %+v, closed %v", scene, closed)
	}
}

func TestNothingIsDrawnOverAQuestion(t *testing.T) { // C75
	var b slate
	r := start(t, withSlate(&b), func(_ *rig, cfg *session.Config) { cfg.Windows = []uint64{77} })
	v, _ := r.live()
	r.annotate(v)
	o := b.opened()
	marking(t, v, draw(pen, "", false, 1, 2, 3, 4))
	if scene := o.Wait("the pen", marks(1)); len(scene.Spared) != 1 || scene.Spared[0] != 77 {
		t.Errorf("spared: %v", scene.Spared)
	}
	ok(t, v.Ask("control"))
	ask := r.window.WaitFor(t, "a question about control", func(e ui.Event) bool { return e.Name == "ask" && e.Grant == "control" })
	if scene, _ := o.Scene(); !scene.Hidden {
		t.Error("marks stand over the question")
	}
	marking(t, v, draw(pen, "", false, 5, 6))
	if scene := o.Wait("the second pen, unseen", func(s overlay.Scene) bool { return len(s.Marks) == 2 }); !scene.Hidden {
		t.Error("a new mark stands over the question")
	}
	r.window.Say(ui.Command{ID: ask.ID, Answer: "deny"})
	o.Wait("both, seen", marks(2))
}

func TestMarksFadeAndAreWiped(t *testing.T) { // C76
	var b slate
	r := start(t, withClock, withSlate(&b))
	v, s := r.live()
	r.annotate(v)
	o := b.opened()
	marking(t, v, laser(5, 6))
	o.Wait("the laser", func(s overlay.Scene) bool { return len(s.Pointers) == 1 && !s.Pointers[0].Bare })
	r.clock.Advance(time.Second)
	o.Wait("no laser", func(s overlay.Scene) bool { return len(s.Pointers) == 0 })
	marking(t, v, draw(pen, "", false, 1, 2))
	marking(t, v, draw(pen, "", true, 3, 4, 5, 6))
	if scene := o.Wait("the longer pen", func(s overlay.Scene) bool { return len(s.Marks) == 1 && len(s.Marks[0].Points) == 3 }); scene.Marks[0].Points[2] != image.Pt(5, 6) {
		t.Errorf("the pen: %+v", scene.Marks)
	}
	r.clock.Advance(time.Minute)
	o.Wait("the pen faded", marks(0))

	marking(t, v, draw(pen, "", true, 9, 9)) // goes on with nothing
	marking(t, v, draw(boxKind, "", false, 1, 1, 9, 9))
	marking(t, v, draw(words, "a", false, 1, 1))
	o.Wait("two", marks(2))
	marking(t, v, &mfpb.MarkMessage{Body: &mfpb.MarkMessage_Undo{Undo: &mfpb.MarkUndone{}}})
	if scene := o.Wait("the text undone", marks(1)); scene.Marks[0].Kind != overlay.Box {
		t.Errorf("left: %+v", scene.Marks)
	}
	marking(t, v, &mfpb.MarkMessage{Body: &mfpb.MarkMessage_Wipe{Wipe: &mfpb.MarksWiped{}}})
	o.Wait("wiped", marks(0))
	marking(t, v, draw(pen, "", false, 1, 2))
	o.Wait("one more", marks(1))
	r.window.Say(ui.Command{Do: "wipe"})
	o.Wait("wiped by the person", marks(0))
	s.event("marks.wiped")
	for range 70 {
		marking(t, v, draw(words, "x", false, 1, 1))
	}
	o.Wait("no more than 64", func(s overlay.Scene) bool { return len(s.Marks) == 64 && s.Marks[63].ID > 70 })
}

func TestForgedMarksEndTheSession(t *testing.T) {
	long := make([]uint32, 2*1025)
	for name, m := range map[string]*mfpb.MarkMessage{
		"no kind":       draw(0, "", false, 1, 2),
		"kind":          draw(99, "", false, 1, 2),
		"odd":           draw(pen, "", false, 1, 2, 3),
		"none":          draw(pen, "", false),
		"many":          draw(pen, "", false, long...),
		"far":           draw(pen, "", false, 1, wire.MaxPictureSide),
		"box of three":  draw(boxKind, "", false, 1, 2, 3, 4, 5, 6),
		"more of a box": draw(boxKind, "", true, 1, 2, 3, 4),
		"text of none":  draw(words, "\u202e\u200b", false, 1, 2),
		"pen with text": draw(pen, "a", false, 1, 2),
		"laser far":     laser(wire.MaxPictureSide, 0),
		"steps of none": {Body: &mfpb.MarkMessage_AddSteps{AddSteps: &mfpb.StepsAdded{Texts: []string{" "}}}},
		"host's word":   {Body: &mfpb.MarkMessage_Steps{Steps: &mfpb.Steps{}}},
		"unknown":       {},
	} {
		t.Run(name, func(t *testing.T) {
			var b slate
			r := start(t, withSlate(&b))
			v, s := r.live()
			marking(t, v, m)
			want := mfpb.Reason_REASON_PROTOCOL
			if name == "unknown" {
				want = mfpb.Reason_REASON_UNKNOWN_MESSAGE
			}
			r.ends(v, s, want)
		})
	}
}

func TestWithoutAnOverlayAnnotateIsNotServed(t *testing.T) {
	r := start(t)
	v, s := r.live()
	ok(t, v.Ask("annotate"))
	ok(t, v.WaitGrant(ctx(t), "annotate", gopeer.Denied))
	s.event("consent.denied")
	for _, e := range r.window.Events() {
		if e.Name == "ask" && e.Grant == "annotate" {
			t.Error("the person was asked for what cannot be")
		}
	}
}

func TestParticipantsDrawInTheirOwnColours(t *testing.T) {
	var b slate
	r := start(t, withSlate(&b))
	first, s := r.live()
	second := r.joined(first, s, expert, 1)
	watcher := r.joined(first, s, observer, 2)
	r.annotate(first)
	o := b.opened()
	r.annotate(second)
	ok(t, watcher.Ask("annotate"))
	ok(t, watcher.WaitGrant(ctx(t), "annotate", gopeer.Denied)) // C43
	marking(t, watcher, draw(pen, "", false, 1, 1))
	marking(t, watcher, &mfpb.MarkMessage{Body: &mfpb.MarkMessage_AddSteps{AddSteps: &mfpb.StepsAdded{Texts: []string{"a"}}}})
	marking(t, first, draw(pen, "", false, 1, 1))
	marking(t, second, draw(pen, "", false, 2, 2))
	scene := o.Wait("both", marks(2))
	if scene.Marks[0].Colour == scene.Marks[1].Colour || len(scene.Pointers) != 2 {
		t.Errorf("not told apart: %+v", scene)
	}
	r.window.Say(ui.Command{Do: "revoke", Grant: "annotate", Participant: "1"})
	if scene := o.Wait("the second's alone", marks(1)); scene.Marks[0].Points[0] != image.Pt(2, 2) {
		t.Errorf("left: %+v", scene.Marks)
	}
	for _, e := range r.window.Events() {
		if e.Name == "steps" {
			t.Error("an observer offered steps")
		}
	}
}

// steps waits until the person is shown these states.
func (r *rig) steps(states ...string) []ui.Step {
	r.t.Helper()
	return r.window.WaitFor(r.t, strings.Join(states, " "), func(e ui.Event) bool {
		if e.Name != "steps" || len(e.Steps) != len(states) {
			return false
		}
		for i, s := range e.Steps {
			if s.State != states[i] {
				return false
			}
		}
		return true
	}).Steps
}

func TestStepsAreApprovedOneByOne(t *testing.T) { // C77
	var b slate
	r := start(t, withSlate(&b))
	v, s := r.live()
	r.annotate(v)
	o := b.opened()
	marking(t, v, draw(boxKind, "", false, 100, 100, 300, 200))
	o.Wait("the box", marks(1))
	add := func(picture bool, texts ...string) {
		marking(t, v, &mfpb.MarkMessage{Body: &mfpb.MarkMessage_AddSteps{AddSteps: &mfpb.StepsAdded{Texts: texts, Picture: picture}}})
	}
	add(true, "Ouvrez <b>ici</b>\u202e")
	list := r.steps("asked")
	if list[0].Text != "Ouvrez <b>ici</b>" || len(list[0].Picture) == 0 {
		t.Errorf("offered: %q with %d bytes", list[0].Text, len(list[0].Picture))
	}
	add(false, "Deux", "Trois")
	r.steps("asked", "asked", "asked")

	path := filepath.Join(t.TempDir(), "steps.html")
	answer := func(id, what string) { r.window.Say(ui.Command{Do: "step", ID: id, Answer: what}) }
	r.window.Say(ui.Command{Do: "keep_steps", Path: path}) // nothing is approved yet
	answer("1", "done")                                    // nor can it be done
	answer("1", "approve")
	r.steps("approved", "asked", "asked")
	answer("2", "refuse")
	r.steps("approved", "refused", "asked")
	answer("2", "approve") // no is no
	answer("9", "approve")
	answer("1", "done")
	r.steps("done", "refused", "asked")
	if e := s.event("steps.added"); len(e.Personal) > 0 {
		t.Errorf("what is not approved stands in the log: %s", e.Personal)
	}
	var personal struct{ Text string }
	if e := s.event("steps.approved"); json.Unmarshal(e.Personal, &personal) != nil || personal.Text != "Ouvrez <b>ici</b>" {
		t.Errorf("approved: %s", e.Personal)
	}
	marking(t, v, &mfpb.MarkMessage{Body: &mfpb.MarkMessage_MoveStep{MoveStep: &mfpb.StepMoved{Id: 3, Before: 1}}})
	r.steps("asked", "done", "refused")
	for _, id := range []uint32{1, 2} { // what is approved stays
		marking(t, v, &mfpb.MarkMessage{Body: &mfpb.MarkMessage_DropStep{DropStep: &mfpb.StepDropped{Id: id}}})
	}
	r.steps("asked", "done")

	r.window.Say(ui.Command{Do: "keep_steps", Path: path})
	s.event("steps.kept")
	page, err := os.ReadFile(path)
	ok(t, err)
	if p := string(page); !strings.Contains(p, "Ouvrez &lt;b&gt;ici&lt;/b&gt;") || strings.Contains(p, "Trois") || strings.Contains(p, "Deux") || !strings.Contains(p, "data:image/png;base64,") {
		t.Errorf("kept: %.400s", p)
	}
	r.window.Say(ui.Command{Do: "keep_steps", Path: path}) // there is one of that name
	r.window.WaitFor(t, "kept again", func(e ui.Event) bool { return e.Name == "status" && strings.Contains(e.Text, " (2).html") })
	if again, err := os.ReadFile(strings.TrimSuffix(path, ".html") + " (2).html"); err != nil || string(again) != string(page) {
		t.Errorf("kept again: %v, %.100s", err, again)
	}
	plain := strings.TrimSuffix(path, "html") + "md"
	r.window.Say(ui.Command{Do: "keep_steps", Path: plain})
	r.window.WaitFor(t, "the file's path", func(e ui.Event) bool { return e.Name == "status" && strings.Contains(e.Text, plain) })
	page, err = os.ReadFile(plain)
	ok(t, err)
	if p := string(page); !strings.Contains(p, `1. Ouvrez \<b\>ici\</b\>`) {
		t.Errorf("kept: %.400s", p)
	}
}

// stepsSeen keeps the last list of steps that a viewer was told.
type stepsSeen struct {
	mu   sync.Mutex
	last []string // "id text"
	news chan struct{}
}

func (l *stepsSeen) option(o *gopeer.Options) {
	l.news = make(chan struct{}, 64)
	o.Tool = func(channel uint16, b []byte) {
		m := new(mfpb.MarkMessage)
		if channel != wire.ChannelMarks || wire.Decode(b, wire.MaxTool, m) != nil || m.GetSteps() == nil {
			return
		}
		var list []string
		for _, s := range m.GetSteps().Steps {
			list = append(list, fmt.Sprint(s.Id, " ", s.Text))
		}
		l.mu.Lock()
		l.last = list
		l.mu.Unlock()
		l.news <- struct{}{}
	}
}

// is waits until the viewer was told exactly these.
func (l *stepsSeen) is(t *testing.T, want ...string) {
	t.Helper()
	late := time.After(patience)
	for {
		l.mu.Lock()
		got := slices.Clone(l.last)
		l.mu.Unlock()
		if slices.Equal(got, want) {
			return
		}
		select {
		case <-l.news:
		case <-late:
			t.Fatalf("the helper sees %q, want %q", got, want)
		}
	}
}

// TestAStepIsItsAuthorsUntilItIsApproved is C77: another helper is not told of it, and
// cannot move it or take it away.
func TestAStepIsItsAuthorsUntilItIsApproved(t *testing.T) {
	var b slate
	var seen [2]stepsSeen
	r := start(t, withSlate(&b))
	first, s := r.live(seen[0].option)
	second := r.joined(first, s, expert, 1, seen[1].option)
	add := func(v *gopeer.Viewer, text string) {
		marking(t, v, &mfpb.MarkMessage{Body: &mfpb.MarkMessage_AddSteps{AddSteps: &mfpb.StepsAdded{Texts: []string{text}}}})
	}
	answer := func(id, what string) { r.window.Say(ui.Command{Do: "step", ID: id, Answer: what}) }
	add(first, "un")
	r.steps("asked")
	add(second, "deux")
	r.steps("asked", "asked")
	seen[0].is(t, "1 un")
	seen[1].is(t, "2 deux")
	marking(t, second, &mfpb.MarkMessage{Body: &mfpb.MarkMessage_DropStep{DropStep: &mfpb.StepDropped{Id: 1}}})
	marking(t, second, &mfpb.MarkMessage{Body: &mfpb.MarkMessage_MoveStep{MoveStep: &mfpb.StepMoved{Id: 1}}})
	add(second, "trois") // the host has heard what came before it
	if list := r.steps("asked", "asked", "asked"); list[0].Text != "un" || list[1].Text != "deux" {
		t.Errorf("the person sees %+v", list)
	}
	answer("1", "approve")
	seen[1].is(t, "1 un", "2 deux", "3 trois")
	seen[0].is(t, "1 un")
	answer("2", "refuse")
	r.steps("approved", "refused", "asked")
	add(first, "quatre")
	seen[0].is(t, "1 un", "4 quatre")
	marking(t, second, &mfpb.MarkMessage{Body: &mfpb.MarkMessage_MoveStep{MoveStep: &mfpb.StepMoved{Id: 1}}}) // now it is everybody's
	r.steps("refused", "asked", "asked", "approved")
}

// Each picture is one of the whole screen: there is one at a time, and what is offered
// meanwhile comes in its order.
func TestOnePictureAtATime(t *testing.T) {
	var b slate
	var busy atomic.Int32
	began, on := make(chan struct{}, 8), make(chan struct{})
	r := start(t, withSlate(&b), func(_ *rig, cfg *session.Config) {
		shot := cfg.Shot
		cfg.Shot = func(ctx context.Context) (*image.RGBA, error) {
			if busy.Add(1) > 1 {
				t.Error("two pictures at a time")
			}
			defer busy.Add(-1)
			began <- struct{}{}
			<-on
			return shot(ctx)
		}
	})
	v, _ := r.live()
	r.annotate(v)
	o := b.opened()
	marking(t, v, draw(boxKind, "", false, 100, 100, 300, 200))
	o.Wait("the box", marks(1))
	for i := range 4 {
		marking(t, v, &mfpb.MarkMessage{Body: &mfpb.MarkMessage_AddSteps{AddSteps: &mfpb.StepsAdded{Texts: []string{fmt.Sprint(i)}, Picture: i < 3}}})
	}
	marking(t, v, draw(boxKind, "", false, 1, 1, 9, 9))
	o.Wait("what came after them", marks(2))
	<-began
	select {
	case <-began:
	case <-time.After(100 * time.Millisecond):
	}
	close(on)
	list := r.steps("asked", "asked", "asked", "asked")
	for i, s := range list {
		if s.Text != fmt.Sprint(i) || (len(s.Picture) > 0) != (i < 3) {
			t.Errorf("step %d is %q with %d bytes", i, s.Text, len(s.Picture))
		}
	}
}

// TestAWindowThatAppearsUnderMarksIsSpared is C75.
func TestAWindowThatAppearsUnderMarksIsSpared(t *testing.T) {
	var b slate
	r := start(t, withSlate(&b))
	v, _ := r.live()
	r.annotate(v)
	o := b.opened()
	marking(t, v, draw(pen, "", false, 1, 2, 3, 4))
	o.Wait("the pen", marks(1))
	r.window.Say(ui.Command{Window: "0x4d"})
	o.Wait("the pen, but not over the window", func(s overlay.Scene) bool {
		return len(s.Marks) == 1 && !s.Hidden && slices.Contains(s.Spared, 0x4d)
	})
	ok(t, v.Ask("control"))
	r.window.WaitFor(t, "a question", func(e ui.Event) bool { return e.Name == "ask" && e.Grant == "control" })
	r.window.Say(ui.Command{Window: "0x4e"})
	if s := o.Wait("nor over the second", func(s overlay.Scene) bool { return slices.Contains(s.Spared, 0x4e) }); !s.Hidden {
		t.Error("marks stand over a question")
	}
}

// A viewer that acts at once on the word that it may finds everything ready.
func TestAToolIsReadyBeforeItsGrantIsTold(t *testing.T) {
	var b slate
	opened := make(chan bool, 1)
	r := start(t, withSlate(&b), func(r *rig, cfg *session.Config) {
		open := cfg.OpenOverlay
		cfg.OpenOverlay = func() (overlay.Overlay, error) {
			opened <- slices.ContainsFunc(r.window.Events(), func(e ui.Event) bool {
				return e.Name == "participants" && slices.Contains(e.Participants[0].Grants, ui.Grant{Name: "annotate", State: "allowed"})
			})
			return open()
		}
	})
	v, _ := r.live()
	r.annotate(v)
	if <-opened {
		t.Error("everybody was told before there was something to draw on")
	}
}

func FuzzMark(f *testing.F) {
	for _, m := range []*mfpb.MarkMessage{draw(pen, "", false, 1, 2, 3, 4), draw(words, "Ici", false, 1, 2), draw(boxKind, "", false, 1, 2, 3, 4)} {
		b, _ := proto.Marshal(m.GetDraw())
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := new(mfpb.MarkDrawn)
		if proto.Unmarshal(b, m) != nil {
			return
		}
		mark, err := session.ParseMark(m)
		if err != nil {
			return
		}
		if n := len(mark.Points); n == 0 || n > 1024 || len([]rune(mark.Text)) > 200 {
			t.Errorf("%d points and %q are too many", n, mark.Text)
		}
		for _, p := range mark.Points {
			if !p.In(image.Rect(0, 0, wire.MaxPictureSide, wire.MaxPictureSide)) {
				t.Errorf("%v is in no picture", p)
			}
		}
	})
}
