//go:build release

package house

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/viewer"
	"github.com/mainforte/mainforte/web"
)

// TestReleaseHoldsNoPlaceholder: a release that shows "not built" is none.
func TestReleaseHoldsNoPlaceholder(t *testing.T) {
	if !viewer.Built() {
		t.Error("the viewer is a placeholder")
	}
	if !web.Built() {
		t.Error("the pages are placeholders")
	}
	if !ui.WindowBuilt() {
		t.Error("the host's window is a placeholder")
	}
	exe, err := os.ReadFile(filepath.Join(root(t), "bin", "mainforte-host.exe"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(exe, []byte(videoMark)) {
		t.Error("the host for Windows has no video")
	}
	if !capture.CastBuilt() {
		t.Error("the host's reader of PipeWire is a placeholder")
	}
}
