package ui

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// windowExecutable is the window program as an anonymous file in memory.
func windowExecutable() (*os.File, error) {
	if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return nil, fmt.Errorf("there is no display")
	}
	fd, err := unix.MemfdCreate("mainforte-window", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(fd), "mainforte-window")
	if err := unpack(f); err != nil {
		f.Close()
		return nil, err
	}
	if err := seal(f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
