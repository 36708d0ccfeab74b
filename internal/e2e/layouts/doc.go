// Package layouts proves that what a technician types arrives, whatever the two
// keyboards: a real Chromium on an X server with the technician's layout, typed
// on by physical keys with XTEST (dead keys, AltGr and Compose where the layout
// has no better way), a real host on another X server with the person's layout,
// and there a terminal and a GTK editor. What arrived is read from files.
//
// A [Keyboard] says how a person with a layout types a text; a [Typist] does so.
package layouts
