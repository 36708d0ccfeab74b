//go:build !linux && !windows

package clipboard

// Supported tells whether [Open] knows a clipboard on this system.
const Supported = false

func openClipboard(string) (Clipboard, error) { return nil, ErrUnsupported }
