//go:build linux

package portal

import "sync/atomic"

// Guard keeps input from our own window, which tells where pointer and keyboard
// are. Until it has told, nothing is let through (C82).
//
// What it tells arrives a moment after the pointer entered it. So the window
// itself takes no press in that moment (ui/window), and while a question is open
// no input is applied anywhere (C29): no press can answer for the person.
type Guard struct {
	told    atomic.Bool
	pointer atomic.Bool // is in our window
	keys    atomic.Bool // go to our window
}

// Near is what our window tells: "none", "pointer", "focus" or "both" are in it.
// Anything else is what a window says that cannot tell.
func (g *Guard) Near(what string) {
	known := what == "none" || what == "pointer" || what == "focus" || what == "both"
	g.pointer.Store(what == "pointer" || what == "both")
	g.keys.Store(what == "focus" || what == "both")
	g.told.Store(known)
}

// PointerAllowed implements input.Guard.
func (g *Guard) PointerAllowed(int, int) bool { return g.told.Load() && !g.pointer.Load() } // C82

// KeysAllowed implements input.Guard. The pointer counts too: the keyboard follows it on some desktops.
func (g *Guard) KeysAllowed() bool { return g.told.Load() && !g.keys.Load() && !g.pointer.Load() } // C82

// Protect implements input.Guard: no window has an id that we would know.
func (g *Guard) Protect(uint64) {}
