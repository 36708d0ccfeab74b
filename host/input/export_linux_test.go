package input

import (
	"bytes"
	"io"
	"maps"
	"net"
	"slices"
)

// ByRobotgo tells whether wheel and pointer go by robotgo.
func (x *X11) ByRobotgo() bool { return x.robot }

// Locked are the modifiers locked at the keyboard.
func (x *X11) Locked() (uint8, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	st, err := x.state()
	return st.locked, err
}

// LockGroup switches the desktop to another of its layouts.
func (x *X11) LockGroup(group uint8) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	request := x.xkbRequest(xkbLatchLockState, 16)
	request[8], request[9] = 1, group
	x.c.NewRequest(request, x.c.NewCookie(false, false))
	_, err := x.state()
	return err
}

// Remapped tells whether a new keymap was heard of and not yet read.
func (x *X11) Remapped() bool { return x.remapped.Load() }

// RestoreLate is the turn of a waiting Restore.
func (x *X11) RestoreLate() {
	x.wg.Add(1)
	x.restoreLate()
}

// Borrowed are the spare keycodes in use.
func (x *X11) Borrowed() []byte { return slices.Sorted(maps.Keys(x.spare.bound)) }

// ReadGeneric is what xgb sees of a stream.
func ReadGeneric(stream []byte, event func([]byte)) ([]byte, error) {
	return io.ReadAll(newGenericConn(streamConn{Reader: bytes.NewReader(stream)}, event))
}

type streamConn struct {
	net.Conn
	io.Reader
}

func (c streamConn) Read(p []byte) (int, error) { return c.Reader.Read(p) }

// DeviceNames are those of an answer to XIQueryDevice.
func DeviceNames(b []byte) (names []string) {
	for _, d := range xiDevices(b) {
		names = append(names, d.name)
	}
	return names
}

// FindCookie reads an authority file.
func FindCookie(file []byte, host, number string) ([]byte, error) {
	return findCookie(bytes.NewReader(file), host, number)
}
