package main

import (
	"errors"
	"os"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/input"
)

// desktopFor returns what opens this desktop. Where nothing can be injected, as
// in a Wayland session or on an X server without XTEST, it is seen and not
// controlled: there are no hands. terminal tells that the host speaks on one:
// no input may reach it.
func desktopFor(terminal bool) func() (capture.Source, input.Injector, input.Guard, error) {
	return func() (capture.Source, input.Injector, input.Guard, error) {
		src, err := capture.Open("")
		if err != nil {
			return nil, nil, nil, err
		}
		if os.Getenv("XDG_SESSION_TYPE") == "wayland" {
			return src, nil, nil, nil
		}
		hands, guard, err := input.Open("")
		if errors.Is(err, input.ErrUnsupported) {
			return src, nil, nil, nil
		}
		if err != nil {
			return nil, nil, nil, errors.Join(err, src.Close())
		}
		if terminal {
			if _, err := guard.ProtectTerminal(); err != nil {
				return nil, nil, nil, errors.Join(err, guard.Close(), hands.Close(), src.Close())
			}
		}
		if eyes, ok := src.(capture.Nudger); ok {
			hands = nudging{hands, eyes}
		}
		return src, hands, guard, nil
	}
}

// nudging are hands whose every move is followed by a look: some systems tell
// nothing of what changes on their screens.
type nudging struct {
	input.Injector
	eyes capture.Nudger
}

func (n nudging) Move(x, y int) error {
	defer n.eyes.Nudge()
	return n.Injector.Move(x, y)
}

func (n nudging) Button(b input.Button, down bool) error {
	defer n.eyes.Nudge()
	return n.Injector.Button(b, down)
}

func (n nudging) Wheel(dx, dy int) error {
	defer n.eyes.Nudge()
	return n.Injector.Wheel(dx, dy)
}

func (n nudging) Key(k input.Key, down bool) error {
	defer n.eyes.Nudge()
	return n.Injector.Key(k, down)
}

func (n nudging) Text(s string) error {
	defer n.eyes.Nudge()
	return n.Injector.Text(s)
}
