// Package gallery compares pictures of every component in every state (web/gallery) with
// those in testdata: light, dark, with more contrast, with forced colours, without motion
// and 320 pixels wide, in English and French, under the headers that the server sends.
//
//	go test ./internal/e2e/gallery           compares
//	go test ./internal/e2e/gallery -update   makes them anew: look at what git shows of them
//
// The pictures are the same wherever Debian's Chromium and DejaVu are: the font is named,
// and nothing of the system's is asked about how to draw it. What else may differ a little
// (how a glyph's edge is smoothed) is borne; a border, a colour or a distance is not.
// Whole pages have no pictures to compare with: see internal/e2e/pages.
package gallery
