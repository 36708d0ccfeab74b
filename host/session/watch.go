package session

import (
	"image"

	"github.com/mainforte/mainforte/host/capture"
)

// watches: a viewer looks at one display, or at all of them (nil). It is a wish
// that spares the line, never a right: what it may see, the view grant says.
func (h *Host) watches(p *participant, display *uint32) error {
	if p.wishes++; p.wishes > maxWishes {
		return errProtocol
	}
	p.link.watched = display
	h.aim(p)
	return nil
}

// aim points a viewer's stream at what it looks at.
func (h *Host) aim(p *participant) {
	d := h.live.desk
	if d == nil || !p.up() {
		return
	}
	k := p.link
	k.tiles.mu.Lock()
	stream := k.tiles.stream
	k.tiles.mu.Unlock()
	if stream != nil {
		stream.View(boundsOf(k.watched, d.src.Displays()))
	}
}

// boundsOf is the part of the picture that a display shows. One that is not
// there any more is as none: the whole picture, for which it is empty.
func boundsOf(display *uint32, displays []capture.Display) image.Rectangle {
	if display != nil {
		for _, d := range displays {
			if d.ID == *display {
				return d.Bounds
			}
		}
	}
	return image.Rectangle{}
}
