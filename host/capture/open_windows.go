package capture

import "golang.org/x/sys/windows"

// underWine tells whether this Windows is Wine.
var underWine = windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil

// Open opens the desktop by the best source the system has: duplication, or GDI.
// display is for X11 and ignored here.
//
// Wine is not asked for a duplication: up to version 8 it answers E_NOTIMPL, and to
// be asked at all it loads a renderer of OpenGL, which stays. Where that is Mesa's
// in software, it is more than 100 MB.
func Open(string) (Source, error) {
	if !underWine {
		if d, err := OpenDXGI(); err == nil {
			return d, nil
		}
	}
	return OpenGDI()
}
