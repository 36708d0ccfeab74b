package api

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// hands a ticket over, and returns the transfer's id.
func (v *visitor) hands(ticket string, to map[string]any) string {
	v.t.Helper()
	return v.want(201, "POST", "/api/v1/tickets/"+ticket+"/transfer", to)["id"].(string)
}

// work is what GET /api/v1/work lists.
func (v *visitor) work(list string) []map[string]any {
	v.t.Helper()
	var out []map[string]any
	for _, x := range v.want(200, "GET", "/api/v1/work", nil)[list].([]any) {
		out = append(out, x.(map[string]any))
	}
	return out
}

func (v *visitor) makes(subject string) string {
	v.t.Helper()
	return v.want(201, "POST", "/api/v1/tickets", map[string]any{"subject": subject, "lang": "en"})["id"].(string)
}

// idOf is a colleague's id, as the transfer dialog learns it.
func (v *visitor) idOf(list, name string) string {
	v.t.Helper()
	for _, x := range v.want(200, "GET", "/api/v1/colleagues", nil)[list].([]any) {
		if c := x.(map[string]any); c["name"] == name {
			return c["id"].(string)
		}
	}
	v.t.Fatalf("nobody is called %q", name)
	return ""
}

// types are those events of a ticket that are about work.
func (s *site) types(ticket string) (out string) {
	s.t.Helper()
	events, err := s.Log().Events(s.t.Context(), "")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range events {
		if e.Ticket == ticket && (strings.HasPrefix(e.Type, "ticket.tr") || e.Type == "ticket.assigned") {
			out += " " + strings.TrimPrefix(strings.TrimPrefix(e.Type, "ticket."), "transfer_")
		}
	}
	return out
}

func TestATicketIsHandedOver(t *testing.T) {
	s := newSite(t)
	root := s.as(identity.Admin, "Root")
	ann, bob, cid := s.as(identity.Technician, "Ann"), s.as(identity.Technician, "Bob <b>\u202e"), s.as(identity.Technician, "Cid")
	team := root.want(201, "POST", "/api/v1/teams", map[string]any{"name": "Réseau", "tier": 2})["id"].(string)
	ticket := ann.makes("Imprimante")
	news := bob.listen()
	note := "Le <script>toner</script> \u202eest vide 🙂\n" + strings.Repeat("x", 3900)
	id := ann.hands(ticket, map[string]any{"user": bob.idOf("colleagues", "Bob <b>"), "note": note})
	if item := news.next(); item.Kind != newsWork || item.Ticket != "" {
		t.Errorf("who gets it hears %+v", item)
	}
	// C115: it concerns who sent it and who gets it.
	if got := cid.work("to_take"); len(got) != 0 {
		t.Errorf("somebody else sees %v", got)
	}
	cid.code(409, "TRANSFER_OTHERS", "POST", "/api/v1/transfers/"+id+"/take", map[string]any{})
	cid.code(409, "TRANSFER_OTHERS", "POST", "/api/v1/transfers/"+id+"/return", map[string]any{"note": "x"})
	cid.code(409, "TRANSFER_OTHERS", "POST", "/api/v1/transfers/"+id+"/undo", map[string]any{})
	bob.code(409, "TRANSFER_OTHERS", "POST", "/api/v1/transfers/"+id+"/undo", map[string]any{})
	ann.code(409, "TRANSFER_OTHERS", "POST", "/api/v1/transfers/"+id+"/take", map[string]any{})
	ann.code(409, "WAITS_ALREADY", "POST", "/api/v1/tickets/"+ticket+"/transfer", map[string]any{"team": team, "note": "x"})
	cid.code(409, "WAITS_ALREADY", "POST", "/api/v1/tickets/"+ticket+"/take", map[string]any{})
	x := bob.work("to_take")[0]
	if x["from"] != "Ann" || x["to"] != "Bob <b>" || x["mine"] != true || x["orphan"] != false || !strings.Contains(x["note"].(string), "<script>toner</script> est vide 🙂\n") || x["live"] != nil {
		t.Errorf("he sees %v", x)
	}
	// It is the sender's until somebody takes it.
	if h := ann.want(200, "GET", "/api/v1/tickets/"+ticket, nil)["ticket"].(map[string]any)["holder"].(map[string]any); h["me"] != true {
		t.Errorf("meanwhile it is %v's", h)
	}
	bob.want(204, "POST", "/api/v1/transfers/"+id+"/return", map[string]any{"note": "Pas mon domaine"})
	back := ann.work("to_take")[0]
	if back["from"] != "Bob <b>" || back["back"] != true || back["note"] != "Pas mon domaine" || len(bob.work("to_take")) != 0 {
		t.Errorf("she gets %v", back)
	}
	ann.want(200, "POST", "/api/v1/transfers/"+back["id"].(string)+"/take", map[string]any{})
	// Undone, and handed to a team.
	id = ann.hands(ticket, map[string]any{"user": cid.idOf("colleagues", "Cid"), "note": "x"})
	ann.want(204, "POST", "/api/v1/transfers/"+id+"/undo", map[string]any{})
	cid.code(409, "TRANSFER_GONE", "POST", "/api/v1/transfers/"+id+"/take", map[string]any{})
	root.want(200, "PUT", "/api/v1/users/"+ann.idOf("colleagues", "Cid")+"/teams", map[string]any{"teams": []string{team}})
	id = ann.hands(ticket, map[string]any{"team": team, "note": "Le commutateur"})
	got := cid.want(200, "POST", "/api/v1/transfers/"+id+"/take", map[string]any{})["ticket"].(map[string]any)
	if got["id"] != ticket || got["holder"].(map[string]any)["me"] != true {
		t.Errorf("who took it gets %v", got)
	}
	if sent := ann.work("sent"); len(sent) != 1 || sent[0]["taken"].(map[string]any)["by"] != "Cid" || sent[0]["note"] != "" {
		t.Errorf("the sender sees %v", sent)
	}
	if list := cid.want(200, "GET", "/api/v1/queue", nil)["tickets"].([]any); len(list) != 1 {
		t.Errorf("his queue: %v", list)
	}
	if list := ann.want(200, "GET", "/api/v1/queue", nil)["tickets"].([]any); len(list) != 0 {
		t.Errorf("hers: %v", list)
	}
	var said string
	for _, n := range ann.want(200, "GET", "/api/v1/tickets/"+ticket, nil)["notes"].([]any) {
		n := n.(map[string]any)
		if n["public"] != false {
			t.Errorf("the requester reads %v", n)
		}
		said += n["text"].(string) + "\n"
	}
	for _, want := range []string{"toner", "Pas mon domaine", "Le commutateur", "Ann handed this ticket to Réseau; Cid took it."} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in the ticket:\n%s", want, said)
		}
	}
	if got, want := s.types(ticket), " transferred returned taken transferred undone transferred taken"; got != want {
		t.Errorf("the log holds%s", got)
	}
	// No session came of any of it.
	if list := s.as(identity.Supervisor, "Sue").want(200, "GET", "/api/v1/sessions", nil)["sessions"].([]any); len(list) != 0 {
		t.Errorf("a session: %v", list)
	}
}

func TestWhatCannotBeHandedOver(t *testing.T) {
	s := newSite(t)
	root := s.as(identity.Admin, "Root")
	ann, bob := s.as(identity.Technician, "Ann"), s.as(identity.Technician, "Bob")
	s.as(identity.Auditor, "Ada")
	ticket, closed := ann.makes("x"), ann.makes("y")
	ann.want(200, "POST", "/api/v1/tickets/"+closed+"/close", map[string]any{})
	to := bob.idOf("colleagues", "Bob")
	var ada string
	for _, u := range root.want(200, "GET", "/api/v1/users", nil)["users"].([]any) {
		if u := u.(map[string]any); u["name"] == "Ada" {
			ada = u["id"].(string)
		}
	}
	for _, bad := range []struct {
		status int
		code   string
		body   map[string]any
	}{
		{409, "NO_RECEIVER", map[string]any{"note": "x"}},
		{409, "NO_RECEIVER", map[string]any{"note": "x", "user": to, "team": "t"}},
		{409, "NO_RECEIVER", map[string]any{"note": "x", "user": ann.idOf("colleagues", "Ann")}},
		{409, "NO_RECEIVER", map[string]any{"note": "x", "user": ada}},
		{409, "NO_RECEIVER", map[string]any{"note": "x", "user": "\x00"}},
		{409, "NO_RECEIVER", map[string]any{"note": "x", "team": "no team"}},
		{422, "NOTE_NEEDED", map[string]any{"user": to, "note": " \u200b\n"}},
		{422, "NOTE_LONG", map[string]any{"user": to, "note": strings.Repeat("é", 10_000)}},
	} {
		ann.code(bad.status, bad.code, "POST", "/api/v1/tickets/"+ticket+"/transfer", bad.body)
	}
	ann.code(409, "TICKET_CLOSED", "POST", "/api/v1/tickets/"+closed+"/transfer", map[string]any{"note": "x", "user": to})
	ann.code(404, "NO_TICKET", "POST", "/api/v1/tickets/none/transfer", map[string]any{"note": "x", "user": to})
	ann.code(409, "TRANSFER_GONE", "POST", "/api/v1/transfers/none/take", map[string]any{})
	bob.code(409, "TICKET_TAKEN", "POST", "/api/v1/tickets/"+ticket+"/take", map[string]any{})
	bob.code(409, "TICKET_CLOSED", "POST", "/api/v1/tickets/"+closed+"/take", map[string]any{})
	// A supervisor takes it from whoever has it.
	if got := s.as(identity.Supervisor, "Sue").want(200, "POST", "/api/v1/tickets/"+ticket+"/take", map[string]any{}); got["holder"].(map[string]any)["name"] != "Sue" {
		t.Errorf("it is %v", got["holder"])
	}
	// One that was closed while it waited loses neither its note nor its taker.
	other := ann.makes("z")
	id := ann.hands(other, map[string]any{"user": to, "note": "Bitte"})
	ann.want(200, "POST", "/api/v1/tickets/"+other+"/close", map[string]any{})
	bob.want(200, "POST", "/api/v1/transfers/"+id+"/take", map[string]any{})
	if n := bob.want(200, "GET", "/api/v1/tickets/"+other, nil)["notes"].([]any); len(n) != 1 {
		t.Errorf("its notes: %v", n)
	}
}

// C114: whoever is first has it, and nobody else.
func TestOneTakesWhatManyWant(t *testing.T) {
	s := newSite(t)
	root, ann := s.as(identity.Admin, "Root"), s.as(identity.Technician, "Ann")
	team := root.want(201, "POST", "/api/v1/teams", map[string]any{"name": "Two", "tier": 2})["id"].(string)
	var crew []*visitor
	for _, name := range []string{"Bob", "Cid", "Dan", "Eve"} {
		v := s.as(identity.Technician, name)
		root.want(200, "PUT", "/api/v1/users/"+v.idOf("colleagues", name)+"/teams", map[string]any{"teams": []string{team}})
		crew = append(crew, v)
	}
	for range 5 {
		ticket := ann.makes("x")
		id := ann.hands(ticket, map[string]any{"team": team, "note": "Who?"})
		var all sync.WaitGroup
		got := make([]int, len(crew)+1)
		for i, v := range crew {
			all.Go(func() {
				resp, _ := v.do("POST", "/api/v1/transfers/"+id+"/take", map[string]any{})
				got[i] = resp.StatusCode
			})
		}
		all.Go(func() {
			resp, _ := ann.do("POST", "/api/v1/transfers/"+id+"/undo", map[string]any{})
			got[len(crew)] = resp.StatusCode
		})
		all.Wait()
		won := 0
		for _, status := range got {
			switch status {
			case 200, 204:
				won++
			case 409:
			default:
				t.Errorf("an answer %d", status)
			}
		}
		if won != 1 {
			t.Errorf("%d of them have it: %v", won, got)
		}
		if n := strings.Count(s.types(ticket), " taken") + strings.Count(s.types(ticket), " undone"); n != 1 {
			t.Errorf("the log holds%s", s.types(ticket))
		}
	}
}

// C116: what the log does not take has not happened.
func TestTransfersThatCannotBeWrittenDown(t *testing.T) {
	s := newSite(t)
	ann, bob := s.as(identity.Technician, "Ann"), s.as(identity.Technician, "Bob")
	to := map[string]any{"user": bob.idOf("colleagues", "Bob"), "note": "x"}
	first, second := ann.makes("a"), ann.makes("b")
	id := ann.hands(first, to)
	do := func(sql string) {
		t.Helper()
		if err := s.house.store.Update(t.Context(), func(tx store.Tx) error { _, err := tx.Exec(sql); return err }); err != nil {
			t.Fatal(err)
		}
	}
	do("create trigger full_disk before insert on audit_leaves begin select raise(abort, 'the log takes nothing'); end")
	for path, who := range map[string]*visitor{
		"/api/v1/tickets/" + second + "/transfer": ann, "/api/v1/transfers/" + id + "/undo": ann,
		"/api/v1/transfers/" + id + "/take": bob, "/api/v1/transfers/" + id + "/return": bob,
	} {
		body := map[string]any{}
		switch {
		case strings.HasSuffix(path, "transfer"):
			body = to
		case strings.HasSuffix(path, "return"):
			body["note"] = "y"
		}
		if resp, raw := who.do("POST", path, body); resp.StatusCode < 500 {
			t.Errorf("%s: %d %s", path, resp.StatusCode, raw)
		}
	}
	if got := bob.work("to_take"); len(got) != 1 || got[0]["note"] != "x" {
		t.Errorf("he sees %v", got)
	}
	if n := bob.want(200, "GET", "/api/v1/tickets/"+first, nil)["notes"].([]any); len(n) != 0 {
		t.Errorf("notes came of it: %v", n)
	}
	do("drop trigger full_disk")
	bob.want(200, "POST", "/api/v1/transfers/"+id+"/take", map[string]any{})
}

// C117: who could take it is gone, and the transfer is not.
func TestATransferToNobodyIsEverybodys(t *testing.T) {
	s := newSite(t)
	root := s.as(identity.Admin, "Root")
	ann, bob, cid := s.as(identity.Technician, "Ann"), s.as(identity.Technician, "Bob"), s.as(identity.Technician, "Cid")
	bobs := bob.idOf("colleagues", "Bob")
	team := root.want(201, "POST", "/api/v1/teams", map[string]any{"name": "Two", "tier": 2})["id"].(string)
	root.want(200, "PUT", "/api/v1/users/"+bobs+"/teams", map[string]any{"teams": []string{team}})
	toBob, toTeam := ann.makes("a"), ann.makes("b")
	ann.hands(toBob, map[string]any{"user": bobs, "note": "for Bob"})
	ann.hands(toTeam, map[string]any{"team": team, "note": "for two"})
	if got := cid.work("to_take"); len(got) != 0 {
		t.Fatalf("he sees %v", got)
	}
	news := cid.listen()
	root.want(200, "POST", "/api/v1/users/"+bobs+"/role", map[string]any{"role": "auditor"})
	if item := news.next(); item.Kind != newsWork {
		t.Errorf("he hears %+v", item)
	}
	got := cid.work("to_take")
	if len(got) != 2 || got[0]["orphan"] != true || got[0]["mine"] != false || got[0]["note"] != "for Bob" || got[1]["to"] != "Two" {
		t.Errorf("he sees %v", got)
	}
	root.want(204, "DELETE", "/api/v1/teams/"+team, nil)
	// The sender is gone too.
	root.want(200, "POST", "/api/v1/users/"+cid.idOf("colleagues", "Ann")+"/disable", map[string]any{})
	got = cid.work("to_take")
	if len(got) != 2 || got[1]["to"] != "Two" || got[1]["from"] != "Ann" {
		t.Errorf("he sees %v", got)
	}
	for _, x := range got {
		cid.want(200, "POST", "/api/v1/transfers/"+x["id"].(string)+"/take", map[string]any{})
	}
	if list := cid.want(200, "GET", "/api/v1/queue", nil)["tickets"].([]any); len(list) != 2 {
		t.Errorf("his queue: %v", list)
	}
}

// What a technician may take a supervisor may too, who is told nothing before.
func TestASupervisorFreesWhatNobodyTakes(t *testing.T) {
	s := newSite(t)
	ann, bob, sue := s.as(identity.Technician, "Ann"), s.as(identity.Technician, "Bob"), s.as(identity.Supervisor, "Sue")
	ticket := ann.makes("a")
	ann.hands(ticket, map[string]any{"user": bob.idOf("colleagues", "Bob"), "note": "x"})
	got := sue.work("to_take")
	if len(got) != 1 || got[0]["mine"] != false || got[0]["to"] != "Bob" {
		t.Fatalf("she sees %v", got)
	}
	sue.want(200, "POST", "/api/v1/transfers/"+got[0]["id"].(string)+"/take", map[string]any{})
	if len(bob.work("to_take")) != 0 {
		t.Error("he still has it")
	}
}

func TestTheNoteReachesTheTicketOfAnotherDesk(t *testing.T) {
	s, z, _ := withDesk(t, tickets.Policy{})
	ann, bob := s.as(identity.Technician, "Ann"), s.as(identity.Technician, "Bob")
	id := ann.hands("zam:7", map[string]any{"user": bob.idOf("colleagues", "Bob"), "note": "Elle bourre <b>"})
	if x := bob.work("to_take")[0]["ticket"].(map[string]any); x["id"] != "zam:7" || x["number"] == "" {
		t.Errorf("he sees %v", x)
	}
	bob.want(200, "POST", "/api/v1/transfers/"+id+"/take", map[string]any{})
	for limit := time.Now().Add(20 * time.Second); len(z.Notes(7)) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("not in the ticket")
		}
	}
	if n := z.Notes(7); len(n) != 1 || n[0].Public || !strings.Contains(n[0].Body, "Elle bourre") || strings.Contains(n[0].Body, "<b>") {
		t.Errorf("%+v", n)
	}
}

func TestTheQueueSaysWhatIsDue(t *testing.T) {
	s := newSite(t)
	root := s.as(identity.Admin, "Root")
	ann, bob := s.as(identity.Technician, "Ann"), s.as(identity.Technician, "Bob")
	a, b, c, d := ann.makes("a"), ann.makes("b"), ann.makes("c"), ann.makes("d")
	soon := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	set := func(id, priority string, due any) {
		t.Helper()
		got := bob.want(200, "PUT", "/api/v1/tickets/"+id+"/urgency", map[string]any{"priority": priority, "due": due})
		if got["priority"] != priority {
			t.Errorf("it is %v", got)
		}
	}
	set(a, "low", nil)
	set(b, "urgent", nil)
	set(c, "", soon.Format(time.RFC3339))
	set(d, "normal", soon.Add(-2*time.Hour).Format(time.RFC3339))
	order := func(list []any) (out string) {
		for _, x := range list {
			out += x.(map[string]any)["subject"].(string)
		}
		return out
	}
	if got := order(ann.want(200, "GET", "/api/v1/queue", nil)["tickets"].([]any)); got != "dcba" {
		t.Errorf("her queue: %s", got)
	}
	if got := order(ann.want(200, "GET", "/api/v1/tickets", nil)["tickets"].([]any)); got != "dcba" {
		t.Errorf("all: %s", got)
	}
	if got := bob.want(200, "GET", "/api/v1/queue?whose=team", nil)["tickets"].([]any); len(got) != 0 {
		t.Errorf("without a team: %v", got)
	}
	team := root.want(201, "POST", "/api/v1/teams", map[string]any{"name": "One", "tier": 1})["id"].(string)
	for _, name := range []string{"Ann", "Bob"} {
		root.want(200, "PUT", "/api/v1/users/"+ann.idOf("colleagues", name)+"/teams", map[string]any{"teams": []string{team}})
	}
	if got := bob.want(200, "GET", "/api/v1/queue?whose=team", nil)["tickets"].([]any); order(got) != "dcba" || got[0].(map[string]any)["holder"].(map[string]any)["name"] != "Ann" {
		t.Errorf("his team's: %v", got)
	}
	for _, bad := range []map[string]any{{"priority": "huge", "due": nil}, {"priority": "low", "due": "1970-01-01T00:00:00Z"}, {"priority": "low", "due": "9999-12-31T23:59:59Z"}} {
		bob.code(422, "INVALID_URGENCY", "PUT", "/api/v1/tickets/"+a+"/urgency", bad)
	}
	bob.code(422, "INVALID_STATE", "GET", "/api/v1/queue?whose=everybody", nil)
	bob.code(409, "OTHER_DESK", "PUT", "/api/v1/tickets/zam:7/urgency", map[string]any{"priority": "low", "due": nil})
}

func TestWhoIsThere(t *testing.T) {
	s := newSite(t)
	root := s.as(identity.Admin, "Root")
	ann, bob, sue := s.as(identity.Technician, "Ann"), s.as(identity.Technician, "Bob"), s.as(identity.Supervisor, "Sue")
	s.as(identity.Auditor, "Ada")
	team := root.want(201, "POST", "/api/v1/teams", map[string]any{"name": "One", "tier": 1})["id"].(string)
	for _, name := range []string{"Ann", "Bob"} {
		root.want(200, "PUT", "/api/v1/users/"+ann.idOf("colleagues", name)+"/teams", map[string]any{"teams": []string{team}})
	}
	news := sue.listen()
	ann.want(204, "PUT", "/api/v1/availability", map[string]any{"away": true})
	if item := news.next(); item.Kind != newsPeople {
		t.Errorf("the others hear %+v", item)
	}
	told := func(v *visitor) (out string) {
		got := v.want(200, "GET", "/api/v1/colleagues", nil)
		for _, x := range got["colleagues"].([]any) {
			c := x.(map[string]any)
			out += c["name"].(string) + " " + c["state"].(string) + ", "
			if c["me"] == true {
				out += "me, "
			}
		}
		for _, x := range got["teams"].([]any) {
			if c := x.(map[string]any); c["members"] != 2.0 || c["available"] != 1.0 {
				t.Errorf("the team: %v", c)
			}
		}
		return out
	}
	if got := told(bob); got != "Bob available, me, Sue available, Ann away, " {
		t.Errorf("he sees %s", got)
	}
	if ann.want(200, "GET", "/api/v1/work", nil)["away"] != true {
		t.Error("it is not kept")
	}
	// Who is away is asked all the same.
	bob.hands(bob.makes("x"), map[string]any{"user": bob.idOf("colleagues", "Ann"), "note": "x"})
	ann.want(204, "PUT", "/api/v1/availability", map[string]any{"away": false})
	// Who closed all pages long ago is gone, whatever they said.
	if err := s.house.store.Update(t.Context(), func(tx store.Tx) error {
		_, err := tx.Exec("update signins set last_seen = ? where user_id = ?", store.FormatTime(time.Now().Add(-goneAfter-time.Minute)), bob.idOf("colleagues", "Ann"))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if got := told(sue); got != "Bob available, Sue available, me, Ann gone, " {
		t.Errorf("she sees %s", got)
	}
	for _, role := range []identity.Role{identity.Auditor, identity.Admin} {
		s.as(role, "other-"+string(role)).code(http.StatusForbidden, "NOT_ALLOWED", "GET", "/api/v1/colleagues", nil)
	}
}
