//go:build !linux && !freebsd && !netbsd && !openbsd && !windows

package overlay

import "fmt"

// Open opens the overlay of this desktop.
func Open(string) (Overlay, error) {
	return nil, fmt.Errorf("%w: not on this system yet", ErrUnsupported)
}
