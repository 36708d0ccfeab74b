//go:build !linux

package files

import (
	"os"
	"runtime"
	"testing"
)

// asNobody leaves a test out where it cannot be somebody who may not write everywhere.
func asNobody(t *testing.T) {
	t.Helper()
	if os.Geteuid() <= 0 { // -1: Windows, where a folder's mode bars nobody
		t.Skip("whoever runs this on " + runtime.GOOS + " may write in any folder")
	}
}
