package brand

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/mainforte/mainforte/web"
)

// Colour is one of sRGB.
type Colour [3]uint8

// ErrNoColour: that is not the name of a colour as #rrggbb.
var ErrNoColour = errors.New("brand: not a colour")

var colourForm = regexp.MustCompile(`^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$`)

// ParseColour reads "#0b6763", or "#0bc", also without the mark. Error: ErrNoColour.
func ParseColour(s string) (Colour, error) {
	m := colourForm.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return Colour{}, ErrNoColour
	}
	digits := m[1]
	if len(digits) == 3 {
		digits = strings.Join([]string{digits[:1], digits[:1], digits[1:2], digits[1:2], digits[2:], digits[2:]}, "")
	}
	n, err := strconv.ParseUint(digits, 16, 32)
	if err != nil {
		return Colour{}, ErrNoColour
	}
	return Colour{uint8(n >> 16), uint8(n >> 8 & 0xff), uint8(n & 0xff)}, nil
}

// String is "#rrggbb".
func (c Colour) String() string { return fmt.Sprintf("#%02x%02x%02x", c[0], c[1], c[2]) }

// light is each channel as an amount of light, from 0 to 1.
func (c Colour) light() (out [3]float64) {
	for i, v := range c {
		if f := float64(v) / 255; f <= 0.04045 {
			out[i] = f / 12.92
		} else {
			out[i] = math.Pow((f+0.055)/1.055, 2.4)
		}
	}
	return out
}

// luminance as WCAG 2 defines it, from 0 to 1.
func (c Colour) luminance() float64 {
	l := c.light()
	return 0.2126*l[0] + 0.7152*l[1] + 0.0722*l[2]
}

// contrast of two colours as WCAG 2 defines it, from 1 to 21.
func contrast(a, b Colour) float64 {
	return between(a.luminance(), b.luminance())
}

// between is the contrast of two luminances.
func between(x, y float64) float64 { return (max(x, y) + 0.05) / (min(x, y) + 0.05) }

// mix is share of a over b, as color-mix(in srgb) does it.
func mix(a, b Colour, share float64) (out Colour) {
	for i := range out {
		out[i] = uint8(math.Round(share*float64(a[i]) + (1-share)*float64(b[i])))
	}
	return out
}

// lab is a colour in OKLab, where equal distances look equal: lightness from 0 to 1, and
// two axes of hue around 0. https://bottosson.github.io/posts/oklab
type lab struct{ l, a, b float64 }

func (c Colour) lab() lab {
	v := c.light()
	l := math.Cbrt(0.4122214708*v[0] + 0.5363325363*v[1] + 0.0514459929*v[2])
	m := math.Cbrt(0.2119034982*v[0] + 0.6806995451*v[1] + 0.1073969566*v[2])
	s := math.Cbrt(0.0883024619*v[0] + 0.2817188376*v[1] + 0.6299787005*v[2])
	return lab{
		0.2104542553*l + 0.7936177850*m - 0.0040720468*s,
		1.9779984951*l - 2.4285922050*m + 0.4505937099*s,
		0.0259040371*l + 0.7827717662*m - 0.8086757660*s,
	}
}

// colour is the one of sRGB; ok is false if there is none.
func (p lab) colour() (c Colour, ok bool) {
	l := p.l + 0.3963377774*p.a + 0.2158037573*p.b
	m := p.l - 0.1055613458*p.a - 0.0638541728*p.b
	s := p.l - 0.0894841775*p.a - 1.2914855480*p.b
	l, m, s = l*l*l, m*m*m, s*s*s
	for i, v := range []float64{
		4.0767416621*l - 3.3077115913*m + 0.2309699292*s,
		-1.2684380046*l + 2.6097574011*m - 0.3413193965*s,
		-0.0041960863*l - 0.7034186147*m + 1.7076147010*s,
	} {
		if v < -0.001 || v > 1.001 {
			return Colour{}, false
		}
		if v <= 0.0031308 {
			v *= 12.92
		} else {
			v = 1.055*math.Pow(v, 1/2.4) - 0.055
		}
		c[i] = uint8(math.Round(255 * min(max(v, 0), 1)))
	}
	return c, true
}

func (p lab) distance(q lab) float64 {
	return math.Sqrt((p.l-q.l)*(p.l-q.l) + (p.a-q.a)*(p.a-q.a) + (p.b-q.b)*(p.b-q.b))
}

// turned is p of another lightness, with a share of its colourfulness, its hue turned by
// that many degrees.
func (p lab) turned(l, share, degrees float64) lab {
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	return lab{l, share * (p.a*cos - p.b*sin), share * (p.a*sin + p.b*cos)}
}

// What a colour must keep.
const (
	readable = 4.5    // contrast of text, WCAG 2 §1.4.3; controls, which need 3, have it too
	apart    = 0.07   // distance from what warns, so that one is not taken for the other
	otherHue = 0.0015 // what a degree of another hue costs: a paler or darker one is rather the same colour
	softness = 0.12   // of the accent in what lies under something chosen; the viewer mixes the same
)

// theme is what an accent stands on and beside, in light or in dark pages.
type theme struct {
	dark        bool
	surface     Colour
	under       []float64 // luminances that text of the accent is read on
	words       []float64 // and of what is read on its softest shade
	warns       []lab     // danger and warning
	hover, lift float64   // how far lightness goes for the pointer, and from where on the other way
	tokens      map[string]string
}

// themes are the light one and the dark one, out of the tokens of the pages.
var themes = sync.OnceValues(func() (out [2]theme, err error) {
	for i := range out {
		t := theme{dark: i == 1, hover: -0.07, lift: 0.18}
		if t.dark {
			t.hover, t.lift = 0.06, 0.93
		}
		if t.tokens, err = web.Tokens(t.dark); err != nil {
			return out, err
		}
		named := func(name string) Colour {
			c, e := ParseColour(t.tokens[name])
			if e != nil {
				err = fmt.Errorf("brand: the token %s: %w", name, e)
			}
			return c
		}
		t.surface = named("mf-surface")
		for _, n := range []string{"mf-bg", "mf-surface", "hover", "danger-soft", "warm-soft", "ok-soft"} {
			t.under = append(t.under, named(n).luminance())
		}
		for _, n := range []string{"mf-text", "mf-muted"} {
			t.words = append(t.words, named(n).luminance())
		}
		for _, n := range []string{"mf-danger", "warm"} {
			t.warns = append(t.warns, named(n).lab())
		}
		out[i] = t
	}
	return out, err
})

// Shade is an accent in one theme, with what is made of it.
type Shade struct {
	Accent, Hover, Soft Colour
}

func (t theme) shade(c Colour) Shade {
	p := c.lab()
	l := p.l + t.hover
	if (t.hover < 0 && p.l < t.lift) || (t.hover > 0 && p.l > t.lift) {
		l = p.l - 1.5*t.hover
	}
	s := Shade{c, c, mix(c, t.surface, softness)}
	for share := 1.0; share >= 0; share -= 0.1 { // some lightnesses have no colour as strong
		if h, ok := p.turned(l, share, 0).colour(); ok {
			s.Hover = h
			break
		}
	}
	return s
}

// Why a colour cannot be the accent.
const (
	Fine    = ""
	Faint   = "faint"   // text of it could not be read
	Warning = "warning" // it would be taken for danger or warning
)

// against says why c cannot be the accent of t, or Fine.
func (t theme) against(c Colour) string {
	own := c.luminance()
	for _, u := range t.under {
		if between(own, u) < readable {
			return Faint
		}
	}
	s := t.shade(c)
	hover, soft := s.Hover.luminance(), s.Soft.luminance()
	for _, u := range t.under {
		if between(hover, u) < readable {
			return Faint
		}
	}
	for _, w := range append([]float64{own}, t.words...) {
		if between(w, soft) < readable {
			return Faint
		}
	}
	for _, w := range t.warns {
		if c.lab().distance(w) < apart || s.Hover.lab().distance(w) < apart {
			return Warning
		}
	}
	return Fine
}

// nearest is the colour that looks most like c of those that t can have: c itself, if
// it is one and the pages are light.
func (t theme) nearest(c Colour) Colour {
	if !t.dark && t.against(c) == Fine {
		return c
	}
	from := t.wished(c)
	best, least := t.fallback(), math.Inf(1)
	for l := 0.10; l < 0.98; l += 0.01 {
		for _, share := range []float64{1, 0.9, 0.8, 0.65, 0.5, 0.3, 0} {
			for turn := -40.0; turn <= 40; turn += 5 {
				p := from.turned(l, share, turn)
				d := p.distance(from) + otherHue*math.Abs(turn)
				if d >= least {
					continue
				}
				if got, ok := p.colour(); ok && t.against(got) == Fine {
					best, least = got, d
				}
			}
		}
	}
	return best
}

// wished is where the search for the nearest begins: at c itself in light pages, at a
// colour that shines like the pages' own in dark ones.
func (t theme) wished(c Colour) lab {
	p := c.lab()
	if !t.dark {
		return p
	}
	own := t.fallback().lab()
	strength, most := math.Hypot(p.a, p.b), 1.3*math.Hypot(own.a, own.b)
	return p.turned(max(p.l, own.l), min(1, most/max(strength, most/2)), 0)
}

// fallback is the accent of the pages themselves.
func (t theme) fallback() Colour {
	c, _ := ParseColour(t.tokens["mf-accent"]) // of our own file; a test reads it
	return c
}

// Palette is what the pages make of one colour.
type Palette struct {
	Light, Dark Shade
}

// Judgement is what is said of a colour that somebody chose.
type Judgement struct {
	Why     string  // Fine, Faint or Warning
	Palette Palette // of the colour if it is fine, else of the one most like it that is
}

// Judge looks whether a colour can be the accent of light pages, and what they make of
// one that can. That of dark pages is always derived.
func Judge(c Colour) (Judgement, error) {
	t, err := themes()
	if err != nil {
		return Judgement{}, err
	}
	light := t[0].nearest(c)
	return Judgement{t[0].against(c), Palette{t[0].shade(light), t[1].shade(t[1].nearest(light))}}, nil
}

// sheet is the stylesheet of a palette. It names three properties and colours that were
// parsed, and nothing else: no word of danger, of warning or of success. Who asks for
// more contrast or chose colours of their own, and paper, keep what the pages have.
func (p Palette) sheet() []byte {
	rule := func(s Shade) string {
		return fmt.Sprintf("{:root{--mf-accent:%s;--accent-hover:%s;--accent-soft:%s}}\n", s.Accent, s.Hover, s.Soft)
	}
	const media = "@media screen and (prefers-contrast: no-preference)"
	return []byte(media + rule(p.Light) + media + " and (prefers-color-scheme: dark)" + rule(p.Dark))
}
