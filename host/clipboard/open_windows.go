package clipboard

// Supported tells whether [Open] knows a clipboard on this system.
const Supported = true

// openClipboard: Windows has one clipboard a session, and no display's name.
func openClipboard(string) (Clipboard, error) {
	w, err := OpenWindows()
	if err != nil {
		return nil, err // a nil *Windows would be a Clipboard
	}
	return w, nil
}
