package wire_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/mainforte/mainforte/internal/wire"
)

// texts is testdata/texts.json: what both languages make of typed codes and of
// hostile names.
type texts struct {
	Codes []struct {
		Typed, Nameplate, Secret string
		Refused                  bool
	}
	Shown []struct{ Nameplate, Secret, Shown string }
	Names []struct{ Raw, Clean string }
}

func readTexts(t testing.TB) texts {
	t.Helper()
	var x texts
	if err := json.Unmarshal(golden(t, "texts.json"), &x); err != nil {
		t.Fatal(err)
	}
	if len(x.Codes) == 0 || len(x.Shown) == 0 || len(x.Names) == 0 {
		t.Fatal("testdata/texts.json is empty")
	}
	return x
}

func TestCodesAsTheyAreTyped(t *testing.T) {
	for _, c := range readTexts(t).Codes {
		nameplate, secret, err := wire.ParseCode(c.Typed)
		if c.Refused != errors.Is(err, wire.ErrMalformedCode) || nameplate != c.Nameplate || secret != c.Secret {
			t.Errorf("%q: %q %q %v", c.Typed, nameplate, secret, err)
		}
	}
}

func TestCodesAsTheyAreShown(t *testing.T) {
	for _, c := range readTexts(t).Shown {
		if got := wire.FormatCode(c.Nameplate, c.Secret); got != c.Shown {
			t.Errorf("%s %s is shown as %q", c.Nameplate, c.Secret, got)
		}
	}
}

// TestEveryDigitRunBeginsWithZero checks what digit relies on, for the Unicode
// version of this Go.
func TestEveryDigitRunBeginsWithZero(t *testing.T) {
	check := func(lo, hi rune, stride uint32) {
		if stride != 1 || (hi-lo+1)%10 != 0 {
			t.Errorf("the digits from %U to %U are not runs of ten", lo, hi)
		}
		typed := strings.Repeat("1", 8) + string(lo+7)
		if _, secret, err := wire.ParseCode(typed); err != nil || secret != "111117" {
			t.Errorf("%U is not read as 7: %q %v", lo+7, secret, err)
		}
	}
	for _, r := range unicode.Nd.R16 {
		check(rune(r.Lo), rune(r.Hi), uint32(r.Stride))
	}
	for _, r := range unicode.Nd.R32 {
		check(rune(r.Lo), rune(r.Hi), r.Stride)
	}
}

func TestNameplatesAndSecretsOnTheWire(t *testing.T) {
	for s, want := range map[string]bool{"482": true, "123456789": true, "12": false, "1234567890": false, "48a": false, "٤٨٢": false, "": false, "4 8": false} {
		if wire.ValidNameplate(s) != want {
			t.Errorf("nameplate %q: %v", s, !want)
		}
	}
	for s, want := range map[string]bool{"913706": true, "91370": false, "9137060": false, "91370x": false, "": false} {
		if wire.ValidSecret(s) != want {
			t.Errorf("secret %q: %v", s, !want)
		}
	}
}

func TestHostileNamesAreCleaned(t *testing.T) {
	for _, n := range readTexts(t).Names {
		if got := wire.Clean(n.Raw); got != n.Clean {
			t.Errorf("%+q is cleaned to %+q, want %+q", n.Raw, got, n.Clean)
		}
	}
	if got := wire.Clean("a\xffb\xed\xa0\x80"); got != "a\uFFFDb\uFFFD" {
		t.Errorf("invalid UTF-8 is cleaned to %+q", got)
	}
}

func TestServerNames(t *testing.T) {
	for in, want := range map[string]string{
		"help.example.com":              "help.example.com",
		"Help.Example.COM:443":          "help.example.com",
		"help.example.com.":             "help.example.com",
		"help.example.com.:8443":        "help.example.com",
		"aide.québec.ca":                "aide.xn--qubec-csa.ca",
		"AIDE.QUÉBEC.CA":                "aide.xn--qubec-csa.ca",
		"aide。québec．ca｡":               "aide.xn--qubec-csa.ca",
		"xn--qubec-csa.ca":              "xn--qubec-csa.ca",
		"localhost:8080":                "localhost",
		"127.0.0.1":                     "127.0.0.1",
		"127.0.0.1:8080":                "127.0.0.1",
		"::1":                           "::1",
		"[::1]":                         "::1",
		"[2001:DB8:0::1]:443":           "2001:db8::1",
		strings.Repeat("a", 63) + ".ca": strings.Repeat("a", 63) + ".ca",
	} {
		if got, err := wire.ServerName(in); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"", ".", ":443", "..", "a..b", "help example.com", "help|example.com", "help/example.com", "user@example.com",
		"https://example.com", "example.com:", "example.com:70000", "example.com:+1", "a_b.example.com", "-a.example.com", "127.1", "0x7f.1.2.3", "1.2.3.4.5", "2130706433", "fe80::1%eth0", "[fe80::1%25eth0]:1",
		"a\x00b", "xn--a", "\u200bexample.com.\u202e", "[help.example.com", strings.Repeat("a", 64) + ".ca", strings.Repeat("a.", 127) + "aa", strings.Repeat("é", 300)} {
		if got, err := wire.ServerName(in); !errors.Is(err, wire.ErrServerName) {
			t.Errorf("%q is taken for the server %q, %v", in, got, err)
		}
	}
}

func FuzzParseCode(f *testing.F) {
	for _, c := range readTexts(f).Codes {
		f.Add(c.Typed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		nameplate, secret, err := wire.ParseCode(typed)
		if err != nil {
			if nameplate != "" || secret != "" {
				t.Fatal("a refused code leaves digits")
			}
			return
		}
		if !wire.ValidNameplate(nameplate) || !wire.ValidSecret(secret) {
			t.Fatalf("%q gives %q and %q", typed, nameplate, secret)
		}
		n, s, err := wire.ParseCode(wire.FormatCode(nameplate, secret))
		if n != nameplate || s != secret || err != nil {
			t.Fatalf("%q is not read as it is shown: %q %q %v", typed, n, s, err)
		}
	})
}

func FuzzClean(f *testing.F) {
	for _, n := range readTexts(f).Names {
		f.Add(n.Raw)
	}
	f.Add("\xff\xed\xa0\x80")
	f.Fuzz(func(t *testing.T, raw string) {
		s := wire.Clean(raw)
		if !utf8.ValidString(s) || utf8.RuneCountInString(s) > wire.NameLimit || !norm.NFC.IsNormalString(s) {
			t.Fatalf("%+q is not a name", s)
		}
		if strings.TrimSpace(s) != s || strings.Contains(s, "  ") {
			t.Fatalf("%+q has loose spaces", s)
		}
		for _, r := range s {
			if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp) || unicode.IsSpace(r) && r != ' ' {
				t.Fatalf("%+q holds %U", s, r)
			}
		}
		if again := wire.Clean(s); again != s {
			t.Fatalf("%+q is cleaned again to %+q", s, again)
		}
	})
}

func FuzzServerName(f *testing.F) {
	for _, s := range []string{"help.example.com:443", "[::1]:1", "QUÉBEC.ca.", "127.1", "a..b", "xn--qubec-csa.ca", "。", "ß.de"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		name, err := wire.ServerName(in)
		if err != nil {
			return
		}
		if name == "" || strings.ContainsAny(name, "|/@[] \x00") || strings.ToLower(name) != name || strings.HasSuffix(name, ".") {
			t.Fatalf("%q gives %q", in, name)
		}
		if again, err := wire.ServerName(name); err != nil || again != name {
			t.Fatalf("%q gives %q, which gives %q, %v", in, name, again, err)
		}
	})
}
