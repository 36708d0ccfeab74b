package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// TestASessionGoesOnAfterARestart: the host is killed as by a computer that stops,
// its start entry starts it again, the person says yes again, and the technician's
// page, which waited, shows the picture with no new code. One session, one note, and
// a log without a gap. The entry works once.
func TestASessionGoesOnAfterARestart(t *testing.T) {
	w := newWorld(t, "en")
	home := t.TempDir()
	for name, dir := range map[string]string{"HOME": "", "XDG_CONFIG_HOME": "config", "XDG_STATE_HOME": "state"} {
		w.must(os.MkdirAll(filepath.Join(home, dir), 0o700))
		t.Setenv(name, filepath.Join(home, dir))
	}
	before := w.traces(home)[0]
	w.live("Updates that want a restart")
	w.must(w.browser.Click("#ask-control"))
	w.answer("control", "allow")
	w.must(w.browser.WaitFor(10*time.Second, "#give-back"))
	w.must(w.browser.Click("#show-computer"))
	w.must(w.browser.Click("#ask-reconnect"))
	w.answer("reconnect", "allow")
	w.must(w.browser.WaitFor(10*time.Second, "#give-reconnect"))
	w.shot("allowed")
	kept, entry := filepath.Join(home, "state/mainforte/return"), filepath.Join(home, "config/autostart/mainforte-return.desktop")
	w.until("it is kept", func() bool { return !w.missing(kept) && strings.Contains(w.text(entry), "\nExec=") })
	_, line, _ := strings.Cut(w.text(entry), "\nExec=")
	line, _, _ = strings.Cut(line, "\n")

	w.host.Kill()
	w.must(w.browser.Wait(10*time.Second, stage.Element("#banner")+"?.textContent.includes('is restarting')"))
	w.shot("restarting")

	again := func() *stage.Host {
		h, err := stage.RunHost(w.ctx, w.desktop.Display, "sh", "-c", "exec "+line+" --console=json")
		w.must(err)
		t.Cleanup(func() { _ = h.Stop() })
		return h
	}
	w.host, w.seen = again(), 0
	q := w.hear("ask")
	if !w.missing(kept) || !w.missing(entry) {
		t.Error("the person is asked, and what was kept is still there")
	}
	if !strings.Contains(q.Text, "Anaïs Tremblay") || !strings.Contains(q.Text, "see your screen, use your mouse and keyboard.") {
		t.Errorf("the person is asked %q", q.Text)
	}
	w.state("asking")
	w.shot("asked")
	twice := again()
	select {
	case <-twice.Exited():
	case <-time.After(10 * time.Second):
		t.Error("the entry starts a host a second time")
	}
	if said := twice.Events(); len(said) > 0 {
		t.Errorf("a second time it says %v", said)
	}
	w.must(w.host.Say(ui.Command{ID: q.ID, Answer: "allow"}))
	w.state("live")
	w.must(w.browser.WaitFor(10*time.Second, "#give-back")) // control stands again
	w.exact("again")

	w.must(w.host.Say(ui.Command{Do: "stop"}))
	ended := w.hear("ended")
	w.state("ended")
	w.noteInTicket(ended)
	if after := w.traces(home)[0]; after != before {
		t.Errorf("files before:\n%s\nafter:\n%s", before, after)
	}
	w.unbroken(ended.Session)
}

func (w *world) missing(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// text is what a file holds, nothing if it is not there yet.
func (w *world) text(path string) string {
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.t.Fatal(err)
	}
	return string(b)
}

// unbroken: the log tells of the restart, misses nothing, and is proven by the ticket.
func (w *world) unbroken(session string) {
	w.t.Helper()
	auditor, err := stage.StartBrowser(w.ctx, stage.BrowserOptions{Lang: w.lang + "-CA"})
	w.must(err)
	defer auditor.Close()
	w.signIn(auditor, "auditor", "Luc Bergeron")
	w.must(auditor.Wait(15*time.Second, "location.pathname === '/audit'"))
	w.must(auditor.Goto(w.url + "/audit?session=" + session))
	text, err := stage.Eval[string](auditor, fmt.Sprintf("fetch('/api/v1/sessions/%s/events').then(r => r.text())", session))
	w.must(err)
	var log struct{ Events []struct{ Type string } }
	w.must(json.Unmarshal([]byte(text), &log))
	var types []string
	for _, e := range log.Events {
		types = append(types, e.Type)
	}
	w.t.Logf("events: %s", strings.Join(types, " "))
	if slices.Contains(types, "log.gap") {
		w.t.Error("the log has a gap")
	}
	from := 0
	for _, want := range []string{"session.paired", "reconnect.kept", "session.paused", "session.resumed", "reconnect.returned", "consent.shown", "consent.granted", "host.closed", "session.ended"} {
		i := slices.Index(types[from:], want)
		if i < 0 {
			w.t.Errorf("no %s after %v", want, types[:from])
			continue
		}
		from += i
	}
	note, err := stage.Eval[string](w.browser, `fetch('/api/v1/tickets').then(r => r.json()).then(l => fetch('/api/v1/tickets/' + l.tickets[0].id)).then(r => r.json()).then(t => t.notes[0].text)`)
	w.must(err)
	w.must(auditor.WaitFor(10*time.Second, "#trust"))
	w.must(auditor.Fill("#trust", note+" "))
	w.must(auditor.Click("#run-proof"))
	w.must(auditor.Wait(15*time.Second, "document.querySelector('#verdict')?.dataset.verdict === 'ticket'"))
}
