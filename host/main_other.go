//go:build !linux && !windows

package main

import (
	"context"

	"github.com/mainforte/mainforte/host/ui"
)

// instead of a window there is the console.
func (s *streams) instead(context.Context, *ui.Texts, error) bool { return true }
