package sysinfo

import (
	"fmt"

	"github.com/kbinani/screenshot"
)

// displays lists the monitors and their sizes in pixels.
func displays() ([]Row, error) {
	n := screenshot.NumActiveDisplays()
	if n <= 0 {
		return nil, ErrUnsupported
	}
	var rows []Row
	for i := range n {
		b := screenshot.GetDisplayBounds(i)
		rows = append(rows, Row{Text: []string{fmt.Sprintf("%d × %d", b.Dx(), b.Dy())}})
	}
	return rows, nil
}
