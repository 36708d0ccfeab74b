package face

import (
	"strings"
	"unicode"
)

// What is shown of a text at most, in characters; the wire allows 256 of a name.
const (
	longest  = 600
	longText = 4000 // of one with line breaks
	maxLines = 80
)

// clean keeps hostile names from breaking lines or turning the direction of text.
func clean(s string) string { return cut(s, longest, false) }

// cleanLines is clean for a text that may hold line breaks.
func cleanLines(s string) string {
	s = cut(strings.ReplaceAll(s, "\r\n", "\n"), longText, true)
	if list := strings.SplitN(s, "\n", maxLines+1); len(list) > maxLines {
		s = strings.Join(list[:maxLines], "\n") + "\n…"
	}
	return strings.TrimRight(s, "\n ")
}

func cut(s string, most int, breaks bool) string {
	n, over := 0, false
	for i := range s { // nobody pays for what is not shown
		if n++; n > most {
			s, over = s[:i], true
			break
		}
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' && breaks:
			return r
		case r == '\n' || r == '\t':
			return ' '
		case unicode.Is(unicode.Bidi_Control, r) || unicode.IsControl(r) || r == unicode.ReplacementChar || r == '\u2028' || r == '\u2029':
			return -1
		}
		return r
	}, s)
	if over {
		s += "…"
	}
	return s
}
