package input

func openDesktop(display string) (Injector, Watch, error) {
	hands, err := OpenX11(display)
	if err != nil {
		return nil, nil, err
	}
	guard, err := OpenX11Guard(display)
	if err != nil {
		_ = hands.Close() // the first error says more
		return nil, nil, err
	}
	return hands, guard, nil
}
