package ui

import (
	"bytes"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
)

// listening is a console that hears nothing by itself, and what it printed.
func listening(t *testing.T, lang string, events ...Event) (*Console, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	c := NewConsole(strings.NewReader(""), &out, Load(lang))
	for range c.Commands() { // its reader has ended
	}
	for _, e := range events {
		c.Show(e)
	}
	return c, &out
}

var inSession = []Event{{Name: "session"}, {Name: "participants", Key: "Ctrl+Alt+End", Participants: []Participant{{ID: "1", Technician: Technician{Name: "Ana"}, Connected: true,
	Grants: []Grant{{Name: "view", State: "allowed"}, {Name: "control", State: "denied"}, {Name: "file_in", State: "allowed"}}}}}}

func TestConsoleLocksTheFirstQuestion(t *testing.T) {
	c, out := listening(t, "en")
	now := time.Date(2026, 11, 24, 14, 0, 0, 0, time.UTC)
	c.now = func() time.Time { return now }
	c.Show(Event{Name: "hello", Server: "help.example.org", Unknown: true})
	for _, want := range []string{"help.example.org", "Did YOU call them", "Microsoft", "in 8 s"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it lacks %q:\n%s", want, out)
		}
	}
	now = now.Add(ContactTime - time.Millisecond)
	for _, early := range []string{"y", "yes", "n", ""} {
		if cmd, ok := c.command(early); ok {
			t.Errorf("%q too early: %+v", early, cmd)
		}
	}
	now = now.Add(time.Millisecond)
	for _, unclear := range []string{"", "maybe", "yy"} {
		if cmd, ok := c.command(unclear); ok {
			t.Errorf("%q: %+v", unclear, cmd)
		}
	}
	if cmd, ok := c.command("y"); !ok || cmd.Do != "called" {
		t.Errorf("%+v", cmd)
	}
	c.Show(Event{Name: "hello", Server: "help.example.org", Unknown: true})
	now = now.Add(ContactTime)
	if cmd, ok := c.command("NON"); !ok || cmd.Do != "not_called" {
		t.Errorf("%+v", cmd)
	}
	if c.Show(Event{Name: "hang_up"}); !strings.Contains(out.String(), "Then hang up now") {
		t.Errorf("nobody is told to hang up:\n%s", out)
	}
}

func TestConsoleDoesAllThatAWindowDoes(t *testing.T) {
	file := func(id, state string) Event {
		return Event{Name: "file", File: &File{ID: id, Name: "x.zip", Size: 10, Done: 5, Way: "in", State: state}}
	}
	all := append(inSession[:len(inSession):len(inSession)], file("a", "running"), file("b", "done"),
		Event{Name: "steps", Steps: []Step{{ID: "s1", Text: "Open", State: "asked"}, {ID: "s2", Text: "Close", State: "approved"}}},
		Event{Name: "private", Texts: []string{"bank"}}, Event{Name: "chat", Chat: &Chat{From: "1", Name: "Ana", Text: "Hello\nyou"}})
	for line, want := range map[string]Command{
		"s": {Do: "stop"}, "stop": {Do: "stop"}, "s 1": {Do: "stop", Participant: "1"}, "s 9": {Do: "stop"}, "arrêter": {Do: "stop"},
		"c": {Do: "revoke", Grant: "control"}, "t 2": {Do: "revoke", Grant: "file_in", Participant: "1"},
		"m Good morning": {Do: "say", Text: "Good morning"}, "f /home/me/a b.txt": {Do: "give", Paths: []string{"/home/me/a b.txt"}},
		"x 1": {Do: "cancel_file", ID: "a"}, "o 2": {Do: "open_folder", ID: "b"}, "d 2": {Do: "open_folder", ID: "b"},
		"ok 1": {Do: "step", ID: "s1", Answer: "approve"}, "non 1": {Do: "step", ID: "s1", Answer: "refuse"}, "fait 2": {Do: "step", ID: "s2", Answer: "done"},
		"k": {Do: "keep_steps"}, "k /tmp/steps": {Do: "keep_steps", Path: "/tmp/steps"}, "w bank; my mail ;": {Do: "private", Texts: []string{"bank", "my mail"}},
		"i": {Do: "cancel_invite"}, "q": {Do: "quit"},
	} {
		c, _ := listening(t, "en", all...)
		if got, ok := c.command(line); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, want %+v", line, got, want)
		}
	}
	for line, says := range map[string]string{
		"?": "stops everything", "t": "2: Ana, ", "l": "1: x.zip, coming: 5 bytes of 10 bytes", "w": "bank", "x 7": "nothing under that number",
		"t 7": "nothing under that number", "ok": "nothing under that number", "m": "not understood", "hello": "not understood",
	} {
		c, out := listening(t, "en", all...)
		out.Reset()
		if cmd, ok := c.command(line); ok {
			t.Errorf("%q does %+v", line, cmd)
		}
		if !strings.Contains(out.String(), says) {
			t.Errorf("%q says %q, not %q", line, out, says)
		}
	}
}

func TestConsoleLetsThePersonChooseTheFolder(t *testing.T) {
	q := Event{Name: "ask", ID: "q", Grant: "file_in", Folder: "/home/me/Downloads", Text: "?"}
	for line, want := range map[string]Command{
		"a": {ID: "q", Answer: "allow"}, "a /media/my stick": {ID: "q", Answer: "allow", Folder: "/media/my stick"},
		"a /home/me/Downloads": {ID: "q", Answer: "allow"}, "n": {ID: "q", Answer: "deny"}, "": {ID: "q", Answer: "deny"}, "all right": {ID: "q", Answer: "deny"},
	} {
		c, out := listening(t, "en", q)
		got, _ := c.command(line)
		if got.Folder != "" && got.Answer == "deny" {
			t.Errorf("%q: %+v", line, got)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, want %+v", line, got, want)
		}
		if !strings.Contains(out.String(), q.Folder) {
			t.Error("the folder is not shown")
		}
	}
	c, _ := listening(t, "en", Event{Name: "ask", ID: "q", Grant: "view", Text: "?"})
	if got, _ := c.command("a lot of questions"); got.Answer != "deny" {
		t.Errorf("not a clear yes: %+v", got)
	}
}

func TestConsoleSaysGoodbye(t *testing.T) {
	end := Event{Name: "ended", Text: "You stopped.", Duration: 5, Technician: &Technician{Name: "Ana"},
		Receipt: &Receipt{Text: "14:05 saw\n14:06 typed", Name: "a/b.txt", Report: "abuse@help.example.org"}}
	for line, want := range map[string]Command{
		"4 It prints again.": {Do: "rate", Score: 4, Text: "It prints again."}, "k /tmp/r.txt": {Do: "keep_receipt", Path: "/tmp/r.txt"},
		"r They wanted money.": {Do: "report", Text: "They wanted money."}, "q": {Do: "quit"},
	} {
		c, out := listening(t, "en", append(inSession[:2:2], end)...)
		if got, ok := c.command(line); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, want %+v", line, got, want)
		}
		for _, says := range []string{"Ana helped you", "Was your problem solved?", "abuse@help.example.org", "a-b.txt"} {
			if !strings.Contains(out.String(), says) {
				t.Errorf("it lacks %q:\n%s", says, out)
			}
		}
	}
	c, out := listening(t, "en", end)
	if c.command("d"); !strings.Contains(out.String(), "14:06 typed") {
		t.Error("what was done is not read out")
	}
	for _, line := range []string{"6", "s", "m hello", "a"} {
		if cmd, ok := c.command(line); ok {
			t.Errorf("%q after the end: %+v", line, cmd)
		}
	}
}

func TestNamesOfFilesAreNames(t *testing.T) {
	for s, want := range map[string]string{
		"a.txt": "a.txt", "../../etc/passwd": "etc-passwd", `C:\x.txt`: "C--x.txt", "": "mainforte.txt", "..": "mainforte.txt", "a\u202etxt.exe\n": "atxt.exe",
	} {
		if got := FileName(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

func FuzzConsoleLine(f *testing.F) {
	for _, s := range []string{"a", "s 1", "t", "x 1", "w a;b", "ok 1", "3 x", "k"} {
		f.Add(s, 0)
	}
	f.Fuzz(func(t *testing.T, line string, state int) {
		events := [][]Event{{}, inSession, {{Name: "server"}}, {{Name: "hello", Unknown: true}}, {{Name: "ask", ID: "q"}}, {{Name: "ended", Receipt: &Receipt{}}}}
		c := NewConsole(strings.NewReader(""), io.Discard, Load("en"))
		for _, e := range events[(state%len(events)+len(events))%len(events)] {
			c.Show(e)
		}
		if cmd, ok := c.command(line); ok && cmd.Answer == "allow" && !strings.HasPrefix(strings.ToLower(line), "a") {
			t.Errorf("%q allows", line)
		}
	})
}
