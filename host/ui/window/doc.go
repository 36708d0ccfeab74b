// Command window is the host's window on Linux, a child process of the host.
//
// It hears ui.Event objects, one a line, on its standard input and says
// ui.Command objects on its standard output, so the window is the same
// conversation as the consoles. It is a program of its own because Gio needs
// the system's window libraries at start: where one is missing only this child
// fails, and the host goes on in a terminal. `task build` builds it with the
// tag "window" into bin/, from where the host embeds it; without the tag it
// builds anywhere and says that it has no window.
package main
