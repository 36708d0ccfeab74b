package tickets_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
	"github.com/mainforte/mainforte/signaling/tickets/fake"
	"github.com/mainforte/mainforte/signaling/tickets/ticketstest"
)

// street is a server's desks: its own, and two of somebody else with a ticket 7
// each, both behind a line that can be cut.
type street struct {
	*tickets.Desks
	t     *testing.T
	st    store.Store
	log   *audit.Log
	sites map[string]*fake.Zammad
	lines map[string]*ticketstest.Line
}

func newStreet(t *testing.T, policy tickets.Policy) *street {
	t.Helper()
	dir := t.TempDir()
	s := &street{t: t, st: openStore(t, dir), sites: map[string]*fake.Zammad{}, lines: map[string]*ticketstest.Line{}}
	var err error
	if s.log, err = audit.Open(bg, s.st, filepath.Join(dir, "keys")); err != nil {
		t.Fatal(err)
	}
	setup := tickets.Setup{Policy: policy}
	for _, name := range []string{"front", "back"} {
		z := &fake.Zammad{}
		z.Add(fake.Subject{ID: 7, Title: "Printer of the " + name, Requester: "Zoë", French: name == "back"})
		srv := httptest.NewServer(z)
		t.Cleanup(srv.Close)
		s.sites[name], s.lines[name] = z, ticketstest.NewLine(t, srv.URL)
		setup.Desks = append(setup.Desks, tickets.DeskSetup{Name: name, Config: tickets.Config{
			System: "zammad", URL: s.lines[name].URL, Token: fake.Worker, Timeout: time.Second,
		}})
	}
	if s.Desks, err = tickets.NewDesks(tickets.NewLocal(s.st), setup); err != nil {
		t.Fatal(err)
	}
	return s
}

// away cuts a desk's line; back mends it.
func (s *street) away(name string) {
	s.lines[name].Instead(func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) })
}

func (s *street) back(name string) { s.lines[name].Instead(nil) }

// session writes the row of a session of a ticket.
func (s *street) session(id, ticket string) {
	s.t.Helper()
	err := s.st.Update(bg, func(tx store.Tx) error {
		_, err := tx.Exec("insert into sessions (id, ticket_id, technician_id, started) values (?, ?, 'ann', '1')", id, ticket)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestEachTicketGoesToItsDesk(t *testing.T) {
	s := newStreet(t, tickets.Policy{Desk: "back"})
	mine, err := s.Local().Create(bg, tickets.New{Subject: "mine", Lang: "en"})
	if err != nil {
		t.Fatal(err)
	}
	s.session("S1", "front:7")
	for id, want := range map[string]tickets.Ticket{
		mine.ID:   {Subject: "mine", Lang: "en"},
		"front:7": {Subject: "Printer of the front", Lang: "en", Sessions: 1},
		"back:7":  {Subject: "Printer of the back", Lang: "fr"},
	} {
		got, err := s.Get(bg, id)
		if err != nil || got.ID != id || got.Subject != want.Subject || got.Lang != want.Lang || got.Sessions != want.Sessions || !got.Open || got.Remembered {
			t.Errorf("%s: %+v %v", id, got, err)
		}
	}
	for id, want := range map[string]error{
		"front:8": tickets.ErrNotFound, "front:": tickets.ErrNotFound, "front:7:7": tickets.ErrNotFound, "front:é": tickets.ErrNotFound,
		"side:7": tickets.ErrNoDesk, ":7": tickets.ErrNoDesk, "local:" + mine.ID: tickets.ErrNotFound,
		"front:" + strings.Repeat("7", 200): tickets.ErrNotFound,
	} {
		if _, err := s.Get(bg, id); !errors.Is(err, want) {
			t.Errorf("%.20s: %v", id, err)
		}
	}
	found, err := s.Search(bg, "printer", 10)
	if err != nil || len(found) != 1 || found[0].ID != "back:7" {
		t.Errorf("the desk of the policy: %+v %v", found, err)
	}
	found, err = s.SearchIn(bg, "front", "printer", 10)
	if err != nil || len(found) != 1 || found[0].ID != "front:7" {
		t.Errorf("the desk that was asked for: %+v %v", found, err)
	}
	n := endNote("S1")
	id, err := s.Append(bg, "front:7", n)
	if err != nil || len(s.sites["front"].Notes(7)) != 1 || len(s.sites["back"].Notes(7)) != 0 {
		t.Fatalf("%q %v", id, err)
	}
	if got, ok, err := s.Find(bg, "front:7", n.Key); err != nil || !ok || got != id {
		t.Errorf("%q %v %v", got, ok, err)
	}
	if _, ok, err := s.Find(bg, "back:7", n.Key); err != nil || ok {
		t.Errorf("found in the wrong desk: %v %v", ok, err)
	}
	if _, _, err := s.Find(bg, "side:7", n.Key); !errors.Is(err, tickets.ErrNoDesk) {
		t.Error(err)
	}
	if err := s.Check(bg); err != nil {
		t.Error(err)
	}
	s.away("back")
	if err := s.Check(bg); !errors.Is(err, tickets.ErrTransient) || !strings.Contains(err.Error(), "desk back") || strings.Contains(err.Error(), "desk front") {
		t.Errorf("of the one that is away: %v", err)
	}
}

// One desk never answers, not even with no. The notes of the others stand before
// its first try is over, and its own as soon as it is back, once.
func TestASlowDeskHoldsUpNobodysNotes(t *testing.T) {
	s := newStreet(t, tickets.Policy{})
	mine, err := s.Local().Create(bg, tickets.New{Subject: "mine", Lang: "en"})
	if err != nil {
		t.Fatal(err)
	}
	asked, over := make(chan struct{}, 100), make(chan struct{})
	s.lines["front"].Instead(func(_ http.ResponseWriter, r *http.Request) bool {
		asked <- struct{}{}
		select {
		case <-over:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler)
	})
	box := tickets.NewOutbox(s.st, s.log, s.Desks)
	box.Hurry(time.Minute)
	put := func(session, ticket string) {
		t.Helper()
		if err := s.st.Update(bg, func(tx store.Tx) error { return box.EnqueueTx(tx, ticket, endNote(session)) }); err != nil {
			t.Fatal(err)
		}
		box.Wake()
	}
	ctx, cancel := context.WithCancel(bg)
	var running sync.WaitGroup
	running.Go(func() { box.Run(ctx, quiet) })
	defer running.Wait()
	defer cancel()
	put("S1", "front:7")
	<-asked
	put("S2", "back:7")
	put("S3", mine.ID)
	put("S4", "gone:7") // of a desk that the configuration no longer names
	left := func(n int) []tickets.Letter {
		t.Helper()
		for limit := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
			list, err := box.Waiting(bg, 0)
			if err != nil {
				t.Fatal(err)
			}
			if len(list) == n {
				return list
			}
			if time.Now().After(limit) {
				t.Fatalf("%d notes wait: %+v", len(list), list)
			}
		}
	}
	list := left(2)
	if list[0].System != "gone" || list[1].System != "front" || list[1].Ticket != "front:7" {
		t.Errorf("%+v", list)
	}
	if len(s.sites["back"].Notes(7)) != 1 || len(s.sites["front"].Notes(7)) != 0 {
		t.Error("the note of another desk is missing")
	}
	s.back("front")
	close(over)
	left(1)
	if n := s.sites["front"].Notes(7); len(n) != 1 {
		t.Errorf("%d notes in the desk that came back", len(n))
	}
	events, err := s.log.Events(bg, "S1")
	if err != nil || len(events) != 2 || events[1].Type != "ticket.note_written" || events[1].Ticket != "front:7" || events[1].Data["system"] != "front" {
		t.Errorf("%+v %v", events, err)
	}
}

func TestARememberedTicketStandsInForADeskThatIsAway(t *testing.T) {
	for _, offline := range []string{tickets.OfflineRefuse, tickets.OfflineAllow} {
		t.Run(offline, func(t *testing.T) {
			s := newStreet(t, tickets.Policy{Offline: offline})
			if _, err := s.Recall(bg, "back:7"); !errors.Is(err, tickets.ErrNotFound) {
				t.Errorf("never seen: %v", err)
			}
			if _, err := s.Get(bg, "back:7"); err != nil {
				t.Fatal(err)
			}
			s.away("back")
			s.away("front")
			got, err := s.Recall(bg, "back:7")
			if err != nil || got.Subject != "Printer of the back" || got.Lang != "fr" || !got.Open || !got.Remembered || got.Requester != "" {
				t.Errorf("remembered as %+v, %v", got, err)
			}
			live, err := s.Get(bg, "back:7")
			if offline == tickets.OfflineAllow && (err != nil || live.Subject != got.Subject || !live.Remembered) ||
				offline == tickets.OfflineRefuse && !errors.Is(err, tickets.ErrTransient) {
				t.Errorf("%+v %v", live, err)
			}
			if _, err := s.Get(bg, "front:7"); !errors.Is(err, tickets.ErrTransient) {
				t.Errorf("never seen: %v", err)
			}
			// What the desk says counts as soon as it says something, also no.
			s.back("back")
			s.sites["back"].Close(7)
			if live, err := s.Get(bg, "back:7"); err != nil || live.Open || live.Remembered {
				t.Errorf("%+v %v", live, err)
			}
			s.away("back")
			if got, err := s.Recall(bg, "back:7"); err != nil || got.Open {
				t.Errorf("closed meanwhile: %+v %v", got, err)
			}
			s.lines["back"].Instead(ticketstest.Say(401, "application/json", `{"error": "no"}`))
			if _, err := s.Get(bg, "back:7"); !errors.Is(err, tickets.ErrAuth) {
				t.Errorf("a desk that refuses us is not away: %v", err)
			}
		})
	}
}

// A desk that answers never is away after a while, whoever waits.
func TestNobodyWaitsLongForATicket(t *testing.T) {
	s := newStreet(t, tickets.Policy{Offline: tickets.OfflineAllow})
	if _, err := s.Get(bg, "back:7"); err != nil {
		t.Fatal(err)
	}
	s.lines["back"].Instead(func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	})
	if got, err := s.Get(bg, "back:7"); err != nil || !got.Remembered {
		t.Errorf("%+v %v", got, err)
	}
	ctx, cancel := context.WithCancel(bg)
	cancel()
	if _, err := s.Get(ctx, "back:7"); !errors.Is(err, context.Canceled) {
		t.Errorf("who went away: %v", err)
	}
}

func TestWhatIsRememberedGoesWithItsLastSession(t *testing.T) {
	s := newStreet(t, tickets.Policy{})
	if _, err := s.Get(bg, "back:7"); err != nil {
		t.Fatal(err)
	}
	s.session("S1", "back:7")
	s.session("S2", "back:7")
	var ids []string
	for _, session := range []string{"S1", "S2"} {
		// Each has a personal part, so a key of its own.
		e := audit.Event{
			Type: "session.paired", Session: session, Outcome: "ok", Origin: "server", Time: time.Now(), Actor: audit.Actor{Kind: "system"},
			Personal: map[string]any{"technician": "Ann"},
		}
		if _, err := s.log.Append(bg, e); err != nil {
			t.Fatal(err)
		}
	}
	purge := func(session string) {
		t.Helper()
		err := s.st.Update(bg, func(tx store.Tx) error {
			if _, err := tx.Exec("update audit_keys set wrapped = null, purged = '2' where scope = ?", "session:"+session); err != nil {
				return err
			}
			return tickets.ForgetTx(tx, session)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	purge("S1")
	if _, err := s.Recall(bg, "back:7"); err != nil {
		t.Errorf("another session needs it: %v", err)
	}
	purge("S2")
	if got, err := s.Recall(bg, "back:7"); !errors.Is(err, tickets.ErrNotFound) {
		t.Errorf("still there: %+v %v %v", got, err, ids)
	}
}

func TestATicketThatWasOnlyLookedAtIsForgotten(t *testing.T) {
	s := newStreet(t, tickets.Policy{})
	for _, id := range []string{"front:7", "back:7"} {
		if _, err := s.Get(bg, id); err != nil {
			t.Fatal(err)
		}
	}
	s.session("S1", "front:7")
	s.Local().SetNow(func() time.Time { return time.Now().Add(31 * 24 * time.Hour) })
	s.sites["front"].Add(fake.Subject{ID: 9, Title: "another"})
	if _, err := s.Get(bg, "front:9"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recall(bg, "back:7"); !errors.Is(err, tickets.ErrNotFound) {
		t.Errorf("still remembered: %v", err)
	}
	if _, err := s.Recall(bg, "front:7"); err != nil {
		t.Errorf("a session needs it: %v", err)
	}
}

func TestATicketLeadsToItsPage(t *testing.T) {
	for _, c := range []struct {
		system, url, id, table, want string
	}{
		{"rt", "https://desk.example.org/rt/", "17", "", "https://desk.example.org/rt/Ticket/Display.html?id=17"},
		{"zammad", "https://desk.example.org", "7", "", "https://desk.example.org/#ticket/zoom/7"},
		{"jira", "https://x.atlassian.net", "HELP-7", "", "https://x.atlassian.net/browse/HELP-7"},
		{"servicenow", "https://x.service-now.com", "INC0012", "", "https://x.service-now.com/nav_to.do?uri=incident.do%3Fsysparm_query%3Dnumber%3DINC0012"},
		{"servicenow", "https://x.service-now.com", "CS&7", "sn_case", "https://x.service-now.com/nav_to.do?uri=sn_case.do%3Fsysparm_query%3Dnumber%3DCS%267"},
		{"email", "smtps://mail.example.org", "7", "", ""},
		{"rt", "ftp://desk.example.org", "7", "", ""},
	} {
		got := tickets.PageOf(tickets.Config{System: c.system, URL: c.url, Table: c.table}, tickets.Ticket{ID: c.id, Number: c.id})
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.system, got, c.want)
		}
	}
}

func TestNewDesksNamesWhatIsWrong(t *testing.T) {
	desk := func(name string) tickets.DeskSetup {
		return tickets.DeskSetup{Name: name, Config: tickets.Config{System: "zammad", URL: "https://desk.example.org", Token: "x"}}
	}
	for want, setup := range map[string]tickets.Setup{
		`the name of a desk is`:                 {Desks: []tickets.DeskSetup{desk("Front")}},
		`is the embedded desk`:                  {Desks: []tickets.DeskSetup{desk("local")}},
		`two desks are called "rt"`:             {Desks: []tickets.DeskSetup{desk("rt"), desk("rt")}},
		`desk "rt": tickets: the desk is not`:   {Desks: []tickets.DeskSetup{{Name: "rt"}}},
		`policy: desk names "side"`:             {Policy: tickets.Policy{Desk: "side"}},
		`policy: note is one of private`:        {Policy: tickets.Policy{Note: "loud"}},
		`policy: offline is one of refuse`:      {Policy: tickets.Policy{Offline: "yes"}},
		`policy: ticket is one of required, al`: {Policy: tickets.Policy{Ticket: "no"}},
	} {
		_, err := tickets.NewDesks(nil, setup)
		if !errors.Is(err, tickets.ErrConfig) || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("want %s: %v", want, err)
		}
	}
}

// wordsOf are those by which a session is found.
func (s *street) wordsOf(session string) string {
	s.t.Helper()
	var list []string
	if err := s.st.View(bg, func(tx store.Tx) error {
		list = nil
		rows, err := tx.Query("select word from session_words where session = ? order by word", session)
		if err != nil {
			return err
		}
		for rows.Next() {
			var w string
			if err := rows.Scan(&w); err != nil {
				return err
			}
			list = append(list, w)
		}
		return rows.Err()
	}); err != nil {
		s.t.Fatal(err)
	}
	return strings.Join(list, " ")
}

// A ticket that is called otherwise in its desk is found by its new words, in every
// session that was not purged, and by its old ones no more.
func TestSessionsAreFoundByTheWordsTheirTicketHasNow(t *testing.T) {
	s := newStreet(t, tickets.Policy{Desk: "back"})
	for _, id := range []string{"S1", "S2", "purged"} {
		s.session(id, "front:7")
	}
	if err := s.st.Update(bg, func(tx store.Tx) error {
		_, err := tx.Exec("insert into audit_keys (id, scope, created, purged) values ('k', 'session:purged', '', 'then')")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	called := func(title, want string) {
		t.Helper()
		if title != "" {
			s.sites["front"].Rename(7, title)
		}
		if _, err := s.Get(bg, "front:7"); err != nil {
			t.Fatal(err)
		}
		for session, want := range map[string]string{"S1": want, "S2": want, "purged": ""} {
			if got := s.wordsOf(session); got != want {
				t.Errorf("%q is found by %q, want %q", session, got, want)
			}
		}
	}
	called("", "22007 front of printer the")
	called("Écran noir", "22007 ecran noir")
}
