package web

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

func in(t *testing.T, zone string) *time.Location {
	t.Helper()
	l, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// everyAppointment is every form of the page.
func everyAppointment() map[string]AppointmentData {
	at := time.Date(2026, 12, 1, 14, 0, 0, 0, time.UTC)
	d := AppointmentData{
		Brand: Brand{Name: "Ville d’Exemple"}, Path: "/appointment/X", Number: "INC0012", By: "Zoë", From: at, To: at.Add(45 * time.Minute),
		About: "Mise à jour", State: AppointmentMade, URL: "/appointment/X",
	}
	for _, key := range []string{"computer", "save", "power", "phone", "password", "decide", ""} {
		d.Items = append(d.Items, Item{key, "Outlook"})
	}
	forms := map[string]AppointmentData{"made": d}
	form := func(name string, change func(*AppointmentData)) {
		c := d
		change(&c)
		forms[name] = c
	}
	form("bare", func(d *AppointmentData) { d.Brand.Name, d.Items = "", nil })
	form("soon", func(d *AppointmentData) { d.Open = true })
	form("now", func(d *AppointmentData) { d.Open, d.Begun = true, true })
	form("too early", func(d *AppointmentData) { d.Problem = AppointmentEarly })
	form("too long", func(d *AppointmentData) { d.Problem, d.Said = AppointmentLong, "x" })
	form("cancelled", func(d *AppointmentData) { d.State, d.Why = AppointmentCancelled, "Malade" })
	form("declined", func(d *AppointmentData) { d.State = AppointmentDeclined })
	return forms
}

func TestATimeInWords(t *testing.T) {
	toronto, paris := in(t, "America/Toronto"), in(t, "Europe/Paris")
	for _, c := range []struct {
		from         time.Time
		length       time.Duration
		en, fr       string
		zoneE, zoneF string
	}{
		{
			time.Date(2026, 11, 30, 14, 5, 0, 0, toronto), 25 * time.Minute,
			"Monday 30 November 2026, 14:05 to 14:30", "lundi 30 novembre 2026, de 14\u00a0h\u00a005 à 14\u00a0h\u00a030",
			"time zone America/Toronto, UTC−05:00", "fuseau horaire America/Toronto, UTC−05:00",
		},
		{
			time.Date(2026, 8, 1, 9, 0, 0, 0, paris), time.Hour,
			"Saturday 1st August 2026, 9:00 to 10:00", "samedi 1er août 2026, de 9\u00a0h\u00a000 à 10\u00a0h\u00a000",
			"time zone Europe/Paris, UTC+02:00", "fuseau horaire Europe/Paris, UTC+02:00",
		},
		{
			time.Date(2026, 12, 31, 23, 30, 0, 0, time.UTC), time.Hour,
			"Thursday 31 December 2026, 23:30, to Friday 1st January 2027, 0:30",
			"jeudi 31 décembre 2026, 23\u00a0h\u00a030, jusqu’au vendredi 1er janvier 2027, 0\u00a0h\u00a030",
			"UTC", "UTC",
		},
	} {
		to := c.from.Add(c.length).UTC()
		if got := Span("en", c.from, to); got != c.en {
			t.Errorf("%q, want %q", got, c.en)
		}
		if got := Span("fr", c.from, to); got != c.fr {
			t.Errorf("%q, want %q", got, c.fr)
		}
		if e, f := Zone("en", c.from), Zone("fr", c.from); e != c.zoneE || f != c.zoneF {
			t.Errorf("%q %q", e, f)
		}
	}
	for _, lang := range Langs() {
		for day := range 366 {
			if s := Day(lang, time.Date(2028, 1, 1+day, 0, 0, 0, 0, time.UTC)); strings.Contains(s, "{") || len(strings.Fields(s)) != 4 {
				t.Errorf("%s day %d: %q", lang, day, s)
			}
		}
	}
}

// What the person reads is all there, in both languages, and nothing is left open.
func TestWhatIsWrittenAboutAnAppointment(t *testing.T) {
	hole := regexp.MustCompile(`\{[a-z_]+\}`)
	for name, d := range everyAppointment() {
		for _, d.Lang = range Langs() {
			d.URL = "https://help.example.org" + d.Path
			texts := map[string]string{}
			for _, kind := range []string{LetterMade, LetterChanged, LetterCancelled} {
				subject, body := d.Letter(kind)
				texts[kind] = body
				if !strings.Contains(subject, "INC0012") || strings.Contains(subject, "\n") || !strings.Contains(body, d.When()) || !strings.Contains(body, d.Zone()) || !strings.HasSuffix(body, strings.TrimSuffix("Zoë\n"+d.Brand.Name, "\n")) {
					t.Errorf("%s %s %s: %q\n%s", d.Lang, name, kind, subject, body)
				}
				if has := strings.Contains(body, d.URL); has != (kind != LetterCancelled) {
					t.Errorf("%s %s %s: the address is there: %v", d.Lang, name, kind, has)
				}
			}
			for _, kind := range []string{AppointmentDeclined, "missed"} {
				texts[kind] = d.Aside(kind)
			}
			summary, text, _ := d.Entry()
			texts["entry"] = summary + text
			for kind, text := range texts {
				if m := hole.FindString(text); m != "" {
					t.Errorf("%s %s %s: %s was not filled in", d.Lang, name, kind, m)
				}
			}
		}
	}
	for i, line := range Checklist("fr", []Item{{"password", "Outlook"}, {"", "Le câble"}}) {
		if !strings.Contains(line, []string{"Outlook", "Le câble"}[i]) {
			t.Errorf("%q", line)
		}
	}
}

// C140: a page shows the way in only while its time is near and it stands.
func TestThePageOfAnAppointment(t *testing.T) {
	evil := `"><script>alert(1)</script>`
	for name, d := range everyAppointment() {
		var b bytes.Buffer
		d.By, d.About, d.Why, d.Said, d.Number, d.Items = evil, evil, evil, evil, evil, []Item{{"", evil}, {"password", evil}}
		if err := Appointment(&b, d); err != nil {
			t.Fatal(err)
		}
		page := b.String()
		if strings.Contains(page, "<script>") || !strings.Contains(page, `<meta name="robots" content="noindex">`) {
			t.Errorf("%s: %s", name, page)
		}
		if in := strings.Contains(page, "/appointment/X/wait") || strings.Contains(page, "/appointment/X/app"); in != d.Open {
			t.Errorf("%s: the way in is shown: %v", name, in)
		}
		if off := strings.Contains(page, "/appointment/X/decline"); off != (d.State == AppointmentMade) {
			t.Errorf("%s: it can be called off: %v", name, off)
		}
	}
}
