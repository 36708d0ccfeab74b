package api

import (
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/solutions"
	"github.com/mainforte/mainforte/signaling/store"
)

// finished is a session of a ticket that is over, and stands in the store so.
func finished(t *testing.T, v *visitor, ticket string) string {
	t.Helper()
	l := v.live(ticket)
	v.code(409, "CLOSING_EARLY", "GET", "/api/v1/solutions/draft?session="+l.id, nil)
	l.close(mfpb.Reason_REASON_PERSON_STOPPED)
	l.ended()
	for limit := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		for _, s := range v.want(200, "GET", "/api/v1/tickets/"+ticket, nil)["sessions"].([]any) {
			if m := s.(map[string]any); m["id"] == l.id && m["promotable"] == true {
				return l.id
			}
		}
		if time.Now().After(limit) {
			t.Fatal("the session does not end")
		}
	}
}

// What one technician found out helps the next: promoted once, suggested for tickets of
// the same words and of the same device first, mended, withdrawn and put back.
func TestWhatHelpedBefore(t *testing.T) {
	s := newSite(t)
	ann, bob, sue := s.as(identity.Technician, "Ann"), s.as(identity.Technician, "Bob"), s.as(identity.Supervisor, "Sue")
	ticket := func(subject string) string {
		return ann.want(201, "POST", "/api/v1/tickets", map[string]any{"subject": subject, "requester": "Zoë", "lang": "fr"})["id"].(string)
	}
	jam := ticket("L’imprimante HP-400 ne s’imprime plus " + evil)
	session := finished(t, ann, jam)
	ann.want(204, "POST", "/api/v1/sessions/"+session+"/closing", map[string]any{"text": "Bourrage <b>enlevé</b>.\n\nRedémarrée.", "resolution": "solved"})
	bob.code(403, "NOT_ALLOWED", "GET", "/api/v1/solutions/draft?session="+session, nil)
	bob.code(404, "NOT_FOUND", "GET", "/api/v1/solutions/draft?session=none", nil)
	bob.code(404, "NOT_FOUND", "GET", "/api/v1/solutions/draft?session=a%00b", nil)
	draft := ann.want(200, "GET", "/api/v1/solutions/draft?session="+session, nil)
	if draft["body"] != "Bourrage <b>enlevé</b>.\n\nRedémarrée." || draft["lang"] != "fr" || !strings.HasPrefix(draft["subject"].(string), "L’imprimante HP-400") {
		t.Errorf("%v", draft)
	}
	words := func(session string) map[string]any {
		return map[string]any{"session": session, "lang": "fr", "subject": draft["subject"], "asset": "HP-400\u202e", "body": draft["body"].(string) + "\r\n" + evil}
	}
	bob.code(403, "NOT_ALLOWED", "POST", "/api/v1/solutions", words(session))
	for name, bad := range map[string]map[string]any{
		"no text":  {"session": session, "lang": "fr", "subject": "x", "body": "\u200b"},
		"too long": {"session": session, "lang": "fr", "subject": "x", "body": strings.Repeat("é", 4001)},
		"no lang":  {"session": session, "subject": "x", "body": "x"},
	} {
		t.Run(name, func(*testing.T) { ann.code(422, "INVALID_WORDS", "POST", "/api/v1/solutions", bad) })
	}
	made := ann.want(201, "POST", "/api/v1/solutions", words(session))
	if made["asset"] != "HP-400" || made["author"] != "Ann" || strings.ContainsAny(made["body"].(string), "\u202e\r") {
		t.Errorf("%v", made)
	}
	ann.code(409, "SOLUTION_DONE", "POST", "/api/v1/solutions", words(session))
	path := "/api/v1/solutions/" + made["id"].(string)

	other := ticket("Imprimante du troisième")
	again := finished(t, bob, other)
	bob.want(201, "POST", "/api/v1/solutions", map[string]any{"session": again, "lang": "fr", "subject": "Imprimante introuvable", "body": "Pilote."})
	found := func(v *visitor, ticket string) (bodies []string) {
		t.Helper()
		for _, k := range v.want(200, "GET", "/api/v1/tickets/"+ticket+"/solutions", nil)["solutions"].([]any) {
			bodies = append(bodies, strings.SplitN(k.(map[string]any)["body"].(string), "\n", 2)[0])
		}
		return bodies
	}
	for subject, want := range map[string]string{
		"IMPRIMANTE qui clignote":         "Pilote.|Bourrage <b>enlevé</b>.", // as near, the newer first
		"imprimanté HP-400":               "Bourrage <b>enlevé</b>.|Pilote.", // of the same device
		"The screen is not for the light": "",                                // no word but idle ones
		"a 1 é":                           "",
	} {
		if got := strings.Join(found(bob, ticket(subject)), "|"); got != want {
			t.Errorf("for %q: %q, want %q", subject, got, want)
		}
	}
	bob.code(404, "NO_TICKET", "GET", "/api/v1/tickets/none/solutions", nil)

	// Its author and a supervisor mend it; two at once do not overwrite each other.
	mended := map[string]any{"lang": "fr", "subject": "Imprimante HP-400", "asset": "", "body": "Enlever la feuille.", "version": 1}
	bob.code(403, "NOT_ALLOWED", "PUT", path, mended)
	bob.code(403, "NOT_ALLOWED", "POST", path+"/withdraw", map[string]any{})
	sue.want(200, "PUT", path, mended)
	ann.code(409, "WORDS_CHANGED", "PUT", path, mended)
	ann.want(200, "POST", path+"/withdraw", map[string]any{})
	ann.want(200, "POST", path+"/withdraw", map[string]any{})
	if got := found(bob, jam); strings.Join(got, "|") != "Pilote." {
		t.Errorf("a withdrawn solution is suggested: %q", got)
	}
	sue.want(200, "POST", path+"/restore", map[string]any{})
	if got := found(bob, jam); len(got) != 2 || got[0] != "Enlever la feuille." {
		t.Errorf("%q", got)
	}
	ann.code(404, "NO_WORDS", "POST", "/api/v1/solutions/none/withdraw", map[string]any{})

	var types []string
	events, err := s.Log().Events(t.Context(), session)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if kind, ok := strings.CutPrefix(e.Type, "solution."); ok {
			types = append(types, kind)
		}
	}
	if got := strings.Join(types, " "); got != "promoted changed withdrawn restored" {
		t.Errorf("the log holds %s", got)
	}

	// A purge of the session leaves the words and nothing that leads to it.
	if err := s.house.store.Update(t.Context(), func(tx store.Tx) error { return solutions.ForgetTx(tx, session) }); err != nil {
		t.Fatal(err)
	}
	list, err := s.house.shelf.Suggest(t.Context(), "feuille hp-400")
	if err != nil || len(list) != 1 || list[0].Session != "" || list[0].Ticket != "" {
		t.Errorf("%+v, %v", list, err)
	}
}
