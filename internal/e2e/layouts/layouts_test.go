package layouts

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTheTechniciansKeyboard(t *testing.T) {
	s := newScene(t, 4*time.Minute)
	// Some pairs of layouts, chosen so that each is on either side and every
	// kind of difference is there. TestProve… has them all.
	for _, pair := range [][2]layout{
		{"us", "us"}, {"fr", "us"}, {"us", "fr"}, {"ca", "fr"}, {"fr", "ca"}, {"de", "us"}, {"ch", "fr/bepo"},
		{"es", "de"}, {"fr/bepo", "us"}, {"us", "fr/bepo"}, {"fr/bepo", "es"}, {"ca", "ch"},
	} {
		for _, p := range programs {
			s.subtest(t, fmt.Sprintf("%s on %s in %s arrives", pair[0], pair[1], p.name), func() {
				s.must(s.both(pair[0], pair[1]))
				s.must(s.run(p))
			})
		}
	}
	s.subtest(t, "locks are in step", s.locks)
	s.subtest(t, "nothing is lost or stuck at 5 % loss", s.lossy)
	s.subtest(t, "the toolbar presses what the browser cannot", s.toolbar)
}

// locks: what the technician sees is what arrives, whichever side has which lock on.
func (s *scene) locks() {
	s.must(s.both("fr", "us"))
	file := s.terminal()
	s.must(s.typist.Type("ab2"))
	s.must(s.typist.Press("Caps_Lock"))
	s.must(s.typist.Type("cD."))
	s.must(s.typist.Press("Caps_Lock Num_Lock"))
	s.must(s.typist.Press("KP_8"))
	s.must(s.typist.Press("Num_Lock"))
	s.must(s.typist.Press("KP_8"))
	s.must(s.typist.Type("e"))
	s.arrives(file, "ab2Cd.8\x1b[Ae")
}

// lossy: a bad line takes packets with keys and with acknowledgements; every key
// arrives once, in its order, and goes up again.
func (s *scene) lossy() {
	s.must(s.both("fr", "us"))
	file := s.terminal()
	in, out := s.line.Counts()
	s.line.Both(50*time.Millisecond, 0.05, 0)
	defer s.line.Both(0, 0, 0)
	const words = "Voilà: été comme hiver, @ et #, « ça va ? » {x} - Portez ce vieux whisky au juge blond qui fume 1234567890. "
	for range 4 {
		s.must(s.typist.Type(words))
	}
	s.arrives(file, strings.Repeat(words, 4))
	nowIn, nowOut := s.line.Counts()
	if nowIn.Lost == in.Lost || nowOut.Lost == out.Lost {
		s.t.Errorf("the line lost %d and %d packets: that proves nothing", nowIn.Lost-in.Lost, nowOut.Lost-out.Lost)
	}
}

func (s *scene) toolbar() {
	s.must(s.both("us", "us"))
	events := filepath.Join(s.t.TempDir(), "events")
	p, err := s.far.Run(s.ctx, "sh", "-c", "exec stdbuf -oL xev -name Watcher -event keyboard > '"+events+"'")
	s.must(err)
	defer p.Kill()
	s.must(s.until(10*time.Second, func() (bool, error) { return s.title() == "Watcher", nil }))
	for id, want := range map[string][]string{
		"#key-ctrlAltDel":   {"Control_L", "Alt_L", "Delete"},
		"#key-super":        {"Super_L"},
		"#key-printScreen":  {"Print"},
		"#key-ctrlShiftEsc": {"Control_L", "Shift_L", "Escape"},
	} {
		before, err := os.ReadFile(events)
		s.must(err)
		s.press(id)
		var got []string
		err = s.until(5*time.Second, func() (bool, error) {
			b, err := os.ReadFile(events)
			got = pressed(string(b[len(before):]))
			return fmt.Sprint(got) == fmt.Sprint(want), err
		})
		if err != nil {
			s.t.Errorf("%s pressed %q, want %q (%q has the keyboard)", id, got, want, s.title())
		}
		s.must(s.browser.Wait(5*time.Second, keysFocused))
	}
	s.terminal()
	s.press("#key-altTab")
	if err := s.until(5*time.Second, func() (bool, error) { return s.title() == "Watcher", nil }); err != nil {
		s.t.Fatalf("Alt+Tab of the toolbar: %q has the keyboard, down %v", s.title(), s.down())
	}
	s.press("#key-altF4")
	select {
	case <-p.Exited():
	case <-time.After(5 * time.Second):
		s.t.Error("Alt+F4 of the toolbar closes nothing")
	}
}

// press presses a key of the toolbar's sheet.
func (s *scene) press(id string) {
	s.t.Helper()
	s.must(s.browser.Click("#show-keys"))
	s.must(s.browser.Click(id))
}

// pressed are the keysyms of xev's KeyPress events.
func pressed(log string) []string {
	var names []string
	press := false
	for line := range strings.Lines(log) {
		if strings.HasPrefix(line, "Key") {
			press = strings.HasPrefix(line, "KeyPress")
		}
		if _, rest, has := strings.Cut(line, "(keysym 0x"); has && press {
			_, name, _ := strings.Cut(rest, ", ")
			name, _, _ = strings.Cut(name, ")")
			names = append(names, name)
		}
	}
	return names
}
