package api

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/limit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
	"github.com/mainforte/mainforte/signaling/tickets/ticketstest"
	"github.com/mainforte/mainforte/signaling/waiting"
)

// waits sends the form, as a browser does, and returns where it leads.
func (v *visitor) waits(path, name, trouble, phone string) (status int, to, page string) {
	v.t.Helper()
	form := url.Values{"name": {name}, "trouble": {trouble}, "phone": {phone}}.Encode()
	resp, raw := v.do("POST", path, form, "Content-Type", "application/x-www-form-urlencoded")
	return resp.StatusCode, resp.Header.Get("Location"), string(raw)
}

// reads is a page that must come.
func (v *visitor) reads(status int, path string) string {
	v.t.Helper()
	resp, raw := v.do("GET", path, nil)
	if resp.StatusCode != status {
		v.t.Fatalf("GET %s: %d, want %d\n%s", path, resp.StatusCode, status, raw)
	}
	return string(raw)
}

func waitingOf(v *visitor) []any {
	v.t.Helper()
	return v.want(200, "GET", "/api/v1/waiting", nil)["waiting"].([]any)
}

func TestTheWaitingRoom(t *testing.T) {
	s := newSite(t)
	ann, bob, sue := s.as(identity.Technician, "Ann <b>"), s.as(identity.Technician, "Bob"), s.as(identity.Supervisor, "Sue")
	zoe, luc := s.visitor(), s.visitor()
	if page := zoe.reads(200, "/"); !strings.Contains(page, `href="/wait"`) {
		t.Error("the landing page does not lead to the room")
	}
	news := ann.listen()
	status, hers, _ := zoe.waits("/wait", "Zoé\u202e <script>", "L’écran\nest <noir>", "418 555-0199")
	if status != 303 || !strings.HasPrefix(hers, "/wait/") {
		t.Fatalf("%d %q", status, hers)
	}
	if item := news.next(); item.Kind != newsWaitingRoom {
		t.Errorf("a technician hears %+v", item)
	}
	_, his, _ := luc.waits("/wait", "Luc", "x", "")
	if page := luc.reads(200, his); !strings.Contains(page, `data-place="2"`) || strings.Contains(page, "Zoé") || strings.Contains(page, "418") {
		t.Errorf("the second sees %s", page)
	}
	list := waitingOf(ann)
	first := list[0].(map[string]any)
	if len(list) != 2 || first["name"] != "Zoé <script>" || first["trouble"] != "L’écran est <noir>" || first["phone"] != "418 555-0199" {
		t.Fatalf("who waits: %v", list)
	}
	// C112: it opens nothing, and is for those who may help.
	for _, role := range []identity.Role{identity.Auditor, identity.Admin} {
		s.as(role, "other-"+string(role)).code(403, "NOT_ALLOWED", "GET", "/api/v1/waiting", nil)
	}
	id := first["id"].(string)
	for _, other := range []string{"/wait/" + id, "/wait/" + id + "/live", "/wait/x"} {
		if resp, raw := luc.do("GET", other, nil, "Accept", "text/event-stream"); resp.StatusCode == 200 || strings.Contains(string(raw), "Zoé") {
			t.Fatalf("%s without the token: %d %s", other, resp.StatusCode, raw)
		}
	}

	live, err := http.Get(s.srv.URL + his + "/live")
	if err != nil || live.StatusCode != 406 {
		t.Fatal(err, live)
	}
	live.Body.Close()
	taken := ann.want(200, "POST", "/api/v1/waiting/"+id+"/take", map[string]any{})["ticket"].(map[string]any)
	if taken["subject"] != "L’écran est <noir>" || taken["requester"] != "Zoé <script>" || taken["sessions"] != 0.0 {
		t.Errorf("the ticket: %v", taken)
	}
	notes := ann.want(200, "GET", "/api/v1/tickets/"+taken["id"].(string), nil)["notes"].([]any)
	if len(notes) != 1 || !strings.Contains(notes[0].(map[string]any)["text"].(string), "418 555-0199") || notes[0].(map[string]any)["public"] != false {
		t.Errorf("the notes: %v", notes)
	}
	bob.code(409, "NOT_WAITING", "POST", "/api/v1/waiting/"+id+"/take", map[string]any{})
	page := zoe.reads(200, hers)
	if !strings.Contains(page, "Ann &lt;b&gt;") || strings.Contains(page, "<script>") || strings.Contains(page, "Ann <b>") {
		t.Errorf("who was taken reads %s", page)
	}
	if page := luc.reads(200, his); !strings.Contains(page, `data-place="1"`) {
		t.Errorf("the next sees %s", page)
	}
	if list := sue.want(200, "GET", "/api/v1/sessions", nil)["sessions"].([]any); len(list) != 0 {
		t.Errorf("a session came of it: %v", list)
	}
	if resp, _ := luc.do("POST", his+"/leave", ""); resp.StatusCode != 200 {
		t.Errorf("leaving: %d", resp.StatusCode)
	}
	luc.reads(404, his)
	if list := waitingOf(bob); len(list) != 0 {
		t.Errorf("still there: %v", list)
	}
	f := sue.want(200, "GET", "/api/v1/supervise/figures?since="+strconv.FormatInt(time.Now().Add(-time.Hour).UnixMilli(), 10), nil)["waited"].(map[string]any)
	if f["came"] != 2.0 || f["taken"] != 1.0 || f["in_time"] != 1.0 || f["left"] != 1.0 {
		t.Errorf("figures: %v", f)
	}
	events, err := s.Log().Events(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, e := range events {
		if strings.HasPrefix(e.Type, "waiting.") {
			told = append(told, e.Type+" "+e.Actor.Kind)
			if len(e.Personal) > 0 {
				t.Errorf("the log names somebody: %v", e.Personal)
			}
		}
	}
	if got, want := strings.Join(told, ", "), "waiting.came person, waiting.came person, waiting.taken technician, waiting.left person"; got != want {
		t.Errorf("the log holds %s", got)
	}
}

// What the log does not take has not happened: nobody waits, and nobody was taken.
func TestWaitingThatCannotBeWrittenDown(t *testing.T) {
	s := newSite(t)
	ann := s.as(identity.Technician, "Ann")
	_, his, _ := s.visitor().waits("/wait", "Luc", "x", "")
	luc := s.visitor()
	do := func(sql string) {
		t.Helper()
		if err := s.house.store.Update(t.Context(), func(tx store.Tx) error { _, err := tx.Exec(sql); return err }); err != nil {
			t.Fatal(err)
		}
	}
	do("create trigger full_disk before insert on audit_leaves begin select raise(abort, 'the log takes nothing'); end")
	if status, to, _ := s.visitor().waits("/wait", "Zoé", "y", ""); status < 500 || to != "" {
		t.Errorf("who came: %d %q", status, to)
	}
	list := waitingOf(ann)
	if len(list) != 1 {
		t.Fatalf("who waits: %v", list)
	}
	take := "/api/v1/waiting/" + list[0].(map[string]any)["id"].(string) + "/take"
	if resp, raw := ann.do("POST", take, map[string]any{}); resp.StatusCode < 500 {
		t.Errorf("taken: %d %s", resp.StatusCode, raw)
	}
	if page := luc.reads(200, his); !strings.Contains(page, `data-place="1"`) || strings.Contains(page, "Ann") {
		t.Errorf("he reads %s", page)
	}
	if n := len(ann.want(200, "GET", "/api/v1/tickets", nil)["tickets"].([]any)); n != 0 {
		t.Errorf("%d tickets came of it", n)
	}
	do("drop trigger full_disk")
	ann.want(200, "POST", take, map[string]any{})
	if page := luc.reads(200, his); !strings.Contains(page, "Ann") {
		t.Errorf("he reads %s", page)
	}
}

func TestWaitingByTheLinkOfATicket(t *testing.T) {
	s := newSite(t)
	ann := s.as(identity.Technician, "Ann")
	ticket := ann.want(201, "POST", "/api/v1/tickets", map[string]any{"subject": "Imprimante", "lang": "fr"})
	link := ann.want(201, "POST", "/api/v1/sessions", map[string]any{"ticket": ticket["id"]})["person"].(map[string]any)["url"].(string)
	help := strings.TrimPrefix(link, s.srv.URL)
	zoe := s.visitor()
	if page := zoe.reads(200, help); !strings.Contains(page, `href="`+help+`/wait"`) {
		t.Errorf("the page of the link does not lead to the room")
	}
	if page := zoe.reads(200, help+"/wait"); !strings.Contains(page, ticket["number"].(string)) || !strings.Contains(page, `lang="fr"`) {
		t.Errorf("the form: %s", page)
	}
	zoe.reads(404, "/help/forged/wait")
	if status, _, _ := zoe.waits("/help/forged/wait", "x", "y", ""); status != 404 {
		t.Errorf("by a forged link: %d", status)
	}
	zoe.waits(help+"/wait", "Zoé", "Elle bourre", "")
	first := waitingOf(ann)[0].(map[string]any)
	if first["ticket"] != ticket["number"] || first["lang"] != "fr" {
		t.Errorf("who waits: %v", first)
	}
	if got := ann.want(200, "POST", "/api/v1/waiting/"+first["id"].(string)+"/take", map[string]any{})["ticket"].(map[string]any); got["id"] != ticket["id"] {
		t.Errorf("another ticket: %v", got)
	}
}

// What somebody said is gone with the room unless it stands in the ticket, whichever desk has it.
func TestWhatWasSaidIsInTheTicketOfAnotherDesk(t *testing.T) {
	s, z, line := withDesk(t, tickets.Policy{})
	ann, sue := s.as(identity.Technician, "Ann"), s.as(identity.Supervisor, "Sue")
	link := ann.want(201, "POST", "/api/v1/sessions", map[string]any{"ticket": "zam:7"})["person"].(map[string]any)["url"].(string)
	s.visitor().waits(strings.TrimPrefix(link, s.srv.URL)+"/wait", "Zoé <b>", "Elle bourre", "418 555-0199")
	gone := ticketstest.Say(404, "application/json", `{"error": "Couldn't find Ticket"}`)
	line.Instead(func(w http.ResponseWriter, r *http.Request) bool {
		return strings.Contains(r.URL.Path, "articles") && gone(w, r)
	})
	id := waitingOf(ann)[0].(map[string]any)["id"].(string)
	if got := ann.want(200, "POST", "/api/v1/waiting/"+id+"/take", map[string]any{})["ticket"].(map[string]any); got["id"] != "zam:7" {
		t.Fatalf("another ticket: %v", got)
	}
	// It waits as any note does that its desk does not take.
	var dead []any
	for limit := time.Now().Add(20 * time.Second); len(dead) == 0; time.Sleep(5 * time.Millisecond) {
		if dead = sue.want(200, "GET", "/api/v1/outbox", nil)["dead"].([]any); time.Now().After(limit) {
			t.Fatal("what was said is nowhere")
		}
	}
	l := dead[0].(map[string]any)
	if l["kind"] != "waited" || l["session"] != "" || l["ticket"].(map[string]any)["id"] != "zam:7" || l["retry"] != true {
		t.Errorf("the note: %v", l)
	}
	line.Instead(nil)
	sue.want(204, "POST", "/api/v1/outbox/"+l["id"].(string)+"/retry", map[string]any{})
	for limit := time.Now().Add(20 * time.Second); len(z.Notes(7)) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("not in the ticket")
		}
	}
	n := z.Notes(7)
	if len(n) != 1 || n[0].Public || !strings.Contains(n[0].Body, "418 555-0199") || !strings.Contains(n[0].Body, "Elle bourre") || strings.Contains(n[0].Body, "<b>") {
		t.Errorf("%+v", n)
	}
}

func TestWaitingTakesNoFlood(t *testing.T) {
	s := newSite(t, func(c *Config) { c.Waiting = waiting.Limits{All: 2, Address: limit.Every{N: 4, In: time.Hour}} })
	v := s.visitor()
	for body, want := range map[string]int{
		"name=&trouble=x": 422, "name=x": 422, "name=x&trouble=y&phone=call+me": 422, "%zz": 400, "name=" + strings.Repeat("x", maxForm): 413,
	} {
		if resp, raw := v.do("POST", "/wait", body, "Content-Type", "application/x-www-form-urlencoded"); resp.StatusCode != want {
			t.Errorf("%.30q: %d, want %d\n%s", body, resp.StatusCode, want, raw)
		}
	}
	if resp, _ := v.do("POST", "/wait", `{"name":"x"}`); resp.StatusCode != 415 {
		t.Errorf("JSON: %d", resp.StatusCode)
	}
	if resp, _ := v.do("POST", "/wait", "name=x&trouble=y", "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "cross-site"); resp.StatusCode != 403 {
		t.Errorf("from another site: %d", resp.StatusCode)
	}
	// What was typed stands in the form again.
	if _, _, page := v.waits("/wait", `Zoé "`, "x", "call me"); !strings.Contains(page, `value="Zoé &#34;"`) || !strings.Contains(page, `role="alert"`) {
		t.Errorf("the form again: %s", page)
	}
	var got []int
	for range 6 {
		status, _, _ := v.waits("/wait", "x", "y", "")
		got = append(got, status)
	}
	if want := []int{303, 303, 503, 503, 429, 429}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
