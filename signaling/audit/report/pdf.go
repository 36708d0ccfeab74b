package report

import (
	"fmt"
	"io"
	"strings"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"

	"github.com/mainforte/mainforte/signaling/audit"
)

// Measures of the page, in mm, and of its letters, in points.
const (
	margin   = 15.0
	width    = 210 - 2*margin // A4
	bottom   = 297 - margin
	textSize = 9.0
	lineStep = 4.4
	cellGap  = 1.5
	labelCol = 52.0
)

// columns of the table of events.
var columns = [...]float64{13, 18, 50, 34, width - 13 - 18 - 50 - 34}

// WritePDF prints what Write prints, on A4. The font has Latin, Greek and Cyrillic
// letters; others are shown as empty boxes, while the page of HTML has them all.
func WritePDF(out io.Writer, events []audit.Record, o Options) (err error) {
	defer func() {
		// The library panics on what it does not expect, and names are hostile.
		if p := recover(); p != nil {
			err = fmt.Errorf("report: the page could not be set: %v", p)
		}
	}()
	v, err := o.view(events)
	if err != nil {
		return err
	}
	s := &sheet{fpdf.New("P", "mm", "A4", "")}
	s.SetCreationDate(o.Now.UTC())
	s.SetModificationDate(o.Now.UTC())
	s.SetCatalogSort(true) // the same report is the same file
	s.SetTitle(v.T("title")+" "+v.Session, true)
	s.SetLang(v.Lang)
	s.SetMargins(margin, margin, margin)
	s.SetAutoPageBreak(false, margin)
	s.SetDrawColor(150, 150, 150)
	s.SetLineWidth(0.1)
	s.AddUTF8FontFromBytes("go", "", goregular.TTF)
	s.AddUTF8FontFromBytes("go", "B", gobold.TTF)
	s.SetFooterFunc(func() {
		s.SetY(bottom + 3)
		s.SetFont("go", "", 7)
		s.CellFormat(width, 4, set(fmt.Sprintf("%s · %d", v.Session, s.PageNo())), "", 0, "R", false, 0, "")
	})
	s.AddPage()
	s.SetFont("go", "B", 15)
	s.MultiCell(width, 7, set(v.T("title")), "", "L", false)
	s.SetFont("go", "", textSize)
	s.MultiCell(width, lineStep, set(v.T("made")+" "+v.Made), "", "L", false)

	s.heading(v.T("section.summary"))
	s.facts(v.Facts)
	s.heading(v.T("section.events"))
	s.table(v)
	s.heading(v.T("section.proof"))
	s.facts(v.Proof)
	s.Ln(2)
	for _, key := range []string{"proof.how", "proof.never"} {
		lines := s.SplitText(set(v.T(key)), width)
		s.room(float64(len(lines)) * lineStep)
		s.lines(margin, width, lines)
		s.Ln(1.5)
	}
	if err := s.Output(out); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// sheet is the paper.
type sheet struct{ *fpdf.Fpdf }

// set makes a text fit for the library, which knows no code points beyond the
// first 65,536 and no tabs, and for the font, which has no narrow no-break space.
func set(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r > 0xFFFF || r < ' ':
			return '\uFFFD'
		case r == '\u202f':
			return '\u00a0'
		}
		return r
	}, s)
}

// room begins a new page if there is not that much left on this one.
func (s *sheet) room(h float64) {
	if s.GetY()+h > bottom {
		s.AddPage()
		s.SetFont("go", "", textSize)
	}
}

func (s *sheet) heading(text string) {
	s.room(20)
	s.Ln(5)
	s.SetFont("go", "B", 11)
	s.CellFormat(width, 6, set(text), "B", 1, "L", false, 0, "")
	s.SetFont("go", "", textSize)
	s.Ln(1.5)
}

// lines writes lines below each other at x and leaves the pen under them.
func (s *sheet) lines(x, w float64, lines []string) {
	for _, l := range lines {
		s.SetX(x)
		s.CellFormat(w, lineStep, l, "", 2, "L", false, 0, "")
	}
}

func (s *sheet) facts(list []fact) {
	for _, f := range list {
		label, value := s.SplitText(set(f.Label), labelCol-cellGap), s.SplitText(set(f.Value), width-labelCol)
		h := float64(max(len(label), len(value))) * lineStep
		s.room(h)
		y := s.GetY()
		s.lines(margin, labelCol, label)
		s.SetY(y)
		s.lines(margin+labelCol, width-labelCol, value)
		s.SetY(y + h)
	}
}

func (s *sheet) table(v *view) {
	head := []string{v.T("column.index"), v.T("column.time"), v.T("column.what"), v.T("column.who"), v.T("column.more")}
	s.head(head)
	for _, r := range v.Rows {
		join := func(parts ...string) string { return strings.TrimSpace(strings.Join(parts, "  ")) }
		s.row(head, []string{r.Index, r.Time, join(r.What, r.Outcome), r.Who, join(r.More, r.State)})
	}
}

func (s *sheet) head(cells []string) {
	s.SetFont("go", "B", textSize)
	s.cells(cells)
	s.SetFont("go", "", textSize)
}

// maxRow bounds the lines of a row, so that one always fits on a page.
const maxRow = 50

func (s *sheet) row(head, cells []string) {
	h := 0
	for i, c := range cells {
		h = max(h, len(s.SplitText(set(c), columns[i]-cellGap)))
	}
	if s.GetY()+float64(min(h, maxRow))*lineStep+2 > bottom {
		s.AddPage()
		s.head(head)
	}
	s.cells(cells)
}

func (s *sheet) cells(cells []string) {
	top, low, x := s.GetY(), s.GetY(), margin
	for i, c := range cells {
		lines := s.SplitText(set(c), columns[i]-cellGap)
		if len(lines) > maxRow {
			lines = append(lines[:maxRow-1:maxRow-1], "…")
		}
		s.SetY(top)
		s.lines(x, columns[i], lines)
		low = max(low, s.GetY())
		x += columns[i]
	}
	s.SetY(low + 0.7)
	s.Line(margin, low+0.3, margin+width, low+0.3)
}
