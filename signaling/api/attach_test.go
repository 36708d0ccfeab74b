package api

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"image"
	"image/png"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/audit/receipt"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/store"
)

func pngOf(t *testing.T, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sends posts bytes of a kind and returns the status and the answer's text.
func (v *visitor) sends(path, kind string, b []byte) (int, string) {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), "POST", v.site.srv.URL+path, bytes.NewReader(b))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	resp, err := v.http.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	var text bytes.Buffer
	_, _ = text.ReadFrom(resp.Body)
	if err := promised().check(r, b, resp, text.Bytes()); err != nil {
		v.t.Errorf("openapi.yaml: %v", err)
	}
	return resp.StatusCode, text.String()
}

// What is attached in a session stands in its note, and only who takes part may
// attach; what is no picture is refused.
func TestAttachments(t *testing.T) {
	s := newSite(t)
	ann, bob, ada := s.as(identity.Technician, "Ann"), s.as(identity.Technician, "Bob"), s.as(identity.Auditor, "Ada")
	ticket := ann.want(201, "POST", "/api/v1/tickets", map[string]any{"subject": "x", "lang": "fr"})["id"].(string)
	l := ann.live(ticket)
	at := "/api/v1/sessions/" + l.id + "/attachments"
	good := pngOf(t, 64, 48)
	huge := bytes.Clone(good)
	copy(huge[16:], []byte{0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff}) // its header now speaks of 4 gigapixels
	var deep bytes.Buffer
	if err := png.Encode(&deep, image.NewRGBA64(image.Rect(0, 0, 64, 48))); err != nil {
		t.Fatal(err)
	}
	passes := bytes.Clone(good)
	passes[pngInterlace] = 1
	sum := crc32.ChecksumIEEE(passes[12:29])
	copy(passes[29:], []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	if _, err := png.DecodeConfig(bytes.NewReader(passes)); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []struct {
		who    *visitor
		kind   string
		body   []byte
		status int
		code   string
	}{
		{bob, "image/png", good, 403, "NOT_ALLOWED"},
		{s.visitor(), "image/png", good, 401, "NOT_SIGNED_IN"},
		{ann, "image/jpeg", good, 415, "WRONG_TYPE"},
		{ann, "image/png", []byte("<svg onload=alert(1)>"), 422, "BAD_PICTURE"},
		{ann, "image/png", good[:len(good)-9], 422, "BAD_PICTURE"},
		{ann, "image/png", huge, 422, "BAD_PICTURE"},
		{ann, "image/png", deep.Bytes(), 422, "BAD_PICTURE"},
		{ann, "image/png", passes, 422, "BAD_PICTURE"},
		{ann, "image/png", make([]byte, 8<<20+1), 413, "TOO_LARGE"},
	} {
		if status, text := bad.who.sends(at, bad.kind, bad.body); status != bad.status || !strings.Contains(text, bad.code) {
			t.Errorf("%d bytes of %s: %d %s, want %s", len(bad.body), bad.kind, status, text, bad.code)
		}
	}
	// What stands behind a picture does not stay in it.
	status, text := ann.sends(at, "image/png", append(bytes.Clone(good), "<script>"...))
	if status != 201 {
		t.Fatalf("%d %s", status, text)
	}
	_, rest, _ := strings.Cut(text, `"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	for i := 2; i <= 9; i++ {
		if status, text := ann.sends(at, "image/png", good); status != 201 {
			t.Fatalf("%d: %d %s", i, status, text)
		}
	}
	system := "/api/v1/sessions/" + l.id + "/system"
	bob.code(403, "NOT_ALLOWED", "PUT", system, map[string]any{"text": "x"})
	ann.code(400, "BAD_JSON", "PUT", system, map[string]any{"text": " \u202e\n"})
	ann.want(204, "PUT", system, map[string]any{"text": "Windows 95"})
	ann.want(204, "PUT", system, map[string]any{"text": "Debian 12\nProcesseur : 2\u202e"})
	if status, text := ann.sends(at, "image/png", good); status != 413 {
		t.Errorf("the eleventh: %d %s", status, text)
	}

	for _, who := range []*visitor{ann, ada} {
		resp, raw := who.do("GET", at+"/"+id, nil)
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "image/png" || bytes.Contains(raw, []byte("script")) {
			t.Errorf("%d %s", resp.StatusCode, raw)
		}
	}
	bob.code(403, "NOT_ALLOWED", "GET", at+"/"+id, nil)
	ann.code(404, "NOT_FOUND", "GET", at+"/none", nil)

	l.close(mfpb.Reason_REASON_PERSON_STOPPED)
	l.ended()
	note := ann.noteOf(ticket, 1) // the end is written down
	if status, text := ann.sends(at, "image/png", good); status != 409 {
		t.Errorf("after the end: %d %s", status, text)
	}
	for _, want := range []string{"Images de l’écran", "Écran 1.png", "Debian 12", "Processeur"} {
		if !strings.Contains(note, want) {
			t.Errorf("the note lacks %q:\n%s", want, note)
		}
	}
	if strings.Contains(note, "Windows 95") || strings.Contains(note, "\u202e") {
		t.Errorf("the note holds what it should not:\n%s", note)
	}
}

// A picture that breaks the decoder keeps no other from its turn.
func TestAFaultWhileDecodingFreesTheTurn(t *testing.T) {
	func() {
		defer func() { _ = recover() }()
		_ = inTurn(t.Context(), func() error { panic("a picture") })
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := inTurn(ctx, func() error { return nil }); err != nil {
		t.Error(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_ = inTurn(t.Context(), func() error {
		if err := inTurn(gone, func() error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("two at once: %v", err)
		}
		return nil
	})
}

// noteOf waits for the nth note of a ticket.
func (v *visitor) noteOf(ticket string, n int) string {
	v.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		notes := v.want(200, "GET", "/api/v1/tickets/"+ticket, nil)["notes"].([]any)
		if len(notes) >= n {
			return notes[n-1].(map[string]any)["text"].(string)
		}
		if time.Now().After(deadline) {
			v.t.Fatalf("there are %d notes", len(notes))
		}
	}
}

// personLink is the path under which the person of a session speaks.
func (s *site) personLink(session string) string {
	return "/api/v1/receipts/" + receipt.PersonLink(s.Log(), session, time.Now().Add(time.Hour))
}

// The person's link is the right to answer once, and to complain; the closing note
// tells the answer.
func TestFeedback(t *testing.T) {
	s := newSite(t)
	ann, sue := s.as(identity.Technician, "Ann"), s.as(identity.Supervisor, "Sue")
	ticket := ann.want(201, "POST", "/api/v1/tickets", map[string]any{"subject": "x", "lang": "en"})["id"].(string)
	session := ann.session(ticket)
	ann.noteOf(ticket, 1)
	person := s.visitor()
	at := s.personLink(session)
	person.code(404, "NO_RECEIPT", "POST", "/api/v1/receipts/x/feedback", map[string]any{"score": 5})
	for _, bad := range []map[string]any{{"score": 6}, {"score": -1}, {"score": 0}, {"score": 0, "text": "\u202e"}} {
		person.code(422, "INVALID_FEEDBACK", "POST", at+"/feedback", bad)
	}
	person.want(204, "POST", at+"/feedback", map[string]any{"score": 4, "text": "Fast\nand <b>kind</b>"})
	person.code(409, "RATED_ALREADY", "POST", at+"/feedback", map[string]any{"score": 1})
	person.code(400, "BAD_JSON", "POST", at+"/abuse", map[string]any{"text": "\u202e "})
	person.want(204, "POST", at+"/abuse", map[string]any{"text": "He asked for my bank card."})
	for _, e := range sue.want(200, "GET", "/api/v1/sessions", nil)["sessions"].([]any) {
		if m := e.(map[string]any); m["id"] == session && m["reported"] != true {
			t.Error("the session is not marked as reported")
		}
	}
	ann.want(204, "POST", "/api/v1/sessions/"+session+"/closing", map[string]any{"text": "All well.", "resolution": "solved"})
	note := ann.noteOf(ticket, 2)
	if !strings.Contains(note, "All well.") || !strings.Contains(note, "4/5 – Fast and <b>kind</b>") {
		t.Errorf("the closing note says:\n%s", note)
	}
	if strings.Contains(note, "bank card") {
		t.Error("a complaint stands in the ticket")
	}
}

// Who may make a link to a receipt must not say with it what only the person says (P19).
func TestATechniciansLinkDoesNotSpeakForThePerson(t *testing.T) {
	s := newSite(t)
	ann := s.as(identity.Technician, "Ann")
	session := ann.over()
	path := ann.want(201, "POST", "/api/v1/sessions/"+session+"/receipt", struct{}{})["path"].(string)
	_, token, _ := strings.Cut(path, "#")
	for _, token := range []string{token, receipt.Link(s.Log(), session, time.Now().Add(time.Hour))} {
		at := "/api/v1/receipts/" + token
		ann.want(200, "GET", at, nil)
		for _, who := range []*visitor{ann, s.visitor()} {
			who.code(404, "NO_RECEIPT", "POST", at+"/feedback", map[string]any{"score": 5})
			who.code(404, "NO_RECEIPT", "POST", at+"/abuse", map[string]any{"text": "x"})
		}
	}
	at := s.personLink(session)
	s.visitor().want(200, "GET", at, nil)
	s.visitor().want(204, "POST", at+"/feedback", map[string]any{"score": 5})
}

// The host is given the link with which the person speaks.
func TestTheHostGetsThePersonsLink(t *testing.T) {
	s := newSite(t)
	ann := s.as(identity.Technician, "Ann")
	l := ann.live(ann.want(201, "POST", "/api/v1/tickets", map[string]any{"subject": "x", "lang": "en"})["id"].(string))
	page, token, _ := strings.Cut(l.receipt, "#")
	if session, person, ok := receipt.Linked(s.Log(), token, time.Now()); page != "/receipt" || session != l.id || !person || !ok {
		t.Errorf("%q is of session %q, %v, %v", l.receipt, session, person, ok)
	}
	l.close(mfpb.Reason_REASON_PERSON_STOPPED)
	l.ended()
}

// However answer and closing note follow each other, a session has two notes.
func TestASessionHasTwoNotesAtMost(t *testing.T) {
	s := newSite(t)
	ann, person := s.as(identity.Technician, "Ann"), s.visitor()
	queued := func(session string) (n int64, rated string) {
		t.Helper()
		err := s.house.store.View(t.Context(), func(tx store.Tx) error {
			return tx.QueryRow("select count(*), coalesce(max(case when note_key like '%:rated' then next_at end), '') from outbox where session_id = ?", session).Scan(&n, &rated)
		})
		if err != nil {
			t.Fatal(err)
		}
		return n, rated
	}
	rate := func(session string) {
		t.Helper()
		person.want(204, "POST", s.personLink(session)+"/feedback", map[string]any{"score": 3, "text": "Comme ci"})
	}
	closing := func(session string) {
		t.Helper()
		ann.want(204, "POST", "/api/v1/sessions/"+session+"/closing", map[string]any{"text": "All well."})
	}
	ended := func(session string, ago time.Duration) time.Time {
		t.Helper()
		at := time.Now().Add(-ago)
		err := s.house.store.Update(t.Context(), func(tx store.Tx) error {
			_, err := tx.Exec("update sessions set ended = ? where id = ?", store.FormatTime(at), session)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for name, f := range map[string]func(ticket string) (session string, in int){
		"before the end": func(ticket string) (string, int) {
			l := ann.live(ticket)
			rate(l.id)
			if n, _ := queued(l.id); n != 0 {
				t.Errorf("an open session has %d notes", n)
			}
			l.close(mfpb.Reason_REASON_PERSON_STOPPED)
			l.ended()
			ann.noteOf(ticket, 1)
			closing(l.id)
			return l.id, 1
		},
		"late, and then the closing note": func(ticket string) (string, int) {
			session := ann.session(ticket)
			ann.noteOf(ticket, 1)
			at := ended(session, 23*time.Hour)
			rate(session)
			if n, next := queued(session); n != 2 || next < store.FormatTime(at.Add(closingFor)) {
				t.Errorf("%d notes; the answer waits until %q, a closing note may come until %v", n, next, at.Add(closingFor))
			}
			closing(session)
			return session, 2
		},
		"after the closing note": func(ticket string) (string, int) {
			session := ann.session(ticket)
			ann.noteOf(ticket, 1)
			closing(session)
			rate(session)
			return session, 0
		},
		"when no closing note may come": func(ticket string) (string, int) {
			session := ann.session(ticket)
			ann.noteOf(ticket, 1)
			ended(session, 25*time.Hour)
			rate(session)
			s.outbox.Wake()
			ann.code(409, "CLOSING_LATE", "POST", "/api/v1/sessions/"+session+"/closing", map[string]any{"text": "x"})
			return session, 2
		},
	} {
		t.Run(name, func(t *testing.T) {
			ticket := ann.want(201, "POST", "/api/v1/tickets", map[string]any{"subject": name, "lang": "fr"})["id"].(string)
			session, in := f(ticket)
			for i := 1; i <= 2; i++ {
				if note := ann.noteOf(ticket, i); strings.Contains(note, "3/5 – Comme ci") != (i == in) {
					t.Errorf("note %d:\n%s", i, note)
				}
			}
			if n, _ := queued(session); n != 2 {
				t.Errorf("there are %d notes", n)
			}
		})
	}
}

// Of a session that was purged nothing is left to say anything about.
func TestAPurgedSessionHasNoReceipt(t *testing.T) {
	s := newSite(t)
	ann, person := s.as(identity.Technician, "Ann"), s.visitor()
	session := ann.over()
	at := s.personLink(session)
	person.want(204, "POST", at+"/feedback", map[string]any{"score": 3})
	if _, err := s.Log().Purge(t.Context(), session, "request", audit.Actor{Kind: "system"}); err != nil {
		t.Fatal(err)
	}
	person.code(404, "NO_RECEIPT", "POST", at+"/feedback", map[string]any{"score": 3})
	person.code(404, "NO_RECEIPT", "POST", at+"/abuse", map[string]any{"text": "x"})
}
