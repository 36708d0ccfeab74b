//go:build !linux

package capturetest

import "syscall"

func dieWithParent() *syscall.SysProcAttr { return nil }
