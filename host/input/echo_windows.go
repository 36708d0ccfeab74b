package input

import (
	"sync"

	"github.com/tailscale/win"

	"github.com/mainforte/mainforte/host/winthread"
)

// trail is where this process put the pointer of late, under Wine.
//
// Wine 8 moves the pointer of the X server when a program moves its own, and then
// hears of that as if it were a mouse: late, a pixel off at times, or by way of
// where it was before; and again whenever a window comes or goes beneath. So under
// Wine what only moves the pointer to where it was not long ago is no hand. Windows
// tells of no such thing.
var trail struct {
	sync.Mutex
	at   [16]win.POINT
	next int
}

// left remembers that the pointer was put somewhere.
func left(x, y int) {
	if !winthread.UnderWine {
		return
	}
	trail.Lock()
	defer trail.Unlock()
	trail.at[trail.next] = win.POINT{X: int32(x), Y: int32(y)}
	trail.next = (trail.next + 1) % len(trail.at)
}

// echoes are where the mouse was heard last, and before that.
type echoes [2]win.POINT

// heard takes notice of a move and tells whether it is none.
func (e *echoes) heard() bool {
	var at win.POINT
	if !win.GetCursorPos(&at) {
		return false
	}
	before := *e
	if at != before[0] {
		*e = echoes{at, before[0]}
	}
	if at == before[0] || at == before[1] {
		return true
	}
	trail.Lock()
	defer trail.Unlock()
	for _, p := range trail.at {
		if max(at.X-p.X, p.X-at.X, at.Y-p.Y, p.Y-at.Y) <= 1 {
			return true
		}
	}
	return false
}
