package brand

import (
	"bytes"
	"encoding/json"
	"errors"
	"image/color"
	"strings"
	"testing"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/store/storetest"
)

func TestOnPostgres(t *testing.T) { storetest.OnPostgres(t) }

var admin = audit.Actor{Kind: "admin", Ref: "01ADMIN"}

func yes(store.Tx) error { return nil }

func keeper(t *testing.T) (*Keeper, store.Store, *audit.Log) {
	t.Helper()
	st := storetest.Open(t, t.TempDir())
	log, err := audit.Open(t.Context(), st, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	k, err := Open(t.Context(), st, log)
	if err != nil {
		t.Fatal(err)
	}
	return k, st, log
}

func read1(t *testing.T, c color.Color) Logo {
	t.Helper()
	l, err := ReadLogo(pngOf(t, drawn(64, 64, c)))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A logo is shown to nobody before it is set, and to nobody after it was taken down; who
// changed their mind has it again.
func TestALogoIsShownWhileItIsSet(t *testing.T) {
	k, st, log := keeper(t)
	one, two := read1(t, color.NRGBA{11, 103, 99, 255}), read1(t, color.Black)
	set := func(version int64, b Brand) {
		t.Helper()
		if err := k.Set(t.Context(), admin, version, b, yes); err != nil {
			t.Fatal(err)
		}
	}
	shown := func(l Logo) bool {
		t.Helper()
		f, ok := k.File(l.ID + LogoEnd)
		if ok && !bytes.Equal(f.Body, l.PNG) {
			t.Error("it is another one")
		}
		return ok
	}
	if err := k.Set(t.Context(), admin, 0, Brand{Logo: one.ID}, yes); !errors.Is(err, ErrNoLogo) {
		t.Errorf("one that was never added: %v", err)
	}
	for _, l := range []Logo{one, two, one} { // twice is once
		if err := k.Add(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	if shown(one) {
		t.Error("one is shown before it is set")
	}
	set(0, Brand{Logo: one.ID, Accent: "#0056A3"})
	if !shown(one) || shown(two) {
		t.Error("the one that is set is not the one that is shown")
	}
	first := k.Sheet()
	if f, ok := k.File(first); !ok || f.Name != hash(f.Body)+SheetEnd || !bytes.Contains(f.Body, []byte("--mf-accent:#0056a3;")) {
		t.Errorf("the stylesheet: %q", f.Body)
	}
	set(1, Brand{Accent: "#0056a3"})
	if l, ok := k.Logo(); ok || shown(one) || k.Sheet() != first {
		t.Errorf("it was taken down: %+v", l)
	}
	set(2, Brand{Logo: one.ID})
	if _, ok := k.File(first); ok || !shown(one) || k.Sheet() != "" {
		t.Error("it is not back, or the colour did not go")
	}
	// Others come: the one that is shown stays, and the newest do.
	for i := range 2 * kept {
		if err := k.Add(t.Context(), read1(t, color.NRGBA{uint8(i), 200, 0, 255})); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := k.Added(t.Context(), two.ID); !errors.Is(err, ErrNoLogo) {
		t.Errorf("an old one that nobody shows: %v", err)
	}
	if _, err := k.Added(t.Context(), one.ID); err != nil {
		t.Errorf("the one that is shown: %v", err)
	}
	k, err := Open(t.Context(), st, log)
	if err != nil {
		t.Fatal(err)
	}
	if l, ok := k.Logo(); !ok || l.ID != one.ID || l.Width != one.Width || l.Height != one.Height || l.Plate != one.Plate {
		t.Errorf("after a restart: %+v", l)
	}
	for _, name := range []string{"", SheetEnd, LogoEnd, "x.css", one.ID, one.ID + ".svg", "../" + one.ID + LogoEnd} {
		if f, ok := k.File(name); ok {
			t.Errorf("%q is %d bytes", name, len(f.Body))
		}
	}
	for _, id := range []string{"", "x", "\x00", strings.ToUpper(one.ID)} {
		if _, err := k.Added(t.Context(), id); !errors.Is(err, ErrNoLogo) {
			t.Errorf("%q: %v", id, err)
		}
	}
	events, err := log.Events(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range events {
		if e.Type == "brand.set" {
			short := strings.NewReplacer(one.ID, "one").Replace
			got = append(got, short(e.Data["was_logo"].(string)+">"+e.Data["logo"].(string))+" "+e.Data["was_accent"].(string)+">"+e.Data["accent"].(string))
		}
	}
	if want := ">one >0056a3, one> 0056a3>0056a3, >one 0056a3>"; strings.Join(got, ", ") != want {
		t.Errorf("the log holds %q, want %q", strings.Join(got, ", "), want)
	}
}

// C136, C138: whoever can write into the database still cannot write onto the pages.
func TestWhatStandsInTheDatabaseIsReadAsIfItCame(t *testing.T) {
	k, st, log := keeper(t)
	l := read1(t, color.Black)
	if err := k.Add(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if err := k.Set(t.Context(), admin, 0, Brand{Logo: l.ID, Accent: "#0056a3"}, yes); err != nil {
		t.Fatal(err)
	}
	for _, accent := range []string{"#fff}body{display:none}", "red", "#b3261e", "url(//elsewhere.example)", "#ffcc00"} {
		text, err := json.Marshal(Brand{Logo: l.ID, Accent: accent})
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Update(t.Context(), func(tx store.Tx) error {
			if _, err := tx.Exec("update brand set brand = ?", string(text)); err != nil {
				return err
			}
			_, err := tx.Exec("update brand_logos set picture = ?", []byte("<svg onload=alert(1)>"))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		k, err := Open(t.Context(), st, log)
		if err != nil {
			t.Fatalf("%s: %v", accent, err)
		}
		if _, ok := k.Logo(); ok {
			t.Errorf("%s: a picture that is not the one that was added is shown", accent)
		}
		f, ok := k.File(k.Sheet())
		for _, never := range []string{"display", "url", "ffcc00", "b3261e", "red"} {
			if bytes.Contains(f.Body, []byte(never)) {
				t.Errorf("%s: the stylesheet is %s", accent, f.Body)
			}
		}
		if _, err := ParseColour(accent); ok != (err == nil) {
			t.Errorf("%s: there is a stylesheet: %v", accent, ok)
		}
	}
}

// C137: a colour that cannot be read, one that looks like a warning, and a name that
// reads as an address are refused and change nothing.
func TestWhatIsNoBrand(t *testing.T) {
	k, _, _ := keeper(t)
	for _, try := range []struct {
		b    Brand
		want error
	}{
		{Brand{Accent: "#ffcc00"}, ErrColour},
		{Brand{Accent: "#b3261e"}, ErrColour},
		{Brand{Accent: "red"}, ErrColour},
		{Brand{Accent: "#0056a3;}"}, ErrColour},
		{Brand{Logo: "x"}, ErrNoLogo},
		{Brand{Logo: "\x00"}, ErrNoLogo},
		{Brand{Name: "help.example.org"}, ErrAddress},
		{Brand{Name: "Aide (HELP.example.org)"}, ErrAddress},
		{Brand{Name: "https://x"}, ErrAddress},
		{Brand{Name: "banque.québec"}, ErrAddress},
		{Brand{Name: "help.example.org:8443/start"}, ErrAddress},
		{Brand{English: "x"}, ErrHalf},
	} {
		if err := k.Set(t.Context(), admin, 0, try.b, yes); !errors.Is(err, try.want) {
			t.Errorf("%+v: %v", try.b, err)
		}
	}
	if b, version := k.Shown(); version != 0 || b != (Brand{}) || k.Sheet() != "" {
		t.Errorf("something is shown: %+v", b)
	}
	no := errors.New("no")
	if err := k.Set(t.Context(), admin, 0, Brand{Name: "Aide"}, func(store.Tx) error { return no }); !errors.Is(err, no) {
		t.Errorf("who may not: %v", err)
	}
	for i, name := range []string{"Aide", "Ville d’Exemple S.A.", "M. Tremblay, inc.", "Soutien 24/7", "Dr. No & Co.", "O.N.U.", "3.14", ""} {
		if err := k.Set(t.Context(), admin, int64(i), Brand{Name: name}, yes); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}
