package session_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/session"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/gopeer"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// askedScreen is a desktop whose own system asks the person, as a Wayland one.
type askedScreen struct {
	*veiledScreen
	able bool
}

func (a *askedScreen) Able() bool { return a.able }

// nearGuard hears what our own window tells of itself.
type nearGuard struct {
	anywhere
	said chan string
}

func (g nearGuard) Near(what string) { g.said <- what }

func TestTheSystemAsksOnceMore(t *testing.T) {
	for _, able := range []bool{true, false} {
		t.Run(fmt.Sprint("control ", able), func(t *testing.T) {
			veils, guard := make(chan capture.Veil), nearGuard{said: make(chan string, 4)}
			r := start(t, func(r *rig, cfg *session.Config) {
				cfg.Near = "none"
				cfg.OpenDesktop = func() (capture.Source, input.Injector, input.Guard, error) {
					return &askedScreen{&veiledScreen{r.screen, veils, nil}, able}, r.hands, guard, nil
				}
			})
			v, _ := r.live()
			says := func(text string) {
				t.Helper()
				r.window.WaitFor(t, text, func(e ui.Event) bool { return e.Name == "status" && e.Text == text })
			}
			texts := ui.Load("en")
			veils <- capture.Asked
			ok(t, v.WaitNotice(ctx(t), mfpb.NoticeCode_NOTICE_CODE_SECURE_DESKTOP))
			says(texts.T("status.system_asks"))
			veils <- capture.Unveiled
			if got := <-guard.said; got != "none" {
				t.Errorf("the guard first heard %q", got)
			}
			if !able {
				says(texts.T("status.view_only"))
				ok(t, v.Ask("control"))
				ok(t, v.WaitGrant(ctx(t), "control", gopeer.Denied))
				return
			}
			says(texts.T("status.system_allowed"))
			r.control(v)
			r.window.Say(ui.Command{Do: "near", Near: "pointer"})
			if got := <-guard.said; got != "pointer" {
				t.Errorf("the guard heard %q", got)
			}
		})
	}
}

// What cannot be seen says what to do; a no to the system is a no.
func TestAWaylandDesktopThatIsNotSeen(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		why  mfpb.Reason
		text string
	}{
		"no portal": {fmt.Errorf("%w: none", capture.ErrWayland), mfpb.Reason_REASON_CAPTURE_LOST, ui.Load("en").T("error.wayland")},
		"denied":    {fmt.Errorf("%w: no", capture.ErrDenied), mfpb.Reason_REASON_PERSON_DENIED, ""},
	} {
		t.Run(name, func(t *testing.T) {
			veils := make(chan capture.Veil)
			failing := make(chan error, 1)
			r := start(t, func(r *rig, cfg *session.Config) {
				cfg.OpenDesktop = func() (capture.Source, input.Injector, input.Guard, error) {
					return &failingScreen{&askedScreen{&veiledScreen{r.screen, veils, nil}, false}, failing}, r.hands, anywhere{}, nil
				}
			})
			v, s := r.live()
			failing <- c.err
			if c.text != "" {
				r.window.WaitFor(t, c.text, func(e ui.Event) bool { return e.Name == "error" && e.Text == c.text })
			}
			r.ends(v, s, c.why)
		})
	}
}

// failingScreen tells by its cursor why nothing is seen.
type failingScreen struct {
	*askedScreen
	failing chan error
}

func (f *failingScreen) NextCursor(ctx context.Context) (capture.Cursor, error) {
	select {
	case err := <-f.failing:
		return capture.Cursor{}, err
	case <-ctx.Done():
		return capture.Cursor{}, ctx.Err()
	}
}

// slowToClose is a screen that another program has to let go of.
type slowToClose struct {
	capture.Source
	on chan struct{}
}

func (s *slowToClose) Close() error {
	<-s.on
	return s.Source.Close()
}

// TestAScreenThatIsSlowToCloseKeepsNobodyWaiting is P5: the picture has stopped, and
// everybody is told, before another program has let go of the screen.
func TestAScreenThatIsSlowToCloseKeepsNobodyWaiting(t *testing.T) {
	on := make(chan struct{})
	var b slate
	r := start(t, withSlate(&b), func(r *rig, cfg *session.Config) {
		cfg.OpenDesktop = func() (capture.Source, input.Injector, input.Guard, error) {
			return &slowToClose{r.screen, on}, r.hands, anywhere{}, nil
		}
	})
	v, s := r.live()
	r.control(v)
	r.annotate(v)
	o := b.opened()
	marking(t, v, draw(pen, "", false, 1, 2, 3, 4))
	o.Wait("the pen", marks(1))
	r.window.Say(ui.Command{Do: "stop"})
	r.window.Wait(t, "ended")
	if why := must[mfpb.Reason](t)(v.WaitEnd(ctx(t))); why != mfpb.Reason_REASON_PERSON_STOPPED {
		t.Errorf("the viewer was told %v", why)
	}
	if scene, closed := o.Scene(); !closed || len(scene.Marks) > 0 {
		t.Errorf("marks stand: %+v", scene)
	}
	close(on)
	r.logged(s, mfpb.Reason_REASON_PERSON_STOPPED)
}
