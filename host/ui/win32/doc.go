// Package win32 is the host's window on Windows: native controls, so that
// screen readers, high contrast, the keyboard and the text size of the system
// work without code of ours.
//
// [Open] shows it and returns a ui.Window; everything Win32 happens on one
// locked thread of its own, and [Window.Show] may be called from anywhere. What
// stands in the window is decided by ui/face; the files here only lay its view
// out in native controls and draw.
//
// Two things keep an answer the person's own. While a question is open, input
// that a program injected is dropped before any control sees it, beside the
// host's input.Guard, which keeps the technician's out of this process. And a
// question takes no answer in its first half second, so that a key or click meant
// for something else, or the second half of a double click, does not answer it.
//
// Calls go through github.com/tailscale/win. (windigo v0.2.6 counts bytes where DrawTextW wants UTF-16 units, which
// spoils every French line.)
package win32
