// Package winthread runs threads that Windows may send messages to.
//
// Clipboard, hotkeys, raw input, event hooks and layered windows all belong to the
// thread that asked for them, and come as messages to its windows. A [Thread] is a
// locked thread with a window that nobody sees; what is asked of it is done there,
// and with it goes everything that it held.
package winthread
