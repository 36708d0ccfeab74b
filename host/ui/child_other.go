//go:build !linux

package ui

import (
	"errors"
	"os"
)

func windowExecutable() (*os.File, error) {
	return nil, errors.New("this system has its own window")
}
