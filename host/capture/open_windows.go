package capture

import "github.com/mainforte/mainforte/host/winthread"

// Open opens the desktop by the best source the system has: duplication, or GDI.
// display is for X11 and ignored here.
//
// Wine is not asked for a duplication: up to version 8 it answers E_NOTIMPL, and to
// be asked at all it loads a renderer of OpenGL, which stays. Where that is Mesa's
// in software, it is more than 100 MB.
func Open(string) (Source, error) {
	if !winthread.UnderWine {
		if d, err := OpenDXGI(); err == nil {
			return d, nil
		}
	}
	return OpenGDI()
}
