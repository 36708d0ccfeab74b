package appointments

import (
	"strings"
	"time"
	_ "time/tzdata" // zones of people, whatever the machine knows

	"github.com/mainforte/mainforte/signaling/audit"
)

// State of an appointment.
type State string

// States. All but Made are for ever.
const (
	Made      State = "made"
	Cancelled State = "cancelled" // by a technician
	Declined  State = "declined"  // by the person
	Kept      State = "kept"      // it took place
	Missed    State = "missed"    // it did not
)

// Phase is where a time lies, seen from now.
type Phase string

// Phases in their order.
const (
	ToCome Phase = "ahead"
	Soon   Phase = "soon" // it begins within [Before]
	Now    Phase = "now"
	Over   Phase = "over"
)

// Keys are what a person can be asked to prepare, in words of ours that stand in both
// languages. KeyPassword says for what in the item's Text.
const (
	KeyComputer = "computer"
	KeySave     = "save"
	KeyPower    = "power"
	KeyPhone    = "phone"
	KeyPassword = "password"
	KeyDecide   = "decide"
)

// Keys are all of them, in the order in which they are offered.
var Keys = []string{KeyComputer, KeySave, KeyPower, KeyPhone, KeyPassword, KeyDecide}

// Item of the list of what to prepare.
type Item struct {
	Key  string `json:"key"`  // one of Keys; empty: Text says it
	Text string `json:"text"` // hostile
}

// Appointment is one of them. Number, About, Items, Why and UserName are hostile.
type Appointment struct {
	ID             string
	Ticket, Number string // whole id; as people say it
	User, UserName string // the technician
	Lang           string // "en" or "fr": what the person reads
	Starts, Ends   time.Time
	Zone           string // of tzdata, where the technician was
	About          string // one line
	Items          []Item
	State          State
	Why            string // said by who cancelled or declined; the person's may be empty
	Sequence       int64  // one more at each change, as calendars count (RFC 5545 §3.8.7.4)
	Created        time.Time
	Updated        time.Time
}

// Phase is where its time lies.
func (a Appointment) Phase(now time.Time) Phase {
	switch {
	case !now.Before(a.Ends):
		return Over
	case !now.Before(a.Starts):
		return Now
	case !now.Before(a.Starts.Add(-Before)):
		return Soon
	}
	return ToCome
}

// Stands tells whether it may still take place: nobody called it off, and it is not over.
func (a Appointment) Stands(now time.Time) bool { return a.State == Made && a.Phase(now) != Over }

// Open tells whether the person may come now: get the app, and say that they wait.
func (a Appointment) Open(now time.Time) bool { return a.Stands(now) && a.Phase(now) != ToCome }

// Place is the time zone of an appointment.
func (a Appointment) Place() *time.Location {
	if l, err := place(a.Zone); err == nil {
		return l
	}
	return time.UTC // it was checked when it was made
}

func place(zone string) (*time.Location, error) {
	if zone == "" || zone == "Local" || len(zone) > 64 || !audit.IsToken(zone) {
		return nil, ErrZone
	}
	l, err := time.LoadLocation(zone)
	if err != nil {
		return nil, ErrZone
	}
	return l, nil
}

// Strings joins the texts of a list that say what an appointment is about: for the
// log, which seals them.
func (a Appointment) Strings() string {
	parts := []string{a.About}
	for _, i := range a.Items {
		if i.Text != "" {
			parts = append(parts, i.Text)
		}
	}
	return strings.Join(parts, "\n")
}
