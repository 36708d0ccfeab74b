package web

import (
	"bytes"
	"cmp"
	"fmt"
)

// Brand is how the help desk shows itself on every page. The zero value: as the product
// does. The addresses are paths on this server.
type Brand struct {
	Name          string // may be empty: that of the product; it is hostile
	Sheet         string // of the stylesheet with its colour; empty: none
	Logo          string // of its picture, PNG; empty: none
	Width, Height int    // of the picture, pixels
	Plate         string // what the picture needs under it: "light" on dark pages, "dark" on light ones, or ""
}

// Alone tells whether the logo stands without the name: it is as wide as a name, and
// says it by its alternative text.
func (b Brand) Alone() bool { return b.Logo != "" && b.Width >= 2*b.Height }

// Called is what the help desk is called in a language.
func (b Brand) Called(lang string) (string, error) {
	product, err := catalogues[known(lang)].text("product")
	return cmp.Or(b.Name, product), err
}

// headEnd is where the head of a built page ends, behind its own stylesheets.
var headEnd = []byte("</head>")

// Branded is a built page with the brand in its head: the link to the stylesheet, so that
// no other colour is seen before, and a meta element that its script reads. Package
// release knows the form, and takes nothing else for a page of a release.
func Branded(page []byte, b Brand) ([]byte, error) {
	at := bytes.Index(page, headEnd)
	if at < 0 {
		return nil, fmt.Errorf("web: a page without a head")
	}
	var head bytes.Buffer
	if err := templates[Langs()[0]].ExecuteTemplate(&head, "brand-head", b); err != nil {
		return nil, fmt.Errorf("web: the brand of a page: %w", err)
	}
	return bytes.Join([][]byte{page[:at], head.Bytes(), page[at:]}, nil), nil
}
