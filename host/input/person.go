package input

// Front is the window in front of the person: what has the keyboard, or what the
// window manager calls active. It stays on this computer.
type Front struct {
	Class string // X11: the two names of WM_CLASS, "pinentry Pinentry"; Windows: the window's class
	Title string // as the program wrote it

	// Of Windows alone:
	Program string // the program's file in lower case, without .exe
	Secret  bool   // what has the keyboard is a field that hides what is typed
}

// Ears hear what the person does at the computer itself. They are called on a
// goroutine of the [Person]'s and must not wait for long.
type Ears struct {
	// Acted: the person moved a pointer, or pressed or released something, with a
	// device of this computer. Called often.
	Acted func()
	// Panic: they pressed the panic key.
	Panic func()
	// Front: another window is in front, or it has another title.
	Front func(Front)
}

// Person tells the person's own hands from the technician's.
type Person interface {
	// PanicKey names the keys that are listened for, "Ctrl+Alt+End"; "" where
	// another program has them.
	PanicKey() string
	// Close ends it and gives the keys back. When it returns nothing is heard any more.
	Close() error
}

// PanicKey ends the session, wherever the keyboard is.
const PanicKey = "Ctrl+Alt+End"

// OpenPerson listens to a desktop; display as for [Open]. The error wraps
// ErrUnsupported where this system does not tell the person's hands from ours.
func OpenPerson(display string, ears Ears) (Person, error) { return openPerson(display, ears) }
