package face

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/ui"
)

var start = time.Date(2026, 11, 24, 14, 0, 0, 0, time.UTC)

// after is long enough for a question to be answered.
const after = AnswerDelay

// shown is a screen after some events, all at start.
func shown(lang string, events ...ui.Event) *Face {
	s := New(Setting{Lang: lang, Dialogs: true})
	for _, e := range events {
		s.Show(e, start)
	}
	return s
}

// says is everything that can be read.
func (v View) says() string {
	var s []string
	for _, c := range v.Cells() {
		s = append(s, c.Text)
	}
	return strings.Join(s, "\n")
}

// press presses a cell and returns what is said.
func press(f *Face, id string, now time.Time) []ui.Command {
	c, _ := f.Press(id, now)
	return c
}

// cell of a view, nothing if there is none.
func (v View) cell(id string) Cell {
	for _, c := range v.Cells() {
		if c.ID == id {
			return c
		}
	}
	return Cell{}
}

func (v View) has(id string) bool {
	return slices.ContainsFunc(v.Cells(), func(c Cell) bool { return c.ID == id })
}

var (
	ana = ui.Technician{Name: "Ana", Organisation: "Example Hospital", SignedIn: "password", SignedInAt: "2026-11-24T13:00:00Z"}
	ask = ui.Event{Name: "ask", ID: "q1", Grant: "view", Server: "help.example.org", Text: "Ana asks to SEE your screen.",
		Technician: &ana, Ticket: &ui.Ticket{Number: "1042", Subject: "Excel is slow"}}
)

func helper(id, name, control string) ui.Participant {
	return ui.Participant{ID: id, Technician: ui.Technician{Name: name}, Kind: "lead", Connected: true,
		Grants: []ui.Grant{{Name: "view", State: "allowed"}, {Name: "control", State: control}}}
}

func TestAQuestionNamesWhoAsksAndDeniesByDefault(t *testing.T) {
	v := shown("en", ask).View(start)
	for _, want := range []string{"help.example.org", "Ana, Example Hospital", "1042", "Excel is slow", ask.Text, "a password, at"} {
		if !strings.Contains(v.says(), want) {
			t.Errorf("the question lacks %q:\n%s", want, v.says())
		}
	}
	if v.Focus != IDDeny || v.Escape != IDDeny {
		t.Errorf("the keyboard is at %q, Esc is %q", v.Focus, v.Escape)
	}
	for _, c := range v.Cells() {
		if c.Enter != "" {
			t.Error("Enter answers without a button")
		}
	}
	if !v.Above || !v.Alert {
		t.Error("the question may lie under another window")
	}
	if !shown("en", ask).Answering() || shown("en").Answering() {
		t.Error("the window does not know when only the person may press")
	}
}

func TestAQuestionTakesNoAnswerInItsFirstMoment(t *testing.T) {
	s := shown("en", ask)
	for _, id := range []string{IDAllow, IDDeny} {
		if c := press(s, id, start.Add(after-time.Millisecond)); c != nil {
			t.Errorf("%s: %+v", id, c)
		}
	}
	want := []ui.Command{{ID: "q1", Answer: "allow"}}
	if c := press(s, IDAllow, start.Add(after)); !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v, want %+v", c, want)
	}
	if c := press(s, IDAllow, start.Add(after)); c != nil {
		t.Errorf("answered twice: %+v", c)
	}
}

func TestAnAnswerEchoesItsOwnQuestion(t *testing.T) {
	second := ask
	second.ID, second.Grant = "q2", "control"
	s := shown("en", ask, second)
	if c := press(s, IDDeny, start.Add(after)); !reflect.DeepEqual(c, []ui.Command{{ID: "q2", Answer: "deny"}}) {
		t.Errorf("%+v", c)
	}
	s = shown("en", ask, ui.Event{Name: "withdrawn", ID: "q1"})
	if c := press(s, IDAllow, start.Add(after)); c != nil {
		t.Errorf("a withdrawn question was answered: %+v", c)
	}
	s = shown("en", second, ui.Event{Name: "withdrawn", ID: "q1"})
	if s.ask == nil {
		t.Error("the withdrawal of another question took this one away")
	}
}

func TestEveryEndTakesTheQuestionAway(t *testing.T) {
	for _, e := range []ui.Event{{Name: "ended"}, {Name: "error"}, {Name: "code", Code: "1"}} {
		if s := shown("en", ask, e); s.View(start).has(IDAllow) || s.Answering() {
			t.Errorf("after %s the question still stands", e.Name)
		}
	}
}

func TestTheSessionListsEveryoneWithAButtonForEachGrant(t *testing.T) {
	s := shown("en", ui.Event{Name: "session"}, ui.Event{Name: "participants",
		Participants: []ui.Participant{helper("1", "Ana", "allowed"), helper("2", "Bo", "denied")}})
	v := s.View(start)
	for id, want := range map[string]ui.Command{
		"stop":             {Do: "stop"},
		"stop 2":           {Do: "stop", Participant: "2"},
		"revoke 1 control": {Do: "revoke", Grant: "control", Participant: "1"},
		"revoke 2 view":    {Do: "revoke", Grant: "view", Participant: "2"},
	} {
		if !v.has(id) {
			t.Errorf("no button %q", id)
		}
		if c := press(s, id, start); !reflect.DeepEqual(c, []ui.Command{want}) {
			t.Errorf("%s: %+v", id, c)
		}
	}
	if v.has("revoke 2 control") {
		t.Error("what is denied can be taken back")
	}
	if !v.Above || v.Focus != IDStop {
		t.Error("Stop is not at hand")
	}
	first := slices.IndexFunc(v.Cells(), Cell.Button)
	if v.Cells()[first].ID != IDStop {
		t.Error("Stop is not the first button")
	}
	if v.Cells()[first].Text != "Stop everything" {
		t.Errorf("beside a button for each of them, the one for all is called %q", v.Cells()[first].Text)
	}
	one := shown("en", ui.Event{Name: "participants", Participants: []ui.Participant{helper("1", "Ana", "allowed")}}).View(start)
	if one.has("stop 1") || !strings.Contains(one.says(), "Ana can see your screen and use your mouse and keyboard.") {
		t.Errorf("one participant:\n%s", one.says())
	}
}

func TestAnUnknownGrantIsShownAndCanBeTakenBack(t *testing.T) {
	p := helper("1", "Ana", "denied")
	p.Grants = append(p.Grants, ui.Grant{Name: "annotate", State: "allowed"})
	v := shown("en", ui.Event{Name: "participants", Participants: []ui.Participant{p}}).View(start)
	if !v.has("revoke 1 annotate") {
		t.Error("no button")
	}
}

func TestClosingAsksFirstInASession(t *testing.T) {
	s := shown("en", ui.Event{Name: "session"})
	if c := s.Close(); c != nil {
		t.Fatalf("closed at once: %+v", c)
	}
	v := s.View(start)
	if v.Focus != IDStay || v.Escape != IDStay {
		t.Errorf("the keyboard is at %q, Esc is %q", v.Focus, v.Escape)
	}
	press(s, IDStay, start)
	if s.View(start).has(IDLeave) {
		t.Error("the question stays")
	}
	s.Close()
	if c := press(s, IDLeave, start); !reflect.DeepEqual(c, []ui.Command{{Do: "quit"}}) {
		t.Errorf("%+v", c)
	}
	for _, e := range []ui.Event{{Name: "code"}, {Name: "server"}, {Name: "ended"}, {Name: "error"}} {
		if c := shown("en", e).Close(); !reflect.DeepEqual(c, []ui.Command{{Do: "quit"}}) {
			t.Errorf("%s: %+v", e.Name, c)
		}
	}
}

func TestTheAddressIsAskedForWithItsHint(t *testing.T) {
	s := shown("en", ui.Event{Name: "server", Hint: "help.example.org", Text: "That is not an address."})
	v := s.View(start)
	field := v.cell(IDAddress)
	if field.Enter != IDConnect || field.Text != "help.example.org" || v.Focus != IDAddress || !strings.Contains(v.says(), "That is not an address.") {
		t.Errorf("%+v", v)
	}
	s.Type(IDAddress, "  help.example.org ")
	if c := press(s, IDConnect, start); !reflect.DeepEqual(c, []ui.Command{{Do: "server", Server: "help.example.org"}}) {
		t.Errorf("%+v", c)
	}
	s.Type(IDAddress, " ")
	if c := press(s, IDConnect, start); c != nil {
		t.Errorf("an empty address: %+v", c)
	}
	s.Show(ui.Event{Name: "status", Text: "Connecting"}, start)
	if s.View(start).has(IDAddress) {
		t.Error("the address is still asked for")
	}
}

func TestTheEndOffersANewCode(t *testing.T) {
	for _, e := range []ui.Event{{Name: "ended", Text: "You stopped."}, {Name: "error", Text: "No answer."}} {
		s := shown("en", e)
		if v := s.View(start); !v.has(IDAgain) || !v.has(IDQuit) || !strings.Contains(v.says(), e.Text) {
			t.Errorf("%s:\n%s", e.Name, v.says())
		}
		if c := press(s, IDAgain, start); !reflect.DeepEqual(c, []ui.Command{{Do: "again"}}) {
			t.Errorf("%+v", c)
		}
	}
}

func TestAnInviteIsShownUntilItIsWorthNothing(t *testing.T) {
	s := shown("en", ui.Event{Name: "participants", Participants: []ui.Participant{helper("1", "Ana", "denied")}},
		ui.Event{Name: "invite", Code: "771 204 551", Text: "Ana wants to bring in a colleague."})
	if v := s.View(start); !strings.Contains(v.says(), "771 204 551") || !v.has(IDCancel) {
		t.Errorf("\n%s", v.says())
	}
	s.Show(ui.Event{Name: "invite"}, start)
	if strings.Contains(s.View(start).says(), "771") {
		t.Error("the code is still shown")
	}
}

func TestHostileNamesAreOneLineInOneDirection(t *testing.T) {
	e := ask
	e.Technician = &ui.Technician{Name: "A\u202egro.live\nAllow\x00" + strings.Repeat("x", 2000)}
	for _, c := range shown("en", e).View(start).Cells() {
		if strings.ContainsAny(c.Text, "\u202e\n\x00") || len(c.Text) > longest+100 {
			t.Errorf("%q", c.Text)
		}
	}
}

func TestEveryTextOfTheWindowExistsInBothLanguages(t *testing.T) {
	people := []ui.Participant{helper("1", "Ana", "allowed"), helper("2", "Bo", "handed_over")}
	people[1].Connected, people[1].Kind = false, "observer"
	expires := start
	for _, lang := range ui.Langs() {
		leaving := shown(lang, ui.Event{Name: "session"})
		leaving.Close()
		for _, s := range []*Face{
			shown(lang), shown(lang, ask), leaving,
			shown(lang, ui.Event{Name: "server"}), shown(lang, ui.Event{Name: "server", Hint: "help.example.org"}),
			shown(lang, ui.Event{Name: "code", Code: "482 913 706", Expires: &expires}),
			shown(lang, ui.Event{Name: "participants", Participants: people}, ui.Event{Name: "invite", Code: "1"}),
			shown(lang, ui.Event{Name: "ended", Duration: 5, Session: "01J", Ticket: &ui.Ticket{Number: "1"}}),
			shown(lang, ui.Event{Name: "error"}), shown(lang, unknown), shown(lang, ui.Event{Name: "hang_up"}),
			opened(lang, "talk"), opened(lang, "files"), opened(lang, "steps"), opened(lang, "private"),
			session(lang, true, farewell), session(lang, false, farewell), wronged(lang),
		} {
			seen := map[string]bool{}
			for _, c := range s.View(start).Cells() {
				if key(c.Text) {
					t.Errorf("%s: %q has no text: %q", lang, c.ID, c.Text)
				}
				if seen[c.ID] {
					t.Errorf("%s: two cells are called %q", lang, c.ID)
				}
				seen[c.ID] = true
			}
		}
	}
}

// opened is a session that has everything, in one of its parts.
func opened(lang, tab string) *Face {
	f := session(lang, tab == "talk", chat("1", "x"), chat("", "y"), ui.Event{Name: "private", Texts: []string{"bank"}},
		ui.Event{Name: "held", Held: &ui.Held{Why: "password"}},
		ui.Event{Name: "steps", Steps: []ui.Step{{ID: "a", State: "asked", Picture: []byte{1}}, {ID: "b", State: "approved"}, {ID: "c", State: "refused"}, {ID: "d", State: "done"}}})
	for _, way := range []string{"in", "out"} {
		for _, state := range []string{"running", "waiting", "done", "cancelled", "failed", "else"} {
			f.Show(ui.Event{Name: "file", File: &ui.File{ID: way + state, Name: "x", Size: 10, Done: 5, Way: way, State: state}}, start)
		}
	}
	f.open(tab)
	return f
}

func wronged(lang string) *Face {
	f := session(lang, true, farewell)
	press(f, "wrong", start)
	return f
}

// key tells a key of the locale files from a sentence: "session.stop" but not
// "help.example.org".
func key(s string) bool {
	for _, p := range []string{"ask.", "quit.", "session.", "participant", "grant.", "state.", "invite.", "ended.", "error.", "code.", "server.", "contact.", "hang_up.",
		"talk.", "files.", "steps.", "tab.", "private.", "held.", "goodbye.", "wrong.", "unit.", "title", "colon"} {
		if strings.HasPrefix(s, p) && !strings.Contains(s, " ") {
			return true
		}
	}
	return strings.Contains(s, "{")
}
