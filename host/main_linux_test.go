package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/input"
)

// A host that is told to end does not wait for somebody to close its dialog.
func TestTheDialogEndsWithTheHost(t *testing.T) {
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "zenity"), []byte("#!/bin/sh\nexec sleep 60\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	tell(ctx, "title", "text")
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

// What only an X server can do is offered nowhere in a Wayland session, however that is
// known: a screen that comes by the portal goes with hands that do.
func TestAWaylandSessionIsOneForEverything(t *testing.T) {
	for _, kind := range []string{"wayland", ""} {
		t.Setenv("XDG_SESSION_TYPE", kind)
		t.Setenv("WAYLAND_DISPLAY", "wayland-0")
		if waylandDesktop() == nil {
			t.Errorf("%q: the screen is an X server's", kind)
		}
		if _, err := openPerson(input.Ears{}); !errors.Is(err, input.ErrUnsupported) {
			t.Errorf("%q: the person's hands: %v", kind, err)
		}
		if openClipboard() != nil {
			t.Errorf("%q: there is a clipboard", kind)
		}
		if overlayHere() != nil {
			t.Errorf("%q: there is an overlay", kind)
		}
	}
}
