package appointments

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Entry is an appointment for somebody's calendar. All texts are in the reader's
// language, and hostile.
type Entry struct {
	Appointment
	Summary   string // one line
	Text      string // several lines
	Organiser string // name
	URL       string // of the person's page
	Reminder  string // what the calendar says [Alarm] before; empty: it says nothing
}

// Alarm is how long before an appointment the person's calendar reminds them.
const Alarm = 15 * time.Minute

// Calendar is the file (RFC 5545) that a calendar takes in: PUBLISH while the
// appointment stands, CANCEL once it was called off. The same one comes in again as its
// change, by UID and SEQUENCE.
func (e Entry) Calendar() []byte {
	var f folded
	method, status := "PUBLISH", "CONFIRMED"
	if e.State == Cancelled || e.State == Declined {
		method, status = "CANCEL", "CANCELLED"
	}
	f.line("BEGIN:VCALENDAR")
	f.line("VERSION:2.0")
	f.line("PRODID:-//Mainforte//Appointments//EN")
	f.line("METHOD:" + method)
	f.line("BEGIN:VEVENT")
	f.line("UID:" + e.ID + "@mainforte")
	f.line("SEQUENCE:" + strconv.FormatInt(e.Sequence, 10))
	f.line("DTSTAMP:" + stamp(e.Updated))
	f.line("CREATED:" + stamp(e.Created))
	f.line("LAST-MODIFIED:" + stamp(e.Updated))
	f.line("DTSTART:" + stamp(e.Starts))
	f.line("DTEND:" + stamp(e.Ends))
	f.line("STATUS:" + status)
	// Both methods need an organiser (RFC 5546 §3.2.1, §3.2.5), who here has no address
	// to be written to: calendars know this one as that.
	f.line(`ORGANIZER;CN="` + parameter(e.Organiser) + `":invalid:nomail`)
	f.line("SUMMARY:" + text(e.Summary))
	f.line("DESCRIPTION:" + text(e.Text))
	if e.URL != "" {
		f.line("URL:" + uri(e.URL))
	}
	f.line("CLASS:PRIVATE")
	if e.Reminder != "" && status == "CONFIRMED" {
		f.line("BEGIN:VALARM")
		f.line("ACTION:DISPLAY")
		f.line("TRIGGER:-PT" + strconv.Itoa(int(Alarm/time.Minute)) + "M")
		f.line("DESCRIPTION:" + text(e.Reminder))
		f.line("END:VALARM")
	}
	f.line("END:VEVENT")
	f.line("END:VCALENDAR")
	return f.b
}

// stamp is a time in UTC (RFC 5545 §3.3.5, form 2): no calendar needs our time zones.
func stamp(t time.Time) string { return t.UTC().Format("20060102T150405Z") }

// text escapes a TEXT (RFC 5545 §3.3.11). No other control character may stand there.
func text(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.ToValidUTF8(s, "\uFFFD"))
	return strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\n", `\n`).Replace(printable(s, "\n"))
}

// parameter is the inside of a quoted parameter (RFC 5545 §3.2), as RFC 6868 escapes it.
func parameter(s string) string {
	return strings.NewReplacer("^", "^^", `"`, "^'").Replace(printable(strings.ToValidUTF8(s, "\uFFFD"), ""))
}

// uri is an address of ours: what could end the line is left out.
func uri(s string) string { return printable(s, "") }

func printable(s, but string) string {
	return strings.Map(func(r rune) rune {
		if (r < ' ' || r == 0x7F) && !strings.ContainsRune(but, r) {
			return -1
		}
		return r
	}, s)
}

// folded are lines of at most 75 octets (RFC 5545 §3.1), cut between characters.
type folded struct{ b []byte }

const widest = 75

func (f *folded) line(s string) {
	room := widest
	for len(s) > room {
		cut := room
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		f.b = append(f.b, s[:cut]...)
		f.b = append(f.b, "\r\n "...)
		s, room = s[cut:], widest-1 // the blank counts
	}
	f.b = append(f.b, s...)
	f.b = append(f.b, "\r\n"...)
}
