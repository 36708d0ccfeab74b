package appointments

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// property is a line of a calendar, unfolded: name, parameters, and the value as it stands.
type property struct{ name, params, value string }

// read unfolds a calendar and holds it to the grammar of RFC 5545 §3.1: lines that end
// with CRLF, of at most 75 octets, of whole characters and without control characters.
func read(t *testing.T, b []byte) (out []property) {
	t.Helper()
	s := string(b)
	if !strings.HasSuffix(s, "\r\n") {
		t.Fatalf("it does not end with a line: %q", s)
	}
	var whole []string
	for _, line := range strings.Split(strings.TrimSuffix(s, "\r\n"), "\r\n") {
		if len(line) > 75 || !utf8.ValidString(line) || strings.ContainsAny(line, "\r\n\x00\x07\x1b\x7f") {
			t.Fatalf("a line of %d octets: %q", len(line), line)
		}
		if rest, ok := strings.CutPrefix(line, " "); ok && len(whole) > 0 {
			whole[len(whole)-1] += rest
			continue
		}
		whole = append(whole, line)
	}
	for _, line := range whole {
		at, quoted := -1, false
		for i, r := range line {
			if r == '"' {
				quoted = !quoted
			}
			if r == ':' && !quoted {
				at = i
				break
			}
		}
		if at < 1 {
			t.Fatalf("not a property: %q", line)
		}
		name, params, _ := strings.Cut(line[:at], ";")
		for _, r := range name {
			if r != '-' && (r < 'A' || r > 'Z') {
				t.Fatalf("not a name: %q", line)
			}
		}
		out = append(out, property{name, params, line[at+1:]})
	}
	return out
}

// plain reads a TEXT back.
func plain(t *testing.T, s string) string {
	t.Helper()
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '\\':
			i++
			if i == len(s) || !strings.ContainsRune(`\;,nN`, rune(s[i])) {
				t.Fatalf("not an escape: %q", s)
			}
			if s[i] == 'n' || s[i] == 'N' {
				b.WriteByte('\n')
				continue
			}
			b.WriteByte(s[i])
		case ';', ',':
			t.Fatalf("not escaped: %q", s)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func entry() Entry {
	at := time.Date(2026, 12, 1, 14, 0, 0, 0, time.FixedZone("", -5*3600))
	return Entry{
		Appointment: Appointment{
			ID: "01KB8X0000000000000000000A", Starts: at, Ends: at.Add(45 * time.Minute), State: Made, Sequence: 2,
			Created: at.Add(-48 * time.Hour), Updated: at.Add(-24 * time.Hour),
		},
		Summary: "Remote assistance", Text: "one\ntwo", Organiser: "Ann", URL: "https://help.example.org/appointment/x", Reminder: "soon",
	}
}

func TestACalendarTakesItIn(t *testing.T) {
	t.Parallel()
	var got []string
	for _, p := range read(t, entry().Calendar()) {
		got = append(got, p.name+"|"+p.params+"|"+p.value)
	}
	want := []string{
		"BEGIN||VCALENDAR", "VERSION||2.0", "PRODID||-//Mainforte//Appointments//EN", "METHOD||PUBLISH", "BEGIN||VEVENT",
		"UID||01KB8X0000000000000000000A@mainforte", "SEQUENCE||2", "DTSTAMP||20261130T190000Z", "CREATED||20261129T190000Z",
		"LAST-MODIFIED||20261130T190000Z", "DTSTART||20261201T190000Z", "DTEND||20261201T194500Z", "STATUS||CONFIRMED",
		`ORGANIZER|CN="Ann"|invalid:nomail`, "SUMMARY||Remote assistance", `DESCRIPTION||one\ntwo`,
		"URL||https://help.example.org/appointment/x", "CLASS||PRIVATE", "BEGIN||VALARM", "ACTION||DISPLAY", "TRIGGER||-PT15M",
		"DESCRIPTION||soon", "END||VALARM", "END||VEVENT", "END||VCALENDAR",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
}

func TestOneThatWasCalledOffIsTakenOut(t *testing.T) {
	t.Parallel()
	for _, s := range []State{Cancelled, Declined} {
		e := entry()
		e.State, e.Sequence = s, 3
		of := map[string]string{}
		for _, p := range read(t, e.Calendar()) {
			of[p.name] = p.value
		}
		if of["METHOD"] != "CANCEL" || of["STATUS"] != "CANCELLED" || of["SEQUENCE"] != "3" || of["UID"] != "01KB8X0000000000000000000A@mainforte" || of["TRIGGER"] != "" {
			t.Errorf("%s: %v", s, of)
		}
	}
}

// Whatever people wrote, it is a value: no line, no property, no alarm comes of it.
func TestWhatPeopleWroteAddsNoLine(t *testing.T) {
	t.Parallel()
	hostile := "a;b,c\\n\\ \r\nBEGIN:VALARM\nACTION:PROCEDURE\rATTACH:x\x00\x07\x1b\x7f \"q\":^ " + strings.Repeat("é", 60) + strings.Repeat("👩‍💻", 40) + "\xff"
	e := entry()
	e.Summary, e.Text, e.Organiser, e.Reminder, e.URL = hostile, hostile, hostile, hostile, "https://x/\r\nATTACH:y"
	plainOnes := read(t, entry().Calendar())
	list := read(t, e.Calendar())
	if len(list) != len(plainOnes) {
		t.Fatalf("%d properties, want %d: %v", len(list), len(plainOnes), list)
	}
	for i, p := range list {
		if p.name != plainOnes[i].name {
			t.Errorf("%s stands where %s did", p.name, plainOnes[i].name)
		}
		switch p.name {
		case "SUMMARY", "DESCRIPTION":
			want := strings.NewReplacer("\r\n", "\n", "\r", "\n", "\x00", "", "\x07", "", "\x1b", "", "\x7f", "", "\xff", "\uFFFD").Replace(hostile)
			if got := plain(t, p.value); got != want {
				t.Errorf("%s reads %q", p.name, got)
			}
		case "ORGANIZER":
			if strings.Count(p.params, `"`) != 2 || p.value != "invalid:nomail" {
				t.Errorf("the organiser: %q %q", p.params, p.value)
			}
		}
	}
}

func FuzzCalendar(f *testing.F) {
	f.Add("one", "two\nthree")
	f.Add("é;,\\\"", strings.Repeat("👩", 100))
	f.Fuzz(func(t *testing.T, one, two string) {
		e := entry()
		e.Summary, e.Text, e.Organiser, e.Reminder, e.URL = one, two, one, two, one
		if n := len(read(t, e.Calendar())); n != 25 {
			t.Error(fmt.Sprint(n, " properties"))
		}
	})
}
