//go:build !linux && !windows

package input

import (
	"fmt"
	"runtime"
)

// On macOS robotgo could move and type, but nothing here can tell whose window
// is under the pointer, so a technician could press the host's own Allow.
func openDesktop(string) (Injector, Watch, error) {
	return nil, nil, fmt.Errorf("%w: no guard for windows on %s", ErrUnsupported, runtime.GOOS)
}
