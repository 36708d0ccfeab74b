package hostile_test

import (
	"strings"
	"testing"

	"github.com/mainforte/mainforte/internal/e2e/hostile"
)

// attack is one row: what a hostile server does, and what both sides say to it.
type attack struct {
	name string
	// does is the server's behaviour; nil is an honest one.
	does func(*scene) hostile.Attack
	// runs is the course of events; nil is that the technician types the code.
	runs func(*scene, victim)
	// person is what the person is told: "ended TAMPERED", "status wrong_code",
	// "code TWO_CLAIMS" for a new code; "status waiting" is that nothing happened.
	person string
	// technician is what the technician is told: "code …" above the field for
	// the code, "ended …", "live" where the attack changes nothing. Empty: there
	// is no technician.
	technician string
	// browser: only the real viewer has what is attacked.
	browser bool
}

// proven tells whether the two sides proved the code to each other: only then
// may the person be asked anything.
func (a attack) proven() bool { return strings.HasPrefix(a.person, "ended") || a.person == "ask view" }

// suffers runs every attack against the real host, and as its technician the
// real viewer in Chromium and the one in Go.
func suffers(t *testing.T, attacks []attack) {
	t.Run("go", func(t *testing.T) {
		for _, a := range attacks {
			if !a.browser {
				t.Run(a.name, func(t *testing.T) {
					t.Parallel()
					s := newScene(t, a.does)
					a.run(s, openPeer(t, s))
				})
			}
		}
	})
	t.Run("chromium", func(t *testing.T) {
		for _, a := range attacks {
			if a.technician != "" {
				t.Run(a.name, func(t *testing.T) {
					s := newScene(t, a.does)
					a.run(s, openPage(t, s))
				})
			}
		}
	})
}

func (a attack) run(s *scene, v victim) {
	s.t.Helper()
	if a.runs != nil {
		a.runs(s, v)
	} else {
		v.claim(s.code())
	}
	if a.technician != "" {
		v.hears(a.technician)
	}
	s.hears(a.person)
	if a.technician != "live" {
		v.blind()
		v.silent()
	}
	if strings.HasPrefix(a.technician, "code") {
		v.unconnected()
	}
	s.unmoved()
	if !a.proven() {
		s.untouched()
	}
	s.keptFromServer()
}
