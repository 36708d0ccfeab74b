package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/tickets"
	"github.com/mainforte/mainforte/signaling/tickets/fake"
	"github.com/mainforte/mainforte/signaling/tickets/ticketstest"
)

// withDesk is a site with one desk more, "zam", that has ticket 7, behind a line.
func withDesk(t *testing.T, policy tickets.Policy) (*site, *fake.Zammad, *ticketstest.Line) {
	t.Helper()
	z := &fake.Zammad{}
	z.Add(fake.Subject{ID: 7, Title: "Imprimante\u202e bloquée", Requester: "Zoë Ölçü", French: true})
	z.Add(fake.Subject{ID: 8, Title: "Fermé", Closed: true})
	srv := httptest.NewServer(z)
	t.Cleanup(srv.Close)
	line := ticketstest.NewLine(t, srv.URL)
	s := newSite(t, func(c *Config) {
		c.Desks = tickets.Setup{Policy: policy, Desks: []tickets.DeskSetup{{
			Name: "zam", PerMinute: 6000, Config: tickets.Config{System: "zammad", URL: line.URL, Token: fake.Worker, Timeout: time.Second},
		}}}
	})
	return s, z, line
}

func TestDesks(t *testing.T) {
	s, _, _ := withDesk(t, tickets.Policy{Desk: "zam"})
	v := s.as(identity.Technician, "Ann")
	got := v.want(200, "GET", "/api/v1/desks", nil)
	list := got["desks"].([]any)
	if len(list) != 2 || list[0].(map[string]any)["name"] != "local" || list[1].(map[string]any)["system"] != "zammad" || list[1].(map[string]any)["search"] != true {
		t.Errorf("%v", list)
	}
	if p := got["policy"].(map[string]any); p["desk"] != "zam" || p["ticket"] != "required" || p["offline"] != "refuse" {
		t.Errorf("%v", p)
	}
}

func TestATicketOfAnotherDesk(t *testing.T) {
	s, z, line := withDesk(t, tickets.Policy{})
	v := s.as(identity.Technician, "Ann")
	found := v.want(200, "GET", "/api/v1/tickets?desk=zam&q=imprimante", nil)["tickets"].([]any)
	if len(found) != 1 || found[0].(map[string]any)["id"] != "zam:7" || found[0].(map[string]any)["desk"] != "zam" {
		t.Fatalf("%v", found)
	}
	one := v.want(200, "GET", "/api/v1/tickets/zam:7", nil)
	ticket := one["ticket"].(map[string]any)
	if ticket["subject"] != "Imprimante bloquée" || ticket["requester"] != "Zoë Ölçü" || ticket["lang"] != "fr" || ticket["remembered"] != false || one["problem"] != nil {
		t.Errorf("%v", one)
	}
	// It is changed in its own desk.
	for _, path := range []string{"close", "open"} {
		v.code(409, "OTHER_DESK", "POST", "/api/v1/tickets/zam:7/"+path, map[string]any{})
	}
	v.code(409, "OTHER_DESK", "POST", "/api/v1/tickets/zam:7/notes", map[string]any{"text": "x"})
	v.code(404, "NO_TICKET", "GET", "/api/v1/tickets/zam:99", nil)
	v.code(404, "DESK_UNKNOWN", "GET", "/api/v1/tickets/side:7", nil)
	v.code(404, "DESK_UNKNOWN", "GET", "/api/v1/tickets?desk=side&q=x", nil)

	// A session of it, and its note.
	v.session("zam:7")
	for limit := time.Now().Add(20 * time.Second); len(z.Notes(7)) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("no note")
		}
	}
	if n := z.Notes(7); len(n) != 1 || !strings.Contains(n[0].Body, "Session d’assistance à distance") || n[0].Public {
		t.Errorf("%+v", n)
	}

	// What can go wrong has a code and a sentence of its own.
	for _, c := range []struct {
		status int
		body   string
		head   []string
		want   string
		answer int
	}{
		{401, `{"error": "no"}`, nil, "DESK_REFUSES", 502},
		{403, `{"error": "no"}`, nil, "DESK_FORBIDS", 502},
		{429, `{"error": "slower"}`, []string{"Retry-After", "90"}, "DESK_BUSY", 503},
		{500, `{"error": "x"}`, nil, "DESK_BUSY", 503}, // until the pause is over nobody calls
	} {
		line.Instead(ticketstest.Say(c.status, "application/json", c.body, c.head...))
		resp, raw := v.do("GET", "/api/v1/tickets?desk=zam&q=x", nil)
		if resp.StatusCode != c.answer || !strings.Contains(string(raw), `"`+c.want+`"`) {
			t.Errorf("%d: %d %s", c.status, resp.StatusCode, raw)
		}
		if after := resp.Header.Get("Retry-After"); c.want == "DESK_BUSY" && (len(after) != 2 || !strings.Contains(string(raw), after)) {
			t.Errorf("come back after %q: %s", after, raw)
		}
	}
	// The ticket is still shown, with what is wrong beside it.
	one = v.want(200, "GET", "/api/v1/tickets/zam:7?lang=fr", nil)
	if one["ticket"].(map[string]any)["remembered"] != true || one["problem"].(map[string]any)["code"] != "DESK_BUSY" || len(one["sessions"].([]any)) != 1 {
		t.Errorf("%v", one)
	}

	// And stands in the list of sessions, by number and subject.
	sue := s.as(identity.Supervisor, "Sue")
	for _, q := range []string{"", "?q=bloquee", "?q=zam:7"} {
		list := sue.want(200, "GET", "/api/v1/sessions"+q, nil)["sessions"].([]any)
		if len(list) != 1 || list[0].(map[string]any)["ticket"].(map[string]any)["subject"] != "Imprimante bloquée" {
			t.Errorf("%s: %v", q, list)
		}
	}
}

func TestADeskThatIsAway(t *testing.T) {
	s, _, line := withDesk(t, tickets.Policy{Offline: tickets.OfflineAllow})
	v := s.as(identity.Technician, "Ann")
	v.want(200, "GET", "/api/v1/tickets/zam:7", nil)
	line.Instead(func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) })
	v.code(502, "DESK_AWAY", "GET", "/api/v1/tickets/zam:8", nil)
	one := v.want(200, "GET", "/api/v1/tickets/zam:7", nil)
	if one["ticket"].(map[string]any)["remembered"] != true || one["problem"].(map[string]any)["code"] != "DESK_AWAY" {
		t.Errorf("%v", one)
	}
	// The policy lets a session begin on what is remembered; its note waits.
	v.session("zam:7")
	waiting, err := s.outbox.Waiting(t.Context(), 0)
	for limit := time.Now().Add(10 * time.Second); err == nil && len(waiting) == 0 && time.Now().Before(limit); {
		waiting, err = s.outbox.Waiting(t.Context(), 0)
	}
	if err != nil || len(waiting) != 1 || waiting[0].Ticket != "zam:7" || waiting[0].System != "zam" {
		t.Errorf("%+v %v", waiting, err)
	}
}

func TestNotesThatAreNotInTheirTickets(t *testing.T) {
	s, z, line := withDesk(t, tickets.Policy{})
	v, sue := s.as(identity.Technician, "Ann"), s.as(identity.Supervisor, "Sue")
	gone := ticketstest.Say(404, "application/json", `{"error": "Couldn't find Ticket"}`)
	v.want(200, "GET", "/api/v1/tickets/zam:7", nil)
	line.Instead(func(w http.ResponseWriter, r *http.Request) bool {
		return strings.Contains(r.URL.Path, "articles") && gone(w, r)
	})
	id := v.session("zam:7")
	var dead []any
	for limit := time.Now().Add(20 * time.Second); len(dead) == 0; time.Sleep(5 * time.Millisecond) {
		if dead = sue.want(200, "GET", "/api/v1/outbox", nil)["dead"].([]any); time.Now().After(limit) {
			t.Fatal("never given up")
		}
	}
	l := dead[0].(map[string]any)
	ticket := l["ticket"].(map[string]any)
	if l["kind"] != "end" || l["desk"] != "zam" || l["session"] != id || l["next"] != nil || l["retry"] != true ||
		ticket["number"] == "" || ticket["subject"] != "Imprimante bloquée" || l["problem"].(map[string]any)["code"] != "NO_TICKET" {
		t.Errorf("%v", l)
	}
	if held := v.want(200, "GET", "/api/v1/tickets/zam:7", nil)["sessions"].([]any)[0].(map[string]any); held["note"] != "dead" {
		t.Errorf("%v", held)
	}
	path := "/api/v1/outbox/" + l["id"].(string) + "/retry"
	v.code(403, "NOT_ALLOWED", "POST", path, map[string]any{})
	sue.code(404, "NO_NOTE", "POST", "/api/v1/outbox/nothing/retry", map[string]any{})
	line.Instead(nil)
	sue.want(204, "POST", path, map[string]any{})
	for limit := time.Now().Add(20 * time.Second); len(z.Notes(7)) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("not written when tried again")
		}
	}
	for limit := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		got := sue.want(200, "GET", "/api/v1/outbox", nil)
		if len(got["dead"].([]any))+len(got["waiting"].([]any)) == 0 {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("still listed: %v", got)
		}
	}
	sue.code(404, "NO_NOTE", "POST", path, map[string]any{})
	events, err := s.Log().Events(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, e := range events {
		if strings.HasPrefix(e.Type, "ticket.note") {
			types = append(types, strings.TrimPrefix(e.Type, "ticket."))
		}
		if e.Type == "ticket.note_retried" && e.Actor.Kind != "supervisor" {
			t.Errorf("retried by %v", e.Actor)
		}
	}
	if got := strings.Join(types, " "); got != "note_queued note_failed note_retried note_written" {
		t.Errorf("the log holds %s", got)
	}
}

func TestTheClosingNoteOfASession(t *testing.T) {
	s, z, _ := withDesk(t, tickets.Policy{})
	v, bob := s.as(identity.Technician, "Ann"), s.as(identity.Technician, "Bob")
	l := v.live("zam:7")
	path := "/api/v1/sessions/" + l.id + "/closing"
	v.code(409, "CLOSING_EARLY", "POST", path, map[string]any{"text": "x"})
	l.close(mfpb.Reason_REASON_PERSON_STOPPED)
	l.ended()
	for limit := time.Now().Add(20 * time.Second); len(z.Notes(7)) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("no note")
		}
	}
	bob.code(403, "NOT_ALLOWED", "POST", path, map[string]any{"text": "x"})
	v.code(422, "INVALID_CLOSING", "POST", path, map[string]any{"text": " "})
	v.code(422, "INVALID_CLOSING", "POST", path, map[string]any{"text": "x", "resolution": "magic"})
	v.code(413, "TOO_LARGE", "POST", path, map[string]any{"text": strings.Repeat("x", 4001)})
	v.code(404, "NOT_FOUND", "POST", "/api/v1/sessions/nothing/closing", map[string]any{"text": "x"})
	v.want(204, "POST", path, map[string]any{"text": "Pilote réinstallé.", "resolution": "solved"})
	v.code(409, "CLOSING_DONE", "POST", path, map[string]any{"text": "again"})
	for limit := time.Now().Add(20 * time.Second); len(z.Notes(7)) < 2; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("no closing note")
		}
	}
	n := z.Notes(7)
	if len(n) != 2 || !strings.Contains(n[1].Body, "Pilote réinstallé.") || !strings.Contains(n[1].Body, "Note de clôture") || !strings.Contains(n[1].Body, "résolu") {
		t.Errorf("%+v", n)
	}
	events, err := s.Log().Events(t.Context(), l.id)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, e := range events {
		if e.Type == "session.closing" {
			found = true
			if e.Data["resolution"] != "solved" || len(e.Data) != 1 || e.Personal["text"] != "Pilote réinstallé." || e.Ticket != "zam:7" {
				t.Errorf("%+v", e)
			}
		}
	}
	if !found {
		t.Error("the log does not hold it")
	}
}

func TestASessionWithoutATicket(t *testing.T) {
	s, _, _ := withDesk(t, tickets.Policy{Ticket: tickets.TicketAllowed})
	v, sue := s.as(identity.Technician, "Ann"), s.as(identity.Supervisor, "Sue")
	id := v.session("")
	list := sue.want(200, "GET", "/api/v1/sessions", nil)["sessions"].([]any)
	if len(list) != 1 || list[0].(map[string]any)["id"] != id || list[0].(map[string]any)["ticket"].(map[string]any)["id"] != "" {
		t.Errorf("%v", list)
	}
	for limit := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		resp, _ := v.do("POST", "/api/v1/sessions/"+id+"/closing", map[string]any{"text": "Done."})
		if resp.StatusCode == 204 { // in the log only
			break
		}
		if time.Now().After(limit) {
			t.Fatal(resp.Status)
		}
	}
	if got := sue.want(200, "GET", "/api/v1/outbox", nil); len(got["waiting"].([]any))+len(got["dead"].([]any)) != 0 {
		t.Errorf("%v", got)
	}
}
