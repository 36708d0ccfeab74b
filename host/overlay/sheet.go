package overlay

import (
	"image"
	"slices"
)

// sheet is a canvas of a whole screen and the marks that are on it.
type sheet struct {
	ink   *canvas
	shown []Mark
}

// begin compares what is to be shown with what is. Where something was taken away
// all is painted anew; else only what is new is.
func (s *sheet) begin(marks []Mark) (anew bool) {
	last := len(s.shown) - 1
	for i := range s.shown {
		if i >= len(marks) || marks[i].ID != s.shown[i].ID || len(marks[i].Points) < len(s.shown[i].Points) ||
			i < last && len(marks[i].Points) != len(s.shown[i].Points) {
			s.ink.clear()
			s.shown = nil
			break
		}
	}
	return s.shown == nil
}

// paint paints it, and tells of each piece where it is.
func (s *sheet) paint(marks []Mark, painted func(image.Rectangle)) {
	for i := max(len(s.shown)-1, 0); i < len(marks); i++ {
		from := 0
		if i < len(s.shown) {
			from = len(s.shown[i].Points)
		}
		if from == 0 || from < len(marks[i].Points) {
			painted(s.ink.mark(&marks[i], from))
		}
	}
	s.shown = slices.Clone(marks)
}
