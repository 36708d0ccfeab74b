package appointments

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/store/storetest"
)

func TestOnPostgres(t *testing.T) { storetest.OnPostgres(t) }

// world is a book, its clock and those who work on tickets: ann and bob technicians,
// sue a supervisor, ada an auditor.
type world struct {
	*testing.T
	*Book
	st  store.Store
	now time.Time
}

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	st := storetest.Open(t, dir)
	if _, err := audit.Open(t.Context(), st, filepath.Join(dir, "keys")); err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, st: st, now: noon}
	w.Book = New(st, []byte("a secret of this server"), func() time.Time { return w.now })
	for id, role := range map[string]string{"ann": "technician", "bob": "technician", "sue": "supervisor", "ada": "auditor"} {
		w.do(`insert into users (id, name, name_key, role, password_hash, created) values (?, ?, ?, ?, '', '')`, id, "N "+id, id, role)
	}
	return w
}

func (w *world) do(sql string, args ...any) {
	w.Helper()
	if err := w.st.Update(w.Context(), func(tx store.Tx) error { _, err := tx.Exec(sql, args...); return err }); err != nil {
		w.Fatal(err)
	}
}

func (w *world) tx(f func(store.Tx) error) error { return w.st.Update(w.Context(), f) }

// at is one of ann's that begins after d and takes half an hour.
func at(d time.Duration) Appointment {
	return Appointment{
		Ticket: "T1", Number: "MF-1", User: "ann", Lang: "fr", Starts: noon.Add(d), Ends: noon.Add(d + 30*time.Minute), Zone: "America/Toronto",
		About: "La mise à jour", Items: []Item{{Key: KeyComputer}, {Key: KeyPassword, Text: "Outlook"}, {Text: "Le câble"}},
	}
}

func (w *world) make(a Appointment, despite bool) (out Appointment, err error) {
	err = w.tx(func(tx store.Tx) (err error) { out, err = w.MakeTx(tx, a, despite); return err })
	return out, err
}

func (w *world) must(a Appointment) Appointment {
	w.Helper()
	out, err := w.make(a, true)
	if err != nil {
		w.Fatal(err)
	}
	return out
}

func (w *world) change(a Appointment, by string, to Appointment) (out Appointment, err error) {
	err = w.tx(func(tx store.Tx) (err error) {
		_, out, err = w.ChangeTx(tx, a.ID, by, a.Sequence, to, false)
		return err
	})
	return out, err
}

func (w *world) cancel(a Appointment, by, why string) (out Appointment, err error) {
	err = w.tx(func(tx store.Tx) (err error) { out, err = w.CancelTx(tx, a.ID, by, why); return err })
	return out, err
}

func (w *world) decline(token, why string) (out Appointment, err error) {
	err = w.tx(func(tx store.Tx) (err error) { out, err = w.DeclineTx(tx, token, why); return err })
	return out, err
}

func (w *world) end(a Appointment, by string, took bool) (out Appointment, err error) {
	err = w.tx(func(tx store.Tx) (err error) { out, err = w.EndTx(tx, a.ID, by, took); return err })
	return out, err
}

func (w *world) wants(err, want error) {
	w.Helper()
	if !errors.Is(err, want) {
		w.Errorf("%v, want %v", err, want)
	}
}

func TestAnAppointmentIsKeptAsItWasMade(t *testing.T) {
	w := newWorld(t)
	a := w.must(at(time.Hour))
	got, err := w.Get(t.Context(), a.ID)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(a) || got.UserName != "N ann" || got.State != Made || len(got.Items) != 3 {
		t.Fatalf("%+v %v\nwant %+v", got, err, a)
	}
	to := at(2 * time.Hour)
	to.About, to.Lang, to.Items = "The update", "en", nil
	b, err := w.change(a, "ann", to)
	if err != nil || b.Sequence != 1 || b.About != "The update" || !b.Starts.Equal(to.Starts) || b.ID != a.ID || w.Token(b.ID) != w.Token(a.ID) {
		t.Errorf("%+v %v", b, err)
	}
	_, err = w.change(a, "ann", to)
	w.wants(err, ErrStale)
	b, err = w.cancel(b, "sue", "Je suis malade")
	if err != nil || b.State != Cancelled || b.Why != "Je suis malade" || b.Sequence != 2 {
		t.Errorf("%+v %v", b, err)
	}
	for _, id := range []string{"", "x", "\x00", a.ID[1:]} {
		_, err := w.Get(t.Context(), id)
		w.wants(err, ErrNone)
	}
}

func TestWhatAnAppointmentMayBe(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("é", MaxAbout+1)
	for what, c := range map[string]struct {
		change func(*Appointment)
		want   error
	}{
		"over":             {func(a *Appointment) { a.Starts, a.Ends = noon.Add(-time.Hour), noon.Add(time.Hour) }, ErrPast},
		"far":              {func(a *Appointment) { a.Starts = noon.Add(Ahead + time.Minute); a.Ends = a.Starts.Add(time.Hour) }, ErrFar},
		"just not far":     {func(a *Appointment) { a.Starts = noon.Add(Ahead); a.Ends = a.Starts.Add(time.Hour) }, nil},
		"short":            {func(a *Appointment) { a.Ends = a.Starts.Add(9 * time.Minute) }, ErrLength},
		"backwards":        {func(a *Appointment) { a.Ends = a.Starts.Add(-time.Hour) }, ErrLength},
		"long":             {func(a *Appointment) { a.Ends = a.Starts.Add(Longest + time.Minute) }, ErrLength},
		"ten minutes":      {func(a *Appointment) { a.Ends = a.Starts.Add(Shortest) }, nil},
		"no zone":          {func(a *Appointment) { a.Zone = "" }, ErrZone},
		"another zone":     {func(a *Appointment) { a.Zone = "Mars/Olympus" }, ErrZone},
		"a file":           {func(a *Appointment) { a.Zone = "../../etc/passwd" }, ErrZone},
		"this computer's":  {func(a *Appointment) { a.Zone = "Local" }, ErrZone},
		"for nothing":      {func(a *Appointment) { a.About = " \u202e " }, ErrSaid},
		"for too much":     {func(a *Appointment) { a.About = long }, ErrSaid},
		"no list":          {func(a *Appointment) { a.Items = nil }, nil},
		"an unknown item":  {func(a *Appointment) { a.Items = []Item{{Key: "unattended"}} }, ErrSaid},
		"a password":       {func(a *Appointment) { a.Items = []Item{{Key: KeyPassword}} }, ErrSaid},
		"a long item":      {func(a *Appointment) { a.Items = []Item{{Text: long}} }, ErrSaid},
		"many items":       {func(a *Appointment) { a.Items = make([]Item, MaxItems+1) }, ErrSaid},
		"of no technician": {func(a *Appointment) { a.User = "ada" }, ErrNotYours},
		"of nobody":        {func(a *Appointment) { a.User = "\x00" }, ErrNotYours},
	} {
		a := at(time.Hour)
		c.change(&a)
		if _, err := w.make(a, true); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
	a := at(3 * time.Hour)
	a.About, a.Items, a.Lang = " <b>\nVPN\u202e ", []Item{{Text: " "}, {Key: KeySave, Text: "x"}, {Key: KeySave}, {Text: "a\u0000b"}}, "tlh"
	a = w.must(a)
	if a.About != "<b> VPN" || fmt.Sprint(a.Items) != "[{save } { ab}]" || a.Lang != "en" {
		t.Errorf("%+v", a)
	}
}

func TestOverlapsAreTold(t *testing.T) {
	w := newWorld(t)
	a := w.must(at(time.Hour))
	for d, want := range map[time.Duration]error{
		45 * time.Minute: ErrOverlaps, time.Hour: ErrOverlaps, 89 * time.Minute: ErrOverlaps, 90 * time.Minute: nil, 30 * time.Minute: nil,
	} {
		if _, err := w.make(at(d), false); !errors.Is(err, want) {
			t.Errorf("after %s: %v, want %v", d, err, want)
		}
		w.do(`delete from appointments where id <> ?`, a.ID)
	}
	other := at(time.Hour)
	other.User = "bob"
	if _, err := w.make(other, false); err != nil {
		t.Errorf("a colleague's: %v", err)
	}
	if _, err := w.change(a, "ann", at(65*time.Minute)); err != nil {
		t.Errorf("with itself: %v", err)
	}
}

func TestThereAreNotTooMany(t *testing.T) {
	w := newWorld(t)
	for i := range ofTicket {
		w.must(at(time.Duration(i+1) * time.Hour))
	}
	_, err := w.make(at(20*time.Hour), false)
	w.wants(err, ErrMany)
	for i := ofTicket; i < ofUser; i++ {
		a := at(time.Duration(i+1) * time.Hour)
		a.Ticket = fmt.Sprint("T", i)
		w.must(a)
	}
	a := at(500 * time.Hour)
	a.Ticket = "another"
	_, err = w.make(a, false)
	w.wants(err, ErrMany)
	w.now = noon.Add(90 * time.Minute) // one is over
	if _, err := w.make(a, false); err != nil {
		t.Error(err)
	}
}

func TestWhoMayChangeIt(t *testing.T) {
	w := newWorld(t)
	a := w.must(at(time.Hour))
	for _, user := range []string{"bob", "ada", "nobody", "\x00"} {
		if ok, err := w.May(t.Context(), a, user); ok || err != nil {
			t.Errorf("%q may: %v", user, err)
		}
		_, err := w.change(a, user, at(2*time.Hour))
		w.wants(err, ErrNotYours)
		_, err = w.cancel(a, user, "x")
		w.wants(err, ErrNotYours)
	}
	if ok, err := w.May(t.Context(), a, "sue"); !ok || err != nil {
		t.Errorf("a supervisor may not: %v", err)
	}
	// Who left cannot come: colleagues tell the person.
	w.do(`update users set role = 'auditor' where id = 'ann'`)
	_, err := w.cancel(a, "ann", "x")
	w.wants(err, ErrNotYours)
	if _, err := w.cancel(a, "bob", "Ann left"); err != nil {
		t.Error(err)
	}
}

// C139: a token opens its own appointment and nothing else.
func TestATokenOpensItsOwn(t *testing.T) {
	w := newWorld(t)
	a, b := w.must(at(time.Hour)), w.must(at(2*time.Hour))
	ta, tb := w.Token(a.ID), w.Token(b.ID)
	for token, want := range map[string]string{ta: a.ID, tb: b.ID} {
		got, err := w.Find(t.Context(), token)
		if err != nil || got.ID != want || len(token) != 43 {
			t.Errorf("%s opens %+v %v", token, got, err)
		}
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range ta {
		for _, c := range alphabet {
			forged := ta[:i] + string(c) + ta[i+1:]
			if _, err := w.Find(t.Context(), forged); forged != ta && !errors.Is(err, ErrNone) {
				t.Fatalf("%s opens: %v", forged, err)
			}
		}
	}
	other := New(w.st, []byte("the secret of another server"), nil)
	if other.Token(a.ID) == ta {
		t.Error("another server makes the same token")
	}
	for _, bad := range []string{"", a.ID, ta + "A", ta + "=", ta[:42], ta[:22] + tb[22:], other.Token(a.ID), "\x00", strings.Repeat("A", 43)} {
		_, err := w.Find(t.Context(), bad)
		w.wants(err, ErrNone)
		_, err = w.decline(bad, "")
		w.wants(err, ErrNone)
	}
}

// C140: what is over, called off or not yet near opens nothing.
func TestWhenAnAppointmentOpens(t *testing.T) {
	w := newWorld(t)
	a := w.must(at(time.Hour))
	for d, want := range map[time.Duration]struct {
		phase Phase
		open  bool
	}{
		0:                            {ToCome, false},
		50*time.Minute - 1:           {ToCome, false},
		50 * time.Minute:             {Soon, true},
		time.Hour - 1:                {Soon, true},
		time.Hour:                    {Now, true},
		90*time.Minute - 1:           {Now, true},
		90 * time.Minute:             {Over, false},
		90*time.Minute + time.Second: {Over, false},
	} {
		if p := a.Phase(noon.Add(d)); p != want.phase || a.Open(noon.Add(d)) != want.open {
			t.Errorf("after %s: %s, open %v", d, p, a.Open(noon.Add(d)))
		}
		for _, s := range []State{Cancelled, Declined, Kept, Missed} {
			b := a
			b.State = s
			if b.Open(noon.Add(d)) || b.Stands(noon.Add(d)) {
				t.Errorf("%s is open after %s", s, d)
			}
		}
	}
}

func TestThePersonDeclinesOnce(t *testing.T) {
	w := newWorld(t)
	a := w.must(at(time.Hour))
	_, err := w.decline(w.Token(a.ID), strings.Repeat("x", MaxWhy+1))
	w.wants(err, ErrWhy)
	d, err := w.decline(w.Token(a.ID), " Un empêchement \u202e")
	if err != nil || d.State != Declined || d.Why != "Un empêchement" {
		t.Fatalf("%+v %v", d, err)
	}
	_, err = w.decline(w.Token(a.ID), "")
	w.wants(err, ErrSettled)
	_, err = w.change(d, "ann", at(2*time.Hour))
	w.wants(err, ErrSettled)
	_, err = w.cancel(d, "ann", "x")
	w.wants(err, ErrSettled)
	b := w.must(at(2 * time.Hour))
	w.now = b.Ends
	_, err = w.decline(w.Token(b.ID), "")
	w.wants(err, ErrSettled)
}

func TestHowItEnded(t *testing.T) {
	w := newWorld(t)
	a := w.must(at(time.Hour))
	_, err := w.end(a, "ann", true)
	w.wants(err, ErrEarly)
	w.now = a.Starts
	_, err = w.end(a, "bob", true)
	w.wants(err, ErrNotYours)
	if a, err = w.end(a, "ann", false); err != nil || a.State != Missed {
		t.Errorf("%+v %v", a, err)
	}
	_, err = w.end(a, "ann", true)
	w.wants(err, ErrSettled)
	w.now = noon
	b := w.must(at(2 * time.Hour))
	w.now = b.Ends.Add(48 * time.Hour)
	if b, err = w.end(b, "ann", true); err != nil || b.State != Kept {
		t.Errorf("days later: %+v %v", b, err)
	}
	// What began can be made longer, and begins no other time in the past.
	w.now = noon
	c := w.must(at(3 * time.Hour))
	w.now = c.Starts.Add(20 * time.Minute)
	longer := at(3 * time.Hour)
	longer.Ends = longer.Starts.Add(time.Hour)
	if c, err = w.change(c, "ann", longer); err != nil || !c.Starts.Equal(longer.Starts) || !c.Ends.Equal(longer.Ends) {
		t.Errorf("longer: %+v %v", c, err)
	}
	_, err = w.change(c, "ann", at(3*time.Hour+time.Minute))
	w.wants(err, ErrPast)
	longer.Ends = w.now
	_, err = w.change(c, "ann", longer)
	w.wants(err, ErrPast)
}

// A session of the ticket in its time tells that it took place; one before, after or of
// another ticket does not.
func TestASessionTellsThatItTookPlace(t *testing.T) {
	w := newWorld(t)
	session := func(ticket string, d time.Duration) {
		w.do(`insert into sessions (id, ticket_id, technician_id, started) values (?, ?, 'bob', ?)`, fmt.Sprint("s", ticket, d), ticket, store.FormatTime(noon.Add(d)))
	}
	var made []Appointment
	for i, c := range []struct {
		d    time.Duration // of the session, from the start of the appointment
		kept bool
	}{{-11 * time.Minute, false}, {-10 * time.Minute, true}, {29 * time.Minute, true}, {30 * time.Minute, false}} {
		a := at(time.Hour)
		a.Ticket = fmt.Sprint("K", i)
		a = w.must(a)
		a.About = fmt.Sprint(c.kept)
		made = append(made, a)
		session(a.Ticket, time.Hour+c.d)
	}
	keep := func() (out []Appointment) {
		if err := w.tx(func(tx store.Tx) (err error) { out, err = w.KeepTx(tx); return err }); err != nil {
			t.Fatal(err)
		}
		return out
	}
	w.now = made[0].Ends.Add(-1)
	if out := keep(); len(out) != 0 {
		t.Errorf("before its end: %v", out)
	}
	w.now = made[0].Ends
	if out := keep(); len(out) != 2 {
		t.Errorf("%d took place", len(out))
	}
	for _, a := range made {
		got, err := w.Get(t.Context(), a.ID)
		if err != nil || fmt.Sprint(got.State == Kept) != a.About {
			t.Errorf("%s: %s %v", a.Ticket, got.State, err)
		}
	}
}

func TestWhoIsTold(t *testing.T) {
	w := newWorld(t)
	a := w.must(at(time.Hour))
	gone := w.must(at(time.Hour))
	if _, err := w.cancel(gone, "ann", "x"); err != nil {
		t.Fatal(err)
	}
	for d, want := range map[time.Duration]int{
		0: 0, 50*time.Minute - time.Second: 0, 50 * time.Minute: 1, 51 * time.Minute: 0, time.Hour: 1, 61 * time.Minute: 0, 90 * time.Minute: 1, 91 * time.Minute: 0,
	} {
		list, err := w.Turns(t.Context(), noon.Add(d-time.Second), noon.Add(d))
		if err != nil || len(list) != want || want == 1 && list[0].ID != a.ID {
			t.Errorf("after %s: %v %v", d, list, err)
		}
	}
}

func TestWhoseAppointments(t *testing.T) {
	w := newWorld(t)
	w.do(`insert into teams (id, name, name_key, tier, created) values ('t', 'T', 't', 1, '')`)
	for _, u := range []string{"bob", "sue"} {
		w.do(`insert into team_members (team_id, user_id) values ('t', ?)`, u)
	}
	w.must(at(2 * time.Hour))
	b := at(time.Hour)
	b.User, b.Ticket = "bob", "T2"
	b = w.must(b)
	count := func(user string, team bool, since time.Time) int {
		list, err := w.Of(t.Context(), user, team, since)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	for _, c := range []struct {
		user  string
		team  bool
		since time.Time
		want  int
	}{{"ann", false, noon, 1}, {"bob", false, noon, 1}, {"sue", false, noon, 0}, {"sue", true, noon, 1}, {"ann", true, noon, 1}, {"bob", false, b.Ends, 0}} {
		if n := count(c.user, c.team, c.since); n != c.want {
			t.Errorf("%s, team %v: %d, want %d", c.user, c.team, n, c.want)
		}
	}
	for ticket, want := range map[string]int{"T1": 1, "T2": 1, "T3": 0, "\x00": 0} {
		if list, err := w.On(t.Context(), ticket); err != nil || len(list) != want {
			t.Errorf("%q: %v %v", ticket, list, err)
		}
	}
}

func TestAppointmentsAreForgotten(t *testing.T) {
	w := newWorld(t)
	w.now = time.Now().Truncate(time.Minute)
	over, next := at(0), at(0)
	over.Starts, over.Ends = w.now, w.now.Add(time.Hour)
	next.Starts, next.Ends = w.now.Add(48*time.Hour), w.now.Add(49*time.Hour)
	over, next = w.must(over), w.must(next)
	past := store.FormatTime(w.now.Add(-time.Hour))
	w.do(`update appointments set ends = ? where id = ?`, past, over.ID)
	w.do(`insert into sessions (id, ticket_id, technician_id, started) values ('s', 'T1', 'ann', '')`)
	if err := w.tx(func(tx store.Tx) error { return ForgetTx(tx, "s") }); err != nil {
		t.Fatal(err)
	}
	left := func() string {
		list, err := w.On(t.Context(), "T1")
		if err != nil {
			t.Fatal(err)
		}
		ids := ""
		for _, a := range list {
			ids += a.ID
		}
		return ids
	}
	if left() != next.ID {
		t.Errorf("after a purge: %s, want %s", left(), next.ID)
	}
	w.now = next.Ends.Add(kept)
	if err := w.Prune(t.Context()); err != nil || left() != next.ID {
		t.Errorf("on the last day: %q %v", left(), err)
	}
	w.now = w.now.Add(time.Second)
	if err := w.Prune(t.Context()); err != nil || left() != "" {
		t.Errorf("a month later: %q %v", left(), err)
	}
}
