//go:build linux || freebsd || netbsd || openbsd

package overlay

import (
	"fmt"
	"os"
)

// Open opens the overlay of this desktop; display is as for OpenX11.
func Open(display string) (Overlay, error) {
	if os.Getenv("XDG_SESSION_TYPE") == "wayland" {
		return nil, fmt.Errorf("%w: a Wayland session lets no program draw over others", ErrUnsupported)
	}
	x, err := OpenX11(display)
	if err != nil {
		return nil, err
	}
	return x, nil
}
