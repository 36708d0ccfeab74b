package main

import (
	"errors"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/clipboard"
	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/overlay"
)

// overlayHere returns what opens the overlay of this desktop, or nil where none can
// be had: nobody is then asked whether marks may be drawn.
func overlayHere() func() (overlay.Overlay, error) {
	if wayland() {
		return nil // the X server that programs may use there shows nothing over the others
	}
	o, err := overlay.Open("")
	if err != nil {
		return nil
	}
	_ = o.Close() // it has shown nothing
	return func() (overlay.Overlay, error) { return overlay.Open("") }
}

// desktopFor returns what opens this desktop. Where nothing can be injected, as
// on an X server without XTEST, it is seen and not controlled: there are no
// hands. terminal tells that the host speaks on one: no input may reach it.
func desktopFor(terminal bool) func() (capture.Source, input.Injector, input.Guard, error) {
	return func() (capture.Source, input.Injector, input.Guard, error) {
		if open := waylandDesktop(); open != nil {
			return open(terminal)
		}
		src, err := capture.Open("")
		if err != nil {
			return nil, nil, nil, err
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
		return src, hands, guard, nil
	}
}

// openPerson listens to the person's own hands. In a Wayland session nobody can: no
// program there hears what another one's windows get, and the X server that programs
// may use hears half of it. What goes by them (C64 to C67) is not kept there.
func openPerson(ears input.Ears) (input.Person, error) {
	if wayland() {
		return nil, input.ErrUnsupported
	}
	return input.OpenPerson("", ears)
}

// openClipboard is nil where the host knows of no clipboard: then nobody is asked
// for it. That of a Wayland session is only half to be seen from its X server.
func openClipboard() func() (clipboard.Clipboard, error) {
	if !clipboard.Supported || wayland() {
		return nil
	}
	return func() (clipboard.Clipboard, error) { return clipboard.Open("") }
}
