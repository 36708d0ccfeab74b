package pairing

import (
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/tickets"
)

func TestTheNoteAndTheRecordNameEverybody(t *testing.T) {
	b := newBench(t)
	h, ann, bob := b.host(), b.viewer("ann"), b.viewer("bob")
	b.pair(h, ann)
	b.join(h, bob, expert)
	h.event("consent.granted", "ok", `{"grant":"control","participant":"2"}`)
	h.event("control.handed_over", "ok", `{"grant":"control","participant":"2"}`)
	h.event("input.summary", "ok", `{"keys":1,"participant":"2"}`)
	h.event("session.degraded", "ok", `{"reason":"LINE_SLOW","value":812,"participant":"2"}`)
	h.event("session.restored", "ok", `{"reason":"LINE_SLOW","participant":"2"}`)
	h.event("session.route", "ok", `{"route":"relay_tls","participant":"2"}`)
	h.acked(t, 6)
	b.advance(time.Minute)
	bob.end(mfpb.Reason_REASON_LEFT)
	h.hears(t, "2", mfpb.Reason_REASON_LEFT)
	b.advance(time.Minute)
	h.close(mfpb.Reason_REASON_PERSON_STOPPED)
	r := b.ended(h.session)
	if len(r.Participants) != 2 {
		t.Fatalf("recorded: %+v", r)
	}
	first, second := r.Participants[0], r.Participants[1]
	if first.Left != r.Ended || first.Reason != "PERSON_STOPPED" || second.Reason != "LEFT" || second.Left != r.Ended.Add(-time.Minute) {
		t.Errorf("recorded: %+v", r.Participants)
	}
	for _, e := range b.events(h.session) {
		switch e.Type {
		case "control.handed_over", "input.summary":
			if e.Actor.Ref != "id-bob" {
				t.Errorf("%s is said to be of %+v", e.Type, e.Actor)
			}
		}
	}
	note := b.notes(1)[0].Text
	for _, s := range []string{"ann, bob", "ann (a dirigé la session)", "bob (sur invitation)", "clavier (bob)", "transmis", "0,8", "TLS (bob)"} {
		if !strings.Contains(note, s) {
			t.Errorf("the note lacks %q:\n%s", s, note)
		}
	}
}

// TestTheNoteTellsWhatWasSharedSaidAndShown: what only the sealed parts of the log
// hold; the chat only where the policy wants it there.
func TestTheNoteTellsWhatWasSharedSaidAndShown(t *testing.T) {
	long := strings.Repeat("pas à pas ", 40) + "fin" // longer than a name may be
	for policy, chat := range map[tickets.Chat]bool{tickets.ChatNoted: true, tickets.ChatLogged: false} {
		t.Run(string(policy), func(t *testing.T) {
			b := newBench(t, func(c *Config) { c.Policy.Chat = policy })
			h, ann := b.host(), b.viewer("ann")
			b.pair(h, ann)
			for _, e := range [][3]string{
				{"file.received", `{"size":2048,"sha256":"` + strings.Repeat("ab", 32) + `","participant":"1"}`, `{"name":"pilote.zip"}`},
				{"file.sent", `{"size":7,"sha256":"` + strings.Repeat("cd", 32) + `","participant":"1"}`, `{"name":"journal.txt"}`},
				{"chat.line", `{"part":1,"parts":1}`, `{"text":"Merci beaucoup\nà demain"}`},
				{"chat.line", `{"part":1,"parts":1,"participant":"1"}`, `{"text":"De rien"}`},
				{"steps.approved", `{"participant":"1","step":1}`, `{"text":"` + long + `"}`},
				{"steps.refused", `{"participant":"1","step":2}`, `{"text":"jamais montrée"}`},
			} {
				h.seq++
				h.eventAt(h.seq, e[0], "ok", e[1], e[2])
			}
			h.acked(t, 6)
			h.close(mfpb.Reason_REASON_PERSON_STOPPED)
			b.ended(h.session)
			note := b.notes(1)[0].Text
			for s, want := range map[string]bool{
				"pilote.zip (2,0 ko,": true, "journal.txt (7 o,": true, strings.Repeat("ab", 32): true, strings.TrimSpace(long): true, "Étapes montrées": true,
				"Merci beaucoup": chat, "De rien": chat, "jamais montrée": false,
			} {
				if strings.Contains(note, s) != want {
					t.Errorf("%q in the note: %v, want %v:\n%s", s, !want, want, note)
				}
			}
		})
	}
}

// TestTheChatStaysWhereBothSidesWereTold: whatever a host sends, and whatever the
// policy is when the server comes back, a line stays no further than was told of it.
func TestTheChatStaysWhereBothSidesWereTold(t *testing.T) {
	for _, c := range []struct {
		before, after tickets.Chat
		kept, noted   string // which of the lines "un" and "deux", each said under one of them
	}{
		{"", tickets.ChatNoted, "", ""},
		{tickets.ChatCounted, tickets.ChatNoted, "", ""},
		{tickets.ChatLogged, tickets.ChatNoted, "un deux", ""},
		{tickets.ChatNoted, tickets.ChatLogged, "un deux", "un"},
		{tickets.ChatNoted, tickets.ChatCounted, "un", "un"},
		{tickets.ChatNoted, tickets.ChatNoted, "un deux", "un deux"},
	} {
		t.Run(string(c.before)+" then "+string(c.after), func(t *testing.T) {
			policy := c.before
			b := newBench(t, func(cfg *Config) { cfg.Policy.Chat = policy })
			h, ann := b.host(), b.viewer("ann")
			b.pair(h, ann)
			h.seq++
			h.eventAt(h.seq, "chat.line", "ok", `{"part":1,"parts":1,"noted":true}`, `{"text":"un"}`)
			h.acked(t, h.seq)
			b.stop()
			policy = c.after
			b.start()
			h2 := b.resumeHost(h)
			want[*mfpb.ViewerState](t, h2.peer)
			h2.acked(t, h.seq)
			h2.seq = h.seq + 1
			h2.eventAt(h2.seq, "chat.line", "ok", `{"part":1,"parts":1}`, `{"text":"deux"}`)
			h2.acked(t, h2.seq)
			h2.close(mfpb.Reason_REASON_PERSON_STOPPED)
			b.ended(h.session)
			var kept []string
			gaps := 0
			for _, e := range b.events(h.session) {
				switch text, _ := e.Personal["text"].(string); {
				case e.Type == "chat.line":
					kept = append(kept, text)
				case text != "":
					t.Errorf("%s keeps %q", e.Type, text)
				case e.Type == "log.gap" && e.Data["why"] == "policy":
					gaps++
				}
			}
			if got := strings.Join(kept, " "); got != c.kept || gaps != 2-len(kept) {
				t.Errorf("the log keeps %q, want %q, and has %d gaps", got, c.kept, gaps)
			}
			note := b.notes(1)[0].Text
			for _, line := range []string{"un", "deux"} {
				if strings.Contains(note, "Caron : "+line) != strings.Contains(c.noted, line) {
					t.Errorf("the note should hold %q:\n%s", c.noted, note)
				}
			}
		})
	}
}
