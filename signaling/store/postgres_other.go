//go:build !linux

package store

import "syscall"

// impatient: other systems have their own time, which is minutes.
func impatient(_, _ string, _ syscall.RawConn) error { return nil }
