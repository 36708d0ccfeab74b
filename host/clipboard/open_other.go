//go:build !linux

package clipboard

func openClipboard(string) (Clipboard, error) { return nil, ErrUnsupported }
