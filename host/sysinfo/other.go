//go:build !linux && !windows

package sysinfo

import "os"

// other is a system of which only what Go itself knows is read.
type other struct{ os, uptime, cpu, memory, disks, updates func() ([]Row, error) }

var system = other{}

func (other) locale() ([]Row, error) {
	if v := os.Getenv("LANG"); v != "" {
		return []Row{{Text: []string{v}}}, nil
	}
	return nil, ErrUnsupported
}
