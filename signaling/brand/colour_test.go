package brand

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// steps are colours from all over the cube, and those of our own warnings.
func steps(t *testing.T) (all []Colour) {
	t.Helper()
	for r := 0; r <= 255; r += 85 {
		for g := 0; g <= 255; g += 85 {
			for b := 0; b <= 255; b += 85 {
				all = append(all, Colour{uint8(r), uint8(g), uint8(b)})
			}
		}
	}
	for _, s := range []string{"#b3261e", "#ff968c", "#8a5200", "#f2be6c", "#c8102e", "#0b6763"} {
		c, err := ParseColour(s)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// C137: whatever colour is chosen, what the pages use can be read on all that they put
// under it, words can be read on its softest shade, and nobody takes it for a warning.
func TestNoColourHidesAWordOrAWarning(t *testing.T) {
	th, err := themes()
	if err != nil {
		t.Fatal(err)
	}
	fine := 0
	for _, c := range steps(t) {
		j, err := Judge(c)
		if err != nil {
			t.Fatal(err)
		}
		if (j.Why == Fine) != (j.Palette.Light.Accent == c) {
			t.Errorf("%s: %q, and yet the pages use %s", c, j.Why, j.Palette.Light.Accent)
		}
		if j.Why == Fine {
			fine++
		}
		if again, err := Judge(j.Palette.Light.Accent); err != nil || again.Why != Fine || again.Palette != j.Palette {
			t.Errorf("%s: what is offered, %s, is not taken: %+v %v", c, j.Palette.Light.Accent, again, err)
		}
		for i, s := range []Shade{j.Palette.Light, j.Palette.Dark} {
			of := []string{"light", "dark"}[i]
			named := func(name string) Colour {
				c, err := ParseColour(th[i].tokens[name])
				if err != nil {
					t.Fatal(name, err)
				}
				return c
			}
			for _, under := range []string{"mf-bg", "mf-surface", "hover", "danger-soft", "warm-soft", "ok-soft"} {
				for what, over := range map[string]Colour{"accent": s.Accent, "hover": s.Hover} {
					if got := contrast(over, named(under)); got < 4.5 {
						t.Errorf("%s, %s: %s %s on %s: %.2f", c, of, what, over, under, got)
					}
				}
			}
			for _, over := range []Colour{s.Accent, named("mf-text"), named("mf-muted")} {
				if got := contrast(over, s.Soft); got < 4.5 {
					t.Errorf("%s, %s: %s on its softest shade %s: %.2f", c, of, over, s.Soft, got)
				}
			}
			for _, warns := range []string{"mf-danger", "warm"} {
				if got := s.Accent.lab().distance(named(warns).lab()); got < 0.069 {
					t.Errorf("%s, %s: %s looks like %s: %.3f", c, of, s.Accent, warns, got)
				}
			}
		}
	}
	if fine < 10 {
		t.Errorf("only %d can be had", fine)
	}
	// The pages' own colours hold to the same, or the search would start from nothing.
	for _, t2 := range th {
		if why := t2.against(t2.fallback()); why != Fine {
			t.Errorf("our own accent %s is %s", t2.fallback(), why)
		}
	}
	for c, want := range map[string]string{"#ffcc00": Faint, "#ffffff": Faint, "#b3261e": Warning, "#8a5200": Warning, "#0056a3": Fine, "#000": Fine} {
		p, err := ParseColour(c)
		if err != nil {
			t.Fatal(err)
		}
		if j, _ := Judge(p); j.Why != want {
			t.Errorf("%s is %q, want %q", c, j.Why, want)
		}
	}
}

// C138: a stylesheet is two rules with three colours each, and names nothing that warns.
func TestTheStylesheetHoldsColoursOnly(t *testing.T) {
	form := regexp.MustCompile(`^(@media screen and \(prefers-contrast: no-preference\)( and \(prefers-color-scheme: dark\))?\{:root\{--mf-accent:#[0-9a-f]{6};--accent-hover:#[0-9a-f]{6};--accent-soft:#[0-9a-f]{6}\}\}\n){2}$`)
	for _, c := range steps(t) {
		j, err := Judge(c)
		if err != nil {
			t.Fatal(err)
		}
		if s := string(j.Palette.sheet()); !form.MatchString(s) || strings.Count(s, "dark") != 1 {
			t.Errorf("%s: %s", c, s)
		}
	}
}

func TestWhatIsAColour(t *testing.T) {
	for s, want := range map[string]string{"#0B6763": "#0b6763", "0b6763": "#0b6763", "#fa0": "#ffaa00", " #000000\n": "#000000"} {
		if c, err := ParseColour(s); err != nil || c.String() != want {
			t.Errorf("%q: %s %v", s, c, err)
		}
	}
	for _, s := range []string{"", "#", "red", "#12345", "#1234567", "#0b676g", "rgb(1,2,3)", "#fff;}body{display:none", "#fff\x00", "##fff", "#ff f", "１２３"} {
		if c, err := ParseColour(s); !errors.Is(err, ErrNoColour) {
			t.Errorf("%q: %s %v", s, c, err)
		}
	}
}

// Known values: WCAG's own ends, and OKLab's of its author.
func TestTheSumsAreRight(t *testing.T) {
	black, white := Colour{}, Colour{255, 255, 255}
	if got := contrast(black, white); got < 20.999 || got > 21.001 {
		t.Errorf("black on white: %f", got)
	}
	if got := contrast(Colour{0x77, 0x77, 0x77}, white); fmt.Sprintf("%.2f", got) != "4.48" {
		t.Errorf("#777 on white: %f", got)
	}
	if p := (Colour{255, 0, 0}).lab(); fmt.Sprintf("%.3f %.3f %.3f", p.l, p.a, p.b) != "0.628 0.225 0.126" {
		t.Errorf("red: %+v", p)
	}
	for _, c := range steps(t) {
		if back, ok := c.lab().colour(); !ok || back != c {
			t.Errorf("%s comes back as %s", c, back)
		}
	}
}
