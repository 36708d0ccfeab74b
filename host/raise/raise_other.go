//go:build !windows

package raise

import "context"

// Supported tells whether this system has such rights.
const Supported = false

// Start has nothing to start here.
func Start(context.Context) (*Hands, error) { return nil, ErrUnsupported }

// Run is nothing here.
func Run(string) error { return ErrUnsupported }
