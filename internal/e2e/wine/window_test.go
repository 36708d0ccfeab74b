package wine

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/capture/capturetest"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/stage"
)

func TestWindowUnderWine(t *testing.T) {
	tests(t, "host/ui/win32", "TestInjectedInputDoesNotAnswer", "TestEnterDeniesAndTabThenEnterAllows", "TestALetterWithoutAltAnswersNothing",
		"TestReadersFindNativeControlsInOrder", "TestTheQuestionIsOverAllOtherWindows", "TestEverythingGrowsWithTheMonitor",
		"TestHighContrastUsesTheSystemsColoursOnly", "TestNothingIsOutOfReach", "TestTheFirstQuestionCannotBePressedAtOnce", "TestWhatIsTypedIsSaid",
		"TestEverythingGrowsWithThePersonsTextSize", "TestADialogsAnswerIsReadWhole", "TestClosingTheWindowMeansQuit", "TestTheSystemsStopIsToldFromASignOut", "TestAPanicClosesTheWindow",
		"TestWhatADialogWritesDownIsTakenBack")
}

// TestEveryPageOfTheWindowUnderWine shows the person all there is to see, in both
// languages, and answers with the mouse of the X server.
func TestEveryPageOfTheWindowUnderWine(t *testing.T) {
	exe := filepath.Join(programs, "window.test.exe")
	if err := forWindows(t.Context(), "test", exe, "./host/ui/win32", "-c"); err != nil {
		t.Fatal(err)
	}
	for _, lang := range stage.Langs("en") {
		t.Run(lang, func(t *testing.T) { pages(t, exe, lang) })
	}
}

func pages(t *testing.T, exe, lang string) {
	texts := ui.Load(lang)
	d, x := desktop(t)
	cmd := d.Command(t.Context(), exe)
	cmd.Env = append(cmd.Env, "MAINFORTE_WINDOW="+lang)
	window := converse(t, cmd)
	var named ui.Command
	if window.line(t, &named); named.Window == "" {
		t.Errorf("the window does not name itself first: %+v", named)
	}

	tech := ui.Technician{Name: "Zoé Côté", Organisation: "Hôpital Sainte-Anne", SignedIn: "password", SignedInAt: "2026-11-24T14:05:00Z"}
	ticket := &ui.Ticket{Number: "1042", Subject: "L’imprimante du 3e ne répond plus"}
	person := func(id, name, kind, control string) ui.Participant {
		return ui.Participant{ID: id, Technician: ui.Technician{Name: name}, Kind: kind, Connected: true,
			Grants: []ui.Grant{{Name: "view", State: "allowed"}, {Name: "control", State: control}}}
	}
	until := time.Date(2026, 11, 24, 14, 15, 0, 0, time.UTC)
	ask := ui.Event{Name: "ask", ID: "q1", Grant: "view", Server: "help.example.org", Technician: &tech, Ticket: ticket,
		Text: texts.T("ask.view", "name", tech.Name)}
	lead := person("1", tech.Name, "lead", "allowed")

	for i, page := range []struct {
		name   string
		says   string
		events []ui.Event
		press  string // afterwards, a button
	}{
		{"server", texts.T("server.connect"), []ui.Event{{Name: "server", Hint: "help.example.org"}}, ""},
		{"contact", texts.T("contact.question"), []ui.Event{{Name: "hello", Server: "help.example.org", Unknown: true}}, ""},
		{"hang-up", texts.T("hang_up.title"), []ui.Event{{Name: "hang_up", Server: "help.example.org"}}, ""},
		{"code", "482 913 706", []ui.Event{{Name: "code", Code: "482 913 706", Server: "help.example.org", Expires: &until}}, ""},
		{"code-again", texts.T("code.new.TOO_MANY_TRIES"), []ui.Event{{Name: "code", Code: "482 771 204", Server: "help.example.org", Expires: &until,
			Text: texts.T("code.new.TOO_MANY_TRIES")}}, ""},
		{"ask", ask.Text, []ui.Event{ask}, ""},
		{"session", texts.T("session.controlled", "name", tech.Name), []ui.Event{{Name: "withdrawn", ID: "q1"}, {Name: "session"},
			{Name: "participants", Participants: []ui.Participant{lead}, Key: "Ctrl+Alt+End"}}, ""},
		{"invite", texts.T("invite.title"), []ui.Event{{Name: "invite", Code: "771 204 551", Kind: "expert", Text: texts.T("invite.expert", "name", tech.Name)}}, ""},
		{"several", texts.T("participants.title"), []ui.Event{{Name: "invite"}, {Name: "participants", Participants: []ui.Participant{lead,
			person("2", "Bertrand Lefèvre-Desjardins", "expert", "asked"), person("3", "Ana", "observer", "denied")}}}, texts.T("tab.talk")},
		{"talk", texts.T("talk.label"), []ui.Event{{Name: "chat", Chat: &ui.Chat{From: "1", Name: tech.Name, Text: "Voyez-vous l’icône ?\nEn bas à droite.", At: "2026-11-24T14:05:00Z"}},
			{Name: "participants", Participants: []ui.Participant{lead}}}, texts.T("tab.files")},
		{"files", texts.T("files.give"), []ui.Event{{Name: "file", File: &ui.File{ID: "a", Name: "pilote.zip", Size: 48_000_000, Done: 12_000_000, Way: "in", State: "running"}}}, texts.T("tab.rights")},
		{"steps", texts.T("steps.ask"), []ui.Event{{Name: "steps", Steps: []ui.Step{{ID: "a", Text: "Ouvrez les paramètres", Picture: stepPicture(t), State: "asked"},
			{ID: "b", Text: "Choisissez l’imprimante", State: "approved"}}}}, ""},
		{"ended", texts.T("ended.title"), []ui.Event{{Name: "ended", Duration: 312, Session: "01JDF3Q8W2", Ticket: ticket, Text: texts.T("reason.PERSON_STOPPED")}}, ""},
		{"goodbye", texts.T("goodbye.question"), []ui.Event{{Name: "ended", Server: "help.example.org", Duration: 312, Session: "01JDF3Q8W2", Technician: &tech, Ticket: ticket,
			Text: texts.T("reason.PERSON_STOPPED"), Receipt: &ui.Receipt{Text: "14:05  x", Name: "r.txt", Link: "https://help.example.org/r", Report: "mailto:abuse@help.example.org"}}}, texts.T("wrong.open")},
		{"wrong", texts.T("wrong.title"), nil, ""},
		{"error", texts.T("error.title"), []ui.Event{{Name: "hello"}, {Name: "error", Text: texts.T("error.no_server", "server", "help.example.org")}}, ""},
	} {
		for _, e := range page.events {
			window.say(e)
		}
		standing := native(t, d, page.name, says(page.says))
		inOrder(t, page.name, standing)
		picture(t, x, fmt.Sprintf("wine-window-%s-%02d-%s", lang, i+1, page.name))
		if page.press != "" {
			click(t, x, middle(button(t, d, page.press).Bounds))
		}
	}

	// The person's own mouse and keyboard answer: Wine knows them for hardware.
	window.say(ask)
	allow := button(t, d, texts.T("ask.allow"))
	time.Sleep(700 * time.Millisecond)
	click(t, x, middle(allow.Bounds))
	window.hears(t, ui.Command{ID: "q1", Answer: "allow"})
	window.say(ask)
	button(t, d, texts.T("ask.allow"))
	time.Sleep(700 * time.Millisecond)
	x.Command(t, "xdotool", "key", "Return")
	window.hears(t, ui.Command{ID: "q1", Answer: "deny"})

	window.say(ui.Event{Name: "session"})
	window.say(ui.Event{Name: "participants", Participants: []ui.Participant{lead}})
	click(t, x, middle(button(t, d, texts.T("session.revoke.control")).Bounds))
	window.hears(t, ui.Command{Do: "revoke", Grant: "control", Participant: "1"})
	click(t, x, middle(button(t, d, texts.T("session.stop")).Bounds))
	window.hears(t, ui.Command{Do: "stop"})
}

// TestTheHostUnderWineSpeaksThroughPipes: the windowed program is still one that
// other programs can speak with, and knows the hint in its own name.
func TestTheHostUnderWineSpeaksThroughPipes(t *testing.T) {
	d, _ := desktop(t)
	occupied(t, d)
	named := filepath.Join(t.TempDir(), "Mainforte-help.example.org (1).exe")
	content, err := os.ReadFile(host(t))
	if err == nil {
		err = os.WriteFile(named, content, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	talk := converse(t, d.Command(t.Context(), named, "--console=json", "--lang", "fr"))
	e := talk.event(t)
	if e.Name != "server" || e.Hint != "help.example.org" || e.Lang != "fr" {
		t.Errorf("it begins with %+v", e)
	}
	talk.say(ui.Command{Do: "server", Server: "nobody at home"})
	if e := talk.event(t); e.Name != "server" || e.Text != ui.Load("fr").T("server.bad") {
		t.Errorf("a wrong address: %+v", e)
	}
	talk.say(ui.Command{Do: "quit"})
	if err := talk.cmd.Wait(); err != nil {
		t.Errorf("it ends with %v", err)
	}

	out, err := d.Command(t.Context(), named, "--version").Output()
	if err != nil || !strings.HasPrefix(string(out), "mainforte host ") {
		t.Errorf("--version: %q %v", out, err)
	}
	wrong := d.Command(t.Context(), named, "--unattended")
	text, err := wrong.CombinedOutput()
	if wrong.ProcessState.ExitCode() != 2 || !strings.Contains(string(text), "usage: host") {
		t.Errorf("a wrong call: %v\n%s", err, text)
	}
}

// TestTheHostUnderWineIsNeverSilent: without a window it speaks in the console,
// without a console it opens one, and a wrong call is shown in a box.
func TestTheHostUnderWineIsNeverSilent(t *testing.T) {
	d, x := desktop(t)
	occupied(t, d)

	blind := d.Command(t.Context(), host(t), "--lang", "fr")
	blind.Env = append(blind.Env, "DISPLAY=")
	blind.Stdin = strings.NewReader("")
	out, err := blind.Output()
	if err != nil || !strings.Contains(string(out), ui.Load("fr").T("error.window")) {
		t.Errorf("without a window: %v\n%s", err, out)
	}

	wrong := silent(t, d, "--unattended")
	shown(t, d, "what is wrong with the call", func(c Control) bool { return strings.Contains(c.Text, "usage: host") })
	x.Command(t, "xdotool", "key", "Return")
	if _ = wrong.Wait(); wrong.ProcessState.ExitCode() != 2 {
		t.Errorf("a wrong call: %v", wrong.ProcessState)
	}

	silent(t, d, "--console")
	shown(t, d, "a console", func(c Control) bool { return strings.Contains(c.Class, "Console") })
}

// silent starts the host with streams that lead nowhere, as a desktop does.
func silent(t *testing.T, d *Desktop, args ...string) *exec.Cmd {
	t.Helper()
	cmd := d.Command(t.Context(), host(t), args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

// occupied keeps a program without a window on the desktop: with the last one
// Wine's own servers end, and the next program that starts them again leaves
// them its streams.
func occupied(t *testing.T, d *Desktop) {
	t.Helper()
	cmd := d.Command(t.Context(), "cmd", "/c", "pause")
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// conversation is a program that speaks one JSON object a line.
type conversation struct {
	cmd  *exec.Cmd
	in   *json.Encoder
	out  *bufio.Scanner
	late *time.Timer
}

func converse(t *testing.T, cmd *exec.Cmd) *conversation {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &conversation{cmd: cmd, in: json.NewEncoder(in), out: bufio.NewScanner(out)}
	c.late = time.AfterFunc(90*time.Second, func() { _ = cmd.Process.Kill() }) // a read then ends
	t.Cleanup(func() {
		c.late.Stop()
		_ = in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return c
}

func (c *conversation) say(v any) { _ = c.in.Encode(v) } // one that is gone is noticed by what it does not say

// line reads the next object into v.
func (c *conversation) line(t *testing.T, v any) {
	t.Helper()
	if !c.out.Scan() {
		t.Fatalf("it says nothing more: %v", c.out.Err())
	}
	if err := json.Unmarshal(c.out.Bytes(), v); err != nil {
		t.Fatalf("%q: %v", c.out.Bytes(), err)
	}
}

func (c *conversation) event(t *testing.T) (e ui.Event) {
	t.Helper()
	c.line(t, &e)
	return e
}

// hears waits for the next command that is not the window's naming itself.
func (c *conversation) hears(t *testing.T, want ui.Command) {
	t.Helper()
	for {
		var got ui.Command
		c.line(t, &got)
		if got.Window != "" {
			continue
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("it says %+v, want %+v", got, want)
		}
		return
	}
}

// shown waits for a window that fits, or has a control that does.
func shown(t *testing.T, d *Desktop, what string, fits func(Control) bool) (window Control) {
	t.Helper()
	var all []Control
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var err error
		if all, err = d.Windows(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, w := range all {
			if _, ok := Find([]Control{w}, func(c Control) bool { c.Text = Plain(c.Text); return fits(c) }); ok {
				return w
			}
		}
	}
	t.Fatalf("there is never %s: %+v", what, all)
	return window
}

// native waits for the host's window to show something, and to have its size.
func native(t *testing.T, d *Desktop, what string, fits func(Control) bool) Control {
	t.Helper()
	w := shown(t, d, "a window that shows "+what, fits)
	for range 20 {
		time.Sleep(60 * time.Millisecond)
		again := shown(t, d, "a window that shows "+what, fits)
		if reflect.DeepEqual(w, again) {
			break
		}
		w = again
	}
	if w.Class != hostClass {
		t.Fatalf("%s is shown in a window of class %q", what, w.Class)
	}
	return w
}

func button(t *testing.T, d *Desktop, text string) Control {
	t.Helper()
	is := func(c Control) bool { return c.Class == "Button" && Plain(c.Text) == text }
	found, _ := Find([]Control{native(t, d, "the button "+text, is)}, is)
	return found
}

// inOrder fails if controls overlap, have no size, or lie beside the window.
// Below its edge is allowed where there is more than the screen holds.
func inOrder(t *testing.T, page string, w Control) {
	t.Helper()
	for i, c := range w.Controls {
		if c.Bounds.Empty() || c.Bounds.Min.X < w.Bounds.Min.X || c.Bounds.Max.X > w.Bounds.Max.X || c.Bounds.Min.Y < w.Bounds.Min.Y {
			t.Errorf("%s: %q lies at %v in a window at %v", page, c.Text, c.Bounds, w.Bounds)
		}
		if c.Bounds.Max.Y > w.Bounds.Max.Y && w.Bounds.Dy() < Height*9/10 {
			t.Errorf("%s: %q is cut off although there is room", page, c.Text)
		}
		for _, other := range w.Controls[i+1:] {
			if c.Bounds.Overlaps(other.Bounds) {
				t.Errorf("%s: %q and %q overlap", page, c.Text, other.Text)
			}
		}
	}
}

// stepPicture is a picture as it comes with a step.
func stepPicture(t *testing.T) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 600, 160))
	for i := range img.Pix {
		img.Pix[i] = byte(i/4/600*7 | 0x40)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func click(t *testing.T, x *capturetest.Server, at image.Point) {
	t.Helper()
	x.Command(t, "xdotool", "mousemove", fmt.Sprint(at.X), fmt.Sprint(at.Y), "sleep", "0.1", "click", "1")
}

// picture keeps one of the desktop for whoever wants to look at it.
func picture(t *testing.T, x *capturetest.Server, name string) {
	t.Helper()
	folder := os.Getenv("MAINFORTE_ARTEFACTS")
	if folder == "" {
		return
	}
	time.Sleep(300 * time.Millisecond) // what was laid out is now drawn
	img, err := stage.DecodeXWD(x.Command(t, "xwd", "-root", "-silent"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(folder, name+".png"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
}
