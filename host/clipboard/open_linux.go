package clipboard

func openClipboard(display string) (Clipboard, error) {
	x, err := OpenX11(display)
	if err != nil {
		return nil, err // a nil *X11 would be a Clipboard
	}
	return x, nil
}
