// Package overlay draws marks over the person's whole desktop: where a helper
// points, and what they draw and write.
//
// An [Overlay] shows one [Scene] at a time, the newest that [Overlay.Show] was
// given, above all windows. It takes no input and no focus: a click goes to what
// lies beneath. It can hide nothing: no more than a quarter of the screen is ever
// inked (C76), all shapes but the plates of texts are thin lines, and the windows
// that a scene spares are never covered (C75). [Open] makes the one that this
// system has, an X server's (OpenX11) or that of Windows (OpenWindows); overlaytest
// holds what each must do, and overlay/fake is a strict one for tests.
//
// The plates of texts and names are opaque and as large as the text: without a
// compositor, X has nothing that one can see through, and Windows shows the same.
// Texts are drawn in the Go fonts, which have Latin, Greek and Cyrillic letters.
package overlay

import (
	"errors"
	"image"
	"slices"
)

// ErrUnsupported is wrapped where no overlay can be had: in a Wayland session, on
// an X server without SHAPE, on a system that has none yet.
var ErrUnsupported = errors.New("overlay: nothing can be drawn over this desktop")

// Kind is what a mark is.
type Kind uint8

// Kinds of marks.
const (
	Pen     Kind = iota // a line through all points
	Arrow               // from the first point to the second
	Box                 // two corners
	Ellipse             // two corners of what bounds it
	Text                // one point: the upper left corner of its plate
)

// Mark is one thing drawn or written. A mark does not change while it is shown,
// but that a pen's points become more.
type Mark struct {
	ID     uint64 // unique
	Kind   Kind
	Points []image.Point // pixels of the screen
	Text   string        // safe to show
	Colour int           // which of [Colours]
}

// Pointer is where somebody points or draws, with their name beside it.
type Pointer struct {
	Who    int // at most one a number
	At     image.Point
	Name   string // safe to show
	Colour int
	Bare   bool // the name alone
}

// looks tells whether two pointers differ in nothing but their place.
func (p *Pointer) looks(like *Pointer) bool {
	return p.Name == like.Name && p.Colour == like.Colour && p.Bare == like.Bare
}

// has tells whether one of these is that participant's.
func has(pointers []Pointer, who int) bool {
	return slices.ContainsFunc(pointers, func(p Pointer) bool { return p.Who == who })
}

// Scene is everything that is shown.
type Scene struct {
	Marks    []Mark // later ones lie above
	Pointers []Pointer
	Hidden   bool     // nothing is shown for the moment
	Spared   []uint64 // windows that nothing is drawn over
}

// Overlay shows marks over the desktop. Its methods may be called from any goroutine.
type Overlay interface {
	// Show replaces what is shown and never waits; what the scene holds may not
	// be changed afterwards. The channel is closed when this scene, or a newer one,
	// is on the screen, or the overlay is gone.
	Show(Scene) <-chan struct{}
	// Close takes everything away.
	Close() error
}

// Colours are told apart by colour-blind people too, on any ground since each line
// has a white edge (Okabe and Ito, Color Universal Design, 2008). 0xRRGGBB.
var Colours = [4]uint32{0xd55e00, 0x0072b2, 0x009e73, 0xcc79a7}
