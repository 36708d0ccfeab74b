package capture

// Open opens the desktop by the best source the system has: duplication, or GDI.
// display is for X11 and ignored here.
func Open(string) (Source, error) {
	if d, err := OpenDXGI(); err == nil {
		return d, nil
	}
	return OpenGDI()
}
