package face

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/mainforte/mainforte/host/ui"
)

// session is a face in a session with Ana.
func session(lang string, dialogs bool, events ...ui.Event) *Face {
	f := New(Setting{Lang: lang, Dialogs: dialogs, Documents: "/home/me/Documents"})
	for _, e := range append([]ui.Event{{Name: "session"}, {Name: "participants", Key: "Ctrl+Alt+End",
		Participants: []ui.Participant{helper("1", "Ana", "allowed")}}}, events...) {
		f.Show(e, start)
	}
	return f
}

func chat(from, text string) ui.Event {
	return ui.Event{Name: "chat", Chat: &ui.Chat{From: from, Name: "Ana", Text: text, At: "2026-11-24T14:05:00Z"}}
}

func TestEveryGrantCanBeTakenBack(t *testing.T) {
	p := helper("1", "Ana", "allowed")
	p.Grants = nil
	names := []string{"view", "control", "clipboard_in", "clipboard_out", "file_in", "file_out", "annotate", "sysinfo", "screenshot", "elevate", "reconnect"}
	for _, n := range names {
		p.Grants = append(p.Grants, ui.Grant{Name: n, State: "allowed"})
	}
	f := session("en", true, ui.Event{Name: "participants", Participants: []ui.Participant{p}})
	for _, n := range names {
		if !f.View(start).has("revoke 1 " + n) {
			t.Errorf("no button for %s", n)
		}
		if c := press(f, "revoke 1 "+n, start); !reflect.DeepEqual(c, []ui.Command{{Do: "revoke", Grant: n, Participant: "1"}}) {
			t.Errorf("%s: %+v", n, c)
		}
	}
	if c := press(f, "wipe", start); !f.View(start).has("wipe") || !reflect.DeepEqual(c, []ui.Command{{Do: "wipe"}}) {
		t.Errorf("drawings: %+v", c)
	}
}

func TestStopStandsFirstInEveryPartOfASession(t *testing.T) {
	f := session("en", true, ui.Event{Name: "private", Texts: []string{"bank"}}, ui.Event{Name: "steps", Steps: []ui.Step{{ID: "s", Text: "x", State: "done"}}})
	for _, tab := range []string{"", "talk", "files", "steps", "private"} {
		press(f, "tab "+tab, start)
		for _, c := range f.View(start).Cells() {
			if c.Button() {
				if c.ID != IDStop {
					t.Errorf("in %q the first button is %q", tab, c.ID)
				}
				break
			}
		}
		if !strings.Contains(f.View(start).says(), "Ctrl+Alt+End") {
			t.Errorf("in %q the keys that end everything are not shown", tab)
		}
	}
}

func TestFilesLandWhereThePersonSays(t *testing.T) {
	in := ask
	in.Grant, in.Folder = "file_in", "/home/me/Downloads"
	typed := session("en", false, in)
	typed.Type("folder", "/home/me/Desktop")
	if c := press(typed, IDAllow, start.Add(after)); !reflect.DeepEqual(c, []ui.Command{{ID: "q1", Answer: "allow", Folder: "/home/me/Desktop"}}) {
		t.Errorf("typed: %+v", c)
	}
	chosen := session("en", true, in)
	_, wish := chosen.Press("folder_other", start)
	if wish == nil || wish.Kind != "folder" || wish.Name != in.Folder {
		t.Fatalf("%+v", wish)
	}
	if chosen.Chosen(*wish, nil); !strings.Contains(chosen.View(start).says(), in.Folder) {
		t.Error("leaving the dialog changes the folder")
	}
	chosen.Chosen(*wish, []string{`C:\Here`})
	if !strings.Contains(chosen.View(start).says(), `C:\Here`) {
		t.Error("the folder chosen is not shown")
	}
	if c := press(chosen, IDAllow, start.Add(after)); c[0].Folder != `C:\Here` {
		t.Errorf("chosen: %+v", c)
	}
	offered := session("en", true, in)
	if c := press(offered, IDAllow, start.Add(after)); c[0].Folder != "" {
		t.Errorf("the folder that was offered comes back: %+v", c)
	}
	other := session("en", true, in)
	second := in
	second.ID = "q2"
	other.Show(second, start)
	other.Chosen(*wish, []string{`C:\Here`}) // chosen for the first question
	if c := press(other, IDAllow, start.Add(after)); c[0].Folder != "" {
		t.Errorf("another question's folder: %+v", c)
	}
}

func TestWhatHoldsTheHandsIsSaid(t *testing.T) {
	f := session("en", true, ui.Event{Name: "held", Held: &ui.Held{Why: "password", Title: "Sign in\u202e"}})
	if v := f.View(start); !v.has("held") || v.cell("held-title").Text != "Sign in" {
		t.Errorf("\n%s", v.says())
	}
	f = session("en", true)
	before := f.View(start)
	f.Show(ui.Event{Name: "held", Held: &ui.Held{Why: "person"}}, start)
	if v := f.View(start); len(v.Cells()) != len(before.Cells()) || !strings.Contains(v.says(), "come first") {
		t.Error("what moves under the person's hand, or says nothing")
	}
	f.Show(ui.Event{Name: "held"}, start)
	if v := f.View(start); v.says() != before.says() {
		t.Errorf("it stays:\n%s", v.says())
	}
}

func TestUnreadLinesAreCounted(t *testing.T) {
	f := session("en", true, chat("1", "Hello"), chat("", "Yes"))
	if v := f.View(start); !strings.HasPrefix(v.Title, "(1) ") || !strings.Contains(v.cell("tab talk").Text, "(1)") || !strings.Contains(v.cell("news").Text, "Yes") {
		t.Errorf("%q\n%s", v.Title, v.says())
	}
	press(f, "tab talk", start)
	if v := f.View(start); strings.HasPrefix(v.Title, "(") || v.Focus != "line" {
		t.Errorf("what is read is still counted: %q", v.Title)
	}
	f.Away(true)
	f.Show(chat("1", "Are you there?"), start)
	if v := f.View(start); !strings.HasPrefix(v.Title, "(1) ") {
		t.Errorf("behind another window it counts as read: %q", v.Title)
	}
	f.Away(false)
	if v := f.View(start); strings.HasPrefix(v.Title, "(") {
		t.Errorf("%q", v.Title)
	}
}

func TestALineIsSentOnceAndTheFieldIsEmpty(t *testing.T) {
	f := session("en", true)
	press(f, "tab talk", start)
	fresh := f.View(start).cell("line").Fresh
	f.Type("line", "  Hello\x00 there ")
	if c := press(f, "say", start); !reflect.DeepEqual(c, []ui.Command{{Do: "say", Text: "Hello there"}}) {
		t.Errorf("%+v", c)
	}
	if v := f.View(start).cell("line"); v.Text != "" || v.Fresh == fresh {
		t.Errorf("%+v", v)
	}
	if c := press(f, "say", start); c != nil {
		t.Errorf("again: %+v", c)
	}
	f.Type("line", "half a sen")
	f.Show(ask, start)
	f.Show(ui.Event{Name: "withdrawn"}, start)
	if v := f.View(start).cell("line"); v.Text != "half a sen" {
		t.Errorf("a question took what was typed: %+v", v)
	}
}

func TestTenThousandLinesAreBounded(t *testing.T) {
	f := session("en", true)
	tail := strings.Repeat("\n", 500) + strings.Repeat("x", 100_000)
	for i := range 10_000 {
		text := fmt.Sprint("line ", i)
		if i%100 == 99 {
			text += tail
		}
		f.Show(chat("1", text), start)
	}
	press(f, "tab talk", start)
	press(f, "earlier", start)
	v := f.View(start)
	if len(f.talk.lines) != maxChat || !strings.Contains(v.says(), "line 9999") || strings.Contains(v.says(), "line 9499") {
		t.Errorf("%d lines are kept", len(f.talk.lines))
	}
	for _, c := range v.Cells() {
		if strings.Count(c.Text, "\n") > maxLines || len(c.Text) > longText+200 {
			t.Fatalf("%d characters, %d lines", len(c.Text), strings.Count(c.Text, "\n"))
		}
	}
}

func TestFilesAreListedAndGiven(t *testing.T) {
	f := session("en", true, ui.Event{Name: "file", File: &ui.File{ID: "a", Name: "x\u202etxt.exe", Size: 4_000_000, Done: 1_000_000, Way: "in", State: "running"}})
	press(f, "tab files", start)
	v := f.View(start)
	if !strings.Contains(v.says(), "1.0 MB of 4.0 MB, 25") || strings.Contains(v.says(), "\u202e") || !strings.Contains(v.cell("tab files").Text, "(1)") {
		t.Errorf("\n%s", v.says())
	}
	if c := press(f, "cancel_file a", start); !reflect.DeepEqual(c, []ui.Command{{Do: "cancel_file", ID: "a"}}) {
		t.Errorf("%+v", c)
	}
	f.Show(ui.Event{Name: "file", File: &ui.File{ID: "a", Name: "x", Size: 4, Done: 4, Way: "in", State: "done"}}, start)
	if c := press(f, "open_folder a", start); !f.View(start).has("open_folder a") || c[0].Do != "open_folder" {
		t.Errorf("%+v", c)
	}
	_, wish := f.Press("give", start)
	if c := f.Chosen(*wish, []string{"/a", "/b"}); !reflect.DeepEqual(c, []ui.Command{{Do: "give", Paths: []string{"/a", "/b"}}}) {
		t.Errorf("%+v", c)
	}
	if c := f.Dropped([]string{"/a"}); len(c) != 1 || c[0].Do != "give" {
		t.Errorf("dropped: %+v", c)
	}
	f.Show(ask, start)
	if c := f.Dropped([]string{"/a"}); c != nil {
		t.Errorf("while something is asked: %+v", c)
	}
}

func TestPathsAreReadAsTheyAreTypedOrPasted(t *testing.T) {
	for s, want := range map[string][]string{
		"":                                  nil,
		" /home/me/a b.txt ":                {"/home/me/a b.txt"},
		`"/home/me/a b.txt" "/c"`:           {"/home/me/a b.txt", "/c"},
		"file:///home/me/a%20b.txt\r\n/c\n": {"/home/me/a b.txt", "/c"},
		"file://elsewhere/etc/passwd":       nil,
		`"half`:                             {`"half`},
	} {
		if got := Paths(s); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

func FuzzPaths(f *testing.F) {
	f.Add(`"a" file:///b%zz`)
	f.Fuzz(func(t *testing.T, s string) {
		for _, p := range Paths(s) {
			if strings.TrimSpace(p) == "" {
				t.Errorf("an empty path of %q", s)
			}
		}
	})
}

func TestStepsWantTheirAnswer(t *testing.T) {
	steps := ui.Event{Name: "steps", Steps: []ui.Step{{ID: "a", Text: "Open\nsettings", Picture: []byte{1}, State: "asked"}, {ID: "b", Text: "Close", State: "approved"}}}
	f := session("en", true, steps)
	v := f.View(start)
	if !strings.Contains(v.says(), "1. Open\nsettings") || v.cell("step-picture a").What != Picture || !strings.Contains(v.cell("tab steps").Text, "(1)") {
		t.Errorf("\n%s", v.says())
	}
	for id, answer := range map[string]string{"step approve a": "approve", "step refuse a": "refuse", "step done b": "done"} {
		_, step, _ := strings.Cut(strings.TrimPrefix(id, "step "), " ")
		if c := press(f, id, start); !v.has(id) || !reflect.DeepEqual(c, []ui.Command{{Do: "step", ID: step, Answer: answer}}) {
			t.Errorf("%s: %+v", id, c)
		}
	}
	busy := session("en", true)
	press(busy, "tab talk", start)
	busy.Show(steps, start)
	if busy.tab != "talk" {
		t.Error("a step takes the person away from what they write")
	}
}

func TestThePrivateListIsThePersons(t *testing.T) {
	f := session("en", true, ui.Event{Name: "private", Texts: []string{"bank", "mail"}})
	press(f, "tab private", start)
	if c := f.View(start).cell("list"); c.What != Area || c.Text != "bank\nmail" {
		t.Errorf("%+v", c)
	}
	f.Type("list", " bank \r\n\r\nphotos\u202e")
	if c := press(f, "private", start); !reflect.DeepEqual(c, []ui.Command{{Do: "private", Texts: []string{"bank", "photos"}}}) {
		t.Errorf("%+v", c)
	}
	press(f, "tab private", start)
	f.Type("list", "all")
	if press(f, "unchanged", start); f.View(start).has("list") {
		t.Error("the list cannot be left")
	}
	press(f, "tab private", start)
	if c := f.View(start).cell("list"); c.Text != "bank\nphotos" {
		t.Errorf("what was not kept stands there: %q", c.Text)
	}
	f.Type("list", "")
	if c := press(f, "private", start); len(c) != 1 || c[0].Texts == nil || len(c[0].Texts) != 0 {
		t.Errorf("an empty list: %+v", c)
	}
}
