package wire

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Digits in the parts of a code.
const (
	SecretDigits       = 6
	MinNameplateDigits = 3
	MaxNameplateDigits = 9
)

// maxTyped bounds what is looked at when a code is typed or pasted, in bytes.
const maxTyped = 256

// ParseCode splits a code as a person reads it aloud and a technician types it.
// Digits of any script count (full-width, Arabic, …); spaces, dashes and dots
// of any kind do not. Anything else, or fewer than 9 or more than 15 digits, is
// ErrMalformedCode, so that no try is spent on a slip.
func ParseCode(typed string) (nameplate, secret string, err error) {
	if len(typed) > maxTyped {
		return "", "", ErrMalformedCode
	}
	var digits []byte
	for _, r := range norm.NFKC.String(typed) {
		switch d := digit(r); {
		case d >= 0:
			digits = append(digits, '0'+byte(d))
		case !separator(r):
			return "", "", ErrMalformedCode
		}
	}
	n := len(digits) - SecretDigits
	if n < MinNameplateDigits || n > MaxNameplateDigits {
		return "", "", ErrMalformedCode
	}
	return string(digits[:n]), string(digits[n:]), nil
}

// FormatCode writes a code as it is shown: groups of three from the right.
func FormatCode(nameplate, secret string) string {
	code := nameplate + secret
	var b strings.Builder
	for i := range len(code) {
		if i > 0 && (len(code)-i)%3 == 0 {
			b.WriteByte(' ')
		}
		b.WriteByte(code[i])
	}
	return b.String()
}

// ValidNameplate tells whether s is a nameplate as it stands on the wire.
func ValidNameplate(s string) bool {
	return len(s) >= MinNameplateDigits && len(s) <= MaxNameplateDigits && asciiDigits(s)
}

// ValidSecret tells whether s is exactly six ASCII digits.
func ValidSecret(s string) bool { return len(s) == SecretDigits && asciiDigits(s) }

func asciiDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// digit is the value of a decimal digit of any script, else -1. Unicode encodes
// each script's digits in one run, zero to nine (The Unicode Standard §4.6).
func digit(r rune) int {
	for _, t := range unicode.Nd.R16 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return int(r-rune(t.Lo)) % 10
		}
	}
	for _, t := range unicode.Nd.R32 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return int(r-rune(t.Lo)) % 10
		}
	}
	return -1
}

// separator tells whether r may stand between the digits of a typed code.
func separator(r rune) bool {
	switch r {
	case '\t', '\n', '\v', '\f', '\r', // white space of a paste
		'\u00AD', '\u2212', // soft hyphen and minus: dashes by use, not by category
		'.', '\u00B7', '\u2022', '\u2027', '\u2219', '\u22C5', '\u3002', '\u30FB': // dots
		return true
	}
	return unicode.Is(unicode.Zs, r) || unicode.Is(unicode.Pd, r)
}
