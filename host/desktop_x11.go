//go:build linux

package main

import (
	"errors"
	"os"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/input"
)

// desktopFor returns what opens this desktop. In a Wayland session, and on an X
// server without XTEST, it can be seen and not controlled: there are no hands.
// terminal tells that the host speaks on one: no input may reach it.
func desktopFor(terminal bool) func() (capture.Source, input.Injector, input.Guard, error) {
	return func() (capture.Source, input.Injector, input.Guard, error) {
		src, err := capture.Open("")
		if err != nil {
			return nil, nil, nil, err
		}
		if os.Getenv("XDG_SESSION_TYPE") == "wayland" {
			return src, nil, nil, nil
		}
		hands, err := input.OpenX11("")
		if errors.Is(err, input.ErrUnsupported) {
			return src, nil, nil, nil
		}
		if err != nil {
			return nil, nil, nil, errors.Join(err, src.Close())
		}
		guard, err := input.OpenX11Guard("")
		if err == nil && terminal {
			_, err = guard.ProtectTerminal()
		}
		if err != nil {
			// Without a guard there must be no hands either.
			return nil, nil, nil, errors.Join(err, hands.Close(), src.Close())
		}
		return src, hands, guard, nil
	}
}
