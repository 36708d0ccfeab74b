package ui

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// TestFrenchSignsStayWithTheirWord: no line begins with one.
func TestFrenchSignsStayWithTheirWord(t *testing.T) {
	loose := regexp.MustCompile(` [;:?!»]|« `)
	for key, text := range Load("fr").m {
		if loose.MatchString(text) {
			t.Errorf("%s: a plain space beside a sign: %q", key, text)
		}
	}
}

func TestEveryTextExistsInBothLanguages(t *testing.T) {
	hole := regexp.MustCompile(`\{[a-z_]+\}`)
	en, fr := Load("en"), Load("fr_CA.UTF-8")
	if fr.Lang != "fr" || Load("de").Lang != "en" {
		t.Fatal("language choice")
	}
	for k, v := range en.m {
		w, ok := fr.m[k]
		if !ok || w == "" || v == "" {
			t.Errorf("%s: missing in one language", k)
		}
		a, b := hole.FindAllString(v, -1), hole.FindAllString(w, -1)
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) {
			t.Errorf("%s: English has %v, French %v", k, a, b)
		}
	}
	for k := range fr.m {
		if !en.Has(k) {
			t.Errorf("%s: only in French", k)
		}
	}
}

func TestEveryReasonHasASentence(t *testing.T) {
	for _, l := range Langs() {
		for n := range mfpb.Reason_name {
			if r := mfpb.Reason(n); strings.HasPrefix(Load(l).Reason(r), "reason.") {
				t.Errorf("%s: no sentence for %v", l, r)
			}
		}
	}
}

// next waits for a command; ok is false when the commands ended.
func next(t *testing.T, w Window) (Command, bool) {
	t.Helper()
	select {
	case c, ok := <-w.Commands():
		return c, ok
	case <-time.After(5 * time.Second):
		t.Fatal("no command")
		return Command{}, false
	}
}

func TestConsoleAllowsOnlyOnAClearYes(t *testing.T) {
	for answer, want := range map[string]string{"": "deny", "n": "deny", "yes?": "deny", "A": "allow", "allow": "allow", "autoriser": "allow"} {
		in, w := io.Pipe()
		var out bytes.Buffer
		c := NewConsole(in, &out, Load("en"))
		c.Show(Event{Name: "ask", ID: "q1", Grant: "view", Server: "help.example.org", Text: "?", Technician: &Technician{Name: "Ana"}})
		if _, err := io.WriteString(w, answer+"\n"); err != nil {
			t.Fatal(err)
		}
		if got, _ := next(t, c); got.ID != "q1" || got.Answer != want {
			t.Errorf("%q: got %+v, want %s", answer, got, want)
		}
		w.Close()
		if _, ok := next(t, c); ok {
			t.Error("the end of the input is not the end of the commands")
		}
		if !strings.Contains(out.String(), "help.example.org") {
			t.Error("the server's name is not shown")
		}
		if !strings.Contains(out.String(), "No ticket: this session") {
			t.Error("that there is no ticket is not said")
		}
	}
}

func TestConsoleAnswersAQuestionOnce(t *testing.T) {
	in, w := io.Pipe()
	c := NewConsole(in, io.Discard, Load("fr"))
	c.Show(Event{Name: "ask", ID: "q1", Grant: "control"})
	c.Show(Event{Name: "withdrawn", ID: "q1"})
	go func() {
		_, _ = io.WriteString(w, "a\ns\n")
		w.Close()
	}()
	if got, _ := next(t, c); got.Do != "stop" {
		t.Errorf("a withdrawn question was answered: %+v", got)
	}
}

func TestConsoleStopsOneOrAll(t *testing.T) {
	r, w := io.Pipe()
	var out strings.Builder
	c := NewConsole(r, &out, Load("fr"))
	c.Show(Event{Name: "participants", Participants: []Participant{
		{ID: "1", Kind: "lead", Technician: Technician{Name: "Ana"}, Connected: true},
		{ID: "2", Kind: "expert", Technician: Technician{Name: "Paul"}},
	}})
	if !strings.Contains(out.String(), "(technicien)") || !strings.Contains(out.String(), "(liaison coupée, retour attendu)") {
		t.Errorf("the person reads:\n%s", &out)
	}
	go func() {
		_, _ = io.WriteString(w, "s\nstop\nArrêter\ns 2\nstop 2\narrêter  2\nstop now\ns 9\n")
		w.Close()
	}()
	for i, who := range []string{"", "", "", "2", "2", "2", "", ""} { // a Stop for nobody stops everybody
		if got, _ := next(t, c); !reflect.DeepEqual(got, Command{Do: "stop", Participant: who}) {
			t.Errorf("line %d: %+v, want a stop of %q", i+1, got, who)
		}
	}
}

func TestTheConsoleNamesTheOrganisation(t *testing.T) { // P7
	var out strings.Builder
	c := NewConsole(strings.NewReader(""), &out, Load("en"))
	c.Show(Event{Name: "ask", ID: "q", Grant: "view", Technician: &Technician{Name: "Ana", Organisation: "Aide & Co"}})
	if !strings.Contains(out.String(), "Ana, Aide & Co") {
		t.Errorf("the person reads:\n%s", &out)
	}
}

func TestTheQuestionSaysHowTheTechnicianSignedIn(t *testing.T) {
	en := Load("en")
	at := time.Date(2026, 11, 24, 14, 5, 0, 0, time.Local)
	for want, tech := range map[string]Technician{
		"Signed in with: a password, at 14:05":                       {SignedIn: "password", SignedInAt: at.UTC().Format(time.RFC3339)},
		"Signed in with: a one-time link, at –":                      {SignedIn: "link"},
		"Signed in with: the account of Example: Hospital, at 14:05": {SignedIn: "oidc:Example: Hospital", SignedInAt: at.UTC().Format(time.RFC3339)},
		"Signed in with: a password and a code, at 14:05":            {SignedIn: "password+code", SignedInAt: at.UTC().Format(time.RFC3339)},
		"Signed in with: a passkey, at 14:05":                        {SignedIn: "passkey", SignedInAt: at.UTC().Format(time.RFC3339)},
		"":                                                           {Name: "Ana"},
	} {
		if got := en.SignedIn(tech); got != want {
			t.Errorf("%+v: %q, want %q", tech, got, want)
		}
	}
}

func TestHostileNamesCannotMoveTheCursor(t *testing.T) {
	var out bytes.Buffer
	c := NewConsole(strings.NewReader(""), &out, Load("en"))
	c.Show(Event{Name: "status", Text: "a\x1b[2Jb\r\u202ec"})
	if got := out.String(); got != "a[2Jbc\n" {
		t.Errorf("%q", got)
	}
}

func TestJSONSpeaksOneObjectALine(t *testing.T) {
	var out bytes.Buffer
	j := NewJSON(strings.NewReader("{\"id\":\"q1\",\"answer\":\"allow\"}\nnonsense\n{\"do\":\"stop\"}\n"), &out)
	if c, _ := next(t, j); !reflect.DeepEqual(c, Command{ID: "q1", Answer: "allow"}) {
		t.Errorf("%+v", c)
	}
	if c, _ := next(t, j); !reflect.DeepEqual(c, Command{Do: "stop"}) {
		t.Errorf("%+v", c)
	}
	if _, ok := next(t, j); ok {
		t.Error("commands go on after the input")
	}
	j.Show(Event{Name: "code", Code: "482 913 706"})
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var e Event
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &e); err != nil || e.Code != "482 913 706" {
		t.Errorf("%v %+v", err, e)
	}
	if len(lines) != 2 || !strings.Contains(lines[0], `"error"`) {
		t.Errorf("nonsense was not answered: %q", lines)
	}
}

func TestStandingNamesTheStrongestGrant(t *testing.T) {
	view, control := Grant{"view", "allowed"}, Grant{"control", "allowed"}
	for _, c := range []struct {
		grants []Grant
		want   string
	}{{nil, "session.paused"}, {[]Grant{view}, "session.seen"}, {[]Grant{view, control}, "session.controlled"}, {[]Grant{view, {"control", "revoked"}}, "session.seen"}} {
		if got := Standing(c.grants); got != c.want {
			t.Errorf("%v: %s", c.grants, got)
		}
	}
}

func TestWithoutADisplayThereIsNoWindow(t *testing.T) {
	t.Setenv("DISPLAY", "")
	t.Setenv("WAYLAND_DISPLAY", "")
	if _, err := OpenWindow("en"); !errors.Is(err, ErrNoWindow) {
		t.Errorf("got %v, want ErrNoWindow", err)
	}
}

func TestTheTerminalBehindTheWindowHearsTheCodeAndNoQuestion(t *testing.T) {
	var out, window bytes.Buffer
	e := NewEcho(NewJSON(strings.NewReader(""), &window), &out, Load("fr"))
	e.Show(Event{Name: "code", Code: "482 913 706"})
	e.Show(Event{Name: "ask", ID: "q1", Text: "Acceptez-vous ?"})
	if got := out.String(); got != "Lisez ce code à votre technicien\u00a0: 482 913 706\n" {
		t.Errorf("%q", got)
	}
	if !strings.Contains(window.String(), "Acceptez-vous") {
		t.Error("the window did not hear the question")
	}
}
