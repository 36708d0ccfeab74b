package api

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/audit/proof"
	"github.com/mainforte/mainforte/signaling/audit/receipt"
	"github.com/mainforte/mainforte/signaling/identity"
)

// last is the newest line of a session's log.
func (s *site) last(session string) (typ string, data map[string]any) {
	s.t.Helper()
	events, err := s.Log().Events(s.t.Context(), session)
	if err != nil || len(events) == 0 {
		s.t.Fatal(err)
	}
	e := events[len(events)-1]
	return e.Type, e.Data
}

// over makes a session that has ended, in its log, too.
func (v *visitor) over() (session string) {
	v.t.Helper()
	ticket := v.want(201, "POST", "/api/v1/tickets", map[string]any{"subject": "=1+1 Écran", "lang": "fr"})["id"].(string)
	session = v.session(ticket)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if typ, _ := v.site.last(session); typ == "session.ended" || typ == "ticket.note_written" {
			return session
		}
		if time.Now().After(deadline) {
			v.t.Fatal("the session did not end")
		}
	}
}

// A browser gets what it needs to verify a session, and no more can be left out.
func TestTheProofOfASession(t *testing.T) {
	s := newSite(t)
	session := s.as(identity.Technician, "Ann").over()
	ada := s.as(identity.Auditor, "Ada")
	resp, raw := ada.do("GET", "/api/v1/sessions/"+session+"/proof", nil)
	p, err := proof.Parse(raw)
	if resp.StatusCode != 200 || err != nil {
		t.Fatalf("%d %v %s", resp.StatusCode, err, raw)
	}
	r := proof.Verify(p, true, proof.Trust{Key: s.Log().VerifierKey()})
	if !r.Proven() || !r.Complete || !r.Closed || r.Present == 0 || r.Withheld != 0 {
		t.Errorf("%+v", r)
	}
	if last := r.Events[len(r.Events)-1]; last.Type != "log.verify" || last.Actor.Kind != "auditor" {
		t.Errorf("who looked is not in what he saw: %+v", last)
	}
	ada.code(404, "NOT_FOUND", "GET", "/api/v1/sessions/nothing/proof", nil)
}

func TestWhatIsTakenOutIsLogged(t *testing.T) {
	s := newSite(t)
	ann := s.as(identity.Technician, "Ann Teck")
	session := ann.over()
	ada := s.as(identity.Auditor, "Ada")
	for format, want := range map[string][2]string{
		"html": {"text/html", "<!doctype html>"}, "pdf": {"application/pdf", "%PDF-"}, "csv": {"text/csv", "index,time,"},
		"jsonl": {"application/jsonl", `{"leaf":{"actor"`}, "proof": {"application/json", `{"format":"mainforte session proof v1"`},
	} {
		for _, personal := range []bool{false, true} {
			query := "?lang=fr&format=" + format
			if personal {
				query += "&personal=1"
			}
			resp, raw := ada.do("GET", "/api/v1/sessions/"+session+"/export"+query, nil)
			kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
			if resp.StatusCode != 200 || kind != want[0] || !strings.HasPrefix(strings.ToLower(string(raw)), strings.ToLower(want[1])) {
				t.Errorf("%s: %d %s %.80s", format, resp.StatusCode, kind, raw)
			}
			if d := resp.Header.Get("Content-Disposition"); !strings.HasPrefix(d, `attachment; filename="session-`+session+".") {
				t.Errorf("%s: %s", format, d)
			}
			if format != "pdf" && strings.Contains(string(raw), "Ann Teck") != personal {
				t.Errorf("%s, personal %v: the name is there or not", format, personal)
			}
			logged := format
			if format == "html" || format == "pdf" {
				logged = "report_" + format
			}
			if typ, data := s.last(session); typ != "log.exported" || data["format"] != logged || data["personal"] != personal {
				t.Errorf("%s: logged as %s %v", format, typ, data)
			}
		}
	}
	ada.code(422, "INVALID_FORMAT", "GET", "/api/v1/sessions/"+session+"/export?format=exe", nil)
	ada.code(404, "NOT_FOUND", "GET", "/api/v1/sessions/nothing/export?format=csv", nil)

	_, raw := ada.do("GET", "/api/v1/sessions/export?format=csv&q=Teck", nil)
	if rows := strings.Split(string(raw), "\r\n"); len(rows) != 3 || !strings.HasPrefix(rows[1], session+",") || !strings.Contains(rows[1], `,"'=1+1 Écran",`) {
		t.Errorf("the list: %q", rows)
	}
	if typ, data := s.last(""); typ != "log.exported" || data["format"] != "sessions_csv" {
		t.Errorf("the list is logged as %s %v", typ, data)
	}
	if _, raw := ada.do("GET", "/api/v1/sessions/export?format=csv&q=nobody", nil); strings.Count(string(raw), "\r\n") != 1 {
		t.Errorf("a search for nobody: %q", raw)
	}
	_, raw = ada.do("GET", "/api/v1/sessions/export?format=jsonl", nil)
	var row map[string]any
	if err := json.Unmarshal(raw, &row); err != nil || row["id"] != session {
		t.Errorf("%v: %s", err, raw)
	}
	ada.code(422, "INVALID_FORMAT", "GET", "/api/v1/sessions/export?format=html", nil)
}

// The person has no account: the link is the right to the receipt, and to nothing else.
func TestTheReceiptIsGivenByALink(t *testing.T) {
	s := newSite(t)
	ann, bob, sue := s.as(identity.Technician, "Ann"), s.as(identity.Technician, "Bob"), s.as(identity.Supervisor, "Sue")
	session := ann.over()
	link := "/api/v1/sessions/" + session + "/receipt"
	bob.code(403, "NOT_ALLOWED", "POST", link, struct{}{})
	sue.want(201, "POST", link, struct{}{})
	path := ann.want(201, "POST", link, struct{}{})["path"].(string)
	if typ, data := s.last(session); typ != "log.exported" || data["format"] != "receipt" {
		t.Errorf("logged as %s %v", typ, data)
	}
	page, token, _ := strings.Cut(path, "#")
	before, err := s.Log().Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	person := s.visitor()
	resp, raw := person.do("GET", "/api/v1/receipts/"+token, nil)
	r, err := receipt.Parse(raw)
	if page != "/receipt" || resp.StatusCode != 200 || err != nil {
		t.Fatalf("%s: %d %v %s", page, resp.StatusCode, err, raw)
	}
	report, said := receipt.Verify(r, proof.Trust{Key: s.Log().VerifierKey()})
	if !report.Proven() || !report.Closed || said.Server != "127.0.0.1" || said.Organisation != "Exemple" || fmt.Sprint(said.Technicians) != "[{"+said.Technicians[0].Ref+" Ann}]" {
		t.Errorf("%+v %+v", report, said)
	}
	if strings.Contains(string(raw), "viewer_address") || strings.Contains(string(raw), `"personal"`) {
		t.Errorf("a receipt holds personal parts: %s", raw)
	}
	if after, err := s.Log().Head(t.Context()); err != nil || after.Size != before.Size {
		t.Errorf("asking for a receipt wrote into the log: %d, %d, %v", before.Size, after.Size, err)
	}
	turned := []byte(token)
	turned[len(turned)/2] ^= 1
	for _, bad := range []string{"x", string(turned), token + "A", s.Log().SealLink("other", session+" 9999999999"), receipt.Link(s.Log(), session, time.Now().Add(-time.Second)), receipt.Link(s.Log(), "none", time.Now().Add(time.Hour))} {
		person.code(404, "NO_RECEIPT", "GET", "/api/v1/receipts/"+bad, nil)
	}
	ann.code(404, "NOT_FOUND", "POST", "/api/v1/sessions/nothing/receipt", struct{}{})

	ticket := ann.want(201, "POST", "/api/v1/tickets", map[string]any{"subject": "x", "lang": "en"})["id"].(string)
	l := ann.live(ticket)
	ann.code(http.StatusConflict, "SESSION_OPEN", "POST", "/api/v1/sessions/"+l.id+"/receipt", struct{}{})
	person.code(http.StatusConflict, "SESSION_OPEN", "GET", "/api/v1/receipts/"+receipt.Link(s.Log(), l.id, time.Now().Add(time.Hour)), nil)
	l.close(mfpb.Reason_REASON_PERSON_STOPPED)
	l.ended()
}
