package input

func openDesktop(string) (Injector, Watch, error) {
	return OpenSendInput(VirtualKeys), new(WindowsGuard), nil
}
