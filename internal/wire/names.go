package wire

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// maxMarks is how many combining marks may stand on one character: enough for
// every living script, too few to reach into the line above.
const maxMarks = 8

// Clean makes a name, subject or title from the other side fit to be shown on
// one line: valid UTF-8 in NFC, any white space one space, and no control,
// bidirectional, zero-width, private or blank characters. It is cut at
// [NameLimit] code points. It does not escape: show it as text only. Cleaning
// twice changes nothing.
func Clean(s string) string { return CleanLine(s, NameLimit) }

// CleanLine is Clean for a text that is no name: cut at limit code points.
func CleanLine(s string, limit int) string {
	var b strings.Builder
	space := false
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		switch {
		case unicode.IsSpace(r) || unicode.In(r, unicode.Z):
			space = b.Len() > 0
			continue
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs) || blank(r):
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
	}
	// Twice: normalising can split a character into base and mark, and more
	// than 30 marks would make the Go normaliser insert a joiner of its own.
	out := limitMarks(norm.NFC.String(limitMarks(b.String())))
	if utf8.RuneCountInString(out) > limit {
		out = string([]rune(out)[:limit])
	}
	return strings.TrimRight(out, " ")
}

// CleanText is Clean for a text of several lines, cut at limit code points: it
// keeps line breaks, no more than two in a row. Cleaning twice changes nothing.
func CleanText(s string, limit int) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n").Replace(s)
	var out []string
	for line := range strings.SplitSeq(s, "\n") {
		line = CleanLine(line, limit)
		if n := len(out); line == "" && (n == 0 || out[n-1] == "") {
			continue
		}
		out = append(out, line)
	}
	text := strings.TrimRight(strings.Join(out, "\n"), "\n")
	if utf8.RuneCountInString(text) > limit {
		text = strings.TrimRight(string([]rune(text)[:limit]), " \n")
	}
	return text
}

// blank tells whether r is a letter or symbol that shows nothing.
func blank(r rune) bool {
	switch r {
	case '\u034F', '\u115F', '\u1160', '\u17B4', '\u17B5', '\u2800', '\u3164', '\uFFA0':
		return true
	}
	return false
}

func limitMarks(s string) string {
	n := 0
	return strings.Map(func(r rune) rune {
		if !unicode.Is(unicode.M, r) {
			n = 0
			return r
		}
		if n++; n > maxMarks {
			return -1
		}
		return r
	}, s)
}

var serverNames = idna.New(
	idna.MapForLookup(),
	idna.BidiRule(),
	idna.StrictDomainName(true),
	idna.VerifyDNSLength(true),
)

// ServerName is the name of a server as both sides put it into the pairing:
// lower case, A-label, no port, no trailing dot. hostport is a name or an IP
// address, with or without a port. IP addresses come back in their canonical
// form, IPv6 without brackets. Anything else is ErrServerName, also a name
// that ends in a number, which some resolvers take for an address.
func ServerName(hostport string) (string, error) {
	if len(hostport) > maxTyped+len(":65535") {
		return "", ErrServerName
	}
	host := hostport
	if h, port, err := net.SplitHostPort(hostport); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return "", ErrServerName
		}
		host = h
	} else if len(host) > 2 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip.Zone() != "" {
			return "", ErrServerName
		}
		return ip.String(), nil
	}
	name, err := serverNames.ToASCII(host)
	if err != nil {
		return "", ErrServerName
	}
	name = strings.TrimSuffix(name, ".")
	if again, err := serverNames.ToASCII(name); err != nil || again != name { // an A-label of what no label may hold
		return "", ErrServerName
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	if last == "" || asciiDigits(last) {
		return "", ErrServerName
	}
	return name, nil
}
