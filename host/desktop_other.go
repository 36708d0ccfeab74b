//go:build !linux

package main

import (
	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/input"
)

// desktopFor returns what opens this desktop: it can be seen and not yet
// controlled.
func desktopFor(bool) func() (capture.Source, input.Injector, input.Guard, error) {
	return func() (capture.Source, input.Injector, input.Guard, error) {
		src, err := capture.Open("")
		return src, nil, nil, err
	}
}
