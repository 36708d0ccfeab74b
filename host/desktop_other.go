//go:build !linux

package main

import (
	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/input"
)

// wayland is for Linux.
func wayland() bool { return false }

// waylandDesktop is for Linux.
func waylandDesktop() func(bool) (capture.Source, input.Injector, input.Guard, error) { return nil }
