package waiting

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/limit"
)

var (
	home = netip.MustParseAddr("192.0.2.7")
	noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
)

func (r *Room) must(t *testing.T, from netip.Addr, name string, now time.Time) (Person, string) {
	t.Helper()
	p, token, _, err := r.Come(from, Person{Name: name, Trouble: "x", Lang: "fr"}, now)
	if err != nil {
		t.Fatal(err)
	}
	r.Admit(p.ID)
	return p, token
}

func TestTheQueueMovesOn(t *testing.T) {
	t.Parallel()
	r := New(Limits{})
	zoe, hers := r.must(t, home, "Zoé", noon)
	_, his := r.must(t, home, "Luc", noon.Add(time.Second))
	place := func(token string) View {
		v, ok := r.See(token, noon)
		if !ok {
			t.Fatal("not in the room")
		}
		return v
	}
	changes, stop, ok := r.Listen(his)
	if v := place(his); !ok || v.Place != 2 || v.Waiting != 2 || v.By != "" {
		t.Errorf("the second sees %+v", v)
	}
	p, done, err := r.Take(zoe.ID, "Ann", noon)
	if err != nil || p != zoe {
		t.Fatalf("taken: %+v %v", p, err)
	}
	done(true)
	<-changes
	if v := place(hers); v.By != "Ann" || v.Place != 0 || v.Waiting != 1 {
		t.Errorf("who was taken sees %+v", v)
	}
	if v := place(his); v.Place != 1 {
		t.Errorf("the next sees %+v", v)
	}
	if _, _, err := r.Take(zoe.ID, "Bob", noon); !errors.Is(err, ErrGone) {
		t.Errorf("taken twice: %v", err)
	}
	if _, ok := r.Leave(hers, noon); ok {
		t.Error("who was taken left")
	}
	if _, ok := r.See(hers, noon); ok || len(r.List()) != 1 {
		t.Error("who left is still there")
	}
	other, stopOther, _ := r.Listen(his)
	if _, open := <-changes; open {
		t.Error("the line before was not ended")
	}
	stop() // of the one before: ends nothing more
	stopOther()
	if _, open := <-other; open {
		t.Error("the line was not ended")
	}
	r.Close()
}

// Nobody is told of what the log does not have.
func TestNothingIsToldBeforeItIsWrittenDown(t *testing.T) {
	t.Parallel()
	r := New(Limits{All: 2, Unseen: time.Minute})
	_, his := r.must(t, home, "Luc", noon)
	changes, stop, _ := r.Listen(his)
	defer stop()
	silent := func(what string) {
		t.Helper()
		select {
		case <-changes:
			t.Errorf("told %s", what)
		default:
		}
		if v, _ := r.See(his, noon); v.Place != 1 || v.Waiting != 1 || v.By != "" || len(r.List()) != 1 {
			t.Errorf("%s: he sees %+v, and %d wait", what, v, len(r.List()))
		}
	}
	for range 2 { // the log takes neither
		zoe, _, queue, err := r.Come(home, Person{Name: "Zoé", Trouble: "x"}, noon)
		if err != nil || queue != 2 {
			t.Fatal(queue, err)
		}
		silent("of who comes")
		if _, _, err := r.Take(zoe.ID, "Ann", noon); !errors.Is(err, ErrGone) {
			t.Errorf("taken at the door: %v", err)
		}
		if _, _, _, err := r.Come(home, Person{Name: "x", Trouble: "x"}, noon); !errors.Is(err, ErrFull) {
			t.Errorf("who comes takes no room: %v", err)
		}
		r.Forget(zoe.ID)
		silent("of who did not come")
	}
	id := r.List()[0].ID
	for range 2 { // nor that he was taken
		_, done, err := r.Take(id, "Ann", noon)
		if err != nil {
			t.Fatal(err)
		}
		silent("of who is being taken")
		if _, _, err := r.Take(id, "Bob", noon); !errors.Is(err, ErrGone) {
			t.Errorf("taken by two: %v", err)
		}
		if gone := r.Sweep(noon.Add(time.Hour)); len(gone) != 0 {
			t.Errorf("gone: %v", gone)
		}
		done(false)
		silent("of who was not taken")
	}
	if _, done, err := r.Take(id, "Ann", noon); err != nil {
		t.Error(err)
	} else {
		done(true)
	}
	<-changes
	if v, _ := r.See(his, noon); v.By != "Ann" {
		t.Errorf("who was taken sees %+v", v)
	}
}

// C113: what strangers can do in the room is bounded.
func TestWaitingIsLimited(t *testing.T) {
	t.Parallel()
	away := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) }
	come := func(r *Room, from netip.Addr) error {
		_, _, _, err := r.Come(from, Person{Name: "x", Trouble: "y"}, noon)
		return err
	}
	full := New(Limits{All: 3})
	for i := range 3 {
		full.must(t, away(i), "x", noon)
	}
	if err := come(full, away(4)); !errors.Is(err, ErrFull) {
		t.Errorf("one too many: %v", err)
	}
	near := New(Limits{AtAddress: 2})
	near.must(t, home, "x", noon)
	near.must(t, home, "x", noon)
	if err := come(near, home); !errors.Is(err, ErrLimited) {
		t.Errorf("the third of one address: %v", err)
	}
	near.must(t, away(1), "x", noon)
	often := New(Limits{Address: limit.Every{N: 2, In: time.Minute}})
	for range 2 {
		_, token := often.must(t, home, "x", noon)
		often.Leave(token, noon)
	}
	if err := come(often, home); !errors.Is(err, ErrLimited) {
		t.Errorf("again and again: %v", err)
	}
	many := New(Limits{Everywhere: limit.Every{N: 2, In: time.Minute}})
	for i := range 2 {
		_, token := many.must(t, away(i), "x", noon)
		many.Leave(token, noon)
	}
	if err := come(many, away(3)); !errors.Is(err, ErrFull) {
		t.Errorf("from everywhere: %v", err)
	}
	// Who is taken at once makes no room for ever more.
	taken := New(Limits{All: 2})
	var err error
	for i := 0; err == nil && i < 100; i++ {
		var p Person
		if p, _, _, err = taken.Come(away(i), Person{Name: "x", Trouble: "y"}, noon); err == nil {
			taken.Admit(p.ID)
			var done func(bool)
			if _, done, err = taken.Take(p.ID, "Ann", noon); err == nil {
				done(true)
			}
		}
	}
	if !errors.Is(err, ErrFull) || len(taken.list) > 8 {
		t.Errorf("%d are kept: %v", len(taken.list), err)
	}
}

func TestWhoIsNotSeenHasGone(t *testing.T) {
	t.Parallel()
	r := New(Limits{Unseen: time.Minute, Life: time.Hour, Taken: time.Minute})
	r.must(t, home, "away", noon)
	_, stays := r.must(t, home, "stays", noon)
	p, _ := r.must(t, home, "taken", noon)
	if _, done, err := r.Take(p.ID, "Ann", noon); err != nil {
		t.Fatal(err)
	} else {
		done(true)
	}
	r.See(stays, noon.Add(time.Minute))
	told := func(now time.Time) (out []string) {
		for _, g := range r.Sweep(now) {
			out = append(out, fmt.Sprint(g.Name, " ", g.Reason, " ", g.Waited))
		}
		return out
	}
	if got := told(noon.Add(61 * time.Second)); !slices.Equal(got, []string{"away UNSEEN 1m1s"}) {
		t.Errorf("gone: %v", got)
	}
	if len(r.list) != 1 {
		t.Errorf("%d are left; who was taken is told no longer", len(r.list))
	}
	r.See(stays, noon.Add(time.Hour))
	if got := told(noon.Add(time.Hour + time.Second)); !slices.Equal(got, []string{"stays TOO_LONG 1h0m1s"}) {
		t.Errorf("gone: %v", got)
	}
}

func TestWhatIsSaidIsHostile(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 10_000)
	p, err := Clean(Person{Name: " \u202eeoZ\n<b>" + long, Trouble: long, Phone: "+1 (418) 555-0199 x12", Lang: "tlh", Ticket: long})
	if err != nil || len([]rune(p.Name)) != MaxName || !strings.HasPrefix(p.Name, "eoZ <b>") || len([]rune(p.Trouble)) != MaxTrouble || p.Lang != "en" || len(p.Ticket) > 600 {
		t.Errorf("%+v %v", p, err)
	}
	for _, none := range []Person{{}, {Name: "x"}, {Trouble: "x"}, {Name: "\u200b", Trouble: "x"}} {
		if _, err := Clean(none); !errors.Is(err, ErrSaid) {
			t.Errorf("%+v: %v", none, err)
		}
	}
	for _, phone := range []string{"call me", "javascript:1", "( )", "٠١٢"} {
		if _, err := Clean(Person{Name: "x", Trouble: "x", Phone: phone}); !errors.Is(err, ErrPhone) {
			t.Errorf("%q: %v", phone, err)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("Zoé", "Mon écran est noir", "418 555-0199", "fr", "MF-1001")
	f.Add("\u202e\x00", "\xff\xfe", "+", "", strings.Repeat("a", 300))
	f.Fuzz(func(t *testing.T, name, trouble, phone, lang, ticket string) {
		p, err := Clean(Person{Name: name, Trouble: trouble, Phone: phone, Lang: lang, Ticket: ticket})
		if err != nil {
			return
		}
		again, err := Clean(p)
		if err != nil || again != p {
			t.Errorf("cleaned twice: %+v, %+v, %v", p, again, err)
		}
		if strings.ContainsAny(p.Name+p.Trouble+p.Phone+p.Ticket, "\n\r\x00\u202e") || p.Name == "" || p.Trouble == "" {
			t.Errorf("not clean: %+v", p)
		}
	})
}
