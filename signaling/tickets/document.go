package tickets

import (
	"net/url"
	"regexp"
	"strings"
)

// Doc is what a note says, before anybody has decided how it is written down.
// Its texts are hostile: names, answers and chat of a session. Each renderer
// ([Plain], [HTML], [Textile], [Markdown], [JiraWiki], [ADF], [ServiceNowCode])
// cleans and escapes every one of them, so that none can become markup, a link,
// a line of its own or a formula.
type Doc struct {
	Lang   string // "en" or "fr"
	Blocks []Block
}

// Kind of a block.
type Kind string

// Kinds of block.
const (
	Title     Kind = "title"     // Text; the first block, once
	Heading   Kind = "heading"   // Text
	Paragraph Kind = "paragraph" // Text; a line feed in it is a line break
	Table     Kind = "table"     // Rows
	List      Kind = "list"      // Items
	Link      Kind = "link"      // Text, URL
)

// Block is one piece of a document; which fields count is told by its Kind.
type Block struct {
	Kind  Kind
	Text  string   `json:",omitempty"`
	URL   string   `json:",omitempty"`
	Rows  []Row    `json:",omitempty"`
	Items []string `json:",omitempty"`
}

// Row is one line of a table of labels and values. A URL makes the value a link.
type Row struct {
	Label, Value string
	URL          string `json:",omitempty"`
}

// Prose is the document of a text written by hand: blank lines part paragraphs.
func Prose(lang, text string) Doc {
	d := Doc{Lang: lang}
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	var lines []string
	flush := func() {
		if len(lines) > 0 {
			d.Blocks = append(d.Blocks, Block{Kind: Paragraph, Text: strings.Join(lines, "\n")})
		}
		lines = nil
	}
	for l := range strings.SplitSeq(text, "\n") {
		if tidy(l) == "" {
			flush()
			continue
		}
		lines = append(lines, l)
	}
	flush()
	return d
}

// signed returns the document with a key as its last paragraph, for desks that
// have no field for it; see [endsWith].
func (d Doc) signed(key string) Doc {
	blocks := make([]Block, 0, len(d.Blocks)+1)
	d.Blocks = append(append(blocks, d.Blocks...), Block{Kind: Paragraph, Text: key})
	return d
}

// endsWith tells whether the last line of a plain text is the key: only there
// has a note of ours its key. Elsewhere it is something that somebody said.
func endsWith(text, key string) bool {
	text = strings.TrimSpace(text)
	return key != "" && tidy(text[strings.LastIndexByte(text, '\n')+1:]) == key
}

// tidied returns the document with every text clean and nothing empty in it.
// Every renderer begins with it.
func (d Doc) tidied() Doc {
	out := Doc{Lang: d.Lang}
	if locales[out.Lang] == nil {
		out.Lang = "en"
	}
	for _, b := range d.Blocks {
		c := Block{Kind: b.Kind}
		switch b.Kind {
		case Title, Heading:
			c.Text = tidy(b.Text)
		case Paragraph:
			var lines []string
			for l := range strings.SplitSeq(strings.ReplaceAll(b.Text, "\r\n", "\n"), "\n") {
				if l = tidy(l); l != "" {
					lines = append(lines, l)
				}
			}
			c.Text = strings.Join(lines, "\n")
		case Link:
			c.URL = safeURL(b.URL)
			if c.Text = tidy(b.Text); c.Text == "" {
				c.Text = c.URL
			}
			if c.URL == "" { // not a link, then
				c.Kind = Paragraph
			}
		case Table:
			for _, r := range b.Rows {
				r = Row{tidy(r.Label), tidy(r.Value), safeURL(r.URL)}
				if r.Label != "" && r.Value != "" {
					c.Rows = append(c.Rows, r)
				}
			}
		case List:
			for _, it := range b.Items {
				if it = tidy(it); it != "" {
					c.Items = append(c.Items, it)
				}
			}
		}
		if c.Text != "" || c.Rows != nil || c.Items != nil {
			out.Blocks = append(out.Blocks, c)
		}
	}
	return out
}

// tidy cleans one line of hostile text of any length. Unlike line it keeps the
// no-break spaces that French puts before high punctuation.
func tidy(s string) string {
	var b strings.Builder
	for s != "" {
		i := strings.IndexAny(s, "\u00a0\u202f")
		if i < 0 {
			i = len(s)
		}
		if part := longLine(s[:i]); part != "" {
			b.WriteString(part)
		}
		if i == len(s) {
			break
		}
		n := len("\u00a0")
		if strings.HasPrefix(s[i:], "\u202f") {
			n = len("\u202f")
		}
		if b.Len() > 0 && !strings.HasSuffix(b.String(), s[i:i+n]) {
			b.WriteString(s[i : i+n])
		}
		s = s[i+n:]
	}
	return strings.Trim(b.String(), " \u00a0\u202f")
}

// hostName is what the host of a link may look like: a name or an IPv4 address.
var hostName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{1,5})?$`)

// safeURL returns an absolute https, http or mailto address in characters that
// mean nothing to any markup, or "".
func safeURL(s string) string {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil || len(s) > 2000 {
		return ""
	}
	switch {
	case (u.Scheme == "https" || u.Scheme == "http") && hostName.MatchString(u.Host) && u.User == nil:
	case u.Scheme == "mailto" && u.Opaque != "":
	default:
		return ""
	}
	const plain = "-._~:/?#@&=+%"
	var b strings.Builder
	for _, c := range []byte(u.String()) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(plain, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		const hex = "0123456789ABCDEF"
		b.Write([]byte{'%', hex[c>>4], hex[c&15]})
	}
	return b.String()
}

// unformula makes sure that a text, exported into a table by whoever has it, is
// not a formula there.
func unformula(s string) string {
	if s != "" && strings.IndexByte("=+-@\t\r", s[0]) >= 0 {
		return "'" + s
	}
	return s
}
