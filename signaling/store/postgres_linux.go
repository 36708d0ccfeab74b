package store

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// impatient has the kernel give up on a line over which nothing is acknowledged:
// keep-alives say nothing while bytes are under way.
func impatient(_, _ string, c syscall.RawConn) error {
	var err error
	if e := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(batchTimeout.Milliseconds()))
	}); e != nil {
		return e
	}
	if err == unix.EOPNOTSUPP || err == unix.ENOPROTOOPT { // a Unix socket
		return nil
	}
	return err
}
