package netns

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// TestTheHostMoves: the host's computer gets another address in the middle of a
// session, as when it changes to another network. The picture is back within 3
// seconds, without a new code, and the log misses nothing.
func TestTheHostMoves(t *testing.T) {
	for name, o := range map[string]Options{"direct": {}, "over the relay": {BlockUDP: true}} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, o)
			s.session()
			before := s.pair()
			painter, err := stage.NewPainter(s.desktop.Display, 100, 100, 200, 200, 1)
			s.must(err)
			t.Cleanup(painter.Close)
			s.must(painter.Paint())
			s.exact()

			// Three times, for a machine that is busy with something else at one of them.
			var took []time.Duration
			at := Host4
			for _, next := range []string{"192.168.10.21", "192.168.10.22", "192.168.10.23"} {
				moved := time.Now()
				s.must(s.net.MoveHost(at, next))
				at = next
				s.must(painter.Paint())
				s.exact()
				took = append(took, time.Since(moved).Round(time.Millisecond))
			}
			t.Logf("the picture was back after %v", took)
			if slices.Sort(took); took[1] > 3*time.Second {
				t.Errorf("the picture was back after %v", took)
			}
			if after := s.pair(); after.Remote == before.Remote && !o.BlockUDP {
				t.Errorf("the way did not change: %+v", after)
			}
			// The log names the way, and never an address.
			way := map[bool]string{false: "direct", true: "relay_tls"}[o.BlockUDP]
			if log := s.ends(); !strings.Contains(log, `"route":"`+way+`"`) {
				t.Errorf("the log does not name the way %s:\n%s", way, log)
			}
		})
	}
}

// ends stops the session as the person does, and reads the log: the host's own,
// signed count of its events is that of the log. It returns the log as JSON.
func (s *scene) ends() (text string) {
	s.t.Helper()
	s.must(s.host.Say(ui.Command{Do: "stop"}))
	ended := s.hear("ended")
	for _, e := range s.host.Events() {
		if e.Name == "code" && e.Code != s.code {
			s.t.Errorf("another code was shown: %q", e.Code)
		}
	}
	link, err := exec.CommandContext(s.ctx, program("mainforte-signaling"), "admin", "link", "--data", s.data, "--role", "auditor", "--base", s.url).Output()
	s.must(err)
	b, err := stage.StartBrowser(s.ctx, stage.BrowserOptions{})
	s.must(err)
	defer b.Close()
	s.signUp(b, string(link), "Luc Bergeron")
	s.must(b.Wait(15*time.Second, "location.pathname === '/audit'"))
	var log struct{ Events []struct{ Type string } }
	for until := time.Now().Add(15 * time.Second); ; time.Sleep(time.Second) {
		text, err = stage.Eval[string](b, fmt.Sprintf("fetch('/api/v1/sessions/%s/events').then(r => r.text())", ended.Session))
		s.must(err)
		s.must(json.Unmarshal([]byte(text), &log))
		if strings.Contains(text, `"session.ended"`) || time.Now().After(until) {
			break
		}
	}
	var types []string
	for _, e := range log.Events {
		types = append(types, e.Type)
	}
	all := strings.Join(types, " ")
	s.t.Logf("events: %s", all)
	if strings.Contains(all, "log.gap") || !strings.Contains(all, "host.closed") {
		s.t.Errorf("the log misses something: %s", all)
	}
	return text
}
