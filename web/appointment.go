package web

import (
	"io"
	"strings"
	"time"
)

// Item is what the person is to prepare: words of ours for a key, which has a text
// "appointment.item." of its own, with What in it where it has a hole; or What alone.
type Item struct{ Key, What string }

// Checklist are the lines of a list, in a language.
func Checklist(lang string, items []Item) []string {
	out := make([]string, len(items))
	for i, it := range items {
		out[i] = it.What
		if it.Key != "" {
			out[i] = catalogues[known(lang)].must("appointment.item."+it.Key, "what", it.What)
		}
	}
	return out
}

// States of an [AppointmentData].
const (
	AppointmentMade      = "made"
	AppointmentCancelled = "cancelled"
	AppointmentDeclined  = "declined"
)

// Problems of an [AppointmentData]; the empty one is none.
const (
	AppointmentEarly = "early" // it is not time to come, or not any more
	AppointmentLong  = "long"  // what was said is too long
)

// AppointmentData is what a person is told of an appointment. Texts are hostile. From
// stands in the time zone in which both are said.
type AppointmentData struct {
	Lang     string // "en" or "fr"; anything else is English
	Brand    Brand
	Path     string // of the page
	Number   string // of the ticket
	By       string // name of the technician
	From, To time.Time
	About    string // one line
	Items    []Item
	State    string
	Why      string // it was called off for; may be empty
	Open     bool   // they may come now
	Begun    bool
	URL      string // of the page, as a whole; for the texts below
	Problem  string
	Said     string // what was typed, where there is a problem
}

// When is the time in words.
func (d AppointmentData) When() string { return Span(d.Lang, d.From, d.To) }

// Zone is where the clock of When stands.
func (d AppointmentData) Zone() string { return Zone(d.Lang, d.From) }

// Prepare are the lines of the list.
func (d AppointmentData) Prepare() []string { return Checklist(d.Lang, d.Items) }

// Starts and Ends are for browsers, which say them by their own clock.
func (d AppointmentData) Starts() string { return d.From.UTC().Format(time.RFC3339) }

// Ends is as Starts.
func (d AppointmentData) Ends() string { return d.To.UTC().Format(time.RFC3339) }

// Appointment writes the page of an appointment, which needs no script.
func Appointment(w io.Writer, d AppointmentData) error {
	d.Lang = known(d.Lang)
	return render(w, d.Lang, "appointment.html", d)
}

// AppointmentOver writes the page of one that is over. Serve it with status 410.
func AppointmentOver(w io.Writer, lang string, b Brand, ticket string) error {
	return render(w, known(lang), "appointment_over.html", struct {
		Lang   string
		Brand  Brand
		Ticket string
	}{known(lang), b, ticket})
}

// Letters about an appointment.
const (
	LetterMade      = "made"
	LetterChanged   = "changed"
	LetterCancelled = "cancelled"
)

// Letter is what the person is written about an appointment: the subject of a mail, and
// its text, which is the note in the ticket too. Kinds are those above.
func (d AppointmentData) Letter(kind string) (subject, body string) {
	c := catalogues[known(d.Lang)]
	parts := []string{c.must("appointment.letter."+kind, "number", d.Number)}
	when := d.When() + "\n" + d.Zone()
	switch kind {
	case LetterCancelled:
		parts = append(parts, when, c.must("appointment.letter.why", "why", d.Why), c.must("appointment.letter.nothing"))
	default:
		parts = append(parts, when, c.must("appointment.letter.about", "about", d.About))
		if list := d.Prepare(); len(list) > 0 {
			parts = append(parts, c.must("appointment.prepare")+"\n– "+strings.Join(list, "\n– "))
		}
		parts = append(parts, c.must("appointment.letter.page")+"\n"+d.URL, c.must("appointment.never.alone")+" "+c.must("appointment.never.absent"))
	}
	name := d.By
	if d.Brand.Name != "" {
		name += "\n" + d.Brand.Name
	}
	subject = c.must("appointment.letter.subject_"+kind, "number", d.Number, "day", Day(d.Lang, d.From))
	return subject, strings.Join(append(parts, name), "\n\n")
}

// Aside is what a ticket's private note says of an appointment that the person declined
// or that did not take place: kinds AppointmentDeclined and "missed".
func (d AppointmentData) Aside(kind string) string {
	c := catalogues[known(d.Lang)]
	text := c.must("appointment.aside."+kind, "name", d.By, "when", d.When()+" ("+d.Zone()+")")
	if d.Why != "" {
		text += "\n" + d.Why
	}
	return text
}

// Entry are the texts of an appointment in somebody's calendar.
func (d AppointmentData) Entry() (summary, text, reminder string) {
	c := catalogues[known(d.Lang)]
	summary = c.must("appointment.entry", "name", d.By, "number", d.Number)
	lines := []string{d.About}
	for _, l := range d.Prepare() {
		lines = append(lines, "– "+l)
	}
	lines = append(lines, d.URL, c.must("appointment.never.alone"))
	if d.State != AppointmentMade {
		lines = []string{c.must("appointment." + d.State + ".title")}
	}
	return summary, strings.Join(lines, "\n"), summary
}
