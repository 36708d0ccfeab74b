package capturetest

import "syscall"

// dieWithParent ends the server when the test binary is killed, as by a
// timeout, where no cleanup runs.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
}
