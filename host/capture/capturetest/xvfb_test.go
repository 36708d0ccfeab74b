//go:build unix

package capturetest_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/mainforte/mainforte/host/capture/capturetest"
)

func TestXvfbHasTheSizeAskedForAndIsGoneAfterwards(t *testing.T) {
	var pid int
	t.Run("server", func(t *testing.T) {
		s := capturetest.Start(t, 320, 200)
		pid = s.PID()
		if out := string(s.Command(t, "xrandr", "--current")); !strings.Contains(out, "320x200") {
			t.Errorf("xrandr does not show 320x200:\n%s", out)
		}
	})
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d lives on after its test (kill 0: %v)", pid, err)
	}
}

func TestXvfbServersDoNotShareADisplay(t *testing.T) {
	a, b := capturetest.Xvfb(t, 64, 48), capturetest.Xvfb(t, 64, 48)
	if a == b {
		t.Errorf("two servers are both called %s", a)
	}
}
