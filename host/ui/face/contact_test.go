package face

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/ui"
)

var unknown = ui.Event{Name: "hello", Server: "help.example.org", Unknown: true}

func TestTheFirstQuestionIsLockedByTheClock(t *testing.T) {
	f := shown("en", unknown)
	early := start.Add(ui.ContactTime - time.Millisecond)
	for _, id := range []string{IDCalled, IDNot} {
		if c := press(f, id, early); c != nil {
			t.Errorf("%s after %v: %+v", id, ui.ContactTime-time.Millisecond, c)
		}
		if c := f.View(early).cell(id); !c.Off || !c.Button() {
			t.Errorf("%s looks as if it could be pressed: %+v", id, c)
		}
	}
	v := f.View(start)
	for _, want := range []string{"help.example.org", "Did YOU call them", "bank", "police", "Microsoft", "You can answer in 8 s."} {
		if !strings.Contains(v.says(), want) {
			t.Errorf("it lacks %q:\n%s", want, v.says())
		}
	}
	if n := f.Next(start.Add(300 * time.Millisecond)); n != 700*time.Millisecond {
		t.Errorf("the seconds go on after %v", n)
	}
	if !strings.Contains(f.View(start.Add(6500*time.Millisecond)).says(), "in 2 s.") {
		t.Error("the seconds do not count")
	}

	open := start.Add(ui.ContactTime)
	if f.Next(open) != 0 || f.View(open).cell(IDCalled).Off {
		t.Error("it stays locked")
	}
	if v := f.View(open); v.Focus != IDNot || v.Escape != IDNot || v.Token == f.View(early).Token {
		t.Errorf("the keyboard is at %q, Esc is %q", v.Focus, v.Escape)
	}
	if c := press(f, IDCalled, open); !reflect.DeepEqual(c, []ui.Command{{Do: "called"}}) {
		t.Errorf("%+v", c)
	}
	if f.View(open).has(IDCalled) || press(f, IDNot, open) != nil {
		t.Error("the question stands after its answer")
	}
}

func TestWhoWasCalledIsToldToHangUp(t *testing.T) {
	for _, f := range []*Face{shown("fr", unknown), shown("fr", unknown, ui.Event{Name: "hang_up"})} {
		press(f, IDNot, start.Add(ui.ContactTime))
		v := f.View(start.Add(ui.ContactTime))
		if !strings.Contains(v.says(), "raccrochez maintenant") || v.has(IDAgain) || v.Focus != IDQuit {
			t.Errorf("\n%s", v.says())
		}
	}
}

func TestAKnownServerIsNotAskedAbout(t *testing.T) {
	if v := shown("en", ui.Event{Name: "hello", Server: "127.0.0.1"}).View(start); v.has(IDCalled) {
		t.Errorf("\n%s", v.says())
	}
}
