package main

import (
	"context"
	"fmt"

	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/raise"
)

// raiseHere is nil where a system has no rights that a program could be raised to.
func raiseHere() func(context.Context) (input.Injector, error) {
	if !raise.Supported {
		return nil
	}
	return func(ctx context.Context) (input.Injector, error) {
		h, err := raise.Start(ctx)
		if err != nil {
			return nil, err
		}
		return h, nil
	}
}

// hands is all that this process is when it was started to inject.
func hands(pipe string, s *streams) int {
	if err := raise.Run(pipe); err != nil {
		fmt.Fprintln(s.err, "host:", err)
		return exitError
	}
	return exitOK
}
