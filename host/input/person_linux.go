package input

func openPerson(display string, ears Ears) (Person, error) {
	p, err := OpenX11Person(display, ears)
	if err != nil {
		return nil, err // a nil *X11Person would be a Person
	}
	return p, nil
}
