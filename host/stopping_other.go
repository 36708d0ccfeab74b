//go:build !linux

package main

// stopping tells whether the system is stopping now. Nothing is kept here for a return
// that a signal would have a say in.
func stopping() bool { return false }
