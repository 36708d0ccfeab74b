//go:build !linux && !freebsd && !netbsd && !openbsd && !windows

package capture

// Open opens the desktop by the best source the system has. display is for X11
// and ignored here.
func Open(string) (Source, error) { return OpenPortable() }
