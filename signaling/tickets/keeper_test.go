package tickets_test

import (
	"context"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
	"github.com/mainforte/mainforte/signaling/tickets/fake"
	"github.com/mainforte/mainforte/signaling/tickets/ticketstest"
)

var (
	loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	root     = audit.Actor{Kind: "admin", Ref: "root"}
)

func yes(store.Tx) error { return nil }

// office is a server whose desks are connected on the page.
type office struct {
	*tickets.Keeper
	desks *tickets.Desks
	t     *testing.T
	st    store.Store
	log   *audit.Log
}

func newOffice(t *testing.T, file tickets.Setup, allow []netip.Prefix) *office {
	t.Helper()
	dir := t.TempDir()
	o := &office{t: t, st: openStore(t, dir)}
	var err error
	if o.log, err = audit.Open(bg, o.st, filepath.Join(dir, "keys")); err != nil {
		t.Fatal(err)
	}
	o.open(file, allow)
	return o
}

// open is a start of the server.
func (o *office) open(file tickets.Setup, allow []netip.Prefix) {
	o.t.Helper()
	var err error
	if o.desks, err = tickets.NewDesks(tickets.NewLocal(o.st), file); err != nil {
		o.t.Fatal(err)
	}
	if o.Keeper, err = tickets.OpenKeeper(bg, o.st, o.log, o.desks, allow); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) version() int64 {
	_, v := o.Connected()
	return v
}

func (o *office) add(c tickets.Connection) {
	o.t.Helper()
	if err := o.Add(bg, root, o.version(), c, yes); err != nil {
		o.t.Fatal(err)
	}
}

// kept is the text in the database.
func (o *office) kept() (text string) {
	o.t.Helper()
	if err := o.st.View(bg, func(tx store.Tx) error {
		return tx.QueryRow("select setup from desk_setup where id = 1").Scan(&text)
	}); err != nil {
		o.t.Fatal(err)
	}
	return text
}

func zammadAt(url string) tickets.Connection {
	return tickets.Connection{Name: "zam", System: "zammad", URL: url, Secrets: tickets.Secrets{Token: fake.Worker}}
}

// C131: what a page may not reach is not called, however it is written.
func TestThePageReachesLessThanTheFile(t *testing.T) {
	var called atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Add(1) }))
	defer srv.Close()
	port := srv.URL[strings.LastIndexByte(srv.URL, ':'):]
	o := newOffice(t, tickets.Setup{}, nil)
	try := func(system, url string) error {
		c := tickets.Connection{Name: "x", System: system, URL: url, From: "a@example.org", To: "b@example.org", Secrets: tickets.Secrets{Token: "t"}}
		if system == "email" {
			c.Secrets = tickets.Secrets{}
		}
		s, err := o.Try(tickets.Edit{Connection: c})
		if err == nil {
			ctx, cancel := context.WithTimeout(bg, 5*time.Second)
			defer cancel()
			err = s.Check(ctx)
		}
		return err
	}
	for _, literal := range []string{
		"https://127.0.0.1" + port, "https://[::1]" + port, "https://[::ffff:127.0.0.1]" + port, "https://169.254.169.254", "https://0.0.0.0" + port,
		"https://[fe80::1]", "https://100.100.100.200", "https://[64:ff9b::7f00:1]",
	} {
		if err := try("rt", literal); !errors.Is(err, tickets.ErrInner) {
			t.Errorf("%s: %v", literal, err)
		}
	}
	for _, plain := range []string{"http://127.0.0.1" + port, "http://localhost" + port, "http://192.0.2.1"} {
		if err := try("rt", plain); !errors.Is(err, tickets.ErrPlain) {
			t.Errorf("%s: %v", plain, err)
		}
	}
	if err := try("email", "smtp://127.0.0.1"+port); !errors.Is(err, tickets.ErrInner) {
		t.Errorf("mail: %v", err)
	}
	// A name is looked at when it is dialled.
	for _, c := range [][2]string{{"rt", "https://localhost" + port}, {"email", "smtp://localhost" + port}, {"email", "smtps://localhost" + port}} {
		if is, words := tickets.TroubleOf(try(c[0], c[1])); is != tickets.TroubleAddress || words != "" {
			t.Errorf("%v: %q %q", c, is, words)
		}
	}
	for _, bad := range []string{"", "desk", "ftp://desk.example.org", "https://u:p@desk.example.org", "https://desk.example.org?x=y", "smtp://desk.example.org"} {
		if err := try("rt", bad); !errors.Is(err, tickets.ErrURL) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if called.Load() != 0 {
		t.Fatal("it was called")
	}
	// Where the server was started so, it is; and nothing else is by plain text.
	o.open(tickets.Setup{}, loopback)
	if is, _ := tickets.TroubleOf(try("rt", "http://127.0.0.1"+port)); is != tickets.TroubleElsewhere || called.Load() == 0 {
		t.Errorf("allowed: %q", is)
	}
	if err := try("rt", "http://192.0.2.1"); !errors.Is(err, tickets.ErrInner) {
		t.Errorf("plain text to another address: %v", err)
	}
}

// C132: whoever may change a desk cannot have its secrets sent to an address of theirs.
func TestSecretsAreNotSentToANewAddress(t *testing.T) {
	var heard atomic.Pointer[string]
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		h := r.Header.Get("Authorization")
		heard.Store(&h)
	}))
	defer thief.Close()
	z := &fake.Zammad{}
	srv := httptest.NewServer(z)
	defer srv.Close()
	o := newOffice(t, tickets.Setup{}, loopback)
	o.add(zammadAt(srv.URL))
	moved := zammadAt(thief.URL)
	moved.Secrets = tickets.Secrets{}
	if err := o.Change(bg, root, 1, tickets.Edit{Connection: moved}, yes); !errors.Is(err, tickets.ErrAgain) {
		t.Errorf("changed: %v", err)
	}
	if s, err := o.Try(tickets.Edit{Connection: moved}); !errors.Is(err, tickets.ErrAgain) {
		if err == nil {
			_ = s.Check(bg)
		}
		t.Errorf("tried: %v, and the thief heard %v", err, heard.Load())
	}
	// At the same address an empty one stays, and what is named is forgotten.
	same := zammadAt(srv.URL + "/")
	same.Secrets, same.Lang = tickets.Secrets{HookSecret: strings.Repeat("h", 20)}, "fr"
	if err := o.Change(bg, root, 1, tickets.Edit{Connection: same}, yes); err != nil {
		t.Fatal(err)
	}
	if d, err := o.desks.Desk("zam"); err != nil || d.Check(bg) != nil {
		t.Errorf("it cannot be used any more: %v", err)
	}
	if list, _ := o.Connected(); !slices.Equal(list[0].Has, []string{"token", "hook_secret"}) || list[0].Secrets != (tickets.Secrets{}) {
		t.Errorf("%+v", list)
	}
	same.Secrets = tickets.Secrets{}
	if err := o.Change(bg, root, 2, tickets.Edit{Connection: same, Forget: []string{"hook_secret"}}, yes); err != nil {
		t.Fatal(err)
	}
	if list, _ := o.Connected(); !slices.Equal(list[0].Has, []string{"token"}) {
		t.Errorf("%+v", list)
	}
	if heard.Load() != nil {
		t.Errorf("the thief heard %q", *heard.Load())
	}
}

// C133: the database holds no secret that it can read, and none that opens at another
// address.
func TestSecretsAreSealedForTheirDesk(t *testing.T) {
	o := newOffice(t, tickets.Setup{}, loopback)
	srv := httptest.NewServer(&fake.Zammad{})
	defer srv.Close()
	o.add(zammadAt(srv.URL))
	if text := o.kept(); strings.Contains(text, fake.Worker) || !strings.Contains(text, srv.URL) {
		t.Errorf("kept as %s", text)
	}
	o.open(tickets.Setup{}, loopback)
	if d, err := o.desks.Desk("zam"); err != nil || d.Check(bg) != nil {
		t.Fatalf("after a start: %v", err)
	}
	stolen := strings.ReplaceAll(o.kept(), srv.URL, "http://127.0.0.9:1")
	if err := o.st.Update(bg, func(tx store.Tx) error {
		_, err := tx.Exec("update desk_setup set setup = ?", stolen)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	o.open(tickets.Setup{}, loopback)
	if list, _ := o.Connected(); len(list) != 1 || list[0].Standing != tickets.StandsSealed || len(list[0].Has) != 0 {
		t.Errorf("%+v", list)
	}
	if _, err := o.desks.Desk("zam"); !errors.Is(err, tickets.ErrNoDesk) {
		t.Errorf("it is used: %v", err)
	}
	// Given anew, they are good.
	if err := o.Change(bg, root, 1, tickets.Edit{Connection: zammadAt(srv.URL)}, yes); err != nil {
		t.Fatal(err)
	}
	if d, err := o.desks.Desk("zam"); err != nil || d.Check(bg) != nil {
		t.Errorf("mended: %v", err)
	}
}

// full is a log that takes nothing.
type full struct{ *audit.Log }

func (full) AppendTx(store.Tx, ...audit.Event) (int64, error) { return 0, errors.New("full") }

// C134: what the log does not take has not happened, and who was slower is told.
func TestADeskIsConnectedOnceAndWrittenDown(t *testing.T) {
	o := newOffice(t, tickets.Setup{Desks: []tickets.DeskSetup{{Name: "old", Config: tickets.Config{System: "rt", URL: "https://rt.example.org", Token: "x"}}}}, nil)
	deaf, err := tickets.OpenKeeper(bg, o.st, full{o.log}, o.desks, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := zammadAt("https://help.example.org")
	if err := deaf.Add(bg, root, 0, c, yes); err == nil || o.desks.Has("zam") {
		t.Errorf("not written down: %v", err)
	}
	no := errors.New("no")
	if err := o.Add(bg, root, 0, c, func(store.Tx) error { return no }); !errors.Is(err, no) || o.desks.Has("zam") {
		t.Errorf("not allowed: %v", err)
	}
	o.add(c)
	for want, what := range map[error]func(c tickets.Connection) error{
		tickets.ErrStale: func(c tickets.Connection) error { return o.Add(bg, root, 0, c, yes) },
		tickets.ErrTaken: func(c tickets.Connection) error { return o.Add(bg, root, 1, c, yes) },
		tickets.ErrName:  func(c tickets.Connection) error { c.Name = "local"; return o.Add(bg, root, 1, c, yes) },
		tickets.ErrUsed: func(c tickets.Connection) error {
			c.System = "freshdesk"
			return o.Change(bg, root, 1, tickets.Edit{Connection: c}, yes)
		},
		tickets.ErrOfFile: func(tickets.Connection) error { return o.Remove(bg, root, 1, "old", yes) },
		tickets.ErrNoDesk: func(tickets.Connection) error { return o.Remove(bg, root, 1, "none", yes) },
		tickets.ErrField: func(c tickets.Connection) error {
			c.Name, c.Secrets = "b", tickets.Secrets{}
			return o.Add(bg, root, 1, c, yes)
		},
		tickets.ErrCA: func(c tickets.Connection) error { c.Name, c.CA = "b", "none"; return o.Add(bg, root, 1, c, yes) },
		tickets.ErrHook: func(c tickets.Connection) error {
			c.Name, c.Secrets.HookSecret = "b", "x"
			return o.Add(bg, root, 1, c, yes)
		},
		tickets.ErrNoValue: func(tickets.Connection) error {
			return o.SetPolicy(bg, root, 1, &tickets.Policy{Desk: "none"}, yes)
		},
	} {
		if err := what(c); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	// A name of the file is the file's.
	taken := c
	taken.Name = "old"
	if err := o.Add(bg, root, 1, taken, yes); !errors.Is(err, tickets.ErrTaken) {
		t.Errorf("the file's: %v", err)
	}
	// The tickets of a name stay those of one system.
	if err := o.Remove(bg, root, 1, "zam", yes); err != nil || o.desks.Has("zam") {
		t.Fatal(err)
	}
	other := tickets.Connection{Name: "zam", System: "freshdesk", URL: "https://x.example.org", Secrets: tickets.Secrets{Token: "k"}}
	if err := o.Add(bg, root, 2, other, yes); !errors.Is(err, tickets.ErrUsed) {
		t.Errorf("of another system: %v", err)
	}
	o.add(c)
	list, err := o.log.Recent(bg, []string{"desk.added", "desk.changed", "desk.removed"}, -1, 10)
	if err != nil || len(list) != 3 || list[2].Type != "desk.added" || list[1].Type != "desk.removed" {
		t.Fatalf("%+v %v", list, err)
	}
	if e := list[2]; e.Data["desk"] != "zam" || e.Data["system"] != "zammad" || e.Personal["address"] != "https://help.example.org" || e.Actor != root {
		t.Errorf("%+v", e)
	}
}

// The policy of the page counts once there is one, and a desk that is not there is no
// desk to begin with.
func TestThePolicyOfThePageCounts(t *testing.T) {
	file := tickets.Setup{
		Desks:  []tickets.DeskSetup{{Name: "old", Config: tickets.Config{System: "rt", URL: "https://rt.example.org", Token: "x"}}},
		Policy: tickets.Policy{Desk: "old", Ticket: tickets.TicketAllowed},
	}
	o := newOffice(t, file, nil)
	is := func(from, desk, ticket string) {
		t.Helper()
		p, f := o.Policy()
		if f != from || p.Desk != desk || p.Ticket != ticket || o.desks.Policy() != p {
			t.Errorf("%q: %+v", f, p)
		}
	}
	is("file", "old", tickets.TicketAllowed)
	o.add(zammadAt("https://help.example.org"))
	if err := o.SetPolicy(bg, root, 1, &tickets.Policy{Desk: "zam"}, yes); err != nil {
		t.Fatal(err)
	}
	is("page", "zam", tickets.TicketRequired)
	if err := o.Remove(bg, root, 2, "zam", yes); err != nil {
		t.Fatal(err)
	}
	is("page", "old", tickets.TicketRequired)
	o.open(tickets.Setup{}, nil) // neither is the file's desk there any more
	is("page", "local", tickets.TicketRequired)
	o.open(file, nil)
	if err := o.SetPolicy(bg, root, 3, nil, yes); err != nil {
		t.Fatal(err)
	}
	is("file", "old", tickets.TicketAllowed)
	o.open(tickets.Setup{}, nil)
	is("", "local", tickets.TicketRequired)
}

// A desk comes and goes while notes are on their way: each stands once in the end, also
// the one that was in the middle of it.
func TestADeskComesAndGoesWhileNotesAreWritten(t *testing.T) {
	o := newOffice(t, tickets.Setup{}, loopback)
	z := &fake.Zammad{}
	z.Add(fake.Subject{ID: 7, Title: "Printer"})
	srv := httptest.NewServer(z)
	t.Cleanup(srv.Close)
	line := ticketstest.NewLine(t, srv.URL)
	box := tickets.NewOutbox(o.st, o.log, o.desks)
	box.Hurry(time.Minute)
	ctx, cancel := context.WithCancel(bg)
	var running sync.WaitGroup
	running.Go(func() { box.Run(ctx, quiet) })
	defer running.Wait()
	defer cancel()
	put := func(session string) {
		t.Helper()
		if err := o.st.Update(bg, func(tx store.Tx) error { return box.EnqueueTx(tx, "zam:7", endNote(session)) }); err != nil {
			t.Fatal(err)
		}
		box.Wake()
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		for limit := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatal(what)
			}
		}
	}
	put("S1") // before there is such a desk
	o.add(zammadAt(line.URL))
	until("the first note is not written", func() bool { return len(z.Notes(7)) == 1 })

	// Taken away in the middle of a call.
	asked := make(chan struct{}, 100)
	line.Instead(func(_ http.ResponseWriter, r *http.Request) bool {
		asked <- struct{}{}
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	})
	put("S2")
	<-asked
	if err := o.Remove(bg, root, 1, "zam", yes); err != nil {
		t.Fatal(err)
	}
	put("S3")
	until("the notes do not wait", func() bool {
		n, err := box.WaitingBy(bg)
		return err == nil && n["zam"] == 2
	})
	line.Instead(nil)
	time.Sleep(50 * time.Millisecond)
	if n := len(z.Notes(7)); n != 1 {
		t.Errorf("%d notes in a desk that was taken away", n)
	}
	if list, err := box.Waiting(bg, 0); err != nil || len(list) != 2 || list[0].Fault != tickets.FaultNoDesk {
		t.Errorf("%+v %v", list, err)
	}
	o.add(zammadAt(line.URL))
	until("the notes are not written once it is back", func() bool { return len(z.Notes(7)) >= 3 })
	until("a note still waits", func() bool {
		n, err := box.WaitingBy(bg)
		return err == nil && n["zam"] == 0
	})
	if n := len(z.Notes(7)); n != 3 {
		t.Errorf("%d notes", n)
	}
}

// The fields that the page shows are those that a system knows and cannot do without.
func TestFieldsAreThoseOfTheSystems(t *testing.T) {
	for _, system := range tickets.Systems() {
		value := map[string]string{
			"url": "https://desk.example.org", "token": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "user": "u", "password": "p", "client_id": "1", "client_secret": "s",
			"from": "a@example.org", "to": "b@example.org",
		}
		if system == "email" {
			value["url"] = "smtps://mail.example.org"
		}
		open := func(without string) error {
			c := tickets.Config{System: system}
			needed := map[string]bool{}
			for _, f := range tickets.Fields(system) {
				// Of two ways to sign in, one is enough: those are not marked.
				needed[f.Name] = f.Need || system == "itop" && f.Name == "password" || system == "servicenow" && (f.Name == "user" || f.Name == "password")
			}
			for name, at := range map[string]*string{
				"url": &c.URL, "token": &c.Token, "user": &c.User, "password": &c.Password, "client_id": &c.ClientID, "client_secret": &c.ClientSecret, "from": &c.From, "to": &c.To,
			} {
				if needed[name] && name != without {
					*at = value[name]
				}
			}
			_, err := tickets.NewSystem(c)
			return err
		}
		if err := open(""); err != nil {
			t.Errorf("%s with all that it needs: %v", system, err)
		}
		for _, f := range tickets.Fields(system) {
			if f.Need && open(f.Name) == nil {
				t.Errorf("%s can do without %s", system, f.Name)
			}
		}
	}
}

// A check says what is missing, and nothing of what else may listen at an address.
func TestACheckSaysWhatIsMissing(t *testing.T) {
	o := newOffice(t, tickets.Setup{}, loopback)
	say := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	const secret = "internal-banner-7"
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		is     tickets.Trouble
		words  string
	}{
		"good":         {say(200, "application/json", `{"id":1}`), tickets.TroubleNone, ""},
		"credentials":  {say(401, "application/json", `{"error":"Invalid token"}`), tickets.TroubleCredentials, "Invalid token"},
		"rights":       {say(403, "application/json", `{"error":"No right\u202e <b>x"}`), tickets.TroubleRights, "No right <b>x"},
		"a page":       {say(200, "text/html", secret), tickets.TroubleElsewhere, ""},
		"no such page": {say(404, "text/html", secret), tickets.TroubleElsewhere, ""},
		"another API":  {say(404, "application/json", `{"message":"`+secret+`"}`), tickets.TroubleElsewhere, ""},
		"elsewhere":    {http.RedirectHandler("https://other.example.org/", http.StatusFound).ServeHTTP, tickets.TroubleElsewhere, ""},
		"its own":      {say(500, "application/json", `{"error":"disk full"}`), tickets.TroubleFails, "disk full"},
		"echo":         {say(401, "application/json", `{"error":"`+fake.Worker+` is no token"}`), tickets.TroubleCredentials, "[secret] is no token"},
	} {
		srv := httptest.NewServer(c.answer)
		s, err := o.Try(tickets.Edit{Connection: zammadAt(srv.URL)})
		if err != nil {
			t.Fatal(err)
		}
		if is, words := tickets.TroubleOf(s.Check(bg)); is != c.is || words != c.words {
			t.Errorf("%s: %q %q", name, is, words)
		}
		srv.Close()
		if is, words := tickets.TroubleOf(s.Check(bg)); is != tickets.TroubleUnreachable || words != "" {
			t.Errorf("%s, away: %q %q", name, is, words)
		}
	}
	trying := func(c tickets.Connection) (tickets.Trouble, string) {
		t.Helper()
		s, err := o.Try(tickets.Edit{Connection: c})
		if err != nil {
			t.Fatal(err)
		}
		return tickets.TroubleOf(s.Check(bg))
	}
	strange := httptest.NewTLSServer(say(200, "application/json", `{"id":1}`))
	defer strange.Close()
	if is, _ := trying(zammadAt(strange.URL)); is != tickets.TroubleCertificate {
		t.Errorf("a strange certificate: %q", is)
	}
	known := zammadAt(strange.URL)
	known.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: strange.Certificate().Raw}))
	if is, _ := trying(known); is != tickets.TroubleNone {
		t.Errorf("a certificate of one's own: %q", is)
	}
	plain := httptest.NewServer(say(200, "text/html", secret))
	defer plain.Close()
	if is, words := trying(zammadAt(strings.Replace(plain.URL, "http:", "https:", 1))); is != tickets.TroubleNoTLS || words != "" {
		t.Errorf("no TLS: %q %q", is, words)
	}
	if is, words := trying(zammadAt("https://desk.invalid")); is != tickets.TroubleName || words != "" {
		t.Errorf("no such name: %q %q", is, words)
	}
}
