package api

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/limit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// clock is a time that a test sets.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (k *clock) now() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.t
}

func (k *clock) set(t time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.t = t
}

// planned is a site whose appointments go by a clock, with a ticket in French.
func planned(t *testing.T, change ...func(*Config)) (s *site, k *clock, ann *visitor, ticket map[string]any) {
	t.Helper()
	k = &clock{t: time.Now().Truncate(time.Minute)}
	s = newSite(t, append(change, func(c *Config) { c.Clock = k.now })...)
	ann = s.as(identity.Technician, "Ann <b>")
	ticket = ann.want(201, "POST", "/api/v1/tickets", map[string]any{"subject": "Secret affair <i>", "requester": "Zoé", "lang": "fr"})
	return s, k, ann, ticket
}

// at is what is asked for: from after d, for half an hour.
func (k *clock) at(d time.Duration, more ...any) map[string]any {
	in := map[string]any{
		"starts": k.now().Add(d), "ends": k.now().Add(d + 30*time.Minute), "zone": "America/Toronto", "lang": "fr", "about": "La mise à jour <u>",
		"items": []any{map[string]any{"key": "computer", "text": ""}, map[string]any{"key": "password", "text": "Outlook"}, map[string]any{"key": "", "text": "Le câble <i>"}},
	}
	for i := 0; i+1 < len(more); i += 2 {
		in[more[i].(string)] = more[i+1]
	}
	return in
}

func (v *visitor) appointments(query string) []any {
	v.t.Helper()
	return v.want(200, "GET", "/api/v1/appointments"+query, nil)["appointments"].([]any)
}

// told are the types of the log's events about appointments, with who did it.
func (s *site) appointed() string {
	s.t.Helper()
	events, err := s.Log().Events(s.t.Context(), "")
	if err != nil {
		s.t.Fatal(err)
	}
	var told []string
	for _, e := range events {
		if kind, ok := strings.CutPrefix(e.Type, "appointment."); ok {
			told = append(told, kind+" "+e.Actor.Kind)
		}
	}
	return strings.Join(told, ", ")
}

func TestAnAppointmentFromMakingToComing(t *testing.T) {
	s, k, ann, ticket := planned(t)
	id := ticket["id"].(string)
	news := ann.listen()
	a := ann.want(201, "POST", "/api/v1/tickets/"+id+"/appointment", k.at(time.Hour))
	if item := news.next(); item.Kind != newsAppointments {
		t.Errorf("she hears %+v", item)
	}
	if a["state"] != "made" || a["phase"] != "ahead" || a["mine"] != true || a["may"] != true || a["here"] != "" || a["sequence"] != 0.0 {
		t.Errorf("made: %v", a)
	}
	letter := a["letter"].(map[string]any)
	link := letter["url"].(string)
	if !strings.HasPrefix(link, s.srv.URL+"/appointment/") || !strings.Contains(letter["text"].(string), link) || !strings.Contains(letter["text"].(string), "Outlook") || !strings.Contains(letter["subject"].(string), ticket["number"].(string)) {
		t.Errorf("the letter: %v", letter)
	}
	notes := ann.want(200, "GET", "/api/v1/tickets/"+id, nil)["notes"].([]any)
	if n := notes[0].(map[string]any); len(notes) != 1 || n["public"] != false || !strings.Contains(n["text"].(string), link) {
		t.Errorf("the note: %v", notes)
	}
	// The person reads it, in their language, and of the ticket its number.
	zoe, path := s.visitor(), strings.TrimPrefix(link, s.srv.URL)
	page := zoe.reads(200, path)
	for _, has := range []string{`lang="fr"`, ticket["number"].(string), "Ann &lt;b&gt;", "La mise à jour &lt;u&gt;", "Outlook", "Le câble &lt;i&gt;", "America/Toronto", "noindex", path + "/decline"} {
		if !strings.Contains(page, has) {
			t.Errorf("the page lacks %q", has)
		}
	}
	for _, not := range []string{"Secret affair", "Zoé", path + "/app", path + "/wait", "<u>"} {
		if strings.Contains(page, not) {
			t.Errorf("the page has %q", not)
		}
	}
	if page := zoe.reads(200, path+"?lang=en"); !strings.Contains(page, `lang="en"`) {
		t.Error("not in English")
	}
	resp, ics := zoe.do("GET", path+"/calendar.ics", nil)
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/calendar; charset=utf-8" || !strings.Contains(string(ics), "METHOD:PUBLISH\r\n") ||
		!strings.Contains(string(ics), "UID:"+a["id"].(string)+"@mainforte\r\n") || !strings.Contains(string(ics), "SEQUENCE:0\r\n") || strings.Contains(string(ics), "Secret") {
		t.Errorf("the calendar: %v\n%s", resp.Header, ics)
	}
	// C140: too early.
	for _, early := range []string{"/app", "/wait"} {
		if page := zoe.reads(409, path+early); !strings.Contains(page, `role="alert"`) {
			t.Errorf("%s says nothing", early)
		}
	}
	if status, to, _ := zoe.waits(path+"/wait", "Zoé", "x", ""); status != 409 || to != "" || len(waitingOf(ann)) != 0 {
		t.Errorf("she waits too early: %d %q", status, to)
	}
	// It changes, under the same address.
	b := ann.want(200, "PUT", "/api/v1/appointments/"+a["id"].(string), k.at(2*time.Hour, "sequence", 0, "about", "Autre chose"))
	if b["sequence"] != 1.0 || b["letter"].(map[string]any)["url"] != link {
		t.Errorf("changed: %v", b)
	}
	if page := zoe.reads(200, path); !strings.Contains(page, "Autre chose") || strings.Contains(page, "La mise à jour") {
		t.Error("the page does not follow")
	}
	if _, ics := zoe.do("GET", path+"/calendar.ics", nil); !strings.Contains(string(ics), "SEQUENCE:1\r\n") || !strings.Contains(string(ics), "UID:"+a["id"].(string)) {
		t.Errorf("the calendar: %s", ics)
	}
	ann.code(409, "APPOINTMENT_CHANGED", "PUT", "/api/v1/appointments/"+a["id"].(string), k.at(3*time.Hour, "sequence", 0))
	// Ten minutes before it opens.
	k.set(k.now().Add(110 * time.Minute))
	if page := zoe.reads(200, path); !strings.Contains(page, path+"/app") || !strings.Contains(page, path+"/wait") {
		t.Error("the page does not open")
	}
	if page := zoe.reads(200, path+"/app"); !strings.Contains(page, ticket["number"].(string)) || !strings.Contains(page, path+"/wait") {
		t.Error("no page with the app")
	}
	if page := zoe.reads(200, path+"/wait"); !strings.Contains(page, "Autre chose") {
		t.Error("she has to say again what for")
	}
	status, hers, _ := zoe.waits(path+"/wait", "Zoé", "Autre chose", "")
	if status != 303 || !strings.HasPrefix(hers, "/wait/") {
		t.Fatalf("coming: %d %q", status, hers)
	}
	if list := ann.appointments(""); len(list) != 1 || list[0].(map[string]any)["here"] != "Zoé" || list[0].(map[string]any)["phase"] != "soon" {
		t.Errorf("hers: %v", list)
	}
	who := waitingOf(ann)[0].(map[string]any)
	if met := who["appointment"].(map[string]any); met["mine"] != true || met["with"] != "Ann <b>" {
		t.Errorf("who waits: %v", who)
	}
	bob := s.as(identity.Technician, "Bob")
	if met := waitingOf(bob)[0].(map[string]any)["appointment"].(map[string]any); met["mine"] != false {
		t.Errorf("bob sees %v", met)
	}
	if got := ann.want(200, "POST", "/api/v1/waiting/"+who["id"].(string)+"/take", map[string]any{})["ticket"].(map[string]any); got["id"] != id {
		t.Errorf("another ticket: %v", got)
	}
	// C142: whatever happened, no session came of it.
	sue := s.as(identity.Supervisor, "Sue")
	k.set(k.now().Add(20 * time.Minute))
	c := ann.want(200, "POST", "/api/v1/appointments/"+a["id"].(string)+"/end", map[string]any{"kept": true})
	if c["state"] != "kept" || c["letter"] != nil {
		t.Errorf("kept: %v", c)
	}
	zoe.reads(410, path)
	if list := sue.want(200, "GET", "/api/v1/sessions", nil)["sessions"].([]any); len(list) != 0 {
		t.Errorf("a session came of it: %v", list)
	}
	if got, want := s.appointed(), "made technician, changed technician, kept technician"; got != want {
		t.Errorf("the log holds %s", got)
	}
}

// C139: a token opens its own page, its own calendar, its own calling off.
func TestATokenIsForOneAppointment(t *testing.T) {
	s, k, ann, ticket := planned(t)
	make := "/api/v1/tickets/" + ticket["id"].(string) + "/appointment"
	one := ann.want(201, "POST", make, k.at(time.Hour, "about", "First"))
	two := ann.want(201, "POST", make, k.at(2*time.Hour, "about", "Second"))
	path := func(a map[string]any) string {
		return strings.TrimPrefix(a["letter"].(map[string]any)["url"].(string), s.srv.URL)
	}
	v := s.visitor()
	for _, c := range []struct {
		a        map[string]any
		has, not string
	}{{one, "First", "Second"}, {two, "Second", "First"}} {
		_, ics := v.do("GET", path(c.a)+"/calendar.ics", nil)
		if text := v.reads(200, path(c.a)) + string(ics); !strings.Contains(text, c.has) || strings.Contains(text, c.not) {
			t.Errorf("%s shows %s", c.has, c.not)
		}
	}
	token := strings.TrimPrefix(path(one), "/appointment/")
	for _, bad := range []string{one["id"].(string), token[:len(token)-1], token + "A", strings.ToLower(token), token[:21] + strings.TrimPrefix(path(two), "/appointment/")[21:], "x"} {
		for _, page := range []string{"", "/calendar.ics", "/app", "/wait"} {
			v.reads(404, "/appointment/"+bad+page)
		}
		for _, page := range []string{"/wait", "/decline"} {
			if resp, _ := v.do("POST", "/appointment/"+bad+page, "name=x&trouble=y", "Content-Type", "application/x-www-form-urlencoded"); resp.StatusCode != 404 {
				t.Errorf("%s%s: %d", bad, page, resp.StatusCode)
			}
		}
	}
	// A link to a ticket is no appointment, and none of an appointment a link.
	help := ann.want(201, "POST", "/api/v1/sessions", map[string]any{"ticket": ticket["id"]})["person"].(map[string]any)["url"].(string)
	v.reads(404, "/appointment/"+help[strings.LastIndex(help, "/")+1:])
	v.reads(404, "/help/"+token)
	decline := func(a map[string]any) int {
		resp, _ := v.do("POST", path(a)+"/decline", url.Values{"why": {"Un empêchement <b>"}}.Encode(), "Content-Type", "application/x-www-form-urlencoded")
		return resp.StatusCode
	}
	news := ann.listen()
	if status := decline(one); status != 303 {
		t.Errorf("declining: %d", status)
	}
	if item := news.next(); item.Kind != newsAppointments {
		t.Errorf("she hears %+v", item)
	}
	if status := decline(one); status != 409 {
		t.Errorf("declining again: %d", status)
	}
	list := ann.appointments("?ticket=" + ticket["id"].(string))
	if x, y := list[0].(map[string]any), list[1].(map[string]any); x["state"] != "declined" || x["why"] != "Un empêchement <b>" || y["state"] != "made" {
		t.Errorf("%v", list)
	}
	if page := v.reads(200, path(one)); strings.Contains(page, "/decline") || !strings.Contains(page, `data-state="declined"`) {
		t.Error("her page does not say so")
	}
	if _, ics := v.do("GET", path(one)+"/calendar.ics", nil); !strings.Contains(string(ics), "METHOD:CANCEL\r\n") {
		t.Errorf("the calendar: %s", ics)
	}
	notes := ann.want(200, "GET", "/api/v1/tickets/"+ticket["id"].(string), nil)["notes"].([]any)
	if n := notes[len(notes)-1].(map[string]any); len(notes) != 3 || !strings.Contains(n["text"].(string), "Un empêchement <b>") || n["public"] != false {
		t.Errorf("the notes: %v", notes)
	}
	if got, want := s.appointed(), "made technician, made technician, declined person"; got != want {
		t.Errorf("the log holds %s", got)
	}
	if resp, _ := v.do("POST", path(two)+"/decline", "why=x", "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "cross-site"); resp.StatusCode != 403 {
		t.Errorf("from another site: %d", resp.StatusCode)
	}
	if resp, _ := v.do("POST", path(two)+"/decline", "why="+strings.Repeat("x", 301), "Content-Type", "application/x-www-form-urlencoded"); resp.StatusCode != 422 {
		t.Errorf("too long: %d", resp.StatusCode)
	}
}

// C140: what is called off, or over, opens nothing, whoever has the link.
func TestWhatIsOverOrCalledOffOpensNothing(t *testing.T) {
	s, k, ann, ticket := planned(t)
	make := "/api/v1/tickets/" + ticket["id"].(string) + "/appointment"
	off := ann.want(201, "POST", make, k.at(5*time.Minute))
	over := ann.want(201, "POST", make, k.at(5*time.Minute, "despite", true))
	ann.code(422, "APPOINTMENT_WHY", "POST", "/api/v1/appointments/"+off["id"].(string)+"/cancel", map[string]any{"why": ""})
	got := ann.want(200, "POST", "/api/v1/appointments/"+off["id"].(string)+"/cancel", map[string]any{"why": "Je suis malade <b>"})
	if l := got["letter"].(map[string]any); got["state"] != "cancelled" || !strings.Contains(l["text"].(string), "Je suis malade") || strings.Contains(l["text"].(string), "/appointment/") {
		t.Errorf("cancelled: %v", got)
	}
	v := s.visitor()
	path := func(a map[string]any) string {
		return strings.TrimPrefix(a["letter"].(map[string]any)["url"].(string), s.srv.URL)
	}
	if page := v.reads(200, path(off)); !strings.Contains(page, "Je suis malade &lt;b&gt;") || strings.Contains(page, "/wait") || strings.Contains(page, "/decline") {
		t.Error("what she reads of one that is off")
	}
	if _, ics := v.do("GET", path(off)+"/calendar.ics", nil); !strings.Contains(string(ics), "STATUS:CANCELLED\r\n") || !strings.Contains(string(ics), "SEQUENCE:1\r\n") {
		t.Errorf("the calendar: %s", ics)
	}
	closed := func(what, path string, status int) {
		t.Helper()
		for _, p := range []string{"/app", "/wait"} {
			if page := v.reads(status, path+p); strings.Contains(page, "<form") || strings.Contains(page, "/download/") {
				t.Errorf("%s: %s opens", what, p)
			}
		}
		for _, p := range []string{"/wait", "/decline"} {
			if resp, _ := v.do("POST", path+p, "name=x&trouble=y", "Content-Type", "application/x-www-form-urlencoded"); resp.StatusCode != status {
				t.Errorf("%s: POST %s: %d", what, p, resp.StatusCode)
			}
		}
	}
	closed("called off", path(off), 409)
	if v.reads(200, path(over)+"/app") == "" {
		t.Error("the other one is shut too")
	}
	k.set(k.now().Add(35 * time.Minute))
	closed("over", path(over), 410)
	v.reads(410, path(over))
	v.reads(410, path(off))
	v.reads(410, path(over)+"/calendar.ics")
	if list := waitingOf(ann); len(list) != 0 {
		t.Errorf("somebody waits: %v", list)
	}
}

// C141: whose appointment it is, or who leads, changes it; others see it.
func TestWhoMayChangeAnAppointment(t *testing.T) {
	s, k, ann, ticket := planned(t)
	bob, sue := s.as(identity.Technician, "Bob"), s.as(identity.Supervisor, "Sue")
	make := "/api/v1/tickets/" + ticket["id"].(string) + "/appointment"
	a := ann.want(201, "POST", make, k.at(time.Hour))
	one := "/api/v1/appointments/" + a["id"].(string)
	bob.code(403, "APPOINTMENT_OTHERS", "PUT", one, k.at(2*time.Hour, "sequence", 0))
	bob.code(403, "APPOINTMENT_OTHERS", "POST", one+"/cancel", map[string]any{"why": "x"})
	bob.code(403, "APPOINTMENT_OTHERS", "POST", one+"/end", map[string]any{"kept": true})
	for _, role := range []identity.Role{identity.Auditor, identity.Admin} {
		v := s.as(role, "other-"+string(role))
		v.code(403, "NOT_ALLOWED", "GET", "/api/v1/appointments", nil)
		v.code(403, "NOT_ALLOWED", "POST", make, k.at(5*time.Hour))
	}
	if list := bob.appointments("?ticket=" + ticket["id"].(string)); len(list) != 1 || list[0].(map[string]any)["may"] != false || list[0].(map[string]any)["letter"] != nil {
		t.Errorf("bob sees %v", list)
	}
	if list := bob.appointments(""); len(list) != 0 {
		t.Errorf("bob's: %v", list)
	}
	sue.want(200, "PUT", one, k.at(2*time.Hour, "sequence", 0))
	if list := ann.appointments("?whose=team"); len(list) != 1 || list[0].(map[string]any)["sequence"] != 1.0 {
		t.Errorf("ann's: %v", list)
	}
	ann.code(422, "INVALID_STATE", "GET", "/api/v1/appointments?whose=all", nil)
	ann.code(404, "NO_APPOINTMENT", "PUT", "/api/v1/appointments/x", k.at(2*time.Hour, "sequence", 0))
	ann.code(409, "APPOINTMENT_EARLY", "POST", one+"/end", map[string]any{"kept": false})
	ann.code(422, "INVALID_STATE", "POST", one+"/end", map[string]any{})
	ann.code(409, "APPOINTMENT_OVERLAPS", "POST", make, k.at(2*time.Hour+10*time.Minute))
	ann.want(201, "POST", make, k.at(2*time.Hour+10*time.Minute, "despite", true))
	for code, in := range map[string]map[string]any{
		"APPOINTMENT_PAST":   k.at(-time.Hour),
		"APPOINTMENT_FAR":    k.at(91 * 24 * time.Hour),
		"APPOINTMENT_LENGTH": k.at(time.Hour, "ends", k.now().Add(65*time.Minute)),
		"APPOINTMENT_ZONE":   k.at(time.Hour, "zone", "../../etc/passwd"),
		"APPOINTMENT_SAID":   k.at(time.Hour, "about", " "),
		"INVALID_LANG":       k.at(time.Hour, "lang", "de"),
	} {
		ann.code(422, code, "POST", make, in)
	}
	k.set(k.now().Add(3 * time.Hour))
	if got := ann.want(200, "POST", one+"/end", map[string]any{"kept": false}); got["state"] != "missed" {
		t.Errorf("missed: %v", got)
	}
	ann.want(200, "POST", "/api/v1/tickets/"+ticket["id"].(string)+"/close", map[string]any{})
	ann.code(409, "TICKET_CLOSED", "POST", make, k.at(time.Hour))
}

// What the log does not take has not happened: no appointment, no note, no letter.
func TestAnAppointmentThatCannotBeWrittenDown(t *testing.T) {
	s, k, ann, ticket := planned(t)
	make := "/api/v1/tickets/" + ticket["id"].(string) + "/appointment"
	a := ann.want(201, "POST", make, k.at(time.Hour))
	path := strings.TrimPrefix(a["letter"].(map[string]any)["url"].(string), s.srv.URL)
	do := func(sql string) {
		t.Helper()
		if err := s.house.store.Update(t.Context(), func(tx store.Tx) error { _, err := tx.Exec(sql); return err }); err != nil {
			t.Fatal(err)
		}
	}
	do("create trigger full_disk before insert on audit_leaves begin select raise(abort, 'the log takes nothing'); end")
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{"POST", make, k.at(2 * time.Hour)},
		{"PUT", "/api/v1/appointments/" + a["id"].(string), k.at(2*time.Hour, "sequence", 0)},
		{"POST", "/api/v1/appointments/" + a["id"].(string) + "/cancel", map[string]any{"why": "x"}},
	} {
		if resp, raw := ann.do(c.method, c.path, c.body); resp.StatusCode < 500 {
			t.Errorf("%s %s: %d %s", c.method, c.path, resp.StatusCode, raw)
		}
	}
	if resp, _ := s.visitor().do("POST", path+"/decline", "why=x", "Content-Type", "application/x-www-form-urlencoded"); resp.StatusCode < 500 {
		t.Errorf("declined: %d", resp.StatusCode)
	}
	do("drop trigger full_disk")
	list := ann.appointments("?ticket=" + ticket["id"].(string))
	if len(list) != 1 || list[0].(map[string]any)["sequence"] != 0.0 || list[0].(map[string]any)["state"] != "made" {
		t.Errorf("%v", list)
	}
	if notes := ann.want(200, "GET", "/api/v1/tickets/"+ticket["id"].(string), nil)["notes"].([]any); len(notes) != 1 {
		t.Errorf("%d notes", len(notes))
	}
}

// The technician is told when the time is near, when it has come, and when it is over;
// a session of the ticket in that time tells that it took place.
func TestTechniciansAreReminded(t *testing.T) {
	s, k, ann, ticket := planned(t)
	begin := k.now()
	a := ann.want(201, "POST", "/api/v1/tickets/"+ticket["id"].(string)+"/appointment", k.at(time.Hour))
	news := ann.listen()
	remind := func(from, to time.Duration) {
		t.Helper()
		k.set(begin.Add(to))
		if err := s.remindOf(t.Context(), begin.Add(from), begin.Add(to)); err != nil {
			t.Fatal(err)
		}
	}
	phase := func() any { t.Helper(); return ann.appointments("")[0].(map[string]any)["phase"] }
	remind(0, 49*time.Minute)
	for _, c := range []struct {
		from, to time.Duration
		phase    string
	}{{49 * time.Minute, 50 * time.Minute, "soon"}, {50 * time.Minute, time.Hour, "now"}, {time.Hour, 90 * time.Minute, "over"}} {
		if c.phase == "over" {
			if err := s.house.store.Update(t.Context(), func(tx store.Tx) error {
				_, err := tx.Exec(`insert into sessions (id, ticket_id, technician_id, started) values ('s', ?, 'x', ?)`, ticket["id"], store.FormatTime(begin.Add(65*time.Minute)))
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		remind(c.from, c.to)
		if item := news.next(); item.Kind != newsAppointments {
			t.Errorf("%s: she hears %+v", c.phase, item)
		}
		news.next() // the ticket too
		if got := phase(); got != c.phase {
			t.Errorf("it is %v, want %s", got, c.phase)
		}
	}
	if list := ann.appointments(""); list[0].(map[string]any)["state"] != "kept" || list[0].(map[string]any)["id"] != a["id"] {
		t.Errorf("%v", list)
	}
	if got, want := s.appointed(), "made technician, kept system"; got != want {
		t.Errorf("the log holds %s", got)
	}
}

func TestAPublicInvitation(t *testing.T) {
	_, k, ann, ticket := planned(t, func(c *Config) { c.Desks = tickets.Setup{Policy: tickets.Policy{Note: tickets.NotePublic}} })
	a := ann.want(201, "POST", "/api/v1/tickets/"+ticket["id"].(string)+"/appointment", k.at(time.Hour))
	notes := ann.want(200, "GET", "/api/v1/tickets/"+ticket["id"].(string), nil)["notes"].([]any)
	if n := notes[0].(map[string]any); n["public"] != true || n["author"] != "Ann <b>" || !strings.Contains(n["text"].(string), a["letter"].(map[string]any)["url"].(string)) {
		t.Errorf("%v", n)
	}
}

func TestPersonsAreNotFloodedWithInvitations(t *testing.T) {
	s, k, ann, ticket := planned(t)
	s.invites = limit.New(limit.Every{N: 2, In: time.Hour}, 10)
	make := "/api/v1/tickets/" + ticket["id"].(string) + "/appointment"
	ann.code(422, "APPOINTMENT_SAID", "POST", make, k.at(time.Hour, "about", "")) // writes to nobody
	a := ann.want(201, "POST", make, k.at(time.Hour))
	ann.want(200, "PUT", "/api/v1/appointments/"+a["id"].(string), k.at(2*time.Hour, "sequence", 0))
	ann.code(429, "RATE_LIMITED", "PUT", "/api/v1/appointments/"+a["id"].(string), k.at(3*time.Hour, "sequence", 1))
	var many []string
	for i := range 6 {
		s.invites = limit.New(invites, 10)
		resp, _ := ann.do("POST", make, k.at(time.Duration(i+4)*time.Hour))
		many = append(many, fmt.Sprint(resp.StatusCode))
	}
	if got, want := strings.Join(many, " "), "201 201 201 201 409 409"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
