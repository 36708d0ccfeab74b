package ui

import (
	"embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

//go:embed locales/*.json
var localeFiles embed.FS

// Texts are the person's sentences in one language.
type Texts struct {
	// Lang is "en" or "fr".
	Lang string
	m    map[string]string
}

// Langs are the languages there is a locale file for.
func Langs() []string { return []string{"en", "fr"} }

// Load returns the texts of the language that lang begins with ("fr", "fr_CA.UTF-8",
// "fr-FR"), or the English ones.
func Load(lang string) *Texts {
	l := "en"
	if strings.HasPrefix(strings.ToLower(lang), "fr") {
		l = "fr"
	}
	b, err := localeFiles.ReadFile("locales/" + l + ".json")
	if err != nil {
		panic(err) // embedded above
	}
	t := &Texts{Lang: l}
	if err := json.Unmarshal(b, &t.m); err != nil {
		panic(fmt.Sprintf("locales/%s.json: %v", l, err)) // a test reads both
	}
	return t
}

// T returns the sentence of a key with {name} replaced from the pairs. A key
// that does not exist shows itself: a person sees something, a test fails.
func (t *Texts) T(key string, pairs ...string) string {
	s, ok := t.m[key]
	if !ok {
		return key
	}
	if len(pairs) == 0 {
		return s
	}
	old := make([]string, 0, len(pairs))
	for i := 0; i+1 < len(pairs); i += 2 {
		old = append(old, "{"+pairs[i]+"}", pairs[i+1])
	}
	return strings.NewReplacer(old...).Replace(s)
}

// Has tells whether a sentence exists.
func (t *Texts) Has(key string) bool { _, ok := t.m[key]; return ok }

// Reason returns the sentence for the end of a session or claim.
func (t *Texts) Reason(r mfpb.Reason) string {
	return t.T("reason." + strings.TrimPrefix(r.String(), "REASON_"))
}

// Ended is that for a session. seen: somebody had seen the screen before, so that a
// "no" ended what it would else have kept from beginning.
func (t *Texts) Ended(r mfpb.Reason, seen bool) string {
	if key := "reason." + strings.TrimPrefix(r.String(), "REASON_") + ".seen"; seen && t.Has(key) {
		return t.T(key)
	}
	return t.Reason(r)
}

// Question returns the id of the question's text, and the question itself as
// the person reads it: what is logged as shown is this text. kind is what the
// participant is: an invited one is introduced as such.
func (t *Texts) Question(grant, kind string, tech Technician) (id, text string) {
	id = "ask." + grant
	if t.Has(id + "." + kind) {
		id += "." + kind
	}
	if !t.Has(id) {
		return "ask.other", t.T("ask.other", "name", tech.Name, "grant", t.Grant(grant))
	}
	return id, t.T(id, "name", tech.Name)
}

// Again is the question after a restart: whether it goes on, and with what. It
// returns the id of the text as well, as Question does.
func (t *Texts) Again(grants []string, tech Technician) (id, text string) {
	names := make([]string, len(grants))
	for i, g := range grants {
		first, size := utf8.DecodeRuneInString(t.Grant(g))
		names[i] = string(unicode.ToLower(first)) + t.Grant(g)[size:] // in the middle of a sentence
	}
	return "ask.return", t.T("ask.return", "name", tech.Name, "grants", strings.Join(names, ", "))
}

// Grant is what a grant allows, in the person's words.
func (t *Texts) Grant(name string) string {
	if key := "grant." + name; t.Has(key) {
		return t.T(key)
	}
	return name
}

// Keys are keys such as "Ctrl+Alt+End" as this language's keyboards call them.
func (t *Texts) Keys(name string) string {
	parts := strings.Split(name, "+")
	for i, p := range parts {
		if key := "key." + p; t.Has(key) {
			parts[i] = t.T(key)
		}
	}
	return strings.Join(parts, "+")
}

// Size of a file in words: "640 kB", "1.4 GB".
func (t *Texts) Size(bytes int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	n, unit := float64(max(bytes, 0)), 0
	for n >= 999.5 && unit < len(units)-1 {
		n, unit = n/1000, unit+1
	}
	digits := 0
	if unit > 0 && n < 9.95 {
		digits = 1
	}
	s := strconv.FormatFloat(n, 'f', digits, 64)
	return strings.Replace(s, ".", t.T("decimal"), 1) + t.T("unit."+units[unit])
}

// Transfer says how a file's transfer stands.
func (t *Texts) Transfer(f File) string {
	percent := int64(100)
	if f.Size > 0 {
		percent = max(0, min(100, int64(float64(f.Done)/float64(f.Size)*100)))
	}
	key := "files." + f.State
	if way := key + "." + f.Way; t.Has(way) {
		key = way
	}
	if !t.Has(key) {
		key = "files.running"
	}
	s := t.T(key, "done", t.Size(f.Done), "size", t.Size(f.Size), "percent", strconv.FormatInt(percent, 10), "path", f.Path)
	if f.State == "failed" && f.Text != "" {
		s += " " + f.Text
	}
	return s
}

// SignedIn says how a technician signed in, and when; empty if the server does
// not tell.
func (t *Texts) SignedIn(tech Technician) string {
	if tech.SignedIn == "" {
		return ""
	}
	at, _ := time.Parse(time.RFC3339, tech.SignedInAt) // without a time Clock shows a dash
	how, via, _ := strings.Cut(tech.SignedIn, ":")
	return t.T("ask.signed_in") + t.T("colon") + t.T("signed_in."+how, "time", Clock(at), "via", via)
}

// Clock is a time of day where the person is, as in 15:04.
func Clock(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.Local().Format("15:04")
}

// Duration of a session in words: "4 min 12 s".
func (t *Texts) Duration(seconds float64) string {
	s := int(seconds + 0.5)
	if s < 60 {
		return fmt.Sprintf("%d s", s)
	}
	return fmt.Sprintf("%d min %d s", s/60, s%60)
}
