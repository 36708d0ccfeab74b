package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/identity"
)

// says is an event of the host.
func (l *live) says(seq uint64, typ string, data map[string]any) {
	l.t.Helper()
	b, err := json.Marshal(data)
	if err != nil {
		l.t.Fatal(err)
	}
	l.send(l.host, &mfpb.HostMessage{Body: &mfpb.HostMessage_Event{Event: &mfpb.HostEvent{
		Seq: seq, Type: typ, Outcome: "ok", Time: time.Now().UnixNano(), Data: b,
	}}})
}

// supervised is the one live session, once what a supervisor sees of it is as said.
func (v *visitor) supervised(what string, is func(map[string]any) bool) map[string]any {
	v.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		list := v.want(200, "GET", "/api/v1/supervise/live", nil)["sessions"].([]any)
		if len(list) == 1 && is(list[0].(map[string]any)) {
			return list[0].(map[string]any)
		}
		if time.Now().After(deadline) {
			v.t.Fatalf("a supervisor does not see %s: %v", what, list)
		}
	}
}

func firstOf(session map[string]any) map[string]any {
	return session["participants"].([]any)[0].(map[string]any)
}

// grants are the names of those that stand for the first participant.
func grantsOf(session map[string]any) string {
	var names []string
	for _, g := range firstOf(session)["grants"].([]any) {
		names = append(names, g.(map[string]any)["name"].(string))
	}
	return strings.Join(names, " ")
}

func TestASupervisorSeesWhoHelpsWhom(t *testing.T) {
	s := newSite(t)
	ann, sue := s.as(identity.Technician, "Ann"), s.as(identity.Supervisor, "Sue")
	// C110: how the lines stand and what was allowed is for supervisors alone.
	for _, role := range []identity.Role{identity.Technician, identity.Auditor, identity.Admin} {
		other := s.as(role, "other-"+string(role))
		other.code(403, "NOT_ALLOWED", "GET", "/api/v1/supervise/live", nil)
		other.code(403, "NOT_ALLOWED", "GET", "/api/v1/supervise/figures?since=0", nil)
		other.code(403, "NOT_ALLOWED", "POST", "/api/v1/supervise/sessions/x/watch", map[string]any{})
	}
	ticket := ann.want(201, "POST", "/api/v1/tickets", map[string]any{"subject": "Imprimante 3", "requester": "Zoé Côté", "lang": "fr"})["id"].(string)
	news, hers := sue.listen(), ann.listen()
	l := ann.live(ticket)
	if item := news.next(); item.Kind != newsSessions || item.Ticket != "" {
		t.Errorf("a supervisor hears %+v", item)
	}
	got := sue.supervised("the session", func(map[string]any) bool { return true })
	if got["id"] != l.id || got["person"] != "Zoé Côté" || got["host_lost"] != nil || got["watch"] != nil || got["counted"] != true ||
		got["ticket"].(map[string]any)["subject"] != "Imprimante 3" {
		t.Errorf("the session: %v", got)
	}
	if p := firstOf(got); p["technician"] != "Ann" || p["leads"] != true || p["me"] != false || p["lost"] != nil || len(p["grants"].([]any)) != 0 {
		t.Errorf("who helps: %v", p)
	}

	l.says(1, "consent.granted", map[string]any{"grant": "view", "participant": "1"})
	l.says(2, "consent.granted", map[string]any{"grant": "control", "participant": "1"})
	sue.supervised("both grants", func(m map[string]any) bool { return grantsOf(m) == "view control" })
	l.says(3, "consent.revoked", map[string]any{"grant": "control", "participant": "1"})
	l.says(4, "session.degraded", map[string]any{"reason": "LINE_SLOW", "value": 300, "participant": "1"})
	sue.supervised("what still stands", func(m map[string]any) bool { return grantsOf(m) == "view" && len(m["trouble"].([]any)) == 1 })

	// A wish to watch reaches the technician who leads, and lets nobody in.
	sue.want(204, "POST", "/api/v1/supervise/sessions/"+l.id+"/watch", map[string]any{})
	if item := hers.next(); item.Kind != newsWatch { // the first that a technician hears: sessions are not for her
		t.Errorf("the technician hears %+v", item)
	}
	asked := ann.want(200, "GET", "/api/v1/watches", nil)["watches"].([]any)
	if len(asked) != 1 || asked[0].(map[string]any)["session"] != l.id || asked[0].(map[string]any)["supervisor"] != "Sue" {
		t.Fatalf("asked: %v", asked)
	}
	if got := sue.supervised("the wish", func(m map[string]any) bool { return m["watch"] == "asked" }); len(got["participants"].([]any)) != 1 {
		t.Errorf("somebody is in it: %v", got)
	}
	bob := s.as(identity.Technician, "Bob")
	bob.code(409, "WATCH_DONE", "POST", "/api/v1/sessions/"+l.id+"/watched", map[string]any{"invited": true})
	if list := bob.want(200, "GET", "/api/v1/watches", nil)["watches"].([]any); len(list) != 0 {
		t.Errorf("another technician is asked: %v", list)
	}
	ann.want(204, "POST", "/api/v1/sessions/"+l.id+"/watched", map[string]any{"invited": true})
	ann.code(409, "WATCH_DONE", "POST", "/api/v1/sessions/"+l.id+"/watched", map[string]any{})
	sue.supervised("the invitation", func(m map[string]any) bool { return m["watch"] == "invited" })

	l.viewer.Close()
	sue.supervised("the lost line", func(m map[string]any) bool { return firstOf(m)["lost"] != nil })
	l.host.Close()
	sue.supervised("the lost host", func(m map[string]any) bool { return m["host_lost"] != nil })

	events := sue.want(200, "GET", "/api/v1/sessions/"+l.id+"/events", nil)["events"].([]any)
	var watched []string
	for _, e := range events {
		if e := e.(map[string]any); strings.HasPrefix(e["type"].(string), "watch.") {
			watched = append(watched, e["type"].(string)+" "+e["actor"].(map[string]any)["name"].(string))
		}
	}
	if fmt.Sprint(watched) != "[watch.asked Sue watch.answered Ann]" {
		t.Errorf("the log: %v", watched)
	}
}

func TestFiguresOfADay(t *testing.T) {
	s := newSite(t)
	ann, sue := s.as(identity.Technician, "Ann"), s.as(identity.Supervisor, "Sue")
	began := time.Now().Add(-90 * time.Minute)
	at := func(t time.Time) string { return fmt.Sprintf("/api/v1/supervise/figures?since=%d", t.UnixMilli()) }
	for _, bad := range []string{"/api/v1/supervise/figures", "/api/v1/supervise/figures?since=x", at(began.AddDate(0, 0, -3)), at(began.AddDate(0, 0, 3)), "/api/v1/supervise/figures?since=99999999999999999999"} {
		sue.code(422, "INVALID_SINCE", "GET", bad, nil)
	}
	var last string
	for _, subject := range []string{"L’imprimante 3 bourre", "BOURRE: l'imprimante 12", "Écran noir"} {
		ticket := ann.want(201, "POST", "/api/v1/tickets", map[string]any{"subject": subject, "lang": "fr"})["id"].(string)
		last = ann.session(ticket)
		sue.liveNow(0)
	}
	ann.want(204, "POST", "/api/v1/sessions/"+last+"/closing", map[string]any{"resolution": "solved"})
	f := sue.want(200, "GET", at(began), nil)
	hours := f["hours"].([]any)
	if len(hours) != 2 || hours[1].(map[string]any)["sessions"] != 3.0 || f["sessions"] != 3.0 || f["open"] != 0.0 || f["unsaid"] != 2.0 {
		t.Errorf("figures: %v", f)
	}
	if r := f["resolved"].(map[string]any); len(r) != 1 || r["solved"] != 1.0 {
		t.Errorf("resolved: %v", r)
	}
	recurs := f["recurs"].([]any)
	if len(recurs) != 1 || recurs[0].(map[string]any)["subject"] != "BOURRE: l'imprimante 12" || recurs[0].(map[string]any)["sessions"] != 2.0 {
		t.Errorf("what came again: %v", recurs)
	}
}

func TestAWishToWatchIsDeclined(t *testing.T) {
	s := newSite(t)
	ann, sue, tom := s.as(identity.Technician, "Ann"), s.as(identity.Supervisor, "Sue"), s.as(identity.Supervisor, "Tom")
	path := func(l *live, what string) string { return "/api/v1/sessions/" + l.id + "/" + what }
	own := sue.live(sue.want(201, "POST", "/api/v1/tickets", map[string]any{"subject": "x", "lang": "en"})["id"].(string))
	sue.code(409, "WATCH_OWN", "POST", "/api/v1/supervise"+strings.TrimPrefix(path(own, "watch"), "/api/v1"), map[string]any{})
	l := ann.live(ann.want(201, "POST", "/api/v1/tickets", map[string]any{"subject": "y", "lang": "en"})["id"].(string))
	for _, v := range []*visitor{sue, tom} {
		v.want(204, "POST", "/api/v1/supervise"+strings.TrimPrefix(path(l, "watch"), "/api/v1"), map[string]any{})
	}
	ann.want(204, "POST", path(l, "watched"), map[string]any{"invited": false})
	ann.code(409, "WATCH_DONE", "POST", path(l, "watched"), map[string]any{"invited": true})
	list := tom.want(200, "GET", "/api/v1/supervise/live", nil)["sessions"].([]any)
	for _, v := range list {
		if m := v.(map[string]any); m["id"] == l.id && m["watch"] != "declined" {
			t.Errorf("the wish is %v", m["watch"])
		}
	}
	var said []string
	for _, session := range []*live{l, own} {
		events, err := s.Log().Events(t.Context(), session.id)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if strings.HasPrefix(e.Type, "watch.") {
				said = append(said, e.Type+" "+e.Outcome)
			}
		}
	}
	if got := strings.Join(said, ", "); got != "watch.asked ok, watch.asked ok, watch.answered deny" {
		t.Errorf("the log holds %s", got)
	}
}

// Trends leave the house for those who make what people ask for help with: by a program
// with a token for nothing else, as JSON or as a table in which nothing is a formula.
func TestTrendsLeaveTheHouseWithNobodyInThem(t *testing.T) {
	s := newSite(t)
	ann, bob, sue := s.as(identity.Technician, "Ann"), s.as(identity.Technician, "Bob"), s.as(identity.Supervisor, "Sue")
	admin := s.as(identity.Admin, "Root")
	team := admin.want(201, "POST", "/api/v1/teams", map[string]any{"name": "=cmd|'/c calc'!A1", "tier": 1})["id"].(string)
	for _, v := range []*visitor{ann, bob} {
		id := v.want(200, "GET", "/api/v1/me", nil)["id"].(string)
		admin.want(200, "PUT", "/api/v1/users/"+id+"/teams", map[string]any{"teams": []string{team}})
	}
	now := time.Now()
	at := func(path string, from, until time.Time) string {
		return path + "?from=" + from.UTC().Format(time.RFC3339) + "&until=" + until.UTC().Format(time.RFC3339)
	}
	for _, bad := range []string{"/api/v1/trends", "/api/v1/trends?from=x&until=y", at("/api/v1/trends", now, now), at("/api/v1/trends/export", now, now.Add(-time.Hour)), at("/api/v1/trends", now.AddDate(-2, 0, 0), now)} {
		sue.code(422, "INVALID_TIME", "GET", bad, nil)
	}
	for _, v := range []*visitor{ann, s.as(identity.Auditor, "Aud")} {
		v.code(403, "NOT_ALLOWED", "GET", at("/api/v1/trends", now.Add(-time.Hour), now.Add(time.Hour)), nil)
	}
	for i := range 6 {
		v := []*visitor{ann, bob}[i%2]
		ticket := v.want(201, "POST", "/api/v1/tickets", map[string]any{"subject": fmt.Sprintf("Imprimante %d de Zoé", i), "requester": "Zoé Côté", "lang": "fr"})["id"].(string)
		id := v.session(ticket)
		s.visitor().want(204, "POST", s.personLink(id)+"/feedback", map[string]any{"score": 5 - i%2, "text": "merci Zoé"})
	}
	secret, _ := s.token(identity.NewToken{Role: identity.Supervisor, Scopes: []identity.Scope{identity.ReadTrends}})
	resp, raw := s.visitor().do("GET", at("/api/v1/trends", now.Add(-time.Hour), now.Add(time.Hour)), nil, as(secret)...)
	var got struct {
		Teams, Problems  []map[string]any
		Requesters, Back float64
	}
	if err := json.Unmarshal(raw, &got); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, raw)
	}
	if len(got.Teams) != 1 || got.Teams[0]["answers"] != 6.0 || got.Teams[0]["pleased"] != 100.0 || got.Teams[0]["mean"] != 4.5 || got.Teams[0]["comments"] != 6.0 {
		t.Errorf("teams: %v", got.Teams)
	}
	if len(got.Problems) != 1 || got.Problems[0]["words"] != "imprimante" || got.Problems[0]["back"] != 1.0 || got.Requesters != 1 || got.Back != 1 {
		t.Errorf("problems: %v, %v of %v came back", got.Problems, got.Back, got.Requesters)
	}
	resp, raw = s.visitor().do("GET", at("/api/v1/trends/export", now.Add(-time.Hour), now.Add(time.Hour)), nil, as(secret)...)
	table := string(raw)
	if resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Disposition"), `attachment; filename="trends-`) || strings.Count(table, "\r\n") != 5 ||
		!strings.Contains(table, `team,`+team+`,"'=cmd|'/c calc'!A1",,,,6,100,4.5,6`) || !strings.Contains(table, "problem,,imprimante,6,6,1,6,100,4.5,6") {
		t.Errorf("%d %s\n%s", resp.StatusCode, resp.Header, table)
	}
	for _, name := range []string{"zoé", "zoe", "côté", "merci", "ann", "bob"} {
		if strings.Contains(strings.ToLower(table), name) {
			t.Errorf("%q is in the table:\n%s", name, table)
		}
	}
}
