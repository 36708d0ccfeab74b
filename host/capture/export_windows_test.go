package capture

import (
	"image"
	"time"
)

// VirtualScreen is the rectangle around all monitors.
func VirtualScreen() image.Rectangle { return virtualScreen() }

// Look is one whole look.
func (g *GDI) Look() {
	g.looking.Lock()
	defer g.looking.Unlock()
	g.pace.stir(time.Now())
	_, _ = g.look(time.Now())
}

// Ask sets who is asked whether the desktop is veiled.
func (g *GDI) Ask(f func() Veil) { g.ask = f }
