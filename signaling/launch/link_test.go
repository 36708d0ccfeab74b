package launch

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/store/storetest"
)

func TestOnPostgres(t *testing.T) { storetest.OnPostgres(t) }

func links(t *testing.T) (*Links, store.Store) {
	t.Helper()
	st := storetest.Open(t, t.TempDir())
	k, err := OpenLinks(t.Context(), st)
	if err != nil {
		t.Fatal(err)
	}
	return k, st
}

func TestALinkSaysWhatItWasMadeFor(t *testing.T) {
	k, st := links(t)
	now := time.Unix(1_780_000_000, 0)
	text := k.Make(Link{"INC0012", "fr", now.Add(Life)})
	// Another node, or this one after a restart.
	again, err := OpenLinks(t.Context(), st)
	if err != nil {
		t.Fatal(err)
	}
	got, err := again.Read(text, now.Add(Life-time.Second))
	if err != nil || got.Number != "INC0012" || got.Lang != "fr" || !got.Expires.Equal(now.Add(Life)) {
		t.Errorf("%+v %v", got, err)
	}
	got, err = k.Read(text, now.Add(Life))
	if !errors.Is(err, ErrOld) || got.Number != "INC0012" {
		t.Errorf("after its end: %+v %v", got, err)
	}
	if long := k.Make(Link{strings.Repeat("é", 100), "en", now.Add(Life)}); len(long) > 120 {
		t.Errorf("%d characters", len(long))
	} else if got, err := k.Read(long, now); err != nil || got.Number != strings.Repeat("é", 32) {
		t.Errorf("a long number: %+v %v", got, err)
	}
	if got, err := k.Read(k.Make(Link{"7\u202e\n", "de", now.Add(Life)}), now); err != nil || got.Number != "7" || got.Lang != "en" {
		t.Errorf("a hostile number: %+v %v", got, err)
	}
}

func TestALinkCannotBeForgedOrChanged(t *testing.T) {
	k, _ := links(t)
	other, _ := links(t)
	now := time.Unix(1_780_000_000, 0)
	text := k.Make(Link{"7", "en", now.Add(Life)})
	if _, err := other.Read(text, now); !errors.Is(err, ErrForged) {
		t.Errorf("of another server: %v", err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		for bit := range 8 {
			raw[i] ^= 1 << bit
			if _, err := k.Read(base64.RawURLEncoding.EncodeToString(raw), now); !errors.Is(err, ErrForged) {
				t.Errorf("bit %d of byte %d: %v", bit, i, err)
			}
			raw[i] ^= 1 << bit
		}
	}
	for _, bad := range []string{"", "x", text[1:], text + "A", text + "=", " " + text, strings.Repeat("A", 5000)} {
		if _, err := k.Read(bad, now); !errors.Is(err, ErrForged) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}

func FuzzReadLink(f *testing.F) {
	k := &Links{key: make([]byte, keySize)}
	now := time.Unix(1_780_000_000, 0)
	f.Add(k.Make(Link{"7", "en", now}))
	f.Add("")
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := k.Read(text, now)
		if err == nil && k.Make(l) != text {
			t.Errorf("%q reads as %+v, which is another link", text, l)
		}
	})
}
