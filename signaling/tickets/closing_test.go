package tickets_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/mainforte/mainforte/signaling/tickets"
)

func TestAClosingNote(t *testing.T) {
	c, err := tickets.Closing{
		Session: "S1", Technician: "Ann\u202e", Resolution: "workaround", Text: "Driver\u202e removed.\r\n\r\n\r\n<b>Comes back</b> on Monday.",
		Link: "https://help.example.org/audit?session=S1",
	}.Clean()
	if err != nil {
		t.Fatal(err)
	}
	for lang, want := range map[string]string{
		"en": "Closing note\n\nTechnician: Ann\nResolution: worked around\n\nWhat the technician noted\nDriver removed.\n\n<b>Comes back</b> on Monday.\n\nFor the record\nSession: S1\nFull log: https://help.example.org/audit?session=S1",
		"fr": "Note de clôture\n\nTechnicien\u00a0: Ann\nRésolution\u00a0: contourné\n\nCe que le technicien a noté\nDriver removed.\n\n<b>Comes back</b> on Monday.\n\nPour le dossier\nSession\u00a0: S1\nRegistre complet\u00a0: https://help.example.org/audit?session=S1",
	} {
		n := c.Note(lang)
		if got := strings.TrimSpace(n.Plain()); got != want {
			t.Errorf("%s:\n%q\nwant\n%q", lang, got, want)
		}
		if n.Key != "mf:S1:closing" || n.Author != "Ann" || n.Lang != lang || strings.Contains(tickets.HTML(n.Doc), "<b>Comes") {
			t.Errorf("%+v", n)
		}
		for _, r := range tickets.Resolutions() {
			c.Resolution = r
			if text := c.Note(lang).Plain(); strings.Contains(text, "resolution.") || !strings.Contains(text, "solution") {
				t.Errorf("%s: %s", r, text)
			}
		}
		c.Resolution = "workaround"
	}
	for _, bad := range []struct {
		c    tickets.Closing
		want error
	}{
		{tickets.Closing{}, tickets.ErrInvalid},
		{tickets.Closing{Text: " \n\u200b"}, tickets.ErrInvalid},
		{tickets.Closing{Text: "x", Resolution: "magic"}, tickets.ErrInvalid},
		{tickets.Closing{Text: strings.Repeat("é", 4001)}, tickets.ErrTooLarge},
		{tickets.Closing{Text: strings.Repeat("é", 40_001)}, tickets.ErrTooLarge},
	} {
		if _, err := bad.c.Clean(); !errors.Is(err, bad.want) {
			t.Errorf("%.40q: %v", bad.c.Text, err)
		}
	}
	if _, err := (tickets.Closing{Resolution: "solved"}).Clean(); err != nil {
		t.Errorf("a resolution alone: %v", err)
	}
}
