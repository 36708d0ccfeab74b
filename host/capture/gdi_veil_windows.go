package capture

import (
	"context"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/mainforte/mainforte/host/beat"
)

// veilWatch remembers for NextVeil what it returned, and for all what Windows
// said last.
type veilWatch struct {
	next  sync.Mutex // held by NextVeil; guards what follows
	shown bool
	last  Veil

	mu    sync.Mutex // guards what follows
	asked time.Time
	said  Veil
}

// now asks, unless somebody else did within the time given.
func (w *veilWatch) now(ask func() Veil, within time.Duration) Veil {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := time.Now(); now.Sub(w.asked) >= within {
		w.asked, w.said = now, ask()
	}
	return w.said
}

// inputVeil tells what has the screen: Windows keeps the lock screen and its own
// prompts on a desktop of their own, which this process may not read.
func inputVeil() Veil {
	const readObjects = 1 // DESKTOP_READOBJECTS
	input, err := call(openInputDesktop, 0, 0, readObjects)
	if err != nil {
		return veilOf(sessionLocked())
	}
	defer func() { _, _ = call(closeDesktop, input) }()
	own, err := call(getThreadDesktop, uintptr(windows.GetCurrentThreadId()))
	if err != nil {
		return Unveiled // nothing to compare with: the copy will tell
	}
	var theirs, ours [64]uint16
	if desktopName(input, &theirs) && desktopName(own, &ours) && theirs != ours {
		return veilOf(sessionLocked())
	}
	return Unveiled
}

func veilOf(locked bool) Veil {
	if locked {
		return Locked
	}
	return Secure
}

// desktopName reads a desktop's name, such as "Default", or tells that it cannot.
func desktopName(desktop uintptr, name *[64]uint16) bool {
	const uoiName = 2 // UOI_NAME
	var needed uint32
	_, err := call(getUserObjectInformation, desktop, uoiName,
		uintptr(unsafe.Pointer(name)), unsafe.Sizeof(*name), uintptr(unsafe.Pointer(&needed)))
	return err == nil
}

// sessionLocked tells whether the person's session is locked.
func sessionLocked() bool {
	// WTSINFOEX with its first level, as far as it is read here.
	type sessionInfo struct {
		level     uint32
		_         uint32
		id, state uint32
		flags     uint32
	}
	const (
		current   = ^uintptr(0) // WTS_CURRENT_SESSION
		infoEx    = 25          // WTSSessionInfoEx
		isLocked  = 0           // WTS_SESSIONSTATE_LOCK
		thisLevel = 1
	)
	var info *sessionInfo
	var size uint32
	_, err := call(wtsQuerySessionInformation, 0, current&0xffffffff, infoEx,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)))
	if err != nil || info == nil {
		return false
	}
	defer windows.WTSFreeMemory(uintptr(unsafe.Pointer(info)))
	return uintptr(size) >= unsafe.Sizeof(*info) && info.level == thisLevel && info.flags == isLocked
}

// NextVeil implements Veiled.
func (g *GDI) NextVeil(ctx context.Context) (Veil, error) {
	w := &g.veil
	w.next.Lock()
	defer w.next.Unlock()
	tick := time.NewTimer(beat.Wait(veilTime))
	defer tick.Stop()
	for {
		select {
		case <-g.closed:
			return Unveiled, g.gone()
		default:
		}
		if v := w.now(g.ask, veilTime/2); !w.shown || v != w.last {
			w.shown, w.last = true, v
			return v, nil
		}
		select {
		case <-tick.C:
			tick.Reset(beat.Wait(veilTime))
		case <-ctx.Done():
			return w.last, ctx.Err()
		case <-g.closed:
		}
	}
}
