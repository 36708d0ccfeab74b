package face

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/mainforte/mainforte/host/ui"
)

// goodbye is what the person has done since the end.
type goodbye struct {
	open  bool // what was done is shown
	score int
	rated bool
	wrong bool // something felt wrong: the page for that
	told  bool
}

// receiptName is what a receipt's file is called: never a path.
func (f *Face) receiptName() string {
	name := ""
	if r := f.ended.Receipt; r != nil {
		name = r.Name
	}
	return ui.FileName(name)
}

func (f *Face) receiptPath() string {
	if f.set.Documents == "" {
		return f.receiptName()
	}
	return filepath.Join(f.set.Documents, f.receiptName())
}

// link is an address that may be opened: the help desk's own, or a letter to it.
func (f *Face) link(s string) (address string, ok bool) {
	u, err := url.Parse(s)
	if err != nil || strings.ContainsAny(s, " \t\r\n\"'<>`|\\^") {
		return "", false
	}
	switch {
	case u.Scheme == "mailto" && u.Opaque != "" && !strings.HasPrefix(u.Opaque, "-"):
		return u.String(), true
	case u.Scheme == "https", u.Scheme == "http" && (u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1" || u.Hostname() == "::1"):
		if u.User == nil && strings.EqualFold(u.Hostname(), f.ended.Server) {
			return u.String(), true
		}
	}
	return "", false
}

func (f *Face) pressGoodbye(do, rest string) ([]ui.Command, *Wish) {
	if f.page != "ended" {
		return nil, nil
	}
	say := func(c ui.Command) ([]ui.Command, *Wish) { return []ui.Command{c}, nil }
	g, r := &f.goodbye, f.ended.Receipt
	switch do {
	case "done":
		g.open = !g.open
	case "keep":
		if r == nil {
			return nil, nil
		}
		if f.set.Dialogs {
			return nil, &Wish{Kind: "save", Name: f.receiptName(), what: "keep_receipt"}
		}
		if p := strings.TrimSpace(f.typed["receipt"]); p != "" {
			return say(ui.Command{Do: "keep_receipt", Path: p})
		}
	case "page":
		if r == nil {
			return nil, nil
		}
		address := r.Link
		if rest == "report" {
			address = r.Report
		}
		if address, ok := f.link(address); ok {
			return nil, &Wish{Kind: "open", Name: address}
		}
	case "score":
		if len(rest) == 1 && rest[0] >= '1' && rest[0] <= '5' && !g.rated {
			g.score = int(rest[0] - '0')
			f.count++
		}
	case "rate":
		if g.score == 0 || g.rated {
			return nil, nil
		}
		g.rated = true
		f.count++
		return say(ui.Command{Do: "rate", Score: g.score, Text: strings.TrimSpace(cut(f.typed["sentence"], longest, false))})
	case "wrong", "back":
		g.wrong = do == "wrong"
		f.count++
	case "report":
		text := strings.TrimSpace(cut(f.typed["complaint"], maxTyped, true))
		if text == "" || g.told {
			return nil, nil
		}
		g.told, g.wrong = true, false
		f.count++
		return say(ui.Command{Do: "report", Text: text})
	}
	return nil, nil
}

func (f *Face) viewEnded(v *View) {
	t, e, g := f.texts, f.ended, f.goodbye
	if g.wrong {
		f.viewWrong(v)
		return
	}
	var who, lasted, ticket, number string
	if e.Technician != nil {
		key := "ended.who"
		if e.Refused() {
			key = "ended.asked"
		}
		if e.Technician.Organisation != "" {
			key += ".of"
		}
		who = t.T(key, "name", e.Technician.Name, "organisation", e.Technician.Organisation)
	}
	if e.Duration > 0 {
		lasted = t.T("ended.duration", "duration", t.Duration(e.Duration))
	}
	if e.Ticket != nil {
		ticket = t.T("ended.ticket", "number", e.Ticket.Number)
	}
	if e.Session != "" {
		number = t.T("ended.session", "session", e.Session)
	}
	v.add(0, Plain, line("title", Title, t.T("ended.title")))
	v.add(8, Plain, line("reason", Strong, e.Text), line("nothing", Body, t.T("ended.nothing")))
	v.add(12, Soft, append([][]Cell{line("lasted", Body, join(lasted, ticket)), line("who", Body, who), line("number", Small, number)}, f.receipt()...)...)
	if e.Receipt != nil && !e.Refused() {
		f.viewRate(v)
	}
	v.add(10, Plain, line("status", Strong, f.status))
	v.add(10, Plain, line("gone", Body, t.T("goodbye.gone")))
	f.addAgain(v, "ended.again")
	if e.Receipt != nil && !g.told {
		v.add(8, Plain, button("wrong", Neutral, t.T("wrong.open")))
	}
}

// join puts sentences behind each other.
func join(sentences ...string) string {
	return strings.TrimSpace(strings.Join(sentences, " "))
}

// receipt is what was done, and the ways to keep it.
func (f *Face) receipt() [][]Cell {
	t, r := f.texts, f.ended.Receipt
	if r == nil {
		return nil
	}
	show := "goodbye.show"
	var rows [][]Cell
	if f.goodbye.open {
		show = "goodbye.hide"
		rows = append(rows, lines("receipt-text", Small, r.Text))
	}
	rows = append(rows, button("done", Neutral, t.T(show)))
	keep := Cell{ID: "keep", What: Neutral, Text: t.T("goodbye.keep")}
	if !f.set.Dialogs {
		rows = append(rows, line("receipt-label", Small, t.T("goodbye.path")), f.field("receipt", "keep"))
	}
	if _, ok := f.link(r.Link); ok {
		return append(rows, pair(keep, Cell{ID: "page link", What: Neutral, Text: t.T("goodbye.link")}))
	}
	return append(rows, []Cell{keep})
}

func (f *Face) viewRate(v *View) {
	t, g := f.texts, f.goodbye
	if g.rated {
		return // the status says whether it has arrived
	}
	var row []Cell
	for i := 1; i <= 5; i++ {
		c := Cell{ID: fmt.Sprint("score ", i), What: Neutral, Text: fmt.Sprint(i), Share: 16}
		if g.score == i {
			c.What = Primary
		}
		if i > 1 {
			row = append(row, Cell{Share: 5})
		}
		if i == 5 {
			c.Share = 0
		}
		row = append(row, c)
	}
	rows := [][]Cell{line("rate", Strong, t.T("goodbye.question")), line("rate-scale", Small, t.T("goodbye.scale")), row}
	if g.score > 0 {
		rows = append(rows, line("sentence-label", Small, t.T("goodbye.sentence")), f.field("sentence", "rate"), button("rate", Primary, t.T("goodbye.send")))
	}
	v.add(12, Soft, rows...)
}

// viewWrong is for who wants to report what happened.
func (f *Face) viewWrong(v *View) {
	t := f.texts
	v.add(0, Plain, line("title", Title, t.T("wrong.title")))
	v.add(10, Plain, line("report-text", Body, t.T("wrong.text", "server", f.ended.Server)))
	v.add(14, Plain, line("complaint-label", Small, t.T("wrong.label")),
		[]Cell{{ID: "complaint", What: Area, Text: cleanLines(f.typed["complaint"]), Fresh: f.fresh["complaint"]}})
	v.add(14, Plain, pair(Cell{ID: "back", What: Neutral, Text: t.T("wrong.back")}, Cell{ID: "report", What: Primary, Text: t.T("wrong.send")}))
	if r := f.ended.Receipt; r != nil {
		if address, ok := f.link(r.Report); ok {
			how, mail := strings.CutPrefix(address, "mailto:")
			where := "wrong.link"
			if mail {
				where = "wrong.mail"
			}
			v.add(14, Soft, line("report-address", Small, how), button("page report", Neutral, t.T(where)))
		}
	}
	v.Focus, v.Escape = "complaint", "back"
}
