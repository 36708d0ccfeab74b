package pages

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// live is a session of a real host, on a desktop of its own, with what its person says.
type live struct {
	*house
	host *stage.Host
	next int // the host's event that is looked at next
}

// hears waits for the host's next event of a name.
func (s *live) hears(name string) ui.Event {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 2*soon)
	defer cancel()
	e, next, err := s.host.Await(ctx, s.next, stage.Named(name))
	s.must(err)
	s.next = next
	return e
}

// allows says yes to the person's next question.
func (s *live) allows() {
	s.t.Helper()
	s.must(s.host.Say(ui.Command{ID: s.hears("ask").ID, Answer: "allow"}))
}

// session looks at the page of a session, from the code to a line that is lost.
func (w *house) inSession(l *looker, program string) {
	w.t.Helper()
	desktop, err := stage.StartDesktop(w.ctx, 1024, 700)
	w.must(err)
	w.t.Cleanup(desktop.Stop)
	made := w.post("/api/v1/tickets", fmt.Sprintf(`{"subject":%s,"requester":%s,"lang":%q}`, quoted(cut(hostile, 190)), quoted(cut(hostile, 90)), l.lang))
	_, rest, _ := strings.Cut(made, `"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	s := &live{house: w}
	s.host, err = stage.StartHost(w.ctx, program, desktop.Display, w.server.URL, l.lang)
	w.must(err)
	w.t.Cleanup(func() { _ = s.host.Stop() })
	w.goTo("/console?ticket=" + url.QueryEscape(id))
	w.click("#start-session")
	w.wait("#code")
	w.must(w.browser.Fill("#code", s.hears("code").Code))
	w.must(w.browser.Keys("\r"))
	w.state("asking")
	l.see("session-asking")
	s.allows()
	w.state("live")
	l.see("session")

	w.click("#ask-control")
	s.allows()
	w.wait("#give-back")
	w.click("#show-keys")
	l.see("session-keys")
	w.click("#show-look")
	l.see("session-look")
	w.click("#show-computer")
	l.see("session-computer")
	w.click("#show-people")
	l.see("session-people")
	w.click("#show-details")
	l.see("session-details")
	w.click("#close-details")

	w.must(s.host.Say(ui.Command{Do: "say", Text: hostile}))
	w.click("#show-talk")
	w.must(w.browser.Wait(soon, stage.Element("#talk-lines")+"?.textContent.includes('onerror')"))
	l.see("session-talk")
	file := filepath.Join(w.t.TempDir(), cut(strings.ReplaceAll(hostile, "/", "_"), 120)+".txt")
	w.must(os.WriteFile(file, []byte("hello"), 0o600))
	w.click("#show-files")
	w.click("#ask-file")
	s.allows()
	w.must(s.host.Say(ui.Command{Do: "give", Paths: []string{file}}))
	w.must(w.browser.Wait(soon, stage.Element("[id^=accept-]")+" !== null"))
	l.see("session-files")
	w.click("#show-files")
	w.click("#show-marks")
	l.see("session-marks")
	w.click("#show-marks")
	w.click("#show-steps")
	l.see("session-steps")
	w.click("#show-steps")
	w.click("#end")
	l.see("session-end")
	w.click("#cancel-end")

	s.host.Kill()
	w.must(w.browser.Wait(2*soon, stage.Element("#banner p")+" !== null"))
	l.see("session-lost")
	w.click("#end")
	w.click("#confirm-end")
	w.state("ended")
	w.click(`[data-session-tab]`)
	l.see("session-ended")
}

// state waits until the session is in a state.
func (w *house) state(state string) {
	w.t.Helper()
	w.must(w.browser.Wait(2*soon, fmt.Sprintf("%s?.state === %q", stage.Element("remote-session"), state)))
	w.must(w.browser.Wait(time.Second, settled))
}
