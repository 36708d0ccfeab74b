package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jezek/xgb/xproto"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/scan"
	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// recordWebRTC makes the page keep every SDP and candidate that it makes or is
// given, so that a test knows what the server must never have seen.
const recordWebRTC = `(() => { window.__sdp = []; const P = RTCPeerConnection.prototype;
 for (const n of ['setLocalDescription', 'setRemoteDescription']) { const f = P[n]; P[n] = async function (...a) { if (a[0]?.sdp) window.__sdp.push(a[0].sdp); const r = await f.apply(this, a);
   if (this.localDescription) window.__sdp.push(this.localDescription.sdp); return r } }
 const c = P.addIceCandidate; P.addIceCandidate = function (...a) { if (a[0]?.candidate) window.__sdp.push(a[0].candidate); return c.apply(this, a) };
 const o = RTCPeerConnection; window.RTCPeerConnection = function (...a) { const pc = new o(...a); pc.addEventListener('icecandidate', e => e.candidate && window.__sdp.push(e.candidate.candidate)); return pc };
 window.RTCPeerConnection.prototype = P; window.RTCPeerConnection.generateCertificate = o.generateCertificate.bind(o); return true })()`

// TestASessionEndToEnd is the main job: a person's real screen in a technician's
// real browser, the technician's keys on that real desktop, the note in the
// ticket and the events in the log; and the server has seen nothing of it.
func TestASessionEndToEnd(t *testing.T) {
	for _, lang := range stage.Langs("fr") {
		t.Run(lang, func(t *testing.T) { session(t, lang) })
	}
}

func session(t *testing.T, lang string) {
	w := newWorld(t, lang)
	typed := filepath.Join(t.TempDir(), "typed.txt")
	// P12: a word that is on the screen and in a window's title, that is copied and
	// that is typed, and must stay between the two.
	canary := canaryWord()
	_, err := w.desktop.Run(w.ctx, "xterm", "-geometry", "80x20+20+40", "-fa", "DejaVu Sans Mono", "-fs", "11", "-u8", "-T", canary,
		"-xrm", "XTerm*selectToClipboard: true", "-e",
		"sh", "-c", "stty -echo; yes "+strings.Repeat(canary, 4)+" | head -19; while read -r line; do printf '%s\\n' \"$line\" >> "+typed+"; done")
	w.must(err)

	w.must(w.browser.Goto(w.url + "/?lang=" + lang))
	w.shot("landing")
	w.toSession("L'imprimante du 3e ne répond plus", "Zoé Côté")
	_, err = stage.Eval[bool](w.browser, recordWebRTC)
	w.must(err)
	code := w.startHost()

	// The person reads the code; the technician types it with dashes and full-width digits.
	w.typeCode(strings.ReplaceAll(fullWidth(code), " ", "-"))
	w.state("asking")
	w.shot("asking")
	q := w.answer("view", "allow")
	if q.Server != "127.0.0.1" || q.Technician == nil || q.Technician.Name != "Anaïs Tremblay" || q.Ticket == nil || !strings.Contains(q.Ticket.Subject, "imprimante") {
		t.Errorf("the person does not see who asks: %+v", q)
	}
	w.state("live")

	// Every pixel, three times, with random content.
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	painter, err := stage.NewPainter(w.desktop.Display, 560, 30, 440, 600, seed)
	w.must(err)
	t.Cleanup(painter.Close)
	for i := range 3 {
		w.must(painter.Paint())
		w.exact(fmt.Sprintf("picture-%d", i+1))
	}

	// Nothing moves without the control grant.
	before := w.pointer()
	w.must(w.browser.ClickAt(w.on(100, 100)))
	time.Sleep(300 * time.Millisecond)
	if after := w.pointer(); after != before {
		t.Errorf("the pointer moved from %v to %v without the control grant", before, after)
	}

	w.must(w.browser.Click("#ask-control"))
	w.answer("control", "allow")
	w.must(w.browser.WaitFor(10*time.Second, "#give-back"))
	w.shot("control")
	w.must(w.browser.ClickAt(w.on(200, 150)))
	w.until("the pointer follows", func() bool { return w.pointer() == [2]int{200, 150} })
	line := "Jobourn, ça va ? @#€" + canary // a word that stands on no page
	w.typeOnDesktop(line)
	w.until("the program has read the line", func() bool {
		b, _ := os.ReadFile(typed)
		return string(b) == line+"\n"
	}, func() string { b, _ := os.ReadFile(typed); return fmt.Sprintf("it has %q", b) })
	w.exact("typed")
	w.must(w.browser.ClickAt(w.on(200, 150)))
	w.must(w.browser.ClickAt(w.on(200, 150)))
	w.until("a double click has copied the word on the screen", func() bool { return copied(t, w.desktop.Display) })

	// The person takes control back: further input has no effect.
	w.must(w.host.Say(ui.Command{Do: "revoke", Grant: "control"}))
	w.must(w.browser.WaitFor(10*time.Second, "#ask-control"))
	before = w.pointer()
	w.must(w.browser.ClickAt(w.on(300, 300)))
	w.must(w.browser.Keys("x\r"))
	time.Sleep(500 * time.Millisecond)
	if after := w.pointer(); after != before {
		t.Errorf("the pointer moved from %v to %v after control was taken back", before, after)
	}
	if b, _ := os.ReadFile(typed); strings.Contains(string(b), "x") {
		t.Errorf("a key arrived after control was taken back: %q", b)
	}

	// The person stops everything.
	w.must(w.host.Say(ui.Command{Do: "stop"}))
	ended := w.hear("ended")
	if ended.Reason != "PERSON_STOPPED" || ended.Session == "" {
		t.Errorf("the host ended with %+v", ended)
	}
	w.state("ended")
	w.shot("ended")
	select {
	case <-w.host.Exited():
	case <-time.After(10 * time.Second):
		t.Error("the host is still running 10 s after the end")
	}

	w.noteInTicket(ended)
	w.eventsInLog(ended)
	w.receiptForThePerson(ended)
	w.serverSawNothing(code, canary)
	w.nothingLeaves(ended.Session, canary)
	for _, line := range w.browser.Console() {
		if strings.Contains(line, "Content Security Policy") || strings.Contains(line, "TrustedScript") || strings.Contains(line, "WebAssembly") || strings.HasPrefix(line, "exception") {
			t.Errorf("the page complains: %s", line)
		}
	}
}

// typeOnDesktop types as a technician with a French keyboard does: most keys
// type the same on both sides, some do not, and one character comes from an
// input method without any key.
func (w *world) typeOnDesktop(text string) {
	w.t.Helper()
	foreign := map[rune]string{'ç': "Digit9", '@': "Digit0", '#': "Digit3"}
	for _, r := range text {
		switch {
		case r == '€':
			w.must(w.browser.Insert("€"))
		case foreign[r] != "":
			w.must(w.browser.Key(foreign[r], string(r), 0))
		default:
			w.must(w.browser.Keys(string(r)))
		}
	}
	w.must(w.browser.Keys("\r"))
}

func fullWidth(code string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r - '0' + '０'
		}
		return r
	}, code)
}

// pointer is where the pointer stands on the host's display.
func (w *world) pointer() [2]int {
	w.t.Helper()
	out, err := w.desktop.Output(w.ctx, "xdotool", "getmouselocation")
	w.must(err)
	var x, y int
	if _, err := fmt.Sscanf(string(out), "x:%d y:%d", &x, &y); err != nil {
		w.t.Fatalf("%q: %v", out, err)
	}
	return [2]int{x, y}
}

// until waits until something holds.
func (w *world) until(what string, holds func() bool, detail ...func() string) {
	w.t.Helper()
	w.within(8*time.Second, what, holds, detail...)
}

// within waits so long until something holds.
func (w *world) within(d time.Duration, what string, holds func() bool, detail ...func() string) {
	w.t.Helper()
	for deadline := time.Now().Add(d); !holds(); time.Sleep(30 * time.Millisecond) {
		if time.Now().After(deadline) {
			more := ""
			for _, d := range detail {
				more += ": " + d()
			}
			w.shot("failed")
			w.t.Fatalf("not so: %s%s", what, more)
		}
	}
}

// noteInTicket: one note, with who, how long, what was allowed, why it ended.
func (w *world) noteInTicket(ended ui.Event) {
	w.t.Helper()
	t := w.t
	var ticket struct {
		Notes []struct{ Text, Author string }
	}
	w.until("the note is in the ticket", func() bool {
		text, err := stage.Eval[string](w.browser, `fetch('/api/v1/tickets').then(r => r.json()).then(l => fetch('/api/v1/tickets/' + l.tickets[0].id)).then(r => r.text())`)
		w.must(err)
		w.must(json.Unmarshal([]byte(text), &ticket))
		return len(ticket.Notes) > 0
	})
	if len(ticket.Notes) != 1 {
		t.Errorf("%d notes in the ticket, want one", len(ticket.Notes))
	}
	note := ticket.Notes[0].Text
	t.Logf("note:\n%s", note)
	want := []string{"Anaïs Tremblay", ended.Session, ui.Load("fr").T("grant.view")}
	if w.lang == "en" {
		want = []string{"Anaïs Tremblay", ended.Session}
	} else {
		want = want[:2]
	}
	for _, s := range want {
		if !strings.Contains(note, s) {
			t.Errorf("the note does not say %q", s)
		}
	}
	w.must(w.browser.WaitFor(10*time.Second, ".note"))
	w.shot("note")
}

// eventsInLog: an auditor finds the session and its events in order.
func (w *world) eventsInLog(ended ui.Event) {
	w.t.Helper()
	auditor, err := stage.StartBrowser(w.ctx, stage.BrowserOptions{Lang: w.lang + "-CA"})
	w.must(err)
	defer auditor.Close()
	w.signIn(auditor, "auditor", "Luc Bergeron")
	w.must(auditor.Wait(15*time.Second, "location.pathname === '/audit'"))
	w.must(auditor.Goto(w.url + "/audit?session=" + ended.Session))
	w.must(auditor.Wait(15*time.Second, "document.body.innerText.includes('session.ended')"))
	if _, png, err := auditor.Screenshot(); err == nil {
		w.keep("audit", png)
	}
	text, err := stage.Eval[string](auditor, fmt.Sprintf("fetch('/api/v1/sessions/%s/events').then(r => r.text())", ended.Session))
	w.must(err)
	var log struct {
		Events []struct {
			Index         int64
			Type, Outcome string
		}
	}
	w.must(json.Unmarshal([]byte(text), &log))
	var types []string
	last := int64(-1)
	for _, e := range log.Events {
		if e.Index <= last {
			w.t.Errorf("event %d stands after %d", e.Index, last)
		}
		last = e.Index
		types = append(types, e.Type)
	}
	all := strings.Join(types, " ")
	w.t.Logf("events: %s", all)
	if !strings.Contains(all, "input.summary") { // every 10 s and at the end: where, depends on the machine
		w.t.Error("what was typed was not counted")
	}
	at := 0
	for _, want := range []string{"session.paired", "consent.shown", "consent.granted", "consent.shown", "consent.granted", "consent.revoked", "host.closed", "session.ended"} {
		i := strings.Index(all[at:], want)
		if i < 0 {
			w.t.Errorf("no %s after %q", want, all[:at])
			continue
		}
		at += i
	}
	w.provenInBrowser(auditor, ended)
}

// serverSawNothing is P1 and P12: neither the secret nor any SDP, fingerprint or
// candidate is in any byte at the server's sockets, in its output, in its
// database or the write-ahead log; and the scanner does find what is there.
func (w *world) serverSawNothing(code, word string) {
	w.t.Helper()
	sdps, err := stage.Eval[[]string](w.browser, "window.__sdp")
	w.must(err)
	needles := needlesOf(code, sdps)
	if len(needles) < 8 {
		w.t.Fatalf("only %d needles from %d descriptions: the test would prove nothing", len(needles), len(sdps))
	}
	// P12: what was typed is nowhere, whole or in part.
	needles = append(needles, scan.Needle{Name: "what was typed", Value: []byte("Jobourn, ça va ?")}, scan.Needle{Name: "a word that was typed", Value: []byte("Jobourn")},
		scan.Needle{Name: "the word that was typed, copied and shown", Value: []byte(word)})
	canary := []scan.Needle{{Name: "canary", Value: []byte("imprimante du 3e ne r")}}
	streams, err := w.tap.Plaintext()
	w.must(err)
	canaries := 0
	for i, s := range streams {
		for _, hit := range scan.Bytes(needles, fmt.Sprintf("socket stream %d", i), s) {
			w.t.Errorf("the server saw %s", hit)
		}
		canaries += len(scan.Bytes(canary, "", s))
	}
	if canaries == 0 {
		w.t.Error("the scanner does not find the ticket's subject at the sockets, where it was")
	}
	hits, err := scan.Dir(needles, w.server.Data)
	w.must(err)
	for _, hit := range append(hits, scan.Bytes(needles, "the server's output", []byte(w.server.Out.String()))...) {
		w.t.Errorf("the server keeps %s", hit)
	}
	if hits, err := scan.Dir(canary, w.server.Data); err != nil || len(hits) == 0 {
		w.t.Errorf("the scanner does not find the ticket's subject in the database, where it is: %v", err)
	}
}

// canaryWord is a word that stands nowhere by chance, without an x: that is what
// is typed when nothing may arrive.
func canaryWord() string {
	word := []byte("kanarie")
	for range 10 {
		word = append(word, byte('a'+rand.IntN(23)))
	}
	return string(word)
}

// copied tells whether the display's clipboard has an owner: a program that
// something was copied in.
func copied(t *testing.T, display string) bool {
	t.Helper()
	c, err := stage.Dial(display)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const name = "CLIPBOARD"
	atom, err := xproto.InternAtom(c, false, uint16(len(name)), name).Reply()
	if err != nil {
		t.Fatal(err)
	}
	owner, err := xproto.GetSelectionOwner(c, atom.Atom).Reply()
	if err != nil {
		t.Fatal(err)
	}
	return owner.Owner != xproto.WindowNone
}

// nothingLeaves is P12 for what is taken out of the house: no export, no format,
// no report holds the word, nor does what the host says.
func (w *world) nothingLeaves(session, word string) {
	w.t.Helper()
	dir := w.t.TempDir()
	commands := [][]string{
		{"export", "--personal", "--out", filepath.Join(dir, "export")},
		{"report", "--personal", "--session", session, "--out", filepath.Join(dir, "report.html")},
	}
	for _, f := range []string{"jsonl", "csv", "cef", "ecs", "ocsf", "otlp"} {
		commands = append(commands, []string{"export", "--personal", "--format", f, "--out", filepath.Join(dir, "events."+f)})
	}
	for _, args := range commands {
		out, err := exec.CommandContext(w.ctx, programs.Signaling, append(args, "--data", w.server.Data)...).CombinedOutput()
		if err != nil {
			w.t.Errorf("signaling %v: %v\n%s", args, err, out)
		}
	}
	needle := []scan.Needle{{Name: "the word that was typed, copied and shown", Value: []byte(word)}}
	hits, err := scan.Dir(needle, dir)
	w.must(err)
	hits = append(hits, scan.Bytes(needle, "the host's output", []byte(w.host.Out.String()))...)
	told, err := json.Marshal(w.host.Events())
	w.must(err)
	for _, hit := range append(hits, scan.Bytes(needle, "what the host tells", told)...) {
		w.t.Errorf("there is %s", hit)
	}
	if hits, err := scan.Dir([]scan.Needle{{Name: "the technician", Value: []byte("Tremblay")}}, dir); err != nil || len(hits) < len(commands) {
		w.t.Errorf("the scanner finds the technician in only %d of %d: %v", len(hits), len(commands), err)
	}
}

// needlesOf lists what the server must not have: the secret, and from the
// descriptions every fingerprint, ICE credential and candidate.
func needlesOf(code string, sdps []string) []scan.Needle {
	digits := strings.ReplaceAll(code, " ", "")
	secret := digits[len(digits)-6:]
	needles := []scan.Needle{
		{Name: "the secret", Value: []byte(secret), Alone: true},
		{Name: "the code", Value: []byte(digits)},
		{Name: "the code as shown", Value: []byte(code)},
	}
	seen := map[string]bool{}
	add := func(name, v string) {
		if len(v) >= 4 && !seen[v] {
			seen[v] = true
			needles = append(needles, scan.Needle{Name: name, Value: []byte(v)})
		}
	}
	for _, sdp := range sdps {
		for line := range strings.Lines(sdp) {
			line = strings.TrimSpace(line)
			line = strings.TrimPrefix(line, "a=")
			switch {
			case strings.HasPrefix(line, "fingerprint:sha-256 "):
				fp := strings.TrimPrefix(line, "fingerprint:sha-256 ")
				add("a fingerprint", fp)
				add("a fingerprint without colons", strings.ReplaceAll(fp, ":", ""))
			case strings.HasPrefix(line, "ice-pwd:"):
				add("an ICE password", strings.TrimPrefix(line, "ice-pwd:"))
			case strings.HasPrefix(line, "candidate:"):
				add("a candidate", line)
				if f := strings.Fields(line); len(f) > 5 {
					add("a candidate's address", f[4]+" "+f[5])
				}
			case strings.HasPrefix(line, "o="):
				add("an SDP origin", line)
			}
		}
	}
	return needles
}
