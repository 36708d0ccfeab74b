package tickets

import (
	"fmt"
	"slices"
	"strings"
)

// Resolutions are how a technician may say that a session's trouble was resolved.
func Resolutions() []string { return []string{"solved", "workaround", "escalated", "unsolved"} }

// maxClosingNote bounds the text of a closing note, in characters.
const maxClosingNote = 4000

// Closing is what a technician writes about a session after its end. It becomes
// the second note of the session, and the last. Text is hostile.
type Closing struct {
	Session    string
	Technician string
	Resolution string // one of Resolutions; "" for none
	Code       string // of the desk, which says more about the resolution; may be empty
	CodeText   string // and in words
	Text       string // several lines; may be empty where there is a resolution
	Link       string // to the session's log
}

// Clean returns the closing with clean texts. ErrInvalid: it says nothing, or has
// an unknown resolution; ErrTooLarge.
func (c Closing) Clean() (Closing, error) {
	text, err := prose(c.Text)
	switch {
	case err != nil:
		return c, err
	case len([]rune(text)) > maxClosingNote:
		return c, fmt.Errorf("%w: a closing note holds %d characters", ErrTooLarge, maxClosingNote)
	case c.Resolution != "" && !slices.Contains(Resolutions(), c.Resolution):
		return c, fmt.Errorf("%w: there is no resolution %.40q", ErrInvalid, c.Resolution)
	case c.Code != "" && c.Resolution == "":
		return c, fmt.Errorf("%w: a code says more about a resolution", ErrInvalid)
	case text == "" && c.Resolution == "":
		return c, fmt.Errorf("%w: the closing note says nothing", ErrInvalid)
	}
	c.Text, c.Technician = text, line(c.Technician)
	return c, nil
}

// Note renders a clean closing in lang ("en" or "fr"; anything else is English).
func (c Closing) Note(lang string) Note {
	lang = langOr(lang, "en")
	w := words(locales[lang])
	d := Doc{Lang: lang, Blocks: []Block{{Kind: Title, Text: w["closing.title"]}}}
	rows := []Row{{Label: w["label.technician"], Value: c.Technician}}
	if c.Resolution != "" {
		rows = append(rows, Row{Label: w["label.resolution"], Value: w["resolution."+c.Resolution]})
	}
	if c.Code != "" {
		rows = append(rows, Row{Label: w["label.code"], Value: line(c.Code) + w["comma"] + line(c.CodeText)})
	}
	d.Blocks = append(d.Blocks, Block{Kind: Table, Rows: rows})
	if c.Text != "" {
		d.Blocks = append(d.Blocks, Block{Kind: Heading, Text: w["section.closing"]})
		for p := range strings.SplitSeq(c.Text, "\n\n") {
			d.Blocks = append(d.Blocks, Block{Kind: Paragraph, Text: p})
		}
	}
	link := line(c.Link)
	d.Blocks = append(d.Blocks, Block{Kind: Heading, Text: w["section.record"]}, Block{Kind: Table, Rows: []Row{
		{Label: w["label.session"], Value: line(c.Session)}, {Label: w["label.link"], Value: link, URL: link},
	}})
	return Note{Key: Marker(c.Session, "closing"), Author: c.Technician, Lang: lang, Doc: d}
}
