package input

import (
	"maps"
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
