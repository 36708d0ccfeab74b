package files

import (
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Bounds of what one transfer may ask of a disk.
const (
	MaxFiles = 2000 // of one transfer
	MaxDepth = 12   // of its folders, the file's own name not counted
	// MaxName is the longest name, in bytes: shorter than every file system's, so
	// that " (2)" and ".part" still fit.
	MaxName = 200
	// MaxAnnounced is the longest name that may be asked for, in bytes; it is cut.
	MaxAnnounced = 1024
	// MaxSize is the largest file, in bytes: what a double in the browser counts exactly.
	MaxSize = 1<<53 - 1
)

// SafeName makes a name from the other side fit to be one file's or folder's name,
// and nothing else, on every system: valid UTF-8 in NFC; no part of a path and none
// of the characters that Windows forbids; no control, format (bidirectional,
// zero-width), private or other unshown character; no blank or dot at either end, so
// it is neither hidden nor "."; none of the names of Windows' devices; no more than
// MaxName bytes, with its extension kept where it is short. It is never empty, and
// making a safe name safe changes nothing.
func SafeName(s string) string {
	if len(s) > MaxAnnounced {
		s = s[:MaxAnnounced]
	}
	var b strings.Builder
	for _, r := range norm.NFC.String(strings.ToValidUTF8(s, "_")) {
		switch {
		case r == utf8.RuneError || strings.ContainsRune(`/\:*?"<>|`, r):
			b.WriteByte('_')
		case unicode.IsSpace(r) || unicode.In(r, unicode.Z):
			b.WriteByte(' ')
		case !unicode.IsGraphic(r) || unicode.In(r, unicode.C) || unseen(r):
		default:
			b.WriteRune(r)
		}
	}
	name := trim(norm.NFC.String(b.String()))
	if len(name) > MaxName {
		ext := filepath.Ext(name)
		if len(ext) > 16 {
			ext = ""
		}
		name = trim(cut(name[:len(name)-len(ext)], MaxName-len(ext)) + ext)
	}
	if name == "" {
		return "file"
	}
	if device(name) {
		name = "_" + name
	}
	return name
}

// trim takes blanks and dots off both ends: Windows drops those at the end, and a
// dot at the beginning hides a file.
func trim(name string) string { return strings.Trim(name, " .") }

// cut shortens s to n bytes at most, between two characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// unseen tells whether r is a letter, mark or symbol that shows nothing.
func unseen(r rune) bool {
	return unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) || unicode.Is(unicode.Variation_Selector, r) || r == '\u2800'
}

// device tells whether Windows takes a name for one of its devices, whatever its
// extension: CON, con.txt, COM1, "LPT¹ .x".
func device(name string) bool {
	base, _, _ := strings.Cut(name, ".")
	base = strings.ToUpper(strings.TrimRight(base, " "))
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$":
		return true
	}
	rest, ok := strings.CutPrefix(base, "COM")
	if !ok {
		rest, ok = strings.CutPrefix(base, "LPT")
	}
	return ok && utf8.RuneCountInString(rest) == 1 && strings.Contains("0123456789¹²³", rest)
}
