//go:build prove

package house

import (
	"bytes"
	"path/filepath"
	"testing"
)

// TestProveTheWindowsHostIsTheSameBytesWithoutACache compiles everything again,
// libvpx as well, twice: a cache could hide what differs.
func TestProveTheWindowsHostIsTheSameBytesWithoutACache(t *testing.T) {
	first := build(t, "build:windows", "mainforte-host.exe", filepath.Join(t.TempDir(), "a"), "GOCACHE="+t.TempDir(), "MAINFORTE_CACHE="+t.TempDir(), "MAINFORTE_VIDEO=required")
	second := build(t, "build:windows", "mainforte-host.exe", filepath.Join(t.TempDir(), "b"), "GOCACHE="+t.TempDir(), "MAINFORTE_CACHE="+t.TempDir(), "MAINFORTE_VIDEO=required")
	if !bytes.Equal(first, second) {
		t.Error("two caches, two programs")
	}
	if !bytes.Contains(first, []byte(videoMark)) {
		t.Error("it has no video")
	}
}
