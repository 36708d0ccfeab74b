//go:build prove

package house

import (
	"bytes"
	"path/filepath"
	"testing"
)

// TestProveTheWindowsHostIsTheSameBytesWithoutACache compiles everything again,
// twice: a cache could hide what differs.
func TestProveTheWindowsHostIsTheSameBytesWithoutACache(t *testing.T) {
	first := build(t, "build:windows", "mainforte-host.exe", filepath.Join(t.TempDir(), "a"), "GOCACHE="+t.TempDir())
	second := build(t, "build:windows", "mainforte-host.exe", filepath.Join(t.TempDir(), "b"), "GOCACHE="+t.TempDir())
	if !bytes.Equal(first, second) {
		t.Error("two caches, two programs")
	}
}
