package web

import "io"

// Problems of a [WaitData]; the empty one is none.
const (
	WaitSaid    = "said"    // name or sentence are missing
	WaitPhone   = "phone"   // that is no telephone number
	WaitLimited = "limited" // too many from this address
	WaitFull    = "full"    // the room is full
	WaitGone    = "gone"    // who comes back waits no more
	WaitLeft    = "left"    // they have just left
)

// WaitData is the page on which a person says that they wait. What was typed is shown
// again where there is a problem; it is hostile.
type WaitData struct {
	Lang    string // "en" or "fr"; anything else is English
	Brand   Brand
	Ticket  string // number of the ticket whose link it is; may be empty
	Problem string
	Name    string
	Trouble string
	Phone   string
}

// Over tells whether there is no form to be shown.
func (d WaitData) Over() bool { return d.Problem == WaitGone || d.Problem == WaitLeft }

// Wait writes the page with the form.
func Wait(w io.Writer, d WaitData) error {
	d.Lang = known(d.Lang)
	return render(w, d.Lang, "wait.html", d)
}

// WaitingData is what somebody who waits is told. Texts are hostile.
type WaitingData struct {
	Lang    string
	Brand   Brand
	Token   string // of the page
	Name    string
	Phone   string // may be empty
	Place   int    // from 1
	Waiting int    // how many
	By      string // the technician who comes; empty while there is none
}

// Others is how many wait besides.
func (d WaitingData) Others() int { return d.Waiting - 1 }

// Waiting writes the page of somebody who waits. It comes again by itself, without a
// script every 15 seconds.
func Waiting(w io.Writer, d WaitingData) error {
	d.Lang = known(d.Lang)
	return render(w, d.Lang, "waiting.html", d)
}
