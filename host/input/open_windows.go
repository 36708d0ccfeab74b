package input

func openDesktop(string) (Injector, Watch, error) {
	return OpenSendInput(VirtualKeys), new(WindowsGuard), nil
}

func openPerson(_ string, ears Ears) (Person, error) {
	p, err := OpenWindowsPerson(ears)
	if err != nil {
		return nil, err // a nil *WindowsPerson would be a Person
	}
	return p, nil
}
