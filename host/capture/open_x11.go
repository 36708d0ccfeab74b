//go:build linux || freebsd || netbsd || openbsd

package capture

import (
	"errors"
	"os"
)

// Open opens the desktop by the best source the system has: display is the name
// of an X display, empty for the desktop this process runs on. A Wayland
// session is read portably, since its X server sees only X programs; so is an
// X server that OpenX11 cannot read.
func Open(display string) (Source, error) {
	if display == "" && os.Getenv("XDG_SESSION_TYPE") == "wayland" {
		return OpenPortable()
	}
	x, err := OpenX11(display)
	switch {
	case err == nil:
		return x, nil
	case display == "" && errors.Is(err, ErrUnsupported):
		return OpenPortable()
	}
	return nil, err
}
