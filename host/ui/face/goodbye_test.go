package face

import (
	"reflect"
	"strings"
	"testing"

	"github.com/mainforte/mainforte/host/ui"
)

var farewell = ui.Event{Name: "ended", Server: "help.example.org", Text: "You stopped the session.", Duration: 312, Session: "01J", Technician: &ana,
	Ticket:  &ui.Ticket{Number: "1042"},
	Receipt: &ui.Receipt{Text: "14:05 saw\n14:07 typed", Link: "https://help.example.org/r/1#x", Name: "../../Assistance 1.txt", Report: "mailto:abuse@help.example.org"}}

func TestTheGoodbyeSaysWhoAndHowLongAndLetsGo(t *testing.T) {
	f := session("en", true, farewell)
	v := f.View(start)
	for _, want := range []string{farewell.Text, "Ana (Example Hospital) helped you.", "5 min 12 s", "1042", "Nothing is left on your computer", "Was your problem solved?"} {
		if !strings.Contains(v.says(), want) {
			t.Errorf("it lacks %q:\n%s", want, v.says())
		}
	}
	if v.Focus != IDQuit {
		t.Errorf("skipping everything is not one key: the keyboard is at %q", v.Focus)
	}
	press(f, "done", start)
	if !strings.Contains(f.View(start).says(), "14:05 saw\n14:07 typed") {
		t.Error("what was done cannot be read")
	}
}

// Nobody has helped a person who said no, and nothing was to be solved.
func TestWhoSaidNoIsNotAskedWhatItHelped(t *testing.T) {
	for _, reason := range []string{"PERSON_DENIED", "NO_ANSWER"} {
		e := farewell
		e.Reason = reason
		v := session("en", true, e).View(start)
		if s := v.says(); !strings.Contains(s, "Ana (Example Hospital) asked to see your screen.") || strings.Contains(s, "helped") || strings.Contains(s, "solved") {
			t.Errorf("%s:\n%s", reason, s)
		}
		if !v.has("wrong") || !v.has("keep") {
			t.Errorf("%s: it can be neither kept nor reported", reason)
		}
		e.Seen = true // after a return, say: then somebody did
		if s := session("en", true, e).View(start).says(); !strings.Contains(s, "helped you") {
			t.Errorf("%s, after something was seen:\n%s", reason, s)
		}
	}
}

func TestTheReceiptIsKeptWhereThePersonSays(t *testing.T) {
	f := session("en", false, farewell)
	if c := f.View(start).cell("receipt"); c.Text != "/home/me/Documents/Assistance 1.txt" && !strings.HasPrefix(c.Text, "/home/me/Documents/") || strings.Contains(c.Text, "..") {
		t.Errorf("%q", c.Text)
	}
	f.Type("receipt", "/media/stick/mine.txt")
	if c := press(f, "keep", start); !reflect.DeepEqual(c, []ui.Command{{Do: "keep_receipt", Path: "/media/stick/mine.txt"}}) {
		t.Errorf("%+v", c)
	}
	f.Show(ui.Event{Name: "status", Text: "The receipt is there."}, start)
	if v := f.View(start); !strings.Contains(v.says(), "The receipt is there.") || !v.has(IDAgain) {
		t.Errorf("\n%s", v.says())
	}
	f = session("en", true, farewell)
	_, wish := f.Press("keep", start)
	if wish == nil || wish.Kind != "save" || strings.ContainsAny(wish.Name, `/\`) {
		t.Fatalf("%+v", wish)
	}
	if c := f.Chosen(*wish, []string{`C:\r.txt`}); !reflect.DeepEqual(c, []ui.Command{{Do: "keep_receipt", Path: `C:\r.txt`}}) {
		t.Errorf("%+v", c)
	}
}

func TestOnlyTheHelpDesksOwnPageIsOpened(t *testing.T) {
	for address, opens := range map[string]bool{
		"https://help.example.org/r/1#x": true, "https://help.example.org:8443/r": true, "HTTPS://HELP.example.org/r": true,
		"http://help.example.org/r": false, "https://evil.example/r": false, "https://help.example.org@evil.example/": false,
		"file:///etc/passwd": false, "javascript:alert(1)": false, "ms-settings:": false, "--help": false, "": false,
		"https://help.example.org/ x": false, "https://help.example.org/\"x": false, "mailto:abuse@help.example.org": true, "mailto:-x": false,
	} {
		e := farewell
		r := *e.Receipt
		r.Link = address
		e.Receipt = &r
		f := session("en", true, e)
		_, wish := f.Press("page link", start)
		if (wish != nil) != opens || f.View(start).has("page link") != opens {
			t.Errorf("%q: %+v", address, wish)
		}
	}
}

func TestTheQuestionIsAnsweredOnce(t *testing.T) {
	f := session("fr", true, farewell)
	if c := press(f, "rate", start); c != nil {
		t.Errorf("without a number: %+v", c)
	}
	for _, id := range []string{"score", "score ", "score 0", "score 6", "score 44"} {
		if press(f, id, start); f.goodbye.score != 0 {
			t.Errorf("%q counts as %d", id, f.goodbye.score)
		}
	}
	press(f, "score 4", start)
	f.Type("sentence", "Merci\n!")
	if c := press(f, "rate", start); !reflect.DeepEqual(c, []ui.Command{{Do: "rate", Score: 4, Text: "Merci !"}}) {
		t.Errorf("%+v", c)
	}
	if c := press(f, "rate", start); c != nil || f.View(start).has("score 1") {
		t.Errorf("again: %+v", c)
	}
}

func TestWhatFeltWrongCanBeTold(t *testing.T) {
	f := session("en", true, farewell)
	press(f, "wrong", start)
	v := f.View(start)
	if !v.has("complaint") || v.Focus != "complaint" || v.Escape != "back" || !strings.Contains(v.says(), "abuse@help.example.org") {
		t.Errorf("\n%s", v.says())
	}
	if c := press(f, "report", start); c != nil {
		t.Errorf("nothing was written: %+v", c)
	}
	f.Type("complaint", "They asked\nfor money.")
	if c := press(f, "report", start); !reflect.DeepEqual(c, []ui.Command{{Do: "report", Text: "They asked\nfor money."}}) {
		t.Errorf("%+v", c)
	}
	if v := f.View(start); v.has("wrong") || !v.has(IDQuit) {
		t.Errorf("\n%s", v.says())
	}
}
