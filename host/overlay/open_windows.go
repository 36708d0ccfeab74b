package overlay

// Open opens the overlay of this desktop.
func Open(string) (Overlay, error) {
	w, err := OpenWindows()
	if err != nil {
		return nil, err
	}
	return w, nil
}
