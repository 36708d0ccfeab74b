//go:build !unix

package bundle

import "errors"

func pipe(string) error { return errors.ErrUnsupported }
