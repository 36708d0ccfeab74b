package input

func openDesktop(string) (Injector, Watch, error) {
	return OpenPortable(), new(WindowsGuard), nil
}
