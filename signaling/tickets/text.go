package tickets

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/signaling/audit"
)

// maxNote bounds a note, in characters.
const maxNote = 20_000

// line makes hostile text one clean line of at most 256 characters.
func line(s string) string { return wire.Clean(s) }

// CleanNote makes hostile text clean lines, as every note has them. ErrTooLarge: it is
// longer than a note may be.
func CleanNote(s string) (string, error) { return prose(s) }

// prose makes hostile text clean lines; what is too long is refused, not cut,
// so that nobody thinks a note complete that is not.
func prose(s string) (string, error) {
	if len(s) > 4*maxNote || utf8.RuneCountInString(s) > maxNote {
		return "", fmt.Errorf("%w: a note holds %d characters", ErrTooLarge, maxNote)
	}
	return CleanProse(s), nil
}

// CleanProse makes hostile text of any length clean lines.
func CleanProse(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = longLine(l)
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

// longLine cleans a line of any length, piece by piece, because Clean cuts.
func longLine(s string) string {
	const piece = wire.NameLimit / 2 // room for what normalising may add
	var b strings.Builder
	words := strings.FieldsFunc(s, unicode.IsSpace)
	for i, w := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		for r := []rune(w); len(r) > 0; {
			n := min(len(r), piece)
			b.WriteString(wire.Clean(string(r[:n])))
			r = r[n:]
		}
	}
	return strings.TrimSpace(b.String())
}

// Fold makes text comparable with the search column of tickets.
func Fold(s string) string { return fold(s) }

// fold makes text comparable, as the search of the log does.
func fold(s string) string { return audit.Fold(s) }
