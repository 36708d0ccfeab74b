package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/tickets"
)

const evil = "<script>alert(1)</script> \u202eevil\u202c 🦜 {requester}"

// Supervisors and admins keep the texts, technicians pick them, auditors have nothing
// to do with them. The role table itself is walked elsewhere.
func TestTheTextsOfAHelpDesk(t *testing.T) {
	s := newSite(t)
	sue, root, ann := s.as(identity.Supervisor, "Sue"), s.as(identity.Admin, "Root"), s.as(identity.Technician, "Ann")
	list := func(lang, q string) []any {
		t.Helper()
		return ann.want(200, "GET", "/api/v1/phrases?lang="+lang+"&q="+q, nil)["phrases"].([]any)
	}
	if len(list("en", "")) != 0 {
		t.Error("a new house has texts")
	}
	ann.code(403, "NOT_ALLOWED", "POST", "/api/v1/phrases", map[string]any{"lang": "en", "name": "x", "body": "x"})
	made := sue.want(201, "POST", "/api/v1/phrases", map[string]any{"lang": "en", "name": evil, "body": "Bonjour {requester},\r\n\r\n" + evil})
	if made["name"] != "<script>alert(1)</script> evil 🦜 {requester}" || made["body"] != "Bonjour {requester},\n\n<script>alert(1)</script> evil 🦜 {requester}" {
		t.Errorf("kept as %q", made)
	}
	path := "/api/v1/phrases/" + made["id"].(string)
	if len(list("en", "SCRIPT+bonjour")) != 1 || len(list("en", "100%25")) != 0 || len(list("fr", "")) != 0 || len(list("en", strings.Repeat("x", 10_000))) != 0 {
		t.Error("texts are not found by their words and language")
	}
	for name, bad := range map[string]map[string]any{
		"a language": {"lang": "de", "name": "x", "body": "x"}, "no name": {"lang": "en", "name": " \u200b", "body": "x"},
		"no text": {"lang": "en", "name": "x", "body": "\n \u202e"}, "a long name": {"lang": "en", "name": strings.Repeat("é", 81), "body": "x"},
		"a long text": {"lang": "en", "name": "x", "body": strings.Repeat("é", 4001)},
	} {
		t.Run(name, func(*testing.T) { root.code(422, "INVALID_WORDS", "POST", "/api/v1/phrases", bad) })
	}

	// Two tabs: what the first one wrote is not overwritten by the second.
	sue.want(200, "PUT", path, map[string]any{"lang": "en", "name": "Greeting", "body": "Hello", "version": 1})
	root.code(409, "WORDS_CHANGED", "PUT", path, map[string]any{"lang": "en", "name": "Greeting", "body": "Hi", "version": 1})
	root.want(200, "PUT", path, map[string]any{"lang": "en", "name": "Greeting", "body": "Hi", "version": 2})
	if got := list("en", "greet")[0].(map[string]any); got["body"] != "Hi" || got["version"] != 3.0 {
		t.Errorf("%v", got)
	}
	root.want(204, "DELETE", path, nil)
	root.code(404, "NO_WORDS", "DELETE", path, nil)
	root.code(404, "NO_WORDS", "PUT", path, map[string]any{"lang": "en", "name": "x", "body": "x", "version": 3})
}

// However many there are, a list is bounded and says that there are others.
func TestAnEnormousListOfTexts(t *testing.T) {
	s := newSite(t)
	sue := s.as(identity.Supervisor, "Sue")
	for i := range 103 {
		sue.want(201, "POST", "/api/v1/phrases", map[string]any{"lang": "fr", "name": fmt.Sprintf("Texte %03d", i), "body": "x"})
	}
	all := sue.want(200, "GET", "/api/v1/phrases?lang=fr", nil)
	if n := len(all["phrases"].([]any)); n != 100 || all["more"] != true {
		t.Errorf("%d, more %v", n, all["more"])
	}
	one := sue.want(200, "GET", "/api/v1/phrases?lang=fr&q=102", nil)
	if n := len(one["phrases"].([]any)); n != 1 || one["more"] != false {
		t.Errorf("%d, more %v", n, one["more"])
	}
}

func TestResolutionCodes(t *testing.T) {
	s := newSite(t)
	sue, ann := s.as(identity.Supervisor, "Sue"), s.as(identity.Technician, "Ann")
	at := "/api/v1/resolutions/PWD-1"
	ann.code(403, "NOT_ALLOWED", "PUT", at, map[string]any{"outcome": "solved", "en": "x", "fr": "", "version": 0})
	for _, bad := range []string{"a%20b", "a.b", "-a", strings.Repeat("x", 41)} {
		sue.code(422, "INVALID_WORDS", "PUT", "/api/v1/resolutions/"+bad, map[string]any{"outcome": "solved", "en": "x", "fr": "", "version": 0})
	}
	sue.code(422, "INVALID_WORDS", "PUT", at, map[string]any{"outcome": "magic", "en": "x", "fr": "", "version": 0})
	sue.code(422, "INVALID_WORDS", "PUT", at, map[string]any{"outcome": "solved", "en": "", "fr": "\u200b", "version": 0})
	sue.code(404, "NO_WORDS", "PUT", at, map[string]any{"outcome": "solved", "en": "x", "fr": "", "version": 1})
	sue.want(200, "PUT", at, map[string]any{"outcome": "solved", "en": "Password reset", "fr": "", "version": 0})
	sue.code(409, "WORDS_TAKEN", "PUT", at, map[string]any{"outcome": "solved", "en": "x", "fr": "", "version": 0})
	sue.want(200, "PUT", at, map[string]any{"outcome": "workaround", "en": "Password reset", "fr": "Mot de passe réinitialisé", "version": 1})
	sue.code(409, "WORDS_CHANGED", "PUT", at, map[string]any{"outcome": "solved", "en": "x", "fr": "", "version": 1})
	sue.want(200, "PUT", "/api/v1/resolutions/A", map[string]any{"outcome": "unsolved", "en": "x", "fr": "", "version": 0})
	got := ann.want(200, "GET", "/api/v1/resolutions", nil)
	codes := got["codes"].([]any)
	if len(got["outcomes"].([]any)) != 4 || len(codes) != 2 || codes[0].(map[string]any)["code"] != "PWD-1" || codes[0].(map[string]any)["fr"] != "Mot de passe réinitialisé" {
		t.Errorf("%v", got)
	}
	sue.want(204, "DELETE", at, nil)
	sue.code(404, "NO_WORDS", "DELETE", at, nil)
}

// What the preview shows is what the ticket shows afterwards, to the letter, whatever
// was typed, with the code and the person's own answer in it.
func TestThePreviewIsTheNote(t *testing.T) {
	s := newSite(t)
	ann, bob, sue := s.as(identity.Technician, "Ann"), s.as(identity.Technician, "Bob"), s.as(identity.Supervisor, "Sue")
	sue.want(200, "PUT", "/api/v1/resolutions/PWD", map[string]any{"outcome": "solved", "en": evil, "fr": "Mot de passe <b>réinitialisé", "version": 0})
	ticket := ann.want(201, "POST", "/api/v1/tickets", map[string]any{"subject": evil, "requester": "Zoë", "lang": "fr"})["id"].(string)
	l := ann.live(ticket)
	path := "/api/v1/sessions/" + l.id + "/closing"
	body := map[string]any{"text": evil + "\r\n\r\n\r\n  = 2 \u200b lines", "resolution": "solved", "code": "PWD"}
	closable := func() bool {
		t.Helper()
		held := ann.want(200, "GET", "/api/v1/tickets/"+ticket, nil)["sessions"].([]any)
		return held[0].(map[string]any)["closable"].(bool)
	}
	ann.code(409, "CLOSING_EARLY", "POST", path+"/preview", body)
	if closable() {
		t.Error("closable before its end")
	}
	l.close(mfpb.Reason_REASON_PERSON_STOPPED)
	l.ended()
	for limit := time.Now().Add(20 * time.Second); !closable(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("not closable after its end")
		}
	}
	if held := bob.want(200, "GET", "/api/v1/tickets/"+ticket, nil)["sessions"].([]any)[0].(map[string]any); held["closable"] != false {
		t.Error("closable by somebody who had no part")
	}
	bob.code(403, "NOT_ALLOWED", "POST", path+"/preview", body)
	ann.code(422, "INVALID_CLOSING", "POST", path+"/preview", map[string]any{"text": " "})
	ann.code(422, "INVALID_CLOSING", "POST", path+"/preview", map[string]any{"code": "PWD"})
	ann.code(422, "NO_CODE", "POST", path+"/preview", map[string]any{"resolution": "solved", "code": "GONE"})
	ann.code(422, "NO_CODE", "POST", path, map[string]any{"resolution": "unsolved", "code": "PWD"})
	seen := ann.want(200, "POST", path+"/preview", body)
	again := ann.want(200, "POST", path+"/preview", body) // nothing was kept of the first
	if seen["text"] != again["text"] || seen["ticket"] != ticket || seen["lang"] != "fr" || !strings.Contains(seen["text"].(string), "PWD, Mot de passe <b>réinitialisé") {
		t.Errorf("%v", seen)
	}
	ann.want(204, "POST", path, body)
	var note map[string]any
	for limit := time.Now().Add(20 * time.Second); note == nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("no closing note")
		}
		for _, n := range ann.want(200, "GET", "/api/v1/tickets/"+ticket, nil)["notes"].([]any) {
			if m := n.(map[string]any); m["author"] == "Ann" {
				note = m
			}
		}
	}
	for _, k := range []string{"text", "author", "public"} {
		if note[k] != seen[k] {
			t.Errorf("%s: the ticket has\n%q\nthe preview was\n%q", k, note[k], seen[k])
		}
	}
	if closable() {
		t.Error("closable twice")
	}
	ann.code(409, "CLOSING_DONE", "POST", path+"/preview", body)
	events, err := s.Log().Events(t.Context(), l.id)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Type == "session.closing" && (e.Data["resolution"] != "solved" || e.Data["code"] != "PWD") {
			t.Errorf("%v", e.Data)
		}
	}
}

// The words of a closing that say how it was resolved, in both languages.
func TestTheCodeStandsInTheNote(t *testing.T) {
	for lang, want := range map[string]string{"en": "Resolution code: PWD, reset", "fr": "Code de résolution\u00a0: PWD, reset"} {
		n := tickets.Closing{Session: "S", Technician: "Ann", Resolution: "solved", Code: "PWD", CodeText: "reset\n\u202e"}.Note(lang)
		if text := n.Plain(); !strings.Contains(text, want+"\n") {
			t.Errorf("%s: %s", lang, text)
		}
	}
}
