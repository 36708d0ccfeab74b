//go:build !linux && !windows

package input

import (
	"fmt"
	"runtime"
)

func openPerson(string, Ears) (Person, error) {
	return nil, fmt.Errorf("%w: the person's own hands cannot be told apart on %s", ErrUnsupported, runtime.GOOS)
}
