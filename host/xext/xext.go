//go:build linux || freebsd || netbsd || openbsd

// Package xext makes extensions of an X server known to xgb, from any number of
// connections in one process.
package xext

import (
	"errors"
	"fmt"
	"sync"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// ErrLacking is wrapped when the X server does not have an extension.
var ErrLacking = errors.New("xext: the X server lacks an extension")

// extensions remembers which numbers of xgb's process-wide tables of events
// and errors stand for what. The Init functions of xgb's packages
// write to these tables without a lock while the readers of other connections
// read them, which Go punishes with a crash (xgb v1.3.1); here they are written
// only when something is new, that is by the first connection.
var extensions = struct {
	sync.Mutex
	events, errors map[int]string
}{events: map[int]string{}, errors: map[int]string{}}

// Use does what the Init functions of xgb's packages do. The error
// wraps ErrLacking when the server does not have it.
func Use(c *xgb.Conn, name string) error {
	r, err := xproto.QueryExtension(c, uint16(len(name)), name).Reply()
	if err != nil {
		return fmt.Errorf("xext: ask for %s: %w", name, err)
	}
	if !r.Present {
		return fmt.Errorf("%w: %s", ErrLacking, name)
	}
	c.ExtLock.Lock()
	c.Extensions[name] = r.MajorOpcode
	c.ExtLock.Unlock()

	extensions.Lock()
	defer extensions.Unlock()
	for n, f := range xgb.NewExtEventFuncs[name] {
		who := fmt.Sprint(name, n)
		if n += int(r.FirstEvent); extensions.events[n] != who {
			extensions.events[n], xgb.NewEventFuncs[n] = who, f
		}
	}
	for n, f := range xgb.NewExtErrorFuncs[name] {
		who := fmt.Sprint(name, n)
		if n += int(r.FirstError); extensions.errors[n] != who {
			extensions.errors[n], xgb.NewErrorFuncs[n] = who, f
		}
	}
	return nil
}
