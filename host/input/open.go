package input

// Watch is a Guard that belongs to one desktop.
type Watch interface {
	Guard
	// ProtectTerminal protects the window of the terminal this process was
	// started in and tells how many windows it found.
	ProtectTerminal() (int, error)
	// Close ends it; from then on nothing is allowed.
	Close() error
}

// Open finds the hands for a desktop and the guard that goes with them. display
// is an X display such as ":0", or "" for the one this process was started on.
// The error wraps ErrUnsupported on a system this host cannot inject into, or
// cannot guard: hands without a guard are never handed out.
func Open(display string) (Injector, Watch, error) { return openDesktop(display) }
