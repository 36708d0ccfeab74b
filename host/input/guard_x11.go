//go:build linux

package input

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// X11Guard is the Guard of an X display. A window is protected together with its
// whole client: dialogs, menus and what else the same program shows, and with
// the frame that a window manager puts around it. A question that cannot be
// answered, for a display that is gone or a position off the screen, is
// answered no.
type X11Guard struct {
	c    *xgb.Conn
	root xproto.Window
	mask uint32 // bits of an XID that a client chooses; the others are the client's
	wg   sync.WaitGroup

	mu      sync.Mutex
	windows map[xproto.Window]bool
	clients map[uint32]bool
}

// OpenX11Guard watches over a display such as ":0"; "" is $DISPLAY. It protects
// nothing until it is told what.
func OpenX11Guard(display string) (*X11Guard, error) {
	c, err := dial(display)
	if err != nil {
		return nil, err
	}
	setup := xproto.Setup(c)
	g := &X11Guard{
		c: c, root: setup.DefaultScreen(c).Root, mask: setup.ResourceIdMask,
		windows: make(map[xproto.Window]bool), clients: make(map[uint32]bool),
	}
	g.wg.Go(func() { drain(c, nil) })
	return g, nil
}

// Close disconnects. A closed guard allows nothing.
func (g *X11Guard) Close() error {
	g.c.Close()
	g.wg.Wait()
	return nil
}

// Protect adds a window. It stays protected, and so does its client, until Close.
func (g *X11Guard) Protect(window uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	w := xproto.Window(window)
	if uint64(w) != window || w == 0 || w == g.root {
		return // no window of this display, or all of it
	}
	g.windows[w] = true
	g.clients[uint32(w)&^g.mask] = true
}

// ProtectTerminal protects the window that this process was started in:
// $WINDOWID or, without one, the windows whose _NET_WM_PID is a process above
// this one. Call it where the host talks on a terminal. It tells how many
// windows it found; a terminal reached over the network has none.
func (g *X11Guard) ProtectTerminal() (int, error) {
	if id, err := strconv.ParseUint(os.Getenv("WINDOWID"), 0, 32); err == nil && id != 0 {
		g.Protect(id)
		return 1, nil
	}
	above, err := processesAbove(os.Getpid())
	if err != nil {
		return 0, err
	}
	found, err := g.windowsOf(above)
	for _, w := range found {
		g.Protect(uint64(w))
	}
	return len(found), err
}

// PointerAllowed tells whether a click at a pixel stays out of protected windows.
func (g *X11Guard) PointerAllowed(x, y int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	allowed, err := g.allowedAt(x, y)
	return err == nil && allowed
}

// KeysAllowed tells whether a key now stays out of protected windows.
func (g *X11Guard) KeysAllowed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	focus, err := xproto.GetInputFocus(g.c).Reply()
	if err != nil {
		return false
	}
	switch focus.Focus {
	case xproto.InputFocusNone, xproto.InputFocusPointerRoot, g.root:
		// The window under the pointer gets the key.
		p, err := xproto.QueryPointer(g.c, g.root).Reply()
		if err != nil || !p.SameScreen {
			return false
		}
		allowed, err := g.allowedAt(int(p.RootX), int(p.RootY))
		return err == nil && allowed
	}
	path, err := g.ancestors(focus.Focus)
	if err != nil {
		return false
	}
	allowed, err := g.allowed(path)
	return err == nil && allowed
}

// allowedAt looks at the windows under a pixel, from the top-level one (or its
// frame) down to the smallest.
func (g *X11Guard) allowedAt(x, y int) (bool, error) {
	size, err := xproto.GetGeometry(g.c, xproto.Drawable(g.root)).Reply()
	if err != nil {
		return false, err
	}
	if x < 0 || y < 0 || x >= int(size.Width) || y >= int(size.Height) {
		return false, nil // the server would move it somewhere on the screen
	}
	var path []xproto.Window
	for w := g.root; ; {
		at, err := xproto.TranslateCoordinates(g.c, g.root, w, int16(x), int16(y)).Reply()
		if err != nil {
			return false, err
		}
		if at.Child == 0 {
			break
		}
		w = at.Child
		path = append(path, w)
	}
	return g.allowed(path)
}

// allowed tells whether none of the windows is protected, belongs to a protected
// client, or holds a protected window.
func (g *X11Guard) allowed(path []xproto.Window) (bool, error) {
	for _, w := range path {
		if g.windows[w] || g.clients[uint32(w)&^g.mask] {
			return false, nil
		}
	}
	for protected := range g.windows {
		above, err := g.ancestors(protected)
		var gone xproto.WindowError
		if errors.As(err, &gone) {
			continue // destroyed: it gets nothing; its client stays protected
		}
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(path, func(w xproto.Window) bool { return slices.Contains(above, w) }) {
			return false, nil
		}
	}
	return true, nil
}

// ancestors are a window and those it lies in, without the root.
func (g *X11Guard) ancestors(w xproto.Window) ([]xproto.Window, error) {
	const deepest = 64
	var path []xproto.Window
	for w != g.root && w != 0 {
		if len(path) == deepest {
			return nil, fmt.Errorf("input: window tree deeper than %d", deepest)
		}
		path = append(path, w)
		tree, err := xproto.QueryTree(g.c, w).Reply()
		if err != nil {
			return nil, err
		}
		w = tree.Parent
	}
	return path, nil
}

// windowsOf finds the top-level windows that these processes say they own. The
// desktop and panels are left out: they start programs, they are not terminals.
func (g *X11Guard) windowsOf(pids []int) ([]xproto.Window, error) {
	pidAtom, err := g.atom("_NET_WM_PID")
	if err != nil {
		return nil, err
	}
	typeAtom, err := g.atom("_NET_WM_WINDOW_TYPE")
	if err != nil {
		return nil, err
	}
	var shell []uint32
	for _, name := range []string{"_NET_WM_WINDOW_TYPE_DESKTOP", "_NET_WM_WINDOW_TYPE_DOCK"} {
		a, err := g.atom(name)
		if err != nil {
			return nil, err
		}
		shell = append(shell, uint32(a))
	}
	var found []xproto.Window
	// A client's window is at most a frame or two below the root.
	for level, windows := 0, []xproto.Window{g.root}; level < 4 && len(windows) > 0; level++ {
		var below []xproto.Window
		for _, w := range windows {
			tree, err := xproto.QueryTree(g.c, w).Reply()
			if err != nil {
				continue // destroyed meanwhile
			}
			for _, child := range tree.Children {
				pid := g.cardinal(child, pidAtom)
				if pid == 0 || !slices.Contains(pids, int(pid)) {
					below = append(below, child)
				} else if !slices.Contains(shell, g.cardinal(child, typeAtom)) {
					found = append(found, child)
				}
			}
		}
		windows = below
	}
	return found, nil
}

func (g *X11Guard) atom(name string) (xproto.Atom, error) {
	r, err := xproto.InternAtom(g.c, false, uint16(len(name)), name).Reply()
	if err != nil {
		return 0, fmt.Errorf("input: look up %s: %w", name, err)
	}
	return r.Atom, nil
}

// cardinal is a window's property of one number, or 0.
func (g *X11Guard) cardinal(w xproto.Window, property xproto.Atom) uint32 {
	r, err := xproto.GetProperty(g.c, false, w, property, xproto.GetPropertyTypeAny, 0, 1).Reply()
	if err != nil || r.Format != 32 || len(r.Value) < 4 {
		return 0
	}
	return xgb.Get32(r.Value)
}

// processesAbove lists the parent of a process, its parent and so on, without
// the first process of the system.
func processesAbove(pid int) ([]int, error) {
	var above []int
	for len(above) < 64 {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return above, fmt.Errorf("input: find the parent process: %w", err)
		}
		// "PID (name, which may hold anything) state PPID ..."
		_, rest, ok := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')')+1:]), " ")
		fields := strings.Fields(rest)
		if !ok || len(fields) < 2 {
			return above, fmt.Errorf("input: unreadable /proc/%d/stat", pid)
		}
		if pid, err = strconv.Atoi(fields[1]); err != nil || pid <= 1 {
			return above, nil
		}
		above = append(above, pid)
	}
	return above, nil
}
