package main

import (
	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/portal"
)

// wayland tells whether this is a Wayland session: the one test for all that is
// otherwise there.
func wayland() bool { return portal.Wayland() }

// waylandDesktop returns what opens a Wayland desktop, nil where this is none.
// On a terminal nothing can keep input away from it, so nobody drives.
func waylandDesktop() func(terminal bool) (capture.Source, input.Injector, input.Guard, error) {
	if !wayland() {
		return nil
	}
	return func(terminal bool) (capture.Source, input.Injector, input.Guard, error) {
		d, err := portal.Open(portal.Config{Control: !terminal})
		if err != nil {
			return nil, nil, nil, err
		}
		if hands := d.Hands(); hands != nil {
			return d, hands, d.Guard(), nil
		}
		return d, nil, nil, nil
	}
}
