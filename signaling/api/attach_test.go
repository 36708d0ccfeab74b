package api

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/audit/receipt"
	"github.com/mainforte/mainforte/signaling/identity"
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
	if status, text := ann.sends(at, "image/png", good); status != 409 {
		t.Errorf("after the end: %d %s", status, text)
	}
	note := ann.noteOf(ticket, 1)
	for _, want := range []string{"Images de l’écran", "Écran 1.png", "Debian 12", "Processeur"} {
		if !strings.Contains(note, want) {
			t.Errorf("the note lacks %q:\n%s", want, note)
		}
	}
	if strings.Contains(note, "Windows 95") || strings.Contains(note, "\u202e") {
		t.Errorf("the note holds what it should not:\n%s", note)
	}
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

// The person's link is the right to answer once, and to complain; the closing note
// tells the answer.
func TestFeedback(t *testing.T) {
	s := newSite(t)
	ann, sue := s.as(identity.Technician, "Ann"), s.as(identity.Supervisor, "Sue")
	ticket := ann.want(201, "POST", "/api/v1/tickets", map[string]any{"subject": "x", "lang": "en"})["id"].(string)
	session := ann.session(ticket)
	ann.noteOf(ticket, 1)
	person := s.visitor()
	at := "/api/v1/receipts/" + receipt.Link(s.Log(), session, time.Now().Add(time.Hour))
	person.code(404, "NO_RECEIPT", "POST", "/api/v1/receipts/x/feedback", map[string]any{"score": 5})
	for _, bad := range []map[string]any{{"score": 6}, {"score": -1}, {"score": 0}, {"score": 0, "text": "\u202e"}} {
		person.code(422, "INVALID_FEEDBACK", "POST", at+"/feedback", bad)
	}
	person.want(204, "POST", at+"/feedback", map[string]any{"score": 4, "text": "Fast\nand <b>kind</b>"})
	person.code(409, "RATED_ALREADY", "POST", at+"/feedback", map[string]any{"score": 1})
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
